// Operations of askers (merchants, say) who take turns: so many at once as may be, and the others wait.
//
// run() may be called from any io thread; the coroutine continues there. All else happens on one thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "base/completion.hpp"
#include "base/error.hpp"
#include "base/task_group.hpp"
#include "base/turn_line.hpp"

namespace switchyard::postgres {

class Turns {
 public:
  struct Limits {
    // Operations that may wait; one more is refused as overloaded.
    TurnLimits waiting;
    // What has waited for longer when its turn comes is refused as overloaded, and not begun.
    std::chrono::milliseconds patience;
  };
  // Whether one more may be under way beside so many, asked on the thread of the executor. Always beside
  // none.
  using MayBegin = std::function<bool(std::size_t under_way)>;

  // Operations run in `tasks`, on the thread of `executor`. Nothing waits any more when this goes.
  Turns(Executor executor, TaskGroup& tasks, Limits limits, MayBegin may_begin)
      : executor_(executor),
        tasks_(tasks),
        patience_(limits.patience),
        may_begin_(std::move(may_begin)),
        line_(limits.waiting) {}

  // `work` is a callable that returns Task<Result<T>>.
  template <class T, class Work>
  Task<Result<T>> run(std::int64_t asker, Work work) {
    return asio::async_initiate<const asio::use_awaitable_t<Executor>, void(Result<T>)>(
        [this, asker](auto handler, Work moved) {
          submit(asker, std::make_unique<HandledOperation<T, Work, decltype(handler)>>(std::move(moved),
                                                                                       std::move(handler)));
        },
        use_task, std::move(work));
  }

 private:
  struct Operation : Completion {
    using Completion::Completion;
    virtual Task<void> execute() = 0;
    virtual void refuse(const char* why) = 0;

    const std::chrono::steady_clock::time_point asked_at = std::chrono::steady_clock::now();
  };
  template <class T, class Work, class Handler>
  struct HandledOperation final : Operation {
    HandledOperation(Work work_in, Handler handler_in)
        : Operation(home_of(handler_in)), work(std::move(work_in)), handler(std::move(handler_in)) {}

    Task<void> execute() override {
      auto done = co_await work();
      result = std::move(done);
    }
    void refuse(const char* why) override { result = fail(ErrorCode::overloaded, why); }
    void complete() override { std::move(handler)(std::move(result)); }

    Work work;
    Handler handler;
    Result<T> result = fail(ErrorCode::store_unavailable, "not executed");
  };

  void submit(std::int64_t asker, std::unique_ptr<Operation> operation);
  void begin_another();
  // One operation after the other, until none waits or fewer may be under way.
  Task<void> work_off();
  // Null if there is none for this one of those under way.
  std::unique_ptr<Operation> next();
  std::unique_ptr<Operation> take();

  Executor executor_;
  TaskGroup& tasks_;
  const std::chrono::milliseconds patience_;
  const MayBegin may_begin_;
  std::size_t under_way_ = 0;

  std::mutex mutex_;
  TurnLine<std::unique_ptr<Operation>> line_;
};

}  // namespace switchyard::postgres
