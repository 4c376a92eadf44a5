// Which account a payment goes to.
//
// The first rule that matches decides; none behind it is looked at, whatever its accounts can do. Its
// accounts are asked in one order: those of `psp` as they are drawn by their weights (draws.hpp), then those
// of `fallback`. The first that can take the payment and was not tried is chosen.
//
// Another account may be asked for only where the one before has declined softly, or where it is proven that
// nothing reached it (payment::NotSent, and nothing was sent before). After an unknown outcome never: that
// charge may have been made, and a second one would be a double charge. This is the caller's to hold: `tried`
// says which were tried and not how they ended.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "routing/asked.hpp"
#include "routing/draws.hpp"
#include "routing/routes.hpp"

namespace switchyard::routing {

// How the account was come to.
enum class How : std::uint8_t {
  drawn,        // by the first draw
  drawn_again,  // by a later one: each before it was passed over
  fallback,
};

std::string_view to_string(How how);

// By their places in Routes.
struct Choice {
  std::size_t rule = 0;
  std::size_t account = 0;
  How how = How::drawn;

  friend bool operator==(const Choice&, const Choice&) = default;
};

// The first of these that is so.
enum class WhyNone : std::uint8_t {
  no_rule_matches,
  breaker_is_open,    // one could take it and may do so later
  all_were_tried,     // all that could
  no_payment_method,  // the merchant gave none for any of the accounts
};

std::string_view to_string(WhyNone why);

struct NoChoice {
  WhyNone why = WhyNone::no_rule_matches;
  // The one that matched.
  std::optional<std::size_t> rule{};

  friend bool operator==(const NoChoice&, const NoChoice&) = default;
};

// Allocates nothing. Safe to call from any thread.
std::expected<Choice, NoChoice> choose(const Routes& routes, const Asked& asked, const AccountSet& tried);

// Whether one account can take it, and why not.
enum class Standing : std::uint8_t { can_take_it, no_payment_method, was_tried, breaker_is_open };

std::string_view to_string(Standing standing);

Standing standing_of(const Routes& routes, std::size_t account, const Asked& asked, const AccountSet& tried);

// Nothing: none matches.
std::optional<std::size_t> find_rule(const Routes& routes, const Asked& asked);

// Calls `visit(account, how, drawn)` with the rule's accounts in their order, until it returns true. `drawn`:
// a const Drawn*, null for a fallback.
template <class Visit>
void for_each_account(const Rule& rule, TransactionId id, Visit visit) {
  Draws draws(id, rule.psp);
  auto how = How::drawn;
  while (const auto drawn = draws.next()) {
    if (visit(drawn->account, how, &*drawn)) return;
    how = How::drawn_again;
  }
  for (const auto account : rule.fallback) {
    if (visit(account, How::fallback, static_cast<const Drawn*>(nullptr))) return;
  }
}

}  // namespace switchyard::routing
