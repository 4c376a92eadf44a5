// Who listens on a TCP port of this machine, as far as /proc tells this user.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <sys/types.h>

namespace switchyard::cli {

struct PortHolder {
  // Empty if it is another user's, and this one may not look.
  std::optional<pid_t> process;
  // "process 12 (python3 -m http.server)", or "a process of user www-data".
  std::string description;
};

// Whoever listens on this port at any address; empty if nobody does.
std::optional<PortHolder> find_port_holder(std::uint16_t port);

// The next port above this one on which nobody listens.
std::uint16_t free_port_after(std::uint16_t port);

}  // namespace switchyard::cli
