// The embedded queue: a hint that there is work in the store.
//
// The store is the truth, so a hint carries nothing and may be lost: who waits for it also looks at the store
// now and then. In one process it saves the wait; between processes over one SQLite file nobody gives it.
#pragma once

#include <atomic>
#include <chrono>

#include <boost/asio/post.hpp>

#include "base/event.hpp"

namespace switchyard {

class WakeUp {
 public:
  // `executor`: of the one waiter.
  explicit WakeUp(Executor executor) : executor_(executor), event_(executor) {}

  // From any thread; cheap when a hint is on its way already.
  void notify() {
    if (pending_.exchange(true, std::memory_order_acq_rel)) return;
    asio::post(executor_, [this] {
      pending_.store(false, std::memory_order_release);
      event_.set();
    });
  }

  // On the waiter's thread: until a hint or the deadline.
  Task<void> wait_until(std::chrono::steady_clock::time_point deadline) {
    co_await event_.wait_until(deadline);
  }

 private:
  Executor executor_;
  Event event_;
  std::atomic<bool> pending_{false};
};

}  // namespace switchyard
