// Lets one line a second through: what fails for every request must not fill the disk with its log.
#pragma once

#include <atomic>
#include <chrono>

namespace switchyard {

// Safe to use from any thread.
class LogThrottle {
 public:
  // True for the first caller of each second.
  bool allow() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    auto last = last_.load(std::memory_order_relaxed);
    if (last != std::chrono::steady_clock::duration::zero() && now - last < std::chrono::seconds(1))
      return false;
    return last_.compare_exchange_strong(last, now, std::memory_order_relaxed);
  }

 private:
  // Zero: nothing was let through yet.
  std::atomic<std::chrono::steady_clock::duration> last_{std::chrono::steady_clock::duration::zero()};
};

}  // namespace switchyard
