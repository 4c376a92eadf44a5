// Who may log in, and how often it failed. The rules of store.hpp hold here, too: what succeeded is on disk,
// every operation completes on the caller's thread, and its errors are the common ones.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/id.hpp"
#include "base/task.hpp"

namespace switchyard::store {

struct User {
  UserId id;
  std::string username;
  // Argon2id in the PHC string format; the password itself is never stored.
  std::string password_hash;
  bool enabled = true;
};

struct NewUser {
  // Empty: the store gives the next free one.
  std::optional<UserId> id;
  std::string username;
  std::string password_hash;
  bool enabled = true;
};

// Failed logins of one subject (a user's name or a client's address) in its current window.
struct LoginFailures {
  std::int64_t count = 0;
  Timestamp window_ends_at;
};

class Users {
 public:
  virtual ~Users() = default;

  virtual Task<Result<std::optional<User>>> find_user(std::string username) = 0;
  // Those that there are, in no order.
  virtual Task<Result<std::vector<User>>> find_users(std::vector<UserId> ids) = 0;
  // At most `limit`, by id, from the first id after `after`.
  virtual Task<Result<std::vector<User>>> list_users(UserId after, std::size_t limit) = 0;
  // already_exists if the name or the id is taken.
  virtual Task<Result<User>> add_user(NewUser user, Timestamp now) = 0;
  // All of them, or none if there is a user already (returns false).
  virtual Task<Result<bool>> import_users(std::vector<NewUser> users, Timestamp now) = 0;
  // not_found if there is no such user.
  virtual Task<Result<void>> set_user_enabled(std::string username, bool enabled) = 0;
  virtual Task<Result<void>> set_password_hash(std::string username, std::string password_hash) = 0;
  // Only if the hash is still `from`; false if it is not, or there is no such user.
  virtual Task<Result<bool>> replace_password_hash(std::string username, std::string from,
                                                   std::string to) = 0;

  // The failures of each subject, in order; a window that has ended, or ends later than one that begins now,
  // counts as zero.
  virtual Task<Result<std::vector<LoginFailures>>> login_failures(std::vector<std::string> subjects,
                                                                  Timestamp now,
                                                                  std::chrono::milliseconds window) = 0;
  virtual Task<Result<void>> record_login_failure(std::vector<std::string> subjects, Timestamp now,
                                                  std::chrono::milliseconds window) = 0;

 protected:
  // Who waits for a login is not known before it is done: all stand in one line.
  static constexpr std::int64_t anybody = 0;
  // A subject whose window has ended is forgotten when another one is written: no table of strangers grows.
  static constexpr std::int64_t expired_windows_removed_max = 16;

  // not_found if what changes one user found none.
  static Task<Result<void>> require_user(Task<Result<bool>> change);
};

}  // namespace switchyard::store
