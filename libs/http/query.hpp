// The query of a URL, as forms and URLSearchParams write it: "status=captured&limit=10".
//
// Pure; safe to use from any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::http {

struct QueryParameter {
  std::string name;
  std::string value;
};

// Each parameter with its escapes undone ("%2F", "+" for a blank), in order; one without "=" has an empty
// value. Nothing if a percent sign is not followed by two hexadecimal digits.
std::optional<std::vector<QueryParameter>> parse_query(std::string_view query);

// The text as the value of a parameter: all but letters, digits and "-._~" escaped (RFC 3986, 2.3).
std::string percent_encoded(std::string_view text);

}  // namespace switchyard::http
