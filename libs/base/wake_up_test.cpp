#include "base/wake_up.hpp"

#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/io_threads.hpp"

namespace switchyard {
namespace {

using std::chrono::steady_clock;

class WakeUpTest : public ::testing::Test {
 protected:
  // Long enough that only a lost hint reaches it.
  static constexpr std::chrono::seconds patience{30};

  // On the waiter's thread: whether a hint came.
  Task<bool> is_woken() {
    const auto deadline = steady_clock::now() + patience;
    co_await wake_up_.wait_until(deadline);
    co_return steady_clock::now() < deadline;
  }

  IoThreads threads_{1};
  WakeUp wake_up_{threads_.executor(0)};
};

TEST_F(WakeUpTest, WakesTheOneThatWaits) {
  auto woken = asio::co_spawn(threads_.executor(0), is_woken(), asio::use_future);
  wake_up_.notify();
  EXPECT_TRUE(woken.get());
}

TEST_F(WakeUpTest, KeepsAHintForTheNextWait) {
  wake_up_.notify();
  EXPECT_TRUE(threads_.run(0, [this] { return is_woken(); }));
}

TEST_F(WakeUpTest, CanBeGivenOnTheWaitersOwnThread) {
  EXPECT_TRUE(threads_.run(0, [this]() -> Task<bool> {
    wake_up_.notify();
    co_return co_await is_woken();
  }));
}

TEST_F(WakeUpTest, MakesOneHintOfMany) {
  threads_.run(0, [this]() -> Task<void> {
    for (int i = 0; i < 100; ++i) wake_up_.notify();
    EXPECT_TRUE(co_await is_woken());
    const auto soon = steady_clock::now() + std::chrono::milliseconds(5);
    co_await wake_up_.wait_until(soon);
    EXPECT_GE(steady_clock::now(), soon) << "a second hint that nobody gave";
  });
}

TEST_F(WakeUpTest, WaitsNoLongerThanItsDeadline) {
  const auto soon = steady_clock::now() + std::chrono::milliseconds(5);
  threads_.run(0, [this, soon] { return wake_up_.wait_until(soon); });
  EXPECT_GE(steady_clock::now(), soon);
}

TEST_F(WakeUpTest, LosesNoHintThatComesAfterTheLook) {
  constexpr int work_per_thread = 2'000;
  std::atomic<int> work = 0;
  std::vector<std::jthread> producers;
  for (int i = 0; i < 3; ++i) {
    producers.emplace_back([this, &work] {
      for (int made = 0; made < work_per_thread; ++made) {
        ++work;
        wake_up_.notify();
      }
    });
  }
  threads_.run(0, [&]() -> Task<void> {
    for (int seen = 0; seen < 3 * work_per_thread;) {
      if (work > seen) {
        seen = work;
      } else if (!co_await is_woken()) {
        ADD_FAILURE() << "work was made and no hint came";
        co_return;
      }
    }
  });
}

}  // namespace
}  // namespace switchyard
