// Transactions as a table for spreadsheets and accounting: CSV as RFC 4180 has it. Pure.
#pragma once

#include <string>
#include <string_view>

#include "payment/transaction.hpp"

namespace switchyard::cli {

// One field. A text that a spreadsheet would take for a formula, because it begins with = + - @, a tab or a
// carriage return, gets an apostrophe in front, as OWASP ("CSV Injection") advises; so does one that begins
// with an apostrophe. Whoever wants the text itself takes the one in front off.
std::string csv_field(std::string_view text);

// The names of the columns, those of the API's members, with the line break.
std::string_view csv_header();
std::string csv_line(const payment::Transaction& transaction);

}  // namespace switchyard::cli
