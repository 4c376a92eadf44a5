#include "switchyard/times.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "core-api/rfc3339.hpp"

namespace switchyard::cli {
std::string time_text(Timestamp time) {
  constexpr std::chrono::sys_days first = std::chrono::year(0) / 1 / 1;
  constexpr std::chrono::sys_days end = std::chrono::year(10'000) / 1 / 1;
  time = std::clamp<Timestamp>(time, first, end - std::chrono::milliseconds(1));
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

std::optional<Timestamp> parse_moment(std::string_view text) {
  constexpr std::size_t date_size = std::string_view("2026-11-22").size();
  if (text.size() == date_size) return core::parse_time(std::string(text) + "T00:00:00Z");
  return core::parse_time(text);
}

}  // namespace switchyard::cli
