// Members of documents, which were made here: what is asked for is there, with its type, or is null.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

namespace switchyard::psp_simulator {

inline boost::json::string_view key_of(std::string_view name) {
  return {name.data(), name.size()};
}

// Empty if it is not there, or no text.
inline std::string text_in(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(key_of(name));
  const auto* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string() : std::string(text->data(), text->size());
}

// 0 if it is not there, or no whole number.
inline std::int64_t number_in(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(key_of(name));
  return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

// Null if it is not there, or no object.
inline const boost::json::object* object_in(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(key_of(name));
  return value == nullptr ? nullptr : value->if_object();
}

// A text, or null where it is empty.
inline boost::json::value text_or_null(std::string_view text) {
  return text.empty() ? boost::json::value(nullptr) : boost::json::value(key_of(text));
}

}  // namespace switchyard::psp_simulator
