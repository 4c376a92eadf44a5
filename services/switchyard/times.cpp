#include "switchyard/times.hpp"

#include "core-api/rfc3339.hpp"

namespace switchyard::cli {

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

}  // namespace switchyard::cli
