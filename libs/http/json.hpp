// Strict JSON (RFC 8259) for what comes from outside.
//
// Refuses what readers disagree about: a name twice in one object, more than 32 levels, numbers out of the
// range of a double, bad UTF-8, anything after the value.
#pragma once

#include <optional>
#include <string_view>

#include <boost/json/value.hpp>

namespace switchyard::http {

// The value lives in `memory`, which must outlive it. Nothing if the text is not such JSON.
std::optional<boost::json::value> parse_json(std::string_view text, boost::json::storage_ptr memory = {});

// Calls `visit(std::string_view)` with each string, name and number in the value, at any depth; a number
// as the digits of its whole part.
template <class Visitor>
void for_each_text(const boost::json::value& value, Visitor&& visit);

// `text` as a JSON string with its quotes, for replies that are put together by hand.
std::string json_string(std::string_view text);

}  // namespace switchyard::http

#include "http/json_visit.hpp"
