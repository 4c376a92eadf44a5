#include "sqlite/read_lane.hpp"

#include <future>
#include <mutex>
#include <optional>

#include <gmock/gmock.h>

#include "base/io_threads.hpp"
#include "base/testing.hpp"

namespace switchyard::sqlite {
namespace {

using switchyard::testing::TempDir;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ReadLaneTest : public ::testing::Test {
 protected:
  ReadLaneTest() { open()->execute("CREATE TABLE t (a INTEGER PRIMARY KEY) STRICT"); }
  // Its commands use what is below.
  ~ReadLaneTest() override { lane_.reset(); }

  std::unique_ptr<Database> open() const {
    return std::make_unique<Database>(path_, Durability::process, Access::create);
  }
  void start(ReadLane::Limits limits = {.of_one_asker = 1000, .in_all = 1000}) {
    lane_.emplace(open(), limits);
  }

  template <class T, class Work>
  std::future<Result<T>> submit(Work work, std::int64_t asker = 0) {
    return asio::co_spawn(
        threads_.executor(0), [this, work = std::move(work), asker] { return lane_->run<T>(asker, work); },
        asio::use_future);
  }
  std::future<Result<std::int64_t>> count(std::int64_t asker = 0) {
    return submit<std::int64_t>(
        [this, asker](Database& database) -> Result<std::int64_t> {
          {
            const std::lock_guard lock(mutex_);
            order_.push_back(asker);
          }
          return database.integer("SELECT count(*) FROM t");
        },
        asker);
  }

  // Keeps the lane busy until the gate opens.
  std::future<Result<void>> block(std::int64_t asker = 0) {
    std::promise<void> reached;
    auto blocked = submit<void>(
        [opened = gate_.get_future().share(), &reached](Database&) -> Result<void> {
          reached.set_value();
          opened.wait();
          return {};
        },
        asker);
    reached.get_future().wait();
    return blocked;
  }
  void await_submissions() {
    threads_.run(0, []() -> Task<void> { co_return; });
  }

  TempDir folder_;
  const std::string path_ = folder_.file("lane.db");
  std::promise<void> gate_;
  std::mutex mutex_;
  std::vector<std::int64_t> order_;
  IoThreads threads_{1};
  std::optional<ReadLane> lane_;
};

TEST_F(ReadLaneTest, GivesEachCommandOneSnapshot) {
  start();
  const auto counts =
      submit<std::pair<std::int64_t, std::int64_t>>([this](Database& database)
                                                        -> Result<std::pair<std::int64_t, std::int64_t>> {
        const auto before = database.integer("SELECT count(*) FROM t");
        open()->execute("INSERT INTO t VALUES (1)");
        return std::pair(before, database.integer("SELECT count(*) FROM t"));
      }).get();
  EXPECT_EQ(*counts, std::pair(std::int64_t{0}, std::int64_t{0}));
  EXPECT_EQ(*count().get(), 1) << "the next command sees what was committed meanwhile";
}

TEST_F(ReadLaneTest, AReadThatFailsLeavesTheOthersAlone) {
  start();
  auto blocked = block();
  auto before = count();
  auto failed = submit<std::int64_t>(
      [](Database& database) -> Result<std::int64_t> { return database.integer("SELECT * FROM missing"); });
  auto after = count();
  await_submissions();
  gate_.set_value();
  EXPECT_EQ(*before.get(), 0);
  const auto failure = failed.get();
  ASSERT_FALSE(failure);
  EXPECT_EQ(failure.error().code, ErrorCode::store_unavailable);
  EXPECT_THAT(failure.error().detail, HasSubstr("missing"));
  EXPECT_EQ(*after.get(), 0);
}

TEST_F(ReadLaneTest, EachReadCompletesByItself) {
  start();
  auto blocked = block();
  auto first = count();
  auto second = submit<void>([&first](Database&) -> Result<void> {
    // Would wait for ever if the first one were completed with the second.
    first.wait();
    return {};
  });
  await_submissions();
  gate_.set_value();
  EXPECT_TRUE(second.get());
}

TEST_F(ReadLaneTest, AskersTakeTurns) {
  start();
  auto blocked = block();
  std::vector<std::future<Result<std::int64_t>>> asked;
  for (const std::int64_t asker : {1, 1, 1, 1, 2, 2, 3}) asked.push_back(count(asker));
  await_submissions();
  gate_.set_value();
  for (auto& result : asked) EXPECT_TRUE(result.get());
  EXPECT_THAT(order_, ElementsAre(1, 2, 3, 1, 2, 1, 1));
}

TEST_F(ReadLaneTest, RefusesThoseOnlyWhoHaveTooManyWaiting) {
  start({.of_one_asker = 2, .in_all = 3});
  auto blocked = block(9);
  auto first = count(1);
  auto second = count(1);
  EXPECT_EQ(count(1).get().error().code, ErrorCode::overloaded);
  auto other = count(2);
  EXPECT_EQ(count(3).get().error().code, ErrorCode::overloaded) << "in all";
  gate_.set_value();
  EXPECT_TRUE(first.get());
  EXPECT_TRUE(second.get());
  EXPECT_TRUE(other.get());
  EXPECT_TRUE(count(1).get());
}

TEST_F(ReadLaneTest, FinishesWhatWaitsBeforeItGoes) {
  start();
  auto blocked = block();
  std::vector<std::future<Result<std::int64_t>>> asked;
  for (std::int64_t asker = 0; asker < 50; ++asker) asked.push_back(count(asker % 7));
  await_submissions();
  auto destroyed = std::async(std::launch::async, [this] { lane_.reset(); });
  gate_.set_value();
  destroyed.get();
  for (auto& result : asked) EXPECT_TRUE(result.get());
}

}  // namespace
}  // namespace switchyard::sqlite
