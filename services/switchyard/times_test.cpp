#include "switchyard/times.hpp"

#include <gtest/gtest.h>

namespace switchyard::cli {
namespace {

constexpr Timestamp some_time{std::chrono::milliseconds(1'700'000'000'007)};

TEST(TimeText, IsRfc3339InUtc) {
  EXPECT_EQ(time_text(some_time), "2023-11-14T22:13:20.007Z");
  EXPECT_EQ(time_text(Timestamp()), "1970-01-01T00:00:00.000Z");
}

TEST(TimeText, HasYearsOfFourDigitsWhateverTheTime) {
  EXPECT_EQ(time_text(Timestamp::min()), "0000-01-01T00:00:00.000Z");
  EXPECT_EQ(time_text(Timestamp::max()), "9999-12-31T23:59:59.999Z");
}

TEST(ParseMoment, ReadsWhatTimeTextWrites) {
  EXPECT_EQ(parse_moment(time_text(some_time)), some_time);
  EXPECT_EQ(parse_moment("2023-11-14T23:13:20.007+01:00"), some_time);
}

TEST(ParseMoment, TakesADateForItsFirstMoment) {
  EXPECT_EQ(parse_moment("2023-11-14"), parse_moment("2023-11-14T00:00:00Z"));
  EXPECT_TRUE(parse_moment("2024-02-29"));
}

TEST(ParseMoment, RefusesWhatIsNeither) {
  for (const auto* text :
       {"", "yesterday", "2023", "2023-11", "2023-1-14", "2023-02-29", "2023-11-31", "20231114",
        "2023-11-14T22:13:20", "2023-11-14 22:13:20Z", "2023-11-14x", " 2023-11-14", "2023/11/14"}) {
    EXPECT_FALSE(parse_moment(text)) << text;
  }
}

}  // namespace
}  // namespace switchyard::cli
