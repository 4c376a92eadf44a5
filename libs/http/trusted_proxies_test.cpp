#include "http/trusted_proxies.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>

namespace switchyard::http {
namespace {

using boost::asio::ip::make_address;
using ::testing::HasSubstr;

TrustedProxies trusting(std::string_view list) {
  auto proxies = TrustedProxies::parse(list);
  EXPECT_TRUE(proxies) << list;
  return proxies ? *proxies : TrustedProxies();
}

// Of a request that came from the peer with these X-Forwarded-For fields.
std::string client(const TrustedProxies& proxies, const char* peer, const std::vector<std::string>& fields) {
  boost::beast::http::fields headers;
  for (const auto& value : fields) headers.insert("X-Forwarded-For", value);
  return proxies.client(make_address(peer), headers).to_string();
}

class TrustedProxiesTest : public ::testing::Test {
 protected:
  static std::string behind_router(const std::vector<std::string>& fields) {
    return client(trusting("10.0.0.0/8,2001:db8:a::/48"), "10.0.0.1", fields);
  }
};

TEST_F(TrustedProxiesTest, NobodyIsBelievedUnlessTrusted) {
  EXPECT_EQ(client(TrustedProxies(), "10.0.0.1", {"192.0.2.1"}), "10.0.0.1");
  EXPECT_EQ(client(trusting("10.0.0.0/8"), "198.51.100.1", {"192.0.2.1"}), "198.51.100.1");
  EXPECT_EQ(client(trusting("10.0.0.0/8"), "11.0.0.1", {"192.0.2.1"}), "11.0.0.1");
}

TEST_F(TrustedProxiesTest, ATrustedProxySaysWhoIsBehindIt) {
  EXPECT_EQ(behind_router({"192.0.2.1"}), "192.0.2.1");
  EXPECT_EQ(behind_router({"2001:db8::1"}), "2001:db8::1");
  EXPECT_EQ(behind_router({}), "10.0.0.1");
  EXPECT_EQ(client(trusting("10.0.0.1"), "::ffff:10.0.0.1", {"192.0.2.1"}), "192.0.2.1") << "a dual socket";
  EXPECT_EQ(client(trusting("2001:db8:a::/48"), "2001:db8:a:ffff::1", {"192.0.2.1"}), "192.0.2.1");
}

TEST_F(TrustedProxiesTest, WhatTheClientItselfSentIsNotBelieved) {
  EXPECT_EQ(behind_router({"203.0.113.9, 192.0.2.1"}), "192.0.2.1");
  EXPECT_EQ(behind_router({"10.0.0.7, 192.0.2.1"}), "192.0.2.1");
  EXPECT_EQ(behind_router({"junk, , 192.0.2.1"}), "192.0.2.1") << "read as far as needed";
  EXPECT_EQ(behind_router({"203.0.113.9", "192.0.2.1"}), "192.0.2.1") << "fields are one list";
}

TEST_F(TrustedProxiesTest, ProxiesInARowAreAllSkipped) {
  EXPECT_EQ(behind_router({"203.0.113.9, 192.0.2.1, 10.0.0.2,\t2001:db8:a::3"}), "192.0.2.1");
  EXPECT_EQ(behind_router({"203.0.113.9, 192.0.2.1", "10.0.0.2", "10.0.0.3"}), "192.0.2.1");
  EXPECT_EQ(behind_router({"10.0.0.3, 10.0.0.2"}), "10.0.0.3") << "a client among the proxies";
}

TEST_F(TrustedProxiesTest, PortsAreLeftOut) {
  EXPECT_EQ(behind_router({"192.0.2.1:4711"}), "192.0.2.1");
  EXPECT_EQ(behind_router({"[2001:db8::1]:4711"}), "2001:db8::1");
  EXPECT_EQ(behind_router({"[2001:db8::1]"}), "2001:db8::1");
}

TEST_F(TrustedProxiesTest, JunkMeansThePeer) {
  for (const char* junk : {"unknown",
                           "_hidden",
                           ",",
                           "192.0.2.1,",
                           "192.0.2.1, junk",
                           "junk, 10.0.0.2",
                           "192.0.2",
                           "192.0.2.256",
                           "192.0.2.1:",
                           "192.0.2.1:65536",
                           "192.0.2.1:x",
                           "[2001:db8::1",
                           "[2001:db8::1]x",
                           "[2001:db8::1]:x",
                           "[192.0.2.1]",
                           "fe80::1%eth0",
                           "2001:db8::1::2",
                           "192.0.2.1 203.0.113.9",
                           "\"192.0.2.1\"",
                           " "}) {
    EXPECT_EQ(behind_router({junk}), "10.0.0.1") << junk;
  }
  EXPECT_EQ(behind_router({std::string(10'000, ',')}), "10.0.0.1");
  EXPECT_EQ(behind_router({std::string(10'000, '1')}), "10.0.0.1");
}

TEST_F(TrustedProxiesTest, AListHoldsNetworksAndAddresses) {
  const auto proxies = trusting(" 10.1.0.0/16, 192.0.2.1\t2001:db8::/33,,::1 ");
  for (const char* in :
       {"10.1.0.0", "10.1.255.255", "192.0.2.1", "::ffff:192.0.2.1", "2001:db8:7fff::1", "::1"})
    EXPECT_TRUE(proxies.contains(make_address(in))) << in;
  for (const char* out : {"10.2.0.0", "10.0.255.255", "192.0.2.2", "2001:db8:8000::1", "::2", "::10.1.0.1"})
    EXPECT_FALSE(proxies.contains(make_address(out))) << out;
  EXPECT_FALSE(trusting("").contains(make_address("10.1.0.1")));
  EXPECT_TRUE(trusting("128.0.0.0/1").contains(make_address("255.255.255.255")));
}

TEST_F(TrustedProxiesTest, WhatIsNoNetworkIsRefusedByName) {
  for (const char* wrong : {"router", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x", "10.0.0/8",
                            "10.0.0.1/8", "2001:db8::/129", "2001:db8::1/64", "0.0.0.0/0", "::/0", "*"}) {
    const auto proxies = TrustedProxies::parse(std::string("10.0.0.0/8, ") + wrong);
    ASSERT_FALSE(proxies) << wrong;
    EXPECT_THAT(proxies.error().detail, HasSubstr(wrong));
  }
}

}  // namespace
}  // namespace switchyard::http
