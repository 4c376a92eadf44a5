#include "money/currency.hpp"

#include <algorithm>

#include "money/currency_table.hpp"

namespace switchyard {
namespace {

struct StoredCurrency {
  char letters[4];
  std::uint8_t minor_unit_digits;
  bool is_current;

  constexpr std::string_view code() const { return {letters, 3}; }
};

constexpr auto all_currencies = [] {
  std::array<StoredCurrency, currency_table.size() + withdrawn_table.size()> all{};
  auto next = all.begin();
  for (const auto& [code, numeric, digits] : currency_table) {
    *next++ = {{code[0], code[1], code[2], 0}, digits, true};
  }
  for (const auto& [code, digits] : withdrawn_table) {
    *next++ = {{code[0], code[1], code[2], 0}, digits, false};
  }
  std::ranges::sort(all, {}, &StoredCurrency::code);
  return all;
}();

static_assert(std::ranges::adjacent_find(all_currencies, {}, &StoredCurrency::code) == all_currencies.end());

}  // namespace

std::optional<Currency> Currency::parse_stored(std::string_view text) {
  const auto row = std::ranges::lower_bound(all_currencies, text, {}, &StoredCurrency::code);
  if (row == all_currencies.end() || row->code() != text) return std::nullopt;
  return Currency(static_cast<std::uint16_t>(row - all_currencies.begin()));
}

std::optional<Currency> Currency::parse(std::string_view text) {
  const auto stored = parse_stored(text);
  return stored && stored->is_current() ? stored : std::nullopt;
}

bool Currency::is_current() const {
  return all_currencies[row_].is_current;
}

std::string_view Currency::code() const {
  return all_currencies[row_].code();
}

int Currency::minor_unit_digits() const {
  return all_currencies[row_].minor_unit_digits;
}

}  // namespace switchyard
