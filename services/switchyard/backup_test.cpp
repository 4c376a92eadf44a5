#include "switchyard/backup.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
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
using ::testing::AnyOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

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
              AllOf(HasSubstr(store_), HasSubstr("is damaged")));
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

// SQLite reads a last page that was cut off as if it ended in zeros.
TEST_F(Backup, ThatWasCutOffIsNotRestored) {
  open_store(1);
  back_up(store_, backup_);
  const auto whole = contents_of(backup_);
  for (const std::size_t cut : {1, 10, 100, 500, 4096, 5000}) {
    write(backup_, std::string_view(whole).substr(0, whole.size() - cut));
    EXPECT_THAT(why_not([this] { restore(backup_, store_); }), HasSubstr(backup_)) << cut;
    EXPECT_THAT(why_not([this] { back_up(backup_, folder_.file("copy.db")); }), HasSubstr(backup_)) << cut;
  }
  write(backup_, whole + "and more");
  EXPECT_THAT(why_not([this] { restore(backup_, store_); }),
              AllOf(HasSubstr(backup_), HasSubstr(std::to_string(whole.size()))));
  EXPECT_THAT(files(), Each(Not(AnyOf(HasSubstr("before-restore"), HasSubstr("unfinished")))));
  EXPECT_EQ(users_of(store_), 1);
}

TEST_F(Backup, ThatLacksWhatItsSchemaHasIsNotRestored) {
  open_store(1);
  for (const auto& [damage, said] : std::initializer_list<std::pair<const char*, const char*>>{
           {"DROP TABLE idempotency_keys", "idempotency_keys"},
           {"DROP INDEX transactions_by_reference", "index transactions_by_reference"},
           {"ALTER TABLE transactions RENAME COLUMN description TO words", "table transactions"},
           {"PRAGMA user_version = 4", "schema version 4"},
       }) {
    fs::remove(backup_);
    back_up(store_, backup_);
    sqlite::Database(backup_, Durability::process, Access::existing).execute(damage);
    EXPECT_THAT(why_not([this] { restore(backup_, store_); }), AllOf(HasSubstr(backup_), HasSubstr(said)))
        << damage;
    EXPECT_THAT(files(), Each(Not(AnyOf(HasSubstr("before-restore"), HasSubstr("unfinished")))));
  }
  EXPECT_EQ(users_of(store_), 1);
}

TEST_F(Backup, OfAnOlderVersionAndWithTablesOfSomebodysOwnIsRestored) {
  open_store(1);
  for (std::int64_t version = 1; version <= store::newest_version; ++version) {
    fs::remove(backup_);
    {
      sqlite::Database old(backup_, Durability::process, Access::create);
      store::migrate(old, version);
      old.execute("CREATE TABLE notes (note)");
    }
    EXPECT_EQ(restore(backup_, store_).contents.schema_version, version);
  }
}

TEST_F(Backup, WithRowsThatBelongToNoneIsNotRestored) {
  open_store(1);
  back_up(store_, backup_);
  sqlite::Database(backup_, Durability::process, Access::existing)
      .execute(
          "CREATE TABLE a (x INTEGER PRIMARY KEY); CREATE TABLE b (x REFERENCES a); INSERT INTO b VALUES (7)");
  EXPECT_THAT(why_not([this] { restore(backup_, store_); }), AllOf(HasSubstr("table b"), HasSubstr("lacks")));
}

TEST_F(Backup, WhoseNameLooksLikeAUriIsAFileOfThisName) {
  const auto database = open_store(2);
  const auto here = fs::current_path();
  fs::current_path(fs::path(store_).parent_path());
  for (const char* name : {"file:backup.db", "file:backup.db?mode=memory", ":memory:", "a%20b?.db#c"}) {
    EXPECT_EQ(back_up(store_, name).users, 2) << name;
    EXPECT_GT(fs::file_size(name), 4096U) << name;
    EXPECT_EQ(restore(name, "other.db").contents.users, 2) << name;
  }
  fs::current_path(here);
}

TEST_F(Backup, IsRestoredAgainInTheSameSecond) {
  open_store(1);
  back_up(store_, backup_);
  std::set<std::string> kept;
  for (int i = 0; i < 4; ++i) kept.insert(restore(backup_, store_).kept);
  EXPECT_EQ(kept.size(), 4U);
  for (const auto& name : kept) EXPECT_EQ(users_of(name), 1);
}

TEST_F(Backup, IsNotTheStoreItself) {
  open_store(1);
  EXPECT_THAT(why_not([this] { restore(store_, store_); }), HasSubstr("the store itself"));
}

TEST_F(Backup, IsNotRestoredWhileAnotherConnectionIsOpen) {
  open_store(1);
  back_up(store_, backup_);
  const auto database = open_store(1);
  EXPECT_THAT(why_not([this] { restore(backup_, store_); }), HasSubstr("stop what uses it"));
  add_user(*database);
  EXPECT_EQ(users_of(store_), 3);
  EXPECT_EQ(files().size(), 4U) << "nothing is left of it";
}

// As when a service manager starts the service again meanwhile.
TEST_F(Backup, WhoStartsWhileItIsRestoredSeesOneOfTheTwoAndLosesNothing) {
  open_store(1);
  back_up(store_, backup_);
  open_store(9);
  for (int round = 0; round < 10; ++round) {
    std::string refused;
    std::jthread restoring([&] {
      try {
        restore(backup_, store_);
      } catch (const std::exception& error) {
        refused = error.what();
      }
    });
    std::int64_t before = 0;
    {
      const auto started = sqlite::open_patiently([this] { return open_store(0); });
      started->execute("BEGIN IMMEDIATE");
      before = started->integer("SELECT count(*) FROM users");
      add_user(*started);
      started->execute("COMMIT");
      started->require_in_place();
      EXPECT_EQ(started->integer("SELECT count(*) FROM users"), before + 1);
      if (restoring.joinable()) restoring.join();
    }
    const auto users = users_of(store_);
    EXPECT_TRUE(users == before + 1 || (refused.empty() && users == 1)) << users << ' ' << before << refused;
    EXPECT_EQ(sqlite::Database(store_, Durability::process, Access::read_only)
                  .query("PRAGMA integrity_check")
                  .step(),
              true);
  }
}

// At whatever write of the process: it is ended there as by kill -9.
TEST_F(Backup, WhoseRestoreIsKilledLeavesTheStoreAsItWasOrRestored) {
  open_store(1);
  back_up(store_, backup_);
  open_store(700);
  int finished = 0;
  for (int delay_us = 0; finished < 3 && delay_us < 400'000; delay_us += 3'000) {
    const auto child = ::fork();
    if (child == 0) {
      try {
        restore(backup_, store_);
      } catch (const std::exception& error) {
        fmt::print(stderr, "{}\n", error.what());
        ::_exit(1);
      }
      ::_exit(0);
    }
    ::usleep(static_cast<useconds_t>(delay_us));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_FALSE(WIFEXITED(status) && WEXITSTATUS(status) != 0);
    finished += WIFEXITED(status) ? 1 : 0;
    sqlite::Database recovered(store_, Durability::process, Access::existing);
    auto row = recovered.query("PRAGMA integrity_check");
    ASSERT_TRUE(row.step() && row.text(0) == "ok");
    const auto users = recovered.integer("SELECT count(*) FROM users");
    EXPECT_TRUE(users == 701 || users == 1) << users;
    if (users == 1) {
      recovered.execute(
          "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 700) "
          "INSERT INTO users (username, password_hash, enabled, created_at_ms) SELECT 'again' || i, '', 1, 0 FROM n");
    }
  }
  EXPECT_GT(finished, 0);
}

}  // namespace
}  // namespace switchyard::cli
