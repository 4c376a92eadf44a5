#include "psp/adyen/answer_headers.hpp"

#include <algorithm>
#include <string_view>

namespace switchyard::psp::adyen {
namespace {

constexpr std::string_view blanks = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

bool equals_ignoring_case(std::string_view left, std::string_view right) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(left, right, {}, lower, lower);
}

}  // namespace

AnswerHeaders read_headers(std::span<const std::string> lines) {
  AnswerHeaders headers{.are_known = !lines.empty()};
  for (const std::string_view line : lines) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const auto name = trimmed(line.substr(0, colon));
    const auto value = trimmed(line.substr(colon + 1));
    if (equals_ignoring_case(name, "idempotency-key")) headers.idempotency_key = value;
    if (equals_ignoring_case(name, "transient-error")) {
      headers.is_transient = equals_ignoring_case(value, "true");
    }
  }
  return headers;
}

}  // namespace switchyard::psp::adyen
