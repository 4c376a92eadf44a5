// Errors on the wire: application/problem+json (RFC 9457) with one more member, `error`, the short message
// that clients of the original services read.
#pragma once

#include <string_view>

#include "base/error.hpp"
#include "http/message.hpp"

namespace switchyard::http {

// `error` is the short, fixed message; `detail` says what was wrong with this request and what would be
// right.
Response problem(unsigned status, std::string_view error, std::string_view detail);
inline Response problem(unsigned status, std::string_view error) {
  return problem(status, error, error);
}

// 503 or 429: the client may come again after so many seconds.
Response try_later(unsigned status, std::string_view error, std::string_view detail, int retry_after_s);

// What an error of the store or a queue is to a client.
Response problem(const Error& error);

}  // namespace switchyard::http
