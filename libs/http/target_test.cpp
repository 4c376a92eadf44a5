#include "http/target.hpp"

#include <gmock/gmock.h>

namespace switchyard::http {
namespace {

TEST(Target, IsSplitWhereItsPathAndItsQueryBegin) {
  const auto expect = [](std::string_view target, std::string_view path, std::string_view query) {
    const auto split = split_target(target);
    EXPECT_EQ(split.path, path) << target;
    EXPECT_EQ(split.query, query) << target;
  };
  expect("/a/b", "/a/b", "");
  expect("/a?b=c?d", "/a", "b=c?d");
  expect("http://host/a?b", "/a", "b");
  expect("HTTPS://host:1/a", "/a", "");
  expect("http://host", "/", "");
  expect("http://host?b", "/", "b");
  expect("*", "*", "");
}

TEST(Target, OfAnotherFormIsNoPathOfARoute) {
  // The authority ends at the first of "/?#" (RFC 3986, 3.2), and a filter in front may know.
  EXPECT_EQ(split_target("http://evil?/auth/health").path, "/");
  EXPECT_EQ(split_target("http://evil?/auth/health").query, "/auth/health");
  for (const char* target :
       {"http://evil#/auth/health", "ftp:///auth/health", "ftp://host/auth/health", "x://y/auth/health",
        "http:///auth/health", "://host/auth/health", "auth/health"}) {
    EXPECT_FALSE(split_target(target).path.starts_with('/')) << target;
  }
}

TEST(Host, IsANameOrAnAddressAndMayHaveAPort) {
  for (const char* host : {"", "platform", "platform:80", "a.b-c_d~1", "192.0.2.7:8080", "[2001:db8::1]",
                           "[2001:db8::1]:443", "xn--mller-kva.example", "host:", "a%2db"}) {
    EXPECT_TRUE(is_host(host)) << host;
  }
  for (const char* host : {"a b", "a/b", "user@host", "a?b", "a#b", "host:8o", "host:80:90", "[::1", "[::1]x",
                           "[/]", "a\"b", "m\xc3\xbcller", "a,b c"}) {
    EXPECT_FALSE(is_host(host)) << host;
  }
}

}  // namespace
}  // namespace switchyard::http
