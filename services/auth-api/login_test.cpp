#include "auth-api/login.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <fstream>
#include <future>
#include <iterator>
#include <optional>
#include <vector>

#include <gtest/gtest.h>
#include <sodium.h>

#include "base/io_threads.hpp"
#include "base/testing.hpp"
#include "sqlite/database.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "token/password.hpp"

namespace switchyard::auth {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using switchyard::testing::eventually;

using Attempt = std::expected<store::User, LoginRefusal>;

constexpr const char* right = "correct horse battery staple";
constexpr const char* wrong = "wrong";
constexpr const char* demo = "password";

// Hashed once: it takes a while.
std::string hash_of(const std::string& password) {
  static std::map<std::string, std::string> hashes;
  auto& hash = hashes[password];
  if (hash.empty()) hash = *token::hash_password(password);
  return hash;
}

bool is_invalid(const Attempt& attempt) {
  return !attempt && std::holds_alternative<InvalidCredentials>(attempt.error());
}
bool is_too_many(const Attempt& attempt) {
  return !attempt && std::holds_alternative<TooManyFailures>(attempt.error());
}
std::optional<ErrorCode> error_of(const Attempt& attempt) {
  if (attempt || !std::holds_alternative<Error>(attempt.error())) return std::nullopt;
  return std::get<Error>(attempt.error()).code;
}

class LoginTest : public ::testing::Test {
 protected:
  LoginTest() {
    add_user("alice", right);
    add_user("becky", right);
    add_user("charlie", right, false);
  }

  void add_user(const std::string& username, const std::string& password, bool enabled = true) {
    const store::NewUser user{
        .id = {}, .username = username, .password_hash = hash_of(password), .enabled = enabled};
    ASSERT_TRUE(threads_.run(0, [&] { return store_.add_user(user, clock_.now()); }));
  }
  void change_password(const std::string& username, const std::string& password) {
    const auto hash = hash_of(password);
    EXPECT_TRUE(threads_.run(0, [&] { return store_.set_password_hash(username, hash); }));
  }

  Login& login(LoginLimits limits = {}, bool production = false) {
    if (!login_) login_.emplace(store_, pool_, clock_, limits, production);
    return *login_;
  }
  Attempt attempt(const std::string& username, const std::string& password,
                  const std::string& address = "192.0.2.1") {
    return attempt_with(login(), username, password, address);
  }
  Attempt attempt_with(Login& login, const std::string& username, const std::string& password,
                       const std::string& address = "192.0.2.1") {
    return threads_.run(0,
                        [&] { return login.attempt(username, password, asio::ip::make_address(address)); });
  }

  struct Guess {
    std::string username;
    std::string password;
    std::string address;
  };
  std::vector<Attempt> attempt_at_once(const std::vector<Guess>& guesses) {
    std::vector<std::future<Attempt>> running;
    for (const auto& guess : guesses) {
      running.push_back(asio::co_spawn(
          threads_.executor(running.size() % threads_.size()),
          login().attempt(guess.username, guess.password, asio::ip::make_address(guess.address)),
          asio::use_future));
    }
    std::vector<Attempt> attempts;
    for (auto& attempt : running) attempts.push_back(attempt.get());
    return attempts;
  }

  std::int64_t failures(const std::string& subject) {
    const auto colon = subject.find(':');
    const auto counted = login_subject(subject.substr(0, colon), subject.substr(colon + 1));
    return threads_
        .run(0, [&] { return store_.login_failures({counted}, clock_.now(), std::chrono::minutes(5)); })
        ->at(0)
        .count;
  }

  testing::TempDir folder_;
  const std::string path_ = folder_.file("store.db");
  testing::ManualClock clock_;
  // Outlive the store and the pool, which post to them.
  IoThreads threads_{2};
  store::SqliteStore store_{path_};
  PasswordPool pool_{2, {.waiting = 256, .wait = std::chrono::minutes(1)}};
  std::optional<Login> login_;
};

TEST_F(LoginTest, TheRightPasswordGivesTheUser) {
  for (int i = 0; i < 3; ++i) {
    const auto user = attempt("alice", right);
    ASSERT_TRUE(user);
    EXPECT_EQ(user->id, UserId{1});
    EXPECT_EQ(user->username, "alice");
    EXPECT_TRUE(user->enabled);
  }
  EXPECT_EQ(failures("user:alice"), 0);
}

TEST_F(LoginTest, AnUnknownUserAndAWrongPasswordAreOneAnswerAndBothCount) {
  EXPECT_TRUE(is_invalid(attempt("alice", wrong, "192.0.2.1")));
  EXPECT_TRUE(is_invalid(attempt("nobody", wrong, "2001:db8::2")));
  for (const char* subject : {"user:alice", "user:nobody", "address:192.0.2.1", "address:2001:db8::"}) {
    EXPECT_EQ(failures(subject), 1) << subject;
  }
  EXPECT_EQ(failures("user:becky"), 0);
}

TEST_F(LoginTest, AnUnknownUserCostsAHashLikeAKnownOne) {
  PasswordPool full(1, {.waiting = 0, .wait = std::chrono::minutes(1)});
  Login login(store_, full, clock_, {}, false);
  EXPECT_EQ(error_of(attempt_with(login, "alice", wrong)), ErrorCode::overloaded);
  EXPECT_EQ(error_of(attempt_with(login, "nobody", wrong)), ErrorCode::overloaded);
  EXPECT_EQ(failures("user:alice"), 0) << "a password that nobody looked at is no failure";
}

TEST_F(LoginTest, ADisabledUserLogsInAsOne) {
  const auto user = attempt("charlie", right);
  ASSERT_TRUE(user);
  EXPECT_FALSE(user->enabled);
}

TEST_F(LoginTest, ANameThatNobodyMayHaveIsAnUnknownUser) {
  add_user("alice\u200b", right);
  EXPECT_TRUE(is_invalid(attempt("alice\u200b", right)));
  EXPECT_EQ(failures("user:alice\u200b"), 1);
  PasswordPool full(1, {.waiting = 0, .wait = std::chrono::minutes(1)});
  Login login(store_, full, clock_, {}, false);
  EXPECT_EQ(error_of(attempt_with(login, "alice\u200b", right)), ErrorCode::overloaded) << "it costs a hash";
  EXPECT_TRUE(threads_.run(0, [this] { return store_.set_user_enabled("alice\u200b", false); }));
}

TEST_F(LoginTest, TheSamePasswordOfAnotherUserIsNotRemembered) {
  add_user("dora", "another password");
  EXPECT_TRUE(attempt("alice", right));
  EXPECT_TRUE(is_invalid(attempt("dora", right)));
}

// People type their password into the wrong field.
TEST_F(LoginTest, WhatWasTypedAsAUsernameIsNotStored) {
  EXPECT_TRUE(is_invalid(attempt("a-typed-password", wrong)));
  EXPECT_EQ(failures("user:a-typed-password"), 1);
  for (const auto* suffix : {"", "-wal"}) {
    std::ifstream file(path_ + suffix, std::ios::binary);
    const std::string content(std::istreambuf_iterator<char>(file), {});
    EXPECT_FALSE(content.empty());
    EXPECT_EQ(content.find("a-typed-password"), std::string::npos) << suffix;
  }
}

// --- Bounds ------------------------------------------------------------------------------------

TEST_F(LoginTest, AClientWithTooManyFailuresForAUserIsRefusedEvenWithTheRightPassword) {
  login({.failures_per_user = 3});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(is_invalid(attempt("alice", wrong)));
  EXPECT_TRUE(is_too_many(attempt("alice", wrong)));
  EXPECT_TRUE(is_too_many(attempt("alice", right))) << "or the answer would tell which password it is";
  EXPECT_TRUE(attempt("becky", right)) << "others go on";
  EXPECT_EQ(failures("user:alice"), 3) << "what was not tried is not counted";
}

TEST_F(LoginTest, AnAddressWithTooManyFailuresIsRefusedForEachUser) {
  login({.failures_per_user = 100, .failures_per_address = 3});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(is_invalid(attempt("user" + std::to_string(i), wrong)));
  EXPECT_TRUE(is_too_many(attempt("alice", right)));
  EXPECT_TRUE(attempt("alice", right, "192.0.2.2"));
}

TEST_F(LoginTest, AnIpv6NetworkIsOneClient) {
  login({.failures_per_user = 3});
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(is_invalid(attempt("alice", wrong, "2001:db8:0:1::" + std::to_string(i))));
  }
  EXPECT_TRUE(is_too_many(attempt("alice", right, "2001:db8:0:1:ffff::1")));
  EXPECT_TRUE(attempt("alice", right, "2001:db8:0:2::1"));
}

TEST_F(LoginTest, WhatOthersFailDoesNotStopTheOwnerAnywhere) {
  login({.failures_per_user = 3});
  EXPECT_TRUE(attempt("alice", right, "192.0.2.1"));
  for (int i = 0; i < 40; ++i) attempt("alice", std::to_string(i), "198.51.100." + std::to_string(i / 4));
  EXPECT_GE(failures("user:alice"), 3);
  EXPECT_TRUE(attempt("alice", right, "192.0.2.1"));

  Login restarted(store_, pool_, clock_, {.failures_per_user = 3}, false);
  EXPECT_TRUE(attempt_with(restarted, "alice", right, "192.0.2.1")) << "a place is known to all processes";
  EXPECT_TRUE(attempt_with(restarted, "alice", right, "192.0.2.9")) << "a new one waits for a turn at most";
}

TEST_F(LoginTest, ThePasswordVerifiedHereStillPassesWhateverFailsHere) {
  login({.failures_per_user = 3, .failures_per_address = 5});
  EXPECT_TRUE(attempt("alice", right));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(is_invalid(attempt("alice", wrong)));
  EXPECT_TRUE(is_too_many(attempt("alice", wrong)));
  EXPECT_TRUE(attempt("alice", right));
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(is_invalid(attempt("becky", wrong)));
  EXPECT_TRUE(is_too_many(attempt("becky", right))) << "the address has failed too often";
  EXPECT_TRUE(attempt("alice", right));
}

TEST_F(LoginTest, ThePasswordVerifiedHereIsNoAnswerToGuessesFromElsewhere) {
  login({.failures_per_user = 3});
  EXPECT_TRUE(attempt("alice", right, "192.0.2.1"));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(is_invalid(attempt("alice", wrong, "192.0.2.2")));
  EXPECT_TRUE(is_too_many(attempt("alice", right, "192.0.2.2")));
}

TEST_F(LoginTest, GuessesFromManyAddressesGoOneAtATime) {
  login({.failures_per_user = 3, .slow_interval = seconds(6)});
  int address = 0;
  const auto guess = [&] { return attempt("alice", wrong, "198.51.100." + std::to_string(++address)); };
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(is_invalid(guess())) << "three, and the first turn";
  clock_.advance(milliseconds(1'500));
  const auto refused = guess();
  ASSERT_TRUE(is_too_many(refused));
  EXPECT_EQ(std::get<TooManyFailures>(refused.error()).retry_after, seconds(5)) << "rounded up";
  EXPECT_TRUE(attempt("becky", right, "198.51.100.99")) << "each name has turns of its own";
  clock_.advance(milliseconds(4'499));
  EXPECT_TRUE(is_too_many(guess()));
  clock_.advance(milliseconds(1));
  EXPECT_TRUE(is_invalid(guess()));
  EXPECT_TRUE(is_too_many(guess()));
  EXPECT_EQ(failures("user:alice"), 5);
}

TEST_F(LoginTest, AnUnknownUserIsBoundedLikeAKnownOne) {
  login({.failures_per_user = 2});
  for (const char* username : {"alice", "nobody"}) {
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(is_invalid(attempt(username, wrong))) << username;
    EXPECT_TRUE(is_too_many(attempt(username, wrong))) << username;
  }
}

TEST_F(LoginTest, TheBoundEndsWithItsWindow) {
  login({.failures_per_user = 1, .window = seconds(300)});
  EXPECT_TRUE(is_invalid(attempt("alice", wrong)));
  clock_.advance(milliseconds(100'500));
  const auto refused = attempt("alice", right);
  ASSERT_TRUE(is_too_many(refused));
  EXPECT_EQ(std::get<TooManyFailures>(refused.error()).retry_after, seconds(200)) << "rounded up";

  clock_.advance(milliseconds(199'499));
  EXPECT_TRUE(is_too_many(attempt("alice", right)));
  clock_.advance(milliseconds(1));
  EXPECT_TRUE(attempt("alice", right));
}

TEST_F(LoginTest, TheBoundHoldsAcrossProcesses) {
  login({.failures_per_user = 2});
  Login other(store_, pool_, clock_, {.failures_per_user = 2}, false);
  EXPECT_TRUE(is_invalid(attempt("alice", wrong)));
  EXPECT_TRUE(is_invalid(attempt_with(other, "alice", wrong)));
  EXPECT_TRUE(is_too_many(attempt("alice", right)));
  EXPECT_TRUE(is_too_many(attempt_with(other, "alice", right)));
}

TEST_F(LoginTest, GuessesAtOnceDoNotPassTheBoundOfAUser) {
  constexpr std::int64_t limit = 5;
  login({.failures_per_user = limit});
  std::vector<Guess> guesses;
  for (int i = 0; i < 40; ++i) guesses.push_back({"alice", "guess " + std::to_string(i), "192.0.2.1"});
  const auto attempts = attempt_at_once(guesses);
  const auto tried = std::ranges::count_if(attempts, is_invalid);
  EXPECT_GE(tried, 1);
  EXPECT_LE(tried, limit);
  EXPECT_EQ(std::ranges::count_if(attempts, is_too_many), 40 - tried);
  EXPECT_EQ(failures("user:alice"), tried);
}

TEST_F(LoginTest, GuessesAtOnceFromManyAddressesAreSlowed) {
  constexpr std::int64_t limit = 5;
  login({.failures_per_user = limit});
  std::vector<Guess> guesses;
  for (int i = 0; i < 40; ++i)
    guesses.push_back({"alice", "guess " + std::to_string(i), "192.0.2." + std::to_string(i)});
  const auto attempts = attempt_at_once(guesses);
  const auto tried = std::ranges::count_if(attempts, is_invalid);
  EXPECT_GE(tried, 1);
  EXPECT_LE(tried, limit + 1) << "the clock stands still: one turn";
  EXPECT_EQ(std::ranges::count_if(attempts, is_too_many), 40 - tried);
}

TEST_F(LoginTest, GuessesAtOnceDoNotPassTheBoundOfAnAddress) {
  constexpr std::int64_t limit = 5;
  login({.failures_per_address = limit});
  std::vector<Guess> guesses;
  for (int i = 0; i < 40; ++i)
    guesses.push_back({"user " + std::to_string(i), wrong, "2001:db8::" + std::to_string(i)});
  const auto attempts = attempt_at_once(guesses);
  const auto tried = std::ranges::count_if(attempts, is_invalid);
  EXPECT_GE(tried, 1);
  EXPECT_LE(tried, limit);
  EXPECT_EQ(std::ranges::count_if(attempts, is_too_many), 40 - tried);
  EXPECT_EQ(failures("address:2001:db8::"), tried);
}

TEST_F(LoginTest, ManyLoginsWithTheRightPasswordAreNoGuesses) {
  login({.failures_per_user = 2, .failures_per_address = 2});
  const auto attempts = attempt_at_once(std::vector<Guess>(12, {"alice", right, "192.0.2.1"}));
  for (const auto& user : attempts) EXPECT_TRUE(user);
  EXPECT_EQ(failures("user:alice"), 0);
}

TEST_F(LoginTest, AWrongPasswordBesideARightOneRefusesNeither) {
  login({.failures_per_user = 5});
  const auto attempts = attempt_at_once(
      {{"alice", right, "192.0.2.1"}, {"alice", wrong, "192.0.2.2"}, {"becky", right, "192.0.2.3"}});
  EXPECT_TRUE(attempts[0]);
  EXPECT_TRUE(is_invalid(attempts[1]));
  EXPECT_TRUE(attempts[2]);
}

// --- Production --------------------------------------------------------------------------------

TEST_F(LoginTest, ProductionRefusesTheDemoPasswordAndDevelopmentTakesIt) {
  add_user("demo", demo);
  EXPECT_TRUE(attempt("demo", demo));
  Login production(store_, pool_, clock_, {}, true);
  EXPECT_TRUE(is_invalid(attempt_with(production, "demo", demo)));
  EXPECT_EQ(failures("user:demo"), 1);
  EXPECT_TRUE(attempt_with(production, "alice", right));
}

// --- Changes -----------------------------------------------------------------------------------

TEST_F(LoginTest, ANewPasswordWorksAtOnceAndEndsTheOldOne) {
  EXPECT_TRUE(attempt("alice", right));
  change_password("alice", "new password");
  EXPECT_TRUE(attempt("alice", "new password"));
  EXPECT_TRUE(is_invalid(attempt("alice", right)));
}

TEST_F(LoginTest, AnOldPasswordEndsAlsoWhenNobodyUsesTheNewOne) {
  EXPECT_TRUE(attempt("alice", right));
  change_password("alice", "new password");
  EXPECT_TRUE(eventually([this] { return is_invalid(attempt("alice", right)); }));
}

TEST_F(LoginTest, AHashOfLessCostIsReplacedByARightPasswordOnly) {
  std::array<char, crypto_pwhash_STRBYTES> weak;
  ASSERT_EQ(crypto_pwhash_str_alg(weak.data(), right, std::strlen(right), 1, crypto_pwhash_MEMLIMIT_MIN,
                                  crypto_pwhash_ALG_ARGON2ID13),
            0);
  const auto stored_hash = [this] {
    return threads_.run(0, [this] { return store_.find_user("alice"); })->value().password_hash;
  };
  const std::string weak_hash(weak.data());
  EXPECT_TRUE(threads_.run(0, [&] { return store_.set_password_hash("alice", weak_hash); }));
  EXPECT_TRUE(is_invalid(attempt("alice", wrong)));
  EXPECT_EQ(stored_hash(), weak_hash);
  EXPECT_TRUE(attempt("alice", right));
  const auto replaced = stored_hash();
  EXPECT_NE(replaced, weak_hash);
  EXPECT_FALSE(token::needs_rehash(replaced));
  EXPECT_TRUE(attempt("alice", right));
  Login other(store_, pool_, clock_, {}, false);
  EXPECT_TRUE(attempt_with(other, "alice", right));
  EXPECT_EQ(stored_hash(), replaced) << "once";
}

TEST_F(LoginTest, ADisabledUserIsSeenSoonAfter) {
  EXPECT_TRUE(attempt("alice", right)->enabled);
  EXPECT_TRUE(threads_.run(0, [this] { return store_.set_user_enabled("alice", false); }));
  EXPECT_TRUE(eventually([this] { return !attempt("alice", right)->enabled; }));
}

TEST_F(LoginTest, AStoreThatFailsLetsNobodyIn) {
  sqlite::Database(path_, sqlite::Durability::process, sqlite::Access::existing)
      .execute("DROP TABLE login_failures");
  EXPECT_EQ(error_of(attempt("alice", right)), ErrorCode::store_unavailable);
  EXPECT_EQ(error_of(attempt("alice", wrong)), ErrorCode::store_unavailable);
  sqlite::Database(path_, sqlite::Durability::process, sqlite::Access::existing).execute("DROP TABLE users");
  EXPECT_EQ(error_of(attempt("becky", right)), ErrorCode::store_unavailable);
}

}  // namespace
}  // namespace switchyard::auth
