#include "money/printable.hpp"

#include <algorithm>
#include <cstdint>

#include "money/card_number.hpp"

namespace switchyard {
namespace {

constexpr std::string_view ellipsis = "...";

// One character, or one byte that begins none.
struct Character {
  std::size_t size = 1;
  char32_t code = 0;
  bool valid = false;
};

constexpr bool is_continuation(char c) {
  return (static_cast<std::uint8_t>(c) & 0xc0) == 0x80;
}

// Well-formed UTF-8 only (Unicode 15, table 3-7): nothing overlong, no surrogates, nothing above U+10FFFF.
Character first_of(std::string_view text) {
  const auto lead = static_cast<std::uint8_t>(text.front());
  if (lead < 0x80) return {1, lead, true};
  const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return {};
  char32_t code = lead & (0x7fU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if (!is_continuation(text[i])) return {};
    code = (code << 6) | (static_cast<std::uint8_t>(text[i]) & 0x3fU);
  }
  const bool overlong = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  if (overlong || surrogate || code > 0x10ffff) return {};
  return {size, code, true};
}

bool is_shown(char32_t code) {
  if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0xad) return false;
  // Zero width, separators and direction marks; the byte order mark; tags and other noncharacters.
  if ((code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e)) return false;
  if ((code >= 0x2060 && code <= 0x206f) || code == 0x061c || code == 0xfeff) return false;
  return (code & 0xfffe) != 0xfffe && (code < 0xfdd0 || code > 0xfdef) && (code < 0xe0000 || code > 0xe0fff);
}

// At most `bytes_max` bytes, and whole characters.
std::string_view cut(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  std::size_t size = bytes_max;
  while (size > 0 && is_continuation(text[size])) --size;
  return text.substr(0, size);
}

}  // namespace

std::string printable(std::string_view text, std::size_t bytes_max) {
  // So much more that a card number at the end is seen whole, and what it becomes is cut no earlier.
  constexpr std::size_t card_number_bytes_max = 64;
  const auto looked_at = text.substr(0, bytes_max + card_number_bytes_max);
  std::string shown;
  shown.reserve(looked_at.size());
  for (auto rest = looked_at; !rest.empty();) {
    const auto character = first_of(rest);
    if (character.valid && is_shown(character.code)) {
      shown.append(rest.substr(0, character.size));
    } else {
      shown += ' ';
    }
    rest.remove_prefix(character.size);
  }
  shown = redact_card_numbers(shown);
  if (shown.size() <= bytes_max && looked_at.size() == text.size()) return shown;
  const auto room = bytes_max - std::min(bytes_max, ellipsis.size());
  return std::string(cut(shown, room)).append(ellipsis.substr(0, bytes_max));
}

}  // namespace switchyard
