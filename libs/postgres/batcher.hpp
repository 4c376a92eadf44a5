// Operations that wait at the same time, worked off as one: while one batch is on its way to the server the
// next one gathers. A lone operation waits for nothing.
//
// run() may be called from any io thread; the coroutine continues there. All else happens on one thread.
#pragma once

#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/completion.hpp"
#include "base/error.hpp"
#include "base/task_group.hpp"

namespace switchyard::postgres {

struct BatcherLimits {
  // Operations that may wait; one more is refused as overloaded.
  std::size_t waiting_max = 8192;
  std::size_t batch_max = 1024;
  std::size_t batches_under_way_max = 1;
};

template <class Input, class Output>
class Batcher {
 public:
  // Gives one result for each input, in their order.
  using Work = std::function<Task<std::vector<Result<Output>>>(std::vector<Input>)>;

  // `work` runs in `tasks`, on the thread of `executor`. Nothing waits any more when the batcher goes.
  Batcher(Executor executor, TaskGroup& tasks, BatcherLimits limits, Work work)
      : executor_(executor), tasks_(tasks), limits_(limits), work_(std::move(work)) {}

  Task<Result<Output>> run(Input input) {
    return asio::async_initiate<const asio::use_awaitable_t<Executor>, void(Result<Output>)>(
        [this](auto handler, Input moved) {
          submit(std::make_unique<HandledOperation<decltype(handler)>>(std::move(moved), std::move(handler)));
        },
        use_task, std::move(input));
  }

 private:
  struct Operation : Completion {
    Operation(asio::io_context& home, Input taken) : Completion(home), input(std::move(taken)) {}
    Input input;
    Result<Output> result = fail(ErrorCode::store_unavailable, "not executed");
  };
  template <class Handler>
  struct HandledOperation final : Operation {
    HandledOperation(Input input, Handler taken)
        : Operation(home_of(taken), std::move(input)), handler(std::move(taken)) {}
    void complete() override { std::move(handler)(std::move(this->result)); }
    Handler handler;
  };
  using Operations = std::vector<std::unique_ptr<Operation>>;

  void submit(std::unique_ptr<Operation> operation) {
    Operations refused;
    bool start = false;
    {
      const std::lock_guard lock(mutex_);
      if (waiting_.size() >= limits_.waiting_max) {
        refused.push_back(std::move(operation));
      } else {
        waiting_.push_back(std::move(operation));
        start = !std::exchange(attended_to_, true);
      }
    }
    if (start) asio::post(executor_, [this] { start_batches(); });
    for (auto& one : refused) {
      one->result = fail(ErrorCode::overloaded, "too many operations are waiting for the store");
    }
    complete_all(std::move(refused));
  }

  Operations take_batch() {
    const std::lock_guard lock(mutex_);
    const auto count = std::min(waiting_.size(), limits_.batch_max);
    const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(count);
    Operations batch(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
    waiting_.erase(waiting_.begin(), end);
    if (batch.empty()) attended_to_ = false;
    return batch;
  }

  void start_batches() {
    while (under_way_ < limits_.batches_under_way_max) {
      auto batch = take_batch();
      if (batch.empty()) return;
      ++under_way_;
      tasks_.spawn([this, batch = std::move(batch)]() mutable { return work_off(std::move(batch)); });
    }
  }

  Task<void> work_off(Operations batch) {
    std::vector<Input> inputs;
    inputs.reserve(batch.size());
    for (auto& operation : batch) inputs.push_back(std::move(operation->input));
    auto results = co_await work_(std::move(inputs));
    SWITCHYARD_ASSERT(results.size() == batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) batch[i]->result = std::move(results[i]);
    complete_all(std::move(batch));
    --under_way_;
    start_batches();
  }

  Executor executor_;
  TaskGroup& tasks_;
  const BatcherLimits limits_;
  const Work work_;
  std::size_t under_way_ = 0;

  std::mutex mutex_;
  Operations waiting_;
  // start_batches() has been posted, or a batch is under way that will call it at its end.
  bool attended_to_ = false;
};

}  // namespace switchyard::postgres
