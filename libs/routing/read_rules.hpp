// The rules of a routing file.
#pragma once

#include <vector>

#include "routing/document.hpp"
#include "routing/finding.hpp"
#include "routing/routes.hpp"

namespace switchyard::routing {

std::vector<Rule> read_rules(const Value& document, const std::vector<Account>& accounts, Findings& findings);

}  // namespace switchyard::routing
