#include "store/open.hpp"

#include "store/sqlite/sqlite_store.hpp"

namespace switchyard::store {

std::string sqlite_path(const std::string& database_url) {
  constexpr std::string_view scheme = "sqlite:";
  if (!database_url.starts_with(scheme) || database_url.size() == scheme.size()) {
    // The URL itself stays out of the message: it may hold a password.
    throw ConfigError("DATABASE_URL", "must name a SQLite file",
                      "for example DATABASE_URL=sqlite:data/switchyard.db");
  }
  return database_url.substr(scheme.size());
}

std::unique_ptr<Store> open(const std::string& database_url) {
  return std::make_unique<SqliteStore>(sqlite_path(database_url));
}

}  // namespace switchyard::store
