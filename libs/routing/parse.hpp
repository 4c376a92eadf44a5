// Reads a routing file (ROUTING_FILE): TOML 1.0, at most document_bytes_max.
//
//   [psp.NAME]                 an account: 1 to 64 letters, digits, _ and -; accounts_max at most
//   adapter = "stripe"         or "adyen", "simulator"; its settings stand in adapters.hpp. A secret is the
//   secret_key_env = "..."     NAME of an environment variable
//
//   [[rule]]                   the first one that matches decides; rules_max at most
//   name = "night"             optional, for people
//   when = { ... }             optional; without it the rule takes all
//   psp = { a = 70, b = 30 }   accounts with weights, whole numbers from 1; or one account: psp = "a"
//   fallback = ["c", "d"]      optional: accounts in order; or one of them. None stands twice in a rule
//
// What `when` may say; all of it must hold, and of a list one item:
//
//   currency = "EUR"           or a list of codes
//   amount = { min = 1_00, max = 500_00 }
//                              minor units of whatever currency; both included, one may be left out
//   merchant = 7               or a list of ids
//   payment_method = "stripe"  or a list: the adapters of which the merchant gave a payment_method for one
//   weekday = "sat"            or a list of mon, tue, wed, thu, fri, sat, sun
//   time = "22:00-06:00"       or a list; the end is not included, may be 24:00, and may be past midnight
//   metadata = { channel = "web", tier = ["gold", "silver"] }
//                              each name is there, with that value or one of those
//
// Weekday and time are those at which the transaction was made, in UTC: 01:00 on a Saturday is "sat", also
// for a rule that says 22:00-06:00.
//
// What is not said here is refused, so that no misspelt condition takes what it should not. All that is wrong
// is found at once, but for a text that is no TOML, of which only the first error can be told.
#pragma once

#include <expected>
#include <string_view>
#include <vector>

#include "routing/finding.hpp"
#include "routing/routes.hpp"

namespace switchyard::routing {

// Findings are in the order of the file, one at least. None repeats a secret. Pure; never throws but
// std::bad_alloc.
std::expected<Routes, std::vector<Finding>> parse(std::string_view text);

}  // namespace switchyard::routing
