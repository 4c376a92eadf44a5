// Adyen's own minor units, which are not those of ISO 4217 in every currency.
//
// Source: Adyen, Development resources, "Currency codes and minor units", whose table is leading for CLP,
// CVE, IDR and ISK. It lists no BIF, CLF, UYI and UYW, which have other than two decimals in ISO 4217: they
// are refused rather than guessed.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "money/money.hpp"

namespace switchyard::psp::adyen {

struct Decimals {
  std::string_view currency;
  int digits;
};

// Each currency in which Adyen counts with other than two decimals, or with two where ISO 4217 does not. Any
// other one has two with both. Sorted.
inline constexpr auto adyen_decimals = std::to_array<Decimals>({
    {"BHD", 3}, {"CLP", 2}, {"CVE", 0}, {"DJF", 0}, {"GNF", 0}, {"IDR", 0}, {"IQD", 3}, {"ISK", 2},
    {"JOD", 3}, {"JPY", 0}, {"KMF", 0}, {"KRW", 0}, {"KWD", 3}, {"LYD", 3}, {"OMR", 3}, {"PYG", 0},
    {"RWF", 0}, {"TND", 3}, {"UGX", 0}, {"VND", 0}, {"VUV", 0}, {"XAF", 0}, {"XOF", 0}, {"XPF", 0},
});

// The amount's "value". The error says why Adyen cannot be asked for it, in words for people: its currency is
// not in Adyen's table, the amount is no whole number of Adyen's minor units, or too large.
std::expected<std::int64_t, std::string> to_adyen(Money amount);

// Nothing if it is no amount of ours: no currency, or a part of our minor unit.
std::optional<Money> from_adyen(std::int64_t value, std::string_view currency);

}  // namespace switchyard::psp::adyen
