// A thread with a SQLite connection that reads: each command sees one snapshot and completes by itself.
//
// Commands wait in queues, one for each asker (a merchant, say), and askers take turns: whoever asks much
// waits for themselves. run() may be called from any io thread, which outlives the lane; the coroutine
// continues there. A command that fails (store_unavailable) changes nothing.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>

#include "base/turn_line.hpp"
#include "sqlite/command.hpp"

namespace switchyard::sqlite {

class ReadLane {
 public:
  // Commands that may wait; one more is refused as overloaded.
  using Limits = TurnLimits;

  ReadLane(std::unique_ptr<Database> database, Limits limits);
  // Finishes what is waiting.
  ~ReadLane();
  ReadLane(const ReadLane&) = delete;
  ReadLane& operator=(const ReadLane&) = delete;

  // `work` is a callable Result<T>(Database&).
  template <class T, class Work>
  Task<Result<T>> run(std::int64_t asker, Work work) {
    return run_command<T>([this, asker](auto command) { submit(asker, std::move(command)); },
                          std::move(work));
  }

 private:
  void submit(std::int64_t asker, std::unique_ptr<Command> command);
  void work_off();
  // Null when the lane stops.
  std::unique_ptr<Command> next();
  void execute(Command& command);

  const std::unique_ptr<Database> database_;

  std::mutex mutex_;
  std::condition_variable wake_;
  TurnLine<std::unique_ptr<Command>> line_;
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace switchyard::sqlite
