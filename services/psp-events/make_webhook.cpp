#include "psp-events/make_webhook.hpp"

#include <utility>

#include <fmt/format.h>

#include "psp/adyen/events.hpp"
#include "psp/stripe/webhook_reader.hpp"
#include "routing/secrets.hpp"

namespace switchyard::events {
namespace {

void check_secret(std::string_view secret, const routing::Account& account, std::string_view setting) {
  constexpr std::string_view prefix = "whsec_";
  if (secret.starts_with(prefix) && secret.size() > prefix.size()) return;
  throw ConfigError(account.text(setting),
                    fmt::format("is no secret of a webhook of Stripe's, for the account {}", account.name),
                    "one begins with whsec_ and goes on");
}

std::unique_ptr<const psp::Webhook> make_stripe(const routing::Account& account,
                                                const Environment& environment) {
  if (account.text("webhook_secret_env").empty()) return nullptr;
  psp::stripe::WebhookSettings settings{
      .secret = routing::secret_of(account, "webhook_secret_env", environment),
      .secret_previous = routing::secret_of(account, "webhook_secret_previous_env", environment)};
  check_secret(settings.secret, account, "webhook_secret_env");
  if (!settings.secret_previous.empty()) {
    check_secret(settings.secret_previous, account, "webhook_secret_previous_env");
  }
  const auto secret_key = environment.find(std::string(account.text("secret_key_env")));
  if (secret_key) settings.is_live = psp::stripe::is_live(*secret_key);
  return std::make_unique<psp::stripe::WebhookReader>(settings);
}

std::unique_ptr<const psp::Webhook> make_adyen(const routing::Account& account,
                                               const Environment& environment) {
  if (account.text("hmac_key_env").empty()) return nullptr;
  const psp::adyen::WebhookSettings settings{
      .merchant_account = std::string(account.text("merchant_account")),
      .hmac_key = routing::secret_of(account, "hmac_key_env", environment),
      .hmac_key_previous = routing::secret_of(account, "hmac_key_previous_env", environment),
      .is_live = account.flag("live")};
  if (const auto problem = psp::adyen::problem_of(settings); !problem.empty()) {
    throw ConfigError("ROUTING_FILE", fmt::format("has an account {}, whose {}", account.name, problem),
                      "docs/psps.md shows a whole one");
  }
  return std::make_unique<psp::adyen::EventReader>(settings);
}

}  // namespace

std::unique_ptr<const psp::Webhook> make_webhook(const routing::Account& account,
                                                 const Environment& environment) {
  switch (account.adapter) {
    case routing::Adapter::stripe:
      return make_stripe(account, environment);
    case routing::Adapter::adyen:
      return make_adyen(account, environment);
    case routing::Adapter::simulator:
      return nullptr;
  }
  std::unreachable();
}

}  // namespace switchyard::events
