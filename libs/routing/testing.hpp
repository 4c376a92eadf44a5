// For unit tests only: a whole routing file, and questions to it.
#pragma once

#include <string>
#include <string_view>

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

// Two accounts, a and b, at the simulator, which every rule may name.
inline std::string with_two_accounts(std::string_view rules) {
  return "[psp.a]\nadapter = \"simulator\"\n[psp.b]\nadapter = \"simulator\"\n" + std::string(rules);
}

}  // namespace switchyard::testing
