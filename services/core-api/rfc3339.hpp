// Times as RFC 3339 has them.
#pragma once

#include <optional>
#include <string_view>

#include "base/clock.hpp"

namespace switchyard::core {

// "2026-01-31T08:00:00.5+01:00": date, time and zone, all of them. A fraction of a millisecond counts as a
// whole one; what is before 1970 or after 9999 in UTC is the nearest time within. Nothing if it is no such
// time.
std::optional<Timestamp> parse_time(std::string_view text);

}  // namespace switchyard::core
