// A transaction as the API shows it, for whoever asked at the command line.
#pragma once

#include <boost/json/value.hpp>

#include "switchyard/command_line.hpp"

namespace switchyard::cli {

// A line, and one more for each of its operations; with --json what was given, on a line.
void print_transaction(const Context& context, const boost::json::value& transaction);

}  // namespace switchyard::cli
