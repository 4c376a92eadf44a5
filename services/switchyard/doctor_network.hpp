// What `switchyard doctor` looks at of the ports of this machine and of those it talks to.
#pragma once

#include <optional>
#include <vector>

#include <sys/types.h>

#include "base/environment.hpp"
#include "switchyard/finding.hpp"

namespace switchyard::cli {

// The port is free, or Switchyard answers there and is the one over this store.
Finding check_port(const Environment& environment);
Finding check_metrics_port(const Environment& environment);
// Whether `serve` could listen: on a port that is free, or held by the process `replaced`, which is to end
// first. Throws ConfigError.
std::vector<Finding> check_ports_before_start(const Environment& environment, std::optional<pid_t> replaced);
Finding check_redis(const Environment& environment);

}  // namespace switchyard::cli
