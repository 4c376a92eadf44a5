#include "switchyard/psp_text.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "switchyard/times.hpp"

namespace switchyard::cli {
namespace {

constexpr std::size_t columns = 10;
// Numbers stand at the right of theirs.
constexpr std::size_t first_number = 4;
constexpr std::size_t last_error = columns - 1;

using TableRow = std::array<std::string, columns>;

TableRow head() {
  return {"ACCOUNT",   "ADAPTER",  "SECRETS", "BREAKER", "ATTEMPTS",
          "SUCCEEDED", "DECLINED", "UNKNOWN", "FAILED",  "LAST ERROR"};
}

std::string breaker_text(const std::optional<routing::BreakerState>& breaker, bool has_breakers) {
  if (!has_breakers) return "none";
  if (!breaker) return "unknown";
  std::string text(routing::to_string(*breaker));
  std::ranges::replace(text, '_', ' ');
  return text;
}

TableRow row_of(const PspRow& row, bool has_breakers) {
  const auto& rates = row.rates;
  const auto attempts = rates.attempts();
  return {
      row.name,
      std::string(routing::to_string(row.adapter)),
      row.missing.empty() ? "complete" : "MISSING",
      breaker_text(row.breaker, has_breakers),
      fmt::format("{}", attempts),
      percent_text(rates.succeeded, attempts),
      percent_text(rates.declined, attempts),
      percent_text(rates.unknown, attempts),
      percent_text(rates.failed, attempts),
      rates.last_error ? fmt::format("{} {}", time_text(rates.last_error->at), rates.last_error->text) : "-"};
}

std::vector<std::string> aligned(const std::vector<TableRow>& table) {
  std::array<std::size_t, columns> widths{};
  for (const auto& row : table) {
    for (std::size_t i = 0; i < columns; ++i) widths.at(i) = std::max(widths.at(i), row.at(i).size());
  }
  std::vector<std::string> lines;
  for (const auto& row : table) {
    std::string line;
    for (std::size_t i = 0; i < last_error; ++i) {
      line += i < first_number ? fmt::format("{:<{}}  ", row.at(i), widths.at(i))
                               : fmt::format("{:>{}}  ", row.at(i), widths.at(i));
    }
    lines.push_back(line + row.at(last_error));
  }
  return lines;
}

std::string rates_text(const PspList& list) {
  const auto payments = fmt::format("{} payment{}", list.payments, list.payments == 1 ? "" : "s");
  if (list.cut_off_at) {
    return fmt::format("rates: of the newest {}, made since {}; there are more since {}", payments,
                       time_text(*list.cut_off_at), time_text(list.since));
  }
  return fmt::format("rates: of {}, all that were made since {}", payments, time_text(list.since));
}

}  // namespace

std::vector<std::string> lines_of(const PspList& list) {
  std::vector<TableRow> table{head()};
  for (const auto& row : list.rows) table.push_back(row_of(row, list.has_breakers));
  auto lines = aligned(table);
  lines.push_back(rates_text(list));
  if (list.elsewhere > 0) {
    lines.push_back(fmt::format("{} attempts were at accounts that are not in the list", list.elsewhere));
  }
  if (!list.breaker_unknown.empty()) {
    lines.push_back(fmt::format("breaker: unknown: {}", list.breaker_unknown));
  }
  for (const auto& row : list.rows) {
    if (!row.missing.empty()) lines.push_back(fmt::format("{}: {}", row.name, row.missing));
  }
  return lines;
}

std::optional<routing::BreakerState> breaker_in(std::string_view metrics, std::string_view open,
                                                std::string_view half_open, std::string_view account) {
  const auto value_of = [&](std::string_view gauge) -> std::optional<bool> {
    const auto series = fmt::format("\n{}{{psp=\"{}\"}} ", gauge, account);
    const auto at = metrics.find(series);
    if (at == std::string_view::npos) return std::nullopt;
    return metrics.substr(at + series.size()).starts_with('1');
  };
  const auto is_open = value_of(open);
  if (!is_open) return std::nullopt;
  if (!*is_open) return routing::BreakerState::closed;
  return value_of(half_open).value_or(false) ? routing::BreakerState::half_open : routing::BreakerState::open;
}

}  // namespace switchyard::cli
