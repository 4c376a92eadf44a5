#include "base/hex.hpp"

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace switchyard {
namespace {

using namespace std::string_view_literals;

TEST(Hex, BytesAreTwoLowerCaseDigitsEach) {
  EXPECT_EQ(to_hex(""sv), "");
  EXPECT_EQ(to_hex("\x00\x0f\x7f\x80\xff"sv), "000f7f80ff");
  EXPECT_EQ(to_hex(std::array<unsigned char, 3>{0xab, 0xcd, 0xef}), "abcdef");
}

TEST(Hex, EachByteIsReadAsItWasWritten) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  EXPECT_EQ(bytes_of_hex(to_hex(all)), all);
  EXPECT_EQ(bytes_of_hex("aBCdEF"), "\xab\xcd\xef");
}

TEST(Hex, WhatIsNoWholeByteIsNotRead) {
  for (const auto text :
       {"0"sv, "abc"sv, "0g"sv, "g0"sv, " 0"sv, "+1"sv, "-1"sv, "0x"sv, "\xc3\xa9"sv, "\0\0"sv}) {
    EXPECT_EQ(bytes_of_hex(text), std::nullopt) << text;
  }
  EXPECT_EQ(bytes_of_hex(""), "");
}

TEST(Hex, ADigitIsOneOfSixteen) {
  int digits = 0;
  for (int c = -128; c < 128; ++c) digits += is_hex_digit(static_cast<char>(c)) ? 1 : 0;
  EXPECT_EQ(digits, 22);
  EXPECT_EQ(hex_digit_value('9'), 9);
  EXPECT_EQ(hex_digit_value('a'), 10);
  EXPECT_EQ(hex_digit_value('F'), 15);
  for (const char c : {'/', ':', '@', 'G', '`', 'g'}) EXPECT_EQ(hex_digit_value(c), -1) << c;
}

}  // namespace
}  // namespace switchyard
