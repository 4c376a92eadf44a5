#include "postgres/batcher.hpp"

#include <future>
#include <set>

#include <gmock/gmock.h>

#include "base/io_threads.hpp"
#include "base/testing.hpp"

namespace switchyard::postgres {
namespace {

using switchyard::testing::eventually;
using ::testing::Each;
using ::testing::Le;

class BatcherTest : public ::testing::Test {
 protected:
  ~BatcherTest() override {
    held_ = false;
    threads_.run(0, [this]() -> Task<void> {
      co_await tasks_.join_until(std::chrono::steady_clock::time_point::max());
    });
  }

  // Doubles each number; 13 is refused.
  Task<std::vector<Result<int>>> work(std::vector<int> numbers) {
    sizes_.push_back(numbers.size());
    ++under_way_;
    most_under_way_ = std::max(most_under_way_, under_way_);
    while (held_) {
      SteadyTimer pause(threads_.executor(0), std::chrono::milliseconds(1));
      co_await pause.async_wait(use_task);
    }
    --under_way_;
    std::vector<Result<int>> results;
    for (const int number : numbers) {
      results.push_back(number == 13 ? Result<int>(fail(ErrorCode::invalid_argument, "13")) : number * 2);
    }
    co_return results;
  }

  void make(BatcherLimits limits) {
    batcher_.emplace(threads_.executor(0), tasks_, limits,
                     [this](std::vector<int> numbers) { return work(std::move(numbers)); });
  }
  // From one of two io threads that are not the batcher's own.
  std::future<Result<int>> run(int number) {
    const auto one = [this, number]() -> Task<Result<int>> { return batcher_->run(number); };
    return asio::co_spawn(threads_.executor(static_cast<std::size_t>(1 + number % 2)), one, asio::use_future);
  }

  IoThreads threads_{3};
  TaskGroup tasks_{threads_.executor(0)};
  std::optional<Batcher<int, int>> batcher_;
  std::atomic<bool> held_ = false;
  // On thread 0.
  std::vector<std::size_t> sizes_;
  int under_way_ = 0;
  int most_under_way_ = 0;
};

TEST_F(BatcherTest, GivesEachItsOwnResult) {
  make({});
  std::vector<std::future<Result<int>>> results;
  for (int i = 0; i < 1000; ++i) results.push_back(run(i));
  for (int i = 0; i < 1000; ++i) {
    const auto result = results[static_cast<std::size_t>(i)].get();
    if (i == 13) {
      EXPECT_EQ(result.error().code, ErrorCode::invalid_argument);
    } else {
      EXPECT_EQ(result, i * 2);
    }
  }
}

TEST_F(BatcherTest, GathersWhatComesWhileABatchIsUnderWay) {
  make({.waiting_max = 1000, .batch_max = 40, .batches_under_way_max = 2});
  held_ = true;
  std::vector<std::future<Result<int>>> results;
  results.push_back(run(1));
  results.push_back(run(2));
  EXPECT_TRUE(eventually([&] {
    // Whether both are in one batch or in two depends on when they came.
    results.push_back(run(3));
    int under_way = 0;
    threads_.run(0, [&]() -> Task<void> {
      under_way = under_way_;
      co_return;
    });
    return under_way == 2;
  }));
  for (int i = 100; i < 200; ++i) results.push_back(run(i));
  held_ = false;
  for (auto& result : results) EXPECT_TRUE(result.get());
  EXPECT_THAT(sizes_, Each(Le(40U)));
  EXPECT_LT(sizes_.size(), 100U) << "one by one is what it is there to avoid";
  EXPECT_EQ(most_under_way_, 2);
}

TEST_F(BatcherTest, RefusesWhatIsTooMuch) {
  make({.waiting_max = 5, .batch_max = 1, .batches_under_way_max = 1});
  held_ = true;
  std::vector<std::future<Result<int>>> results;
  for (int i = 20; i < 40; ++i) results.push_back(run(i));
  EXPECT_TRUE(eventually([&] {
    return std::ranges::count_if(results, [](const auto& result) {
             return result.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
           }) >= 14;
  }));
  held_ = false;
  int refused = 0;
  for (auto& result : results) {
    const auto done = result.get();
    if (!done) {
      EXPECT_EQ(done.error().code, ErrorCode::overloaded);
      ++refused;
    }
  }
  EXPECT_GE(refused, 14) << "one is under way and five wait";
  EXPECT_LE(refused, 15);
}

}  // namespace
}  // namespace switchyard::postgres
