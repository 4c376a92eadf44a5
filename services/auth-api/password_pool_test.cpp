#include "auth-api/password_pool.hpp"

#include <algorithm>
#include <chrono>
#include <future>
#include <string>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include "base/io_threads.hpp"
#include "token/password.hpp"

namespace switchyard::auth {
namespace {

constexpr auto a_while = std::chrono::hours(1);

asio::ip::address client(int number) {
  return asio::ip::make_address_v4(0x0a000000U + static_cast<unsigned>(number));
}

class PasswordPoolTest : public ::testing::Test {
 protected:
  using Done = std::future<Result<PasswordPool::Verdict>>;

  static Done verify(IoThreads& threads, PasswordPool& pool, int number, std::string hash,
                     std::string password) {
    return asio::co_spawn(threads.executor(0),
                          pool.verify(client(number), std::move(hash), std::move(password)),
                          asio::use_future);
  }
  static bool is_ready(const Done& done) {
    return done.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }
  static bool is_refused(Done& done) {
    const auto result = done.get();
    return !result && result.error().code == ErrorCode::overloaded;
  }
};

TEST_F(PasswordPoolTest, TellsARightPasswordFromAWrongOne) {
  IoThreads threads(1);
  PasswordPool pool(2, {.waiting = 8, .wait = a_while});
  const auto hash = *token::hash_password("right");
  const auto right = verify(threads, pool, 1, hash, "right").get();
  EXPECT_TRUE(right->right);
  EXPECT_EQ(right->better_hash, "") << "it has today's cost";
  EXPECT_FALSE(verify(threads, pool, 1, hash, "wrong").get()->right);
}

TEST_F(PasswordPoolTest, AClientWithMuchWaitingDoesNotHoldUpAnother) {
  IoThreads threads(1);
  PasswordPool pool(1, {.waiting = 64, .wait = a_while});
  std::vector<Done> flood;
  for (int i = 0; i < 24; ++i)
    flood.push_back(verify(threads, pool, 1, std::string(token::dummy_hash()), "x"));
  auto other = verify(threads, pool, 2, std::string(token::dummy_hash()), "x");
  EXPECT_FALSE(other.get()->right);
  EXPECT_LT(std::ranges::count_if(flood, is_ready), 20) << "the other one did not wait for all of them";
  for (auto& done : flood) EXPECT_FALSE(done.get()->right);
}

// Nobody works here, so what waits goes on waiting.
TEST_F(PasswordPoolTest, WhereThereIsNoRoomTheClientWithMostWaitingLosesItsNewest) {
  IoThreads threads(1);
  PasswordPool pool(0, {.waiting = 4, .wait = a_while});
  std::vector<Done> flood;
  for (int i = 0; i < 4; ++i) flood.push_back(verify(threads, pool, 1, "hash", "x"));
  auto beyond = verify(threads, pool, 1, "hash", "x");
  EXPECT_TRUE(is_refused(beyond)) << "its own are not fewer than anybody's";

  auto second = verify(threads, pool, 2, "hash", "x");
  EXPECT_TRUE(is_refused(flood[3]));
  auto third = verify(threads, pool, 3, "hash", "x");
  EXPECT_TRUE(is_refused(flood[2]));
  auto fourth = verify(threads, pool, 4, "hash", "x");
  EXPECT_TRUE(is_refused(flood[1]));
  auto fifth = verify(threads, pool, 5, "hash", "x");
  EXPECT_TRUE(is_refused(fifth)) << "nobody loses their only one";
  for (const auto* waiting : {&flood[0], &second, &third, &fourth}) EXPECT_FALSE(is_ready(*waiting));
}

TEST_F(PasswordPoolTest, WhatHasWaitedTooLongIsRefusedUnhashed) {
  IoThreads threads(1);
  PasswordPool pool(1, {.waiting = 8, .wait = std::chrono::milliseconds(-1)});
  auto late = verify(threads, pool, 1, *token::hash_password("right"), "right");
  EXPECT_TRUE(is_refused(late));
}

}  // namespace
}  // namespace switchyard::auth
