#include "psp/adyen/amounts.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace switchyard::psp::adyen {
namespace {

constexpr int usual_digits = 2;

std::optional<int> digits_of(Currency currency) {
  const auto found = std::ranges::find(adyen_decimals, currency.code(), &Decimals::currency);
  if (found != adyen_decimals.end()) return found->digits;
  if (currency.minor_unit_digits() != usual_digits) return std::nullopt;
  return usual_digits;
}

// The number with so many decimals more, or less. Nothing if that leaves a rest or does not fit.
std::optional<std::int64_t> with_decimals(std::int64_t number, int more) {
  for (; more > 0; --more) {
    if (__builtin_mul_overflow(number, 10, &number)) return std::nullopt;
  }
  for (; more < 0; ++more) {
    if (number % 10 != 0) return std::nullopt;
    number /= 10;
  }
  return number;
}

}  // namespace

std::expected<std::int64_t, std::string> to_adyen(Money amount) {
  const auto digits = digits_of(amount.currency());
  if (!digits) {
    return std::unexpected(
        fmt::format("Adyen's list of currencies does not have {}", amount.currency().code()));
  }
  const auto value = with_decimals(amount.minor(), *digits - amount.currency().minor_unit_digits());
  if (!value) {
    return std::unexpected(fmt::format("{} cannot be asked of Adyen, which counts {} with {} decimals",
                                       amount.to_string(), amount.currency().code(), *digits));
  }
  return *value;
}

std::optional<Money> from_adyen(std::int64_t value, std::string_view currency) {
  const auto ours = Currency::parse_stored(currency);
  if (!ours) return std::nullopt;
  const auto digits = digits_of(*ours);
  if (!digits) return std::nullopt;
  const auto minor = with_decimals(value, ours->minor_unit_digits() - *digits);
  if (!minor) return std::nullopt;
  return Money(*minor, *ours);
}

}  // namespace switchyard::psp::adyen
