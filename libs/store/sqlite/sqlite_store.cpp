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
    "INSERT INTO psp_events SELECT * FROM psp_events WHERE false",
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

bool is_there(const std::string& path) {
  std::error_code error;
  const bool found = std::filesystem::exists(path, error);
  if (error) throw sqlite::DatabaseError(SQLITE_CANTOPEN, fmt::format("{}: {}", path, error.message()));
  return found;
}

// Before it is opened for use, which alone would change another program's file: its journal mode.
std::int64_t look_at_version(const std::string& path, Opening opening) try {
  sqlite::Database untouched(path, sqlite::Durability::synced, sqlite::Access::read_only);
  return require_known_schema(untouched);
} catch (const sqlite::DatabaseError& error) {
  if (error.code() != SQLITE_READONLY_ROLLBACK) throw;
  if (opening == Opening::read_only) {
    throw sqlite::DatabaseError(
        SQLITE_BUSY_RECOVERY,
        fmt::format("{}: a program that was killed has left a write half done; start the "
                    "server, or run: switchyard store migrate, which undo it",
                    path));
  }
  sqlite::Database undone(path, sqlite::Durability::synced, sqlite::Access::recover);
  return require_known_schema(undone);
}

// For all but those who migrate.
void require_suitable(const std::string& path, std::int64_t version, Opening opening) {
  if (version == newest_version || (version == 0 && opening == Opening::create)) return;
  const auto why = version == 0
                       ? "there is no store; a server makes one at its start, or: switchyard store migrate"
                       : why_too_old(version, newest_version);
  throw sqlite::DatabaseError(version == 0 ? SQLITE_CANTOPEN : SQLITE_MISMATCH,
                              fmt::format("{}: {}", path, why));
}

sqlite::Access access_for(Opening opening) {
  if (opening == Opening::read_only) return sqlite::Access::read_only;
  return opening == Opening::existing ? sqlite::Access::existing : sqlite::Access::create;
}

std::unique_ptr<sqlite::Database> open_migrated(const std::string& path, Opening opening,
                                                std::string& made_anew) {
  const auto version = is_there(path) ? look_at_version(path, opening) : 0;
  if (opening != Opening::migrate) require_suitable(path, version, opening);
  const auto access = access_for(opening);
  if (access == sqlite::Access::create) create_parent_folder(path);
  auto database = std::make_unique<sqlite::Database>(path, sqlite::Durability::synced, access);
  if (access == sqlite::Access::read_only) return database;
  if (migrate(*database) == 0) made_anew = std::filesystem::absolute(path).string();
  // Opening does not show whether the file can be written; a start that could only answer 503 is no start.
  note_health(*database, Timestamp());
  return database;
}

// A file that cannot be had, or is none of SQLite's, was named by somebody: by which setting is said, too.
std::unique_ptr<sqlite::Database> open_naming_the_setting(const std::string& path, Opening opening,
                                                          std::string& made_anew) {
  try {
    return open_migrated(path, opening, made_anew);
  } catch (const sqlite::DatabaseError& error) {
    constexpr std::array codes{SQLITE_CANTOPEN, SQLITE_READONLY, SQLITE_PERM, SQLITE_NOTADB};
    if (std::ranges::find(codes, error.code() & 0xff) == codes.end()) throw;
    throw sqlite::DatabaseError(error.code(), fmt::format("{}; see DATABASE_URL", error.what()));
  }
}

std::unique_ptr<sqlite::Database> open_reader(const std::string& path, Opening opening) {
  return std::make_unique<sqlite::Database>(
      path, sqlite::Durability::synced,
      opening == Opening::read_only ? sqlite::Access::read_only : sqlite::Access::existing);
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

SqliteStore::SqliteStore(const std::string& path, Opening opening)
    : writer_(sqlite::open_patiently([this, &path, opening] {
                auto database = open_naming_the_setting(path, opening, made_anew_);
                installation_ = installation_of(*database);
                return database;
              }),
              writes_waiting_max),
      logins_(open_reader(path, opening), logins_waiting_max),
      merchants_(open_reader(path, opening), merchants_waiting_max) {}

Task<Result<void>> SqliteStore::check_writable(Timestamp now) {
  return writer_.run<void>([now](sqlite::Database& database) -> Result<void> {
    for (const char* sql : touch_each_table) database.query(sql).run();
    note_health(database, now);
    return {};
  });
}

}  // namespace switchyard::store
