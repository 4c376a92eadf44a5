#include "store/open.hpp"

#include <fstream>
#include <vector>

#include <gmock/gmock.h>

#include "base/testing.hpp"

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

}  // namespace
}  // namespace switchyard::store
