#include "service/request_body.hpp"

#include <algorithm>

#include <boost/beast/core/string.hpp>
#include <fmt/format.h>

#include "http/json.hpp"
#include "http/problem.hpp"

namespace switchyard::service {
namespace {

bool is_json_content_type(std::string_view value) {
  auto type = value.substr(0, value.find(';'));
  while (type.ends_with(' ') || type.ends_with('\t')) type.remove_suffix(1);
  const boost::string_view text(type.data(), type.size());
  return boost::beast::iequals(text, "application/json") ||
         (boost::beast::iequals(text.substr(0, 12), "application/") && text.size() > 17 &&
          boost::beast::iequals(text.substr(text.size() - 5), "+json"));
}

// What the body was coded with, if not with nothing.
bool has_content_coding(const http::Request& request) {
  const auto [first, last] = request.headers.equal_range(boost::beast::http::field::content_encoding);
  return std::any_of(first, last, [](const auto& line) {
    return !line.value().empty() && !boost::beast::iequals(line.value(), "identity");
  });
}

http::Response malformed_json(http::JsonFault fault) {
  constexpr const auto& bounds = http::request_json_bounds;
  switch (fault) {
    case http::JsonFault::malformed:
      break;
    case http::JsonFault::too_many_values:
      return http::problem(
          413, "Content too large",
          fmt::format("the body holds more than {} members and array elements in all", bounds.values_max));
    case http::JsonFault::too_many_members:
      return http::problem(
          413, "Content too large",
          fmt::format("an object in the body has more than {} members", bounds.members_per_object_max));
  }
  return http::problem(400, "Malformed JSON",
                       "the body is not well-formed JSON, names a member twice or is nested too deeply");
}

}  // namespace

std::expected<boost::json::object, http::Response> read_json_object(const http::Request& request,
                                                                    boost::json::storage_ptr memory) {
  if (!is_json_content_type(request.header("Content-Type"))) {
    return std::unexpected(
        http::problem(415, "Unsupported media type", "send the body as Content-Type: application/json")
            .with("Accept-Post", "application/json"));
  }
  if (has_content_coding(request)) {
    return std::unexpected(
        http::problem(415, "Unsupported media type", "send the body as it is, without Content-Encoding")
            .with("Accept-Encoding", "identity"));
  }
  auto value = http::read_json(request.body, http::request_json_bounds, std::move(memory));
  if (!value) return std::unexpected(malformed_json(value.error()));
  if (!value->is_object())
    return std::unexpected(http::problem(400, "Malformed JSON", "the body must be a JSON object"));
  return std::move(value->get_object());
}

std::optional<std::string_view> bearer_token(const http::Request& request) {
  constexpr std::string_view scheme = "Bearer ";
  const auto value = request.header("Authorization");
  const boost::string_view start(value.data(), std::min(value.size(), scheme.size()));
  if (!boost::beast::iequals(start, boost::string_view(scheme.data(), scheme.size()))) return std::nullopt;
  return value.substr(scheme.size());
}

std::optional<std::string_view> text_member(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(boost::json::string_view(name.data(), name.size()));
  if (value == nullptr || !value->is_string()) return std::nullopt;
  const auto& text = value->get_string();
  return std::string_view(text.data(), text.size());
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos;
}

}  // namespace switchyard::service
