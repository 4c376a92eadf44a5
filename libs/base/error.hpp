// Expected failures as values.
//
// A function that can fail for a reason its caller must deal with returns Result<T>. The code names the
// conflict and decides the HTTP status; the detail is for people and never holds a secret or a card number.
// Bugs are not errors: they end in SWITCHYARD_ASSERT.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace switchyard {

enum class ErrorCode {
  invalid_argument,
  not_found,
  already_exists,
  idempotency_key_reused_with_different_body,
  idempotency_key_in_flight,
  // A bound was reached; the same call may succeed a little later.
  overloaded,
  // The store cannot serve: disk full, file damaged, file read-only, locked for too long. It is certain that
  // nothing was done.
  store_unavailable,
  // A commit failed in its sync, or its answer was lost: it may be done, or be found done after a restart.
  // Whoever asks again must ask so that both are right.
  store_outcome_unknown,
  // A row that this program cannot work with (store/set_aside.hpp).
  set_aside,
  // The outside queue cannot be reached, or answered with an error. What was sent to it may have been done.
  queue_unavailable,
};

std::string_view to_string(ErrorCode code);

struct Error {
  ErrorCode code;
  std::string detail;

  friend bool operator==(const Error&, const Error&) = default;
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(ErrorCode code, std::string detail) {
  return std::unexpected(Error{code, std::move(detail)});
}

}  // namespace switchyard
