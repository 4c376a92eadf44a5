// For unit tests only: a whole routing file, and questions to it.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include "routing/asked.hpp"
#include "routing/parse.hpp"

namespace switchyard::testing {

inline constexpr std::string_view routing_example =
    R"(# Accounts. Secrets stand in the environment; here are the names of their variables.
[psp.stripe_eu]
adapter = "stripe"
secret_key_env = "STRIPE_EU_SECRET_KEY"
webhook_secret_env = "STRIPE_EU_WEBHOOK_SECRET"
webhook_secret_previous_env = "STRIPE_EU_WEBHOOK_SECRET_PREVIOUS"

[psp.stripe_us]
adapter = "stripe"
secret_key_env = "STRIPE_US_SECRET_KEY"
webhook_secret_env = "STRIPE_US_WEBHOOK_SECRET"
base_url = "https://api.stripe.com"

[psp.adyen_main]
adapter = "adyen"
api_key_env = "ADYEN_API_KEY"
merchant_account = "AcmeECOM"
hmac_key_env = "ADYEN_HMAC_KEY"
live = true
live_prefix = "1797a841fbb37ca7-AcmeECOM"
several_captures = true

[psp.sim]
adapter = "simulator"

# The first rule that matches decides.
[[rule]]
name = "try out"
when = { merchant = [3, 1], metadata = { channel = "test" } }
psp = "sim"

[[rule]]
name = "large at night"
when = { currency = ["EUR", "SEK"], amount = { min = 500_00 }, time = "22:00-06:00", weekday = ["sat", "sun"] }
psp = { stripe_eu = 70, adyen_main = 30 }
fallback = "stripe_us"

[[rule]]
when.currency = "USD"
when.metadata = { tier = ["gold", "silver"], channel = "web" }
psp = { stripe_us = 1 }
fallback = ["adyen_main", "stripe_eu"]

[[rule]]
name = "only Adyen"
when = { payment_method = "adyen", amount = { min = 1, max = 99_99 }, time = ["09:00-12:00", "13:00-24:00"] }
psp = "adyen_main"

[[rule]]
name = "rest"
psp = { stripe_eu = 3, stripe_us = 2, adyen_main = 1 }
fallback = ["sim"]
)";

// Accounts at the simulator, whose names stand one blank apart, and rules that may name them.
inline std::string with_accounts(std::string_view names, std::string_view rules) {
  std::string text;
  while (!names.empty()) {
    const auto name = names.substr(0, names.find(' '));
    names.remove_prefix(std::min(name.size() + 1, names.size()));
    text += "[psp." + std::string(name) + "]\nadapter = \"simulator\"\n";
  }
  return text.append(rules);
}

// With nothing wrong in it.
inline routing::Routes routes_of(std::string_view text) {
  auto routes = routing::parse(text);
  if (routes) return std::move(*routes);
  for (const auto& finding : routes.error()) ADD_FAILURE() << to_string(finding);
  return routing::only_simulator();
}

inline Money money_of(std::int64_t minor, std::string_view currency) {
  return {minor, *Currency::parse(currency)};
}

// 10.00 USD of merchant 1 on a Wednesday, 12:00 UTC.
inline routing::Asked asked_at_noon() {
  return {.id = {*Uuid::parse("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")},
          .merchant = {1},
          .amount = money_of(1000, "USD"),
          .created_at =
              Timestamp(std::chrono::sys_days(std::chrono::year(2026) / 1 / 7) + std::chrono::hours(12))};
}

}  // namespace switchyard::testing
