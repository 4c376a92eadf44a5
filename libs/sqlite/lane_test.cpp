#include "sqlite/lane.hpp"

#include <future>
#include <optional>

#include <gmock/gmock.h>
#include <sqlite3.h>

#include "base/io_threads.hpp"
#include "base/testing.hpp"

namespace switchyard::sqlite {
namespace {

using switchyard::testing::TempDir;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::size_t plenty = 10'000;

class LaneTest : public ::testing::Test {
 protected:
  LaneTest() { open()->execute("CREATE TABLE t (a INTEGER PRIMARY KEY CHECK (a > 0)) STRICT"); }

  std::unique_ptr<Database> open() const {
    return std::make_unique<Database>(path_, Durability::process, Access::create);
  }
  void start(Lane::Mode mode = Lane::Mode::write, std::size_t capacity = plenty) {
    lane_.emplace(open(), mode, capacity);
  }

  // Submits on an io thread; the future holds what the command came to.
  template <class T, class Work>
  std::future<Result<T>> submit(Work work, std::size_t thread = 0) {
    return asio::co_spawn(
        threads_.executor(thread), [this, work = std::move(work)] { return lane_->run<T>(work); },
        asio::use_future);
  }
  std::future<Result<void>> insert(std::int64_t value) {
    return submit<void>([value](Database& database) -> Result<void> {
      database.query("INSERT INTO t VALUES (?)").bind(value).run();
      return {};
    });
  }

  // Keeps the lane busy until open_gate(); returns when it is. What is submitted then waits for the next
  // group.
  std::future<Result<void>> block() {
    std::promise<void> reached;
    auto blocked = submit<void>([opened = gate_.get_future().share(), &reached](Database&) -> Result<void> {
      reached.set_value();
      opened.wait();
      return {};
    });
    reached.get_future().wait();
    return blocked;
  }
  // All that was submitted is waiting at the lane.
  void await_submissions() {
    for (std::size_t i = 0; i < threads_.size(); ++i) threads_.run(i, []() -> Task<void> { co_return; });
  }
  void open_gate() { gate_.set_value(); }

  // From here on commits_ grows with each commit.
  void count_commits() {
    submit<void>([this](Database& database) -> Result<void> {
      const auto count = [](void* commits) { return ++*static_cast<std::atomic<int>*>(commits), 0; };
      sqlite3_commit_hook(database.handle(), count, &commits_);
      return {};
    }).get();
  }

  std::int64_t rows() const { return open()->integer("SELECT count(*) FROM t"); }

  TempDir folder_;
  const std::string path_ = folder_.file("lane.db");
  std::promise<void> gate_;
  std::atomic<int> commits_ = 0;
  IoThreads threads_{2};
  std::optional<Lane> lane_;
};

TEST_F(LaneTest, GivesTheResultOfTheCommandAfterItsCommit) {
  start();
  EXPECT_TRUE(insert(1).get());
  EXPECT_EQ(rows(), 1);
  const auto value = submit<std::int64_t>([](Database& database) -> Result<std::int64_t> {
                       return database.integer("SELECT count(*) FROM t");
                     }).get();
  EXPECT_EQ(*value, 1);
}

TEST_F(LaneTest, CommitsAllThatWaitsAtOnce) {
  start();
  count_commits();
  auto blocked = block();
  std::vector<std::future<Result<void>>> inserted;
  for (std::int64_t value = 1; value <= 500; ++value) inserted.push_back(insert(value));
  await_submissions();
  const int before = commits_;
  open_gate();
  for (auto& result : inserted) EXPECT_TRUE(result.get());
  EXPECT_TRUE(blocked.get());
  EXPECT_EQ(rows(), 500);
  EXPECT_EQ(commits_ - before, 2) << "the command that blocked, and the 500 behind it";
}

TEST_F(LaneTest, BoundsTheSizeOfOneCommit) {
  start();
  count_commits();
  auto blocked = block();
  std::vector<std::future<Result<void>>> inserted;
  for (std::int64_t value = 1; value <= 3000; ++value) inserted.push_back(insert(value));
  await_submissions();
  const int before = commits_;
  open_gate();
  for (auto& result : inserted) EXPECT_TRUE(result.get());
  EXPECT_EQ(rows(), 3000);
  EXPECT_EQ(commits_ - before, 1 + 3);
}

TEST_F(LaneTest, ACommandThatBreaksARuleOfTheSchemaFailsAlone) {
  start();
  auto blocked = block();
  auto before = insert(1);
  auto duplicate = insert(1);
  auto negative = insert(-1);
  auto after = insert(2);
  await_submissions();
  open_gate();
  EXPECT_TRUE(before.get());
  const auto duplicate_result = duplicate.get();
  const auto negative_result = negative.get();
  ASSERT_FALSE(duplicate_result);
  EXPECT_EQ(duplicate_result.error().code, ErrorCode::store_unavailable);
  EXPECT_THAT(duplicate_result.error().detail, StartsWith(path_ + ": UNIQUE constraint"));
  ASSERT_FALSE(negative_result);
  EXPECT_THAT(negative_result.error().detail, HasSubstr("CHECK constraint"));
  EXPECT_TRUE(after.get());
  EXPECT_EQ(rows(), 2);
}

TEST_F(LaneTest, ACommandsOwnFailureLeavesItsNeighboursAlone) {
  start();
  auto blocked = block();
  auto before = insert(1);
  auto failed =
      submit<void>([](Database&) -> Result<void> { return fail(ErrorCode::not_found, "nothing here"); });
  auto after = insert(2);
  await_submissions();
  open_gate();
  EXPECT_TRUE(before.get());
  EXPECT_EQ(failed.get().error(), (Error{ErrorCode::not_found, "nothing here"}));
  EXPECT_TRUE(after.get());
  EXPECT_EQ(rows(), 2);
}

TEST_F(LaneTest, AFullDiskFailsTheWholeGroupAndNothingOfItIsWritten) {
  start();
  const auto limit_pages = [](const char* sql) {
    return [sql](Database& database) -> Result<void> {
      database.execute(sql);
      return {};
    };
  };
  submit<void>(limit_pages("PRAGMA max_page_count = 1")).get();  // gives the present size at least
  auto blocked = block();
  auto small = insert(1);
  auto large = submit<void>([](Database& database) -> Result<void> {
    database.execute("CREATE TABLE large (bytes BLOB); INSERT INTO large VALUES (zeroblob(1000000))");
    return {};
  });
  auto behind = insert(2);
  await_submissions();
  open_gate();
  for (auto* result : {&small, &large, &behind}) {
    const auto outcome = result->get();
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, ErrorCode::store_unavailable);
    EXPECT_THAT(outcome.error().detail, HasSubstr("full"));
  }
  EXPECT_EQ(rows(), 0);

  submit<void>(limit_pages("PRAGMA max_page_count = 100000")).get();
  EXPECT_TRUE(insert(1).get()) << "the lane goes on once there is room";
}

TEST_F(LaneTest, FailsWhileAnotherProcessHoldsTheFile) {
  start();
  submit<void>([](Database& database) -> Result<void> {
    database.execute("PRAGMA busy_timeout = 1");
    return {};
  }).get();
  const auto other = open();
  other->execute("BEGIN IMMEDIATE");
  const auto refused = insert(1).get();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::store_unavailable);
  EXPECT_THAT(refused.error().detail, HasSubstr("locked"));
  other->execute("COMMIT");
  EXPECT_TRUE(insert(1).get());
}

TEST_F(LaneTest, RefusesWhatDoesNotFitTheQueue) {
  start(Lane::Mode::write, 2);
  auto blocked = block();
  auto first = insert(1);
  auto second = insert(2);
  auto third = insert(3);
  const auto refused = third.get();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::overloaded);
  open_gate();
  EXPECT_TRUE(first.get());
  EXPECT_TRUE(second.get());
  EXPECT_TRUE(insert(4).get());
  EXPECT_EQ(rows(), 3);
}

TEST_F(LaneTest, FinishesWhatWaitsBeforeItGoes) {
  start();
  auto blocked = block();
  std::vector<std::future<Result<void>>> inserted;
  for (std::int64_t value = 1; value <= 100; ++value) inserted.push_back(insert(value));
  await_submissions();
  auto destroyed = std::async(std::launch::async, [this] { lane_.reset(); });
  open_gate();
  destroyed.get();
  for (auto& result : inserted) EXPECT_TRUE(result.get());
  EXPECT_EQ(rows(), 100);
}

TEST_F(LaneTest, ContinuesOnTheThreadThatAsked) {
  start();
  const auto ask = [this]() -> Task<bool> {
    const auto asking = std::this_thread::get_id();
    const auto working = co_await lane_->run<std::thread::id>(
        [](Database&) -> Result<std::thread::id> { return std::this_thread::get_id(); });
    co_return std::this_thread::get_id() == asking && *working != asking;
  };
  std::vector<std::future<bool>> asked;
  for (std::size_t i = 0; i < 200; ++i) {
    asked.push_back(asio::co_spawn(threads_.executor(i % threads_.size()), ask, asio::use_future));
  }
  for (auto& right : asked) EXPECT_TRUE(right.get());
}

TEST_F(LaneTest, ContinuesThereAlsoWhenItRefuses) {
  start(Lane::Mode::write, 0);
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    EXPECT_TRUE(threads_.run(i, [this]() -> Task<bool> {
      const auto asking = std::this_thread::get_id();
      const auto refused = co_await lane_->run<void>([](Database&) -> Result<void> { return {}; });
      co_return std::this_thread::get_id() == asking && !refused;
    }));
  }
}

TEST_F(LaneTest, AReadingLaneGivesEachCommandOneSnapshot) {
  start(Lane::Mode::read);
  const auto counts =
      submit<std::pair<std::int64_t, std::int64_t>>([this](Database& database)
                                                        -> Result<std::pair<std::int64_t, std::int64_t>> {
        const auto before = database.integer("SELECT count(*) FROM t");
        open()->execute("INSERT INTO t VALUES (1)");
        return std::pair(before, database.integer("SELECT count(*) FROM t"));
      }).get();
  EXPECT_EQ(*counts, std::pair(std::int64_t{0}, std::int64_t{0}));
  const auto next = submit<std::int64_t>([](Database& database) -> Result<std::int64_t> {
                      return database.integer("SELECT count(*) FROM t");
                    }).get();
  EXPECT_EQ(*next, 1) << "the next command sees what was committed meanwhile";
}

TEST_F(LaneTest, AReadThatFailsLeavesTheOthersAlone) {
  start(Lane::Mode::read);
  auto blocked = block();
  const auto count = [](Database& database) -> Result<std::int64_t> {
    return database.integer("SELECT count(*) FROM t");
  };
  auto before = submit<std::int64_t>(count);
  auto failed = submit<std::int64_t>(
      [](Database& database) -> Result<std::int64_t> { return database.integer("SELECT * FROM missing"); });
  auto after = submit<std::int64_t>(count);
  await_submissions();
  open_gate();
  EXPECT_EQ(*before.get(), 0);
  const auto failure = failed.get();
  ASSERT_FALSE(failure);
  EXPECT_THAT(failure.error().detail, HasSubstr("missing"));
  EXPECT_EQ(*after.get(), 0);
}

TEST_F(LaneTest, KeepsTheWriteAheadLogBounded) {
  start();
  for (int written_mb = 0; written_mb < 80; ++written_mb) {
    const auto written = submit<void>([](Database& database) -> Result<void> {
                           database.execute(
                               "CREATE TABLE IF NOT EXISTS large (bytes BLOB); DELETE FROM large;"
                               "INSERT INTO large VALUES (randomblob(1000000))");
                           return {};
                         }).get();
    ASSERT_TRUE(written);
  }
  EXPECT_LT(std::filesystem::file_size(path_ + "-wal"), 40'000'000U);
}

}  // namespace
}  // namespace switchyard::sqlite
