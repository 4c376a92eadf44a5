// Texts that a merchant sends for people: references, descriptions, metadata. Kept and shown as they came.
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "http/message.hpp"

namespace switchyard::core {

inline constexpr std::size_t reference_characters_max = 255;
inline constexpr std::size_t text_characters_max = 255;

// In characters of Unicode.
struct TextBounds {
  std::size_t least = 0;
  std::size_t most = 0;
};

// What is wrong with a text, as the rest of a sentence ("it has 256"); empty if nothing is: valid UTF-8
// within the bounds, without control characters.
std::string why_unfit(std::string_view text, TextBounds bounds);

// What a text must be, for the sentence before that.
std::string describe(TextBounds bounds);

// The text of a member; empty if there is no such member. The 422 says what was wrong and what would be
// right.
std::expected<std::string, http::Response> read_text(const boost::json::object& body, std::string_view name,
                                                     TextBounds bounds);

struct StringsBounds {
  std::size_t members_max = 0;
  TextBounds name;
  TextBounds value;
};

// The object of strings in a member, as compact JSON in the order in which it was sent; empty if there is no
// such member.
std::expected<std::string, http::Response> read_strings(const boost::json::object& body,
                                                        std::string_view name, const StringsBounds& bounds);

// The member `metadata`.
std::expected<std::string, http::Response> read_metadata(const boost::json::object& body);

}  // namespace switchyard::core
