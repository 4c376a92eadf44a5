#include "sqlite/lane.hpp"

#include <filesystem>
#include <fstream>
#include <future>
#include <optional>

#include <gmock/gmock.h>
#include <sqlite3.h>

#include "base/io_threads.hpp"
#include "base/testing.hpp"
#include "sqlite/faulty_disk.hpp"

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
  void start(std::size_t capacity = plenty) { lane_.emplace(open(), capacity); }

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
  start(2);
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
  start(0);
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    EXPECT_TRUE(threads_.run(i, [this]() -> Task<bool> {
      const auto asking = std::this_thread::get_id();
      const auto refused = co_await lane_->run<void>([](Database&) -> Result<void> { return {}; });
      co_return std::this_thread::get_id() == asking && !refused;
    }));
  }
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

// --- A file that is not at its path ------------------------------------------------------------

TEST_F(LaneTest, WritesNothingWhileItsFileOrWhatBelongsToItIsNotAtItsPath) {
  start();
  ASSERT_TRUE(insert(1).get());
  for (const auto* suffix : {"", "-wal", "-shm"}) {
    const auto file = path_ + suffix;
    std::filesystem::rename(file, file + ".aside");
    for (int tries = 0; tries < 2; ++tries) {
      const auto refused = insert(2).get();
      ASSERT_FALSE(refused) << suffix;
      EXPECT_EQ(refused.error().code, ErrorCode::store_unavailable) << "nothing was done";
      EXPECT_THAT(refused.error().detail, StartsWith(file + ": was moved, deleted or replaced"));
    }
    EXPECT_FALSE(std::filesystem::exists(file)) << "nothing is made in its place";
    std::filesystem::rename(file + ".aside", file);
  }
  EXPECT_TRUE(insert(3).get()) << "all is back";
  EXPECT_EQ(rows(), 2) << "1 and 3";
}

TEST_F(LaneTest, WritesNothingIntoAFileThatAnotherHasReplaced) {
  start();
  ASSERT_TRUE(insert(1).get());
  for (const auto* suffix : {"", "-wal", "-shm"}) {
    const auto file = path_ + suffix;
    std::filesystem::rename(file, file + ".aside");
    std::ofstream(file) << "another";
    const auto refused = insert(2).get();
    ASSERT_FALSE(refused) << suffix;
    EXPECT_EQ(refused.error().code, ErrorCode::store_unavailable);
    EXPECT_EQ(std::filesystem::file_size(file), 7U) << "it is left as it is";
    std::filesystem::rename(file + ".aside", file);
  }
}

TEST_F(LaneTest, LooksForTheLogWhereALinkLeads) {
  const auto link = folder_.file("link.db");
  std::filesystem::create_symlink(path_, link);
  lane_.emplace(std::make_unique<Database>(link, Durability::process, Access::existing), plenty);
  ASSERT_TRUE(insert(1).get());
  std::filesystem::rename(path_ + "-wal", path_ + "-wal.aside");
  const auto refused = insert(2).get();
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().detail, HasSubstr("lane.db-wal: was moved"));
  std::filesystem::rename(path_ + "-wal.aside", path_ + "-wal");
  EXPECT_TRUE(insert(2).get());
}

// --- A disk that fails --------------------------------------------------------------------------

class LaneOnAFaultyDiskTest : public LaneTest {
 protected:
  // A second connection, so that the log stays when the lane closes its own.
  void start_synced() {
    other_ = std::make_unique<Database>(path_, Durability::synced, Access::existing);
    other_->integer("SELECT count(*) FROM t");
    lane_.emplace(std::make_unique<Database>(path_, Durability::synced, Access::existing), plenty);
    ASSERT_TRUE(insert(1).get());
  }

  // What a process finds that starts after this one was killed now: nothing but the files.
  std::int64_t rows_after_a_crash() const {
    const TempDir copies;
    const auto copy = copies.file("lane.db");
    std::filesystem::copy_file(path_, copy);
    std::filesystem::copy_file(path_ + "-wal", copy + "-wal");
    return Database(copy, Durability::process, Access::existing).integer("SELECT count(*) FROM t");
  }

  FaultyDisk disk_;
  std::unique_ptr<Database> other_;
};

TEST_F(LaneOnAFaultyDiskTest, SaysThatItIsOpenWhetherACommitWasDoneWhoseSyncFailed) {
  start_synced();
  auto blocked = block();
  auto first = insert(2);
  auto second = insert(3);
  await_submissions();
  FaultyDisk::fail(FaultyDisk::Fault::sync, 1);
  open_gate();
  // The command that blocked was a group by itself, and wrote nothing to sync.
  EXPECT_TRUE(blocked.get());
  for (auto* result : {&first, &second}) {
    const auto outcome = result->get();
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, ErrorCode::store_outcome_unknown);
    EXPECT_THAT(outcome.error().detail, StartsWith(path_ + ": "));
  }
  EXPECT_EQ(rows_after_a_crash(), 3) << "so \"nothing was done\" would not have been true";

  EXPECT_TRUE(insert(4).get()) << "the file was opened again";
  EXPECT_EQ(rows(), 2);
  EXPECT_EQ(rows_after_a_crash(), 2) << "what is in the file stays it";
}

TEST_F(LaneOnAFaultyDiskTest, TakesNothingUntilTheFileCanBeSynced) {
  start_synced();
  FaultyDisk::fail(FaultyDisk::Fault::sync, 1'000'000);
  EXPECT_EQ(insert(2).get().error().code, ErrorCode::store_outcome_unknown);
  for (int tries = 0; tries < 3; ++tries) {
    const auto refused = insert(3).get();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::store_unavailable) << "it was not even begun";
  }
  EXPECT_EQ(rows(), 1) << "reading goes on";
  FaultyDisk::fail(FaultyDisk::Fault::none, 0);
  EXPECT_TRUE(switchyard::testing::eventually([this] { return insert(4).get().has_value(); }));
  EXPECT_EQ(other_->integer("SELECT max(a) FROM t"), 4);
  EXPECT_EQ(rows(), 2);
}

TEST_F(LaneOnAFaultyDiskTest, AWriteThatFailsInTheCommitLeavesItOpen) {
  start_synced();
  FaultyDisk::fail(FaultyDisk::Fault::write, 1);
  EXPECT_EQ(insert(2).get().error().code, ErrorCode::store_outcome_unknown);
  EXPECT_TRUE(insert(3).get());
  EXPECT_EQ(rows(), 2);
}

TEST_F(LaneOnAFaultyDiskTest, ADiskThatIsFullInTheCommitHasDoneNothing) {
  start_synced();
  FaultyDisk::fail(FaultyDisk::Fault::full, 1);
  EXPECT_EQ(insert(2).get().error().code, ErrorCode::store_unavailable);
  EXPECT_EQ(rows_after_a_crash(), 1);
  EXPECT_TRUE(insert(3).get());
  EXPECT_EQ(rows(), 2);
}

TEST_F(LaneOnAFaultyDiskTest, OpensNoOtherFileThanItHad) {
  start_synced();
  FaultyDisk::fail(FaultyDisk::Fault::sync, 1);
  EXPECT_EQ(insert(2).get().error().code, ErrorCode::store_outcome_unknown);
  std::filesystem::rename(path_, path_ + ".moved");
  std::filesystem::copy_file(path_ + ".moved", path_);
  const auto refused = insert(3).get();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::store_unavailable);
  EXPECT_THAT(refused.error().detail, HasSubstr("replaced"));
}

}  // namespace
}  // namespace switchyard::sqlite
