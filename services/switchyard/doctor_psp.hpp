// What `switchyard doctor` looks at of the PSPs: whether each account is complete, and whether its PSP
// answers and takes its key.
#pragma once

#include <vector>

#include "base/environment.hpp"
#include "switchyard/finding.hpp"

namespace switchyard::cli {

// One of all, then, with a routing file, one of each account. Asks the PSPs, all at once, for a few seconds,
// what changes nothing there.
std::vector<Finding> check_psps(const Environment& environment);

}  // namespace switchyard::cli
