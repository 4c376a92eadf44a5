// Users and failed logins.
#include <sqlite3.h>

#include "store/sqlite/rows.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace switchyard::store {
namespace {

constexpr const char* user_by_name =
    "SELECT id, username, password_hash, enabled FROM users WHERE username = ?";

Result<User> insert_user(sqlite::Database& database, const NewUser& user, Timestamp now) {
  if (database.query(user_by_name).bind(user.username).step()) {
    return fail(ErrorCode::already_exists, "there is a user of this name");
  }
  const auto id = user.id.transform([](UserId wanted) { return wanted.value; });
  if (id && database.query("SELECT 1 FROM users WHERE id = ?").bind(*id).step()) {
    return fail(ErrorCode::already_exists, "there is a user with this id");
  }
  auto inserted = database.query(R"(
    INSERT INTO users (id, username, password_hash, enabled, created_at_ms) VALUES (?, ?, ?, ?, ?)
    RETURNING id, username, password_hash, enabled)");
  inserted.bind(id, user.username, user.password_hash, user.enabled, now).step();
  auto result = get_user(inserted);
  inserted.step();
  return result;
}

// Runs one UPDATE; false if it has changed nobody.
template <class... Values>
Task<Result<bool>> change_user(sqlite::Lane& writer, const char* sql, Values... values) {
  return writer.run<bool>([sql, ... values = std::move(values)](sqlite::Database& database) -> Result<bool> {
    database.query(sql).bind(values...).run();
    return database.changes() == 1;
  });
}

}  // namespace

Task<Result<std::optional<User>>> SqliteStore::find_user(std::string username) {
  return logins_.run<std::optional<User>>(
      anybody, [username = std::move(username)](sqlite::Database& database) -> std::optional<User> {
        auto row = database.query(user_by_name);
        if (!row.bind(username).step()) return std::nullopt;
        return get_user(row);
      });
}

Task<Result<std::vector<User>>> SqliteStore::find_users(std::vector<UserId> ids) {
  return logins_.run<std::vector<User>>(anybody, [ids = std::move(ids)](sqlite::Database& database) {
    std::vector<User> users;
    for (const auto id : ids) {
      auto row = database.query("SELECT id, username, password_hash, enabled FROM users WHERE id = ?");
      if (row.bind(id.value).step()) users.push_back(get_user(row));
    }
    return users;
  });
}

Task<Result<std::vector<User>>> SqliteStore::list_users(UserId after, std::size_t limit) {
  return logins_.run<std::vector<User>>(anybody, [after, limit](sqlite::Database& database) {
    std::vector<User> users;
    auto row = database.query(
        "SELECT id, username, password_hash, enabled FROM users WHERE id > ? ORDER BY id LIMIT ?");
    row.bind(after.value, static_cast<std::int64_t>(limit));
    while (row.step()) users.push_back(get_user(row));
    return users;
  });
}

Task<Result<User>> SqliteStore::add_user(NewUser user, Timestamp now) {
  return writer_.run<User>(
      [user = std::move(user), now](sqlite::Database& database) { return insert_user(database, user, now); });
}

Task<Result<bool>> SqliteStore::import_users(std::vector<NewUser> users, Timestamp now) {
  return writer_.run<bool>([users = std::move(users), now](sqlite::Database& database) -> Result<bool> {
    if (database.query("SELECT 1 FROM users").step()) return false;
    for (const auto& user : users) {
      // The caller has checked that names and ids are unique, so a failure here cannot leave half of them.
      if (auto inserted = insert_user(database, user, now); !inserted)
        throw sqlite::DatabaseError(SQLITE_CONSTRAINT, inserted.error().detail);
    }
    return true;
  });
}

Task<Result<void>> SqliteStore::set_user_enabled(std::string username, bool enabled) {
  return require_user(
      change_user(writer_, "UPDATE users SET enabled = ? WHERE username = ?", enabled, std::move(username)));
}

Task<Result<void>> SqliteStore::set_password_hash(std::string username, std::string password_hash) {
  return require_user(change_user(writer_, "UPDATE users SET password_hash = ? WHERE username = ?",
                                  std::move(password_hash), std::move(username)));
}

Task<Result<bool>> SqliteStore::replace_password_hash(std::string username, std::string from,
                                                      std::string to) {
  return change_user(writer_, "UPDATE users SET password_hash = ? WHERE username = ? AND password_hash = ?",
                     std::move(to), std::move(username), std::move(from));
}

Task<Result<std::vector<LoginFailures>>> SqliteStore::login_failures(std::vector<std::string> subjects,
                                                                     Timestamp now,
                                                                     std::chrono::milliseconds window) {
  return logins_.run<std::vector<LoginFailures>>(
      anybody, [subjects = std::move(subjects), now, window](sqlite::Database& database) {
        std::vector<LoginFailures> all;
        for (const auto& subject : subjects) {
          auto row = database.query(R"(
            SELECT count, window_ends_at_ms FROM login_failures
            WHERE subject = ? AND window_ends_at_ms > ? AND window_ends_at_ms <= ?)");
          row.bind(subject, now, now + window + clock_skew_max);
          all.push_back(row.step() ? LoginFailures{row.integer(0), row.time(1)} : LoginFailures{});
        }
        return all;
      });
}

Task<Result<void>> SqliteStore::record_login_failure(std::vector<std::string> subjects, Timestamp now,
                                                     std::chrono::milliseconds window) {
  return writer_.run<void>(
      [subjects = std::move(subjects), now, window](sqlite::Database& database) -> Result<void> {
        auto forget = database.query(R"(
          DELETE FROM login_failures WHERE subject IN
            (SELECT subject FROM login_failures WHERE window_ends_at_ms <= ? LIMIT ?))");
        forget.bind(now, expired_windows_removed_max).run();
        for (const auto& subject : subjects) {
          auto count = database.query(R"(
            INSERT INTO login_failures (subject, count, window_ends_at_ms) VALUES (?1, 1, ?3)
            ON CONFLICT (subject) DO UPDATE SET
              count = iif(window_ends_at_ms > ?2 AND window_ends_at_ms <= ?4, count + 1, 1),
              window_ends_at_ms =
                iif(window_ends_at_ms > ?2 AND window_ends_at_ms <= ?4, window_ends_at_ms, ?3))");
          count.bind(subject, now, now + window, now + window + clock_skew_max).run();
        }
        return {};
      });
}

}  // namespace switchyard::store
