// Money as Stripe counts it: a whole number, and the currency's code in lower case. Pure.
//
// Stripe's unit is not always that of ISO 4217 (Stripe documentation, "Supported currencies": zero-decimal
// currencies, special cases, three-decimal currencies):
//  - MGA has two decimals in ISO 4217 and none at Stripe;
//  - ISK and UGX have none in ISO 4217, and two at Stripe, which must be 00;
//  - of three decimals the last must be 0.
// A currency whose unit at Stripe is not known is not sent: it could be wrong by a power of ten.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "money/money.hpp"
#include "payment/answer.hpp"

namespace switchyard::psp::stripe {

struct UnitRow {
  std::string_view currency;
  // After the decimal point, and how many of them must be zero.
  int digits;
  int zeros;
};

// What is not here has two decimals at Stripe if it has two in ISO 4217, and else is not known.
// clang-format off
inline constexpr auto unit_table = std::to_array<UnitRow>({
    {"BHD", 3, 1}, {"BIF", 0, 0}, {"CLP", 0, 0}, {"DJF", 0, 0}, {"GNF", 0, 0}, {"ISK", 2, 2}, {"JOD", 3, 1},
    {"JPY", 0, 0}, {"KMF", 0, 0}, {"KRW", 0, 0}, {"KWD", 3, 1}, {"MGA", 0, 0}, {"OMR", 3, 1}, {"PYG", 0, 0},
    {"RWF", 0, 0}, {"TND", 3, 1}, {"UGX", 2, 2}, {"VND", 0, 0}, {"VUV", 0, 0}, {"XAF", 0, 0}, {"XOF", 0, 0},
    {"XPF", 0, 0},
});
// clang-format on

// Stripe API reference, PaymentIntent object, amount: the most that any card's network takes.
inline constexpr std::int64_t amount_max = 999'999'999'999;

struct Amount {
  std::int64_t value = 0;
  std::string currency{};
};

// Rejected: an amount that Stripe does not take, or a currency of which it is not known how it counts it.
std::expected<Amount, payment::Rejected> to_stripe(Money money);

// Nothing if it is no currency in lower case, or not a whole number of its minor units.
std::optional<Money> from_stripe(std::int64_t value, std::string_view currency);

}  // namespace switchyard::psp::stripe
