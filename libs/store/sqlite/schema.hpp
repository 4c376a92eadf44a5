// The schema and its versions.
#pragma once

#include <cstdint>

#include "sqlite/database.hpp"
#include "store/migrations.hpp"

namespace switchyard::store {

// The file's version, 0 for an empty one. Throws sqlite::DatabaseError, with a message for the operator, if
// the file is another program's or of a newer version.
std::int64_t require_known_schema(sqlite::Database& database);

// Brings the file to this program's version, in one transaction, also if several processes start at once.
// Returns the version that it had, 0 if there was none. Throws as require_known_schema does. `to`: tests make
// files as older programs did.
std::int64_t migrate(sqlite::Database& database, std::int64_t to = newest_version);

}  // namespace switchyard::store
