// The settings that several programs share, read from the environment. Each function throws ConfigError.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "base/environment.hpp"
#include "http/limits.hpp"
#include "http/trusted_proxies.hpp"
#include "payment/state_machine.hpp"
#include "telemetry/log.hpp"
#include "token/jwt.hpp"

namespace switchyard::service {

struct HttpSettings {
  std::string host;
  std::uint16_t port = 0;
  // 0: no metrics.
  std::uint16_t metrics_port = 0;
  http::Limits limits;
  http::TrustedProxies trusted_proxies;
  // A line for each request.
  bool log_requests = false;
};

// Where this machine reaches a server with these settings, such as "http://127.0.0.1:8080".
std::string local_url(const HttpSettings& settings);

// `port_default` 0: the program serves nothing but metrics, and HTTP_PORT is not its own.
// `body_bytes_default`: of MAX_BODY_BYTES.
HttpSettings read_http_settings(const Environment& environment, std::uint16_t port_default,
                                std::size_t body_bytes_default = http::Limits().body_bytes_max);

struct TokenSettings {
  token::Jwt jwt;
  std::chrono::seconds ttl;
};

TokenSettings read_token_settings(const Environment& environment);

std::unique_ptr<Log> make_log(const Environment& environment);
// Writes lines to it that are news to the operator, and no warnings. It must outlive what it gives.
std::function<void(std::string)> info_into(Log& log);

bool is_production(const Environment& environment);
// MAX_AMOUNT, in minor units of whatever currency.
std::int64_t read_amount_max(const Environment& environment);
std::string read_database_url(const Environment& environment);

// How a server ends: WebService::stop.
struct StopTimes {
  std::chrono::seconds drain;
  std::chrono::seconds shutdown;
};

StopTimes read_stop_times(const Environment& environment);

}  // namespace switchyard::service
