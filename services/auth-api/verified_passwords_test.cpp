#include "auth-api/verified_passwords.hpp"

#include <string>

#include <gtest/gtest.h>

namespace switchyard::auth {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

store::User user_with(std::string username, std::string password_hash = "hash", bool enabled = true) {
  return {.id = {1},
          .username = std::move(username),
          .password_hash = std::move(password_hash),
          .enabled = enabled};
}

class VerifiedPasswordsTest : public ::testing::Test {
 protected:
  VerifiedPasswords passwords_;
  const VerifiedPasswords::Mac mac_ = passwords_.mac("alice", "secret");
  const VerifiedPasswords::Mac other_mac_ = passwords_.mac("alice", "other");
  const VerifiedPasswords::Instant start_{seconds(1000)};
};

TEST_F(VerifiedPasswordsTest, TheHashDependsOnNameAndPasswordAndOnWhereTheyPart) {
  EXPECT_EQ(passwords_.mac("alice", "secret"), mac_);
  EXPECT_NE(passwords_.mac("alice", "secre"), mac_);
  EXPECT_NE(passwords_.mac("becky", "secret"), mac_);
  EXPECT_NE(passwords_.mac("alices", "ecret"), mac_);
  EXPECT_NE(passwords_.mac("", "alicesecret"), passwords_.mac("alicesecret", ""));
}

TEST_F(VerifiedPasswordsTest, TheHashIsOfNoUseToAnotherProcess) {
  EXPECT_NE(VerifiedPasswords().mac("alice", "secret"), mac_);
}

TEST_F(VerifiedPasswordsTest, NothingIsVerifiedAtFirst) {
  EXPECT_EQ(passwords_.find_fresh("alice", mac_, start_), std::nullopt);
  EXPECT_FALSE(passwords_.is_verified("alice", mac_, "hash", start_));
}

TEST_F(VerifiedPasswordsTest, TheRowIsFreshForASecond) {
  passwords_.remember(user_with("alice"), mac_, start_);
  EXPECT_EQ(passwords_.find_fresh("alice", mac_, start_)->username, "alice");
  EXPECT_TRUE(passwords_.find_fresh("alice", mac_, start_ + milliseconds(999)));
  EXPECT_FALSE(passwords_.find_fresh("alice", mac_, start_ + seconds(1)));
}

TEST_F(VerifiedPasswordsTest, TheVerificationIsValidForMinutes) {
  passwords_.remember(user_with("alice"), mac_, start_);
  EXPECT_TRUE(passwords_.is_verified("alice", mac_, "hash", start_ + minutes(5) - milliseconds(1)));
  EXPECT_FALSE(passwords_.is_verified("alice", mac_, "hash", start_ + minutes(5)));
}

TEST_F(VerifiedPasswordsTest, AnotherPasswordOrUserIsNotVerified) {
  passwords_.remember(user_with("alice"), mac_, start_);
  EXPECT_FALSE(passwords_.find_fresh("alice", other_mac_, start_));
  EXPECT_FALSE(passwords_.find_fresh("becky", mac_, start_));
  EXPECT_FALSE(passwords_.is_verified("alice", other_mac_, "hash", start_));
  EXPECT_FALSE(passwords_.is_verified("becky", mac_, "hash", start_));
}

TEST_F(VerifiedPasswordsTest, AChangedHashEndsTheVerification) {
  passwords_.remember(user_with("alice", "old hash"), mac_, start_);
  EXPECT_FALSE(passwords_.is_verified("alice", mac_, "new hash", start_));
}

TEST_F(VerifiedPasswordsTest, ARefreshedRowIsFreshAgainButNotVerifiedForLonger) {
  passwords_.remember(user_with("alice"), mac_, start_);
  passwords_.refresh(user_with("alice", "hash", false), start_ + seconds(2));
  const auto user = passwords_.find_fresh("alice", mac_, start_ + milliseconds(2'999));
  ASSERT_TRUE(user);
  EXPECT_FALSE(user->enabled) << "it is the row as it was read last";
  EXPECT_FALSE(passwords_.find_fresh("alice", mac_, start_ + seconds(3)));

  const auto almost_over = start_ + minutes(5) - milliseconds(1);
  passwords_.refresh(user_with("alice"), almost_over);
  EXPECT_TRUE(passwords_.find_fresh("alice", mac_, almost_over));
  EXPECT_FALSE(passwords_.find_fresh("alice", mac_, start_ + minutes(5)));
  EXPECT_FALSE(passwords_.is_verified("alice", mac_, "hash", start_ + minutes(5)));
}

TEST_F(VerifiedPasswordsTest, ARefreshVerifiesNobody) {
  passwords_.refresh(user_with("alice"), start_);
  EXPECT_FALSE(passwords_.find_fresh("alice", mac_, start_));
  EXPECT_FALSE(passwords_.is_verified("alice", mac_, "hash", start_));
}

TEST_F(VerifiedPasswordsTest, OnePasswordIsRememberedPerUser) {
  passwords_.remember(user_with("alice", "old hash"), mac_, start_);
  passwords_.remember(user_with("alice", "new hash"), other_mac_, start_);
  EXPECT_FALSE(passwords_.find_fresh("alice", mac_, start_));
  EXPECT_TRUE(passwords_.find_fresh("alice", other_mac_, start_));
  EXPECT_TRUE(passwords_.is_verified("alice", other_mac_, "new hash", start_));
}

TEST_F(VerifiedPasswordsTest, TheNumberOfUsersIsBounded) {
  constexpr int many = 10'200;
  for (int i = 0; i < many; ++i) passwords_.remember(user_with("user " + std::to_string(i)), mac_, start_);
  int remembered = 0;
  for (int i = 0; i < many; ++i) {
    if (passwords_.is_verified("user " + std::to_string(i), mac_, "hash", start_)) ++remembered;
  }
  EXPECT_EQ(remembered, 10'000);
  EXPECT_TRUE(passwords_.is_verified("user " + std::to_string(many - 1), mac_, "hash", start_))
      << "the newest stays";
}

}  // namespace
}  // namespace switchyard::auth
