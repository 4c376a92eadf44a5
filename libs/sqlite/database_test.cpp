#include "sqlite/database.hpp"

#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <thread>

#include <gmock/gmock.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "base/testing.hpp"

namespace switchyard::sqlite {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// What the operator is told, and SQLite's code without its extension.
struct Failure {
  std::string message;
  int code = SQLITE_OK;
};

template <class Operation>
Failure failure_of(Operation operation) {
  try {
    operation();
  } catch (const DatabaseError& error) {
    return {error.what(), error.code() & 0xff};
  }
  return {};
}

class DatabaseTest : public ::testing::Test {
 protected:
  testing::TempDir folder_;
  const std::string path_ = folder_.file("test.db");
  Database database_{path_, Durability::synced, Access::create};
};

TEST(NewDatabase, IsForItsOwnerOnlyWhateverTheUmask) {
  const testing::TempDir folder;
  const auto path = folder.file("new.db");
  const auto before = ::umask(0);
  Database database(path, Durability::synced, Access::create);
  database.execute("CREATE TABLE t (x)");
  ::umask(before);
  for (const auto* suffix : {"", "-wal", "-shm"}) {
    struct stat status{};
    ASSERT_EQ(::stat((path + suffix).c_str(), &status), 0) << suffix;
    EXPECT_EQ(status.st_mode & 0777U, 0600U) << suffix;
  }
}

TEST(NewDatabase, IsClosedToOthersAlsoInAFileThatSomebodyElseMade) {
  const testing::TempDir folder;
  for (const mode_t mode : {0644U, 0640U, 0666U}) {
    const auto path = folder.file(std::to_string(mode) + ".db");
    std::ofstream(path).close();
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
    Database database(path, Durability::synced, Access::create);
    database.execute("CREATE TABLE t (x)");
    for (const auto* suffix : {"", "-wal", "-shm"}) {
      struct stat status{};
      ASSERT_EQ(::stat((path + suffix).c_str(), &status), 0) << suffix;
      EXPECT_EQ(status.st_mode & 0777U, 0600U) << suffix;
    }
  }
}

TEST(NewDatabase, LeavesTheModeOfAFileThatIsNoDatabase) {
  const testing::TempDir folder;
  const auto path = folder.file("text");
  std::ofstream(path) << std::string(5000, 'x');
  ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
  EXPECT_EQ(failure_of([&] { Database(path, Durability::synced, Access::create); }).code, SQLITE_NOTADB);
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0644U);
}

TEST_F(DatabaseTest, GivesBackIntegersAsTheyWereBound) {
  for (const std::int64_t value : {std::numeric_limits<std::int64_t>::min(), std::int64_t{-1},
                                   std::int64_t{0}, std::numeric_limits<std::int64_t>::max()}) {
    auto row = database_.query("SELECT ?");
    row.bind(value);
    ASSERT_TRUE(row.step());
    EXPECT_EQ(row.integer(0), value);
    EXPECT_FALSE(row.is_null(0));
    EXPECT_FALSE(row.step());
  }
}

TEST_F(DatabaseTest, GivesBackAnOptionalIntegerOrNull) {
  for (const std::optional<std::int64_t> value :
       {std::optional<std::int64_t>(7), std::optional<std::int64_t>()}) {
    auto row = database_.query("SELECT ?");
    row.bind(value);
    ASSERT_TRUE(row.step());
    EXPECT_EQ(row.is_null(0), !value);
    EXPECT_EQ(row.integer(0), value.value_or(0));
  }
}

TEST_F(DatabaseTest, GivesBackTextByteForByte) {
  using namespace std::string_view_literals;
  for (const auto text :
       {"plain"sv, ""sv, std::string_view(), "z\xc3\xbcrich"sv, "a\0b"sv, "'; DROP TABLE users; --"sv}) {
    auto row = database_.query("SELECT ?, typeof(?1)");
    row.bind(text);
    ASSERT_TRUE(row.step());
    EXPECT_EQ(row.text(0), text);
    EXPECT_EQ(row.text(1), "text") << "an empty text is no NULL";
  }
}

TEST_F(DatabaseTest, GivesBackBlobsByteForByte) {
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte += static_cast<char>(byte);
  for (const std::string_view blob : {std::string_view(every_byte), std::string_view()}) {
    auto row = database_.query("SELECT ?, typeof(?1)");
    row.bind_blob(blob);
    ASSERT_TRUE(row.step());
    EXPECT_EQ(row.blob(0), blob);
    EXPECT_EQ(row.text(1), "blob");
  }
}

TEST_F(DatabaseTest, GivesBackIdsTimesAndNothing) {
  const Uuid id{{1, 0, 255}};
  const Timestamp time{std::chrono::milliseconds(1'700'000'000'123)};
  auto row = database_.query("SELECT ?, ?, ?, ?, ?, typeof(?1), typeof(?2)");
  row.bind(id, time, std::optional(time), std::optional<Timestamp>(), true);
  ASSERT_TRUE(row.step());
  EXPECT_EQ(row.uuid(0), id);
  EXPECT_EQ(row.time(1), time);
  EXPECT_EQ(row.optional_time(2), time);
  EXPECT_EQ(row.optional_time(3), std::nullopt);
  EXPECT_TRUE(row.boolean(4));
  EXPECT_EQ(row.text(5), "blob");
  EXPECT_EQ(row.text(6), "integer");
}

TEST_F(DatabaseTest, BindsInOrder) {
  auto row = database_.query("SELECT ?, ?, ?");
  row.bind(1).bind(std::string_view("two")).bind(std::int64_t{3});
  ASSERT_TRUE(row.step());
  EXPECT_EQ(row.integer(0), 1);
  EXPECT_EQ(row.text(1), "two");
  EXPECT_EQ(row.integer(2), 3);
}

TEST_F(DatabaseTest, AStatementForgetsItsLastUse) {
  constexpr const char* sql = "SELECT ?";
  {
    auto row = database_.query(sql);
    row.bind(7);
    ASSERT_TRUE(row.step());
  }
  auto row = database_.query(sql);
  ASSERT_TRUE(row.step());
  EXPECT_TRUE(row.is_null(0));
}

TEST_F(DatabaseTest, CountsChangedRows) {
  database_.execute("CREATE TABLE t (a INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3)");
  EXPECT_EQ(database_.integer("SELECT count(*) FROM t"), 3);
  EXPECT_EQ(database_.integer("SELECT a FROM t WHERE a > 5"), 0) << "no row";
  database_.query("UPDATE t SET a = a + 10 WHERE a > ?").bind(1).run();
  EXPECT_EQ(database_.changes(), 2);
  database_.query("INSERT INTO t VALUES (?) ON CONFLICT DO NOTHING").bind(1).run();
  EXPECT_EQ(database_.changes(), 0);
}

TEST_F(DatabaseTest, KnowsWhetherATransactionIsOpen) {
  EXPECT_FALSE(database_.in_transaction());
  database_.execute("BEGIN");
  EXPECT_TRUE(database_.in_transaction());
  database_.execute("ROLLBACK");
  EXPECT_FALSE(database_.in_transaction());
}

TEST_F(DatabaseTest, SyncsEachCommitWhereItMust) {
  EXPECT_EQ(database_.query("PRAGMA journal_mode").step(), true);
  auto mode = database_.query("PRAGMA journal_mode");
  mode.step();
  EXPECT_EQ(mode.text(0), "wal");
  EXPECT_EQ(database_.integer("PRAGMA synchronous"), 2) << "FULL";
  Database fast(folder_.file("fast.db"), Durability::process, Access::create);
  EXPECT_EQ(fast.integer("PRAGMA synchronous"), 0) << "OFF";
}

// --- Failures ----------------------------------------------------------------------------------

TEST_F(DatabaseTest, EachFailureNamesTheFile) {
  database_.execute("CREATE TABLE t (a INTEGER PRIMARY KEY CHECK (a > 0)) STRICT");
  const auto starts_with_path = StartsWith(path_ + ": ");

  const auto syntax = failure_of([&] { database_.query("SELEKT 1").step(); });
  EXPECT_THAT(syntax.message, AllOf(starts_with_path, HasSubstr("syntax error")));
  EXPECT_EQ(syntax.code, SQLITE_ERROR);
  EXPECT_THAT(failure_of([&] { database_.execute("SELEKT 1"); }).message, starts_with_path);

  const auto broken_rule = failure_of([&] { database_.query("INSERT INTO t VALUES (?)").bind(-1).run(); });
  EXPECT_THAT(broken_rule.message, AllOf(starts_with_path, HasSubstr("CHECK constraint")));
  EXPECT_EQ(broken_rule.code, SQLITE_CONSTRAINT);

  EXPECT_EQ(failure_of([&] { database_.query("SELECT ?").bind(1).bind(2); }).code, SQLITE_RANGE);
}

TEST_F(DatabaseTest, AFailureLeavesTheConnectionUsable) {
  database_.execute("CREATE TABLE t (a INTEGER PRIMARY KEY) STRICT");
  const auto insert = [&](std::int64_t value) {
    database_.query("INSERT INTO t VALUES (?)").bind(value).run();
  };
  insert(1);
  EXPECT_EQ(failure_of([&] { insert(1); }).code, SQLITE_CONSTRAINT);
  insert(2);
  EXPECT_EQ(database_.integer("SELECT count(*) FROM t"), 2);
}

TEST(DatabaseOpen, NamesTheFileThatCannotBeOpened) {
  const testing::TempDir folder;
  const auto missing = folder.file("missing.db");
  EXPECT_THAT(failure_of([&] { Database(missing, Durability::synced, Access::existing); }).message,
              StartsWith(missing + ": "));
  EXPECT_FALSE(std::filesystem::exists(missing));

  const auto in_missing_folder = folder.file("missing/test.db");
  EXPECT_THAT(failure_of([&] { Database(in_missing_folder, Durability::synced, Access::create); }).message,
              StartsWith(in_missing_folder + ": "));

  const auto text_file = folder.file("text");
  std::ofstream(text_file) << std::string(5000, 'x');
  const auto no_database = failure_of([&] { Database(text_file, Durability::synced, Access::create); });
  EXPECT_THAT(no_database.message, AllOf(StartsWith(text_file + ": "), HasSubstr("not a database")));
  EXPECT_EQ(no_database.code, SQLITE_NOTADB);
}

// --- A second connection -----------------------------------------------------------------------

TEST_F(DatabaseTest, IsBusyWhileAnotherConnectionWrites) {
  Database other(path_, Durability::synced, Access::existing);
  other.execute("BEGIN IMMEDIATE");
  // Instead of the seconds that it waits otherwise.
  database_.execute("PRAGMA busy_timeout = 1");
  const auto busy = failure_of([&] { database_.execute("BEGIN IMMEDIATE"); });
  EXPECT_EQ(busy.code, SQLITE_BUSY);
  EXPECT_THAT(busy.message, AllOf(StartsWith(path_ + ": "), HasSubstr("locked")));
  other.execute("COMMIT");
  database_.execute("BEGIN IMMEDIATE");
  database_.execute("COMMIT");
}

TEST_F(DatabaseTest, IsOpenedAgainWhileItIsBusyAndForNothingElse) {
  Database other(path_, Durability::synced, Access::existing);
  other.execute("BEGIN IMMEDIATE");
  database_.execute("PRAGMA busy_timeout = 0");
  int tries = 0;
  const auto opened = open_patiently([&] {
    if (++tries == 3) other.execute("COMMIT");
    database_.execute("BEGIN IMMEDIATE");
    return true;
  });
  EXPECT_TRUE(opened);
  EXPECT_EQ(tries, 3);

  tries = 0;
  const auto refused = failure_of([&] {
    open_patiently([&] {
      ++tries;
      return std::make_unique<Database>(folder_.file("missing.db"), Durability::synced, Access::existing);
    });
  });
  EXPECT_EQ(refused.code, SQLITE_CANTOPEN);
  EXPECT_EQ(tries, 1);
}

TEST_F(DatabaseTest, WaitsForTheOtherConnectionsCommit) {
  Database other(path_, Durability::synced, Access::existing);
  other.execute("BEGIN IMMEDIATE");
  other.execute("CREATE TABLE t (a INTEGER)");
  std::jthread committing([&other] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    other.execute("COMMIT");
  });
  database_.execute("BEGIN IMMEDIATE");
  database_.execute("INSERT INTO t VALUES (1)");
  database_.execute("COMMIT");
  committing.join();
  EXPECT_EQ(other.integer("SELECT count(*) FROM t"), 1);
}

TEST_F(DatabaseTest, ReadsWhileAnotherConnectionWrites) {
  database_.execute("CREATE TABLE t (a INTEGER)");
  Database writer(path_, Durability::synced, Access::existing);
  writer.execute("BEGIN IMMEDIATE");
  writer.execute("INSERT INTO t VALUES (1)");
  EXPECT_EQ(database_.integer("SELECT count(*) FROM t"), 0);
  writer.execute("COMMIT");
  EXPECT_EQ(database_.integer("SELECT count(*) FROM t"), 1);
}

TEST(DatabaseName, IsThatOfAFileHoweverItLooks) {
  const testing::TempDir folder;
  const auto here = std::filesystem::current_path();
  std::filesystem::current_path(std::filesystem::path(folder.file("x")).parent_path());
  for (const char* name : {"file:a.db", "file:b.db?mode=memory", ":memory:"}) {
    Database(name, Durability::process, Access::create).execute("CREATE TABLE t (x)");
    EXPECT_TRUE(std::filesystem::exists(name)) << name;
    EXPECT_EQ(Database(name, Durability::process, Access::read_only).integer("SELECT count(*) FROM t"), 0);
  }
  EXPECT_THROW(Database("", Durability::process, Access::create), DatabaseError);
  std::filesystem::current_path(here);
}

TEST(DatabaseReadOnly, ReadsWhereTheIndexOfTheLogCannotBeMade) {
  const testing::TempDir folder;
  const auto path = folder.file("what?%23 100%.db");
  Database(path, Durability::process, Access::create).execute("CREATE TABLE t (x); INSERT INTO t VALUES (7)");
  // As on a disk that is read-only: there is no place for it.
  std::filesystem::create_symlink(folder.file("missing/x"), path + "-shm");
  EXPECT_EQ(Database(path, Durability::process, Access::read_only).integer("SELECT x FROM t"), 7);
}

TEST(DatabaseReadOnly, ReadsNothingPastALogThatCannotBeRead) {
  const testing::TempDir folder;
  const auto path = folder.file("a.db");
  const auto copy = folder.file("b.db");
  {
    Database database(path, Durability::process, Access::create);
    database.execute("CREATE TABLE t (x)");
    for (const char* suffix : {"", "-wal"}) std::filesystem::copy_file(path + suffix, copy + suffix);
  }
  std::filesystem::create_symlink(folder.file("missing/x"), copy + "-shm");
  EXPECT_THROW(Database(copy, Durability::process, Access::read_only).integer("SELECT count(*) FROM t"),
               DatabaseError);
}

TEST(DatabaseLock, KeepsOthersOutUntilItIsClosed) {
  const testing::TempDir folder;
  const auto path = folder.file("a.db");
  Database(path, Durability::process, Access::create).execute("CREATE TABLE t (x)");
  {
    Database other(path, Durability::process, Access::existing);
    EXPECT_FALSE(Database(path, Durability::process, Access::existing).lock_out_others());
    other.execute("INSERT INTO t VALUES (1)");
  }
  auto database = std::make_unique<Database>(path, Durability::process, Access::existing);
  ASSERT_TRUE(database->lock_out_others());
  EXPECT_FALSE(std::filesystem::exists(path + "-wal"));
  std::jthread closing([&database] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    database.reset();
  });
  const auto read = [&path] {
    return Database(path, Durability::process, Access::read_only).integer("SELECT x FROM t");
  };
  EXPECT_EQ(open_patiently(read), 1);
}

TEST(DatabaseBecomes, WhatTheOtherIsInOneCommit) {
  const testing::TempDir folder;
  Database source(folder.file("a.db"), Durability::process, Access::create);
  source.execute("CREATE TABLE a (x); INSERT INTO a VALUES (7)");
  Database database(folder.file("b.db"), Durability::process, Access::create);
  database.execute("CREATE TABLE b (x)");
  ASSERT_TRUE(database.lock_out_others());
  database.become(source);
  EXPECT_EQ(database.integer("SELECT x FROM a"), 7);
  EXPECT_EQ(failure_of([&] { database.integer("SELECT count(*) FROM b"); }).code, SQLITE_ERROR);
}

}  // namespace
}  // namespace switchyard::sqlite
