#include "core-api/rfc3339.hpp"

#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace switchyard::core {
namespace {

std::int64_t ms_of(std::string_view text) {
  const auto time = parse_time(text);
  return time ? time->time_since_epoch().count() : -1;
}

TEST(ParseTime, ReadsWhatRfc3339Has) {
  for (const auto& [text, ms] : std::vector<std::pair<std::string_view, std::int64_t>>{
           {"1970-01-01T00:00:00Z", 0},
           {"1985-04-12T23:20:50.52Z", 482'196'050'520},
           {"1996-12-19T16:39:57-08:00", 851'042'397'000},
           {"1990-12-31T23:59:60Z", 662'688'000'000},
           {"1937-01-01T12:00:27.87+00:20", 0},
           {"2024-02-29t00:00:00z", 1'709'164'800'000},
           {"2000-01-01T00:00:00+23:59", 946'598'460'000},
           {"2000-01-01T00:00:00-00:00", 946'684'800'000},
           {"2000-01-01T00:00:00.0001Z", 946'684'800'001},
           {"2000-01-01T00:00:00.0000Z", 946'684'800'000},
           {"2000-01-01T00:00:00.9999999999999999999999Z", 946'684'801'000},
           {"0000-01-01T00:00:00Z", 0},
           {"9999-12-31T23:59:59-23:59", 253'402'300'799'999},
       }) {
    EXPECT_EQ(ms_of(text), ms) << text;
  }
}

TEST(ParseTime, ATimeThatNothingIsStoredOfIsStillBeforeAnother) {
  EXPECT_LT(*parse_any_time("0000-01-01T00:00:00Z"), *parse_any_time("0000-01-02T00:00:00Z"));
  EXPECT_LT(*parse_any_time("9999-12-31T23:59:59Z"), *parse_any_time("9999-12-31T23:59:60Z"));
  EXPECT_EQ(nearest_storable(*parse_any_time("1937-01-01T12:00:27Z")), Timestamp());
}

TEST(ParseTime, TakesNothingElse) {
  for (const auto* text : {"",
                           "2000",
                           "2000-01-01",
                           "2000-01-01T00:00:00",
                           "2000-01-01T00:00Z",
                           "2000-01-01 00:00:00Z",
                           "2000-01-01T00:00:00 01:00",
                           "2000-01-01T00:00:00+0100",
                           "2000-01-01T00:00:00+24:00",
                           "2000-01-01T00:00:00+01:60",
                           "2000-01-01T00:00:00.Z",
                           "2000-01-01T24:00:00Z",
                           "2000-01-01T00:60:00Z",
                           "2000-01-01T00:00:61Z",
                           "2000-00-01T00:00:00Z",
                           "2000-13-01T00:00:00Z",
                           "2000-01-00T00:00:00Z",
                           "2001-02-29T00:00:00Z",
                           "2000-04-31T00:00:00Z",
                           "2000-1-1T00:00:00Z",
                           "20000-01-01T00:00:00Z",
                           "-200-01-01T00:00:00Z",
                           "2000-01-01T00:00:00Zx",
                           " 2000-01-01T00:00:00Z",
                           "946684800",
                           "now"}) {
    EXPECT_FALSE(parse_time(text)) << text;
  }
}

}  // namespace
}  // namespace switchyard::core
