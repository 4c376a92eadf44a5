// Users and failed logins.
#include <algorithm>

#include "store/postgres/rows.hpp"
#include "store/postgres/run.hpp"

namespace switchyard::store {
namespace {

// Of those who add users, so that each sees the last one's id.
constexpr std::int64_t users_lock = 0x53575955;

// A subject whose window has ended is forgotten when another one is written: no table of strangers grows.
constexpr std::int64_t expired_windows_removed_max = 16;

// Logins stand in one line.
constexpr std::int64_t anybody = 0;

const auto select_user =
    fmt::format("SELECT {} FROM users WHERE username = $1::text", reads_of(read_user_columns));
const auto select_users =
    fmt::format("SELECT {} FROM users WHERE id = ANY($1::bigint[])", reads_of(read_user_columns));
const auto list_page = fmt::format(R"(
SELECT {}
FROM users
WHERE id > $1::bigint
ORDER BY id
LIMIT $2::bigint)",
                                   reads_of(read_user_columns));
const auto insert_user = fmt::format(R"(
INSERT INTO users ({})
SELECT coalesce($1::bigint, coalesce(max(id), 0) + 1), $2::text, $3::text, $4::boolean, $5::timestamptz
FROM users
ON CONFLICT DO NOTHING
RETURNING {})",
                                     names_of(user_columns), reads_of(read_user_columns));
const auto import_into_users = fmt::format(R"(
INSERT INTO users ({})
SELECT i.*
FROM unnest({}) i
WHERE NOT EXISTS (SELECT FROM users))",
                                           names_of(user_columns), arrays_of(user_columns));

constexpr const char* take_users_lock = "SELECT pg_advisory_xact_lock($1::bigint)";

// PostgreSQL's text is UTF-8 without NUL, so no user has another name. It is never looked for in a changed
// form: that could be somebody else.
bool can_be_a_name(std::string_view username) {
  return postgres::storable_text(username) == username;
}

Error no_such_user() {
  return {ErrorCode::not_found, "there is no user of this name"};
}

Error no_name() {
  return {ErrorCode::invalid_argument, "a user's name must be UTF-8 without NUL"};
}

Result<void> require_one_change(const std::vector<Rows>& sets) {
  if (sets.front().changed() == 1) return {};
  return std::unexpected(no_such_user());
}

}  // namespace

Task<Result<std::optional<User>>> PostgresStore::find_user(std::string username) {
  if (!can_be_a_name(username)) co_return std::nullopt;
  Statements statements;
  statements.emplace_back(select_user.c_str()).bind(username);
  const auto read = [](const RowSets& sets) -> Result<std::optional<User>> {
    if (sets.front().size() == 0) return std::nullopt;
    return read_users(sets.front()).front();
  };
  co_return co_await query_in_turn<std::optional<User>>(logins_, anybody, std::move(statements), read);
}

Task<Result<std::vector<User>>> PostgresStore::find_users(std::vector<UserId> ids) {
  Column wanted(Type::bigint);
  for (const auto& id : ids) wanted.add(id.value);
  Statement select(select_users.c_str());
  const auto read = [](const RowSets& sets) -> Result<std::vector<User>> { return read_users(sets.front()); };
  return query<std::vector<User>>({select.bind(wanted)}, Effect::none, read);
}

Task<Result<std::vector<User>>> PostgresStore::list_users(UserId after, std::size_t limit) {
  Statements statements;
  statements.emplace_back(list_page.c_str()).bind(after.value).bind(static_cast<std::int64_t>(limit));
  const auto read = [](const RowSets& sets) -> Result<std::vector<User>> { return read_users(sets.front()); };
  return query_in_turn<std::vector<User>>(logins_, anybody, std::move(statements), read);
}

Task<Result<User>> PostgresStore::add_user(NewUser user, Timestamp now) {
  if (!can_be_a_name(user.username)) co_return std::unexpected(no_name());
  Statements statements;
  statements.emplace_back(take_users_lock).bind(users_lock);
  statements.emplace_back("SELECT FROM users WHERE username = $1::text").bind(user.username);
  auto& insert = statements.emplace_back(insert_user.c_str());
  if (user.id) {
    insert.bind(user.id->value);
  } else {
    insert.bind_null();
  }
  insert.bind(user.username).bind(user.password_hash).bind(user.enabled).bind(now);
  const auto read = [](const RowSets& sets) -> Result<User> {
    if (sets[1].size() == 1) return fail(ErrorCode::already_exists, "there is a user of this name");
    if (sets[2].size() == 0) return fail(ErrorCode::already_exists, "there is a user with this id");
    return read_users(sets[2]).front();
  };
  co_return co_await query<User>(std::move(statements), Effect::once, read);
}

Task<Result<bool>> PostgresStore::import_users(std::vector<NewUser> users, Timestamp now) {
  PostgresColumns columns(users_table);
  std::int64_t last_id = 0;
  for (const auto& user : users) {
    last_id = user.id ? user.id->value : last_id + 1;
    if (!can_be_a_name(user.username)) co_return std::unexpected(no_name());
    columns.put(last_id, std::string_view(user.username), std::string_view(user.password_hash), user.enabled,
                now);
  }
  Statements statements;
  statements.emplace_back(take_users_lock).bind(users_lock);
  columns.bind_to(statements.emplace_back(import_into_users.c_str()));
  const auto read = [](const RowSets& sets) -> Result<bool> { return sets[1].changed() > 0; };
  co_return co_await query<bool>(std::move(statements), Effect::once, read);
}

Task<Result<void>> PostgresStore::set_user_enabled(std::string username, bool enabled) {
  if (!can_be_a_name(username)) co_return std::unexpected(no_such_user());
  Statements statements;
  statements.emplace_back("UPDATE users SET enabled = $2::boolean WHERE username = $1::text")
      .bind(username)
      .bind(enabled);
  co_return co_await query<void>(std::move(statements), Effect::repeatable, require_one_change);
}

Task<Result<void>> PostgresStore::set_password_hash(std::string username, std::string password_hash) {
  if (!can_be_a_name(username)) co_return std::unexpected(no_such_user());
  Statements statements;
  statements.emplace_back("UPDATE users SET password_hash = $2::text WHERE username = $1::text")
      .bind(username)
      .bind(password_hash);
  co_return co_await query<void>(std::move(statements), Effect::repeatable, require_one_change);
}

Task<Result<bool>> PostgresStore::replace_password_hash(std::string username, std::string from,
                                                        std::string to) {
  if (!can_be_a_name(username)) co_return false;
  Statements statements;
  statements
      .emplace_back(R"(
UPDATE users
SET password_hash = $3::text
WHERE username = $1::text AND password_hash = $2::text)")
      .bind(username)
      .bind(from)
      .bind(to);
  const auto read = [](const RowSets& sets) -> Result<bool> { return sets.front().changed() == 1; };
  co_return co_await query<bool>(std::move(statements), Effect::repeatable, read);
}

Task<Result<std::vector<LoginFailures>>> PostgresStore::login_failures(std::vector<std::string> subjects,
                                                                       Timestamp now,
                                                                       std::chrono::milliseconds window) {
  Column names(Type::text);
  for (const auto& subject : subjects) names.add(postgres::storable_text(subject));
  Statements statements;
  statements
      .emplace_back(R"(
SELECT f.count::bigint, f.window_ends_at::timestamptz
FROM unnest($1::text[]) WITH ORDINALITY AS i (subject, position)
LEFT JOIN login_failures f
  ON f.subject = i.subject
  AND f.window_ends_at > $2::timestamptz AND f.window_ends_at <= $3::timestamptz
ORDER BY i.position)")
      .bind(names)
      .bind(now)
      .bind(now + window + clock_skew_max);
  const auto read = [](const RowSets& sets) -> Result<std::vector<LoginFailures>> {
    const auto& rows = sets.front();
    std::vector<LoginFailures> failures;
    failures.reserve(static_cast<std::size_t>(rows.size()));
    for (int row = 0; row < rows.size(); ++row) {
      failures.push_back(rows.is_null(row, 0) ? LoginFailures{}
                                              : LoginFailures{rows.integer(row, 0), rows.timestamp(row, 1)});
    }
    return failures;
  };
  return query_in_turn<std::vector<LoginFailures>>(logins_, anybody, std::move(statements), read);
}

Task<Result<void>> PostgresStore::record_login_failure(std::vector<std::string> subjects, Timestamp now,
                                                       std::chrono::milliseconds window) {
  // In one order, so that two processes wait for each other and not in a circle.
  std::ranges::sort(subjects);
  Column names(Type::text);
  for (const auto& subject : subjects) names.add(postgres::storable_text(subject));
  Statements statements;
  statements
      .emplace_back(R"(
DELETE FROM login_failures
WHERE subject IN (
  SELECT subject
  FROM login_failures
  WHERE window_ends_at <= $1::timestamptz
  LIMIT $2::bigint
  FOR UPDATE SKIP LOCKED))")
      .bind(now)
      .bind(expired_windows_removed_max);
  statements
      .emplace_back(R"(
INSERT INTO login_failures AS f (subject, count, window_ends_at)
SELECT i.subject, 1, $3::timestamptz
FROM unnest($1::text[]) AS i (subject)
ON CONFLICT (subject) DO UPDATE SET
  count = CASE
    WHEN f.window_ends_at > $2::timestamptz AND f.window_ends_at <= $4::timestamptz THEN f.count + 1
    ELSE 1
  END,
  window_ends_at = CASE
    WHEN f.window_ends_at > $2::timestamptz AND f.window_ends_at <= $4::timestamptz THEN f.window_ends_at
    ELSE $3::timestamptz
  END)")
      .bind(names)
      .bind(now)
      .bind(now + window)
      .bind(now + window + clock_skew_max);
  const auto read = [](const RowSets&) -> Result<void> { return {}; };
  // Not again: a failure that is counted twice locks its user out too soon.
  return query<void>(std::move(statements), Effect::once, read);
}

}  // namespace switchyard::store
