// Builds what reads the webhook of an account, from its entry in the routing file and the environment.
#pragma once

#include <memory>

#include "base/environment.hpp"
#include "psp/webhook.hpp"
#include "routing/routes.hpp"

namespace switchyard::events {

// Nothing if the account takes no events: its PSP is simulated, or it names no secret for them. Throws
// ConfigError: a variable that the account names is not set, or holds no such secret.
//
// No other secret is needed. Where the account's API key is set as well, it says whether events of real money
// are meant; Stripe signs test events with secrets of their own anyway.
std::unique_ptr<const psp::Webhook> make_webhook(const routing::Account& account,
                                                 const Environment& environment);

}  // namespace switchyard::events
