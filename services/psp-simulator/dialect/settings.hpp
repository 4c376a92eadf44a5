// Where the PSPs that are played send their events.
#pragma once

#include "base/environment.hpp"
#include "psp-simulator/adyen/adyen_dialect.hpp"
#include "psp-simulator/stripe/stripe_dialect.hpp"

namespace switchyard::psp_simulator {

struct DialectSettings {
  stripe::Settings stripe{};
  adyen::Settings adyen{};
};

// PSP_SIMULATOR_STRIPE_WEBHOOK_URL and _SECRET, PSP_SIMULATOR_ADYEN_WEBHOOK_URL and
// PSP_SIMULATOR_ADYEN_HMAC_KEY. Throws ConfigError.
DialectSettings read_dialect_settings(const Environment& environment);

}  // namespace switchyard::psp_simulator
