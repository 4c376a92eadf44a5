#include "postgres/turns.hpp"

#include <future>

#include <gmock/gmock.h>

#include "base/io_threads.hpp"
#include "base/testing.hpp"

namespace switchyard::postgres {
namespace {

using std::chrono::milliseconds;
using switchyard::testing::eventually;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::SizeIs;

class TurnsTest : public ::testing::Test {
 protected:
  ~TurnsTest() override {
    held_ = false;
    threads_.run(0, [this]() -> Task<void> {
      co_await tasks_.join_until(std::chrono::steady_clock::time_point::max());
    });
  }

  void make(TurnLimits waiting, milliseconds patience = std::chrono::hours(1)) {
    turns_.emplace(threads_.executor(0), tasks_, Turns::Limits{waiting, patience},
                   [this](std::size_t under_way) { return under_way < at_once_; });
  }

  // On the turns' own thread.
  Task<Result<std::int64_t>> work(std::int64_t asker) {
    begun_.push_back(asker);
    most_under_way_ = std::max(most_under_way_, ++under_way_);
    while (held_) {
      SteadyTimer pause(threads_.executor(0), milliseconds(1));
      co_await pause.async_wait(use_task);
    }
    --under_way_;
    if (asker == 13) co_return fail(ErrorCode::not_found, "13");
    co_return asker;
  }
  // From one of two io threads that are not the turns' own.
  std::future<Result<std::int64_t>> ask(std::int64_t asker) {
    const auto thread = static_cast<std::size_t>(1 + asker % 2);
    const auto one = [this, asker, thread]() -> Task<Result<std::int64_t>> {
      auto result = co_await turns_->run<std::int64_t>(asker, [this, asker] { return work(asker); });
      EXPECT_TRUE(threads_.executor(thread).running_in_this_thread());
      co_return result;
    };
    return asio::co_spawn(threads_.executor(thread), one, asio::use_future);
  }
  // The askers whose operations have begun, in their order.
  std::vector<std::int64_t> begun() {
    return threads_.run(0, [this]() -> Task<std::vector<std::int64_t>> { co_return begun_; });
  }
  int most_under_way() {
    return threads_.run(0, [this]() -> Task<int> { co_return most_under_way_; });
  }
  void await_begun(std::size_t count) {
    EXPECT_TRUE(eventually([&] { return begun().size() >= count; }));
  }
  // Whatever was asked stands in the line.
  void await_asked() {
    for (const std::size_t thread : {1U, 2U, 0U}) threads_.run(thread, []() -> Task<void> { co_return; });
  }

  IoThreads threads_{3};
  TaskGroup tasks_{threads_.executor(0)};
  std::optional<Turns> turns_;
  std::atomic<bool> held_ = false;
  std::atomic<std::size_t> at_once_ = 1;
  // On thread 0.
  std::vector<std::int64_t> begun_;
  int under_way_ = 0;
  int most_under_way_ = 0;
};

TEST_F(TurnsTest, GivesEachItsOwnResultOnItsOwnThread) {
  make({.of_one_asker = 1000, .in_all = 1000});
  at_once_ = 3;
  std::vector<std::future<Result<std::int64_t>>> results;
  for (std::int64_t i = 0; i < 500; ++i) results.push_back(ask(i));
  for (std::int64_t i = 0; i < 500; ++i) {
    const auto result = results[static_cast<std::size_t>(i)].get();
    if (i == 13) {
      EXPECT_EQ(result.error().code, ErrorCode::not_found);
    } else {
      EXPECT_EQ(result, i);
    }
  }
}

TEST_F(TurnsTest, AskersTakeTurns) {
  make({.of_one_asker = 1000, .in_all = 1000});
  held_ = true;
  std::vector<std::future<Result<std::int64_t>>> results;
  results.push_back(ask(2));
  await_begun(1);
  // From one thread, so that they come in this order.
  for (const std::int64_t asker : {2, 2, 2, 2, 4, 4, 6}) results.push_back(ask(asker));
  await_asked();
  held_ = false;
  for (auto& result : results) EXPECT_TRUE(result.get());
  EXPECT_THAT(begun(), ElementsAre(2, 2, 4, 6, 2, 4, 2, 2));
}

TEST_F(TurnsTest, NoMoreAreUnderWayThanMayBe) {
  make({.of_one_asker = 1000, .in_all = 1000});
  held_ = true;
  at_once_ = 4;
  std::vector<std::future<Result<std::int64_t>>> results;
  for (std::int64_t i = 0; i < 100; ++i) results.push_back(ask(i % 7));
  await_begun(4);
  await_asked();
  EXPECT_THAT(begun(), SizeIs(4));
  // The server gives fewer from now on: as those under way end, the others take their places one by one.
  at_once_ = 1;
  held_ = false;
  for (auto& result : results) EXPECT_TRUE(result.get());
  EXPECT_EQ(most_under_way(), 4);
}

TEST_F(TurnsTest, MoreAreUnderWayAsSoonAsMoreMayBe) {
  make({.of_one_asker = 1000, .in_all = 1000});
  held_ = true;
  std::vector<std::future<Result<std::int64_t>>> results;
  results.push_back(ask(1));
  await_begun(1);
  results.push_back(ask(1));
  await_asked();
  EXPECT_THAT(begun(), SizeIs(1));
  at_once_ = 2;
  results.push_back(ask(1));
  await_begun(2);
  held_ = false;
  for (auto& result : results) EXPECT_TRUE(result.get());
  EXPECT_EQ(most_under_way(), 2);
}

TEST_F(TurnsTest, RefusesThoseOnlyWhoHaveTooManyWaiting) {
  make({.of_one_asker = 2, .in_all = 3});
  held_ = true;
  std::vector<std::future<Result<std::int64_t>>> results;
  results.push_back(ask(8));
  await_begun(1);
  for (const std::int64_t asker : {2, 2}) results.push_back(ask(asker));
  const auto refused = ask(2).get();
  EXPECT_EQ(refused.error().code, ErrorCode::overloaded);
  EXPECT_EQ(refused.error().detail, "too many of your requests are waiting for the store");
  results.push_back(ask(4));
  const auto in_all = ask(6).get();
  EXPECT_EQ(in_all.error().code, ErrorCode::overloaded);
  EXPECT_EQ(in_all.error().detail, "too many operations are waiting for the store");
  held_ = false;
  for (auto& result : results) EXPECT_TRUE(result.get());
  EXPECT_TRUE(ask(6).get());
}

TEST_F(TurnsTest, WhatHasWaitedTooLongIsRefusedAndNotBegun) {
  constexpr milliseconds patience(100);
  make({.of_one_asker = 1000, .in_all = 1000}, patience);
  held_ = true;
  std::vector<std::future<Result<std::int64_t>>> held;
  EXPECT_TRUE(eventually([&] {
    held.push_back(ask(8));
    await_asked();
    return !begun().empty();
  }));
  std::vector<std::future<Result<std::int64_t>>> late;
  for (const std::int64_t asker : {2, 2, 4}) late.push_back(ask(asker));
  await_asked();
  const auto too_late = std::chrono::steady_clock::now() + patience;
  EXPECT_TRUE(eventually([&] { return std::chrono::steady_clock::now() > too_late; }));
  held_ = false;
  for (auto& one : late) {
    const auto refused = one.get();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::overloaded);
    EXPECT_EQ(refused.error().detail, "too many operations are waiting for the store");
  }
  EXPECT_THAT(begun(), Each(8));
  for (auto& one : held) one.wait();
}

}  // namespace
}  // namespace switchyard::postgres
