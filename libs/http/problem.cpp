#include "http/problem.hpp"

#include <fmt/format.h>

#include "base/assert.hpp"
#include "http/json.hpp"

namespace switchyard::http {

Response problem(unsigned status, std::string_view error, std::string_view detail) {
  return {
      .status = status,
      .content_type = "application/problem+json",
      .body = fmt::format(R"({{"type":"about:blank","title":"{}","status":{},"detail":{},"error":{}}})",
                          reason_phrase(status), status, json_string(detail), json_string(error)),
      .headers = {},
  };
}

Response try_later(unsigned status, std::string_view error, std::string_view detail, int retry_after_s) {
  return problem(status, error, detail).with("Retry-After", fmt::format("{}", retry_after_s));
}

Response problem(const Error& error) {
  switch (error.code) {
    case ErrorCode::invalid_argument:
      return problem(422, error.detail);
    case ErrorCode::not_found:
      return problem(404, "Not found", error.detail);
    case ErrorCode::already_exists:
      return problem(409, "Already exists", error.detail);
    case ErrorCode::idempotency_key_reused_with_different_body:
      return problem(422, "Idempotency key reused with a different body", error.detail);
    case ErrorCode::idempotency_key_in_flight:
      return try_later(409, "Request with this idempotency key is in progress", error.detail, 1);
    case ErrorCode::overloaded:
      return try_later(503, "Service overloaded", error.detail, 1);
    case ErrorCode::store_unavailable:
      // The detail names files and causes: that is for the operator's log, not for a merchant.
      return try_later(503, "Store unavailable", "the store cannot take this at the moment; nothing was done",
                       5);
    case ErrorCode::store_outcome_unknown:
      return try_later(503, "Outcome unknown",
                       "it is not known whether this was done: send it again with the same Idempotency-Key; "
                       "without a key, look in the list first",
                       1);
    case ErrorCode::set_aside:
      return problem(
          500, "Transaction set aside",
          "this transaction cannot be read by this version and was set aside for a person; the others "
          "are not concerned");
    // Never between a merchant and a reply: the queue is a hint.
    case ErrorCode::queue_unavailable:
      break;
  }
  SWITCHYARD_ASSERT(false);
}

}  // namespace switchyard::http
