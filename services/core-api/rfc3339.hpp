// Times as RFC 3339 has them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace switchyard::core {

// "2026-01-31T08:00:00.5+01:00": date, time and zone, all of them. A fraction of a millisecond counts as a
// whole one; what is before 1970 or after 9999 in UTC is the nearest time within, which finds the same
// transactions. Nothing if it is no such time.
std::optional<Timestamp> parse_time(std::string_view text);
// The same as it stands there, for comparing times that people gave.
std::optional<Timestamp> parse_any_time(std::string_view text);
// From 1970 to 9999.
Timestamp nearest_storable(Timestamp time);

// "2026-11-22T15:37:32.815Z"; a time beyond the years of four digits is the nearest within. Put together by
// hand: it is in each reply, and fmt took five times as long.
void append_time(std::string& out, Timestamp time);

}  // namespace switchyard::core
