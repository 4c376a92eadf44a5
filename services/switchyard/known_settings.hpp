// The settings that there are, so that a misspelt one can be said: one that nobody reads is otherwise a
// default in silence. So is one of two lines that set the same.
#pragma once

#include <string>
#include <vector>

#include "base/environment.hpp"

namespace switchyard::cli {

// One line for each name in the environment's files that is no setting: its name, and the setting that was
// perhaps meant; and one for each that is given more than once. Never a value, which may be a secret. Names
// that belong to others (TZ, PGPASSWORD, COMPOSE_PROJECT_NAME) are taken for known.
std::vector<std::string> doubtful_settings(const Environment& environment);

}  // namespace switchyard::cli
