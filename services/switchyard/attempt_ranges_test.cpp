#include "switchyard/attempt_ranges.hpp"

#include <future>
#include <set>
#include <vector>

#include <gmock/gmock.h>

namespace switchyard::cli {
namespace {

using ::testing::ElementsAre;

const auto no_merchant = [](MerchantId) { return std::optional<MerchantId>(); };

Uuid uuid(const char* text) {
  return *Uuid::parse(text);
}

TEST(FirstId, IsNotBehindAnyOfItsTime) {
  const auto now = SystemClock().now();
  EXPECT_LE(first_id_at(now).value, Uuid::generate());
  EXPECT_LT(Uuid::generate(), first_id_at(SystemClock().now() + std::chrono::seconds(1)).value);
  EXPECT_EQ(first_id_at(Timestamp(std::chrono::milliseconds(0x0123456789ab))).value,
            uuid("01234567-89ab-0000-0000-000000000000"));
  EXPECT_EQ(first_id_at(Timestamp(std::chrono::milliseconds(-1))).value, Uuid());
  EXPECT_EQ(time_of(first_id_at(Timestamp(std::chrono::milliseconds(0x0123456789ab)))),
            Timestamp(std::chrono::milliseconds(0x0123456789ab)));
}

TEST(Split, LeavesNothingOutAndNothingTwice) {
  const store::AttemptRange whole{
      {7}, {uuid("00000000-0000-0001-0000-0000000000ab")}, {uuid("00000000-0000-0004-0000-000000000000")}};
  const auto parts = split(whole);
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->first.first, whole.first);
  EXPECT_EQ(parts->first.last.value, uuid("00000000-0000-0002-ffff-ffffffffffff"));
  EXPECT_EQ(parts->second.first.value, uuid("00000000-0000-0003-0000-000000000000"));
  EXPECT_EQ(parts->second.last, whole.last);
  EXPECT_EQ(parts->second.merchant, whole.merchant);
}

TEST(Split, OfOneMomentIsNone) {
  const auto moment = uuid("00000000-0000-0001-0000-0000000000ab");
  EXPECT_FALSE(split({{7}, {moment}, {moment}}));
  EXPECT_FALSE(split({{7}, {uuid("00000000-0000-0002-0000-000000000000")}, {moment}}));
}

TEST(AttemptRanges, GivesEachMerchantOnce) {
  const std::set<std::int64_t> merchants{-5, 1, 2, std::numeric_limits<std::int64_t>::max()};
  const auto next = [&merchants](MerchantId least) -> std::optional<MerchantId> {
    const auto found = merchants.lower_bound(least.value);
    return found == merchants.end() ? std::nullopt : std::optional(MerchantId{*found});
  };
  AttemptRanges ranges(first_id_at(Timestamp(std::chrono::hours(1))));
  std::vector<std::int64_t> given;
  while (const auto range = ranges.take(next)) {
    given.push_back(range->merchant.value);
    EXPECT_EQ(range->first, first_id_at(Timestamp(std::chrono::hours(1))));
    ranges.done();
  }
  EXPECT_THAT(given, ElementsAre(-5, 1, 2, std::numeric_limits<std::int64_t>::max()));
}

TEST(AttemptRanges, AreSharedWithWhoHasNothingToDo) {
  AttemptRanges ranges({});
  const auto only = ranges.take(
      [](MerchantId least) { return least.value <= 7 ? std::optional(MerchantId{7}) : std::nullopt; });
  ASSERT_TRUE(only);
  auto other = std::async(std::launch::async, [&ranges] { return ranges.take(no_merchant); });
  auto mine = *only;
  // Until the other one waits, all of it is left to who asks.
  while (mine.last == only->last) mine = ranges.share(mine);
  const auto theirs = other.get();
  ASSERT_TRUE(theirs);
  EXPECT_EQ(theirs->last, only->last);
  EXPECT_LT(mine.last, theirs->first);
  EXPECT_EQ(ranges.share(mine).last, mine.last) << "nobody waits";
  ranges.done();
  ranges.done();
  EXPECT_FALSE(ranges.take(no_merchant));
}

TEST(AttemptRanges, EndForAllWhereOneFails) {
  AttemptRanges ranges({});
  const auto endless = [](MerchantId least) { return std::optional(least); };
  ASSERT_TRUE(ranges.take(endless));
  ranges.stop();
  EXPECT_FALSE(ranges.take(endless));
}

}  // namespace
}  // namespace switchyard::cli
