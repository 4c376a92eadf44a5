#include "psp-connector/store_clock.hpp"

#include <gtest/gtest.h>

#include "base/testing.hpp"

namespace switchyard::connector {
namespace {

using std::chrono::seconds;

TEST(StoreClock, IsThisMachinesUnlessTheStoresIsFarFromIt) {
  testing::ManualClock own;
  StoreClock clock(own);
  for (const auto difference : {seconds(0), seconds(30), seconds(-30)}) {
    clock.compare(own.now() + difference);
    EXPECT_EQ(clock.now(), own.now());
  }
  for (const auto difference : {seconds(31), seconds(-31), seconds(86'400), seconds(-86'400)}) {
    clock.compare(own.now() + difference);
    EXPECT_EQ(clock.now(), own.now() + difference);
    EXPECT_EQ(clock.ahead(), difference);
  }
  own.advance(seconds(86'400));
  clock.compare(own.now());
  EXPECT_EQ(clock.now(), own.now()) << "somebody has set it";
}

}  // namespace
}  // namespace switchyard::connector
