// What the readers of accounts, rules and conditions share. Each says what is wrong to Findings and goes on.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "routing/document.hpp"
#include "routing/finding.hpp"

namespace switchyard::routing {

// Whether it is of this kind. `what`: as the beginning of a sentence, such as "currency"; `right`: what
// would be.
bool is_kind(Value::Kind kind, const Value& value, std::string_view what, std::string_view right,
             Findings& findings);

// Members whose names are not known. `where`: such as "when" or "account 'a'".
void check_members(const Value& table, std::string_view where, std::span<const std::string_view> known,
                   Findings& findings);

// "write 'currency'" if that is near, else what is known. A name that cannot be printed, or that looks like a
// secret, is left out.
std::string right_name(std::string_view name, std::span<const std::string_view> all_known);

// One value stands for a list of one. An empty list asks for what never is: it is found.
std::vector<const Value*> one_or_more(const Value& value, std::string_view what, Findings& findings);

// Texts that look like secrets, wherever they stand.
void check_for_secrets(const Value& value, Findings& findings);

}  // namespace switchyard::routing
