// How much accepted work is waiting, and whether more may be accepted.
//
// Measured in the store once a second, or less often where there is much to count, because other processes
// add to it and work it off too; what this process accepts in between is added. Safe to use from any thread.
//
// No merchant can fill it alone: a merchant may have four times as much waiting as there is room left
// (dynamic thresholds, as switches share a buffer: Choudhury and Hahne, 1998). So one alone gets four fifths,
// and there is always room for one who has nothing waiting. Below half of the bound nobody can be at this
// limit, and who waits is not counted.
#pragma once

#include <atomic>
#include <mutex>
#include <unordered_map>

#include "base/task_group.hpp"
#include "store/store.hpp"
#include "telemetry/metrics.hpp"

namespace switchyard::core {

class Backlog {
 public:
  Backlog(store::Store& store, telemetry::Metrics& metrics, std::int64_t most);

  bool has_room() const { return size() < most_; }
  bool has_room_for(MerchantId merchant) const;
  void add_one(MerchantId merchant);

  std::int64_t size() const { return measured_ + accepted_since_; }
  std::int64_t most() const { return most_; }

  Task<Result<void>> measure();

 private:
  bool is_shared() const { return size() > most_ / 2; }

  store::Store& store_;
  prometheus::Gauge& gauge_;
  const std::int64_t most_;
  std::atomic<std::int64_t> measured_{0};
  std::atomic<std::int64_t> accepted_since_{0};
  mutable std::mutex mutex_;
  // Those with the most; kept while the backlog is shared.
  std::unordered_map<std::int64_t, std::int64_t> by_merchant_;
};

}  // namespace switchyard::core
