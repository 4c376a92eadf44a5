#include "psp/stripe/amounts.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace switchyard::psp::stripe {
namespace {

struct Unit {
  int digits;
  int zeros;
};

std::optional<Unit> unit_of(Currency currency) {
  const auto row = std::ranges::find(unit_table, currency.code(), &UnitRow::currency);
  if (row != unit_table.end()) return Unit{row->digits, row->zeros};
  if (currency.minor_unit_digits() == 2) return Unit{2, 0};
  return std::nullopt;
}

constexpr std::int64_t power_of_ten(int exponent) {
  std::int64_t power = 1;
  for (int i = 0; i < exponent; ++i) power *= 10;
  return power;
}

// From so many digits after the point to so many; nothing if a digit that is not 0 would get lost, or it does
// not fit.
std::optional<std::int64_t> moved_point(std::int64_t value, int from, int to) {
  if (from >= to) {
    const auto divisor = power_of_ten(from - to);
    if (value % divisor != 0) return std::nullopt;
    return value / divisor;
  }
  std::int64_t moved = 0;
  if (__builtin_mul_overflow(value, power_of_ten(to - from), &moved)) return std::nullopt;
  return moved;
}

std::string in_case(std::string_view text, char from, char to) {
  std::string changed(text);
  for (char& letter : changed) {
    if (letter >= from && letter < from + 26) letter = static_cast<char>(letter - from + to);
  }
  return changed;
}

std::unexpected<payment::Rejected> refuse(Money money, std::string_view why) {
  return std::unexpected(payment::Rejected{fmt::format("Stripe cannot take {}: {}", money.to_string(), why)});
}

}  // namespace

std::expected<Amount, payment::Rejected> to_stripe(Money money) {
  const auto currency = money.currency();
  if (money.minor() <= 0) return refuse(money, "it is not above zero");
  const auto unit = unit_of(currency);
  if (!unit) return refuse(money, "it is not known how Stripe counts this currency");
  const auto value = moved_point(money.minor(), currency.minor_unit_digits(), unit->digits);
  if (!value && unit->digits < currency.minor_unit_digits()) {
    return refuse(money, "Stripe counts this currency without decimals");
  }
  if (!value || *value > amount_max) return refuse(money, "it has more than 12 digits");
  if (*value % power_of_ten(unit->zeros) != 0) {
    return refuse(money, "of this currency's three decimals the last must be 0");
  }
  return Amount{*value, in_case(currency.code(), 'A', 'a')};
}

std::optional<Money> from_stripe(std::int64_t value, std::string_view currency) {
  const auto parsed = Currency::parse_stored(in_case(currency, 'a', 'A'));
  // Stripe writes it in lower case; another way of writing it is none of Stripe's.
  if (!parsed || in_case(currency, 'A', 'a') != currency) return std::nullopt;
  const auto unit = unit_of(*parsed);
  if (!unit) return std::nullopt;
  const auto minor = moved_point(value, unit->digits, parsed->minor_unit_digits());
  if (!minor) return std::nullopt;
  return Money(*minor, *parsed);
}

}  // namespace switchyard::psp::stripe
