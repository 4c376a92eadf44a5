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
  const VerifiedPasswords::Client here_ = boost::asio::ip::make_address("192.0.2.1");
  const VerifiedPasswords::Client elsewhere_ = boost::asio::ip::make_address("192.0.2.2");
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
  EXPECT_EQ(passwords_.find_fresh("alice", mac_, here_, start_), std::nullopt);
  EXPECT_FALSE(passwords_.is_verified(user_with("alice", "hash"), mac_, start_));
}

TEST_F(VerifiedPasswordsTest, TheRowIsFreshForASecond) {
  passwords_.remember(user_with("alice"), mac_, here_, start_);
  EXPECT_EQ(passwords_.find_fresh("alice", mac_, here_, start_)->username, "alice");
  EXPECT_TRUE(passwords_.find_fresh("alice", mac_, here_, start_ + milliseconds(999)));
  EXPECT_FALSE(passwords_.find_fresh("alice", mac_, here_, start_ + seconds(1)));
}

TEST_F(VerifiedPasswordsTest, TheVerificationIsValidForMinutes) {
  passwords_.remember(user_with("alice"), mac_, here_, start_);
  EXPECT_TRUE(
      passwords_.is_verified(user_with("alice", "hash"), mac_, start_ + minutes(5) - milliseconds(1)));
  EXPECT_FALSE(passwords_.is_verified(user_with("alice", "hash"), mac_, start_ + minutes(5)));
}

TEST_F(VerifiedPasswordsTest, AnotherPasswordOrUserIsNotVerified) {
  passwords_.remember(user_with("alice"), mac_, here_, start_);
  EXPECT_FALSE(passwords_.find_fresh("alice", other_mac_, here_, start_));
  EXPECT_FALSE(passwords_.find_fresh("becky", mac_, here_, start_));
  EXPECT_FALSE(passwords_.is_verified(user_with("alice", "hash"), other_mac_, start_));
  EXPECT_FALSE(passwords_.is_verified(user_with("becky", "hash"), mac_, start_));
}

TEST_F(VerifiedPasswordsTest, AChangedHashEndsTheVerification) {
  passwords_.remember(user_with("alice", "old hash"), mac_, here_, start_);
  EXPECT_FALSE(passwords_.is_verified(user_with("alice", "new hash"), mac_, start_));
}

TEST_F(VerifiedPasswordsTest, ARowThatWasReadAgainIsFreshAgain) {
  passwords_.remember(user_with("alice"), mac_, here_, start_);
  EXPECT_TRUE(passwords_.recognise(user_with("alice", "hash", false), mac_, here_, start_ + seconds(2)));
  const auto user = passwords_.find_fresh("alice", mac_, here_, start_ + milliseconds(2'999));
  ASSERT_TRUE(user);
  EXPECT_FALSE(user->enabled) << "it is the row as it was read last";
  EXPECT_FALSE(passwords_.find_fresh("alice", mac_, here_, start_ + seconds(3)));
}

TEST_F(VerifiedPasswordsTest, APasswordInUseIsNotForgotten) {
  passwords_.remember(user_with("alice"), mac_, here_, start_);
  const auto later = start_ + minutes(4);
  EXPECT_TRUE(passwords_.recognise(user_with("alice"), mac_, here_, later));
  EXPECT_TRUE(passwords_.recognise(user_with("alice"), mac_, here_, later + minutes(4)));
  EXPECT_FALSE(passwords_.recognise(user_with("alice"), mac_, here_, later + minutes(9)));
}

TEST_F(VerifiedPasswordsTest, RecognisesNobodyWithoutAVerification) {
  EXPECT_FALSE(passwords_.recognise(user_with("alice"), mac_, here_, start_));
  passwords_.remember(user_with("alice"), mac_, here_, start_);
  EXPECT_FALSE(passwords_.recognise(user_with("alice"), other_mac_, here_, start_));
  EXPECT_FALSE(passwords_.recognise(user_with("becky"), mac_, here_, start_));
  EXPECT_FALSE(passwords_.recognise(user_with("alice", "new hash"), mac_, here_, start_));
}

// --- Guessing ----------------------------------------------------------------------------------

TEST_F(VerifiedPasswordsTest, LetsInOnlyWhereThePasswordWasVerified) {
  passwords_.remember(user_with("alice"), mac_, here_, start_);
  EXPECT_FALSE(passwords_.find_fresh("alice", mac_, elsewhere_, start_));
  EXPECT_FALSE(passwords_.recognise(user_with("alice"), mac_, elsewhere_, start_));
  EXPECT_TRUE(passwords_.is_verified(user_with("alice"), mac_, start_)) << "it need not be hashed again";
  passwords_.remember(user_with("alice"), mac_, elsewhere_, start_);
  EXPECT_TRUE(passwords_.find_fresh("alice", mac_, elsewhere_, start_));
  EXPECT_TRUE(passwords_.find_fresh("alice", mac_, here_, start_));
}

TEST_F(VerifiedPasswordsTest, ThePlacesOfAnOldPasswordAreNoneOfTheNewOne) {
  passwords_.remember(user_with("alice"), mac_, here_, start_);
  passwords_.remember(user_with("alice", "new hash"), other_mac_, elsewhere_, start_);
  EXPECT_FALSE(passwords_.find_fresh("alice", other_mac_, here_, start_));
}

TEST_F(VerifiedPasswordsTest, WrongGuessesAreRationed) {
  passwords_.remember(user_with("alice"), mac_, here_, start_);
  passwords_.remember(user_with("alice"), mac_, elsewhere_, start_);
  const auto guess = [this](int number, VerifiedPasswords::Instant now) {
    EXPECT_FALSE(passwords_.recognise(
        user_with("alice"), passwords_.mac("alice", "guess " + std::to_string(number)), here_, now));
  };
  const auto is_recognised = [this](VerifiedPasswords::Instant now) {
    return passwords_.recognise(user_with("alice"), mac_, here_, now);
  };
  for (int i = 0; i < 9; ++i) guess(i, start_);
  EXPECT_TRUE(is_recognised(start_));
  guess(9, start_);
  EXPECT_FALSE(is_recognised(start_)) << "or the answer to the next guesses would tell which one is right";
  EXPECT_FALSE(passwords_.find_fresh("alice", mac_, here_, start_));
  EXPECT_TRUE(passwords_.recognise(user_with("alice"), mac_, elsewhere_, start_)) << "another place goes on";

  EXPECT_FALSE(is_recognised(start_ + milliseconds(5'999)));
  EXPECT_TRUE(is_recognised(start_ + seconds(6)));
  guess(10, start_ + seconds(6));
  EXPECT_FALSE(is_recognised(start_ + seconds(6)));
}

TEST_F(VerifiedPasswordsTest, GuessesAtAFreshRowAreRationedToo) {
  passwords_.remember(user_with("alice"), mac_, here_, start_);
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(passwords_.find_fresh("alice", passwords_.mac("alice", std::to_string(i)), here_, start_));
  }
  EXPECT_FALSE(passwords_.find_fresh("alice", mac_, here_, start_));
}

// A program with an old password that tries again and again.
TEST_F(VerifiedPasswordsTest, AWrongPasswordThatIsRepeatedIsOneGuess) {
  passwords_.remember(user_with("alice"), mac_, here_, start_);
  for (int i = 0; i < 1'000; ++i) {
    EXPECT_FALSE(passwords_.recognise(user_with("alice"), other_mac_, here_, start_));
    EXPECT_TRUE(passwords_.recognise(user_with("alice"), mac_, here_, start_));
  }
}

// --- Bounds ------------------------------------------------------------------------------------

TEST_F(VerifiedPasswordsTest, TheNumberOfPlacesIsBounded) {
  const auto place = [](unsigned number) { return boost::asio::ip::make_address_v4(0x0a000000U + number); };
  for (unsigned i = 0; i < 100; ++i) passwords_.remember(user_with("alice"), mac_, place(i), start_);
  unsigned remembered = 0;
  for (unsigned i = 0; i < 100; ++i) {
    if (passwords_.find_fresh("alice", mac_, place(i), start_)) ++remembered;
  }
  EXPECT_EQ(remembered, 64U);
  EXPECT_TRUE(passwords_.find_fresh("alice", mac_, place(99), start_)) << "the newest stays";
}

TEST_F(VerifiedPasswordsTest, OnePasswordIsRememberedPerUser) {
  passwords_.remember(user_with("alice", "old hash"), mac_, here_, start_);
  passwords_.remember(user_with("alice", "new hash"), other_mac_, here_, start_);
  EXPECT_FALSE(passwords_.find_fresh("alice", mac_, here_, start_));
  EXPECT_TRUE(passwords_.find_fresh("alice", other_mac_, here_, start_));
  EXPECT_TRUE(passwords_.is_verified(user_with("alice", "new hash"), other_mac_, start_));
}

TEST_F(VerifiedPasswordsTest, TheNumberOfUsersIsBounded) {
  constexpr int many = 10'200;
  for (int i = 0; i < many; ++i)
    passwords_.remember(user_with("user " + std::to_string(i)), mac_, here_, start_);
  int remembered = 0;
  for (int i = 0; i < many; ++i) {
    if (passwords_.is_verified(user_with("user " + std::to_string(i)), mac_, start_)) ++remembered;
  }
  EXPECT_EQ(remembered, 10'000);
  EXPECT_TRUE(passwords_.is_verified(user_with("user " + std::to_string(many - 1)), mac_, start_))
      << "the newest stays";
}

}  // namespace
}  // namespace switchyard::auth
