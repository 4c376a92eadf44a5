// Whether the conditions of a rule hold.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "routing/asked.hpp"
#include "routing/routes.hpp"

namespace switchyard::routing {

// Those of a When, in the order in which they are looked at: cheap ones first.
enum class Condition : std::uint8_t { currency, amount, merchant, payment_method, weekday, time, metadata };

inline constexpr auto all_conditions =
    std::to_array({Condition::currency, Condition::amount, Condition::merchant, Condition::payment_method,
                   Condition::weekday, Condition::time, Condition::metadata});

// As `when` calls it.
std::string_view to_string(Condition condition);

// Of a time, in UTC.
struct Moment {
  // 0 is Sunday.
  unsigned weekday = 0;
  std::chrono::minutes since_midnight{0};
};

Moment moment_of(Timestamp time);

bool holds(Condition condition, const When& when, const Asked& asked, const Moment& moment);
bool all_hold(const When& when, const Asked& asked, const Moment& moment);

// All that is asked for: "currency is EUR or SEK; amount is 50000 or more". Empty where nothing is.
std::string words_of(const When& when);

// Of a condition that does not hold: "currency is USD, not EUR or SEK".
std::string why_not(Condition condition, const When& when, const Asked& asked, const Moment& moment);

}  // namespace switchyard::routing
