#include "money/money.hpp"

#include <limits>
#include <string>

#include <gmock/gmock.h>

namespace switchyard {
namespace {

constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t smallest = std::numeric_limits<std::int64_t>::min();

Money money(std::int64_t minor, std::string_view code) {
  return {minor, Currency::parse(code).value()};
}

TEST(Money, AddsAndSubtractsWithinOneCurrency) {
  EXPECT_EQ(money(150, "USD").add(money(50, "USD")), money(200, "USD"));
  EXPECT_EQ(money(150, "USD").subtract(money(200, "USD")), money(-50, "USD"));
  EXPECT_EQ(money(largest - 1, "USD").add(money(1, "USD")), money(largest, "USD"));
  EXPECT_EQ(money(-1, "USD").subtract(money(largest, "USD")), money(smallest, "USD"));
}

TEST(Money, NeverMixesCurrencies) {
  const auto sum = money(1, "USD").add(money(1, "EUR"));
  ASSERT_FALSE(sum);
  EXPECT_EQ(sum.error(),
            (Error{ErrorCode::invalid_argument, "amounts of different currencies, USD and EUR"}));
  EXPECT_FALSE(money(1, "USD").subtract(money(1, "EUR")));
  EXPECT_NE(money(1, "USD"), money(1, "EUR"));
}

TEST(Money, ReportsOverflowInsteadOfWrapping) {
  const auto sum = money(largest, "USD").add(money(1, "USD"));
  ASSERT_FALSE(sum);
  EXPECT_EQ(sum.error().code, ErrorCode::invalid_argument);
  EXPECT_FALSE(money(smallest, "USD").add(money(-1, "USD")));
  EXPECT_FALSE(money(smallest, "USD").subtract(money(1, "USD")));
  EXPECT_FALSE(money(0, "USD").subtract(money(smallest, "USD")));
}

TEST(Money, IsOrderedWithinOneCurrency) {
  EXPECT_LT(money(1, "USD"), money(2, "USD"));
  EXPECT_GE(money(2, "USD"), money(2, "USD"));
}

TEST(MoneyDeathTest, StopsTheProcessWhenCurrenciesAreOrdered) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(static_cast<void>(money(1, "USD") < money(2, "EUR")), "invariant broken");
}

TEST(Money, PrintsTheDecimalsOfItsCurrency) {
  EXPECT_EQ(money(100, "USD").to_string(), "1.00 USD");
  EXPECT_EQ(money(100, "JPY").to_string(), "100 JPY");
  EXPECT_EQ(money(1, "BHD").to_string(), "0.001 BHD");
  EXPECT_EQ(money(12345, "CLF").to_string(), "1.2345 CLF");
  EXPECT_EQ(money(5, "EUR").to_string(), "0.05 EUR");
  EXPECT_EQ(money(0, "EUR").to_string(), "0.00 EUR");
  EXPECT_EQ(money(0, "JPY").to_string(), "0 JPY");
  EXPECT_EQ(money(-5, "EUR").to_string(), "-0.05 EUR");
  EXPECT_EQ(money(-123456, "EUR").to_string(), "-1234.56 EUR");
  EXPECT_EQ(money(largest, "USD").to_string(), "92233720368547758.07 USD");
  EXPECT_EQ(money(smallest, "USD").to_string(), "-92233720368547758.08 USD");
}

TEST(ParseAmountMinor, ReadsCanonicalDigits) {
  EXPECT_EQ(parse_amount_minor("0"), 0);
  EXPECT_EQ(parse_amount_minor("7"), 7);
  EXPECT_EQ(parse_amount_minor("100"), 100);
  EXPECT_EQ(parse_amount_minor("9223372036854775807"), largest);
}

TEST(ParseAmountMinor, SaysWhatIsWrong) {
  using namespace std::string_view_literals;
  struct Case {
    std::string_view text;
    std::string_view detail;
  };
  constexpr auto not_whole = "is not a whole number of minor units: decimal digits only"sv;
  for (const auto& [text, detail] : {
           Case{""sv, "is empty"sv},
           Case{"00"sv, "starts with a zero"sv},
           Case{"0100"sv, "starts with a zero"sv},
           Case{"+1"sv, not_whole},
           Case{"-1"sv, not_whole},
           Case{" 1"sv, not_whole},
           Case{"1 "sv, not_whole},
           Case{"1.0"sv, not_whole},
           Case{"1,000"sv, not_whole},
           Case{"1e3"sv, not_whole},
           Case{"0x10"sv, not_whole},
           Case{"1\0"sv, not_whole},
           Case{"\xd9\xa1"sv, not_whole},  // an Arabic-Indic digit one
           Case{"9223372036854775808"sv, "is too large"sv},
           Case{"100000000000000000000000000000000"sv, "is too large"sv},
       }) {
    const auto amount = parse_amount_minor(text);
    ASSERT_FALSE(amount) << text;
    EXPECT_EQ(amount.error(), (Error{ErrorCode::invalid_argument, std::string(detail)})) << text;
  }
}

}  // namespace
}  // namespace switchyard
