#include "switchyard/known_settings.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>

#include <fmt/format.h>

#include "base/spelling.hpp"
#include "routing/routing_file.hpp"

namespace switchyard::cli {
namespace {

// As .env.example explains them; tests/functional/test_doctor.py holds the two together.
constexpr auto known = std::to_array<std::string_view>({
    "DATABASE_URL",
    "CUSTOMER_TIMEOUT_SECONDS",
    "DRAIN_SECONDS",
    "HTTP_HOST",
    "HTTP_PORT",
    "JWT_SECRET",
    "JWT_SECRET_PREVIOUS",
    "KEEP_ALIVE_SECONDS",
    "LEASE_SECONDS",
    "LOGIN_FAILURES_PER_ADDRESS",
    "LOGIN_FAILURES_PER_USER",
    "LOG_FORMAT",
    "LOG_LEVEL",
    "LOG_REQUESTS",
    "LOOK_UPS_MAX",
    "MAX_AMOUNT",
    "MAX_BACKLOG",
    "MAX_BODY_BYTES",
    "MAX_BUFFERED_BYTES",
    "MAX_CONNECTIONS",
    "MAX_CONNECTIONS_PER_ADDRESS",
    "MAX_IN_FLIGHT",
    "MERCHANT_RATE",
    "MERCHANT_REQUESTS",
    "METRICS_PORT",
    "PGPASSWORD",
    "PLATFORM_HOST",
    "POSTGRES_PASSWORD",
    "PSP_SIMULATOR_ADYEN_HMAC_KEY",
    "PSP_SIMULATOR_ADYEN_WEBHOOK_URL",
    "PSP_SIMULATOR_LEDGER",
    "PSP_SIMULATOR_STRIPE_WEBHOOK_SECRET",
    "PSP_SIMULATOR_STRIPE_WEBHOOK_URL",
    "PSP_TIMEOUT_SECONDS",
    "PSP_URL",
    "QUEUE_SWEEP_SECONDS",
    "REDIS_URL",
    "REQUEST_TIMEOUT_SECONDS",
    "ROUTER_ADDRESS",
    "ROUTER_BODY_BYTES",
    "ROUTER_HTTPS_PORT",
    "ROUTER_HTTP_PORT",
    "ROUTER_LOGIN_RATE",
    "ROUTER_RATE",
    "ROUTING_FILE",
    "SHUTDOWN_SECONDS",
    "SWITCHYARD_ENV",
    "TOKEN_TTL_SECONDS",
    "TRUSTED_PROXIES",
    "USERS_FILE",
});

// Of the system, of libpq, of Docker and of the libraries that read the environment themselves.
constexpr auto of_others = std::to_array<std::string_view>(
    {"TZ", "LANG", "LC_", "PATH", "HOME", "PG", "COMPOSE_", "DOCKER_", "MALLOC_", "SSL_CERT_", "NO_PROXY",
     "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "no_proxy"});

bool is_known(std::string_view name) {
  return std::ranges::any_of(of_others, [name](auto start) { return name.starts_with(start); }) ||
         std::ranges::find(known, name) != known.end();
}

}  // namespace

namespace {

// The variables of secrets that the routing file names.
std::set<std::string, std::less<>> names_of_secrets(const Environment& environment) {
  std::set<std::string, std::less<>> names;
  const auto path = environment.find("ROUTING_FILE");
  if (!path) return names;
  const auto routes = routing::RoutingFile(*path).read_if_changed().value();
  // Why it cannot be followed is another check's.
  if (!routes) return names;
  for (const auto& account : routes->accounts) {
    for (const auto& [setting, value] : account.texts) {
      if (setting.ends_with("_env")) names.insert(value);
    }
  }
  return names;
}

}  // namespace

std::vector<std::string> doubtful_settings(const Environment& environment) {
  const auto secrets = names_of_secrets(environment);
  std::vector<std::string> lines;
  std::map<std::string_view, int> times;
  for (const auto& name : environment.names_in_files()) {
    const auto time = ++times[name];
    if (time == 2) lines.push_back(fmt::format("{} is given more than once; the last line counts", name));
    if (time > 1 || is_known(name) || secrets.contains(name)) continue;
    const auto meant = nearest(name, known);
    lines.push_back(meant.empty() ? fmt::format("{} is no setting", name)
                                  : fmt::format("{} is no setting; perhaps {} was meant", name, meant));
  }
  return lines;
}

}  // namespace switchyard::cli
