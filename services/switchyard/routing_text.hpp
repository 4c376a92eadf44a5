// What `switchyard route` says of routes, of a payment, and of where it went, for people. Pure.
#pragma once

#include <string>
#include <vector>

#include "payment/operation.hpp"
#include "routing/asked.hpp"
#include "routing/choose.hpp"
#include "routing/routes.hpp"

namespace switchyard::cli {

// "stripe_eu 70, adyen_main 30; fallback sim"
std::string accounts_text(const routing::Rule& rule, const routing::Routes& routes);

// The accounts, then the rules in their order with what they ask for and where they send it.
std::vector<std::string> summary_of(const routing::Routes& routes);

// What is known of a payment when it is routed.
std::vector<std::string> payment_text(const routing::Asked& asked);

// The authorizations of a payment: each goes to one account.
std::vector<payment::Operation> authorizations_of(const payment::State& state);

// Whether it went where it is said to go first. True while nothing was sent.
bool went_as_said(const std::vector<payment::Operation>& authorizations,
                  const std::expected<routing::Choice, routing::NoChoice>& said,
                  const routing::Routes& routes);

// Where a payment went, beside where the file sends it.
std::vector<std::string> fact_text(const std::vector<payment::Operation>& authorizations,
                                   const std::expected<routing::Choice, routing::NoChoice>& said,
                                   const routing::Routes& routes);

}  // namespace switchyard::cli
