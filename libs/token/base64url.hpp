// base64url without padding (RFC 4648, 5; RFC 7515, 2), in its one canonical spelling.
//
// Two spellings of one token would let a log or a cache treat them as two. Safe to use from any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace switchyard::token {

std::string base64url_encode(std::string_view bytes);

// Nothing for padding, white space, '+', '/', any other byte, an impossible length, or unused bits that are
// not zero (RFC 4648, 3.5).
std::optional<std::string> base64url_decode(std::string_view text);

}  // namespace switchyard::token
