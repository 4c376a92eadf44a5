#include "service/request_body.hpp"

#include <algorithm>

#include <boost/beast/core/string.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/spelling.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"
#include "money/printable.hpp"

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

// A name from outside, for a reply: short, no card number, and nothing that a terminal would obey.
std::string in_quotes(std::string_view name) {
  constexpr std::size_t shown_max = 40;
  auto shown = printable(name, shown_max);
  std::ranges::replace(shown, '"', '?');
  return fmt::format("\"{}\"", shown);
}

std::string unknown(std::string_view name, std::span<const std::string_view> known) {
  auto text = fmt::format("{} is not known here", in_quotes(name));
  if (const auto meant = nearest(name, known); !meant.empty())
    text += fmt::format("; perhaps \"{}\" was meant", meant);
  return known.empty() ? text : fmt::format("{}; known are: {}", text, fmt::join(known, ", "));
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

std::expected<void, http::Response> refuse_unknown_members(const boost::json::object& body,
                                                           std::span<const std::string_view> known) {
  for (const auto& member : body) {
    const std::string_view name(member.key().data(), member.key().size());
    if (std::ranges::find(known, name) == known.end())
      return std::unexpected(http::problem(422, "Unknown member", unknown(name, known)));
  }
  return {};
}

std::expected<std::vector<http::QueryParameter>, http::Response> read_query(
    std::string_view query, std::span<const std::string_view> known) {
  auto parameters = http::parse_query(query);
  if (!parameters) {
    return std::unexpected(http::problem(
        400, "Malformed query", "a percent sign in the query is not followed by two hexadecimal digits"));
  }
  for (auto one = parameters->begin(); one != parameters->end(); ++one) {
    if (std::ranges::find(known, one->name) == known.end())
      return std::unexpected(http::problem(422, "Unknown query parameter", unknown(one->name, known)));
    if (std::ranges::find(parameters->begin(), one, one->name, &http::QueryParameter::name) != one) {
      return std::unexpected(
          http::problem(422, "Repeated query parameter", fmt::format("send {} once", in_quotes(one->name))));
    }
  }
  return std::move(*parameters);
}

std::expected<std::optional<std::string_view>, http::Response> bearer_token(const http::Request& request) {
  constexpr std::string_view scheme = "Bearer";
  if (request.headers.count("Authorization") > 1) {
    return std::unexpected(
        http::problem(400, "More than one Authorization", "send the Authorization header once")
            .with("WWW-Authenticate", R"(Bearer error="invalid_request")"));
  }
  auto value = request.header("Authorization");
  const auto end = std::min(value.find(' '), value.size());
  const boost::string_view start(value.data(), end);
  if (!boost::beast::iequals(start, boost::string_view(scheme.data(), scheme.size()))) return std::nullopt;
  value.remove_prefix(end);
  value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
  return value;
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
