#include "core-api/merchant_limits.hpp"

#include <thread>
#include <vector>

#include <gmock/gmock.h>

namespace switchyard::core {
namespace {

using std::chrono::milliseconds;
using Refusal = MerchantLimits::Refusal;

constexpr MerchantId alice{1};
constexpr MerchantId becky{2};
// In the same shard as alice.
constexpr MerchantId carol{65};
constexpr MerchantLimits::Clock::time_point start{std::chrono::hours(1)};

// How many of `tries` requests, one after the other, are let in.
int let_in(MerchantLimits& limits, MerchantId merchant, MerchantLimits::Clock::time_point now, int tries) {
  int count = 0;
  for (int i = 0; i < tries; ++i) count += limits.enter(merchant, now).has_value() ? 1 : 0;
  return count;
}

TEST(MerchantLimits, LetsThroughSoManyASecond) {
  MerchantLimits limits({.per_second_max = 10, .at_once_max = 100});
  EXPECT_EQ(let_in(limits, alice, start, 20), 10) << "a second's worth at once";
  EXPECT_EQ(limits.enter(alice, start).error(), Refusal::too_fast);
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
    ASSERT_TRUE(first && second);
    EXPECT_EQ(limits.enter(alice, start).error(), Refusal::too_many_at_once);
    EXPECT_TRUE(limits.enter(becky, start));
    EXPECT_TRUE(limits.enter(carol, start));
  }
  const MerchantLimits::Turn moved = std::move(*first);
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
