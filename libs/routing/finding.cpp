#include "routing/finding.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/ascii.hpp"
#include "base/hex.hpp"
#include "money/printable.hpp"

namespace switchyard::routing {
namespace {

constexpr std::size_t quoted_bytes_max = 64;

// As a key of an API or a webhook begins, and how many letters and digits follow at least.
struct SecretStart {
  std::string_view start;
  std::size_t rest_min;
};
constexpr auto secret_starts = std::to_array<SecretStart>({
    {"sk_live_", 1},
    {"sk_test_", 1},
    {"rk_live_", 1},
    {"rk_test_", 1},
    {"whsec_", 8},
    {"AQE", 24},
});

bool holds(std::string_view text, const SecretStart& secret) {
  for (auto found = text.find(secret.start); found != std::string_view::npos;
       found = text.find(secret.start, found + 1)) {
    const auto rest = text.substr(found + secret.start.size());
    const auto end = std::ranges::find_if_not(rest, is_alphanumeric);
    if (end - rest.begin() >= static_cast<std::ptrdiff_t>(secret.rest_min)) return true;
  }
  return false;
}

// 64 hexadecimal digits in a row, and no more: an HMAC key.
bool holds_hmac_key(std::string_view text) {
  std::size_t digits = 0;
  for (const char c : text) {
    if (is_hex_digit(c)) {
      ++digits;
    } else if (digits == 64) {
      return true;
    } else {
      digits = 0;
    }
  }
  return digits == 64;
}

}  // namespace

std::string to_string(const Finding& finding) {
  return fmt::format("line {}, column {}: {}; {}", finding.at.line, finding.at.column, finding.wrong,
                     finding.right);
}

void Findings::add(Position at, std::string wrong, std::string right) {
  if (found_.size() < findings_max) {
    found_.insert(std::ranges::upper_bound(found_, at, {}, &Finding::at),
                  {at, std::move(wrong), std::move(right)});
  } else {
    ++left_out_;
  }
}

std::vector<Finding> Findings::take() {
  if (left_out_ > 0) {
    found_.push_back({found_.back().at, fmt::format("and {} more", left_out_), "mend those above first"});
  }
  return std::exchange(found_, {});
}

std::string quoted(std::string_view text) {
  if (looks_like_secret(text)) return "(a secret, not repeated here)";
  return fmt::format("'{}'", printable(text, quoted_bytes_max));
}

bool looks_like_secret(std::string_view text) {
  return std::ranges::any_of(secret_starts, [text](const auto& secret) { return holds(text, secret); }) ||
         holds_hmac_key(text);
}

}  // namespace switchyard::routing
