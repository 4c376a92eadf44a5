// How many connections a process may have, given how many files it may open.
#pragma once

#include <cstdint>

#include "http/limits.hpp"

namespace switchyard::service {

// A process without a file left accepts nobody: the connections of one client would stop all others, whatever
// the bound for its address. So all connections together have three quarters of the files; the store, Redis
// and PSPs the rest.
http::Limits within_open_files(http::Limits limits, std::uint64_t files_max);

// What this process may open (RLIMIT_NOFILE).
std::uint64_t open_files_max();

}  // namespace switchyard::service
