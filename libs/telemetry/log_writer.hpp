// Writes lines to a file descriptor from a thread of its own, so that who logs never waits for who reads.
//
// Lines wait in memory, in order, up to a bound; what comes while it is full is dropped, and so is what the
// descriptor refuses (closed pipe, full disk). Lines dropped are counted, and said in their place as soon as
// something can be written again. Lines are written when somebody calls wake(), when there are many, and at
// the latest after a quarter of a second.
//
// Safe to use from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

namespace switchyard {

class LogWriter {
 public:
  // The line, without its end, that says how many lines were dropped. Called on the writer's thread, which
  // may outlive the LogWriter: it owns what it uses.
  using Notice = std::function<std::string(std::uint64_t dropped)>;

  struct Limits {
    // Twice as much is held while a full queue is being written.
    std::size_t queued_bytes_max = std::size_t{8} * 1024 * 1024;
    // How long the destructor and an abort wait for a descriptor that takes nothing.
    std::chrono::milliseconds end_max{2'000};
  };

  LogWriter(int descriptor, Notice notice, Limits limits);
  // Writes what is queued, for as long as Limits::end_max.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // Queues the line, to which '\n' is added. No system call but a rare wake-up, and no wait.
  void add(std::string_view line);
  // What was added is written now. Does not wait for it.
  void wake();
  // Waits until what was added before is written or dropped; false if that takes longer.
  bool drain(std::chrono::milliseconds at_most);

  // How many lines were dropped since the start.
  std::uint64_t dropped() const;

  // From now on an abort() of this process (a broken invariant, an exception that nobody catches) first
  // writes what is queued. For the one log of a process.
  void write_at_abort();

 private:
  struct State;

  // Shared with the thread: one that hangs in write() is left behind.
  std::shared_ptr<State> state_;
  std::thread thread_;
};

}  // namespace switchyard
