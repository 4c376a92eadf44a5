// What a JSON text says, by Boost.JSON's own parser: what is held against what our readers make of it.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

namespace switchyard::fuzz {

namespace json = boost::json;

// Null if it is no JSON.
inline json::value parsed(std::string_view body) {
  json::error_code error;
  auto value = json::parse(json::string_view(body.data(), body.size()), error);
  return error ? json::value() : value;
}

// `path`: names with dots between them. A null that is shared where one of them is missing.
inline const json::value& at(const json::value& in, std::string_view path) {
  static const json::value nothing;
  const auto name = path.substr(0, path.find('.'));
  const auto* object = in.if_object();
  const auto* found =
      object == nullptr ? nullptr : object->if_contains(json::string_view(name.data(), name.size()));
  if (found == nullptr) return nothing;
  return name.size() == path.size() ? *found : at(*found, path.substr(name.size() + 1));
}

inline bool says(const json::value& in, std::string_view path, std::string_view text) {
  const auto* said = at(in, path).if_string();
  return said != nullptr && std::string_view(said->data(), said->size()) == text;
}

inline bool says(const json::value& in, std::string_view path, std::int64_t number) {
  const auto* said = at(in, path).if_int64();
  return said != nullptr && *said == number;
}

inline bool says_nothing(const json::value& in, std::string_view path) {
  return at(in, path).is_null() || says(in, path, "");
}

// Empty if it is no text.
inline std::string text_at(const json::value& in, std::string_view path) {
  const auto* said = at(in, path).if_string();
  return said == nullptr ? std::string() : std::string(said->data(), said->size());
}

template <class Predicate>
bool any_of(const json::value& list, Predicate predicate) {
  return list.is_array() && std::ranges::any_of(list.get_array(), predicate);
}

}  // namespace switchyard::fuzz
