#include "psp/stripe/amounts.hpp"

#include <limits>
#include <set>

#include <gmock/gmock.h>

#include "money/currency_table.hpp"

namespace switchyard::psp::stripe {
namespace {

using ::testing::HasSubstr;

Money money(std::int64_t minor, std::string_view currency) {
  return {minor, Currency::parse(currency).value()};
}

struct AmountCase {
  std::string_view currency;
  std::int64_t minor;
  std::int64_t value;
};

// Stripe documentation, "Supported currencies".
constexpr AmountCase amount_cases[] = {
    {"USD", 2000, 2000},
    {"EUR", 1, 1},
    {"HUF", 17'550, 17'550},  // two decimals for charges, whatever payouts need
    {"TWD", 80'045, 80'045},
    {"JPY", 500, 500},
    {"KRW", 1, 1},
    {"BIF", 7, 7},
    {"CLP", 7, 7},
    {"DJF", 7, 7},
    {"GNF", 7, 7},
    {"KMF", 7, 7},
    {"PYG", 7, 7},
    {"RWF", 7, 7},
    {"VND", 7, 7},
    {"VUV", 7, 7},
    {"XAF", 7, 7},
    {"XOF", 7, 7},
    {"XPF", 7, 7},
    {"MGA", 100, 1},  // ISO 4217 has two decimals, Stripe none
    {"MGA", 12'300, 123},
    {"UGX", 5, 500},  // ISO 4217 has none, Stripe two
    {"ISK", 5, 500},
    {"BHD", 5120, 5120},
    {"JOD", 10, 10},
    {"KWD", 10, 10},
    {"OMR", 10, 10},
    {"TND", 10, 10},
    {"USD", 999'999'999'999, 999'999'999'999},
    {"ISK", 9'999'999'999, 999'999'999'900},
};

TEST(StripeAmounts, GoToStripeAndBackInItsUnits) {
  for (const auto& [currency, minor, value] : amount_cases) {
    const auto sent = to_stripe(money(minor, currency));
    ASSERT_TRUE(sent) << currency << minor << ": " << sent.error().reason;
    EXPECT_EQ(sent->value, value) << currency;
    EXPECT_EQ(from_stripe(sent->value, sent->currency), money(minor, currency)) << currency;
  }
  EXPECT_EQ(to_stripe(money(100, "USD"))->currency, "usd");
}

struct RefusedAmount {
  std::string_view currency;
  std::int64_t minor;
  std::string_view why;
};

constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();

constexpr RefusedAmount refused_amounts[] = {
    {"USD", 0, "Stripe cannot take 0.00 USD: it is not above zero"},
    {"USD", -1, "it is not above zero"},
    {"USD", 1'000'000'000'000, "it has more than 12 digits"},
    {"USD", largest, "it has more than 12 digits"},
    {"ISK", 10'000'000'000, "it has more than 12 digits"},
    {"UGX", largest, "it has more than 12 digits"},
    {"MGA", 150, "Stripe cannot take 1.50 MGA: Stripe counts this currency without decimals"},
    {"BHD", 5123, "Stripe cannot take 5.123 BHD: of this currency's three decimals the last must be 0"},
    {"TND", 1, "the last must be 0"},
    {"LYD", 1000, "it is not known how Stripe counts this currency"},
    {"IQD", 1000, "it is not known how Stripe counts this currency"},
    {"CLF", 10'000, "it is not known how Stripe counts this currency"},
    {"UYI", 10, "it is not known how Stripe counts this currency"},
};

TEST(StripeAmounts, WhatStripeCannotTakeIsRefusedWithAReason) {
  for (const auto& [currency, minor, why] : refused_amounts) {
    const auto sent = to_stripe(money(minor, currency));
    ASSERT_FALSE(sent) << currency << minor;
    EXPECT_THAT(sent.error().reason, HasSubstr(why));
  }
}

TEST(StripeAmounts, ACurrencyIsCountedAsKnownOrNotSentAtAll) {
  const std::set<std::string_view> unknown{"CLF", "IQD", "LYD", "UYI", "UYW"};
  for (const auto& row : currency_table) {
    // Whole units, so that it can only be the unit that is not known.
    std::int64_t minor = 1;
    for (int i = 0; i < row.minor_unit_digits; ++i) minor *= 10;
    const auto sent = to_stripe(money(minor, row.code()));
    EXPECT_EQ(sent.has_value(), !unknown.contains(row.code())) << row.code();
    if (sent) {
      EXPECT_EQ(from_stripe(sent->value, sent->currency), money(minor, row.code())) << row.code();
    }
  }
}

TEST(StripeAmounts, WhatIsNoAmountOfOursComesBackAsNothing) {
  EXPECT_EQ(from_stripe(2000, "EUR"), std::nullopt);  // Stripe writes lower case
  EXPECT_EQ(from_stripe(2000, "eUr"), std::nullopt);
  EXPECT_EQ(from_stripe(2000, ""), std::nullopt);
  EXPECT_EQ(from_stripe(2000, "eu"), std::nullopt);
  EXPECT_EQ(from_stripe(2000, "xxx"), std::nullopt);
  EXPECT_EQ(from_stripe(2000, "978"), std::nullopt);
  EXPECT_EQ(from_stripe(150, "isk"), std::nullopt);
  EXPECT_EQ(from_stripe(150, "ugx"), std::nullopt);
  EXPECT_EQ(from_stripe(1000, "lyd"), std::nullopt);
  EXPECT_EQ(from_stripe(largest, "mga"), std::nullopt);
  // Whatever Stripe says, it is passed on: the machine holds it against what was asked.
  EXPECT_EQ(from_stripe(-5, "usd"), money(-5, "USD"));
  EXPECT_EQ(from_stripe(0, "usd"), money(0, "USD"));
  EXPECT_EQ(from_stripe(5123, "bhd"), money(5123, "BHD"));
  EXPECT_EQ(from_stripe(100, "bgn"), Money(100, *Currency::parse_stored("BGN")));
}

}  // namespace
}  // namespace switchyard::psp::stripe
