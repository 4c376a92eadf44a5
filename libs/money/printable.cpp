#include "money/printable.hpp"

#include <algorithm>
#include <cstdint>

#include "base/utf8.hpp"
#include "money/card_number.hpp"

namespace switchyard {
namespace {

constexpr std::string_view ellipsis = "...";

// The code point of a well-formed character.
char32_t code_of(std::string_view character) {
  const auto lead = static_cast<std::uint8_t>(character.front());
  if (character.size() == 1) return lead;
  char32_t code = lead & (0x7fU >> character.size());
  for (const char c : character.substr(1)) code = (code << 6) | (static_cast<std::uint8_t>(c) & 0x3fU);
  return code;
}

bool is_shown(char32_t code) {
  if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0xad) return false;
  // Zero width, separators and direction marks; the byte order mark; tags and other noncharacters.
  if ((code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e)) return false;
  if ((code >= 0x2060 && code <= 0x206f) || code == 0x061c || code == 0xfeff) return false;
  return (code & 0xfffe) != 0xfffe && (code < 0xfdd0 || code > 0xfdef) && (code < 0xe0000 || code > 0xe0fff);
}

}  // namespace

std::string printable(std::string_view text, std::size_t bytes_max) {
  // So much more that a card number at the end is seen whole, and what it becomes is cut no earlier.
  constexpr std::size_t card_number_bytes_max = 64;
  const auto looked_at = text.substr(0, bytes_max + card_number_bytes_max);
  std::string shown;
  shown.reserve(looked_at.size());
  for (auto rest = looked_at;;) {
    const auto plain = printable_ascii_prefix(rest);
    shown.append(plain);
    rest.remove_prefix(plain.size());
    if (rest.empty()) break;
    const auto size = utf8_size_of_first(rest);
    const auto character = rest.substr(0, std::max<std::size_t>(size, 1));
    if (size > 0 && is_shown(code_of(character))) {
      shown.append(character);
    } else {
      shown += ' ';
    }
    rest.remove_prefix(character.size());
  }
  shown = redact_card_numbers(shown);
  if (shown.size() <= bytes_max && looked_at.size() == text.size()) return shown;
  const auto room = bytes_max - std::min(bytes_max, ellipsis.size());
  // Again, for what is left of a longer run of digits may be a card number.
  return redact_card_numbers(cut_utf8(shown, room)).append(ellipsis.substr(0, bytes_max));
}

}  // namespace switchyard
