// The statements that bring a schema from each version to the next, as sqlite/schema/ and postgres/schema/
// have them: N.sql makes version N. CMake puts the files into the program.
#pragma once

#include <cstdint>
#include <vector>

namespace switchyard::store {

using Migrations = std::vector<std::vector<const char*>>;

extern const Migrations sqlite_migrations;
extern const Migrations postgres_migrations;

// How many there are.
extern const std::int64_t newest_version;
extern const std::int64_t newest_postgres_version;

}  // namespace switchyard::store
