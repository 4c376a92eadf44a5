// What a lane carries out for a coroutine that waits.
#pragma once

#include <memory>
#include <utility>

#include "base/completion.hpp"
#include "base/error.hpp"
#include "base/task.hpp"
#include "sqlite/database.hpp"

namespace switchyard::sqlite {

class Command : public Completion {
 public:
  using Completion::Completion;

  // On the lane's thread, perhaps more than once: a group that failed is tried again one by one.
  virtual void execute(Database& database) = 0;
  virtual void fail(const Error& error) = 0;
};

template <class T, class Work, class Handler>
class TypedCommand final : public Command {
 public:
  TypedCommand(Work work, Handler handler)
      : Command(home_of(handler)), work_(std::move(work)), handler_(std::move(handler)) {}

  void execute(Database& database) override { result_ = work_(database); }
  void fail(const Error& error) override { result_ = std::unexpected(error); }
  void complete() override { std::move(handler_)(std::move(result_)); }

 private:
  Work work_;
  Handler handler_;
  Result<T> result_ = switchyard::fail(ErrorCode::store_unavailable, "not executed");
};

// Waits for what `work`, a callable Result<T>(Database&), came to. `submit` is called at once with the
// command for the lane.
template <class T, class Submit, class Work>
Task<Result<T>> run_command(Submit submit, Work work) {
  return asio::async_initiate<const asio::use_awaitable_t<Executor>, void(Result<T>)>(
      [submit = std::move(submit)](auto handler, Work moved) {
        submit(
            std::make_unique<TypedCommand<T, Work, decltype(handler)>>(std::move(moved), std::move(handler)));
      },
      use_task, std::move(work));
}

// Completes a command that a lane has no room for.
void refuse(std::unique_ptr<Command> command, const char* why);

}  // namespace switchyard::sqlite
