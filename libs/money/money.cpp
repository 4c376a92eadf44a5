#include "money/money.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/ascii.hpp"

namespace switchyard {
namespace {

std::unexpected<Error> different_currencies(Money left, Money right) {
  return fail(ErrorCode::invalid_argument, fmt::format("amounts of different currencies, {} and {}",
                                                       left.currency().code(), right.currency().code()));
}

std::unexpected<Error> out_of_range() {
  return fail(ErrorCode::invalid_argument, "the resulting amount does not fit 64 bits");
}

}  // namespace

Result<Money> Money::add(Money other) const {
  if (currency_ != other.currency_) return different_currencies(*this, other);
  std::int64_t sum = 0;
  if (__builtin_add_overflow(minor_, other.minor_, &sum)) return out_of_range();
  return Money(sum, currency_);
}

Result<Money> Money::subtract(Money other) const {
  if (currency_ != other.currency_) return different_currencies(*this, other);
  std::int64_t difference = 0;
  if (__builtin_sub_overflow(minor_, other.minor_, &difference)) return out_of_range();
  return Money(difference, currency_);
}

std::string Money::to_string() const {
  // The magnitude of the smallest std::int64_t fits only the unsigned type.
  const auto bits = static_cast<std::uint64_t>(minor_);
  const std::uint64_t magnitude = minor_ < 0 ? 0 - bits : bits;
  const auto fraction = static_cast<std::size_t>(currency_.minor_unit_digits());

  std::string digits = fmt::format("{:0>{}}", magnitude, fraction + 1);
  if (fraction > 0) digits.insert(digits.size() - fraction, 1, '.');
  return fmt::format("{}{} {}", minor_ < 0 ? "-" : "", digits, currency_.code());
}

Result<std::int64_t> parse_amount_minor(std::string_view digits) {
  if (digits.empty()) return fail(ErrorCode::invalid_argument, "is empty");
  if (!std::ranges::all_of(digits, is_digit)) {
    return fail(ErrorCode::invalid_argument, "is not a whole number of minor units: decimal digits only");
  }
  if (digits.size() > 1 && digits.front() == '0') {
    return fail(ErrorCode::invalid_argument, "starts with a zero");
  }
  std::int64_t minor = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), minor);
  if (parsed.ec != std::errc{}) return fail(ErrorCode::invalid_argument, "is too large");
  return minor;
}

}  // namespace switchyard
