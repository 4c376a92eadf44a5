#include "redis/url.hpp"

#include <gmock/gmock.h>

#include "base/environment.hpp"

namespace switchyard::redis {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string refusal_of(std::string_view text) {
  try {
    parse_url(text);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(RedisUrlTest, NamesAServer) {
  const auto url = parse_url("redis://127.0.0.1:7000/3");
  EXPECT_THAT(url.endpoints, ElementsAre(Endpoint{"127.0.0.1", 7000}));
  EXPECT_EQ(url.database, 3);
  EXPECT_FALSE(url.tls);
  EXPECT_TRUE(url.password.empty());
  EXPECT_FALSE(url.has_sentinels());
}

TEST(RedisUrlTest, HasDefaults) {
  const auto url = parse_url("redis://cache.example");
  EXPECT_THAT(url.endpoints, ElementsAre(Endpoint{"cache.example", 6379}));
  EXPECT_EQ(url.database, 0);
  EXPECT_EQ(parse_url("redis://cache.example/").database, 0);
}

TEST(RedisUrlTest, KnowsTls) {
  const auto url = parse_url("rediss://cache.example:6380");
  EXPECT_TRUE(url.tls);
  EXPECT_THAT(url.endpoints, ElementsAre(Endpoint{"cache.example", 6380}));
}

TEST(RedisUrlTest, TakesUserAndPassword) {
  EXPECT_EQ(parse_url("redis://:secret@host").password, "secret");
  EXPECT_EQ(parse_url("redis://:secret@host").user, "");
  const auto url = parse_url("redis://worker:p%40ss%2F%25@host:1/2");
  EXPECT_EQ(url.user, "worker");
  EXPECT_EQ(url.password, "p@ss/%");
  EXPECT_THAT(url.endpoints, ElementsAre(Endpoint{"host", 1}));
  EXPECT_EQ(parse_url("redis://u:a@b@host").password, "a@b");
}

TEST(RedisUrlTest, TakesIpv6Addresses) {
  EXPECT_THAT(parse_url("redis://[::1]:7000").endpoints, ElementsAre(Endpoint{"::1", 7000}));
  EXPECT_THAT(parse_url("redis://[fe80::1]").endpoints, ElementsAre(Endpoint{"fe80::1", 6379}));
}

TEST(RedisUrlTest, NamesASocket) {
  const auto url = parse_url("unix:///run/redis.sock?db=2");
  EXPECT_EQ(url.socket_path, "/run/redis.sock");
  EXPECT_EQ(url.database, 2);
  EXPECT_TRUE(url.endpoints.empty());
  EXPECT_EQ(parse_url("unix:///run/redis.sock").database, 0);
}

TEST(RedisUrlTest, NamesSentinels) {
  const auto url = parse_url("redis+sentinel://:secret@10.0.0.1,10.0.0.2:26380/mymaster/1");
  EXPECT_THAT(url.endpoints, ElementsAre(Endpoint{"10.0.0.1", 26379}, Endpoint{"10.0.0.2", 26380}));
  EXPECT_EQ(url.service, "mymaster");
  EXPECT_EQ(url.database, 1);
  EXPECT_EQ(url.password, "secret");
  EXPECT_TRUE(parse_url("rediss+sentinel://host/mymaster").tls);
}

TEST(RedisUrlTest, IsWrittenWithoutUserAndPassword) {
  EXPECT_EQ(parse_url("redis://u:secret@host:1/2").to_string(), "redis://host:1/2");
  EXPECT_EQ(parse_url("rediss://:secret@[::1]").to_string(), "rediss://[::1]:6379/0");
  EXPECT_EQ(parse_url("redis+sentinel://:secret@a,b/m").to_string(), "redis+sentinel://a:26379,b:26379/m/0");
  EXPECT_EQ(parse_url("unix:///run/r.sock").to_string(), "unix:///run/r.sock?db=0");
}

TEST(RedisUrlTest, RefusesWhatItDoesNotUnderstand) {
  for (const auto* text : {"",
                           "redis",
                           "redis:/host",
                           "http://host",
                           "redis://",
                           "redis://:6379",
                           "redis://host:0",
                           "redis://host:65536",
                           "redis://host:x",
                           "redis://host:1x",
                           "redis://host/x",
                           "redis://host/-1",
                           "redis://host/1/2",
                           "redis://[::1",
                           "redis://[::1]x",
                           "redis://user@host",
                           "redis://:%4@host",
                           "redis://:%zz@host",
                           "unix://",
                           "unix://run/redis.sock",
                           "unix:///run/r.sock?x=1",
                           "unix:///run/r.sock?db=",
                           "redis+sentinel://host",
                           "redis+sentinel://host/",
                           "redis+sentinel:///m",
                           "redis+sentinel://a,,b/m",
                           "redis://ho st",
                           "redis://host\n"}) {
    EXPECT_THAT(refusal_of(text), AllOf(StartsWith("REDIS_URL "), HasSubstr("for example"))) << text;
  }
  EXPECT_THAT(refusal_of("unix:///" + std::string(200, 'x')), StartsWith("REDIS_URL "));
}

TEST(RedisUrlTest, NeverRepeatsAPassword) {
  for (const auto* text : {"redis://:hunter2@host:x", "redis://hunter2@host", "http://:hunter2@host",
                           "redis://:hunter2@", "redis://:hunter2%4@host", "redis+sentinel://:hunter2@host",
                           "redis+sentinel://u:12/hunter2@host/name", "redis://u:12/hunter2@host"}) {
    EXPECT_THAT(refusal_of(text), AllOf(StartsWith("REDIS_URL "), Not(HasSubstr("hunter2")))) << text;
  }
}

}  // namespace
}  // namespace switchyard::redis
