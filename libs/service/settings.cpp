#include "service/settings.hpp"

#include <algorithm>

#include <boost/asio/ip/address.hpp>
#include <fmt/format.h>
#include <unistd.h>

namespace switchyard::service {
namespace {

LogLevel parse_level(std::string_view name) {
  if (name == "debug") return LogLevel::debug;
  if (name == "info") return LogLevel::info;
  if (name == "warning" || name == "warn") return LogLevel::warning;
  return LogLevel::error;
}

// What keeps one client from taking everything.
void read_shares_of_a_client(const Environment& environment, http::Limits& limits) {
  const auto connections = static_cast<std::int64_t>(limits.connections_max);
  limits.connections_per_address_max = static_cast<std::size_t>(environment.integer(
      "MAX_CONNECTIONS_PER_ADDRESS", std::max<std::int64_t>(1, connections * 4 / 5), 1, 1'000'000));
  limits.buffered_bytes_max = static_cast<std::size_t>(
      environment.integer("MAX_BUFFERED_BYTES", 268'435'456, 1'048'576, 1'099'511'627'776));
  // A body in chunks lies there twice, and each buffer may be twice as large as what is in it.
  if (limits.buffered_bytes_max < 4 * limits.body_bytes_max)
    throw ConfigError("MAX_BUFFERED_BYTES", "must be at least four times MAX_BODY_BYTES",
                      fmt::format("for example MAX_BUFFERED_BYTES={}", 4 * limits.body_bytes_max));
  limits.buffered_bytes_per_address_max =
      std::max(4 * limits.body_bytes_max, limits.buffered_bytes_max / 5 * 4);
}

http::TrustedProxies read_trusted_proxies(const Environment& environment) {
  auto proxies = http::TrustedProxies::parse(environment.text("TRUSTED_PROXIES", ""));
  if (!proxies) {
    throw ConfigError("TRUSTED_PROXIES",
                      fmt::format("must be a list of networks and addresses, and {}", proxies.error().detail),
                      "for example TRUSTED_PROXIES=10.0.0.0/8,192.0.2.1");
  }
  return std::move(*proxies);
}

}  // namespace

std::string local_url(const HttpSettings& settings) {
  auto address = boost::asio::ip::make_address(settings.host);
  if (address == boost::asio::ip::address_v4::any()) address = boost::asio::ip::address_v4::loopback();
  if (address == boost::asio::ip::address_v6::any()) address = boost::asio::ip::address_v6::loopback();
  const auto host = address.is_v6() ? fmt::format("[{}]", address.to_string()) : address.to_string();
  return fmt::format("http://{}:{}", host, settings.port);
}

HttpSettings read_http_settings(const Environment& environment, std::uint16_t port_default,
                                std::size_t body_bytes_default) {
  HttpSettings settings;
  settings.host = environment.text("HTTP_HOST", "127.0.0.1");
  boost::system::error_code error;
  boost::asio::ip::make_address(settings.host, error);
  if (error) throw ConfigError("HTTP_HOST", "must be an IP address", "for example HTTP_HOST=127.0.0.1");
  if (port_default != 0) settings.port = environment.port("HTTP_PORT", port_default);
  settings.metrics_port = environment.port("METRICS_PORT", 0);
  if (settings.metrics_port != 0 && settings.metrics_port == settings.port) {
    throw ConfigError("METRICS_PORT", "is the same as HTTP_PORT", "for example METRICS_PORT=9464");
  }
  auto& limits = settings.limits;
  limits.body_bytes_max = static_cast<std::size_t>(environment.integer(
      "MAX_BODY_BYTES", static_cast<std::int64_t>(body_bytes_default), 1'024, 16'777'216));
  limits.connections_max =
      static_cast<std::size_t>(environment.integer("MAX_CONNECTIONS", 10'000, 1, 1'000'000));
  read_shares_of_a_client(environment, limits);
  settings.trusted_proxies = read_trusted_proxies(environment);
  settings.log_requests = environment.one_of("LOG_REQUESTS", {"true", "false"}, "false") == "true";
  limits.request = environment.seconds("REQUEST_TIMEOUT_SECONDS", 10, 1, 600);
  limits.response = limits.request;
  limits.keep_alive = environment.seconds("KEEP_ALIVE_SECONDS", 120, 1, 3'600);
  return settings;
}

TokenSettings read_token_settings(const Environment& environment) {
  const auto secret = environment.required_secret("JWT_SECRET");
  const auto previous = environment.optional_secret("JWT_SECRET_PREVIOUS");
  auto jwt = token::Jwt::create(secret, previous ? std::optional<std::string_view>(*previous) : std::nullopt);
  if (!jwt) throw ConfigError("JWT_SECRET", jwt.error().detail, "make one with: openssl rand -hex 32");
  return {std::move(*jwt), environment.seconds("TOKEN_TTL_SECONDS", 30, 1, 86'400)};
}

std::unique_ptr<Log> make_log(const Environment& environment) {
  const auto format =
      environment.one_of("LOG_FORMAT", {"text", "json"}, ::isatty(STDOUT_FILENO) != 0 ? "text" : "json");
  const auto level = environment.one_of("LOG_LEVEL", {"debug", "info", "warning", "warn", "error"}, "info");
  auto log = std::make_unique<Log>(format == "text" ? LogFormat::text : LogFormat::json, parse_level(level));
  log->write_at_abort();
  log->say_date();
  return log;
}

bool is_production(const Environment& environment) {
  return environment.one_of("SWITCHYARD_ENV", {"development", "production"}, "development") == "production";
}

std::int64_t read_amount_max(const Environment& environment) {
  return environment.integer("MAX_AMOUNT", 1'000'000'000'000, 1, 1'000'000'000'000'000);
}

std::function<void(std::string)> info_into(Log& log) {
  return [&log](const std::string& line) { log.info(line); };
}

std::string read_database_url(const Environment& environment) {
  return environment.text("DATABASE_URL", "sqlite:data/switchyard.db");
}

StopTimes read_stop_times(const Environment& environment) {
  return {.drain = environment.seconds("DRAIN_SECONDS", 0, 0, 600),
          .shutdown = environment.seconds("SHUTDOWN_SECONDS", 10, 1, 600)};
}

}  // namespace switchyard::service
