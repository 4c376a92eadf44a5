// What is allowed in a routing file and was hardly meant.
#pragma once

#include <vector>

#include "routing/finding.hpp"
#include "routing/routes.hpp"

namespace switchyard::routing {

// Whether `earlier` holds wherever `later` does, whatever is paid.
bool covers(const When& earlier, const When& later);

// In the order of the file: a rule that never matches, because one before it takes all that it would; an
// account that no rule names. Last, if no rule takes all: that a payment may go nowhere. Two rules that
// together cover a third are not seen.
std::vector<Finding> warnings_of(const Routes& routes);

}  // namespace switchyard::routing
