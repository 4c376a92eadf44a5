#include "psp-connector/event_work.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "money/printable.hpp"

namespace switchyard::connector {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using How = payment::Noticed::How;

// Without a hint, the store is looked at so often.
constexpr milliseconds event_poll_interval{200};
constexpr milliseconds event_pause{500};
// Bounds how long one batch holds up the commits of merchants.
constexpr std::size_t batch_max = 256;
// A worker that holds a batch for so long has died.
constexpr seconds lease{30};
// The delay doubles from a second: 18 hours in all. Where the payment is known, 12 days: longer than what is
// under way there takes to end.
constexpr std::int32_t tries_max = 17;
constexpr std::int32_t tries_of_known_max = 21;

prometheus::Counter& counter_of(telemetry::Metrics& metrics, std::string_view result) {
  return metrics.counter("switchyard_psp_events_worked_off_total",
                         "Events of PSPs' webhooks that were applied to transactions.",
                         {{"result", std::string(result)}});
}

// The transaction that the PSP was told of, where it goes by its id.
std::optional<TransactionId> id_in(const payment::Notice& notice) {
  const auto id = Uuid::parse(notice.reference);
  return id ? std::optional(TransactionId{*id}) : std::nullopt;
}

}  // namespace

EventWork::EventWork(Executor executor, store::Store& store, const Psps& psps,
                     const payment::RetryPolicy& policy, telemetry::Metrics& metrics, Log& log,
                     const Clock& clock, std::function<void(const payment::Step&)> on_changed)
    : store_(store),
      psps_(psps),
      policy_(policy),
      log_(log),
      clock_(clock),
      on_changed_(std::move(on_changed)),
      wake_up_(executor),
      changed_(counter_of(metrics, "changed")),
      nothing_new_(counter_of(metrics, "nothing_new")),
      too_early_(counter_of(metrics, "too_early")),
      given_up_(counter_of(metrics, "given_up")) {}

void EventWork::stop() {
  stopping_ = true;
  wake_up_.notify();
}

Task<void> EventWork::run() {
  while (!stopping_) {
    const bool more = co_await work_off();
    if (more) continue;
    if (!stopping_) co_await wake_up_.wait_until(steady_clock::now() + event_poll_interval);
  }
}

Task<void> EventWork::give_up_for_now(std::string_view what, const Error& error) {
  if (failures_.allow()) log_.error(fmt::format("{}: {}", what, error.detail));
  const auto until = steady_clock::now() + event_pause;
  while (!stopping_ && steady_clock::now() < until) co_await wake_up_.wait_until(until);
}

Task<bool> EventWork::work_off() {
  const auto now = clock_.now();
  auto events = co_await store_.take_psp_events(now, now + lease, batch_max);
  if (!events) {
    co_await give_up_for_now("Events of PSPs cannot be worked off", events.error());
    co_return false;
  }
  if (events->empty()) co_return false;
  Batch batch;
  for (auto& event : *events) batch.push_back({.event = std::move(event)});
  auto transactions = co_await find_transactions(batch);
  auto applied = transactions ? co_await apply(batch, std::move(*transactions))
                              : Result<void>(std::unexpected(std::move(transactions.error())));
  if (!applied) {
    co_await give_up_for_now("Events of PSPs cannot be applied", applied.error());
    co_return false;
  }
  store::PspEvents ended;
  for (auto& one : batch) {
    end(one, now);
    ended.push_back(one.event);
  }
  const auto size = ended.size();
  const auto written = co_await store_.end_psp_events(std::move(ended));
  if (!written) {
    co_await give_up_for_now("What became of PSPs' events cannot be stored", written.error());
    co_return false;
  }
  co_return size == batch_max;
}

Task<Result<std::vector<EventWork::OfTransaction>>> EventWork::find_transactions(const Batch& batch) {
  std::vector<TransactionId> ids;
  std::vector<store::PspPayment> payments;
  for (const auto& one : batch) {
    if (const auto id = id_in(one.event.notice)) ids.push_back(*id);
    const auto& notice = one.event.notice;
    payments.push_back({one.event.account, notice.payment, notice.idempotency_key});
  }
  auto owners = co_await store_.find_owners(std::move(ids));
  if (!owners) co_return std::unexpected(std::move(owners.error()));
  auto named = co_await store_.find_psp_payments(std::move(payments));
  if (!named) co_return std::unexpected(std::move(named.error()));
  const std::map<Uuid, MerchantId> merchants = [&owners] {
    std::map<Uuid, MerchantId> by_id;
    for (const auto& [id, merchant] : *owners) by_id.emplace(id.value, merchant);
    return by_id;
  }();
  std::map<Uuid, OfTransaction> found;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    auto owner = (*named)[i];
    if (const auto id = id_in(batch[i].event.notice)) {
      const auto merchant = merchants.find(id->value);
      if (merchant != merchants.end()) owner = store::Owner{merchant->second, *id};
    }
    if (!owner) continue;
    auto& of_transaction =
        found.try_emplace(owner->transaction.value, OfTransaction{*owner, {}}).first->second;
    of_transaction.events.push_back(i);
  }
  std::vector<OfTransaction> all;
  all.reserve(found.size());
  for (auto& [id, of_transaction] : found) all.push_back(std::move(of_transaction));
  co_return all;
}

std::expected<store::Decided, payment::Refusal> EventWork::decide(Batch& batch,
                                                                  const std::vector<std::size_t>& events,
                                                                  payment::State state, Timestamp now) const {
  bool is_changed = false;
  for (const auto i : events) {
    auto& [event, how, is_found, step] = batch[i];
    auto noticed = payment::notified(std::move(state), event.account, event.notice, psps_, now, policy_);
    how = noticed.how;
    is_found = true;
    is_changed = is_changed || how == How::changed;
    state = std::move(noticed.state);
    if (how == How::changed) step.emplace(payment::Step{state, payment::Action::none, noticed.index});
  }
  return store::Decided{.step = {std::move(state), payment::Action::none, 0}, .is_changed = is_changed};
}

Task<Result<void>> EventWork::apply(Batch& batch, std::vector<OfTransaction> transactions) {
  if (transactions.empty()) co_return Result<void>{};
  store::NamedWork named;
  std::map<Uuid, const std::vector<std::size_t>*> events;
  for (const auto& [owner, of_it] : transactions) {
    named.all.push_back({.merchant = owner.merchant, .id = owner.transaction});
    events.emplace(owner.transaction.value, &of_it);
  }
  store::Work work = std::move(named);
  store::Decide decide_one = [this, &batch, &events, now = clock_.now()](payment::State state) {
    const auto& of_it = *events.at(state.transaction.id.value);
    return decide(batch, of_it, std::move(state), now);
  };
  const auto taken = co_await store_.take(std::move(work), std::move(decide_one));
  if (!taken) co_return std::unexpected(taken.error());
  for (std::size_t i = 0; i < taken->size(); ++i) {
    if (std::holds_alternative<store::Decided>((*taken)[i])) continue;
    // Not there any more, or it cannot be read: whatever was decided is not stored.
    for (const auto event : transactions[i].events) batch[event].how = How::too_early;
  }
  co_return Result<void>{};
}

void EventWork::end(One& one, Timestamp now) {
  auto& event = one.event;
  const auto most = one.is_found ? tries_of_known_max : tries_max;
  const bool is_over = one.how != How::too_early || event.tries >= most;
  event.due_at.reset();
  if (!is_over) event.due_at = now + seconds(1) * (1 << std::clamp(event.tries - 1, 0, most));
  event.result = one.how == How::changed       ? "applied"
                 : one.how == How::nothing_new ? "nothing new"
                 : one.is_found                ? "what it is about is not known yet"
                                               : "no payment here is known by what it says";
  note(one);
}

void EventWork::note(const One& one) {
  const auto& [event, how, is_found, step] = one;
  auto& counter = how == How::changed       ? changed_
                  : how == How::nothing_new ? nothing_new_
                  : event.due_at            ? too_early_
                                            : given_up_;
  counter.Increment();
  if (&counter == &given_up_) {
    log_.warning(fmt::format("An event of {} is given up, {} {}: {}", event.account, event.notice.type,
                             event.notice.event, event.result),
                 {{"psp", event.account}, {"event", event.notice.event}, {"type", event.notice.type}});
  }
  if (how != How::changed) return;
  const auto& operation = step->operation();
  const auto id = step->state.transaction.id.value.to_string();
  if (operation.phase == payment::Phase::manual_review) {
    log_.warning(fmt::format("A person must look at what {} says: {}", event.account,
                             printable(operation.reason.message)),
                 {{"transaction_id", id}, {"psp", event.account}, {"event", event.notice.event}});
  }
  on_changed_(*step);
}

}  // namespace switchyard::connector
