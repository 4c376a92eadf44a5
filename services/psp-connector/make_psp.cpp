#include "psp-connector/make_psp.hpp"

#include <utility>

#include <fmt/format.h>

#include "http/async_client.hpp"
#include "psp/adyen/adyen_protocol.hpp"
#include "psp/http_adapter.hpp"
#include "psp/simulator/simulator.hpp"
#include "psp/simulator/simulator_protocol.hpp"
#include "psp/stripe/stripe_protocol.hpp"
#include "routing/secrets.hpp"
#include "service/settings.hpp"
#include "store/open.hpp"

namespace switchyard::connector {
namespace {

std::string ledger_path_of(const Environment& environment) {
  if (auto path = environment.find("PSP_SIMULATOR_LEDGER")) return std::move(*path);
  const auto database_url = service::read_database_url(environment);
  if (store::is_postgres(database_url)) return "data/psp-simulator.db";
  return store::sqlite_path(database_url) + ".psp-simulator";
}

std::unique_ptr<psp::Adapter> over_http(std::unique_ptr<psp::Protocol> protocol, const PspParts& parts) {
  return std::make_unique<psp::HttpAdapter>(parts.executor, std::move(protocol), parts.connections_max);
}

std::unique_ptr<psp::Adapter> make_stripe(const routing::Account& account, const PspParts& parts) {
  const auto& environment = parts.settings.environment;
  psp::stripe::Settings settings{.account = account.name,
                                 .secret_key = routing::secret_of(account, "secret_key_env", environment)};
  const bool has_prefix = settings.secret_key.starts_with("sk_") || settings.secret_key.starts_with("rk_");
  if (!has_prefix || settings.secret_key.ends_with('_')) {
    throw ConfigError(account.text("secret_key_env"),
                      fmt::format("is no secret key of Stripe's, for the account {}", account.name),
                      "one begins with sk_test_, sk_live_, rk_test_ or rk_live_");
  }
  if (const auto url = account.text("base_url"); !url.empty()) settings.base_url = url;
  return over_http(std::make_unique<psp::stripe::StripeProtocol>(std::move(settings)), parts);
}

std::string adyen_url_of(const routing::Account& account) {
  if (const auto url = account.text("base_url"); !url.empty()) return std::string(url);
  if (const auto prefix = account.text("live_prefix"); !prefix.empty()) return psp::adyen::live_url(prefix);
  return std::string(psp::adyen::test_url);
}

std::unique_ptr<psp::Adapter> make_adyen(const routing::Account& account, const PspParts& parts) {
  psp::adyen::Settings settings{
      .account = account.name,
      .url = adyen_url_of(account),
      .api_key = routing::secret_of(account, "api_key_env", parts.settings.environment),
      .merchant_account = std::string(account.text("merchant_account")),
      .is_live = account.flag("live"),
      .several_captures = account.flag("several_captures")};
  if (const auto url = account.text("return_url"); !url.empty()) settings.return_url = url;
  if (const auto problem = psp::adyen::problem_of(settings); !problem.empty()) {
    throw ConfigError("ROUTING_FILE", fmt::format("has an account {}, whose {}", account.name, problem),
                      "docs/psps.md shows a whole one");
  }
  return over_http(std::make_unique<psp::adyen::AdyenProtocol>(std::move(settings)), parts);
}

std::unique_ptr<psp::Adapter> make_simulator(const routing::Account& account, const PspParts& parts) {
  if (const auto url = account.text("base_url"); !url.empty()) {
    return over_http(std::make_unique<psp::simulator::SimulatorProtocol>(std::string(url), account.name),
                     parts);
  }
  // A book for each account.
  const auto& path = parts.settings.ledger_path;
  return std::make_unique<psp::simulator::Simulator>(
      account.name == "simulator" ? path : fmt::format("{}-{}", path, account.name), parts.clock,
      account.name);
}

}  // namespace

PspSettings read_psp_settings(const Environment& environment) {
  PspSettings settings{.production = service::is_production(environment)};
  if (auto file = environment.find("ROUTING_FILE")) {
    settings.routing_file = std::move(*file);
    settings.environment = environment;
  } else if (auto url = environment.find("PSP_URL")) {
    const auto problem = http::problem_of_base_url(*url);
    if (!problem.empty()) {
      throw ConfigError("PSP_URL", problem, "for example PSP_URL=http://127.0.0.1:5003");
    }
    settings.url = std::move(*url);
    return settings;
  }
  settings.ledger_path = ledger_path_of(environment);
  return settings;
}

std::unique_ptr<psp::Adapter> make_simulated_psp(const PspParts& parts) {
  const auto& [settings, executor, connections_max, clock] = parts;
  if (settings.url.empty()) return std::make_unique<psp::simulator::Simulator>(settings.ledger_path, clock);
  return over_http(std::make_unique<psp::simulator::SimulatorProtocol>(settings.url), parts);
}

std::unique_ptr<psp::Adapter> make_psp(const routing::Account& account, const PspParts& parts) {
  switch (account.adapter) {
    case routing::Adapter::stripe:
      return make_stripe(account, parts);
    case routing::Adapter::adyen:
      return make_adyen(account, parts);
    case routing::Adapter::simulator:
      return make_simulator(account, parts);
  }
  std::unreachable();
}

}  // namespace switchyard::connector
