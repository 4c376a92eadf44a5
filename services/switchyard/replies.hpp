// What the commands that speak to a running server read from its replies.
#pragma once

#include <optional>
#include <string>

#include <boost/json/value.hpp>

namespace switchyard::cli {

// The member of this name; empty if it is not there or no string.
std::string text_of(const boost::json::object& object, const char* name);

// What a problem document says, for people.
std::string problem_text(const std::optional<boost::json::value>& body);

// Whether the connector has nothing more to do: for a status as a reply has it.
bool is_settled(const std::string& status);

// Whether a settled status is one that the merchant did not want.
bool ended_badly(const std::string& status);

}  // namespace switchyard::cli
