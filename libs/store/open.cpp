#include "store/open.hpp"

#include <fmt/format.h>

#include "store/postgres/postgres_store.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace switchyard::store {

bool is_postgres(const std::string& database_url) {
  return database_url.starts_with("postgresql://") || database_url.starts_with("postgres://");
}

std::string sqlite_path(const std::string& database_url) {
  constexpr std::string_view scheme = "sqlite:";
  if (!database_url.starts_with(scheme) || database_url.size() == scheme.size()) {
    // The URL itself stays out of the message: it may hold a password.
    throw ConfigError("DATABASE_URL", "must name a SQLite file or a PostgreSQL database",
                      "for example DATABASE_URL=sqlite:data/switchyard.db or "
                      "DATABASE_URL=postgresql://switchyard@db.example/switchyard");
  }
  auto path = database_url.substr(scheme.size());
  if (path.starts_with(':') || path.starts_with("file:")) {
    throw ConfigError(
        "DATABASE_URL",
        "must name a file behind 'sqlite:', and ':memory:' and 'file:...' are other notations of "
        "SQLite; a file whose name begins so is written with ./ in front",
        "for example DATABASE_URL=sqlite:data/switchyard.db");
  }
  return path;
}

std::unique_ptr<Store> open(const std::string& database_url, const std::function<void(std::string)>& say,
                            Opening opening) {
  std::unique_ptr<Store> store;
  if (!is_postgres(database_url)) {
    store = std::make_unique<SqliteStore>(sqlite_path(database_url), opening);
  } else if (const auto wrong = postgres::why_malformed(database_url)) {
    throw ConfigError("DATABASE_URL", *wrong,
                      "for example DATABASE_URL=postgresql://switchyard@db.example/switchyard");
  } else {
    store = std::make_unique<PostgresStore>(database_url, opening);
  }
  if (say && !store->made_anew().empty()) {
    say(fmt::format("DATABASE_URL names no store yet: a new, empty one was made: {}", store->made_anew()));
  }
  return store;
}

}  // namespace switchyard::store
