#include "token/token_error.hpp"

#include "base/assert.hpp"

namespace switchyard::token {

std::string_view TokenError::message() const {
  switch (code) {
    case TokenErrorCode::not_enough_segments:
      return "Not enough segments";
    case TokenErrorCode::too_many_segments:
      return "Too many segments";
    case TokenErrorCode::too_long:
      return "Token is too long";
    case TokenErrorCode::invalid_header:
      return "Invalid header";
    case TokenErrorCode::algorithm_not_allowed:
      return "The specified alg value is not allowed";
    case TokenErrorCode::signature_mismatch:
      return "Signature verification failed.";
    case TokenErrorCode::invalid_payload:
      return "Invalid payload";
    case TokenErrorCode::invalid_claims:
      return "Invalid claims";
    case TokenErrorCode::not_yet_valid:
      return "The token is not yet valid (nbf)";
    case TokenErrorCode::expired:
      return "Signature has expired.";
  }
  SWITCHYARD_ASSERT(false);
}

}  // namespace switchyard::token
