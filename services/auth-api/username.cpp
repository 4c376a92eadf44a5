#include "auth-api/username.hpp"

#include <array>
#include <cstdlib>
#include <memory>

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

// RFC 8264, 9: LetterDigits, ASCII7, and the blank that RFC 8265 puts between parts.
bool is_allowed(utf8proc_int32_t character) {
  if (character >= 0x20 && character <= 0x7e) return true;
  if (utf8proc_get_property(character)->ignorable) return false;
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

// The problem that a single character is; empty if none is one.
std::string problem_of_characters(std::string_view name) {
  auto rest = name;
  while (!rest.empty()) {
    utf8proc_int32_t character = 0;
    const auto size = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(rest.data()),
                                       static_cast<utf8proc_ssize_t>(rest.size()), &character);
    if (size <= 0) return "is not UTF-8";
    const auto bytes = rest.substr(0, static_cast<std::size_t>(size));
    if (!is_allowed(character)) {
      return fmt::format(
          "holds the character U+{:04X}: letters, digits, visible ASCII and blanks are allowed", character);
    }
    if (mapped(bytes, compatible) != mapped(bytes, composed)) {
      return fmt::format("holds the character U+{:04X}, which is a variant of another one", character);
    }
    rest.remove_prefix(bytes.size());
  }
  return {};
}

}  // namespace

std::string username_problem(std::string_view name) {
  if (name.empty()) return "is empty";
  if (name.size() > token::max_username_bytes) {
    return fmt::format("has more than {} bytes", token::max_username_bytes);
  }
  if (auto problem = problem_of_characters(name); !problem.empty()) return problem;
  if (name.front() == ' ' || name.back() == ' ') return "begins or ends with a blank";
  if (name.find("  ") != std::string_view::npos) return "has two blanks in a row";
  if (mapped(name, composed) != name) return "is not in Unicode normal form C, in which é is one character";
  return {};
}

}  // namespace switchyard::auth
