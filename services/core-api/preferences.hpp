// What a request prefers (RFC 7240). A preference that is malformed, or not known, is as if it were not
// there.
#pragma once

#include <chrono>

#include "http/message.hpp"

namespace switchyard::core {

inline constexpr std::chrono::seconds wait_max{30};

// How long the client likes to wait for a result ("Prefer: wait=10"), at most wait_max; zero if it does not.
std::chrono::seconds read_wait(const http::Request& request);

}  // namespace switchyard::core
