#include "token/hmac_sha256.hpp"

#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>

#include "token/base64url.hpp"

namespace switchyard::token {
namespace {

// RFC 7515, appendix A.1: the key as the "k" of its JWK, and the parts of the serialization.
constexpr auto rfc7515_key =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
constexpr auto rfc7515_signing_input =
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
constexpr auto rfc7515_signature = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

std::string encoded(const HmacSha256::Mac& mac) {
  return base64url_encode({reinterpret_cast<const char*>(mac.data()), mac.size()});
}

TEST(HmacSha256, SignsTheExampleOfRfc7515) {
  const std::string key = base64url_decode(rfc7515_key).value();
  ASSERT_EQ(key.size(), 64u);
  const HmacSha256 hmac(key);
  EXPECT_EQ(encoded(hmac.sign(rfc7515_signing_input)), rfc7515_signature);
  EXPECT_TRUE(hmac.verify(rfc7515_signing_input, base64url_decode(rfc7515_signature).value()));
}

TEST(HmacSha256, HashesAKeyLongerThanABlock) {
  // RFC 4231, test case 6.
  const HmacSha256 hmac(std::string(131, '\xaa'));
  EXPECT_EQ(encoded(hmac.sign("Test Using Larger Than Block-Size Key - Hash Key First")),
            base64url_encode("\x60\xe4\x31\x59\x1e\xe0\xb6\x7f\x0d\x8a\x26\xaa\xcb\xf5\xb7\x7f"
                             "\x8e\x0b\xc6\x21\x37\x28\xc5\x14\x05\x46\x04\x0f\x0e\xe3\x7f\x54"));
}

TEST(HmacSha256, RefusesAMacThatDiffersInAnyBitOrInLength) {
  const HmacSha256 hmac("0123456789abcdef0123456789abcdef");
  const HmacSha256::Mac mac = hmac.sign("message");
  const std::string good(reinterpret_cast<const char*>(mac.data()), mac.size());
  ASSERT_TRUE(hmac.verify("message", good));
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(hmac.verify("message", bad)) << bit;
  }
  EXPECT_FALSE(hmac.verify("message", ""));
  EXPECT_FALSE(hmac.verify("message", good.substr(0, 31)));
  EXPECT_FALSE(hmac.verify("message", good + '\0'));
  EXPECT_FALSE(hmac.verify("massage", good));
}

TEST(HmacSha256, GivesTheSameMacInManyThreadsAtOnce) {
  const HmacSha256 hmac("0123456789abcdef0123456789abcdef");
  const HmacSha256::Mac expected = hmac.sign("message");
  std::vector<std::jthread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 1000; ++round) EXPECT_EQ(hmac.sign("message"), expected);
    });
  }
}

}  // namespace
}  // namespace switchyard::token
