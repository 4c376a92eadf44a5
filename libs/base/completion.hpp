// The end of an operation that a coroutine on an io thread waits for and another thread carries out.
//
// Type-erased by hand: asio's any_completion_handler of Boost 1.81 cannot be kept in a vector.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/post.hpp>

#include "base/task.hpp"

namespace switchyard {

class Completion {
 public:
  explicit Completion(asio::io_context& home) : home_(home) {}
  virtual ~Completion() = default;
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;

  // Lets the coroutine go on. On the thread of home().
  virtual void complete() = 0;

  asio::io_context& home() const { return home_; }

 private:
  asio::io_context& home_;
};

// The io thread of the coroutine whose completion handler this is.
template <class Handler>
asio::io_context& home_of(const Handler& handler) {
  return asio::get_associated_executor(handler).context();
}

// Completes it on its own thread.
template <class Operation>
void complete_at_home(std::unique_ptr<Operation> operation) {
  auto& home = operation->home();
  asio::post(home, [done = std::move(operation)] { done->complete(); });
}

// Completes each on its own thread, with one post per thread and not one per operation.
template <class Operation>
void complete_all(std::vector<std::unique_ptr<Operation>> operations) {
  while (!operations.empty()) {
    auto& home = operations.back()->home();
    const auto others_end =
        std::partition(operations.begin(), operations.end(),
                       [&home](const auto& operation) { return &operation->home() != &home; });
    std::vector<std::unique_ptr<Operation>> at_home(std::make_move_iterator(others_end),
                                                    std::make_move_iterator(operations.end()));
    operations.erase(others_end, operations.end());
    asio::post(home, [completed = std::move(at_home)] {
      for (const auto& operation : completed) operation->complete();
    });
  }
}

}  // namespace switchyard
