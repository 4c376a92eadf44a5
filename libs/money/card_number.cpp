#include "money/card_number.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/ascii.hpp"

namespace switchyard {
namespace {

constexpr std::size_t min_digits = 13;
constexpr std::size_t max_digits = 19;
// The first group of every printed form.
constexpr std::size_t first_group_digits = 4;
constexpr std::string_view replacement = "[card number]";

// A bit for each permitted count of digits.
using Lengths = std::uint32_t;
template <class... Counts>
constexpr Lengths lengths(Counts... counts) {
  return ((Lengths{1} << counts) | ...);
}
constexpr Lengths up_to_19_from(unsigned least) {
  return ((Lengths{1} << 20) - 1) & ~((Lengths{1} << least) - 1);
}

// The first six digits (the issuer identification number, padded with 0 or 9) and the scheme's lengths.
struct Scheme {
  std::uint32_t first;
  std::uint32_t last;
  Lengths lengths;
};

constexpr std::array<Scheme, 12> schemes = {{
    {400000, 499999, lengths(13, 16, 18, 19)},  // Visa
    {510000, 559999, lengths(16)},              // Mastercard
    {222100, 272099, lengths(16)},              // Mastercard, since 2017
    {340000, 349999, lengths(15)},              // American Express
    {370000, 379999, lengths(15)},              // American Express
    {352800, 358999, up_to_19_from(16)},        // JCB
    {300000, 305999, lengths(14)},              // Diners Club
    {360000, 369999, lengths(14)},              // Diners Club
    {380000, 399999, lengths(14)},              // Diners Club
    {500000, 509999, up_to_19_from(13)},        // Maestro
    {560000, 589999, up_to_19_from(13)},        // Maestro
    // Maestro again; Discover (6011, 622126-622925, 644-659) and UnionPay (62) lie within.
    {600000, 699999, up_to_19_from(13)},
}};

bool is_of_a_scheme(std::string_view digits) {
  std::uint32_t prefix = 0;
  for (const char c : digits.substr(0, 6)) prefix = prefix * 10 + static_cast<std::uint32_t>(c - '0');
  for (const Scheme& scheme : schemes) {
    if (prefix >= scheme.first && prefix <= scheme.last && (scheme.lengths >> digits.size() & 1) != 0)
      return true;
  }
  return false;
}

bool passes_luhn(std::string_view digits) {
  int sum = 0;
  bool doubled = false;
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit, doubled = !doubled) {
    const int value = (*digit - '0') * (doubled ? 2 : 1);
    sum += value > 9 ? value - 9 : value;
  }
  return sum % 10 == 0;
}

bool is_card_number(std::string_view digits) {
  return is_of_a_scheme(digits) && passes_luhn(digits);
}

struct Hit {
  std::size_t begin;
  std::size_t end;
};

constexpr std::array<std::uint8_t, 5> groups_of_19 = {4, 4, 4, 4, 3};
constexpr std::array<std::uint8_t, 4> groups_of_16 = {4, 4, 4, 4};
constexpr std::array<std::uint8_t, 3> groups_of_15 = {4, 6, 5};
constexpr std::array<std::uint8_t, 3> groups_of_14 = {4, 6, 4};
// Longest first, so that redaction leaves no group behind.
constexpr std::array<std::span<const std::uint8_t>, 4> printed_forms = {groups_of_19, groups_of_16,
                                                                        groups_of_15, groups_of_14};

// The end of the card number printed in `groups` from `begin` on; `text[begin + 4]` is a separator.
std::optional<std::size_t> match_groups(std::string_view text, std::size_t begin,
                                        std::span<const std::uint8_t> groups) {
  const char separator = text[begin + first_group_digits];
  std::array<char, max_digits> digits{};
  std::size_t count = 0;
  std::size_t at = begin;
  for (std::size_t group = 0; group < groups.size(); ++group) {
    if (group > 0) {
      if (at == text.size() || text[at] != separator) return std::nullopt;
      ++at;
    }
    for (std::uint8_t i = 0; i < groups[group]; ++i, ++at) {
      if (at >= text.size() || !is_digit(text[at])) return std::nullopt;
      digits[count++] = text[at];
    }
  }
  if (at < text.size() && is_alphanumeric(text[at])) return std::nullopt;
  if (!is_card_number({digits.data(), count})) return std::nullopt;
  return at;
}

// The end of the card number that begins with the digits [begin, end), which no letter or digit adjoins.
std::optional<std::size_t> match_at(std::string_view text, std::size_t begin, std::size_t end) {
  const std::size_t count = end - begin;
  if (count >= min_digits && count <= max_digits && is_card_number(text.substr(begin, count))) return end;
  if (count != first_group_digits || end == text.size()) return std::nullopt;
  if (text[end] != ' ' && text[end] != '-') return std::nullopt;
  for (const auto groups : printed_forms) {
    if (const auto matched = match_groups(text, begin, groups)) return matched;
  }
  return std::nullopt;
}

// The first card number that begins at or after `from`; no digit stands directly before `from`.
std::optional<Hit> find_card_number(std::string_view text, std::size_t from) {
  // Every form begins with at least four digits, so one of them is seen when looking at each fourth byte.
  std::size_t at = from + first_group_digits - 1;
  while (at < text.size()) {
    if (!is_digit(text[at])) {
      at += first_group_digits;
      continue;
    }
    std::size_t begin = at;
    while (begin > from && is_digit(text[begin - 1])) --begin;
    std::size_t end = at + 1;
    while (end < text.size() && is_digit(text[end])) ++end;

    const bool stands_alone = (begin == 0 || !is_alphanumeric(text[begin - 1])) &&
                              (end == text.size() || !is_alphanumeric(text[end]));
    if (stands_alone) {
      if (const auto matched = match_at(text, begin, end)) return Hit{begin, *matched};
    }
    at = end + first_group_digits;
  }
  return std::nullopt;
}

}  // namespace

bool contains_card_number(std::string_view text) {
  return find_card_number(text, 0).has_value();
}

std::string redact_card_numbers(std::string_view text) {
  std::string redacted;
  std::size_t copied = 0;
  while (const auto hit = find_card_number(text, copied)) {
    redacted.append(text.substr(copied, hit->begin - copied)).append(replacement);
    copied = hit->end;
  }
  return redacted.append(text.substr(copied));
}

}  // namespace switchyard
