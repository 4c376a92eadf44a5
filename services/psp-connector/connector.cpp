#include "psp-connector/connector.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "money/printable.hpp"
#include "service/settings.hpp"

namespace switchyard::connector {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Without a hint, the store is looked at so often.
constexpr milliseconds poll_interval{100};
// Bounds how long one claim holds up the commits of merchants.
constexpr std::size_t claim_max = 256;
constexpr milliseconds pause_after_failure{500};
constexpr milliseconds watch_interval{1'000};

// The calls and the results of the metrics, in the order of their counters.
constexpr std::array<std::string_view, 5> calls{"authorize", "capture", "void", "refund", "look_up"};
constexpr std::array<std::string_view, 10> results{
    "approved",        "soft_decline", "hard_decline", "rejected",     "pending",
    "action_required", "not_sent",     "unknown",      "contradicted", "no_such_charge"};

// An index of `results`.
struct ResultOf {
  std::size_t operator()(const payment::Succeeded&) const { return 0; }
  std::size_t operator()(const payment::Declined& declined) const {
    return declined.reason.kind == payment::ReasonKind::soft_decline ? 1 : 2;
  }
  std::size_t operator()(const payment::Rejected&) const { return 3; }
  std::size_t operator()(const payment::Pending&) const { return 4; }
  std::size_t operator()(const payment::ActionRequired&) const { return 5; }
  std::size_t operator()(const payment::NotSent&) const { return 6; }
  std::size_t operator()(const payment::OutcomeUnknown&) const { return 7; }
  std::size_t operator()(const payment::Contradicted&) const { return 8; }
  std::size_t operator()(const payment::NoSuchOperation&) const { return 9; }
};

template <class What>
const What* find_in(const Attempt::Said& said) {
  if (const auto* answer = std::get_if<payment::Answer>(&said)) return std::get_if<What>(answer);
  return std::get_if<What>(&std::get<payment::Found>(said));
}

payment::Step hear(payment::Step step, const Attempt::Said& said, Timestamp now,
                   const payment::RetryPolicy& policy) {
  if (const auto* answer = std::get_if<payment::Answer>(&said)) {
    return payment::answered(std::move(step), *answer, now, policy);
  }
  return payment::found(std::move(step), std::get<payment::Found>(said), now, policy);
}

// What was said, applied to the transaction as somebody else has made it since. Nothing changes if the claim
// is not the latest any more, or what was said is known already; nor if something would have to be sent.
store::Decided hear_late(const Attempt& attempt, payment::State state, Timestamp now,
                         const payment::RetryPolicy& policy) {
  auto caught_up = payment::caught_up(state, attempt.claim);
  if (!caught_up) return {.step = {std::move(state), payment::Action::none, 0}, .is_changed = false};
  auto step = std::move(*caught_up);
  for (const auto& said : attempt.said) step = hear(std::move(step), said, now, policy);
  const bool is_over = step.action == payment::Action::none;
  return {.step = std::move(step), .is_changed = is_over};
}

Settings with_key_of(const psp::Adapter& psp, Settings settings) {
  settings.policy.key_held_for = psp.capabilities().key_held_for;
  return settings;
}

std::string id_of(const payment::Step& step) {
  return step.state.transaction.id.value.to_string();
}

}  // namespace

Settings read_settings(const Environment& environment) {
  Settings settings;
  settings.psp_timeout = environment.seconds("PSP_TIMEOUT_SECONDS", 10, 1, 300);
  // A worker that is merely slow must not lose its transaction.
  const auto timeout_s = std::chrono::duration_cast<std::chrono::seconds>(settings.psp_timeout).count();
  settings.policy.lease = environment.seconds("LEASE_SECONDS", (timeout_s * 3 + 1) / 2, timeout_s + 1, 3'600);
  settings.policy.look_ups_max = static_cast<std::int32_t>(environment.integer("LOOK_UPS_MAX", 12, 1, 1'000));
  settings.amount_max = service::read_amount_max(environment);
  settings.in_flight_max = static_cast<std::size_t>(environment.integer("MAX_IN_FLIGHT", 2'048, 1, 100'000));
  return settings;
}

Connector::Connector(const Settings& settings, Executor executor, store::Store& store, psp::Adapter& psp,
                     WakeUp& wake_up, telemetry::Metrics& metrics, Log& log, const Clock& clock)
    : settings_(with_key_of(psp, settings)),
      store_(store),
      psp_(psp),
      authorizes_at_{std::string(psp.name()),
                     [&psp](const payment::State& state, const payment::Operation& operation) {
                       return psp.encode(state, operation);
                     }},
      wake_up_(wake_up),
      metrics_(metrics),
      log_(log),
      clock_(clock),
      worker_log_(log),
      psp_duration_(metrics.histogram("switchyard_psp_request_duration_seconds",
                                      "Calls of a PSP, by its name.", {{"psp", std::string(psp.name())}})),
      stale_outcomes_(
          metrics.counter("switchyard_stale_outcomes_total",
                          "Outcomes dropped because another worker had taken the operation over.")),
      set_aside_(metrics.gauge("switchyard_set_aside_transactions",
                               "Transactions met lately that this version cannot read, and left alone.")),
      under_way_(executor),
      watch_(executor),
      watch_stop_(executor),
      monitor_(metrics, clock_),
      room_(executor) {}

void Connector::stop() {
  stopping_ = true;
  wake_up_.notify();
  room_.set();
  watch_stop_.set();
}

Task<void> Connector::run() {
  worker_log_.started();
  // Before anything is claimed: what time it is.
  co_await measure();
  watch_.spawn([this] { return watch(); });
  while (!stopping_) {
    if (under_way_.size() >= settings_.in_flight_max) {
      monitor_.looked();
      co_await room_.wait_until(steady_clock::now() + poll_interval);
      continue;
    }
    const bool more = co_await claim_due();
    if (more) continue;
    log_.flush();
    if (!stopping_) co_await wake_up_.wait_until(steady_clock::now() + poll_interval);
  }
  worker_log_.stopping();
  co_await under_way_.join_until(steady_clock::time_point::max());
  co_await watch_.join_until(steady_clock::time_point::max());
  log_.flush();
}

Task<bool> Connector::claim_due() {
  using Which = store::DueWork::Which;
  const bool all_at_once = takes_queued_at_once();
  const bool more = co_await claim_some(all_at_once ? Which::all : Which::started, milliseconds(0));
  if (all_at_once || !queued_wait_ || room() == 0) co_return more;
  const bool more_queued = co_await claim_some(Which::queued, *queued_wait_);
  co_return more || more_queued;
}

Task<bool> Connector::claim_some(store::DueWork::Which which, milliseconds due_for) {
  const auto limit = std::min(claim_max, room());
  const auto now = clock_.now();
  store::Work due = store::DueWork{
      .by = now - due_for,
      .ahead = now + payment::longest_delay(settings_.policy) + store::clock_skew_max,
      .limit = limit,
      .which = which,
  };
  store::Decide decide = [this,
                          now](payment::State state) -> std::expected<store::Decided, payment::Refusal> {
    return store::Decided{.step = claim(std::move(state), now)};
  };
  auto claimed = co_await store_.take(std::move(due), std::move(decide));
  if (!claimed) {
    monitor_.look_failed();
    log_.error(fmt::format("Due transactions cannot be claimed: {}", claimed.error().detail));
    co_await pause(pause_after_failure);
    co_return false;
  }
  monitor_.looked();
  note_set_aside();
  const bool more = claimed->size() == limit;
  for (auto& taken : *claimed) {
    if (auto* decided = std::get_if<store::Decided>(&taken)) begin(std::move(decided->step));
  }
  co_return more;
}

Task<void> Connector::watch() {
  while (!stopping_) {
    co_await watch_stop_.wait_until(steady_clock::now() + watch_interval);
    if (!stopping_) co_await measure();
  }
}

// What cannot be measured the claims fail with, too.
Task<void> Connector::measure() {
  const auto workload = co_await store_.measure_workload();
  if (!workload) co_return;
  if (workload->now) clock_.compare(*workload->now);
  monitor_.clock_is_off(clock_.ahead());
  // While a queue outside the store hands out what is queued, it is given its time.
  monitor_.measured(*workload, takes_queued_at_once() ? milliseconds(0) : settings_.take_over_after);
}

void Connector::take_queued_after(std::optional<milliseconds> wait) {
  queued_wait_ = wait;
  wake_up_.notify();
}

payment::Step Connector::claim(payment::State state, Timestamp now) const {
  return payment::claim(std::move(state), authorizes_at_, now, settings_.policy);
}

// Once each time that there are more of them.
void Connector::note_set_aside() {
  const auto aside = store_.set_aside();
  const auto before = static_cast<std::size_t>(set_aside_.Value());
  if (aside.count == before) return;
  set_aside_.Set(static_cast<double>(aside.count));
  if (aside.count < before) return;
  log_.error(fmt::format("{} transactions cannot be read by this version and are set aside, such as {}",
                         aside.count, aside.example));
}

void Connector::begin(payment::Step claimed) {
  under_way_.spawn([this, claimed = std::move(claimed)]() mutable { return process(std::move(claimed)); });
}

std::size_t Connector::room() const {
  return settings_.in_flight_max - std::min(settings_.in_flight_max, under_way_.size());
}

void Connector::observe(std::function<void(const payment::Step&)> on_saved, std::function<void()> on_room) {
  on_saved_ = std::move(on_saved);
  on_room_ = std::move(on_room);
}

Task<void> Connector::pause(milliseconds duration) {
  const auto until = steady_clock::now() + duration;
  while (!stopping_ && steady_clock::now() < until) co_await wake_up_.wait_until(until);
}

Task<void> Connector::process(payment::Step claimed) {
  worker_log_.job_started(claimed);
  auto attempt = co_await carry_out(std::move(claimed));
  if (attempt.said.empty()) {
    // The claim has said all there is, and is stored.
    note_saved(attempt.step);
    const auto& operation = attempt.step.operation();
    if (operation.phase == payment::Phase::rejected) note_rejected(attempt.step, operation.reason.message);
  } else {
    co_await save(std::move(attempt));
  }
  if (under_way_.size() >= settings_.in_flight_max) room_.set();
  if (on_room_) on_room_();
}

Task<Attempt> Connector::carry_out(payment::Step claimed) {
  // One for all calls of this claim, so that they end before its lease does.
  const auto deadline = steady_clock::now() + settings_.psp_timeout;
  Attempt attempt{.claim = payment::claim_of(claimed), .step = std::move(claimed)};
  while (attempt.step.action != payment::Action::none) {
    auto said = co_await call_psp(attempt.step, deadline);
    attempt.step = hear(std::move(attempt.step), said, clock_.now(), settings_.policy);
    attempt.said.push_back(std::move(said));
  }
  co_return attempt;
}

Task<Attempt::Said> Connector::call_psp(const payment::Step& step, psp::Deadline deadline) {
  const bool is_question = step.action == payment::Action::look_up;
  const auto started = steady_clock::now();
  Attempt::Said said = payment::Answer(payment::OutcomeUnknown{});
  try {
    if (is_question) {
      auto found = co_await psp_.look_up(step, deadline);
      said = std::move(found);
    } else {
      worker_log_.making(step);
      auto answer = co_await psp_.send(step, deadline);
      said = std::move(answer);
    }
  } catch (const std::exception& error) {
    // One answer that an adapter chokes on must not end the process, which would ask for it again and again.
    log_.error(fmt::format("The adapter of {} failed: {}", psp_.name(), error.what()));
    payment::OutcomeUnknown unknown{fmt::format("the adapter failed: {}", error.what())};
    if (is_question) {
      said = payment::Found(std::move(unknown));
    } else {
      said = payment::Answer(std::move(unknown));
    }
  }
  psp_duration_.Observe(std::chrono::duration<double>(steady_clock::now() - started).count());
  note_said(step, said);
  co_return said;
}

Task<void> Connector::save(Attempt attempt) {
  store::Change change{.state = attempt.step.state};
  const auto committed = co_await store_.commit(std::move(change));
  if (!committed) {
    note_unsaved(attempt.step, committed.error());
  } else if (std::holds_alternative<store::Stale>(*committed)) {
    co_await save_beside_others(std::move(attempt));
  } else {
    note_saved(attempt.step);
  }
}

// A merchant has asked for an operation since, or another worker was at another operation of the transaction,
// or has taken this one over.
Task<void> Connector::save_beside_others(Attempt attempt) {
  const auto& transaction = attempt.step.state.transaction;
  store::Work one = store::NamedWork{{{.merchant = transaction.merchant_id, .id = transaction.id}}};
  store::Decide decide = [&attempt, now = clock_.now(), policy = settings_.policy](
                             payment::State state) -> std::expected<store::Decided, payment::Refusal> {
    return hear_late(attempt, std::move(state), now, policy);
  };
  const auto taken = co_await store_.take(std::move(one), std::move(decide));
  if (!taken) {
    note_unsaved(attempt.step, taken.error());
  } else if (const auto* error = std::get_if<Error>(&taken->front())) {
    note_unsaved(attempt.step, *error);
  } else if (const auto* decided = std::get_if<store::Decided>(&taken->front());
             decided != nullptr && decided->is_changed) {
    note_saved(decided->step);
  } else {
    stale_outcomes_.Increment();
  }
}

void Connector::note_saved(const payment::Step& step) {
  worker_log_.job_ended(step);
  count(step.state.transaction);
  if (on_saved_) on_saved_(step);
  // What waited for the answer has its turn.
  const auto next = step.state.transaction.next_action_at;
  if (next && *next <= clock_.now()) wake_up_.notify();
}

// The lease runs out, and whoever claims the operation then asks the PSP what came of it.
void Connector::note_unsaved(const payment::Step& step, const Error& error) {
  log_.error(fmt::format("An outcome cannot be saved: {}", error.detail), {{"transaction_id", id_of(step)}});
}

void Connector::note_said(const payment::Step& step, const Attempt::Said& said) {
  const bool is_question = step.action == payment::Action::look_up;
  const auto call = is_question ? calls.size() - 1 : static_cast<std::size_t>(step.operation().kind);
  const auto result = std::visit([](const auto& one) { return std::visit(ResultOf{}, one); }, said);
  auto& counter = call_counters_.at(call).at(result);
  if (counter == nullptr) {
    counter =
        &metrics_.counter("switchyard_psp_calls_total", "Calls of a PSP, by its name and what came of them.",
                          {{"psp", std::string(psp_.name())},
                           {"call", std::string(calls.at(call))},
                           {"result", std::string(results.at(result))}});
  }
  counter->Increment();

  const auto* not_sent = find_in<payment::NotSent>(said);
  // An adapter need not know whether a question without an answer got there.
  const bool says_nothing = is_question && find_in<payment::OutcomeUnknown>(said) != nullptr;
  if (not_sent != nullptr) {
    monitor_.psp_not_reached(not_sent->reason);
  } else if (!says_nothing) {
    monitor_.psp_reached();
  }
  const auto* answer = std::get_if<payment::Answer>(&said);
  const auto* rejected = answer == nullptr ? nullptr : std::get_if<payment::Rejected>(answer);
  if (rejected != nullptr) note_rejected(step, printable(rejected->reason));
}

void Connector::note_rejected(const payment::Step& step, std::string_view reason) {
  if (!rejections_.allow()) return;
  const auto& operation = step.operation();
  const auto what = operation.sends > 0 ? "refuses what it is sent" : "cannot be asked for something";
  log_.error(
      fmt::format("{} {}, which is a fault of ours or of its configuration: {}", operation.psp, what, reason),
      {{"transaction_id", id_of(step)}, {"operation", payment::to_string(operation.kind)}});
}

void Connector::count(const payment::Transaction& transaction) {
  auto& counter = counters_[static_cast<std::size_t>(transaction.status)];
  if (counter == nullptr) {
    counter = &metrics_.counter("switchyard_transactions_total", "Outcomes saved, by the status they led to.",
                                {{"status", std::string(payment::to_string(transaction.status))}});
  }
  counter->Increment();
}

}  // namespace switchyard::connector
