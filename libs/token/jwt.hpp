// Signs and verifies the bearer tokens of Switchyard: JWS compact serialization (RFC 7515, 7.1) with HS256
// and nothing else (RFC 8725, 3.1).
//
// Constructed once at start, then shared: sign() and verify() are const and safe to call from any thread.
// Neither blocks, and neither keeps a reference to its arguments.
#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "token/claims.hpp"
#include "token/hmac_sha256.hpp"
#include "token/token_error.hpp"

namespace switchyard::token {

// A key of at least the size of the hash output must be used with HS256 (RFC 7518, 3.2).
inline constexpr std::size_t min_secret_bytes = 32;
inline constexpr std::size_t max_token_bytes = 4096;

class Jwt {
 public:
  // `secret` signs and verifies; `previous_secret` only verifies, for the time of a rotation.
  // Error: invalid_argument for a secret under min_secret_bytes; the detail does not hold the secret.
  static Result<Jwt> create(std::string_view secret, std::optional<std::string_view> previous_secret = {});

  // Header {"alg":"HS256","typ":"JWT"}. Asserts what claims.hpp demands of the claims.
  std::string sign(const Claims& claims) const;

  // The signature is compared in constant time and before anything of the payload is read. Refused besides a
  // wrong signature: any alg but HS256, a typ other than JWT, any crit or b64 (RFC 7515, 4.1.11; RFC 7797),
  // base64 that is not canonical, duplicate names, missing claims, exp <= now, nbf > now, more than
  // max_token_bytes.
  std::expected<Claims, TokenError> verify(std::string_view token, Timestamp now) const;

 private:
  Jwt(HmacSha256 current, std::optional<HmacSha256> previous);

  bool signature_matches(std::string_view signing_input, std::string_view signature) const;

  HmacSha256 current_;
  std::optional<HmacSha256> previous_;
};

}  // namespace switchyard::token
