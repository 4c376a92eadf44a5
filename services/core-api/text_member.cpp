#include "core-api/text_member.hpp"

#include <algorithm>
#include <optional>

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "base/ascii.hpp"
#include "base/utf8.hpp"
#include "http/problem.hpp"
#include "money/printable.hpp"

namespace switchyard::core {
namespace {

namespace json = boost::json;

constexpr StringsBounds metadata_bounds{
    .members_max = 50, .name = {.least = 1, .most = 40}, .value = {.least = 0, .most = 500}};

std::string_view view(const auto& text) {
  return {text.data(), text.size()};
}

// Unicode's category Cc: C0, DEL and C1.
bool is_control_character(std::string_view character) {
  const auto byte = [character](std::size_t i) { return static_cast<unsigned char>(character[i]); };
  if (character.size() == 1) return byte(0) < 0x20 || byte(0) == 0x7f;
  return character.size() == 2 && byte(0) == 0xc2 && byte(1) < 0xa0;
}

// "Invalid reference": the names of members are as they are said.
std::unexpected<http::Response> refuse_member(std::string_view name, std::string_view detail) {
  return std::unexpected(http::problem(422, fmt::format("Invalid {}", name), detail));
}

std::string in_quotes(std::string_view name) {
  constexpr std::size_t shown_max = 40;
  auto shown = printable(name, shown_max);
  std::ranges::replace(shown, '"', '?');
  return fmt::format("\"{}\"", shown);
}

// Empty if nothing is wrong.
std::string why_unfit_member(const json::key_value_pair& member, std::string_view name,
                             const StringsBounds& bounds) {
  if (const auto why = why_unfit(view(member.key()), bounds.name); !why.empty()) {
    return fmt::format("a name in {} must be {}: {}", name, describe(bounds.name), why);
  }
  const auto* value = member.value().if_string();
  const auto why =
      value == nullptr ? std::string("it is not a string") : why_unfit(view(*value), bounds.value);
  if (why.empty()) return {};
  return fmt::format("the value of {} in {} must be {}: {}", in_quotes(view(member.key())), name,
                     describe(bounds.value), why);
}

}  // namespace

std::string why_unfit(std::string_view text, TextBounds bounds) {
  // Mostly there are no others.
  auto characters =
      static_cast<std::size_t>(std::ranges::find_if_not(text, is_printable_ascii) - text.begin());
  text.remove_prefix(characters);
  while (!text.empty()) {
    const auto size = utf8_size_of_first(text);
    if (size == 0) return "it is not UTF-8";
    if (is_control_character(text.substr(0, size))) return "it has a control character";
    text.remove_prefix(size);
    ++characters;
  }
  if (characters < bounds.least) return "it is empty";
  if (characters > bounds.most) return fmt::format("it has {}", characters);
  return {};
}

std::string describe(TextBounds bounds) {
  const auto size = bounds.least == 0 ? fmt::format("at most {}", bounds.most)
                                      : fmt::format("{} to {}", bounds.least, bounds.most);
  return fmt::format("a string of {} characters without control characters", size);
}

std::expected<std::string, http::Response> read_text(const json::object& body, std::string_view name,
                                                     TextBounds bounds) {
  const auto* member = body.if_contains(json::string_view(name.data(), name.size()));
  if (member == nullptr) return {};
  const auto* text = member->if_string();
  const auto why = text == nullptr ? std::string("it is not a string") : why_unfit(view(*text), bounds);
  if (!why.empty()) {
    return refuse_member(
        name, fmt::format("{} must be {}: {}; leave it out if there is none", name, describe(bounds), why));
  }
  return std::string(view(*text));
}

std::expected<std::string, http::Response> read_strings(const json::object& body, std::string_view name,
                                                        const StringsBounds& bounds) {
  const auto* member = body.if_contains(name);
  if (member == nullptr) return {};
  const auto* strings = member->if_object();
  if (strings == nullptr || strings->size() > bounds.members_max) {
    return refuse_member(
        name, fmt::format("{} must be an object of at most {} strings: {}", name, bounds.members_max,
                          strings == nullptr ? std::string("it is not an object")
                                             : fmt::format("it has {} members", strings->size())));
  }
  for (const auto& one : *strings) {
    if (const auto why = why_unfit_member(one, name, bounds); !why.empty()) return refuse_member(name, why);
  }
  return json::serialize(*strings);
}

std::expected<std::string, http::Response> read_metadata(const json::object& body) {
  return read_strings(body, "metadata", metadata_bounds);
}

}  // namespace switchyard::core
