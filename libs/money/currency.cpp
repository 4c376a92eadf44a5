#include "money/currency.hpp"

#include <algorithm>
#include <limits>

#include "money/currency_table.hpp"

namespace switchyard {

static_assert(std::ranges::is_sorted(currency_table, {}, &CurrencyRow::code));
static_assert(currency_table.size() <= std::numeric_limits<std::uint8_t>::max());

std::optional<Currency> Currency::parse(std::string_view text) {
  const auto row = std::ranges::lower_bound(currency_table, text, {}, &CurrencyRow::code);
  if (row == currency_table.end() || row->code() != text) return std::nullopt;
  return Currency(static_cast<std::uint8_t>(row - currency_table.begin()));
}

std::string_view Currency::code() const {
  return currency_table[row_].code();
}

int Currency::minor_unit_digits() const {
  return currency_table[row_].minor_unit_digits;
}

}  // namespace switchyard
