#include "switchyard/options.hpp"

#include <gmock/gmock.h>

namespace switchyard::cli {
namespace {

using ::testing::HasSubstr;

std::string wrong_with(std::string value) {
  return whole_number(1, 30)(value);
}

TEST(WholeNumber, IsOneInItsRange) {
  for (const auto* good : {"1", "9", "30"}) EXPECT_EQ(wrong_with(good), "") << good;
  for (const auto* bad : {"0", "31", "-1", "+1", "01", "0x10", "1.5", "1e1", "", " 1", "1 ", "one",
                          "99999999999999999999999999"}) {
    EXPECT_THAT(wrong_with(bad), HasSubstr("must be a whole number from 1 to 30")) << bad;
  }
}

TEST(TransactionId, IsAUuid) {
  const auto exit_code_of = [](const std::string& id) {
    CLI::App app;
    std::string value;
    add_transaction_id(app, value);
    try {
      app.parse(std::vector<std::string>{id});
    } catch (const CLI::ParseError& error) {
      EXPECT_THAT(error.what(), HasSubstr("is not a transaction id"));
      return 2;
    }
    return 0;
  };
  EXPECT_EQ(exit_code_of("0190a000-0000-7000-8000-000000000000"), 0);
  EXPECT_EQ(exit_code_of("0190A000-0000-7000-8000-000000000000"), 0);
  for (const auto* bad : {"x", "../token", "{0190a000-0000-7000-8000-000000000000}"}) {
    EXPECT_EQ(exit_code_of(bad), 2) << bad;
  }
}

}  // namespace
}  // namespace switchyard::cli
