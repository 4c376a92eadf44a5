// The conditions of a rule.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "routing/document.hpp"
#include "routing/finding.hpp"
#include "routing/routes.hpp"

namespace switchyard::routing {

When read_when(const Value& value, Findings& findings);

// "sun" to "sat"; nothing: it is neither.
std::optional<unsigned> parse_weekday(std::string_view text);
std::string_view weekday_name(unsigned weekday);

// "22:00-06:00".
std::optional<TimeRange> parse_time_range(std::string_view text);
std::string to_string(const TimeRange& range);

}  // namespace switchyard::routing
