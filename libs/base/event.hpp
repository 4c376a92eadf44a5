// A condition a coroutine can wait for with a deadline.
#pragma once

#include <chrono>

#include <boost/asio/basic_waitable_timer.hpp>

#include "base/assert.hpp"
#include "base/task.hpp"

namespace switchyard {

using SteadyTimer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                               asio::wait_traits<std::chrono::steady_clock>, Executor>;

// Level-triggered for one waiter at a time, which is asserted: a set() before the wait makes the wait return
// at once. Belongs to the thread of its executor.
class Event {
 public:
  explicit Event(Executor executor) : timer_(executor) {}

  void set() {
    set_ = true;
    timer_.cancel();
  }

  // Returns true and resets the event if it was set, false at the deadline or when cancelled.
  Task<bool> wait_until(std::chrono::steady_clock::time_point deadline) {
    if (!set_) {
      const auto others_that_wait = timer_.expires_at(deadline);
      SWITCHYARD_ASSERT(others_that_wait == 0);
      co_await timer_.async_wait(use_tuple);
    }
    co_return std::exchange(set_, false);
  }

 private:
  SteadyTimer timer_;
  bool set_ = false;
};

}  // namespace switchyard
