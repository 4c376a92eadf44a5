// What a token says about its bearer, and how that is written as a JWT claims set (RFC 7519, 4).
#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/id.hpp"
#include "token/token_error.hpp"

namespace switchyard::token {

inline constexpr std::size_t max_username_bytes = 256;

struct Claims {
  UserId user_id;        // > 0
  std::string username;  // UTF-8, at most max_username_bytes
  bool enabled = false;
  // The first second at which the token is refused (RFC 7519, 4.1.4: "on or after").
  std::chrono::sys_seconds expires_at;

  friend bool operator==(const Claims&, const Claims&) = default;
};

// Compact JSON in the order user_id, username, enabled, exp. Asserts the bounds of user_id and username; a
// username that is not UTF-8 gives a token that verification refuses.
std::string encode_claims(const Claims& claims);

// Reads a claims set whose signature was verified. All four claims are required, exp and nbf are held against
// `now` with no leeway, other claims are ignored. Errors: invalid_payload, invalid_claims, not_yet_valid,
// expired.
std::expected<Claims, TokenError> decode_claims(std::string_view json, Timestamp now);

}  // namespace switchyard::token
