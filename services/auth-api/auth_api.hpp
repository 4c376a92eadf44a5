// auth-api: gives a token for a username and a password.
#pragma once

#include <memory>

#include "auth-api/login.hpp"
#include "auth-api/users_file.hpp"
#include "base/environment.hpp"
#include "base/io_threads.hpp"
#include "http/router.hpp"
#include "service/health.hpp"
#include "service/refusal_log.hpp"
#include "service/settings.hpp"
#include "store/store.hpp"
#include "telemetry/log.hpp"
#include "telemetry/log_throttle.hpp"

namespace switchyard::auth {

struct Settings {
  service::TokenSettings token;
  LoginLimits limits;
  bool production = false;
  // Of USERS_FILE; empty: nothing to import.
  std::vector<UserInFile> users;
};

// Throws ConfigError.
Settings read_settings(const Environment& environment);

// Safe to use from any io thread. Everything it is given outlives it.
class AuthApi {
 public:
  // Imports the users into an empty user table. Throws std::runtime_error.
  AuthApi(Settings settings, store::Store& store, IoThreads& threads, Log& log, const Clock& clock);

  http::Router router(telemetry::Metrics& metrics);
  service::Health& health() { return health_; }

 private:
  // What became of logins whose names and passwords were well-formed.
  struct Logins {
    explicit Logins(telemetry::Metrics& metrics);
    prometheus::Counter& of(const LoginRefusal& refusal) const;

    prometheus::Counter& succeeded;
    prometheus::Counter& invalid;
    prometheus::Counter& too_many;
    prometheus::Counter& undecided;
  };

  // `logins` lives as long as the router.
  Task<http::Response> post_token(http::Request& request, const Logins& logins);
  Task<std::vector<service::HealthCheck>> check_health();

  service::TokenSettings token_;
  store::Store& store_;
  Log& log_;
  LogThrottle store_failures_;
  service::RefusalLog refusals_;
  const Clock& clock_;
  PasswordPool passwords_;
  Login login_;
  service::Health health_;
};

}  // namespace switchyard::auth
