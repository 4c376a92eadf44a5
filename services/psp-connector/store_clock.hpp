// The time that all workers over one store go by: this machine's, unless the store's own clock says that it
// is far from it.
//
// Leases and retries are times. A worker whose clock is hours off takes running leases for ended ones, or for
// what a wrong clock put off, and claims them again and again, and the others its: no answer would ever
// count. Which of the two clocks is right does not matter, as long as all go by one.
#pragma once

#include <atomic>

#include "base/clock.hpp"
#include "store/store.hpp"

namespace switchyard::connector {

class StoreClock final : public Clock {
 public:
  // Two workers that are both nearer to the store than this are within clock_skew_max of each other.
  static constexpr std::chrono::milliseconds difference_max = store::clock_skew_max / 2;

  explicit StoreClock(const Clock& own) : own_(own) {}

  // From any thread.
  Timestamp now() const override { return own_.now() + ahead(); }
  // What the store's clock is ahead of this machine's, or behind it (less than 0); 0 if they are near each
  // other. From any thread.
  std::chrono::milliseconds ahead() const { return std::chrono::milliseconds(ahead_ms_); }

  // `store_now`: what the store's clock said a moment ago.
  void compare(Timestamp store_now) {
    const auto difference = store_now - own_.now();
    ahead_ms_ = std::chrono::abs(difference) > difference_max ? difference.count() : 0;
  }

 private:
  const Clock& own_;
  std::atomic<std::int64_t> ahead_ms_ = 0;
};

}  // namespace switchyard::connector
