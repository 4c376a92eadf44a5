// The secrets of an account, which stand in the environment under names that the routing file gives.
#pragma once

#include <string>
#include <string_view>

#include "base/environment.hpp"
#include "routing/routes.hpp"

namespace switchyard::routing {

// What the variable holds that the account's setting names; empty where it names none. Throws ConfigError if
// that variable is not set.
std::string secret_of(const Account& account, std::string_view setting, const Environment& environment);

}  // namespace switchyard::routing
