#include "auth-api/auth_api.hpp"

#include <algorithm>
#include <array>
#include <thread>

#include <boost/json/monotonic_resource.hpp>
#include <fmt/format.h>

#include "auth-api/openapi.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"
#include "money/card_number.hpp"
#include "service/request_body.hpp"
#include "token/password.hpp"

namespace switchyard::auth {
namespace {

// The wait is less than the time after which most clients give up.
constexpr PasswordPool::Limits hashing_limits{.waiting = 1024, .wait = std::chrono::seconds(10)};

// Half the cores: first logins come in bursts, and the rest of the work must go on.
std::size_t hashing_threads() {
  return std::max(1U, std::thread::hardware_concurrency() / 2);
}

struct Credentials {
  std::string username;
  std::string password;
};

std::expected<Credentials, http::Response> read_credentials(const http::Request& request) {
  std::array<unsigned char, 2048> buffer;
  boost::json::monotonic_resource memory(buffer.data(), buffer.size());
  const auto body = service::read_json_object(request, &memory);
  if (!body) return std::unexpected(body.error());
  const auto username = service::text_member(*body, "username");
  if (!username || service::is_blank(*username)) {
    return std::unexpected(
        http::problem(422, "Username is blank", "username must be a string that is not blank"));
  }
  const auto password = service::text_member(*body, "password");
  if (!password || service::is_blank(*password)) {
    return std::unexpected(
        http::problem(422, "Password is blank", "password must be a string that is not blank"));
  }
  if (contains_card_number(*username)) {
    return std::unexpected(
        http::problem(422, "Card number not allowed",
                      "the username looks like a card number; card numbers must never be sent here"));
  }
  if (username->size() > token::max_username_bytes) {
    return std::unexpected(http::problem(422, "Username is too long", "username has at most 256 bytes"));
  }
  if (password->size() > token::max_password_bytes) {
    return std::unexpected(http::problem(422, "Password is too long", "password has at most 1024 bytes"));
  }
  static constexpr std::string_view members[] = {"username", "password"};
  if (auto known = service::refuse_unknown_members(*body, members); !known)
    return std::unexpected(std::move(known.error()));
  if (auto none = service::read_query(request.query, {}); !none)
    return std::unexpected(std::move(none.error()));
  return Credentials{std::string(*username), std::string(*password)};
}

http::Response refuse(const LoginRefusal& refusal) {
  if (const auto* failures = std::get_if<TooManyFailures>(&refusal)) {
    return http::try_later(429, "Too many failed logins",
                           "too many logins failed for this user or from this address",
                           static_cast<int>(failures->retry_after.count()));
  }
  if (const auto* error = std::get_if<Error>(&refusal)) {
    // Of a guess that may be counted or not; a login has no key to send it again with.
    if (error->code == ErrorCode::store_outcome_unknown) {
      return http::try_later(503, "Store unavailable", "the login could not be decided; send it again", 1);
    }
    return http::problem(*error);
  }
  return http::problem(401, "Invalid username or password").with("WWW-Authenticate", "Bearer");
}

prometheus::Counter& logins_by(telemetry::Metrics& metrics, const char* result) {
  return metrics.counter("switchyard_logins_total", "Logins, by what came of them.", {{"result", result}});
}

Task<http::Response> show_openapi(const http::Request&) {
  http::Response response;
  response.body = openapi_document;
  co_return response;
}

}  // namespace

Settings read_settings(const Environment& environment) {
  Settings settings{
      .token = service::read_token_settings(environment),
      .limits = {.failures_per_user = environment.integer("LOGIN_FAILURES_PER_USER", 10, 1, 1'000'000),
                 .failures_per_address =
                     environment.integer("LOGIN_FAILURES_PER_ADDRESS", 100, 1, 1'000'000)},
      .production = service::is_production(environment),
      .users = {},
  };
  if (const auto path = environment.find("USERS_FILE"))
    settings.users = read_users_file(*path, settings.production);
  return settings;
}

AuthApi::AuthApi(Settings settings, store::Store& store, IoThreads& threads, Log& log, const Clock& clock)
    : token_(std::move(settings.token)),
      store_(store),
      log_(log),
      refusals_(log),
      clock_(clock),
      passwords_(hashing_threads(), hashing_limits),
      login_(store, passwords_, clock, settings.limits, settings.production),
      health_([this] { return check_health(); }) {
  if (const auto count = import_users(store, threads, settings.users, clock.now()); count > 0) {
    log_.info(fmt::format("Imported {} users from USERS_FILE", count));
  }
}

AuthApi::Logins::Logins(telemetry::Metrics& metrics)
    : succeeded(logins_by(metrics, "success")),
      invalid(logins_by(metrics, "invalid")),
      too_many(logins_by(metrics, "too_many_failures")),
      undecided(logins_by(metrics, "undecided")) {}

prometheus::Counter& AuthApi::Logins::of(const LoginRefusal& refusal) const {
  if (std::holds_alternative<InvalidCredentials>(refusal)) return invalid;
  return std::holds_alternative<TooManyFailures>(refusal) ? too_many : undecided;
}

http::Router AuthApi::router(telemetry::Metrics& metrics) {
  http::Router router(metrics, "auth-api");
  router.add(http::Method::post, "/token", [this, logins = Logins(metrics)](http::Request& request) {
    return post_token(request, logins);
  });
  router.add(http::Method::get, "/openapi.json", show_openapi);
  router.add(http::Method::get, "/health",
             [this](const http::Request& request) { return health_.handle(request); });
  return router;
}

Task<http::Response> AuthApi::post_token(http::Request& request, const Logins& logins) {
  auto credentials = read_credentials(request);
  if (!credentials) co_return std::move(credentials.error());
  const auto name = credentials->username;
  const auto user = co_await login_.attempt(std::move(credentials->username),
                                            std::move(credentials->password), request.remote_address);
  if (!user) {
    logins.of(user.error()).Increment();
    if (const auto* error = std::get_if<Error>(&user.error()); error != nullptr && store_failures_.allow()) {
      log_.warning(fmt::format("A login could not be decided: {}", error->detail));
    }
    auto refusal = refuse(user.error());
    refusals_.add(request, refusal, name, std::chrono::steady_clock::now());
    co_return refusal;
  }
  request.merchant = std::to_string(user->id.value);
  logins.succeeded.Increment();
  const auto expires_at = std::chrono::floor<std::chrono::seconds>(clock_.now()) + token_.ttl;
  const auto token = token_.jwt.sign({user->id, user->username, user->enabled, expires_at});
  http::Response response;
  response.body = fmt::format(R"({{"token":"{}"}})", token);
  response.headers.emplace_back("Cache-Control", "no-store");
  co_return response;
}

Task<std::vector<service::HealthCheck>> AuthApi::check_health() {
  const auto writable = co_await store_.check_writable(clock_.now());
  if (!writable && store_failures_.allow()) {
    log_.error(fmt::format("The store cannot be written: {}", writable.error().detail));
  }
  co_return std::vector<service::HealthCheck>{
      {"store:writable", writable.has_value(), writable ? "" : "the store cannot be written; see the log"}};
}

}  // namespace switchyard::auth
