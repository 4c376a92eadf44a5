// An amount of one currency, in whole minor units (100 with USD is one dollar). Never floating point.
//
// Amounts of different currencies are never equal, and cannot be ordered or added: ordering them is a bug and
// fails an assertion, adding them is an error. Plain value; safe to use from any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.hpp"
#include "base/error.hpp"
#include "money/currency.hpp"

namespace switchyard {

class Money {
 public:
  constexpr Money(std::int64_t minor, Currency currency) : minor_(minor), currency_(currency) {}

  constexpr std::int64_t minor() const { return minor_; }
  constexpr Currency currency() const { return currency_; }

  // Errors: invalid_argument for another currency, or for a result that does not fit 64 bits.
  Result<Money> add(Money other) const;
  Result<Money> subtract(Money other) const;

  // For people: "1.00 USD", "100 JPY", "0.001 BHD", "-0.05 EUR".
  std::string to_string() const;

  friend constexpr bool operator==(Money, Money) = default;
  friend constexpr std::strong_ordering operator<=>(Money left, Money right) {
    SWITCHYARD_ASSERT(left.currency_ == right.currency_);
    return left.minor_ <=> right.minor_;
  }

 private:
  std::int64_t minor_;
  Currency currency_;
};

// Minor units from canonical decimal digits: no sign, no space, no fraction, no leading zero except "0"
// itself. Error: invalid_argument, with a detail that says what is wrong ("starts with a zero") and does not
// repeat the text, which could be a card number.
Result<std::int64_t> parse_amount_minor(std::string_view digits);

}  // namespace switchyard
