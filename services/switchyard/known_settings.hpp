// The settings that there are, so that a misspelt one can be said: one that nobody reads is otherwise a
// default in silence.
#pragma once

#include <string>
#include <vector>

#include "base/environment.hpp"

namespace switchyard::cli {

// One line for each name in the environment's files that is no setting: its name, and the setting that was
// perhaps meant; never its value, which may be a secret. Names that belong to others (TZ, PGPASSWORD,
// COMPOSE_PROJECT_NAME) are left out.
std::vector<std::string> unknown_settings(const Environment& environment);

}  // namespace switchyard::cli
