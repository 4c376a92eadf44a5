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

TEST(ParseSince, TakesAnAgeOrATime) {
  EXPECT_EQ(parse_since("90d", some_time), some_time - std::chrono::days(90));
  EXPECT_EQ(parse_since("12h", some_time), some_time - std::chrono::hours(12));
  EXPECT_EQ(parse_since("1m", some_time), some_time - std::chrono::minutes(1));
  EXPECT_EQ(parse_since("2023-11-14", some_time), parse_moment("2023-11-14"));
  EXPECT_TRUE(parse_since("1000000d", some_time));
}

TEST(ParseSince, RefusesWhatIsNeither) {
  for (const auto* text : {"", "d", "90", "0d", "-1d", "+1d", "1.5d", "90 d", "90days", "90D", "1w",
                           "1000001d", "99999999999999999999d", "yesterday"}) {
    EXPECT_FALSE(parse_since(text, some_time)) << text;
  }
}

}  // namespace
}  // namespace switchyard::cli
