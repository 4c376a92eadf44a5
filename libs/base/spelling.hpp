// Names that were misspelt.
#pragma once

#include <span>
#include <string_view>

namespace switchyard {

// The one of `known` that `name` was probably meant to be, whatever its case; empty if none is near.
std::string_view nearest(std::string_view name, std::span<const std::string_view> known);

}  // namespace switchyard
