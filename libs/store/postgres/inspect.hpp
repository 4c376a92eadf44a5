// What is in a database, for an operator: nothing is created or changed.
#pragma once

#include <cstdint>
#include <string>

namespace switchyard::store {

struct PostgresInspection {
  // 0: no program of ours has used the database yet.
  std::int64_t schema_version = 0;
  std::int64_t users = 0;
  // Of the server, such as "15.8".
  std::string server_version{};
};

// Throws std::runtime_error with a line for the operator if the database cannot be reached. Blocks.
PostgresInspection inspect_postgres(const std::string& url);

}  // namespace switchyard::store
