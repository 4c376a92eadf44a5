#include "service/settings.hpp"

#include <gmock/gmock.h>

namespace switchyard::service {
namespace {

using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

const std::string secret(32, 's');

Environment with(const std::string& name, const std::string& value) {
  Environment environment;
  environment.set(name, value);
  return environment;
}

// What the operator is told; empty if the value was accepted.
template <class Read>
std::string refusal(Read read, const Environment& environment) {
  try {
    read(environment);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return {};
}

template <class Read>
void expect_refused(Read read, const std::string& name, const std::vector<std::string>& values) {
  for (const auto& value : values) {
    EXPECT_THAT(refusal(read, with(name, value)), AllOf(StartsWith(name + " "), HasSubstr("(")))
        << name << "=" << value;
  }
}

HttpSettings read_http(const Environment& environment) {
  return read_http_settings(environment, 5000);
}

TEST(HttpSettings, HaveDefaults) {
  const auto settings = read_http(Environment());
  EXPECT_EQ(settings.host, "127.0.0.1") << "not reachable from outside unless somebody wants it";
  EXPECT_EQ(settings.port, 5000);
  EXPECT_EQ(settings.metrics_port, 0);
  EXPECT_EQ(settings.limits.body_bytes_max, 64U * 1024);
  EXPECT_EQ(settings.limits.connections_max, 10'000U);
  EXPECT_EQ(settings.limits.connections_per_address_max, 8'000U);
  EXPECT_EQ(settings.limits.buffered_bytes_max, 256U * 1024 * 1024);
  EXPECT_EQ(settings.limits.request, seconds(10));
  EXPECT_EQ(settings.limits.response, seconds(10));
  EXPECT_EQ(settings.limits.keep_alive, seconds(120));
  EXPECT_EQ(read_http_settings(Environment(), 8080).port, 8080);
}

TEST(HttpSettings, AreReadFromTheEnvironment) {
  Environment environment;
  for (const auto& [name, value] : std::map<std::string, std::string>{{"HTTP_HOST", "::"},
                                                                      {"HTTP_PORT", "8081"},
                                                                      {"METRICS_PORT", "9464"},
                                                                      {"MAX_BODY_BYTES", "2048"},
                                                                      {"MAX_CONNECTIONS", "7"},
                                                                      {"MAX_CONNECTIONS_PER_ADDRESS", "6"},
                                                                      {"MAX_BUFFERED_BYTES", "2000000"},
                                                                      {"REQUEST_TIMEOUT_SECONDS", "3"},
                                                                      {"KEEP_ALIVE_SECONDS", "4"},
                                                                      {"TRUSTED_PROXIES", "10.0.0.0/8"}}) {
    environment.set(name, value);
  }
  const auto settings = read_http(environment);
  EXPECT_EQ(settings.host, "::");
  EXPECT_EQ(settings.port, 8081);
  EXPECT_EQ(settings.metrics_port, 9464);
  EXPECT_EQ(settings.limits.body_bytes_max, 2048U);
  EXPECT_EQ(settings.limits.connections_max, 7U);
  EXPECT_EQ(settings.limits.connections_per_address_max, 6U);
  EXPECT_EQ(settings.limits.buffered_bytes_max, 2'000'000U);
  EXPECT_EQ(settings.limits.request, seconds(3));
  EXPECT_EQ(settings.limits.response, seconds(3));
  EXPECT_EQ(settings.limits.keep_alive, seconds(4));
  EXPECT_TRUE(settings.trusted_proxies.contains(boost::asio::ip::make_address("10.1.2.3")));
  EXPECT_FALSE(read_http(Environment()).trusted_proxies.contains(boost::asio::ip::make_address("10.1.2.3")));
}

TEST(HttpSettings, LeaveAFifthOfTheConnectionsForOtherAddresses) {
  EXPECT_EQ(read_http(with("MAX_CONNECTIONS", "50")).limits.connections_per_address_max, 40U);
  EXPECT_EQ(read_http(with("MAX_CONNECTIONS", "1")).limits.connections_per_address_max, 1U);
}

TEST(HttpSettings, WantMemoryForAFewBodies) {
  auto environment = with("MAX_BODY_BYTES", "1000000");
  environment.set("MAX_BUFFERED_BYTES", "3999999");
  EXPECT_THROW(read_http(environment), ConfigError);
  environment.set("MAX_BUFFERED_BYTES", "4000000");
  EXPECT_EQ(read_http(environment).limits.buffered_bytes_max, 4'000'000U);
}

TEST(HttpSettings, RefuseBadValues) {
  expect_refused(read_http, "MAX_CONNECTIONS_PER_ADDRESS", {"0", "1000001", "many"});
  expect_refused(read_http, "MAX_BUFFERED_BYTES", {"0", "1048575", "256M"});
  expect_refused(read_http, "HTTP_HOST", {"localhost", "127.0.0", "127.0.0.1:80", "x"});
  expect_refused(read_http, "TRUSTED_PROXIES", {"router", "10.0.0.1/8", "0.0.0.0/0", "10.0.0.0/8;10.0.0.1"});
  expect_refused(read_http, "HTTP_PORT", {"0", "65536", "http", "-1"});
  expect_refused(read_http, "METRICS_PORT", {"0", "65536", "off"});
  expect_refused(read_http, "MAX_BODY_BYTES", {"0", "1023", "16777217", "64K"});
  expect_refused(read_http, "MAX_CONNECTIONS", {"0", "1000001", "many"});
  expect_refused(read_http, "REQUEST_TIMEOUT_SECONDS", {"0", "601", "1.5", "10s"});
  expect_refused(read_http, "KEEP_ALIVE_SECONDS", {"0", "3601"});
}

TEST(HttpSettings, OfAProgramWithoutAPortLeaveHttpPortAlone) {
  auto environment = with("METRICS_PORT", "5000");
  environment.set("HTTP_PORT", "5000");
  EXPECT_EQ(read_http_settings(environment, 0).metrics_port, 5000);
  EXPECT_EQ(read_http_settings(with("HTTP_PORT", "none"), 0).port, 0);
}

TEST(HttpSettings, WantTwoDifferentPorts) {
  expect_refused(read_http, "METRICS_PORT", {"5000"});
  auto environment = with("METRICS_PORT", "5000");
  environment.set("HTTP_PORT", "5001");
  EXPECT_EQ(refusal(read_http, environment), "");
}

TEST(TokenSettings, HoldTheSecretsAndTheLifeOfAToken) {
  const auto settings = read_token_settings(with("JWT_SECRET", secret));
  EXPECT_EQ(settings.ttl, seconds(30));
  auto environment = with("JWT_SECRET", secret);
  environment.set("TOKEN_TTL_SECONDS", "86400");
  EXPECT_EQ(read_token_settings(environment).ttl, seconds(86'400));
}

TEST(TokenSettings, AcceptTokensOfThePreviousSecret) {
  auto environment = with("JWT_SECRET", std::string(32, 'n'));
  environment.set("JWT_SECRET_PREVIOUS", secret);
  const auto rotated = read_token_settings(environment);
  const auto before = read_token_settings(with("JWT_SECRET", secret));
  const Timestamp now{std::chrono::milliseconds(1'700'000'000'000)};
  const token::Claims claims{{1}, "alice", true, std::chrono::floor<seconds>(now) + seconds(30)};
  EXPECT_TRUE(rotated.jwt.verify(before.jwt.sign(claims), now));
  EXPECT_TRUE(rotated.jwt.verify(rotated.jwt.sign(claims), now));
  EXPECT_FALSE(before.jwt.verify(rotated.jwt.sign(claims), now)) << "the new secret signs";
}

TEST(TokenSettings, RefuseAMissingOrShortSecretWithoutShowingIt) {
  EXPECT_THAT(refusal(read_token_settings, Environment()),
              AllOf(StartsWith("JWT_SECRET is not set"), HasSubstr("openssl rand -hex 32")));
  EXPECT_THAT(refusal(read_token_settings, with("JWT_SECRET", "hunter2")),
              AllOf(StartsWith("JWT_SECRET "), HasSubstr("openssl rand -hex 32"), Not(HasSubstr("hunter2"))));
  auto environment = with("JWT_SECRET", secret);
  environment.set("JWT_SECRET_PREVIOUS", "hunter2");
  EXPECT_THAT(refusal(read_token_settings, environment),
              AllOf(StartsWith("JWT_SECRET_PREVIOUS "), Not(HasSubstr("hunter2"))));
  for (const char* ttl : {"0", "86401", "forever"}) {
    environment = with("JWT_SECRET", secret);
    environment.set("TOKEN_TTL_SECONDS", ttl);
    EXPECT_THAT(refusal(read_token_settings, environment), StartsWith("TOKEN_TTL_SECONDS ")) << ttl;
  }
}

TEST(LogSettings, ChooseFormatAndLevel) {
  EXPECT_TRUE(make_log(Environment())->enabled(LogLevel::info));
  EXPECT_FALSE(make_log(Environment())->enabled(LogLevel::debug));
  EXPECT_TRUE(make_log(with("LOG_LEVEL", "debug"))->enabled(LogLevel::debug));
  for (const auto* warning : {"warning", "warn"}) {
    EXPECT_FALSE(make_log(with("LOG_LEVEL", warning))->enabled(LogLevel::info));
    EXPECT_TRUE(make_log(with("LOG_LEVEL", warning))->enabled(LogLevel::warning));
  }
  EXPECT_FALSE(make_log(with("LOG_LEVEL", "error"))->enabled(LogLevel::warning));
  for (const char* format : {"text", "json"}) EXPECT_NE(make_log(with("LOG_FORMAT", format)), nullptr);
  expect_refused(make_log, "LOG_FORMAT", {"xml", "JSON"});
  expect_refused(make_log, "LOG_LEVEL", {"warnings", "INFO", "0"});
}

TEST(Settings, ProductionIsAskedFor) {
  EXPECT_FALSE(is_production(Environment()));
  EXPECT_FALSE(is_production(with("SWITCHYARD_ENV", "development")));
  EXPECT_TRUE(is_production(with("SWITCHYARD_ENV", "production")));
  expect_refused(is_production, "SWITCHYARD_ENV", {"prod", "Production", "test"});
}

TEST(Settings, TheStoreIsAFileByDefault) {
  EXPECT_EQ(read_database_url(Environment()), "sqlite:data/switchyard.db");
  EXPECT_EQ(read_database_url(with("DATABASE_URL", "sqlite:x.db")), "sqlite:x.db");
}

TEST(Settings, TheTimeForAStopIsBounded) {
  EXPECT_EQ(read_stop_times(Environment()).shutdown, seconds(10));
  EXPECT_EQ(read_stop_times(with("SHUTDOWN_SECONDS", "600")).shutdown, seconds(600));
  expect_refused(read_stop_times, "SHUTDOWN_SECONDS", {"0", "601", "10s"});
}

TEST(Settings, NobodyIsWaitedForBeforeAStopUnlessAsked) {
  EXPECT_EQ(read_stop_times(Environment()).drain, seconds(0));
  EXPECT_EQ(read_stop_times(with("DRAIN_SECONDS", "0")).drain, seconds(0));
  EXPECT_EQ(read_stop_times(with("DRAIN_SECONDS", "5")).drain, seconds(5));
  expect_refused(read_stop_times, "DRAIN_SECONDS", {"-1", "601", "5s"});
}

}  // namespace
}  // namespace switchyard::service
