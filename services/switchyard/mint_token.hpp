// A token for a user of the store, as auth-api would give it for the right password.
#pragma once

#include <string>

#include "base/environment.hpp"

namespace switchyard::cli {

// Throws ConfigError, or std::runtime_error if there is no such user.
std::string mint_token(const Environment& environment, const std::string& username);

}  // namespace switchyard::cli
