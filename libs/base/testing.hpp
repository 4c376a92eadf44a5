// For unit tests only: a clock that stands still, a folder that goes away, waiting for a condition, many
// operations at once, what was printed.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.hpp"
#include "base/clock.hpp"
#include "base/task_group.hpp"

namespace switchyard::testing {

// Moves only when told to. Safe to use from any thread.
class ManualClock final : public Clock {
 public:
  Timestamp now() const override { return Timestamp(std::chrono::milliseconds(now_ms_)); }
  void advance(std::chrono::milliseconds by) { now_ms_ += by.count(); }

 private:
  std::atomic<std::int64_t> now_ms_{1'700'000'000'000};
};

class TempDir {
 public:
  TempDir() {
    auto pattern = (std::filesystem::temp_directory_path() / "switchyard-test-XXXXXX").string();
    SWITCHYARD_ASSERT(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

// True once `condition` holds; false if it does not for so long that something hangs.
template <class Condition>
bool eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

// Awaits make(0) to make(count - 1), 64 at a time, which a store commits together. For the thread of
// `executor`.
template <class Make>
Task<void> many_at_once(Executor executor, int count, Make make) {
  TaskGroup group(executor);
  int next = 0;
  for (int at_once = 0; at_once < 64; ++at_once) {
    group.spawn([&]() -> Task<void> {
      while (next < count) {
        const int number = next++;
        co_await make(number);
      }
    });
  }
  const bool all = co_await group.join_until(std::chrono::steady_clock::now() + std::chrono::minutes(2));
  SWITCHYARD_ASSERT(all);
}

// Keeps what goes to the file descriptor of standard output while it lives.
class CapturedStdout {
 public:
  CapturedStdout() : file_(::memfd_create("captured-stdout", MFD_CLOEXEC)) {
    std::fflush(stdout);
    original_ = ::dup(STDOUT_FILENO);
    SWITCHYARD_ASSERT(file_ >= 0 && original_ >= 0 && ::dup2(file_, STDOUT_FILENO) >= 0);
  }
  ~CapturedStdout() {
    std::fflush(stdout);
    ::dup2(original_, STDOUT_FILENO);
    // GoogleTest's own words were kept as well.
    if (::testing::Test::HasFailure()) std::fputs(text().c_str(), stdout);
    ::close(original_);
    ::close(file_);
  }
  CapturedStdout(const CapturedStdout&) = delete;
  CapturedStdout& operator=(const CapturedStdout&) = delete;

  // What has arrived there; flushes nothing.
  std::string text() const {
    std::string text(static_cast<std::size_t>(::lseek(file_, 0, SEEK_END)), '\0');
    SWITCHYARD_ASSERT(::pread(file_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
    return text;
  }

 private:
  int file_;
  int original_ = -1;
};

}  // namespace switchyard::testing
