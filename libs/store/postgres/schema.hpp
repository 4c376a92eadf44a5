// The schema in PostgreSQL and its versions.
#pragma once

#include <optional>
#include <string>

#include "postgres/connection.hpp"
#include "store/migrations.hpp"
#include "store/opening.hpp"

namespace switchyard::store {

// Brings the database to this program's version. Processes that start at once take turns. A database that is
// at this version is only looked at, so a role that may not create anything can serve from it. Throws
// std::runtime_error with a line for the operator if the database is of a newer version, cannot be brought to
// this one, is not UTF-8, or its tables may not be used by this role. Returns the version that it had, 0 if
// there was none. `to`: tests make databases as older programs did.
Task<std::int64_t> migrate(postgres::Connection& connection, std::int64_t to = newest_postgres_version);

// The same as far as `opening` lets it: otherwise the database must be at this version, or it throws.
Task<std::int64_t> open_schema(postgres::Connection& connection, Opening opening);

// Whether the role may use each table as the program must, without waiting for anybody's lock. It fails if a
// table is not there.
extern const char* const look_for_privileges;
// What look_for_privileges found missing, with the remedy; nothing if all is there.
std::optional<std::string> missing_privilege(const postgres::Rows& found);

// Throws if `switchyard store copy` (store/copy.hpp) was interrupted: half of the data is not there yet.
Task<void> require_finished_copy(postgres::Connection& connection);

// The store's random id (store.hpp). Throws as migrate() does.
Task<std::string> read_installation(postgres::Connection& connection);

// What is in a database, for an operator.
struct PostgresInspection {
  // 0: no program of ours has used the database yet.
  std::int64_t schema_version = 0;
  std::int64_t users = 0;
  // Of the server, such as "15.8".
  std::string server_version{};
};

// Nothing is created or changed. Throws std::runtime_error with a line for the operator if the database
// cannot be reached. Blocks.
PostgresInspection inspect_postgres(const std::string& url);

}  // namespace switchyard::store
