#include "switchyard/times.hpp"

#include <charconv>
#include <utility>

#include "core-api/rfc3339.hpp"

namespace switchyard::cli {
namespace {

std::optional<std::chrono::minutes> unit_of(char letter) {
  if (letter == 'd') return std::chrono::days(1);
  if (letter == 'h') return std::chrono::hours(1);
  return letter == 'm' ? std::optional(std::chrono::minutes(1)) : std::nullopt;
}

}  // namespace

std::string time_text(Timestamp time) {
  std::string text;
  core::append_time(text, time);
  return text;
}

std::optional<Timestamp> parse_moment(std::string_view text) {
  constexpr std::size_t date_size = std::string_view("2026-11-22").size();
  if (text.size() == date_size) return core::parse_any_time(std::string(text) + "T00:00:00Z");
  return core::parse_any_time(text);
}

std::optional<Timestamp> parse_since(std::string_view text, Timestamp now) {
  if (const auto moment = parse_moment(text)) return moment;
  if (text.empty()) return std::nullopt;
  constexpr std::int64_t count_max = 1'000'000;
  const auto unit = unit_of(text.back());
  const auto digits = text.substr(0, text.size() - 1);
  const auto [begin, end] = std::pair(digits.data(), digits.data() + digits.size());
  std::int64_t count = 0;
  const auto [stopped, error] = std::from_chars(begin, end, count);
  if (!unit || error != std::errc() || stopped != end || count < 1 || count > count_max) return std::nullopt;
  return now - count * *unit;
}

}  // namespace switchyard::cli
