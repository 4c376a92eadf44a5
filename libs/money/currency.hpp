// A currency of ISO 4217 that has a minor unit, so that an amount in it can be a whole number.
//
// Two bytes, copied freely, always valid: there is no empty Currency, use std::optional. Order is the order
// of the codes. Nothing here allocates or throws; safe to use from any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>

namespace switchyard {

class Currency {
 public:
  // For what comes in: exactly three upper-case letters of a current code. Lower case, withdrawn codes and
  // codes without a minor unit (XAU, XTS, XXX ...) give no Currency.
  static std::optional<Currency> parse(std::string_view text);
  // For what was accepted once and is read again: also codes that ISO 4217 has withdrawn since (BGN).
  static std::optional<Currency> parse_stored(std::string_view text);

  // Whether parse() takes it; false for one that was withdrawn.
  bool is_current() const;
  // Three letters, valid for the life of the program.
  std::string_view code() const;

  // Digits after the decimal point: 2 for USD, 0 for JPY, 3 for BHD.
  int minor_unit_digits() const;

  friend constexpr auto operator<=>(Currency, Currency) = default;

 private:
  explicit constexpr Currency(std::uint16_t row) : row_(row) {}

  // Of all_currencies in currency_table.hpp, which is sorted by code.
  std::uint16_t row_;
};

}  // namespace switchyard
