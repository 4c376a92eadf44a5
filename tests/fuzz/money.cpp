// Money: 128 bits are the oracle of its arithmetic, the table read from its beginning that of its currencies.
#include "money/money.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>

#include "fuzz/input.hpp"
#include "money/currency_table.hpp"

namespace switchyard::fuzz {
namespace {

__extension__ using Wide = __int128;

constexpr Wide least = std::numeric_limits<std::int64_t>::min();
constexpr Wide most = std::numeric_limits<std::int64_t>::max();

Currency currency_of(std::size_t row) {
  const auto currency = Currency::parse(currency_table[row % currency_table.size()].code());
  SWITCHYARD_ASSERT(currency.has_value());
  return *currency;
}

void check_sum(const Result<Money>& sum, Wide expected, Money left, Money right) {
  const bool possible = left.currency() == right.currency() && expected >= least && expected <= most;
  SWITCHYARD_ASSERT(sum.has_value() == possible);
  if (!possible) {
    SWITCHYARD_ASSERT(sum.error().code == ErrorCode::invalid_argument);
    return;
  }
  SWITCHYARD_ASSERT(sum->minor() == expected && sum->currency() == left.currency());
}

// The digits of "-12.345 BHD" are the minor units, with as many behind the point as the currency has.
void check_text(Money money) {
  auto text = money.to_string();
  SWITCHYARD_ASSERT(text.ends_with(money.currency().code()) && text[text.size() - 4] == ' ');
  text.resize(text.size() - 4);
  const bool negative = text.starts_with('-');
  SWITCHYARD_ASSERT(negative == (money.minor() < 0));
  if (negative) text.erase(0, 1);
  const auto digits = static_cast<std::size_t>(money.currency().minor_unit_digits());
  if (digits > 0) {
    SWITCHYARD_ASSERT(text.size() >= digits + 2 && text[text.size() - digits - 1] == '.');
    text.erase(text.size() - digits - 1, 1);
  }
  Wide value = 0;
  for (const char c : text) {
    SWITCHYARD_ASSERT(c >= '0' && c <= '9');
    value = value * 10 + (c - '0');
  }
  SWITCHYARD_ASSERT((negative ? -value : value) == money.minor());
}

void check_amount(std::string_view text) {
  const bool digits = !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  const bool canonical = digits && (text == "0" || text.front() != '0');
  Wide value = 0;
  for (const char c : text.substr(0, 20)) value = value * 10 + (c - '0');
  const bool fits = text.size() <= 19 && value <= most;

  const auto parsed = parse_amount_minor(text);
  SWITCHYARD_ASSERT(parsed.has_value() == (canonical && fits));
  if (parsed) SWITCHYARD_ASSERT(*parsed == value && std::to_string(*parsed) == text);
  // A text of digits may be a card number.
  if (!parsed) SWITCHYARD_ASSERT(!digits || parsed.error().detail.find(text) == std::string::npos);
}

void check_currency(std::string_view text) {
  const auto row = std::ranges::find_if(currency_table, [text](const auto& r) { return r.code() == text; });
  const auto currency = Currency::parse(text);
  SWITCHYARD_ASSERT(currency.has_value() == (row != currency_table.end()));
  if (!currency) return;
  SWITCHYARD_ASSERT(currency->code() == text && currency->minor_unit_digits() == row->minor_unit_digits);
}

}  // namespace

void check(Input input) {
  const auto row = input.number<std::uint8_t>();
  const auto other_row = input.number<std::uint8_t>() % 8 == 0 ? row + 1U : row;
  const Money left(input.number<std::int64_t>(), currency_of(row));
  const Money right(input.number<std::int64_t>(), currency_of(other_row));
  check_sum(left.add(right), Wide{left.minor()} + right.minor(), left, right);
  check_sum(left.subtract(right), Wide{left.minor()} - right.minor(), left, right);
  check_text(left);

  const auto text = input.rest();
  check_amount(text);
  check_currency(text);
}

}  // namespace switchyard::fuzz
