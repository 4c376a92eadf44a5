// A thread with a SQLite connection that works off commands: the only place where the program waits for a
// disk.
//
// A writing lane groups: it takes all commands that are waiting, runs them in one transaction, syncs once and
// completes them all. A reading lane gives each command a snapshot of its own.
//
// run() may be called from any io thread, which outlives the lane: the coroutine continues there, after the
// commit, perhaps before the lane's own thread has let go of it. A command that reports a failure of its own
// must have written nothing. If the database fails, the whole group is rolled back and each command fails
// with store_unavailable; nothing of it is acknowledged.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

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

class Lane {
 public:
  enum class Mode { read, write };

  // `capacity`: commands that may wait; one more is refused as overloaded.
  Lane(std::unique_ptr<Database> database, Mode mode, std::size_t capacity);
  // Finishes what is waiting.
  ~Lane();

  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // `work` is a callable Result<T>(Database&).
  template <class T, class Work>
  Task<Result<T>> run(Work work) {
    return asio::async_initiate<const asio::use_awaitable_t<Executor>, void(Result<T>)>(
        [this](auto handler, Work moved) {
          submit(std::make_unique<TypedCommand<T, Work, decltype(handler)>>(std::move(moved),
                                                                            std::move(handler)));
        },
        use_task, std::move(work));
  }

 private:
  using Commands = std::vector<std::unique_ptr<Command>>;

  void submit(std::unique_ptr<Command> command);
  void work_off();
  void execute_group(std::span<std::unique_ptr<Command>> commands);
  void execute_in_transaction(std::span<std::unique_ptr<Command>> commands);
  void checkpoint_if_due();

  std::unique_ptr<Database> database_;
  const Mode mode_;
  const std::size_t capacity_;
  // Frames in the write-ahead log after the last commit, as SQLite's hook reported them.
  int wal_frames_ = 0;

  std::mutex mutex_;
  std::condition_variable wake_;
  Commands waiting_;
  bool idle_ = false;
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace switchyard::sqlite
