// Structured field values (RFC 9651), as far as a header of ours has one: an item that is a string.
//
// Pure; safe to use from any thread.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace switchyard::http {

// The text of `"a \"text\"";parameter=1`: escapes undone, parameters checked and left out (RFC 9651, 4.2.3).
// The error says what is wrong, as the rest of a sentence ("the closing quote is missing").
std::expected<std::string, std::string> parse_string_item(std::string_view field);

}  // namespace switchyard::http
