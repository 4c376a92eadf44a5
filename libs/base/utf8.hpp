// Well-formed UTF-8 (RFC 3629, 4): nothing overlong, no surrogates, nothing beyond U+10FFFF.
//
// Safe to use from any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/ascii.hpp"

namespace switchyard {

// The bytes of the character that `text` begins with; 0 if it begins with none, or is empty.
inline std::size_t utf8_size_of_first(std::string_view text) {
  if (text.empty()) return 0;
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const auto second = byte(1);
  const bool wrong = (lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
                     (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f);
  return wrong ? 0 : size;
}

// The beginning of `text` that is printable ASCII only: most texts are, from beginning to end.
inline std::string_view printable_ascii_prefix(std::string_view text) {
  const auto end = std::ranges::find_if_not(text, is_printable_ascii);
  return {text.begin(), end};
}

// A copy in which each byte that belongs to no character is a question mark.
inline std::string as_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto size = utf8_size_of_first(text);
    out += size == 0 ? std::string_view("?") : text.substr(0, size);
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return out;
}

// The beginning of `text`, of at most `bytes_max` bytes, that does not end in the middle of a character.
inline std::string_view cut_utf8(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  while (bytes_max > 0 && (static_cast<unsigned char>(text[bytes_max]) & 0xc0) == 0x80) --bytes_max;
  return text.substr(0, bytes_max);
}

}  // namespace switchyard
