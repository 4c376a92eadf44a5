#include "auth-api/username.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <utf8proc.h>

#include "token/claims.hpp"

namespace switchyard::auth {
namespace {

struct Free {
  void operator()(utf8proc_uint8_t* text) const { std::free(text); }
};

// By this form; nothing if the text is not UTF-8 or there is no memory.
std::string mapped(std::string_view text, utf8proc_option_t form) {
  utf8proc_uint8_t* out = nullptr;
  const auto size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                 static_cast<utf8proc_ssize_t>(text.size()), &out, form);
  const std::unique_ptr<utf8proc_uint8_t, Free> owner(out);
  if (size < 0) return {};
  return {reinterpret_cast<const char*>(out), static_cast<std::size_t>(size)};
}

constexpr auto composed = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
constexpr auto compatible =
    static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT);

// RFC 5892, 2.6, for RFC 8264, 9.6: letters by their category that only stretch or repeat what stands before
// them.
bool is_disallowed_exception(utf8proc_int32_t character) {
  constexpr std::array<utf8proc_int32_t, 10> exceptions{0x0640, 0x07fa, 0x302e, 0x302f, 0x3031,
                                                        0x3032, 0x3033, 0x3034, 0x3035, 0x303b};
  return std::ranges::find(exceptions, character) != exceptions.end();
}

// RFC 8264, 9: LetterDigits, ASCII7, and the blank that RFC 8265 puts between parts.
bool is_allowed(utf8proc_int32_t character) {
  if (character >= 0x20 && character <= 0x7e) return true;
  if (utf8proc_get_property(character)->ignorable || is_disallowed_exception(character)) return false;
  switch (utf8proc_category(character)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ND:
      return true;
    default:
      return false;
  }
}

// Nothing if the text is not UTF-8.
std::optional<std::vector<utf8proc_int32_t>> characters_of(std::string_view text) {
  std::vector<utf8proc_int32_t> characters;
  while (!text.empty()) {
    utf8proc_int32_t character = 0;
    const auto size = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                       static_cast<utf8proc_ssize_t>(text.size()), &character);
    if (size <= 0) return std::nullopt;
    characters.push_back(character);
    text.remove_prefix(static_cast<std::size_t>(size));
  }
  return characters;
}

std::string utf8_of(utf8proc_int32_t character) {
  std::array<utf8proc_uint8_t, 4> bytes{};
  const auto size = utf8proc_encode_char(character, bytes.data());
  return {reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(size)};
}

// The problem that a single character is; empty if none is one.
std::string problem_of_characters(const std::vector<utf8proc_int32_t>& name) {
  for (const auto character : name) {
    if (!is_allowed(character)) {
      return fmt::format(
          "holds the character U+{:04X}: letters, digits, visible ASCII and blanks are allowed", character);
    }
    const auto bytes = utf8_of(character);
    if (mapped(bytes, compatible) != mapped(bytes, composed)) {
      return fmt::format("holds the character U+{:04X}, which is a variant of another one", character);
    }
  }
  return {};
}

bool is_mark(utf8proc_int32_t character) {
  const auto category = utf8proc_category(character);
  return category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC;
}

int direction_of(utf8proc_int32_t character) {
  return utf8proc_get_property(character)->bidi_class;
}

bool is_from_right_to_left(utf8proc_int32_t character) {
  const auto direction = direction_of(character);
  return direction == UTF8PROC_BIDI_CLASS_R || direction == UTF8PROC_BIDI_CLASS_AL ||
         direction == UTF8PROC_BIDI_CLASS_AN;
}

// RFC 5893, 2: where there is a letter from right to left, the first one is, no letter from left to right
// stands between, the last one (marks aside) is one or a digit, and digits are of one kind.
bool keeps_bidi_rule(const std::vector<utf8proc_int32_t>& name) {
  if (std::ranges::none_of(name, is_from_right_to_left)) return true;
  const auto holds = [&name](int direction) {
    return std::ranges::find(name, direction, direction_of) != name.end();
  };
  if (!is_from_right_to_left(name.front()) || direction_of(name.front()) == UTF8PROC_BIDI_CLASS_AN)
    return false;
  if (holds(UTF8PROC_BIDI_CLASS_L)) return false;
  if (holds(UTF8PROC_BIDI_CLASS_EN) && holds(UTF8PROC_BIDI_CLASS_AN)) return false;
  const auto last = std::ranges::find_if_not(name.rbegin(), name.rend(), is_mark);
  return last != name.rend() &&
         (is_from_right_to_left(*last) || direction_of(*last) == UTF8PROC_BIDI_CLASS_EN);
}

// RFC 5892, A.8 and A.9.
bool mixes_arabic_digits(const std::vector<utf8proc_int32_t>& name) {
  const auto any = [&name](utf8proc_int32_t zero) {
    return std::ranges::any_of(name, [zero](utf8proc_int32_t c) { return c >= zero && c <= zero + 9; });
  };
  return any(0x0660) && any(0x06f0);
}

// The problem that characters are to each other; empty if there is none.
std::string problem_of_order(const std::vector<utf8proc_int32_t>& name) {
  if (is_mark(name.front())) return "begins with a mark, which belongs to a letter before it";
  if (mixes_arabic_digits(name)) return "mixes Arabic-Indic and extended Arabic-Indic digits";
  if (!keeps_bidi_rule(name)) return "mixes letters from left to right and from right to left (RFC 5893)";
  return {};
}

}  // namespace

std::string username_problem(std::string_view name) {
  if (name.empty()) return "is empty";
  if (name.size() > token::max_username_bytes) {
    return fmt::format("has more than {} bytes", token::max_username_bytes);
  }
  const auto characters = characters_of(name);
  if (!characters) return "is not UTF-8";
  if (auto problem = problem_of_characters(*characters); !problem.empty()) return problem;
  if (auto problem = problem_of_order(*characters); !problem.empty()) return problem;
  if (name.front() == ' ' || name.back() == ' ') return "begins or ends with a blank";
  if (name.find("  ") != std::string_view::npos) return "has two blanks in a row";
  if (mapped(name, composed) != name) return "is not in Unicode normal form C, in which é is one character";
  return {};
}

}  // namespace switchyard::auth
