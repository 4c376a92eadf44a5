#include "store/sqlite/schema.hpp"

#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <sqlite3.h>

#include "base/testing.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace switchyard::store {
namespace {

using sqlite::Access;
using sqlite::Database;
using sqlite::DatabaseError;
using sqlite::Durability;
using ::testing::AllOf;
using ::testing::HasSubstr;
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
  EXPECT_EQ(database.integer("PRAGMA user_version"), 1000);
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
  EXPECT_THAT(refusal(folder_.file("file/store.db")), StartsWith(folder_.file("file")));
  EXPECT_THAT(refusal(folder_.file("")), StartsWith(folder_.file(""))) << "a folder is no file";
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
