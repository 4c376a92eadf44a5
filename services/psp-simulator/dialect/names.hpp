// Names that nobody can have guessed, as PSPs give them.
#pragma once

#include <string>
#include <string_view>

namespace switchyard::psp_simulator {

inline constexpr std::string_view letters_and_digits =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
inline constexpr std::string_view capitals_and_digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

// The prefix and so many characters of the alphabet.
std::string new_name(std::string_view prefix, std::size_t length,
                     std::string_view alphabet = letters_and_digits);

}  // namespace switchyard::psp_simulator
