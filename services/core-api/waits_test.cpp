#include "core-api/waits.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace switchyard::core {
namespace {

// As many as one can get.
std::vector<Waits::Place> take_all(Waits& waits, MerchantId merchant) {
  std::vector<Waits::Place> places;
  while (auto place = waits.enter(merchant)) places.push_back(std::move(*place));
  return places;
}

TEST(Waits, AreSharedSoThatThereIsAlwaysOneLeft) {
  Waits waits(100);
  const auto first = take_all(waits, {1});
  EXPECT_EQ(first.size(), 50U);
  const auto second = take_all(waits, {2});
  EXPECT_EQ(second.size(), 25U);
  const auto third = take_all(waits, {3});
  EXPECT_EQ(third.size(), 13U);
  EXPECT_TRUE(waits.enter({4}));
  EXPECT_FALSE(waits.enter({1}));
}

TEST(Waits, AreGivenBack) {
  Waits waits(2);
  {
    const auto place = waits.enter({1});
    ASSERT_TRUE(place);
    EXPECT_FALSE(waits.enter({1}));
  }
  auto place = waits.enter({1});
  ASSERT_TRUE(place);
  const Waits::Place moved(std::move(*place));
  EXPECT_FALSE(waits.enter({1}));
}

TEST(Waits, AreRefusedOnceTheProgramStops) {
  Waits waits(100);
  EXPECT_FALSE(waits.stopping());
  waits.stop();
  EXPECT_TRUE(waits.stopping());
  EXPECT_FALSE(waits.enter({1}));
}

}  // namespace
}  // namespace switchyard::core
