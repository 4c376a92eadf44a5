#include "psp-connector/work_monitor.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "rq/job.hpp"

namespace switchyard::connector {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

// A hundred looks at the store, at least.
constexpr seconds without_a_look_max{10};
// Longer than retries and look-ups make a transaction wait for a free place.
constexpr seconds overdue_max{60};
// As many as one payment makes before it fails.
constexpr std::int64_t not_sent_in_a_row_max = 3;

double to_seconds(milliseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

WorkMonitor::WorkMonitor(telemetry::Metrics& metrics, const Clock& clock)
    : clock_(clock),
      last_claim_at_(
          metrics.gauge("switchyard_last_claim_timestamp_seconds",
                        "When the store was last asked for due transactions and answered; 0: not yet.")),
      failed_claims_(metrics.counter("switchyard_claim_failures_total", "Claims that the store refused.")),
      oldest_due_age_(
          metrics.gauge("switchyard_oldest_due_age_seconds",
                        "How long the transaction that is due longest has been due, beyond what a queue "
                        "outside the store is given.")),
      in_review_(metrics.gauge("switchyard_manual_review_transactions",
                               "Transactions that wait for a person, counted up to 10,000.")) {}

void WorkMonitor::looked() {
  last_claim_at_.Set(to_seconds(clock_.now().time_since_epoch()));
  const std::lock_guard lock(mutex_);
  last_look_ = steady_clock::now();
  failing_ = false;
}

void WorkMonitor::look_failed() {
  failed_claims_.Increment();
  const std::lock_guard lock(mutex_);
  failing_ = true;
}

void WorkMonitor::measured(const store::Workload& workload, milliseconds queued_patience) {
  const auto due_for = [now = clock_.now()](const std::optional<Timestamp>& due) {
    return due ? now - *due : milliseconds(0);
  };
  const auto overdue = std::max(
      {due_for(workload.oldest_started), due_for(workload.oldest_due) - queued_patience, milliseconds(0)});
  oldest_due_age_.Set(to_seconds(overdue));
  in_review_.Set(static_cast<double>(workload.in_review));
  const std::lock_guard lock(mutex_);
  overdue_ = overdue;
}

void WorkMonitor::clock_is_off(milliseconds ahead) {
  const std::lock_guard lock(mutex_);
  clock_ahead_ = ahead;
}

void WorkMonitor::queue_trouble(std::string trouble) {
  const std::lock_guard lock(mutex_);
  queue_trouble_ = std::move(trouble);
}

void WorkMonitor::psp_reached(const std::string& psp) {
  const std::lock_guard lock(mutex_);
  not_sent_.erase(psp);
}

void WorkMonitor::psp_not_reached(const std::string& psp, std::string reason) {
  const std::lock_guard lock(mutex_);
  auto& not_sent = not_sent_[psp];
  if (not_sent.calls++ == 0) not_sent.since = clock_.now();
  not_sent.reason = std::move(reason);
}

std::string WorkMonitor::psp_trouble() const {
  const std::lock_guard lock(mutex_);
  std::string trouble;
  for (const auto& [psp, not_sent] : not_sent_) {
    if (not_sent.calls < not_sent_in_a_row_max) continue;
    if (!trouble.empty()) trouble += "; ";
    trouble += fmt::format("the last {} calls of {} were not sent, since {}: {}", not_sent.calls, psp,
                           rq::format_time(not_sent.since), not_sent.reason);
  }
  return trouble;
}

std::vector<service::HealthCheck> WorkMonitor::checks(bool serves) const {
  const std::lock_guard lock(mutex_);
  const auto silent = steady_clock::now() - last_look_;
  const bool stuck = silent > without_a_look_max;
  std::string claims;
  if (failing_) {
    claims = "due transactions cannot be claimed; see the log";
  } else if (stuck) {
    claims = fmt::format("no due transactions were asked for in {} s",
                         std::chrono::floor<seconds>(silent).count());
  }
  const bool claims_fail = failing_ || stuck;
  const bool late = overdue_ > overdue_max;
  auto work =
      late ? fmt::format("a transaction has been due for {} s", std::chrono::floor<seconds>(overdue_).count())
           : std::string();
  std::vector<service::HealthCheck> checks{
      {"connector:claims", serves || !claims_fail, std::move(claims), claims_fail},
      {"connector:work", true, std::move(work), late},
  };
  if (!queue_trouble_.empty()) checks.push_back({"connector:queue", true, queue_trouble_, true});
  if (clock_ahead_ != milliseconds(0)) {
    auto clock = fmt::format("this machine's clock is {} s {} the store's, which is gone by",
                             std::chrono::floor<seconds>(std::chrono::abs(clock_ahead_)).count(),
                             clock_ahead_ > milliseconds(0) ? "behind" : "ahead of");
    checks.push_back({"connector:clock", true, std::move(clock), true});
  }
  return checks;
}

}  // namespace switchyard::connector
