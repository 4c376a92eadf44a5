#include "base/turn_line.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>

namespace switchyard {
namespace {

using ::testing::ElementsAre;

class TurnLineTest : public ::testing::Test {
 protected:
  void push(std::int64_t asker, std::string name) { line_.push(asker, std::move(name)); }
  std::vector<std::string> pop_all() {
    std::vector<std::string> names;
    while (!line_.empty()) names.push_back(line_.pop());
    return names;
  }

  TurnLine<std::string> line_{{.of_one_asker = 4, .in_all = 6}};
};

TEST_F(TurnLineTest, AskersTakeTurnsAndEachAsksInOrder) {
  for (const char* name : {"a1", "a2", "a3", "a4"}) push(1, name);
  push(2, "b1");
  push(3, "c1");
  EXPECT_THAT(pop_all(), ElementsAre("a1", "b1", "c1", "a2", "a3", "a4"));
}

TEST_F(TurnLineTest, WhoeverComesWaitsForOneOfEachOther) {
  for (const char* name : {"a1", "a2", "a3", "a4"}) push(1, name);
  EXPECT_EQ(line_.pop(), "a1");
  push(2, "b1");
  EXPECT_EQ(line_.pop(), "a2");
  EXPECT_EQ(line_.pop(), "b1");
  push(3, "c1");
  push(2, "b2");
  EXPECT_THAT(pop_all(), ElementsAre("a3", "c1", "b2", "a4"));
}

TEST_F(TurnLineTest, HasNoRoomForThoseOnlyWhoHaveTooManyWaiting) {
  for (const char* name : {"a1", "a2", "a3", "a4"}) push(1, name);
  EXPECT_STREQ(line_.why_no_room(1), "too many of your requests are waiting for the store");
  EXPECT_EQ(line_.why_no_room(2), nullptr);
  EXPECT_EQ(line_.pop(), "a1");
  EXPECT_EQ(line_.why_no_room(1), nullptr);
}

TEST_F(TurnLineTest, HasNoRoomForAnybodyWhenThereAreTooManyInAll) {
  for (const std::int64_t asker : {1, 2, 3, 4, 5, 6}) push(asker, "x");
  for (const std::int64_t asker : {1, 7}) {
    EXPECT_STREQ(line_.why_no_room(asker), "too many operations are waiting for the store");
  }
  EXPECT_EQ(line_.pop(), "x");
  EXPECT_EQ(line_.why_no_room(7), nullptr);
}

TEST_F(TurnLineTest, WhoeverHasMostWaitingLosesTheNewest) {
  for (const char* name : {"a1", "a2", "a3"}) push(1, name);
  for (const char* name : {"b1", "b2"}) push(2, name);
  EXPECT_EQ(line_.take_newest_of_longest(1), std::nullopt) << "the one who asks has most";
  EXPECT_EQ(line_.take_newest_of_longest(2), std::nullopt) << "or would have as many";
  EXPECT_EQ(line_.take_newest_of_longest(3), "a3");
  EXPECT_THAT(pop_all(), ElementsAre("a1", "b1", "a2", "b2"));
  EXPECT_EQ(line_.take_newest_of_longest(3), std::nullopt);
}

TEST(TurnLine, HoldsWhatCanOnlyBeMoved) {
  TurnLine<std::unique_ptr<int>> line({.of_one_asker = 1, .in_all = 1});
  line.push(1, std::make_unique<int>(7));
  EXPECT_EQ(*line.pop(), 7);
  EXPECT_TRUE(line.empty());
}

}  // namespace
}  // namespace switchyard
