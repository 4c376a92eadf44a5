// The story of a transaction from what is stored of it, for people: what was asked for, what was sent where
// under which key, what came of it, by which rule, and what happens next and when. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "payment/operation.hpp"

namespace switchyard::cli {

// Lines without line breaks. `merchant`: whose it is, such as "alice (user_id 1)". Nothing that merchants or
// PSPs wrote reaches a terminal as it is.
std::vector<std::string> tell_story(const payment::State& state, std::string_view merchant, Timestamp now);

}  // namespace switchyard::cli
