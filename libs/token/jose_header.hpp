// The JOSE header of a JWS: which ones Switchyard lets through (RFC 7515, 4; RFC 8725).
#pragma once

#include <expected>
#include <string_view>

#include "token/token_error.hpp"

namespace switchyard::token {

inline constexpr std::string_view hs256_header = R"({"alg":"HS256","typ":"JWT"})";

// Judges a header before its signature is known to be good. alg must be exactly HS256; typ may be absent, or
// JWT in any case (RFC 7515, 4.1.9: media type names); crit and b64 are refused whatever they hold, for no
// extension is understood here (4.1.11; RFC 7797, 6). Keys in the header (jwk, jku, x5u, kid ...) are never
// looked at. Errors: invalid_header, algorithm_not_allowed.
std::expected<void, TokenError> check_header(std::string_view json);

}  // namespace switchyard::token
