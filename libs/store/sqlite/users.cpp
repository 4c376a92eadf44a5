// Users and failed logins.
#include <algorithm>

#include <sqlite3.h>

#include "store/sqlite/rows.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace switchyard::store {
namespace {

// Who waits for a login is not known before it is done.
constexpr std::int64_t anybody = 0;

constexpr const char* user_by_name =
    "SELECT id, username, password_hash, enabled FROM users WHERE username = ?";

// A subject whose window has ended is forgotten when another one is written: no table of strangers grows.
constexpr std::int64_t expired_windows_removed_max = 16;

User read_user(const sqlite::Query& row) {
  return {
      .id = {row.integer(0)},
      .username = std::string(row.text(1)),
      .password_hash = std::string(row.text(2)),
      .enabled = row.integer(3) != 0,
  };
}

Result<User> insert_user(sqlite::Database& database, const NewUser& user, Timestamp now) {
  if (database.query(user_by_name).bind(user.username).step()) {
    return fail(ErrorCode::already_exists, "there is a user of this name");
  }
  const std::optional<std::int64_t> id = user.id ? std::optional(user.id->value) : std::nullopt;
  if (id && database.query("SELECT 1 FROM users WHERE id = ?").bind(*id).step()) {
    return fail(ErrorCode::already_exists, "there is a user with this id");
  }
  auto inserted = database.query(R"(
    INSERT INTO users (id, username, password_hash, enabled, created_at_ms) VALUES (?, ?, ?, ?, ?)
    RETURNING id, username, password_hash, enabled)");
  inserted.bind(id)
      .bind(user.username)
      .bind(user.password_hash)
      .bind(std::int64_t{user.enabled})
      .bind(to_ms(now));
  inserted.step();
  auto result = read_user(inserted);
  inserted.step();
  return result;
}

Result<void> require_one_change(const sqlite::Database& database) {
  if (database.changes() == 1) return {};
  return fail(ErrorCode::not_found, "there is no user of this name");
}

}  // namespace

Task<Result<std::optional<User>>> SqliteStore::find_user(std::string username) {
  return logins_.run<std::optional<User>>(
      anybody, [username = std::move(username)](sqlite::Database& database) -> Result<std::optional<User>> {
        auto row = database.query(user_by_name);
        row.bind(username);
        if (!row.step()) return std::nullopt;
        return read_user(row);
      });
}

Task<Result<std::vector<User>>> SqliteStore::find_users(std::vector<UserId> ids) {
  return logins_.run<std::vector<User>>(
      anybody, [ids = std::move(ids)](sqlite::Database& database) -> Result<std::vector<User>> {
        std::vector<User> users;
        for (const auto id : ids) {
          auto row = database.query("SELECT id, username, password_hash, enabled FROM users WHERE id = ?");
          row.bind(id.value);
          if (row.step()) users.push_back(read_user(row));
        }
        return users;
      });
}

Task<Result<std::vector<User>>> SqliteStore::list_users(UserId after, std::size_t limit) {
  return logins_.run<std::vector<User>>(
      anybody, [after, limit](sqlite::Database& database) -> Result<std::vector<User>> {
        std::vector<User> users;
        auto row = database.query(
            "SELECT id, username, password_hash, enabled FROM users WHERE id > ? ORDER BY id LIMIT ?");
        row.bind(after.value).bind(static_cast<std::int64_t>(limit));
        while (row.step()) users.push_back(read_user(row));
        return users;
      });
}

Task<Result<User>> SqliteStore::add_user(NewUser user, Timestamp now) {
  return writer_.run<User>([user = std::move(user), now](sqlite::Database& database) -> Result<User> {
    return insert_user(database, user, now);
  });
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
  return writer_.run<void>(
      [username = std::move(username), enabled](sqlite::Database& database) -> Result<void> {
        database.query("UPDATE users SET enabled = ? WHERE username = ?")
            .bind(std::int64_t{enabled})
            .bind(username)
            .run();
        return require_one_change(database);
      });
}

Task<Result<void>> SqliteStore::set_password_hash(std::string username, std::string password_hash) {
  return writer_.run<void>([username = std::move(username),
                            hash = std::move(password_hash)](sqlite::Database& database) -> Result<void> {
    database.query("UPDATE users SET password_hash = ? WHERE username = ?").bind(hash).bind(username).run();
    return require_one_change(database);
  });
}

Task<Result<bool>> SqliteStore::replace_password_hash(std::string username, std::string from,
                                                      std::string to) {
  return writer_.run<bool>([username = std::move(username), from = std::move(from),
                            to = std::move(to)](sqlite::Database& database) -> Result<bool> {
    database.query("UPDATE users SET password_hash = ? WHERE username = ? AND password_hash = ?")
        .bind(to)
        .bind(username)
        .bind(from)
        .run();
    return database.changes() == 1;
  });
}

Task<Result<std::vector<LoginFailures>>> SqliteStore::login_failures(std::vector<std::string> subjects,
                                                                     Timestamp now,
                                                                     std::chrono::milliseconds window) {
  return logins_.run<std::vector<LoginFailures>>(
      anybody,
      [subjects = std::move(subjects), now,
       window](sqlite::Database& database) -> Result<std::vector<LoginFailures>> {
        std::vector<LoginFailures> failures;
        for (const auto& subject : subjects) {
          auto row = database.query(R"(
            SELECT count, window_ends_at_ms FROM login_failures
            WHERE subject = ? AND window_ends_at_ms > ? AND window_ends_at_ms <= ?)");
          row.bind(subject).bind(to_ms(now)).bind(to_ms(now + window + clock_skew_max));
          failures.push_back(row.step() ? LoginFailures{row.integer(0), from_ms(row.integer(1))}
                                        : LoginFailures{});
        }
        return failures;
      });
}

Task<Result<void>> SqliteStore::record_login_failure(std::vector<std::string> subjects, Timestamp now,
                                                     std::chrono::milliseconds window) {
  return writer_.run<void>(
      [subjects = std::move(subjects), now, window](sqlite::Database& database) -> Result<void> {
        database
            .query(R"(
          DELETE FROM login_failures WHERE subject IN
            (SELECT subject FROM login_failures WHERE window_ends_at_ms <= ? LIMIT ?))")
            .bind(to_ms(now))
            .bind(expired_windows_removed_max)
            .run();
        for (const auto& subject : subjects) {
          database
              .query(R"(
            INSERT INTO login_failures (subject, count, window_ends_at_ms) VALUES (?1, 1, ?3)
            ON CONFLICT (subject) DO UPDATE SET
              count = iif(window_ends_at_ms > ?2 AND window_ends_at_ms <= ?4, count + 1, 1),
              window_ends_at_ms =
                iif(window_ends_at_ms > ?2 AND window_ends_at_ms <= ?4, window_ends_at_ms, ?3))")
              .bind(subject)
              .bind(to_ms(now))
              .bind(to_ms(now + window))
              .bind(to_ms(now + window + clock_skew_max))
              .run();
        }
        return {};
      });
}

}  // namespace switchyard::store
