#include "psp-connector/connector.hpp"

#include <algorithm>

#include <fmt/format.h>

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

bool is_soft_decline(const payment::Event& event) {
  const auto* declined = std::get_if<payment::Declined>(&event);
  return declined != nullptr && declined->kind == payment::DeclineKind::soft;
}

// Of the metrics.
std::string_view word_of(const payment::Event& event) {
  if (std::holds_alternative<payment::Approved>(event)) return "approved";
  if (std::holds_alternative<payment::Declined>(event)) {
    return is_soft_decline(event) ? "soft_decline" : "hard_decline";
  }
  if (std::holds_alternative<payment::NotSent>(event)) return "not_sent";
  if (std::holds_alternative<payment::NoSuchCharge>(event)) return "no_such_charge";
  return std::holds_alternative<payment::Contradicted>(event) ? "contradicted" : "unknown";
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
                     queue::WakeUp& wake_up, telemetry::Metrics& metrics, Log& log, const Clock& clock)
    : settings_(settings),
      store_(store),
      psp_(psp),
      wake_up_(wake_up),
      metrics_(metrics),
      log_(log),
      clock_(clock),
      worker_log_(log),
      psp_duration_(metrics.histogram("switchyard_psp_request_duration_seconds",
                                      "Calls of a PSP, by its name.", {{"psp", std::string(psp.name())}})),
      stale_outcomes_(
          metrics.counter("switchyard_stale_outcomes_total",
                          "Outcomes dropped because another worker had taken the transaction over.")),
      set_aside_(metrics.gauge("switchyard_set_aside_transactions",
                               "Transactions met lately that this version cannot read, and left alone.")),
      attempts_(executor),
      watch_(executor),
      watch_stop_(executor),
      monitor_(metrics, clock),
      room_(executor) {}

void Connector::stop() {
  stopping_ = true;
  wake_up_.notify();
  room_.set();
  watch_stop_.set();
}

Task<void> Connector::run() {
  worker_log_.started();
  watch_.spawn([this] { return watch(); });
  while (!stopping_) {
    if (attempts_.size() >= settings_.in_flight_max) {
      monitor_.looked();
      co_await room_.wait_until(steady_clock::now() + poll_interval);
      continue;
    }
    const bool more = co_await claim();
    if (more) continue;
    log_.flush();
    if (!stopping_) co_await wake_up_.wait_until(steady_clock::now() + poll_interval);
  }
  worker_log_.stopping();
  co_await attempts_.join_until(steady_clock::time_point::max());
  co_await watch_.join_until(steady_clock::time_point::max());
  log_.flush();
}

Task<bool> Connector::claim() {
  const auto limit = std::min(claim_max, settings_.in_flight_max - attempts_.size());
  const auto due = taken_over_ ? store::Due::all : settings_.due;
  auto claimed =
      co_await store_.claim_due(std::string(psp_.name()), clock_.now(), limit, settings_.policy, due);
  if (!claimed) {
    monitor_.look_failed();
    log_.error(fmt::format("Due transactions cannot be claimed: {}", claimed.error().detail));
    co_await pause(pause_after_failure);
    co_return false;
  }
  monitor_.looked();
  note_set_aside();
  const bool more = claimed->size() == limit;
  for (auto& transition : *claimed) begin(std::move(transition));
  co_return more;
}

// What cannot be measured the claims fail with, too.
Task<void> Connector::watch() {
  while (!stopping_) {
    const auto workload = co_await store_.measure_workload();
    if (workload) monitor_.measured(*workload);
    if (!stopping_) co_await watch_stop_.wait_until(steady_clock::now() + watch_interval);
  }
}

Task<Result<bool>> Connector::take_over() {
  const auto seen = co_await store_.has_seen_foreign_worker();
  if (!seen) co_return std::unexpected(seen.error());
  const bool before = std::exchange(taken_over_, !*seen);
  if (taken_over_ && !before) {
    log_.warning("Redis stays away: queued payments are taken from the store until it is back");
    wake_up_.notify();
  }
  co_return taken_over_;
}

void Connector::leave() {
  if (std::exchange(taken_over_, false)) log_.info("Redis is back and hands out what is queued");
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

void Connector::begin(payment::Transition claimed) {
  attempts_.spawn([this, claimed = std::move(claimed)]() mutable { return process(std::move(claimed)); });
}

std::size_t Connector::room() const {
  return settings_.in_flight_max - std::min(settings_.in_flight_max, attempts_.size());
}

void Connector::observe(std::function<void(const payment::Transaction&)> on_saved,
                        std::function<void()> on_room) {
  on_saved_ = std::move(on_saved);
  on_room_ = std::move(on_room);
}

Task<Result<std::vector<TakenJob>>> Connector::take(std::vector<payment::Transaction> jobs) {
  auto claimed = co_await store_.claim_jobs(std::string(psp_.name()), std::move(jobs), clock_.now(),
                                            settings_.policy, settings_.amount_max);
  if (!claimed) co_return std::unexpected(std::move(claimed.error()));
  std::vector<TakenJob> taken;
  taken.reserve(claimed->size());
  for (auto& [transition, refusal] : *claimed) {
    const bool is_ours = transition.action != payment::Action::none;
    taken.push_back({is_ours, transition.state.transaction, std::move(refusal)});
    if (taken.back().is_ours) begin(std::move(transition));
  }
  co_return taken;
}

Task<void> Connector::pause(milliseconds duration) {
  const auto until = steady_clock::now() + duration;
  while (!stopping_ && steady_clock::now() < until) co_await wake_up_.wait_until(until);
}

Task<void> Connector::process(payment::Transition claimed) {
  worker_log_.job_started(claimed.state.transaction);
  auto result = co_await carry_out(std::move(claimed));
  const auto saved = co_await store_.save_outcome(result.state);
  if (saved) {
    worker_log_.job_ended(result.state.transaction);
    count(result.state.transaction);
    if (on_saved_) on_saved_(result.state.transaction);
  } else if (saved.error().code == ErrorCode::stale_epoch) {
    stale_outcomes_.Increment();
  } else {
    // The lease runs out, and whoever claims the transaction then asks the PSP what came of it.
    log_.error(fmt::format("An outcome cannot be saved: {}", saved.error().detail),
               {{"transaction_id", result.state.transaction.id.value.to_string()}});
  }
  if (attempts_.size() >= settings_.in_flight_max) room_.set();
  if (on_room_) on_room_();
}

Task<payment::Transition> Connector::carry_out(payment::Transition transition) {
  // One for all calls of this claim, so that they end before its lease does.
  const auto deadline = steady_clock::now() + settings_.psp_timeout;
  while (transition.action != payment::Action::none) {
    const auto event = co_await call_psp(transition.action, transition.state, deadline);
    transition = payment::apply(std::move(transition.state), event, clock_.now(), settings_.policy);
  }
  co_return transition;
}

Task<payment::Event> Connector::call_psp(payment::Action action, const payment::State& state,
                                         psp::Deadline deadline) {
  const auto& transaction = state.transaction;
  const auto started = steady_clock::now();
  psp::AuthorizeRequest request{.reference = transaction.id.value.to_string(),
                                .idempotency_key = state.attempt->idempotency_key,
                                .amount = transaction.amount,
                                .capture_method = transaction.capture_method};
  const auto widen = [](auto outcome) { return payment::Event(std::move(outcome)); };

  payment::Event event;
  try {
    if (action == payment::Action::look_up) {
      auto found = co_await psp_.look_up(std::move(request), deadline);
      event = std::visit(widen, std::move(found));
    } else {
      worker_log_.making_transaction(transaction);
      auto outcome = co_await psp_.authorize(std::move(request), deadline);
      event = std::visit(widen, std::move(outcome));
    }
  } catch (const std::exception& error) {
    // One answer that an adapter chokes on must not end the process, which would ask for it again and again.
    log_.error(fmt::format("The adapter of {} failed: {}", psp_.name(), error.what()));
    event = payment::OutcomeUnknown{fmt::format("the adapter failed: {}", error.what())};
  }
  psp_duration_.Observe(std::chrono::duration<double>(steady_clock::now() - started).count());
  count_call(action, event);
  tell_monitor(action, event);
  co_return event;
}

void Connector::tell_monitor(payment::Action action, const payment::Event& event) {
  // An adapter need not know whether a question without an answer got there.
  const bool says_nothing =
      action == payment::Action::look_up && std::holds_alternative<payment::OutcomeUnknown>(event);
  const auto* not_sent = std::get_if<payment::NotSent>(&event);
  if (not_sent != nullptr) {
    monitor_.psp_not_reached(not_sent->reason);
  } else if (!says_nothing) {
    monitor_.psp_reached();
  }
}

void Connector::count_call(payment::Action action, const payment::Event& event) {
  const auto call = static_cast<std::size_t>(action);
  auto& counter = call_counters_[call][event.index()][is_soft_decline(event) ? 1 : 0];
  if (counter == nullptr) {
    counter =
        &metrics_.counter("switchyard_psp_calls_total", "Calls of a PSP, by its name and what came of them.",
                          {{"psp", std::string(psp_.name())},
                           {"call", action == payment::Action::look_up ? "look_up" : "authorize"},
                           {"result", std::string(word_of(event))}});
  }
  counter->Increment();
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
