// Classes of characters of HTTP/1.1.
#pragma once

#include <string_view>

#include "base/ascii.hpp"

namespace switchyard::http {

// "tchar" of RFC 9110, 5.6.2: what names are made of.
constexpr bool is_token_character(char c) {
  if (is_alphanumeric(c)) return true;
  return c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

// What may stand in a value: no control character but the tab (RFC 9110, 5.5).
constexpr bool is_value_character(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 0x20 && byte != 0x7f) || c == '\t';
}

// White space around values: blanks and tabs (RFC 9110, 5.6.3).
constexpr std::string_view without_blanks_around(std::string_view text) {
  constexpr std::string_view blanks = " \t";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

}  // namespace switchyard::http
