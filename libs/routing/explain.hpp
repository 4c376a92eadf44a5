// Why a payment goes where it goes, for people and for programs that show it to them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "routing/choose.hpp"
#include "routing/conditions.hpp"

namespace switchyard::routing {

struct RuleVerdict {
  std::size_t rule = 0;
  // Those that do not hold; it matched if there is none.
  std::vector<Condition> unmet{};
  // Of each of them: "currency is USD, not EUR or SEK".
  std::vector<std::string> reasons{};
};

struct Candidate {
  std::size_t account = 0;
  How how = How::drawn;
  // Nothing for a fallback.
  std::optional<Drawn> drawn{};
  Standing standing = Standing::can_take_it;
};

struct Explanation {
  // Up to the first that matched.
  std::vector<RuleVerdict> rules;
  // The accounts of that one in their order, also those behind the one that was chosen: where the payment
  // would go next.
  std::vector<Candidate> candidates;
  // What choose() says.
  std::expected<Choice, NoChoice> result;
};

Explanation explain(const Routes& routes, const Asked& asked, const AccountSet& tried);

// Plain text without line ends, for the Routes that were asked:
//
//   rule 'large' (line 12) does not match: amount is 700, below 50000; weekday is mon, not sun or sat
//   rule 'rest' (line 20) matches; 3 behind it are not looked at
//   weights: stripe_eu 70, adyen_main 30
//   draw 1 is 81 of 100, adyen_main: its breaker is open
//   draw 2 is 3 of 70, stripe_eu: can take it
//   fallback 1 is sim: can take it
//   goes to stripe_eu, by weight among those left
std::vector<std::string> lines_of(const Explanation& explanation, const Routes& routes);

}  // namespace switchyard::routing
