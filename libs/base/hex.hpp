// Bytes as hexadecimal digits: two each, lower case when written, of either case when read.
//
// Safe to use from any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>

#include "base/ascii.hpp"

namespace switchyard {

// What the digit stands for; -1 if it is none.
constexpr int hex_digit_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

constexpr bool is_hex_digit(char c) {
  return hex_digit_value(c) >= 0;
}

inline constexpr std::string_view hex_digits = "0123456789abcdef";

// Of chars or unsigned chars.
template <std::ranges::sized_range Bytes>
std::string to_hex(const Bytes& bytes) {
  std::string hex;
  hex.reserve(2 * std::ranges::size(bytes));
  for (const auto byte : bytes) {
    static_assert(sizeof(byte) == 1);
    hex += hex_digits[static_cast<unsigned char>(byte) >> 4];
    hex += hex_digits[static_cast<unsigned char>(byte) & 0xf];
  }
  return hex;
}

// Nothing if there is anything but digits, or an odd number of them.
inline std::optional<std::string> bytes_of_hex(std::string_view hex) {
  if (hex.size() % 2 != 0 || !std::ranges::all_of(hex, is_hex_digit)) return std::nullopt;
  std::string bytes;
  bytes.reserve(hex.size() / 2);
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(hex_digit_value(hex[i]) * 16 + hex_digit_value(hex[i + 1]));
  }
  return bytes;
}

}  // namespace switchyard
