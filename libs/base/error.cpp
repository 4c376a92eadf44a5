#include "base/error.hpp"

#include <cstdio>
#include <cstdlib>

#include "base/assert.hpp"

namespace switchyard {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
      return "invalid_argument";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::already_exists:
      return "already_exists";
    case ErrorCode::idempotency_key_reused_with_different_body:
      return "idempotency_key_reused_with_different_body";
    case ErrorCode::idempotency_key_in_flight:
      return "idempotency_key_in_flight";
    case ErrorCode::overloaded:
      return "overloaded";
    case ErrorCode::store_unavailable:
      return "store_unavailable";
    case ErrorCode::store_outcome_unknown:
      return "store_outcome_unknown";
    case ErrorCode::set_aside:
      return "set_aside";
    case ErrorCode::queue_unavailable:
      return "queue_unavailable";
  }
  SWITCHYARD_ASSERT(false);
}

void assertion_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "switchyard: invariant broken: %s (%s:%d)\n", expression, file, line);
  std::abort();
}

}  // namespace switchyard
