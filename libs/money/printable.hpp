// Text from outside, as it may be stored, shown and logged.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace switchyard {

inline constexpr std::size_t printable_bytes_max = 255;

// Valid UTF-8 of at most so many bytes. Control characters, line and paragraph separators, what changes the
// direction of writing or has no width, and bytes that are no UTF-8 become a blank each; card numbers become
// "[card number]"; what is too long ends with "...". One that is fine already is copied. The cost does not
// grow with what is cut off.
std::string printable(std::string_view text, std::size_t bytes_max = printable_bytes_max);

}  // namespace switchyard
