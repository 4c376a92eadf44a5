#include "core-api/preferences.hpp"

#include <algorithm>
#include <optional>
#include <string_view>

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/field.hpp>

#include "base/ascii.hpp"
#include "http/characters.hpp"

namespace switchyard::core {
namespace {

using http::without_blanks_around;

// What stands before the next `separator` that is not within quotes, and takes it and the separator away.
std::string_view take_part(std::string_view& rest, char separator) {
  bool quoted = false;
  std::size_t size = 0;
  for (; size < rest.size(); ++size) {
    const char c = rest[size];
    if (!quoted && c == separator) break;
    if (c == '"') quoted = !quoted;
    if (quoted && c == '\\') ++size;
  }
  const auto part = rest.substr(0, size);
  rest.remove_prefix(std::min(rest.size(), size + 1));
  return part;
}

// delta-seconds (RFC 9111, 1.2.2); however many, no more than anybody waits.
std::optional<std::chrono::seconds> read_seconds(std::string_view digits) {
  if (digits.empty() || !std::ranges::all_of(digits, is_digit)) return std::nullopt;
  std::chrono::seconds seconds{0};
  for (const char digit : digits)
    seconds = std::min(wait_max, seconds * 10 + std::chrono::seconds(digit - '0'));
  return seconds;
}

bool is_wait(std::string_view name) {
  return boost::beast::iequals(boost::beast::string_view(name.data(), name.size()), "wait");
}

}  // namespace

std::chrono::seconds read_wait(const http::Request& request) {
  const auto [first, last] = request.headers.equal_range(boost::beast::http::field::prefer);
  for (auto line = first; line != last; ++line) {
    std::string_view preferences(line->value().data(), line->value().size());
    while (!preferences.empty()) {
      auto preference = take_part(preferences, ',');
      // Parameters mean nothing to this one.
      auto pair = take_part(preference, ';');
      const auto name = take_part(pair, '=');
      if (!is_wait(without_blanks_around(name))) continue;
      // The first instance counts (RFC 7240, 2).
      return read_seconds(without_blanks_around(pair)).value_or(std::chrono::seconds(0));
    }
  }
  return std::chrono::seconds(0);
}

}  // namespace switchyard::core
