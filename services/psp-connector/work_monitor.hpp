// What the connector last managed to do, for health and metrics: the work itself, not that a thread is there.
//
// Told on the connector's thread, asked from any.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "service/health.hpp"
#include "store/store.hpp"
#include "telemetry/metrics.hpp"

namespace switchyard::connector {

class WorkMonitor {
 public:
  WorkMonitor(telemetry::Metrics& metrics, const Clock& clock);

  // The store was asked for due work, or there was no room for more.
  void looked();
  void look_failed();
  // `queued_patience`: for how long what is queued may be due before that is late, because a queue outside
  // the store hands it out.
  void measured(const store::Workload& workload, std::chrono::milliseconds queued_patience);
  // What the store's clock is ahead of this machine's; 0 if they are near each other.
  void clock_is_off(std::chrono::milliseconds ahead);
  // Of the queue outside the store: what cannot be done, or that it is suspended; empty if nothing.
  void queue_trouble(std::string trouble);
  // A call of the PSP reached it, or provably was not sent.
  void psp_reached(const std::string& psp);
  void psp_not_reached(const std::string& psp, std::string reason);

  // "connector:claims" and "connector:work"; "connector:queue" and "connector:clock" while there is something
  // wrong. If the program
  // `serves` others, whatever is wrong here is a warning: they are served all the same.
  std::vector<service::HealthCheck> checks(bool serves) const;
  // Why PSPs are taken to be out of reach, and since when: several calls in a row were not sent. Empty if
  // none is.
  std::string psp_trouble() const;

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;

  const Clock& clock_;
  prometheus::Gauge& last_claim_at_;
  prometheus::Counter& failed_claims_;
  prometheus::Gauge& oldest_due_age_;
  prometheus::Gauge& in_review_;
  mutable std::mutex mutex_;
  SteadyTime last_look_ = std::chrono::steady_clock::now();
  bool failing_ = false;
  std::chrono::milliseconds overdue_{0};
  std::chrono::milliseconds clock_ahead_{0};
  std::string queue_trouble_;
  // Calls in a row that were not sent.
  struct NotSent {
    std::int64_t calls = 0;
    Timestamp since;
    std::string reason;
  };
  std::map<std::string, NotSent> not_sent_;
};

}  // namespace switchyard::connector
