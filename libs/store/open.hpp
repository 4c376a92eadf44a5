// The store that DATABASE_URL names.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/environment.hpp"
#include "store/opening.hpp"
#include "store/store.hpp"

namespace switchyard::store {

// Whether it is a URL as libpq takes it, such as "postgresql://user:password@host/database".
bool is_postgres(const std::string& database_url);

// The path of a URL such as "sqlite:data/switchyard.db". Throws ConfigError for anything else, and for what
// SQLite would not take for the name of a file: ":memory:", "file:x?mode=memory".
std::string sqlite_path(const std::string& database_url);

// Opens, creates and migrates as `opening` says; creates no PostgreSQL database, only its tables. Throws
// ConfigError for a URL that is not understood, and std::runtime_error with a line for the operator if the
// store cannot serve.
//
// A store that was not there is made in the place that DATABASE_URL names, which may be the wrong one: `say`
// is then given a line for the operator.
std::unique_ptr<Store> open(const std::string& database_url,
                            const std::function<void(std::string)>& say = nullptr,
                            Opening opening = Opening::migrate);

}  // namespace switchyard::store
