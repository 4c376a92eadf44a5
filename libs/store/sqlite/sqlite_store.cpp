#include "store/sqlite/sqlite_store.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>

#include <fmt/format.h>
#include <sqlite3.h>

#include "store/sqlite/rows.hpp"
#include "store/sqlite/schema.hpp"

namespace switchyard::store {
namespace {

constexpr std::size_t writes_waiting_max = 8192;
constexpr sqlite::ReadLane::Limits logins_waiting_max{.of_one_asker = 1024, .in_all = 1024};
// Waiting costs one who asks much less of the others' time than a refusal and the next try.
constexpr sqlite::ReadLane::Limits merchants_waiting_max{.of_one_asker = 4096, .in_all = 16'384};

// What requests and the connector write into. Each statement changes nothing, and fails as theirs do if the
// table is not there.
constexpr std::array touch_each_table{
    "INSERT INTO users SELECT * FROM users WHERE false",
    "INSERT INTO login_failures SELECT * FROM login_failures WHERE false",
    "INSERT INTO transactions SELECT * FROM transactions WHERE false",
    "INSERT INTO operations SELECT * FROM operations WHERE false",
    "INSERT INTO idempotency_keys SELECT * FROM idempotency_keys WHERE false",
    "INSERT INTO foreign_workers SELECT * FROM foreign_workers WHERE false",
};

void note_health(sqlite::Database& database, Timestamp now) {
  database
      .query(R"(
        INSERT INTO health (id, checked_at_ms) VALUES (1, ?)
        ON CONFLICT (id) DO UPDATE SET checked_at_ms = excluded.checked_at_ms)")
      .bind(now)
      .run();
}

void create_parent_folder(const std::string& path) {
  const auto folder = std::filesystem::path(path).parent_path();
  if (folder.empty()) return;
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    throw sqlite::DatabaseError(SQLITE_CANTOPEN, fmt::format("{}: the folder cannot be created: {}",
                                                             folder.string(), error.message()));
  }
}

std::unique_ptr<sqlite::Database> open_migrated(const std::string& path, std::string& made_anew) {
  create_parent_folder(path);
  std::error_code error;
  const bool is_there = std::filesystem::exists(path, error);
  if (error) throw sqlite::DatabaseError(SQLITE_CANTOPEN, fmt::format("{}: {}", path, error.message()));
  if (is_there) {
    // Before it is opened for use, which alone would change another program's file: its journal mode.
    sqlite::Database untouched(path, sqlite::Durability::synced, sqlite::Access::read_only);
    require_known_schema(untouched);
  }
  auto database =
      std::make_unique<sqlite::Database>(path, sqlite::Durability::synced, sqlite::Access::create);
  if (migrate(*database) == 0) made_anew = std::filesystem::absolute(path).string();
  // Opening does not show whether the file can be written; a start that could only answer 503 is no start.
  note_health(*database, Timestamp());
  return database;
}

// A file that cannot be had, or is none of SQLite's, was named by somebody: by which setting is said, too.
std::unique_ptr<sqlite::Database> open_naming_the_setting(const std::string& path, std::string& made_anew) {
  try {
    return open_migrated(path, made_anew);
  } catch (const sqlite::DatabaseError& error) {
    constexpr std::array codes{SQLITE_CANTOPEN, SQLITE_READONLY, SQLITE_PERM, SQLITE_NOTADB};
    if (std::ranges::find(codes, error.code() & 0xff) == codes.end()) throw;
    throw sqlite::DatabaseError(error.code(), fmt::format("{}; see DATABASE_URL", error.what()));
  }
}

std::unique_ptr<sqlite::Database> open_existing(const std::string& path) {
  return std::make_unique<sqlite::Database>(path, sqlite::Durability::synced, sqlite::Access::existing);
}

std::string installation_of(sqlite::Database& database) {
  auto row = database.query("SELECT id FROM installation");
  if (row.step()) return std::string(row.text(0));
  throw sqlite::DatabaseError(
      SQLITE_CORRUPT,
      fmt::format("{}: has lost the row of its table installation; put it back from a backup of this store",
                  database.path()));
}

}  // namespace

SqliteStore::SqliteStore(const std::string& path)
    : writer_(sqlite::open_patiently([this, &path] {
                auto database = open_naming_the_setting(path, made_anew_);
                installation_ = installation_of(*database);
                return database;
              }),
              writes_waiting_max),
      logins_(open_existing(path), logins_waiting_max),
      merchants_(open_existing(path), merchants_waiting_max) {}

Task<Result<void>> SqliteStore::check_writable(Timestamp now) {
  return writer_.run<void>([now](sqlite::Database& database) -> Result<void> {
    for (const char* sql : touch_each_table) database.query(sql).run();
    note_health(database, now);
    return {};
  });
}

}  // namespace switchyard::store
