// users.json: the users a new installation begins with.
#pragma once

#include <string>
#include <vector>

#include "base/io_threads.hpp"
#include "store/users.hpp"

namespace switchyard::auth {

struct UserInFile {
  UserId id;
  std::string username;
  std::string password;
  bool enabled = true;
};

// [{"id", "username", "password", "enabled"}] of at most 16 MiB, without other members, and with names and
// passwords that `switchyard user add` takes. Throws ConfigError (USERS_FILE) that names the entry and what
// is wrong with it; also for a demo password where those are refused.
std::vector<UserInFile> read_users_file(const std::string& path, bool refuse_demo_passwords);

// Imports them if the store has no user yet; gives how many. Hashes passwords: blocks, so for the start only.
// Throws std::runtime_error if the store fails.
std::size_t import_users(store::Users& store, IoThreads& threads, const std::vector<UserInFile>& users,
                         Timestamp now);

}  // namespace switchyard::auth
