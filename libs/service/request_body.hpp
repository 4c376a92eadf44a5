// Reading JSON bodies, queries and bearer tokens, the same for each service.
#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "http/message.hpp"
#include "http/query.hpp"

namespace switchyard::service {

// The body as a JSON object in `memory`. 415 for another content type or a Content-Encoding, 413 for more
// than http::request_json_bounds, 400 for anything else that it is not.
std::expected<boost::json::object, http::Response> read_json_object(const http::Request& request,
                                                                    boost::json::storage_ptr memory);

// A 422 that names the first member that is not known, and what it was probably meant to be.
std::expected<void, http::Response> refuse_unknown_members(const boost::json::object& body,
                                                           std::span<const std::string_view> known);

// The token of "Authorization: Bearer <token>" (RFC 6750, 2.1), blank if none stands there; nothing if there
// is no such header or its scheme is another. 400 if the header is there more than once.
std::expected<std::optional<std::string_view>, http::Response> bearer_token(const http::Request& request);

// The parameters of a query. 400 if it cannot be decoded; 422 for one that is not known, or is there twice.
std::expected<std::vector<http::QueryParameter>, http::Response> read_query(
    std::string_view query, std::span<const std::string_view> known);

// The text of a member: nothing if it is missing, null or not a string.
std::optional<std::string_view> text_member(const boost::json::object& object, std::string_view name);

// Only white space, or nothing at all.
bool is_blank(std::string_view text);

}  // namespace switchyard::service
