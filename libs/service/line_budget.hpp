// How many lines of one kind the log may have: what is too much is counted, and said with the next line and
// at the end. Safe to use from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

#include "base/token_bucket.hpp"
#include "telemetry/log.hpp"

namespace switchyard::service {

class LineBudget {
 public:
  using Instant = std::chrono::steady_clock::time_point;

  static constexpr int lines_at_once_max = 100;
  static constexpr int lines_per_second_max = 10;

  // `what` stands in "17 <what> are not in the log: there were too many". The log outlives it.
  LineBudget(Log& log, std::string what);
  ~LineBudget();
  LineBudget(const LineBudget&) = delete;
  LineBudget& operator=(const LineBudget&) = delete;

  // Whether a line may be written. Says before it what was left out.
  bool take(Instant now);

 private:
  void say_left_out(std::uint64_t count);

  Log& log_;
  const std::string what_;
  std::mutex mutex_;
  TokenBucket lines_;
  std::uint64_t left_out_ = 0;
};

}  // namespace switchyard::service
