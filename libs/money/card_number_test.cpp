#include "money/card_number.hpp"

#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>

namespace switchyard {
namespace {

// Published by the schemes and PSPs for tests; no account stands behind any of them.
const std::vector<std::string> public_test_numbers = {
    "4111111111111111",     // Visa
    "4242424242424242",     // Visa
    "4012888888881881",     // Visa
    "4222222222222",        // Visa, 13 digits
    "4000000000000000006",  // Visa, 19 digits
    "5555555555554444",     // Mastercard
    "5105105105105100",     // Mastercard
    "2223003122003222",     // Mastercard, 2-series
    "2720990000000007",     // Mastercard, the end of the 2-series
    "378282246310005",      // American Express
    "371449635398431",      // American Express
    "340000000000009",      // American Express
    "6011111111111117",     // Discover
    "6011000990139424",     // Discover
    "6440000000000005",     // Discover
    "3530111333300000",     // JCB
    "3566002020360505",     // JCB
    "30569309025904",       // Diners Club
    "36227206271667",       // Diners Club
    "38520000023237",       // Diners Club
    "6200000000000005",     // UnionPay
    "6205500000000000004",  // UnionPay, 19 digits
    "6759649826438453",     // Maestro
    "5018000000000009",     // Maestro
    "5600000000000003",     // Maestro
    "5893000000000009",     // Maestro
    "6767700000001",        // Maestro, 13 digits
    "6221260000000000",     // Discover with UnionPay
    "6500000000000002",     // Discover
    "3528000000000007",     // JCB, the start of its range
    "38520000023237",       // Diners Club
    "6799990100000000019",  // Maestro, 19 digits
};

TEST(ContainsCardNumber, FindsTheTestNumbersOfEachScheme) {
  for (const auto& number : public_test_numbers) {
    EXPECT_TRUE(contains_card_number(number)) << number;
    EXPECT_TRUE(contains_card_number("pay with " + number + ", please")) << number;
    EXPECT_TRUE(contains_card_number("{\"note\":\"" + number + "\"}")) << number;
  }
}

TEST(ContainsCardNumber, FindsThemAtEachOffset) {
  for (std::size_t offset = 0; offset < 40; ++offset) {
    const std::string text = std::string(offset, ' ') + "378282246310005" + std::string(offset % 7, '.');
    EXPECT_TRUE(contains_card_number(text)) << offset;
    EXPECT_TRUE(contains_card_number(std::string(offset, ' ') + "5555 5555 5555 4444")) << offset;
  }
}

TEST(ContainsCardNumber, FindsThePrintedGroups) {
  for (const auto* text : {
           "4111 1111 1111 1111",
           "4111-1111-1111-1111",
           "card: 5555 5555 5555 4444 12/27 123",
           "3782 822463 10005",
           "3782-822463-10005",
           "3056 930902 5904",
           "6799 9901 0000 0000 019",
           "20 4111 1111 1111 1111",
           "1234 4111 1111 1111 1111",
           "4111-1111-1111-1111-",
           "\xc3\xa9 4111 1111 1111 1111\xc3\xa9",
       }) {
    EXPECT_TRUE(contains_card_number(text)) << text;
  }
}

TEST(ContainsCardNumber, LetsOtherGroupingsPass) {
  for (const auto* text : {
           "4111  1111 1111 1111",
           "4111 1111-1111 1111",
           "4111.1111.1111.1111",
           "41111 111 1111 1111",
           "411111 1111111111",
           "4111 1111 1111 111",
           "4111 1111 1111 11111",
           "x4111 1111 1111 1111",
           "4111 1111 1111 1111x",
           "04111 1111 1111 1111",
           "4111 1111 1111 ",
           "4111 ",
           "4111-",
       }) {
    EXPECT_FALSE(contains_card_number(text)) << text;
  }
}

TEST(ContainsCardNumber, LetsEachNumberWithOneWrongDigitPass) {
  for (const auto& number : public_test_numbers) {
    std::string wrong = number;
    wrong.back() = wrong.back() == '9' ? '0' : static_cast<char>(wrong.back() + 1);
    EXPECT_FALSE(contains_card_number(wrong)) << wrong;
  }
}

TEST(ContainsCardNumber, LetsNumbersPassThatNoSchemeIssues) {
  for (const auto* text : {
           "0000000000000000",      // passes Luhn
           "1234567812345670",      // passes Luhn, begins with 1
           "2720990000003",         // Mastercard's range, 13 digits
           "2220990000000002",      // just below Mastercard's 2-series, passes Luhn
           "2721000000000004",      // just above it, passes Luhn
           "7992739871300008",      // begins with 7
           "37828224631003",        // American Express, 14 digits
           "411111111117",          // 12 digits
           "41111111111111111115",  // 20 digits
           "1700000000000",         // a time in milliseconds
           "1700000000000000004",   // a time in nanoseconds
       }) {
    EXPECT_FALSE(contains_card_number(text)) << text;
  }
}

TEST(ContainsCardNumber, LetsDigitsInsideLongerRunsPass) {
  for (const auto* text : {
           "a4111111111111111",
           "4111111111111111a",
           "id4111111111111111Z",
           "f4111111-1111-4111-8111-111111111111",
           "41111111-1111-1111-1111-111111111111",
           "00000000-4111-1111-1111-111111111111",
           "eyJhbGciOiJIUzI1NiJ9.eyJuIjoiNDExMTExMTExMTExMTExMSJ9.x4111111111111111y",
       }) {
    EXPECT_FALSE(contains_card_number(text)) << text;
  }
}

TEST(ContainsCardNumber, LetsShortAndEmptyTextPass) {
  EXPECT_FALSE(contains_card_number(""));
  EXPECT_FALSE(contains_card_number("4"));
  EXPECT_FALSE(contains_card_number("411"));
  EXPECT_FALSE(contains_card_number("amount=100&currency=USD"));
}

TEST(ContainsCardNumber, LetsRandomUuidsPass) {
  constexpr unsigned seed = 20240229;
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 100'000; ++i) {
    std::string uuid = "00000000-0000-0000-0000-000000000000";
    for (char& c : uuid) {
      if (c != '-') c = "0123456789abcdef"[random() % 16];
    }
    ASSERT_FALSE(contains_card_number(uuid)) << uuid;
  }
}

TEST(RedactCardNumbers, ReplacesEachHitAndNothingElse) {
  EXPECT_EQ(redact_card_numbers("4111111111111111"), "[card number]");
  EXPECT_EQ(redact_card_numbers("from 4111 1111 1111 1111 to 378282246310005."),
            "from [card number] to [card number].");
  EXPECT_EQ(redact_card_numbers("4111111111111111 5555555555554444"), "[card number] [card number]");
  EXPECT_EQ(redact_card_numbers("1234 4111-1111-1111-1111"), "1234 [card number]");
  EXPECT_EQ(redact_card_numbers("order 4111111111111112"), "order 4111111111111112");
  EXPECT_EQ(redact_card_numbers(""), "");
}

TEST(RedactCardNumbers, LeavesNoGroupOfTheLongestFormBehind) {
  EXPECT_EQ(redact_card_numbers("6799 9901 0000 0000 019!"), "[card number]!");
}

}  // namespace
}  // namespace switchyard
