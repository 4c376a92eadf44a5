#include "core-api/preferences.hpp"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "http/testing.hpp"

namespace switchyard::core {
namespace {

std::int64_t wait_of(const std::vector<std::string>& lines) {
  boost::beast::http::fields headers;
  for (const auto& line : lines) headers.insert("Prefer", line);
  return read_wait(http::request_of(http::Method::get, "/transaction", headers)).count();
}

TEST(ReadWait, FindsThePreferenceAmongOthers) {
  EXPECT_EQ(wait_of({}), 0);
  for (const auto& [line, seconds] : std::vector<std::pair<std::string, int>>{
           {"wait=10", 10},
           {"WAIT=10", 10},
           {"wait = 10", 10},
           {" wait\t=\t10 ", 10},
           {"wait=1", 1},
           {"wait=007", 7},
           {"respond-async, wait=5", 5},
           {"respond-async,wait=5", 5},
           {",, wait=5,", 5},
           {"wait=5; a=b", 5},
           {R"(a="x, wait=9", wait=5)", 5},
           {R"(a="x\", wait=9", wait=5)", 5},
           {R"(a=b; c="wait=9,", wait=5)", 5},
           {"wait=5, wait=9", 5},
       }) {
    EXPECT_EQ(wait_of({line}), seconds) << line;
  }
  EXPECT_EQ(wait_of({"respond-async", "wait=5", "wait=9"}), 5);
}

TEST(ReadWait, IsNeverLongerThanAnybodyWaits) {
  for (const auto* line : {"wait=30", "wait=31", "wait=3600", "wait=99999999999999999999999999999999"}) {
    EXPECT_EQ(wait_of({line}), 30) << line;
  }
}

TEST(ReadWait, IgnoresWhatIsMalformed) {
  for (const auto* line :
       {"",        "wait",     "wait=",    "wait=\"\"", "wait=\"5\"",     "wait=x",  "wait=-5", "wait=+5",
        "wait=5s", "wait=1.5", "wait=5 6", "wait=0",    "wait=x, wait=5", "waits=5", "wait:5",  "a=\"wait=5",
        "\"",      "\\",       "a=\"\\",   "=",         ";wait=5",        "a;wait=5"}) {
    EXPECT_EQ(wait_of({line}), 0) << line;
  }
}

}  // namespace
}  // namespace switchyard::core
