#include "switchyard/backup.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/testing.hpp"
#include "sqlite/database.hpp"
#include "store/sqlite/schema.hpp"

namespace switchyard::cli {
namespace {

namespace fs = std::filesystem;
using sqlite::Access;
using sqlite::Durability;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Backup : public ::testing::Test {
 protected:
  // A store that is in use, with so many users.
  std::unique_ptr<sqlite::Database> open_store(int users) {
    auto database = std::make_unique<sqlite::Database>(store_, Durability::process, Access::create);
    store::migrate(*database);
    for (int i = 0; i < users; ++i) add_user(*database);
    return database;
  }

  static void add_user(sqlite::Database& database) {
    database.execute(
        "INSERT INTO users (username, password_hash, enabled, created_at_ms) "
        "VALUES ('user' || (SELECT count(*) FROM users), '', 1, 0)");
  }

  static std::int64_t users_of(const std::string& path) {
    return sqlite::Database(path, Durability::process, Access::read_only)
        .integer("SELECT count(*) FROM users");
  }

  static std::string contents_of(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  }

  static void write(const std::string& path, std::string_view text) { std::ofstream(path) << text; }

  // The names in the folder, in order.
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(fs::path(store_).parent_path())) {
      names.push_back(entry.path().filename());
    }
    std::ranges::sort(names);
    return names;
  }

  template <class Call>
  static std::string why_not(Call call) {
    try {
      call();
    } catch (const std::exception& error) {
      return error.what();
    }
    return "it was done";
  }

  testing::TempDir folder_;
  const std::string store_ = folder_.file("store.db");
  const std::string backup_ = folder_.file("backup.db");
};

TEST_F(Backup, HoldsWhatTheStoreHeldWhileItIsInUse) {
  const auto database = open_store(3);
  const auto contents = back_up(store_, backup_);
  EXPECT_EQ(contents.users, 3);
  EXPECT_EQ(contents.transactions, 0);
  EXPECT_EQ(contents.schema_version, database->integer("PRAGMA user_version"));
  add_user(*database);
  EXPECT_EQ(users_of(backup_), 3);
}

TEST_F(Backup, IsOneFileForItsOwnerOnly) {
  const auto database = open_store(1);
  back_up(store_, backup_);
  EXPECT_THAT(files(), ElementsAre("backup.db", "store.db", "store.db-shm", "store.db-wal"));
  struct stat status{};
  ASSERT_EQ(::stat(backup_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(Backup, DoesNotHoldUpAWriter) {
  const auto database = open_store(1);
  database->execute("BEGIN IMMEDIATE");
  add_user(*database);
  EXPECT_EQ(back_up(store_, backup_).users, 1) << "what is not committed is not in it";
  database->execute("COMMIT");
}

TEST_F(Backup, OverwritesNothing) {
  open_store(1);
  write(backup_, "a letter");
  EXPECT_THAT(why_not([this] { back_up(store_, backup_); }),
              AllOf(HasSubstr(backup_), HasSubstr("not overwritten")));
  EXPECT_THAT(why_not([this] { back_up(store_, store_); }), HasSubstr("not overwritten"));
  EXPECT_EQ(contents_of(backup_), "a letter");
  EXPECT_EQ(users_of(store_), 1);
}

TEST_F(Backup, SaysWhyThereIsNone) {
  EXPECT_THAT(why_not([this] { back_up(store_, backup_); }),
              AllOf(HasSubstr(store_), HasSubstr("there is no store"), HasSubstr("DATABASE_URL")));
  write(store_, "");
  EXPECT_THAT(why_not([this] { back_up(store_, backup_); }), HasSubstr("is empty"));
  write(
      store_,
      "Dear Sir or Madam, I write to you because of 100 bytes that a database begins with, which you lack.");
  EXPECT_THAT(why_not([this] { back_up(store_, backup_); }), HasSubstr("not a database"));
  EXPECT_THAT(files(), ElementsAre("store.db")) << "nothing is left of a backup that failed";
}

TEST_F(Backup, OfAnotherProgramsDatabaseIsNone) {
  sqlite::Database(store_, Durability::process, Access::create).execute("CREATE TABLE t (x)");
  EXPECT_THAT(why_not([this] { back_up(store_, backup_); }), HasSubstr("of another program"));
}

TEST_F(Backup, SaysWhereItCannotBeMade) {
  open_store(1);
  EXPECT_THAT(why_not([this] { back_up(store_, folder_.file("missing/backup.db")); }),
              AllOf(HasSubstr("missing/backup.db"), HasSubstr("No such file or directory")));
}

TEST_F(Backup, OfADamagedStoreIsNone) {
  {
    const auto database = open_store(2'000);
    database->execute("PRAGMA wal_checkpoint(TRUNCATE)");
  }
  auto bytes = contents_of(store_);
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size() / 2), bytes.end(), 'x');
  write(store_, bytes);
  EXPECT_THAT(why_not([this] { back_up(store_, backup_); }),
              AllOf(HasSubstr(store_), HasSubstr("malformed")));
  EXPECT_FALSE(fs::exists(backup_));
}

TEST_F(Backup, IsRestoredAndTheStoreBeforeIsKept) {
  open_store(2);
  back_up(store_, backup_);
  open_store(3);
  const auto restored = restore(backup_, store_);
  EXPECT_EQ(restored.contents.users, 2);
  EXPECT_EQ(users_of(store_), 2);
  EXPECT_EQ(users_of(restored.kept), 5);
  EXPECT_EQ(users_of(backup_), 2) << "the backup stays";
  struct stat status{};
  ASSERT_EQ(::stat(store_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(Backup, IsRestoredWhereThereIsNoStore) {
  open_store(2);
  back_up(store_, backup_);
  const auto elsewhere = folder_.file("data/store.db");
  EXPECT_THAT(restore(backup_, elsewhere).kept, IsEmpty());
  EXPECT_EQ(users_of(elsewhere), 2);
}

// Whoever crashed left its log behind: what stands in it belongs to the store before, and not to the backup.
TEST_F(Backup, IsRestoredWithoutTheLogOfTheStoreBefore) {
  open_store(1);
  back_up(store_, backup_);
  {
    const auto database = open_store(4);
    for (const auto* suffix : {"", "-wal"})
      fs::copy_file(store_ + suffix, folder_.file("crashed.db") + suffix);
  }
  const auto crashed = folder_.file("crashed.db");
  const auto restored = restore(backup_, crashed);
  EXPECT_EQ(users_of(crashed), 1);
  EXPECT_EQ(users_of(restored.kept), 5);
}

TEST_F(Backup, IsRestoredOverADamagedStoreWhichIsKept) {
  open_store(1);
  back_up(store_, backup_);
  write(store_, "no database any more");
  write(store_ + "-wal", "nor a log");
  const auto restored = restore(backup_, store_);
  EXPECT_EQ(users_of(store_), 1);
  EXPECT_EQ(contents_of(restored.kept), "no database any more");
  EXPECT_EQ(contents_of(restored.kept + "-wal"), "nor a log");
}

TEST_F(Backup, IsRestoredThroughALink) {
  open_store(1);
  back_up(store_, backup_);
  const auto link = folder_.file("link.db");
  fs::create_symlink(store_, link);
  restore(backup_, link);
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_EQ(users_of(store_), 1);
}

TEST_F(Backup, ThatIsNoneLeavesTheStoreAsItIs) {
  open_store(1);
  EXPECT_THAT(why_not([this] { restore(backup_, store_); }),
              AllOf(HasSubstr(backup_), HasSubstr("no such file")));
  write(backup_, "");
  EXPECT_THAT(why_not([this] { restore(backup_, store_); }),
              AllOf(HasSubstr(backup_), HasSubstr("is empty")));
  write(
      backup_,
      "Dear Sir or Madam, I write to you because of 100 bytes that a database begins with, which you lack.");
  EXPECT_THAT(why_not([this] { restore(backup_, store_); }), HasSubstr("not a database"));
  EXPECT_THAT(files(), ElementsAre("backup.db", "store.db"));
  EXPECT_EQ(users_of(store_), 1);
}

TEST_F(Backup, OfANewerVersionIsNotRestored) {
  open_store(1);
  back_up(store_, backup_);
  sqlite::Database(backup_, Durability::process, Access::existing).execute("PRAGMA user_version = 1000");
  EXPECT_THAT(why_not([this] { restore(backup_, store_); }), HasSubstr("schema version 1000"));
  EXPECT_EQ(users_of(store_), 1);
}

}  // namespace
}  // namespace switchyard::cli
