#include "token/verified_tokens.hpp"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "token/jwt.hpp"

namespace switchyard::token {
namespace {

using namespace std::chrono_literals;

class VerifiedTokensTest : public testing::Test {
 protected:
  static constexpr Timestamp now{1'700'000'000'000ms};

  static Claims claims_of(std::int64_t user) {
    return {.user_id = {user},
            .username = "merchant",
            .enabled = true,
            .expires_at = std::chrono::sys_seconds{1'700'000'030s}};
  }
  std::string token_of(std::int64_t user) const { return jwt_.sign(claims_of(user)); }

  const Jwt jwt_ = Jwt::create("0123456789abcdef0123456789abcdef").value();
  std::atomic<int> checks_ = 0;
  const VerifiedTokens tokens_{[this](std::string_view token, Timestamp time) {
    ++checks_;
    return jwt_.verify(token, time);
  }};
};

TEST_F(VerifiedTokensTest, ATokenThatComesAgainIsNotCheckedAgain) {
  const auto token = token_of(7);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(tokens_.verify(token, now), claims_of(7));
  EXPECT_EQ(checks_, 1);
}

TEST_F(VerifiedTokensTest, WhatIsRememberedExpires) {
  const auto token = token_of(7);
  EXPECT_TRUE(tokens_.verify(token, now));
  EXPECT_TRUE(tokens_.verify(token, now + 29'999ms));
  EXPECT_EQ(checks_, 1);
  const auto expired = tokens_.verify(token, now + 30s);
  ASSERT_FALSE(expired);
  EXPECT_EQ(expired.error().code, TokenErrorCode::expired);
}

// A clock that was put back: the token may not be valid yet.
TEST_F(VerifiedTokensTest, WhatIsRememberedDoesNotCountBeforeItWasChecked) {
  const auto token = token_of(7);
  EXPECT_TRUE(tokens_.verify(token, now));
  EXPECT_TRUE(tokens_.verify(token, now - 1ms));
  EXPECT_EQ(checks_, 2);
}

TEST_F(VerifiedTokensTest, WhatIsRefusedIsCheckedEachTime) {
  auto token = token_of(7);
  EXPECT_TRUE(tokens_.verify(token, now));
  token.back() = token.back() == 'A' ? 'E' : 'A';
  for (int i = 0; i < 2; ++i) {
    const auto refused = tokens_.verify(token, now);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, TokenErrorCode::signature_mismatch);
  }
  for (const auto* text : {"", ".", "a.b.c"}) EXPECT_FALSE(tokens_.verify(text, now)) << text;
  EXPECT_EQ(checks_, 6);
}

TEST_F(VerifiedTokensTest, MoreTokensThanThereIsRoomForAreEachTheirOwn) {
  constexpr std::int64_t many = 3 * VerifiedTokens::slots;
  for (std::int64_t user = 1; user <= many; ++user) {
    ASSERT_EQ(tokens_.verify(token_of(user), now), claims_of(user));
  }
  for (std::int64_t user = 1; user <= many; ++user) {
    ASSERT_EQ(tokens_.verify(token_of(user), now), claims_of(user));
  }
  EXPECT_GT(checks_, many);
  EXPECT_LT(checks_, 2 * many);
}

TEST_F(VerifiedTokensTest, ManyThreadsGetEachTokensOwnClaims) {
  std::vector<std::string> texts;
  for (std::int64_t user = 1; user <= 64; ++user) texts.push_back(token_of(user));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this, &texts] {
      for (int round = 0; round < 100; ++round) {
        for (std::size_t at = 0; at < texts.size(); ++at) {
          EXPECT_EQ(tokens_.verify(texts[at], now), claims_of(static_cast<std::int64_t>(at) + 1));
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace switchyard::token
