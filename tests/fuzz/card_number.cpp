// The card guard: a search that tries each place and each form by itself is the oracle.
#include "money/card_number.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "fuzz/input.hpp"
#include "money/printable.hpp"

namespace switchyard::fuzz {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_alphanumeric(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Whether one of the schemes issues numbers of this length that begin so.
bool is_issued(const std::string& digits) {
  const auto size = digits.size();
  const auto begins = [&digits](std::size_t count) { return std::stoi(digits.substr(0, count)); };
  const auto between = [](int value, int least, int most) { return value >= least && value <= most; };
  if (begins(1) == 4) return size == 13 || size == 16 || size == 18 || size == 19;
  if (between(begins(2), 51, 55) || between(begins(4), 2221, 2720)) return size == 16;
  if (begins(2) == 34 || begins(2) == 37) return size == 15;
  if (between(begins(4), 3528, 3589)) return between(static_cast<int>(size), 16, 19);
  if (between(begins(3), 300, 305) || begins(2) == 36 || begins(2) == 38 || begins(2) == 39)
    return size == 14;
  return begins(2) == 50 || between(begins(2), 56, 58) || begins(1) == 6;
}

bool passes_luhn(const std::string& digits) {
  int sum = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const int digit = digits[digits.size() - 1 - i] - '0';
    const int twice = 2 * digit;
    sum += i % 2 == 0 ? digit : twice / 10 + twice % 10;
  }
  return sum % 10 == 0;
}

std::vector<std::string> forms() {
  std::vector<std::string> forms;
  for (std::size_t digits = 13; digits <= 19; ++digits) forms.emplace_back(digits, 'd');
  for (const char separator : {' ', '-'}) {
    for (std::string form :
         {"dddd_dddd_dddd_dddd_ddd", "dddd_dddd_dddd_dddd", "dddd_dddddd_ddddd", "dddd_dddddd_dddd"}) {
      std::ranges::replace(form, '_', separator);
      forms.push_back(form);
    }
  }
  return forms;
}

bool is_card_number(std::string_view text, const std::string& form) {
  if (text.size() < form.size()) return false;
  std::string digits;
  for (std::size_t i = 0; i < form.size(); ++i) {
    if (form[i] == 'd' ? !is_digit(text[i]) : text[i] != form[i]) return false;
    if (form[i] == 'd') digits += text[i];
  }
  if (text.size() > form.size() && is_alphanumeric(text[form.size()])) return false;
  return is_issued(digits) && passes_luhn(digits);
}

bool contains(std::string_view text) {
  static const auto all_forms = forms();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!is_digit(text[i]) || (i > 0 && is_alphanumeric(text[i - 1]))) continue;
    for (const auto& form : all_forms) {
      if (is_card_number(text.substr(i), form)) return true;
    }
  }
  return false;
}

}  // namespace

void check(Input input) {
  const auto text = input.rest();
  const bool found = contains_card_number(text);
  SWITCHYARD_ASSERT(found == contains(text));

  const auto redacted = redact_card_numbers(text);
  SWITCHYARD_ASSERT(found == (redacted != text));
  SWITCHYARD_ASSERT(redacted.size() <= text.size());
  SWITCHYARD_ASSERT(!contains(redacted) && redact_card_numbers(redacted) == redacted);

  // Wherever it is cut off.
  for (const auto bytes_max : {text.size() / 3, text.size() / 2, std::size_t{20}, std::size_t{40}}) {
    const auto shown = printable(text, bytes_max);
    SWITCHYARD_ASSERT(shown.size() <= bytes_max && !contains(shown));
  }
}

}  // namespace switchyard::fuzz
