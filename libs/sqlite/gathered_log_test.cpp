#include "sqlite/gathered_log.hpp"

#include <filesystem>
#include <optional>
#include <string>

#include <gmock/gmock.h>

#include "base/testing.hpp"
#include "sqlite/database.hpp"
#include "sqlite/faulty_disk.hpp"

namespace switchyard::sqlite {
namespace {

using switchyard::testing::TempDir;

class GatheredLogTest : public ::testing::Test {
 protected:
  GatheredLogTest() {
    database_->execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB) STRICT");
    FaultyDisk::take_writes();
  }

  // One page each, or nearly.
  void insert(int rows) {
    for (int i = 0; i < rows; ++i) database_->execute("INSERT INTO t (b) VALUES (randomblob(3500))");
  }
  void commit(int rows) {
    database_->execute("BEGIN");
    insert(rows);
    database_->execute("COMMIT");
  }

  // What a process finds that starts after this one was killed now: the number of rows, if all is sound.
  std::int64_t rows_after_a_crash() const {
    const TempDir copies;
    const auto copy = copies.file("copy.db");
    std::filesystem::copy_file(path_, copy);
    std::filesystem::copy_file(path_ + "-wal", copy + "-wal");
    Database found(copy, Durability::synced, Access::existing);
    EXPECT_EQ(found.query("PRAGMA integrity_check").step(), true);
    return found.integer("SELECT count(*) FROM t WHERE length(b) = 3500");
  }

  TempDir folder_;
  const std::string path_ = folder_.file("log.db");
  // SQLite is configured before the first connection, and a disk of our own is something of SQLite's.
  const Database first_{"first", Durability::process, Access::in_memory};
  FaultyDisk disk_;
  std::optional<Database> database_{std::in_place, path_, Durability::synced, Access::create};
};

TEST_F(GatheredLogTest, ACommitIsOneWrite) {
  commit(20);
  EXPECT_EQ(FaultyDisk::take_writes(), 1);
  EXPECT_EQ(rows_after_a_crash(), 20);
}

// Around 128 KiB, where SQLite's own VFS cuts a write, and what it does not keep in memory until the commit.
TEST_F(GatheredLogTest, OfAnySizeIsWrittenWhole) {
  database_->execute("PRAGMA cache_size = 50");
  std::int64_t rows = 0;
  for (const int more : {1, 29, 30, 31, 32, 33, 60, 61, 62, 63, 64, 65, 95, 500, 1}) {
    commit(more);
    rows += more;
    ASSERT_EQ(rows_after_a_crash(), rows) << more;
  }
  EXPECT_EQ(database_->integer("SELECT count(*) FROM t WHERE length(b) = 3500"), rows);
}

TEST_F(GatheredLogTest, WhatIsNotCommittedYetIsReadBack) {
  database_->execute("PRAGMA cache_size = 10");
  database_->execute("BEGIN");
  for (int rows = 1; rows <= 40; ++rows) {
    insert(1);
    ASSERT_EQ(database_->integer("SELECT count(*) FROM t WHERE length(b) = 3500"), rows);
  }
  database_->execute("ROLLBACK");
  EXPECT_EQ(database_->integer("SELECT count(*) FROM t"), 0);
  commit(2);
  EXPECT_EQ(rows_after_a_crash(), 2);
}

TEST_F(GatheredLogTest, OthersSeeACommitOnceItReturned) {
  Database other(path_, Durability::synced, Access::existing);
  for (int rows = 1; rows <= 40; ++rows) {
    commit(1);
    ASSERT_EQ(other.integer("SELECT count(*) FROM t WHERE length(b) = 3500"), rows);
  }
}

TEST_F(GatheredLogTest, AWriteThatFailsFailsItsCommitWithTheSameCode) {
  for (const auto& [fault, code] : {std::pair(FaultyDisk::Fault::write, SQLITE_IOERR_WRITE),
                                    std::pair(FaultyDisk::Fault::full, SQLITE_FULL)}) {
    FaultyDisk::fail(fault, 1);
    try {
      commit(3);
      ADD_FAILURE() << "committed";
    } catch (const DatabaseError& error) {
      EXPECT_EQ(error.code(), code);
    }
    if (database_->in_transaction()) database_->execute("ROLLBACK");
    EXPECT_EQ(rows_after_a_crash(), 0);
  }
  commit(3);
  EXPECT_EQ(rows_after_a_crash(), 3);
}

TEST_F(GatheredLogTest, IsCopiedBackAndBegunAgain) {
  for (int round = 1; round <= 3; ++round) {
    commit(100);
    database_->execute("PRAGMA wal_checkpoint(RESTART)");
    ASSERT_EQ(rows_after_a_crash(), 100 * round);
  }
  database_.reset();
  EXPECT_FALSE(std::filesystem::exists(path_ + "-wal")) << "copied back and taken away by the last to close";
  EXPECT_EQ(Database(path_, Durability::synced, Access::existing).integer("SELECT count(*) FROM t"), 300);
}

// Where there is no sync, nothing would tell when a commit is to be written.
TEST_F(GatheredLogTest, IsNotForCommitsThatAreNotSynced) {
  Database fast(path_, Durability::process, Access::existing);
  fast.execute("INSERT INTO t (b) VALUES (randomblob(3500))");
  EXPECT_GT(FaultyDisk::take_writes(), 1);
  EXPECT_EQ(rows_after_a_crash(), 1);
}

}  // namespace
}  // namespace switchyard::sqlite
