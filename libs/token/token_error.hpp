// Why a token was refused, in the words that clients of python-jose and PyJWT know.
#pragma once

#include <cstdint>
#include <string_view>

namespace switchyard::token {

enum class TokenErrorCode : std::uint8_t {
  not_enough_segments,
  too_many_segments,
  too_long,
  invalid_header,         // not base64url, not a JSON object, or with a parameter that is refused
  algorithm_not_allowed,  // anything but HS256
  signature_mismatch,     // also a signature that is not base64url
  invalid_payload,        // rightly signed, but not base64url or not a JSON object
  invalid_claims,         // a claim is missing or has the wrong type or range
  not_yet_valid,
  expired,
};

struct TokenError {
  TokenErrorCode code;

  // Fixed text without anything of the token in it, such as "Signature has expired."; lives as long as the
  // program.
  std::string_view message() const;

  friend bool operator==(TokenError, TokenError) = default;
};

}  // namespace switchyard::token
