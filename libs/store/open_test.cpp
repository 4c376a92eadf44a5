#include "store/open.hpp"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "base/testing.hpp"
#include "sqlite/database.hpp"
#include "store/sqlite/schema.hpp"

namespace switchyard::store {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(SqlitePath, IsWhatFollowsTheScheme) {
  EXPECT_EQ(sqlite_path("sqlite:data/switchyard.db"), "data/switchyard.db");
  EXPECT_EQ(sqlite_path("sqlite:/var/lib/switchyard.db"), "/var/lib/switchyard.db");
  EXPECT_EQ(sqlite_path("sqlite:./:memory:"), "./:memory:");
}

TEST(SqlitePath, IsNoOtherNotationOfSqlite) {
  for (const char* url : {"sqlite::memory:", "sqlite:file:x?mode=memory", "sqlite:file:data/switchyard.db"}) {
    try {
      sqlite_path(url);
      ADD_FAILURE() << url;
    } catch (const ConfigError& error) {
      EXPECT_THAT(error.what(), AllOf(StartsWith("DATABASE_URL "), HasSubstr("sqlite:data/switchyard.db")));
    }
  }
}

TEST(SqlitePath, AnotherUrlIsRefusedWithoutRepeatingIt) {
  for (const char* url : {"", "sqlite:", "data/switchyard.db", "mysql://user:hunter2@host/db", "SQLITE:x"}) {
    try {
      sqlite_path(url);
      ADD_FAILURE() << url;
    } catch (const ConfigError& error) {
      EXPECT_THAT(error.what(), AllOf(StartsWith("DATABASE_URL "), HasSubstr("sqlite:data/switchyard.db"),
                                      Not(HasSubstr("hunter2"))));
    }
  }
}

TEST(OpenStore, AMalformedUrlOfPostgresIsRefusedWithoutRepeatingIt) {
  for (const char* url :
       {"postgresql://alice:hunter2@host/db?nonsense=1", "postgresql://alice:hunter2%zz@host/db"}) {
    try {
      open(url);
      ADD_FAILURE() << url;
    } catch (const ConfigError& error) {
      EXPECT_THAT(error.what(), AllOf(StartsWith("DATABASE_URL "), Not(HasSubstr("hunter2"))));
    }
  }
}

TEST(OpenStore, OpensTheFileThatTheUrlNames) {
  const testing::TempDir folder;
  const auto path = folder.file("switchyard.db");
  EXPECT_NE(open("sqlite:" + path), nullptr);
  EXPECT_TRUE(std::filesystem::exists(path));
  EXPECT_THROW(open("postgres:x"), ConfigError);
  EXPECT_THROW(open("mysql://x"), ConfigError);
}

TEST(OpenStore, AFileThatCannotBeAStoreIsNamedWithTheSetting) {
  const testing::TempDir folder;
  const auto letter = folder.file("letter.db");
  for (int line = 0; line < 100; ++line) std::ofstream(letter, std::ios::app) << "Dear Sir or Madam,\n";
  for (const auto& path : {letter, folder.file(std::string(300, 'x'))}) {
    try {
      open("sqlite:" + path);
      ADD_FAILURE() << path;
    } catch (const std::runtime_error& error) {
      EXPECT_THAT(error.what(), AllOf(HasSubstr(path), HasSubstr("DATABASE_URL")));
    }
  }
}

TEST(OpenStore, SaysThatAStoreIsNewAndWhere) {
  const testing::TempDir folder;
  const auto path = folder.file("switchyard.db");
  std::vector<std::string> said;
  const auto say = [&said](std::string line) { said.push_back(std::move(line)); };
  open("sqlite:" + path, say);
  EXPECT_THAT(said, ::testing::ElementsAre(
                        AllOf(HasSubstr("DATABASE_URL"), HasSubstr("new, empty"), HasSubstr(path))));
  open("sqlite:" + path, say);
  EXPECT_THAT(said, ::testing::SizeIs(1)) << "it is there already";
}

std::string refusal(const std::string& path, Opening opening) {
  try {
    open("sqlite:" + path, nullptr, opening);
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

// Servers of that version may run, and could not go on over a newer schema.
TEST(OpenStore, OnlyThoseWhoMigrateChangeTheSchemaOfAStore) {
  const testing::TempDir folder;
  const auto path = folder.file("switchyard.db");
  {
    sqlite::Database old(path, sqlite::Durability::process, sqlite::Access::create);
    migrate(old, newest_version - 1);
  }
  const auto version = [&path] {
    return sqlite::Database(path, sqlite::Durability::process, sqlite::Access::read_only)
        .integer("PRAGMA user_version");
  };
  for (const auto opening : {Opening::read_only, Opening::existing, Opening::create}) {
    EXPECT_THAT(refusal(path, opening),
                AllOf(StartsWith(path), HasSubstr("schema version " + std::to_string(newest_version - 1)),
                      HasSubstr("needs version " + std::to_string(newest_version)), HasSubstr("backup"),
                      HasSubstr("switchyard store migrate")));
    EXPECT_EQ(version(), newest_version - 1);
  }
  EXPECT_EQ(refusal(path, Opening::migrate), "");
  EXPECT_EQ(version(), newest_version);
  for (const auto opening : {Opening::read_only, Opening::existing, Opening::create}) {
    EXPECT_EQ(refusal(path, opening), "");
  }
}

TEST(OpenStore, AStoreThatMustBeThereIsNotMade) {
  const testing::TempDir folder;
  const auto path = folder.file("data/switchyard.db");
  for (const auto opening : {Opening::read_only, Opening::existing}) {
    EXPECT_THAT(refusal(path, opening),
                AllOf(StartsWith(path), HasSubstr("there is no store"), HasSubstr("DATABASE_URL")));
    EXPECT_FALSE(std::filesystem::exists(folder.file("data")));
  }
  EXPECT_EQ(refusal(path, Opening::create), "");
  EXPECT_EQ(refusal(path, Opening::existing), "");
}

TEST(OpenStore, AStoreThatIsOnlyReadIsNotWritten) {
  const testing::TempDir folder;
  const auto path = folder.file("switchyard.db");
  open("sqlite:" + path);
  // As on a disk that is full or read-only: there is no place for the index of the log.
  std::filesystem::create_symlink(folder.file("missing/x"), path + "-shm");
  const auto before = std::filesystem::last_write_time(path);
  EXPECT_EQ(refusal(path, Opening::read_only), "");
  EXPECT_NE(refusal(path, Opening::existing), "");
  EXPECT_EQ(std::filesystem::last_write_time(path), before);
}

// As a process that was killed leaves it: what it had begun to write, with what was there before beside it.
TEST(OpenStore, WhatIsHalfDoneIsUndoneByThoseWhoMayWrite) {
  const testing::TempDir folder;
  const auto path = folder.file("switchyard.db");
  const auto copy = folder.file("copy.db");
  open("sqlite:" + path);
  {
    sqlite::Database database(path, sqlite::Durability::process, sqlite::Access::existing);
    ASSERT_TRUE(database.lock_out_others());
    database.execute("PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN");
    database.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO users "
        "(username, password_hash, enabled, created_at_ms) SELECT 'u' || i, '', 1, 0 FROM n");
    for (const char* suffix : {"", "-journal"}) std::filesystem::copy_file(path + suffix, copy + suffix);
  }
  EXPECT_THAT(refusal(copy, Opening::read_only), AllOf(HasSubstr("half done"), HasSubstr("store migrate")));
  EXPECT_EQ(refusal(copy, Opening::migrate), "");
  EXPECT_EQ(sqlite::Database(copy, sqlite::Durability::process, sqlite::Access::read_only)
                .integer("SELECT count(*) FROM users"),
            0);
}

}  // namespace
}  // namespace switchyard::store
