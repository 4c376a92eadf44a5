// A thread with a SQLite connection that writes: the only place where the program waits for a disk.
//
// It groups: it takes all commands that are waiting, runs them in one transaction, syncs once and completes
// them all.
//
// run() may be called from any io thread, which outlives the lane: the coroutine continues there, after the
// commit, perhaps before the lane's own thread has let go of it. A command that reports a failure of its own
// must have written nothing.
//
// Before each group the lane looks whether the file, its log and the log's index are still at their paths,
// and writes nothing while they are not: it would be acknowledged, and found by nobody. It makes no other
// file in their place.
//
// What fails before the commit is rolled back, and each command of the group fails with store_unavailable:
// nothing was done. A commit that fails itself (in its write or its sync) leaves that open: the log may hold
// the group, and whoever recovers the file after a crash may find it. Then each command fails with
// store_outcome_unknown, and the lane takes nothing more until it has recovered (see recover()); what comes
// meanwhile fails with store_unavailable.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "sqlite/command.hpp"

namespace switchyard::sqlite {

class Lane {
 public:
  // `capacity`: commands that may wait; one more is refused as overloaded.
  Lane(std::unique_ptr<Database> database, std::size_t capacity);
  // Finishes what is waiting.
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // `work` is a callable Result<T>(Database&).
  template <class T, class Work>
  Task<Result<T>> run(Work work) {
    return run_command<T>([this](auto command) { submit(std::move(command)); }, std::move(work));
  }

 private:
  using Commands = std::vector<std::unique_ptr<Command>>;

  void submit(std::unique_ptr<Command> command);

  // --- On the lane's thread ---

  void work_off();
  // Empty when the lane stops.
  Commands next_group();
  void execute_group(std::span<std::unique_ptr<Command>> commands);
  void use(std::unique_ptr<Database> database);
  // True if nothing is in doubt any more. Opens the file again, writes the log's bytes once more and commits
  // and syncs: an operating system that failed to write a page may count it as written, so that a later sync
  // of the same page says nothing. The commit takes the place of the one in doubt in the log. Whatever the
  // file then holds is the truth and stays it.
  bool recover();
  void checkpoint_if_due();

  const std::string path_;
  const Durability durability_;
  const FileId file_;
  const std::size_t capacity_;

  // Null while the file cannot be opened again.
  std::unique_ptr<Database> database_;
  // Why the connection cannot be used; empty if it can.
  std::string doubt_;
  std::chrono::steady_clock::time_point recovery_not_before_;
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
