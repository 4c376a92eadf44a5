// One io_context per thread: what lives on one of them is touched by no other thread.
#pragma once

#include <future>
#include <memory>
#include <thread>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/use_future.hpp>

#include "base/task.hpp"

namespace switchyard {

// Starts its threads on construction and joins them on destruction; by then everything spawned must have
// ended.
class IoThreads {
 public:
  // `name`: what top, perf and debuggers show, at most 15 characters; there as long as the threads are.
  explicit IoThreads(std::size_t count, const char* name = "io");
  ~IoThreads();

  IoThreads(const IoThreads&) = delete;
  IoThreads& operator=(const IoThreads&) = delete;

  std::size_t size() const { return loops_.size(); }
  Executor executor(std::size_t index) const { return loops_[index]->context.get_executor(); }

  // Runs a callable that returns Task<T> on thread `index` and blocks the calling thread (main, never one of
  // these) until it is done; an exception comes out here.
  template <class Callable>
  auto run(std::size_t index, Callable callable) {
    return asio::co_spawn(executor(index), std::move(callable), asio::use_future).get();
  }

 private:
  struct Loop {
    asio::io_context context{1};
    asio::executor_work_guard<Executor> work{context.get_executor()};
    std::thread thread;
  };

  // Addresses are held by executors, so they must not move.
  std::vector<std::unique_ptr<Loop>> loops_;
};

}  // namespace switchyard
