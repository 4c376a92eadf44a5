// Whether the accounts of a routing file have what they need.
#pragma once

#include <string>
#include <vector>

#include "base/environment.hpp"
#include "routing/routes.hpp"

namespace switchyard::cli {

// Of each account, in the order of the file, what it lacks, in words that hold no secret; empty if it is
// complete. Nobody is asked anything, and nothing is written.
std::vector<std::string> missing_of(const routing::Routes& routes, const Environment& environment);

}  // namespace switchyard::cli
