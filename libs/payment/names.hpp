// Names of enumerators, both ways, from one table in the order of the enumerators.
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "base/assert.hpp"

namespace switchyard::payment {

template <class Enum, std::size_t size>
using Names = std::array<std::pair<Enum, std::string_view>, size>;

template <class Enum, std::size_t size>
std::string_view name_of(const Names<Enum, size>& names, Enum value) {
  const auto& [known, name] = names[static_cast<std::size_t>(value)];
  SWITCHYARD_ASSERT(known == value);
  return name;
}

template <class Enum, std::size_t size>
std::optional<Enum> value_of(const Names<Enum, size>& names, std::string_view text) {
  for (const auto& [value, name] : names) {
    if (name == text) return value;
  }
  return std::nullopt;
}

}  // namespace switchyard::payment
