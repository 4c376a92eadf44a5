// A transaction as the API shows it, for whoever asked at the command line.
#pragma once

#include <functional>
#include <string>

#include <boost/json/value.hpp>

#include "switchyard/command_line.hpp"

namespace switchyard::cli {

// A line, and one more for each of its operations; with --json what was given, on a line.
void print_transaction(const Context& context, const boost::json::value& transaction);

// A line about the operation of this id, if it is one of the transaction's and was declined, rejected, failed
// or is for a person; otherwise nothing.
std::string bad_end_of(const boost::json::value& transaction, const std::string& operation_id);

// Runs `tell`, which prints what was done. Money has moved by then, and whoever does not learn it sends it
// again: if it cannot be told, the std::runtime_error says what was done, too.
void tell_what_was_done(const std::string& done, const std::function<void()>& tell);

}  // namespace switchyard::cli
