#include "base/task_group.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "base/io_threads.hpp"
#include "base/testing.hpp"

namespace switchyard {
namespace {

using std::chrono::steady_clock;
using switchyard::testing::eventually;

constexpr auto never = steady_clock::time_point::max();
// Long enough that only a failure reaches it.
steady_clock::time_point much_later() {
  return steady_clock::now() + std::chrono::seconds(30);
}
steady_clock::time_point soon() {
  return steady_clock::now() + std::chrono::milliseconds(5);
}

class EventTest : public ::testing::Test {
 protected:
  IoThreads threads_{1};
  Event event_{threads_.executor(0)};
};

TEST_F(EventTest, SetBeforeTheWaitEndsItAtOnce) {
  threads_.run(0, [this]() -> Task<void> {
    event_.set();
    EXPECT_TRUE(co_await event_.wait_until(never));
  });
}

TEST_F(EventTest, IsResetByTheWaitThatSawIt) {
  threads_.run(0, [this]() -> Task<void> {
    event_.set();
    event_.set();
    EXPECT_TRUE(co_await event_.wait_until(never));
    EXPECT_FALSE(co_await event_.wait_until(soon()));
  });
}

TEST_F(EventTest, WakesTheOneThatWaits) {
  auto waited = asio::co_spawn(threads_.executor(0), event_.wait_until(never), asio::use_future);
  asio::post(threads_.executor(0), [this] { event_.set(); });
  EXPECT_TRUE(waited.get());
}

TEST_F(EventTest, SaysThatTheDeadlineCame) {
  EXPECT_FALSE(threads_.run(0, [this] { return event_.wait_until(soon()); }));
  EXPECT_FALSE(threads_.run(0, [this] { return event_.wait_until(steady_clock::now()); }));
}

TEST_F(EventTest, SetAfterAMissedDeadlineIsNotLost) {
  threads_.run(0, [this]() -> Task<void> {
    EXPECT_FALSE(co_await event_.wait_until(soon()));
    event_.set();
    EXPECT_TRUE(co_await event_.wait_until(never));
  });
}

TEST(EventDeathTest, HasOneWaiter) {
  // Threads cannot be started in the fork of a process that has some.
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        IoThreads threads(1);
        Event event(threads.executor(0));
        auto first = asio::co_spawn(threads.executor(0), event.wait_until(never), asio::use_future);
        asio::co_spawn(threads.executor(0), event.wait_until(never), asio::use_future).get();
      },
      "invariant broken");
}

// A group whose tasks wait for their cancellation or for release().
class TaskGroupTest : public ::testing::Test {
 protected:
  ~TaskGroupTest() override {
    release();
    threads_.run(0, [this] { return group_->join_until(never); });
    threads_.run(0, [this]() -> Task<void> {
      group_.reset();
      releases_.clear();
      co_return;
    });
  }

  // On the io thread.
  bool spawn_waiting() {
    auto& release = releases_.emplace_back(threads_.executor(0));
    return group_->spawn([this, &release]() -> Task<void> {
      ++started_;
      co_await release.wait_until(never);
      ++ended_;
    });
  }

  void release() {
    threads_.run(0, [this]() -> Task<void> {
      for (auto& release : releases_) release.set();
      co_return;
    });
  }

  IoThreads threads_{1};
  std::optional<TaskGroup> group_{std::in_place, threads_.executor(0)};
  std::list<Event> releases_;
  std::atomic<int> started_ = 0;
  std::atomic<int> ended_ = 0;
};

TEST_F(TaskGroupTest, RunsWhatItIsGiven) {
  threads_.run(0, [this]() -> Task<void> {
    EXPECT_TRUE(spawn_waiting());
    EXPECT_TRUE(spawn_waiting());
    EXPECT_EQ(group_->size(), 2U);
    co_return;
  });
  EXPECT_TRUE(eventually([this] { return started_ == 2; }));
  EXPECT_EQ(ended_, 0);
  release();
  EXPECT_TRUE(eventually([this] { return ended_ == 2; }));
}

TEST_F(TaskGroupTest, RefusesNewTasksOnceClosed) {
  threads_.run(0, [this]() -> Task<void> {
    group_->close();
    EXPECT_FALSE(spawn_waiting());
    EXPECT_EQ(group_->size(), 0U);
    EXPECT_TRUE(co_await group_->join_until(never));
  });
  EXPECT_EQ(started_, 0);
}

TEST_F(TaskGroupTest, ClosesWhenItIsJoined) {
  threads_.run(0, [this]() -> Task<void> {
    EXPECT_TRUE(co_await group_->join_until(never));
    EXPECT_FALSE(spawn_waiting());
  });
}

TEST_F(TaskGroupTest, CancelEndsWhatWaits) {
  threads_.run(0, [this]() -> Task<void> {
    for (int i = 0; i < 3; ++i) spawn_waiting();
    co_await asio::post(threads_.executor(0), use_task);
    EXPECT_EQ(started_, 3);
    group_->cancel();
    EXPECT_TRUE(co_await group_->join_until(much_later()));
  });
  EXPECT_EQ(ended_, 3);
}

TEST_F(TaskGroupTest, JoinGivesUpAtItsDeadlineAndCanBeRepeated) {
  threads_.run(0, [this]() -> Task<void> {
    spawn_waiting();
    EXPECT_FALSE(co_await group_->join_until(soon()));
    EXPECT_EQ(group_->size(), 1U);
    for (auto& release : releases_) release.set();
    EXPECT_TRUE(co_await group_->join_until(much_later()));
    EXPECT_EQ(group_->size(), 0U);
  });
  EXPECT_EQ(ended_, 1);
}

TEST_F(TaskGroupTest, JoinWaitsForTheLastTask) {
  threads_.run(0, [this]() -> Task<void> {
    for (int i = 0; i < 3; ++i) spawn_waiting();
    group_->spawn([this]() -> Task<void> {
      for (auto& release : releases_) {
        release.set();
        co_await asio::post(threads_.executor(0), use_task);
      }
    });
    EXPECT_TRUE(co_await group_->join_until(much_later()));
    EXPECT_EQ(ended_, 3);
  });
}

TEST_F(TaskGroupTest, CanBeEmptyInBetween) {
  threads_.run(0, [this]() -> Task<void> {
    // Each time the group becomes empty; a join must not take that for its own end.
    for (int i = 0; i < 3; ++i) {
      spawn_waiting();
      releases_.back().set();
      while (group_->size() > 0) co_await asio::post(threads_.executor(0), use_task);
    }
    spawn_waiting();
    EXPECT_FALSE(co_await group_->join_until(soon()));
  });
}

TEST(TaskGroupDeathTest, IsNotDestroyedWithRunningTasks) {
  EXPECT_DEATH(
      {
        asio::io_context context;
        TaskGroup group(context.get_executor());
        group.spawn([]() -> Task<void> { co_return; });
      },
      "invariant broken");
}

}  // namespace
}  // namespace switchyard
