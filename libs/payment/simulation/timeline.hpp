// For simulation_test.cpp: chance from one seed, and the clock with what happens next.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <utility>

#include <gtest/gtest.h>

#include "base/clock.hpp"
#include "base/id.hpp"

namespace switchyard::payment::simulation {

using std::chrono::milliseconds;

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  bool happens(int in_a_thousand) { return between(1, 1'000) <= in_a_thousand; }
  // The same on every standard library, so that a seed is one simulation everywhere. The bias of a remainder
  // does not matter here.
  std::int64_t between(std::int64_t least, std::int64_t most) {
    return least + static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(most - least + 1));
  }
  milliseconds time_between(milliseconds least, milliseconds most) {
    return milliseconds(between(least.count(), most.count()));
  }
  Uuid uuid() {
    Uuid uuid;
    for (auto& byte : uuid.bytes) byte = static_cast<std::uint8_t>(between(0, 255));
    return uuid;
  }

 private:
  std::mt19937_64 engine_;
};

class Timeline {
 public:
  static constexpr Timestamp began{milliseconds(1'700'000'000'000)};

  Timestamp now() const { return now_; }

  // The simulation does not end before it has happened.
  void after(milliseconds delay, std::function<void()> what) {
    ++awaited_;
    events_.emplace(now_ + delay, Event{std::move(what), true});
  }
  // What goes on whether there is anything to do or not.
  void in_the_background(milliseconds delay, std::function<void()> what) {
    events_.emplace(now_ + delay, Event{std::move(what), false});
  }
  bool is_quiet() const { return awaited_ == 0; }

  void run() {
    while (!events_.empty() && !::testing::Test::HasFailure()) {
      auto event = events_.extract(events_.begin());
      now_ = event.key();
      ASSERT_LT(now_, began + std::chrono::days(3)) << "the simulation does not come to an end";
      if (event.mapped().is_awaited) --awaited_;
      event.mapped().what();
    }
  }

 private:
  struct Event {
    std::function<void()> what;
    bool is_awaited;
  };

  Timestamp now_ = began;
  // In the order of insertion for the same time.
  std::multimap<Timestamp, Event> events_;
  std::int64_t awaited_ = 0;
};

}  // namespace switchyard::payment::simulation
