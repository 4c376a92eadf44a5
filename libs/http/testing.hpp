// For unit tests of handlers.
#pragma once

#include "http/message.hpp"

namespace switchyard::http {

// A request without a query. `headers`, `path` and `body` outlive it.
inline Request request_of(Method method, std::string_view path, const boost::beast::http::fields& headers,
                          std::string_view body = {}) {
  return {.method = method,
          .path = path,
          .query = {},
          .headers = headers,
          .body = body,
          .request_id = "id",
          .remote_address = {},
          .parameter = {}};
}

}  // namespace switchyard::http
