// What several commands check of what they are told; what is wrong with it is said by the parser, with exit
// code 2.
#pragma once

#include <cstdint>
#include <string>

#include <CLI/CLI.hpp>

namespace switchyard::cli {

// A whole number in decimal digits. CLI11's own checks speak of 1.79769e+308, and take 0x10.
CLI::Validator whole_number(std::int64_t least, std::int64_t most);

// What is wrong with a value, for check(); empty if nothing is. A date or a time is one that parse_moment()
// takes, an age or one of them what parse_since() does.
std::string require_transaction_id(const std::string& value);
std::string require_moment(const std::string& value);
std::string require_since(const std::string& value);

// The transaction's id, which must be given.
CLI::Option& add_transaction_id(CLI::App& command, std::string& id);

}  // namespace switchyard::cli
