#include "base/spelling.hpp"

#include <string>

#include <gmock/gmock.h>

namespace switchyard {
namespace {

constexpr std::string_view known[] = {"amount", "currency", "token", "MAX_BACKLOG"};

TEST(Nearest, FindsWhatWasProbablyMeant) {
  for (const char* name : {"amuont", "amoun", "amounts", "Amount", "AMOUNT"})
    EXPECT_EQ(nearest(name, known), "amount");
  EXPECT_EQ(nearest("curency", known), "currency");
  EXPECT_EQ(nearest("tokens", known), "token");
  EXPECT_EQ(nearest("max_baklog", known), "MAX_BACKLOG");
}

TEST(Nearest, FindsNothingWhereNothingIsNear) {
  for (const auto& name : {std::string(), std::string("x"), std::string("note"), std::string("capture"),
                           std::string(100'000, 'a')}) {
    EXPECT_EQ(nearest(name, known), "") << name.substr(0, 20);
  }
  EXPECT_EQ(nearest("amount", {}), "");
}

}  // namespace
}  // namespace switchyard
