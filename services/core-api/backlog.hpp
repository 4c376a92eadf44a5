// How much accepted work is waiting, and whether more may be accepted.
//
// Measured in the store once a second, because other processes add to it and work it off too; what this
// process accepts in between is added. Safe to use from any thread.
#pragma once

#include <atomic>

#include "base/task_group.hpp"
#include "store/store.hpp"
#include "telemetry/metrics.hpp"

namespace switchyard::core {

class Backlog {
 public:
  Backlog(store::Store& store, telemetry::Metrics& metrics, std::int64_t most);

  bool has_room() const { return measured_ + accepted_since_ < most_; }
  void add_one() { ++accepted_since_; }

  std::int64_t size() const { return measured_ + accepted_since_; }
  std::int64_t most() const { return most_; }

  Task<Result<void>> measure();

 private:
  store::Store& store_;
  prometheus::Gauge& gauge_;
  const std::int64_t most_;
  std::atomic<std::int64_t> measured_{0};
  std::atomic<std::int64_t> accepted_since_{0};
};

}  // namespace switchyard::core
