// Where a request has its token.
#pragma once

#include <expected>
#include <string_view>

#include <boost/json/object.hpp>

#include "http/message.hpp"

namespace switchyard::core {

// 401 with WWW-Authenticate (RFC 6750, 3).
http::Response unauthorized(std::string_view error, std::string_view detail);

// The token of the body's member `token`, or of the Authorization header. 401 if there is none; 400 if it
// came in both ways, even if they are the same (RFC 6750, 2). `body` is null where there is none. A view into
// the request.
std::expected<std::string_view, http::Response> read_token(const http::Request& request,
                                                           const boost::json::object* body);

}  // namespace switchyard::core
