// A thread with a SQLite connection that reads: each command sees one snapshot and completes by itself.
//
// Commands wait in queues, one for each asker (a merchant, say), and askers take turns: whoever asks much
// waits for themselves. run() may be called from any io thread, which outlives the lane; the coroutine
// continues there. A command that fails (store_unavailable) changes nothing.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "sqlite/command.hpp"

namespace switchyard::sqlite {

class ReadLane {
 public:
  // Commands that may wait; one more is refused as overloaded.
  struct Limits {
    std::size_t of_one_asker;
    std::size_t in_all;
  };

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
  using Queue = std::deque<std::unique_ptr<Command>>;

  void submit(std::int64_t asker, std::unique_ptr<Command> command);
  void work_off();
  // Null when the lane stops.
  std::unique_ptr<Command> next();
  void execute(Command& command);

  const std::unique_ptr<Database> database_;
  const Limits limits_;

  std::mutex mutex_;
  std::condition_variable wake_;
  // Only askers with something waiting have a queue, and each stands once in the line.
  std::unordered_map<std::int64_t, Queue> queues_;
  std::deque<std::int64_t> line_;
  std::size_t waiting_ = 0;
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace switchyard::sqlite
