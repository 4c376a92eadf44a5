// Classes of ASCII characters, whatever the locale: those of <cctype> go by it, and take no negative char.
#pragma once

namespace switchyard {

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

constexpr bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}

constexpr bool is_letter(char c) {
  return is_lower(c) || (c >= 'A' && c <= 'Z');
}

constexpr bool is_alphanumeric(char c) {
  return is_letter(c) || is_digit(c);
}

// The blank is.
constexpr bool is_printable_ascii(char c) {
  return c >= ' ' && c <= '~';
}

// The blank is not.
constexpr bool is_visible_ascii(char c) {
  return c > ' ' && c <= '~';
}

}  // namespace switchyard
