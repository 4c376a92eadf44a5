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

template <class What>
const What* find_in(const Attempt::Said& said) {
  if (const auto* answer = std::get_if<payment::Answer>(&said)) return std::get_if<What>(answer);
  return std::get_if<What>(&std::get<payment::Found>(said));
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
  settings.policy.customer_max = environment.seconds("CUSTOMER_TIMEOUT_SECONDS", 3'600, 1, 518'400);
  settings.policy.look_ups_max = static_cast<std::int32_t>(environment.integer("LOOK_UPS_MAX", 12, 1, 1'000));
  settings.amount_max = service::read_amount_max(environment);
  settings.in_flight_max = static_cast<std::size_t>(environment.integer("MAX_IN_FLIGHT", 2'048, 1, 100'000));
  return settings;
}

Connector::Connector(const Settings& settings, Executor executor, store::Store& store, Psps& psps,
                     WakeUp& wake_up, telemetry::Metrics& metrics, Log& log, const Clock& clock)
    : settings_(settings),
      store_(store),
      psps_(psps),
      wake_up_(wake_up),
      metrics_(metrics),
      log_(log),
      clock_(clock),
      worker_log_(log),
      psp_metrics_(metrics),
      stale_outcomes_(
          metrics.counter("switchyard_stale_outcomes_total",
                          "Outcomes dropped because another worker had taken the operation over.")),
      set_aside_(metrics.gauge(
          "switchyard_set_aside_transactions",
          "Transactions and events of PSPs met lately that this version cannot read, and left alone.")),
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
  // Not all of the room at once: whether an account has its share is known when its calls have begun.
  const auto limit = std::clamp(room() / 4, std::size_t{1}, claim_max);
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
  psp_metrics_.show(psps_.standings(clock_.now()));
  // While a queue outside the store hands out what is queued, it is given its time.
  monitor_.measured(*workload, takes_queued_at_once() ? milliseconds(0) : settings_.take_over_after);
}

void Connector::take_queued_after(std::optional<milliseconds> wait) {
  queued_wait_ = wait;
  wake_up_.notify();
}

payment::Step Connector::claim(payment::State state, Timestamp now) const {
  auto step = payment::claim(std::move(state), psps_, now, settings_.policy);
  if (step.action == payment::Action::send && step.operation().kind == payment::Kind::authorize) {
    psps_.is_sent(step.operation().psp, now);
  }
  return step;
}

payment::Step Connector::hear(payment::Step step, const Attempt::Said& said, Timestamp now) const {
  auto policy = settings_.policy;
  const auto can = psps_.at(step.operation().psp).capabilities();
  policy.key_held_for = can.key_held_for;
  policy.can_end = can.can_end;
  policy.can_end_unknown = can.can_end_unknown;
  if (const auto* answer = std::get_if<payment::Answer>(&said)) {
    return payment::answered(std::move(step), *answer, psps_, now, policy);
  }
  return payment::found(std::move(step), std::get<payment::Found>(said), psps_, now, policy);
}

// What was said, applied to the transaction as somebody else has made it since. Nothing changes if the claim
// is not the latest any more, or what was said is known already; nor if something would have to be sent.
store::Decided Connector::hear_late(const Attempt& attempt, payment::State state, Timestamp now) const {
  auto caught_up = payment::caught_up(state, attempt.claim);
  if (!caught_up) return tell_if_contradicted(attempt, std::move(state), now, false);
  auto step = std::move(*caught_up);
  for (const auto& said : attempt.said) {
    step = hear(std::move(step), said, now);
    if (step.action != payment::Action::none) continue;
    // By now the first of them may have ended it: the key is not held any more.
    if (&said != &attempt.said.back()) {
      return tell_if_contradicted(attempt, std::move(step.state), now, true);
    }
  }
  const bool is_over = step.action == payment::Action::none;
  return {.step = std::move(step), .is_changed = is_over};
}

// Somebody has ended the operation before: an event, another worker, who has asked a person. That the money
// moved all the same must not get lost.
store::Decided Connector::tell_if_contradicted(const Attempt& attempt, payment::State state, Timestamp now,
                                               bool is_changed) const {
  const auto* succeeded = find_in<payment::Succeeded>(attempt.said.back());
  const auto index = attempt.claim.index;
  if (succeeded == nullptr || index >= state.operations.size()) {
    return {.step = {std::move(state), payment::Action::none, 0}, .is_changed = is_changed};
  }
  const auto& operation = state.operations[index];
  const bool is_sought = operation.phase == payment::Phase::manual_review && !operation.ended_at;
  if (!is_sought && !payment::has_come_to_nothing(operation.phase)) {
    return {.step = {std::move(state), payment::Action::none, index}, .is_changed = is_changed};
  }
  const auto number = operation.number;
  const auto before = state.transaction.version;
  const auto words = fmt::format("{} answered that it succeeded ({}), with {}, when it was over here",
                                 operation.psp, succeeded->psp_reference, succeeded->amount.to_string());
  auto told = payment::give_to_a_person(std::move(state), number, words, now);
  const bool is_told = is_changed || told.transaction.version != before;
  return {.step = {std::move(told), payment::Action::none, index}, .is_changed = is_told};
}

// Once each time that there are more of them.
void Connector::note_set_aside() {
  const auto aside = store_.set_aside();
  const auto before = static_cast<std::size_t>(set_aside_.Value());
  if (aside.count == before) return;
  set_aside_.Set(static_cast<double>(aside.count));
  if (aside.count < before) return;
  log_.error(fmt::format("{} rows of the store cannot be read by this version and are set aside, such as {}",
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
  const bool calls = claimed.action != payment::Action::none;
  const auto psp = claimed.operation().psp;
  if (calls) psps_.call_begins(psp);
  auto attempt = co_await carry_out(std::move(claimed));
  if (calls) psps_.call_ended(psp);
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
  const auto operations = claimed.state.operations.size();
  Attempt attempt{.claim = payment::claim_of(claimed), .operations = operations, .step = std::move(claimed)};
  while (attempt.step.action != payment::Action::none) {
    auto said = co_await call_psp(attempt.step, deadline);
    attempt.step = hear(std::move(attempt.step), said, clock_.now());
    attempt.said.push_back(std::move(said));
  }
  co_return attempt;
}

Task<Attempt::Said> Connector::call_psp(const payment::Step& step, psp::Deadline deadline) {
  const bool is_question = step.action != payment::Action::send;
  auto& psp = psps_.at(step.operation().psp);
  const auto started = steady_clock::now();
  Attempt::Said said = payment::Answer(payment::OutcomeUnknown{});
  try {
    if (step.action == payment::Action::look_up) {
      auto found = co_await psp.look_up(step, clock_.now(), deadline);
      said = std::move(found);
    } else if (step.action == payment::Action::end) {
      auto found = co_await psp.end(step, deadline);
      said = std::move(found);
    } else {
      worker_log_.making(step);
      auto answer = co_await psp.send(step, deadline);
      said = std::move(answer);
    }
  } catch (const std::exception& error) {
    // One answer that an adapter chokes on must not end the process, which would ask for it again and again.
    log_.error(fmt::format("The adapter of {} failed: {}", psp.name(), error.what()));
    payment::OutcomeUnknown unknown{fmt::format("the adapter failed: {}", error.what())};
    if (is_question) {
      said = payment::Found(std::move(unknown));
    } else {
      said = payment::Answer(std::move(unknown));
    }
  }
  const auto* unknown = find_in<payment::OutcomeUnknown>(said);
  if (unknown != nullptr && !unknown->was_called) co_return said;
  psp_metrics_.took(psp.name(), steady_clock::now() - started);
  note_said(step, said);
  note_heard(step, said);
  co_return said;
}

Task<void> Connector::save(Attempt attempt) {
  // Another operation has come to it, which needs the lock.
  if (attempt.step.state.operations.size() > attempt.operations) {
    co_return co_await save_beside_others(std::move(attempt));
  }
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
  store::Decide decide = [this, &attempt, now = clock_.now()](
                             payment::State state) -> std::expected<store::Decided, payment::Refusal> {
    return hear_late(attempt, std::move(state), now);
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
  note_changed(step);
}

void Connector::note_changed(const payment::Step& step) {
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
  const bool is_question = step.action != payment::Action::send;
  std::visit([&](const auto& one) { psp_metrics_.add(step, one); }, said);

  const auto* not_sent = find_in<payment::NotSent>(said);
  // An adapter need not know whether a question without an answer got there.
  const bool says_nothing = is_question && find_in<payment::OutcomeUnknown>(said) != nullptr;
  if (not_sent != nullptr) {
    monitor_.psp_not_reached(step.operation().psp, not_sent->reason);
  } else if (!says_nothing) {
    monitor_.psp_reached(step.operation().psp);
  }
  const auto* answer = std::get_if<payment::Answer>(&said);
  const auto* rejected = answer == nullptr ? nullptr : std::get_if<payment::Rejected>(answer);
  if (rejected != nullptr) note_rejected(step, printable(rejected->reason));
}

void Connector::note_heard(const payment::Step& step, const Attempt::Said& said) {
  const auto what = std::visit([](const auto& one) { return routing::heard_of(one); }, said);
  const auto& name = step.operation().psp;
  const auto state = psps_.heard(name, what, clock_.now());
  if (!state) return;
  if (*state == routing::BreakerState::closed) {
    log_.info(fmt::format("{} answers again: its breaker is closed", name), {{"psp", name}});
  } else {
    log_.warning(fmt::format("{} does not answer: its breaker is open, and new payments pass it by", name),
                 {{"psp", name}});
  }
}

void Connector::note_rejected(const payment::Step& step, std::string_view reason) {
  if (!rejections_.allow()) return;
  const auto& operation = step.operation();
  const auto what = operation.sends > 0 ? "refuses what it is sent" : "cannot be asked for something";
  log_.error(
      operation.psp.empty()
          ? fmt::format("A payment goes to no account: {}", reason)
          : fmt::format(
                "{} {}, which is a fault of ours, of its configuration, or of what the merchant sent: {}",
                operation.psp, what, reason),
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
