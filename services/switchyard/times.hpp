// Times as people type and read them: RFC 3339, UTC. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace switchyard::cli {

// "2026-11-22T15:37:32.815Z"
std::string time_text(Timestamp time);

// A date such as "2026-11-22", which is its first moment in UTC, or a time as core::parse_any_time() takes
// it, of whatever year. Nothing if it is neither.
std::optional<Timestamp> parse_moment(std::string_view text);

// The same, or how long ago: "90d", "12h", "30m".
std::optional<Timestamp> parse_since(std::string_view text, Timestamp now);

}  // namespace switchyard::cli
