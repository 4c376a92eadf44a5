// A routing file, as the commands read it and say what is wrong with it.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "base/environment.hpp"
#include "routing/finding.hpp"
#include "routing/routes.hpp"

namespace switchyard::cli {

// Throws ConfigError where it cannot be read, or is larger than any routing file.
std::expected<routing::Routes, std::vector<routing::Finding>> read_routing_file(const std::string& path);

// "routes.toml:3:8: unknown member 'curency' of when; write 'currency'"
std::string line_of(const std::string& path, const routing::Finding& finding);

// Without findings; where there are some, they are said on standard error, and the exit code is that of a
// wrong configuration.
std::optional<routing::Routes> read_routes_or_say(const std::string& path);

// The file of the option, or of ROUTING_FILE; empty if neither names one.
std::string routing_file_of(const Environment& environment, const std::string& option);

}  // namespace switchyard::cli
