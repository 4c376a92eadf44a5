// The accounts of a routing file.
#pragma once

#include <vector>

#include "routing/document.hpp"
#include "routing/finding.hpp"
#include "routing/routes.hpp"

namespace switchyard::routing {

// Also those in which something is wrong: rules may name them.
std::vector<Account> read_accounts(const Value& document, Findings& findings);

}  // namespace switchyard::routing
