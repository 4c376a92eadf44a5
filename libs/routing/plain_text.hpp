// What a routing file leaves out of TOML, so that toml++ is given nothing that it is not made for: a name
// with dots without end uses up its stack (pull request 242 there, which no release in a distribution has).
#pragma once

#include <optional>
#include <string_view>

#include "routing/finding.hpp"

namespace switchyard::routing {

inline constexpr int dots_per_line_max = 100;

// The first place, in the order of the file, of a byte that is no UTF-8, a control character, or outside of
// comments and quotes: a text over several lines (""" or '''), the 101st point of a line.
std::optional<Finding> why_not_plain(std::string_view text);

}  // namespace switchyard::routing
