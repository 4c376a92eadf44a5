#include "switchyard/doctor_store.hpp"

#include <filesystem>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/settings.hpp"
#include "sqlite/database.hpp"
#include "store/open.hpp"
#include "store/postgres/schema.hpp"
#include "store/sqlite/schema.hpp"

namespace switchyard::cli {
namespace {

constexpr std::uintmax_t free_bytes_min = 1024ULL * 1024 * 1024;

// The folder of a path, or the nearest one above it that exists.
std::filesystem::path existing_folder(const std::string& path) {
  std::error_code ignored;
  auto folder = std::filesystem::absolute(path).parent_path();
  while (!std::filesystem::exists(folder, ignored) && folder.has_relative_path())
    folder = folder.parent_path();
  return folder;
}

Finding check_new_store(const std::string& path) {
  const auto folder = existing_folder(path);
  if (!std::filesystem::is_directory(folder) || ::access(folder.c_str(), W_OK) != 0) {
    return bad("store", fmt::format("{} cannot be created below {}", path, folder.string()),
               "name a file in DATABASE_URL whose folder this user may write");
  }
  return good("store", path + " does not exist yet; serve creates it");
}

Finding check_postgres(const std::string& database_url) {
  try {
    const auto found = store::inspect_postgres(database_url);
    if (found.schema_version == 0) {
      return good("store",
                  fmt::format("PostgreSQL {}, no tables yet; serve creates them", found.server_version));
    }
    return good("store", fmt::format("PostgreSQL {}, schema version {}, {} users", found.server_version,
                                     found.schema_version, found.users));
  } catch (const std::exception& error) {
    return bad("store", error.what(),
               "check DATABASE_URL, that the server runs, and that its pg_hba.conf lets this user in");
  }
}

// Where the store is or would be; here, if it is on another machine, or DATABASE_URL is wrong, which the
// check of the store says.
std::string path_or_here(const Environment& environment) {
  const auto database_url = service::read_database_url(environment);
  if (store::is_postgres(database_url)) return ".";
  try {
    return store::sqlite_path(database_url);
  } catch (const ConfigError&) {
    return ".";
  }
}

// Nothing if all is well with this file or it is not there.
std::optional<Finding> find_fault(const std::string& path, uid_t folder_owner) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return bad("files", fmt::format("others may read {}, which holds the hashes of passwords", path),
               fmt::format("chmod 600 '{}'", path));
  }
  // Made by root before the service's first start, say: root reads it all the same, and the service cannot.
  if (status.st_uid != folder_owner) {
    return bad(
        "files", fmt::format("{} belongs to another user than its folder", path),
        fmt::format(
            "give it to the user that the services run as: chown --reference=\"$(dirname '{0}')\" '{0}'",
            path));
  }
  return std::nullopt;
}

}  // namespace

Finding check_store(const Environment& environment) {
  const auto database_url = service::read_database_url(environment);
  if (store::is_postgres(database_url)) return check_postgres(database_url);
  try {
    const auto path = store::sqlite_path(database_url);
    std::error_code error;
    const bool is_there = std::filesystem::exists(path, error);
    if (error)
      return bad("store", fmt::format("{}: {}", path, error.message()),
                 "name a file in DATABASE_URL whose folder this user may read and write");
    if (!is_there) return check_new_store(path);
    sqlite::Database database(path, sqlite::Durability::synced, sqlite::Access::read_only);
    store::require_known_schema(database);
    auto row = database.query("PRAGMA quick_check(1)");
    if (!row.step() || row.text(0) != "ok") {
      return bad(
          "store", path + " is damaged",
          "stop the server, keep a copy of the file, and restore a backup or try: sqlite3 FILE .recover");
    }
    return good("store", fmt::format("{}, {} users", path, database.integer("SELECT count(*) FROM users")));
  } catch (const ConfigError& error) {
    return bad("store", error.what(), "set DATABASE_URL");
  } catch (const std::exception& error) {
    return bad("store", error.what(),
               "check that the file is a Switchyard store and that this user may write it and its folder");
  }
}

Finding check_store_files(const Environment& environment) {
  const auto database_url = service::read_database_url(environment);
  if (store::is_postgres(database_url)) return good("files", "the store is in PostgreSQL");
  try {
    const auto path = store::sqlite_path(database_url);
    struct stat folder{};
    if (::stat(existing_folder(path).c_str(), &folder) != 0) return good("files", "there are none yet");
    for (const auto* suffix : {"", "-wal", "-shm"}) {
      if (auto fault = find_fault(path + suffix, folder.st_uid)) return std::move(*fault);
    }
    return good("files", path + " can be read by its owner only");
  } catch (const ConfigError& error) {
    return bad("files", error.what(), "set DATABASE_URL");
  }
}

Finding check_disk(const Environment& environment) {
  const auto folder = existing_folder(path_or_here(environment));
  std::error_code error;
  const auto space = std::filesystem::space(folder, error);
  if (error) {
    return bad("disk", fmt::format("{}: {}", folder.string(), error.message()),
               "check that the folder can be read");
  }
  const auto text = fmt::format("{} MiB free at {}", space.available / 1024 / 1024, folder.string());
  if (space.available < free_bytes_min) {
    return bad("disk", text, "free some space: 1,000,000 transactions take about 0.5 GiB");
  }
  return good("disk", text);
}

}  // namespace switchyard::cli
