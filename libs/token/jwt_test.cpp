#include "token/jwt.hpp"

#include <limits>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gmock/gmock.h>

#include "token/base64url.hpp"
#include "token/jose_header.hpp"

namespace switchyard::token {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view secret = "0123456789abcdef0123456789abcdef";
constexpr std::string_view older_secret = "fedcba9876543210fedcba9876543210";
constexpr Timestamp now{1'700'000'000'000ms};

Claims alice() {
  return {.user_id = {1},
          .username = "alice",
          .enabled = true,
          .expires_at = std::chrono::sys_seconds{1'700'000'030s}};
}

Jwt make_jwt(std::string_view key = secret) {
  return Jwt::create(key).value();
}

// A token that is signed rightly around any header and payload.
std::string signed_token(std::string_view header, std::string_view payload) {
  const std::string input = base64url_encode(header) + '.' + base64url_encode(payload);
  const HmacSha256::Mac mac = HmacSha256(secret).sign(input);
  return input + '.' + base64url_encode({reinterpret_cast<const char*>(mac.data()), mac.size()});
}

std::string with_payload(std::string_view payload) {
  return signed_token(hs256_header, payload);
}

TEST(Jwt, GivesBackTheClaimsItSigned) {
  const Jwt jwt = make_jwt();
  EXPECT_EQ(jwt.verify(jwt.sign(alice()), now), alice());

  Claims charlie = alice();
  charlie.user_id = {std::numeric_limits<std::int64_t>::max()};
  charlie.username = std::string("Ch\"\\arlie \xe2\x82\xac\n") + std::string(max_username_bytes - 15, 'x');
  charlie.enabled = false;
  EXPECT_EQ(jwt.verify(jwt.sign(charlie), now), charlie);
}

TEST(Jwt, WritesHeaderAndClaimsInTheAgreedOrder) {
  const std::string token = make_jwt().sign(alice());
  const std::size_t first = token.find('.');
  const std::size_t second = token.rfind('.');
  EXPECT_EQ(base64url_decode(token.substr(0, first)), R"({"alg":"HS256","typ":"JWT"})");
  EXPECT_EQ(base64url_decode(token.substr(first + 1, second - first - 1)),
            R"({"user_id":1,"username":"alice","enabled":true,"exp":1700000030})");
  EXPECT_EQ(token, with_payload(R"({"user_id":1,"username":"alice","enabled":true,"exp":1700000030})"));
}

TEST(Jwt, RefusesAShortSecretWithoutRepeatingIt) {
  const auto jwt = Jwt::create("0123456789abcdef0123456789abcde");
  ASSERT_FALSE(jwt);
  EXPECT_EQ(jwt.error(),
            (Error{ErrorCode::invalid_argument, "the secret has 31 bytes, at least 32 are needed"}));
  EXPECT_FALSE(Jwt::create(""));
  EXPECT_FALSE(Jwt::create(secret, "short"));
  EXPECT_FALSE(Jwt::create(secret, ""));
}

TEST(Jwt, LosesNoTokenWhenTheSecretIsRotated) {
  const Jwt before = make_jwt(older_secret);
  const Jwt after = Jwt::create(secret, older_secret).value();
  EXPECT_EQ(after.verify(before.sign(alice()), now), alice());
  EXPECT_EQ(after.verify(after.sign(alice()), now), alice());
}

TEST(Jwt, NeverSignsWithThePreviousSecret) {
  const Jwt rotated = Jwt::create(secret, older_secret).value();
  EXPECT_EQ(rotated.sign(alice()), make_jwt().sign(alice()));
  EXPECT_EQ(make_jwt(older_secret).verify(rotated.sign(alice()), now).error().code,
            TokenErrorCode::signature_mismatch);
}

TEST(Jwt, ExpiresExactlyAtItsSecond) {
  const Jwt jwt = make_jwt();
  const std::string token = jwt.sign(alice());
  EXPECT_TRUE(jwt.verify(token, now + 29'999ms));
  EXPECT_EQ(jwt.verify(token, now + 30'000ms).error().code, TokenErrorCode::expired);
  EXPECT_EQ(jwt.verify(token, now + 30'001ms).error().message(), "Signature has expired.");
}

TEST(Jwt, IsValidFromNbfOn) {
  const Jwt jwt = make_jwt();
  const std::string token =
      with_payload(R"({"user_id":1,"username":"alice","enabled":true,"exp":1700000030,"nbf":1700000001})");
  EXPECT_EQ(jwt.verify(token, now + 999ms).error().code, TokenErrorCode::not_yet_valid);
  EXPECT_TRUE(jwt.verify(token, now + 1000ms));
}

TEST(Jwt, TakesDatesWithAFraction) {
  const Jwt jwt = make_jwt();
  const std::string token =
      with_payload(R"({"user_id":1,"username":"alice","enabled":true,"exp":1700000030.5,"nbf":1.7e9})");
  EXPECT_EQ(jwt.verify(token, now), alice());
  EXPECT_TRUE(jwt.verify(token, now + 30'499ms));
  EXPECT_EQ(jwt.verify(token, now + 30'500ms).error().code, TokenErrorCode::expired);
}

TEST(Jwt, TakesHeadersThatOtherLibrariesWrite) {
  const Jwt jwt = make_jwt();
  const std::string payload = R"({"exp":1700000030,"enabled":true,"username":"alice","user_id":1})";
  for (const auto* header : {
           R"({"typ":"JWT","alg":"HS256"})",
           R"({"alg":"HS256"})",
           R"({ "alg" : "HS256", "typ" : "jwt" })",
           R"({"alg":"HS256","typ":"JWT","kid":"2024-01","jku":"http://127.0.0.1/"})",
       }) {
    EXPECT_EQ(jwt.verify(signed_token(header, payload), now), alice()) << header;
  }
}

TEST(Jwt, IgnoresClaimsItDoesNotKnow) {
  EXPECT_EQ(
      make_jwt().verify(with_payload(R"({"user_id":1,"username":"alice","enabled":true,"exp":1700000030,)"
                                     R"("iat":"never","aud":["a","b"],"extra":{"user_id":2,"exp":0}})"),
                        now),
      alice());
}

TEST(Jwt, TakesATokenOfTheLargestSizeAndNoLarger) {
  const auto padded = [](std::size_t size) {
    return with_payload(R"({"user_id":1,"username":"alice","enabled":true,"exp":1700000030,"pad":")" +
                        std::string(size, 'x') + "\"}");
  };
  std::size_t size = 2900;
  while (padded(size + 1).size() <= max_token_bytes) ++size;
  EXPECT_TRUE(make_jwt().verify(padded(size), now));
  EXPECT_EQ(make_jwt().verify(padded(size + 1), now).error().code, TokenErrorCode::too_long);
}

TEST(Jwt, IsSharedByManyThreads) {
  const Jwt jwt = Jwt::create(secret, older_secret).value();
  const std::string token = jwt.sign(alice());
  std::vector<std::jthread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 500; ++round) EXPECT_EQ(jwt.verify(token, now), alice());
    });
  }
}

}  // namespace
}  // namespace switchyard::token
