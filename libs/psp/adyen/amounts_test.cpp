#include "psp/adyen/amounts.hpp"

#include <limits>

#include <gmock/gmock.h>

#include "money/currency_table.hpp"

namespace switchyard::psp::adyen {
namespace {

using ::testing::HasSubstr;

Money money(std::int64_t minor, std::string_view currency) {
  return {minor, *Currency::parse_stored(currency)};
}

struct Pair {
  std::string_view currency;
  std::int64_t minor;
  std::int64_t value;
};

TEST(AdyenAmounts, AreCountedAsAdyenCounts) {
  const Pair pairs[] = {{"EUR", 1234, 1234}, {"USD", 1, 1},    {"JPY", 500, 500}, {"KRW", 500, 500},
                        {"BHD", 1, 1},       {"CLP", 5, 500},  {"ISK", 5, 500},   {"IDR", 500, 5},
                        {"CVE", 500, 5},     {"UGX", 7, 7},    {"HUF", 150, 150}, {"TWD", 150, 150},
                        {"MGA", 150, 150},   {"BGN", 150, 150}};
  for (const auto& [currency, minor, value] : pairs) {
    EXPECT_EQ(to_adyen(money(minor, currency)).value(), value) << currency;
    EXPECT_EQ(from_adyen(value, currency), money(minor, currency)) << currency;
  }
}

TEST(AdyenAmounts, WhatLeavesARestIsNotAskedFor) {
  for (const auto* currency : {"IDR", "CVE"}) {
    for (const std::int64_t minor : {1, 10, 99, 101}) {
      const auto value = to_adyen(money(minor, currency));
      ASSERT_FALSE(value.has_value()) << currency << minor;
      EXPECT_THAT(value.error(), HasSubstr("with 0 decimals"));
    }
  }
  for (const auto* currency : {"CLP", "ISK"}) {
    for (const std::int64_t value : {1, 10, 99, 101}) EXPECT_EQ(from_adyen(value, currency), std::nullopt);
  }
}

TEST(AdyenAmounts, WhatAdyenDoesNotListIsNotGuessed) {
  for (const auto* currency : {"BIF", "CLF", "UYI", "UYW"}) {
    const auto value = to_adyen(money(100, currency));
    ASSERT_FALSE(value.has_value());
    EXPECT_THAT(value.error(), HasSubstr(currency));
    EXPECT_EQ(from_adyen(100, currency), std::nullopt);
  }
}

TEST(AdyenAmounts, WhatIsNoCurrencyOrDoesNotFitIsNothing) {
  for (const auto* currency : {"", "eur", "EURO", "XXX", "XAU", "ZZZ"}) {
    EXPECT_EQ(from_adyen(100, currency), std::nullopt) << currency;
  }
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  EXPECT_FALSE(to_adyen(money(most / 100 + 1, "CLP")).has_value());
  EXPECT_TRUE(to_adyen(money(most / 100, "CLP")).has_value());
  EXPECT_EQ(from_adyen(most, "IDR"), std::nullopt);
  EXPECT_EQ(to_adyen(money(most, "EUR")).value(), most);
}

TEST(AdyenAmounts, TheTableIsInOrderAndHoldsTheDifferencesOnly) {
  EXPECT_TRUE(std::ranges::is_sorted(adyen_decimals, {}, &Decimals::currency));
  for (const auto& [currency, digits] : adyen_decimals) {
    ASSERT_TRUE(Currency::parse(currency).has_value()) << currency;
    EXPECT_TRUE(digits != 2 || Currency::parse(currency)->minor_unit_digits() != 2) << currency;
  }
}

// Every current currency can be asked for and read back, or is refused by name.
TEST(AdyenAmounts, EveryCurrencyGoesThereAndBack) {
  int refused = 0;
  for (const auto& row : currency_table) {
    const auto amount = money(1'000'000, row.code());
    const auto value = to_adyen(amount);
    if (!value) {
      ++refused;
      continue;
    }
    EXPECT_EQ(from_adyen(*value, row.code()), amount) << row.code();
  }
  EXPECT_EQ(refused, 4);
}

}  // namespace
}  // namespace switchyard::psp::adyen
