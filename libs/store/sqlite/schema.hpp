// The schema and its versions.
#pragma once

#include "sqlite/database.hpp"

namespace switchyard::store {

// Brings the file to this program's version, in one transaction, also if several processes start at once.
// Throws sqlite::DatabaseError, with a message for the operator, if the file is another program's or of a
// newer version.
void migrate(sqlite::Database& database);

}  // namespace switchyard::store
