#include "psp-simulator/dialect/settings.hpp"

#include <string>

#include "http/async_client.hpp"
#include "psp/adyen/settings.hpp"

namespace switchyard::psp_simulator {
namespace {

std::string read_url(const Environment& environment, const std::string& name) {
  auto url = environment.text(name, "");
  if (url.empty()) return url;
  if (const auto problem = http::problem_of_base_url(url); !problem.empty()) {
    throw ConfigError(name, problem, "http://127.0.0.1:8080/events");
  }
  return url;
}

}  // namespace

DialectSettings read_dialect_settings(const Environment& environment) {
  DialectSettings settings;
  settings.stripe.webhook_url = read_url(environment, "PSP_SIMULATOR_STRIPE_WEBHOOK_URL");
  settings.stripe.webhook_secret = environment.text("PSP_SIMULATOR_STRIPE_WEBHOOK_SECRET", "");
  if (!settings.stripe.webhook_url.empty() && settings.stripe.webhook_secret.empty()) {
    throw ConfigError("PSP_SIMULATOR_STRIPE_WEBHOOK_SECRET", "must be set where events are sent",
                      "whsec_0123456789abcdef0123456789abcdef");
  }
  settings.adyen.webhook_url = read_url(environment, "PSP_SIMULATOR_ADYEN_WEBHOOK_URL");
  settings.adyen.hmac_key = environment.text("PSP_SIMULATOR_ADYEN_HMAC_KEY", "");
  const bool has_key = !psp::adyen::hmac_key_bytes(settings.adyen.hmac_key).empty();
  if (!settings.adyen.webhook_url.empty() && !has_key) {
    throw ConfigError("PSP_SIMULATOR_ADYEN_HMAC_KEY", "must be 64 hexadecimal digits where events are sent",
                      std::string(64, 'A'));
  }
  return settings;
}

}  // namespace switchyard::psp_simulator
