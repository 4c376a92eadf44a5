#include "telemetry/log_throttle.hpp"

#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/testing.hpp"

namespace switchyard {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

TEST(LogThrottle, LetsTheFirstLineThroughAndAnotherOneLater) {
  LogThrottle throttle;
  EXPECT_TRUE(throttle.allow());
  EXPECT_TRUE(testing::eventually([&throttle] { return throttle.allow(); }));
}

TEST(LogThrottle, LetsOneLineASecondThroughHoweverManyThreadsAsk) {
  LogThrottle throttle;
  std::atomic<int> allowed = 0;
  const auto began = steady_clock::now();
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        for (int line = 0; line < 10'000; ++line) allowed += throttle.allow() ? 1 : 0;
      });
    }
  }
  const auto most = 1 + (steady_clock::now() - began) / seconds(1);
  EXPECT_GE(allowed, 1);
  EXPECT_LE(allowed, most);
}

}  // namespace
}  // namespace switchyard
