// Reading JSON bodies and bearer tokens, the same for each service.
#pragma once

#include <expected>
#include <optional>
#include <string_view>

#include <boost/json/object.hpp>

#include "http/message.hpp"

namespace switchyard::service {

// The body as a JSON object in `memory`. 415 for another content type or a Content-Encoding, 413 for more
// than http::request_json_bounds, 400 for anything else that it is not.
std::expected<boost::json::object, http::Response> read_json_object(const http::Request& request,
                                                                    boost::json::storage_ptr memory);

// The token of "Authorization: Bearer <token>" (RFC 6750, 2.1); nothing if there is no such header.
std::optional<std::string_view> bearer_token(const http::Request& request);

// The text of a member: nothing if it is missing, null or not a string.
std::optional<std::string_view> text_member(const boost::json::object& object, std::string_view name);

// Only white space, or nothing at all.
bool is_blank(std::string_view text);

}  // namespace switchyard::service
