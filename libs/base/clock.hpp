// Time as data: milliseconds since the Unix epoch, UTC.
#pragma once

#include <chrono>

namespace switchyard {

using Timestamp = std::chrono::sys_time<std::chrono::milliseconds>;

// Where services get the time from, so that tests can move it. Implementations are safe to call from any
// thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Timestamp now() const = 0;
};

class SystemClock final : public Clock {
 public:
  Timestamp now() const override {
    return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  }
};

}  // namespace switchyard
