#include "store/postgres/inspect.hpp"

#include "postgres/blocking.hpp"

namespace switchyard::store {

PostgresInspection inspect_postgres(const std::string& url) {
  postgres::BlockingConnection database(url, std::chrono::seconds(5));
  const auto server = database.run(postgres::Statement(
      "SELECT current_setting('server_version'), to_regclass('switchyard_schema') IS NULL"));
  PostgresInspection found{.server_version = std::string(server[0].text(0))};
  if (server[0].boolean(1)) return found;
  found.schema_version = database.integer("SELECT coalesce(max(version), 0)::bigint FROM switchyard_schema");
  if (found.schema_version > 0) found.users = database.integer("SELECT count(*) FROM users");
  return found;
}

}  // namespace switchyard::store
