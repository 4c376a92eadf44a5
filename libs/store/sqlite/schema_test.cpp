#include "store/sqlite/schema.hpp"

#include <fstream>
#include <iterator>
#include <list>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <sqlite3.h>

#include "base/testing.hpp"
#include "store/sqlite/due.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace switchyard::store {
namespace {

using sqlite::Access;
using sqlite::Database;
using sqlite::DatabaseError;
using sqlite::Durability;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class SchemaTest : public ::testing::Test {
 protected:
  Database open() const { return Database(path_, Durability::process, Access::create); }

  // What the operator is told; empty if the file was taken.
  std::string refusal(const std::string& path) const {
    try {
      SqliteStore store(path);
    } catch (const DatabaseError& error) {
      return error.what();
    }
    return "";
  }
  std::string refusal() const { return refusal(path_); }

  static std::string content(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  testing::TempDir folder_;
  const std::string path_ = folder_.file("store.db");
};

TEST_F(SchemaTest, AFreshFileGetsTheSchemaAndItsMark) {
  auto database = open();
  migrate(database);
  EXPECT_EQ(database.integer("PRAGMA application_id"), 0x53575944);
  EXPECT_GE(database.integer("PRAGMA user_version"), 1);
  EXPECT_EQ(database.integer("SELECT count(*) FROM transactions"), 0);
  EXPECT_FALSE(database.in_transaction());
}

TEST_F(SchemaTest, AFileOfThisVersionIsLeftAsItIs) {
  auto database = open();
  migrate(database);
  database.execute("INSERT INTO users VALUES (1, 'alice', 'h', 1, 0)");
  const auto version = database.integer("PRAGMA user_version");
  migrate(database);
  EXPECT_EQ(database.integer("PRAGMA user_version"), version);
  EXPECT_EQ(database.integer("SELECT count(*) FROM users"), 1);
}

TEST_F(SchemaTest, AFileOfANewerVersionIsRefused) {
  {
    auto database = open();
    migrate(database);
    database.execute("PRAGMA user_version = 1000");
  }
  EXPECT_THAT(refusal(), AllOf(StartsWith(path_), HasSubstr("version 1000"), HasSubstr("newer program")));
  auto database = open();
  EXPECT_EQ(database.integer("PRAGMA user_version"), 1000) << "an older program changes nothing";
}

TEST_F(SchemaTest, AFileOfAnotherProgramIsRefused) {
  for (const char* made_by_another : {
           "PRAGMA application_id = 7; PRAGMA user_version = 1; CREATE TABLE transactions (a)",
           "PRAGMA application_id = 7",
           "CREATE TABLE notes (a)",                           // without a mark of its own
           "PRAGMA user_version = 1; CREATE TABLE notes (a)",  // with our version's number
       }) {
    const testing::TempDir folder;
    const auto path = folder.file("other.db");
    Database(path, Durability::process, Access::create).execute(made_by_another);
    EXPECT_THAT(refusal(path),
                AllOf(StartsWith(path), HasSubstr("another program"), HasSubstr("DATABASE_URL")))
        << made_by_another;
    Database database(path, Durability::process, Access::existing);
    EXPECT_EQ(database.integer("SELECT count(*) FROM sqlite_schema WHERE name = 'users'"), 0)
        << made_by_another;
  }
}

TEST_F(SchemaTest, AFileOfAnotherProgramIsNotChanged) {
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &other), SQLITE_OK);
  sqlite3_exec(other, "CREATE TABLE notes (a)", nullptr, nullptr, nullptr);
  sqlite3_close(other);
  const auto before = content(path_);
  EXPECT_THAT(refusal(), HasSubstr("another program"));
  EXPECT_TRUE(content(path_) == before);
}

TEST_F(SchemaTest, LookingAtAFileChangesNothing) {
  {
    auto database = open();
    migrate(database);
  }
  const auto before = content(path_);
  {
    Database look(path_, Durability::synced, Access::read_only);
    EXPECT_GE(require_known_schema(look), 1);
  }
  EXPECT_TRUE(content(path_) == before);
}

// What is left after a SIGKILL: the file, and the log that was not copied back into it.
TEST_F(SchemaTest, AFileWhoseProcessDiedIsTakenOverWithAllThatWasCommitted) {
  const SqliteStore running(path_);
  auto writer = open();
  writer.execute("INSERT INTO users VALUES (1, 'alice', 'h', 1, 0)");
  const auto left_behind = folder_.file("left-behind.db");
  std::filesystem::copy_file(path_, left_behind);
  std::filesystem::copy_file(path_ + "-wal", left_behind + "-wal");

  EXPECT_EQ(refusal(left_behind), "");
  Database database(left_behind, Durability::process, Access::existing);
  EXPECT_EQ(database.integer("SELECT count(*) FROM users WHERE username = 'alice'"), 1);
}

TEST_F(SchemaTest, WhatIsNoDatabaseIsRefusedAndNotChanged) {
  const std::string text(10'000, 'x');
  std::ofstream(path_) << text;
  EXPECT_THAT(refusal(), AllOf(StartsWith(path_), HasSubstr("not a database")));
  EXPECT_EQ(content(path_), text);
}

TEST_F(SchemaTest, ADamagedFileIsRefused) {
  {
    auto database = open();
    migrate(database);
  }
  std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(100);
  file << std::string(4000, '\xff');
  file.close();
  EXPECT_THAT(refusal(), StartsWith(path_));
}

TEST_F(SchemaTest, TheFolderIsMadeWhereItIsMissing) {
  const auto path = folder_.file("a/b/store.db");
  EXPECT_EQ(refusal(path), "");
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(SchemaTest, APathThatCannotBeHadIsNamed) {
  std::ofstream(folder_.file("file")) << "x";
  EXPECT_THAT(refusal(folder_.file("file/store.db")),
              AllOf(StartsWith(folder_.file("file")), HasSubstr("DATABASE_URL")));
  EXPECT_THAT(refusal(folder_.file("")), AllOf(StartsWith(folder_.file("")), HasSubstr("DATABASE_URL")))
      << "a folder is no file";
}

TEST_F(SchemaTest, ManyProcessesMayStartAtOnce) {
  for (int round = 0; round < 25; ++round) {
    const auto path = folder_.file("round" + std::to_string(round) + ".db");
    std::vector<std::string> refusals(4);
    {
      std::vector<std::jthread> programs;
      for (auto& told : refusals) programs.emplace_back([&] { told = refusal(path); });
    }
    for (const auto& told : refusals) EXPECT_EQ(told, "");
  }
}

TEST_F(SchemaTest, DueWorkIsFoundByAWalkOfOneIndexFromItsStart) {
  auto database = open();
  migrate(database);
  // A statement is known by the address of its text.
  std::list<std::string> explained;
  const auto plan_of = [&database, &explained](const char* sql) {
    explained.push_back(std::string("EXPLAIN QUERY PLAN ") + sql);
    auto row = database.query(explained.back().c_str());
    std::string plan;
    while (row.step()) plan += std::string(row.text(3)) + "\n";
    return plan;
  };
  for (const auto& queries : {queued_due, started_due, all_due}) {
    for (const auto* sql : {queries.due, queries.ahead}) {
      const auto plan = plan_of(sql);
      EXPECT_THAT(plan, Not(HasSubstr("SCAN"))) << sql;
      EXPECT_THAT(plan, Not(HasSubstr("TEMP B-TREE"))) << sql;
    }
  }
  EXPECT_THAT(plan_of(queued_due.due), HasSubstr("SEARCH transactions USING INDEX transactions_queued"));
  EXPECT_THAT(plan_of(started_due.due), HasSubstr("SEARCH transactions USING INDEX transactions_started"))
      << "no queued row is passed over";
  for (const auto* sql : {backlog_count, backlog_by_merchant}) {
    EXPECT_THAT(plan_of(sql), AllOf(HasSubstr("COVERING INDEX transactions_queued"),
                                    HasSubstr("COVERING INDEX transactions_started")))
        << sql << ": reads no row";
  }
  EXPECT_THAT(plan_of(oldest_queued),
              AllOf(HasSubstr("INDEX transactions_queued"), Not(HasSubstr("B-TREE"))));
  EXPECT_THAT(plan_of(oldest_started),
              AllOf(HasSubstr("INDEX transactions_started"), Not(HasSubstr("B-TREE"))));
}

TEST_F(SchemaTest, AFileOfAnOlderVersionIsBroughtToThisOneWithAllThatIsInIt) {
  const std::string without_4 =
      "DROP INDEX transactions_queued; DROP INDEX transactions_started;"
      "CREATE INDEX transactions_queued ON transactions (next_action_at_ms)"
      "  WHERE next_action_at_ms IS NOT NULL AND status = 'queued';"
      "CREATE INDEX transactions_started ON transactions (next_action_at_ms)"
      "  WHERE next_action_at_ms IS NOT NULL AND status <> 'queued';";
  const std::string without_3 =
      "DROP INDEX transactions_queued; DROP INDEX transactions_started;"
      "CREATE INDEX transactions_due ON transactions (next_action_at_ms) WHERE next_action_at_ms IS NOT "
      "NULL;";
  const std::string without_2 =
      "DROP INDEX transactions_by_id; DROP INDEX transactions_in_review; DROP TABLE foreign_workers;";
  const auto all_of = [](Database& database) {
    auto row = database.query(
        "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema ORDER BY 1");
    std::string schema;
    while (row.step()) schema += std::string(row.text(0)) + "\n";
    return schema;
  };
  for (const int version : {1, 2, 3}) {
    const auto path = folder_.file("version" + std::to_string(version) + ".db");
    Database database(path, Durability::process, Access::create);
    EXPECT_EQ(migrate(database), 0);
    const auto newest = database.integer("PRAGMA user_version");
    const auto schema = all_of(database);
    database.execute((without_4 + (version <= 2 ? without_3 : "") + (version == 1 ? without_2 : "") +
                      "PRAGMA user_version = " + std::to_string(version))
                         .c_str());
    database.execute(
        "INSERT INTO transactions VALUES (1, randomblob(16), 100, 'USD', 'automatic', 'queued', 0, 0, 0, 0, "
        "0, 5, '', "
        "0, 0), (1, randomblob(16), 100, 'USD', 'automatic', 'unknown', 0, 0, 0, 1, 1, 6, '', 0, 0)");
    EXPECT_EQ(migrate(database), version);
    EXPECT_EQ(database.integer("PRAGMA user_version"), newest);
    EXPECT_EQ(all_of(database), schema);
    EXPECT_EQ(database.integer(oldest_queued), 5);
    EXPECT_EQ(database.integer(oldest_started), 6);
    EXPECT_EQ(database.integer("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"),
              1);
  }
}

TEST_F(SchemaTest, TheSchemaItselfKeepsMoneyWithinItsBounds) {
  auto database = open();
  migrate(database);
  const auto insert = [&database](const std::string& amounts) {
    database.execute(("INSERT INTO transactions VALUES (1, randomblob(16), " + amounts +
                      ", 'USD', 'automatic', 'captured', 100, 100, 0, 1, 1, NULL, '', 0, 0)")
                         .c_str());
  };
  insert("100");
  EXPECT_THROW(insert("99"), DatabaseError) << "authorized more than the amount";
  EXPECT_THROW(insert("0"), DatabaseError);
  EXPECT_THROW(database.execute("UPDATE transactions SET captured_minor = 101"), DatabaseError);
  EXPECT_THROW(database.execute("UPDATE transactions SET refunded_minor = 101"), DatabaseError);
  EXPECT_THROW(database.execute("UPDATE transactions SET refunded_minor = -1"), DatabaseError);
  database.execute("UPDATE transactions SET refunded_minor = 100");
}

}  // namespace
}  // namespace switchyard::store
