// Strict JSON (RFC 8259) for what comes from outside.
//
// Refuses what readers disagree about: a name twice in one object, more than 32 levels, numbers out of the
// range of a double, bad UTF-8, anything after the value.
#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <string_view>

#include <boost/json/value.hpp>

namespace switchyard::http {

// How much a text may hold. Boost.JSON finds a member by a hash that anybody can compute: names that collide
// in it cost the square of their number, so that number is small.
struct JsonBounds {
  std::size_t values_max;  // in all: members and elements at any depth
  std::size_t members_per_object_max;
};
// What anybody may send: no request has more than 50 members in one object (metadata).
constexpr JsonBounds request_json_bounds{.values_max = 1'000, .members_per_object_max = 64};
// From a peer or a file that the operator chose.
constexpr JsonBounds peer_json_bounds{.values_max = 1'000'000, .members_per_object_max = 256};

enum class JsonFault { malformed, too_many_values, too_many_members };

// The value lives in `memory`, which must outlive it. Nothing is built of an object that breaks the bounds.
std::expected<boost::json::value, JsonFault> read_json(std::string_view text, const JsonBounds& bounds,
                                                       boost::json::storage_ptr memory = {});

// The same for who does not ask for the reason, within peer_json_bounds.
std::optional<boost::json::value> parse_json(std::string_view text, boost::json::storage_ptr memory = {});

// Calls `visit(std::string_view)` with each string, name and number in the value, at any depth; a number
// as the digits of its whole part.
template <class Visitor>
void for_each_text(const boost::json::value& value, Visitor&& visit);

// `text` as a JSON string with its quotes, for replies that are put together by hand.
std::string json_string(std::string_view text);

}  // namespace switchyard::http

#include "http/json_visit.hpp"
