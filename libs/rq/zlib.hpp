// zlib (RFC 1950), as RQ wraps payloads and stack traces in it.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace switchyard::rq {

// Error, invalid_argument: not zlib, cut short, followed by more, or more than `bytes_max` when inflated.
Result<std::string> inflate(std::string_view bytes, std::size_t bytes_max);

// Stored, not compressed: a job's payload is too small to gain anything. Up to 65,535 bytes.
std::string deflate_stored(std::string_view bytes);

}  // namespace switchyard::rq
