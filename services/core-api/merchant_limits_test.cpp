#include "core-api/merchant_limits.hpp"

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include <boost/asio/detached.hpp>
#include <gmock/gmock.h>

#include "base/io_threads.hpp"
#include "base/task_group.hpp"
#include "base/testing.hpp"

namespace switchyard::core {
namespace {

using std::chrono::milliseconds;
using switchyard::testing::eventually;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Refusal = MerchantLimits::Refusal;

constexpr MerchantId alice{1};
constexpr MerchantId becky{2};
// In the same shard as alice.
constexpr MerchantId carol{65};
constexpr MerchantLimits::Clock::time_point start{std::chrono::hours(1)};

// How many of `tries` requests, one after the other, are let in.
int let_in(MerchantLimits& limits, MerchantId merchant, MerchantLimits::Clock::time_point now, int tries) {
  int count = 0;
  for (int i = 0; i < tries; ++i) {
    const auto turn = limits.enter(merchant, now);
    count += turn && limits.take_one(merchant, now) ? 1 : 0;
  }
  return count;
}

TEST(MerchantLimits, LetsThroughSoManyASecond) {
  MerchantLimits limits({.per_second_max = 10, .at_once_max = 100});
  EXPECT_EQ(let_in(limits, alice, start, 20), 10) << "a second's worth at once";
  EXPECT_EQ(limits.take_one(alice, start).error(), Refusal::too_fast);
  EXPECT_TRUE(limits.enter(alice, start)) << "to look whether it is a replay";
  EXPECT_EQ(let_in(limits, alice, start + milliseconds(50), 1), 0);
  EXPECT_EQ(let_in(limits, alice, start + milliseconds(310), 20), 3);
  EXPECT_EQ(let_in(limits, alice, start + milliseconds(60'000), 20), 10) << "no more is saved up";
}

TEST(MerchantLimits, AreOfEachMerchantAlone) {
  MerchantLimits limits({.per_second_max = 10, .at_once_max = 100});
  EXPECT_EQ(let_in(limits, alice, start, 1000), 10);
  EXPECT_EQ(let_in(limits, becky, start, 20), 10);
  EXPECT_EQ(let_in(limits, carol, start, 20), 10);
}

TEST(MerchantLimits, AClockThatSeemsToGoBackChangesNothing) {
  MerchantLimits limits({.per_second_max = 10, .at_once_max = 100});
  EXPECT_EQ(let_in(limits, alice, start, 20), 10);
  EXPECT_EQ(let_in(limits, alice, start - milliseconds(500), 20), 0);
  EXPECT_EQ(let_in(limits, alice, start + milliseconds(110), 20), 1);
}

TEST(MerchantLimits, BoundWhatIsUnderWayAtOnce) {
  MerchantLimits limits({.per_second_max = 0, .at_once_max = 2});
  auto first = limits.enter(alice, start);
  {
    const auto second = limits.enter(alice, start);
    ASSERT_TRUE(first && second && *first && *second);
    EXPECT_EQ(limits.enter(alice, start).error(), Refusal::too_many_at_once);
    EXPECT_TRUE(limits.enter(becky, start));
    EXPECT_TRUE(limits.enter(carol, start));
  }
  const MerchantLimits::Turn moved = std::move(**first);
  const auto again = limits.enter(alice, start);
  EXPECT_TRUE(again);
  EXPECT_FALSE(limits.enter(alice, start)) << "a turn that was moved is still one";
}

TEST(MerchantLimits, WithoutARateOnlyBoundWhatIsUnderWay) {
  MerchantLimits limits({.per_second_max = 0, .at_once_max = 1});
  EXPECT_EQ(let_in(limits, alice, start, 100'000), 100'000);
}

TEST(MerchantLimits, ForgetWhoIsIdle) {
  MerchantLimits limits({.per_second_max = 10, .at_once_max = 2});
  const auto under_way = limits.enter(alice, start);
  for (std::int64_t id = 2; id <= 100'000; ++id) EXPECT_TRUE(limits.enter({id}, start + milliseconds(id)));
  EXPECT_LT(limits.size(), 64U * 64U * 2);
  EXPECT_TRUE(limits.enter(alice, start + milliseconds(2'000'000)));
  EXPECT_EQ(limits.enter(alice, start + milliseconds(2'000'000)).has_value(), true) << "the other has gone";
}

// Requests of merchants that want their turns, and have them until they are told to go.
class Turns : public ::testing::Test {
 protected:
  // What has a turn now, in the order in which it got it.
  std::vector<int> working() {
    run([]() -> Task<void> { co_return; });
    return working_;
  }
  void want(int number, MerchantId merchant = alice) {
    run([&]() -> Task<void> {
      requests_.spawn([this, number, merchant] { return work(number, merchant); });
      co_return;
    });
  }
  void let_go(int number) {
    run([&]() -> Task<void> {
      done_.at(number)->set();
      co_return;
    });
  }
  // Behind what was posted before.
  void run(const std::function<Task<void>()>& step) {
    for (int rounds = 0; rounds < 3; ++rounds) thread_.run(0, []() -> Task<void> { co_return; });
    thread_.run(0, step);
  }

  MerchantLimits limits_{{.per_second_max = 0, .at_once_max = 5, .at_work_max = 2}};

 private:
  Task<void> work(int number, MerchantId merchant) {
    auto turn = limits_.enter(merchant, start);
    EXPECT_TRUE(turn);
    if (!*turn) turn->emplace(co_await limits_.wait_for_turn(merchant));
    working_.push_back(number);
    const auto end = MerchantLimits::Clock::time_point::max();
    auto& done = *done_.emplace(number, std::make_unique<Event>(thread_.executor(0))).first->second;
    co_await done.wait_until(end);
    std::erase(working_, number);
  }

  IoThreads thread_{1};
  TaskGroup requests_{thread_.executor(0)};
  std::map<int, std::unique_ptr<Event>> done_;
  std::vector<int> working_;
};

TEST_F(Turns, SoManyAreAtWorkAndTheOthersWaitInOrder) {
  for (const int number : {1, 2, 3, 4, 5}) want(number);
  EXPECT_THAT(working(), ElementsAre(1, 2));
  EXPECT_EQ(limits_.enter(alice, start).error(), Refusal::too_many_at_once);
  want(6, becky);
  EXPECT_THAT(working(), ElementsAre(1, 2, 6)) << "who has nothing at work waits for nobody";
  let_go(2);
  EXPECT_THAT(working(), ElementsAre(1, 6, 3));
  let_go(1);
  EXPECT_THAT(working(), ElementsAre(6, 3, 4));
  for (const int number : {3, 4, 6}) let_go(number);
  EXPECT_THAT(working(), ElementsAre(5));
  want(7);
  EXPECT_THAT(working(), ElementsAre(5, 7)) << "places that nobody waited for are free again";
  for (const int number : {5, 7}) let_go(number);
  EXPECT_THAT(working(), IsEmpty());
}

TEST(MerchantLimits, TurnsPassBetweenThreads) {
  constexpr int requests = 2'000;
  MerchantLimits limits({.per_second_max = 0, .at_once_max = requests, .at_work_max = 3});
  std::atomic<int> at_work = 0, most = 0, done = 0;
  const auto work = [&]() -> Task<void> {
    auto turn = limits.enter(alice, start);
    EXPECT_TRUE(turn);
    if (!*turn) turn->emplace(co_await limits.wait_for_turn(alice));
    const int now = ++at_work;
    for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
    }
    const auto executor = co_await asio::this_coro::executor;
    co_await asio::post(executor, use_task);
    --at_work;
    ++done;
  };
  {
    IoThreads threads(4);
    for (int i = 0; i < requests; ++i)
      asio::co_spawn(threads.executor(static_cast<std::size_t>(i) % 4), work, asio::detached);
    EXPECT_TRUE(eventually([&] { return done == requests; }));
  }
  EXPECT_LE(most, 3);
  EXPECT_TRUE(*limits.enter(alice, start)) << "none is left at work";
}

TEST(MerchantLimits, CountRightFromSeveralThreads) {
  MerchantLimits limits({.per_second_max = 0, .at_once_max = 4});
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&limits] { EXPECT_EQ(let_in(limits, alice, start, 10'000), 10'000); });
  for (auto& thread : threads) thread.join();
  const auto one = limits.enter(alice, start), two = limits.enter(alice, start);
  const auto three = limits.enter(alice, start), four = limits.enter(alice, start);
  EXPECT_TRUE(one && two && three && four);
  EXPECT_FALSE(limits.enter(alice, start));
}

}  // namespace
}  // namespace switchyard::core
