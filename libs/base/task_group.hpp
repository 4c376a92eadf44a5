// Owns running coroutines: refuses new ones once closed, cancels them, and awaits their end.
//
// Nothing is spawned detached: whoever owns the state a coroutine uses owns a TaskGroup and joins it first.
// Belongs to the thread of its executor.
#pragma once

#include <exception>
#include <list>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>

#include "base/assert.hpp"
#include "base/event.hpp"

namespace switchyard {

class TaskGroup {
 public:
  explicit TaskGroup(Executor executor) : executor_(executor), empty_(executor) {}
  ~TaskGroup() { SWITCHYARD_ASSERT(signals_.empty()); }

  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // Starts `callable`, which returns Task<void>. A task deals with its own failures: an exception that leaves
  // it is a bug and ends the process. False if the group is closed.
  template <class Callable>
  bool spawn(Callable callable) {
    if (closed_) return false;
    const auto signal = signals_.emplace(signals_.end());
    asio::co_spawn(executor_, std::move(callable),
                   asio::bind_cancellation_slot(signal->slot(), [this, signal](std::exception_ptr failure) {
                     if (failure) std::rethrow_exception(failure);
                     signals_.erase(signal);
                     if (signals_.empty()) empty_.set();
                   }));
    return true;
  }

  std::size_t size() const { return signals_.size(); }

  // From here on spawn() refuses.
  void close() { closed_ = true; }

  void cancel() {
    // A task that ends at once takes its signal out of the list.
    for (auto signal = signals_.begin(); signal != signals_.end();) {
      (signal++)->emit(asio::cancellation_type::terminal);
    }
  }

  // Closes the group and waits for all tasks: true if they ended by the deadline.
  Task<bool> join_until(std::chrono::steady_clock::time_point deadline) {
    close();
    while (!signals_.empty()) {
      const bool emptied = co_await empty_.wait_until(deadline);
      if (!emptied && std::chrono::steady_clock::now() >= deadline) break;
    }
    co_return signals_.empty();
  }

 private:
  Executor executor_;
  Event empty_;
  std::list<asio::cancellation_signal> signals_;
  bool closed_ = false;
};

}  // namespace switchyard
