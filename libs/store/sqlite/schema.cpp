#include "store/sqlite/schema.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

namespace switchyard::store {
namespace {

// "SWYD": marks the file as Switchyard's (PRAGMA application_id).
constexpr std::int64_t application_id = 0x53575944;

}  // namespace

std::int64_t require_known_schema(sqlite::Database& database) {
  const auto version = database.integer("PRAGMA user_version");
  const auto tables = database.integer("SELECT count(*) FROM sqlite_schema");
  // Last: if another process's migration commits in between, the file is known as ours.
  const auto id = database.integer("PRAGMA application_id");
  const bool fresh = version == 0 && tables == 0 && id == 0;
  if (!fresh && id != application_id) {
    throw sqlite::DatabaseError(
        SQLITE_MISMATCH,
        fmt::format("{}: is a SQLite database of another program; name another file in DATABASE_URL",
                    database.path()));
  }
  if (version > newest_version) {
    throw sqlite::DatabaseError(
        SQLITE_MISMATCH, fmt::format("{}: has schema version {}, and this program knows versions up to {}; "
                                     "start the newer program that wrote it",
                                     database.path(), version, newest_version));
  }
  return version;
}

std::int64_t migrate(sqlite::Database& database, std::int64_t to) {
  database.execute("BEGIN IMMEDIATE");
  const auto version = require_known_schema(database);
  for (auto next = version; next < to; ++next) {
    for (const char* sql : sqlite_migrations.at(static_cast<std::size_t>(next))) database.execute(sql);
  }
  if (version < to) {
    database.execute(fmt::format("PRAGMA application_id = {}", application_id).c_str());
    database.execute(fmt::format("PRAGMA user_version = {}", to).c_str());
  }
  database.execute("COMMIT");
  return version;
}

}  // namespace switchyard::store
