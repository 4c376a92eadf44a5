#include "core-api/read_token.hpp"

#include <fmt/format.h>

#include "http/problem.hpp"
#include "service/request_body.hpp"

namespace switchyard::core {
namespace {

std::unexpected<http::Response> no_token(std::string_view detail) {
  // Without an error code: there was nothing to find a fault in (RFC 6750, 3.1).
  return std::unexpected(http::problem(401, "Token is blank", detail).with("WWW-Authenticate", "Bearer"));
}

}  // namespace

http::Response unauthorized(std::string_view error, std::string_view detail) {
  return http::problem(401, error, detail)
      .with("WWW-Authenticate",
            fmt::format(R"(Bearer error="invalid_token", error_description="{}")", error));
}

std::expected<std::string_view, http::Response> read_token(const http::Request& request,
                                                           const boost::json::object* body) {
  const auto in_header = service::bearer_token(request);
  if (!in_header) return std::unexpected(in_header.error());
  const auto* member = body == nullptr ? nullptr : body->if_contains("token");
  if (member != nullptr && member->is_null()) member = nullptr;
  const auto in_body = member == nullptr ? std::nullopt : service::text_member(*body, "token");

  const bool both_blank =
      in_body && service::is_blank(*in_body) && *in_header && service::is_blank(**in_header);
  if (member != nullptr && *in_header && !both_blank) {
    return std::unexpected(
        http::problem(400, "Two tokens",
                      "the token came as the body's member and in the Authorization header; send it once")
            .with("WWW-Authenticate", R"(Bearer error="invalid_request")"));
  }
  if (member != nullptr && !in_body)
    return std::unexpected(unauthorized("Token is not a string", "the body's token must be a string"));
  const auto token = in_body ? in_body : *in_header;
  if (!token || service::is_blank(*token)) {
    return no_token(body == nullptr ? "send a token of auth-api as Authorization: Bearer <token>"
                                    : "send a token of auth-api as the body's token, or as Authorization: "
                                      "Bearer <token>");
  }
  return *token;
}

}  // namespace switchyard::core
