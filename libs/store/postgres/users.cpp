// Users and failed logins.
#include <algorithm>

#include "store/postgres/rows.hpp"
#include "store/postgres/run.hpp"

namespace switchyard::store {
namespace {

// Of those who add users, so that each sees the last one's id.
constexpr std::int64_t users_lock = 0x53575955;

const auto select_user =
    fmt::format("SELECT {} FROM users WHERE username = $1::text", list_of(read_users_table, as_read));
const auto select_users =
    fmt::format("SELECT {} FROM users WHERE id = ANY($1::bigint[])", list_of(read_users_table, as_read));
const auto list_page = fmt::format(R"(
SELECT {}
FROM users
WHERE id > $1::bigint
ORDER BY id
LIMIT $2::bigint)",
                                   list_of(read_users_table, as_read));
const auto insert_user = fmt::format(R"(
INSERT INTO users ({})
SELECT coalesce($1::bigint, coalesce(max(id), 0) + 1), $2::text, $3::text, $4::boolean, $5::timestamptz
FROM users
ON CONFLICT DO NOTHING
RETURNING {})",
                                     list_of(users_table, "{name}"), list_of(read_users_table, as_read));
const auto import_into_users = fmt::format(R"(
INSERT INTO users ({})
SELECT i.*
FROM unnest({}) i
WHERE NOT EXISTS (SELECT FROM users))",
                                           list_of(users_table, "{name}"), list_of(users_table, as_array));

constexpr const char* take_users_lock = "SELECT pg_advisory_xact_lock($1::bigint)";

// PostgreSQL's text is UTF-8 without NUL, so no user has another name. It is never looked for in a changed
// form: that could be somebody else.
bool can_be_a_name(std::string_view username) {
  return postgres::storable_text(username) == username;
}

Error no_name() {
  return {ErrorCode::invalid_argument, "a user's name must be UTF-8 without NUL"};
}

Column texts_of(const std::vector<std::string>& subjects) {
  Column names(Type::text);
  for (const auto& subject : subjects) names.add(postgres::storable_text(subject));
  return names;
}

}  // namespace

Task<Result<std::optional<User>>> PostgresStore::find_user(std::string username) {
  if (!can_be_a_name(username)) co_return std::nullopt;
  Statement select(select_user, username);
  co_return co_await query_in_turn<std::optional<User>>(logins_, anybody, std::move(select),
                                                        first_row(get_user<Row>));
}

Task<Result<std::vector<User>>> PostgresStore::find_users(std::vector<UserId> ids) {
  Column wanted(Type::bigint);
  for (const auto& id : ids) wanted.add(id.value);
  return query<std::vector<User>>(Statement(select_users, wanted), Effect::none, each_row(get_user<Row>));
}

Task<Result<std::vector<User>>> PostgresStore::list_users(UserId after, std::size_t limit) {
  return query_in_turn<std::vector<User>>(logins_, anybody,
                                          Statement(list_page, after.value, static_cast<std::int64_t>(limit)),
                                          each_row(get_user<Row>));
}

Task<Result<User>> PostgresStore::add_user(NewUser user, Timestamp now) {
  if (!can_be_a_name(user.username)) co_return std::unexpected(no_name());
  const auto id = user.id.transform([](UserId wanted) { return wanted.value; });
  Statements statements{
      Statement(take_users_lock, users_lock),
      Statement("SELECT FROM users WHERE username = $1::text", user.username),
      Statement(insert_user, id, user.username, user.password_hash, user.enabled, now),
  };
  const auto read = [](const RowSets& sets) -> Result<User> {
    if (sets[1].size() == 1) return fail(ErrorCode::already_exists, "there is a user of this name");
    if (sets[2].size() == 0) return fail(ErrorCode::already_exists, "there is a user with this id");
    return get_user(sets[2][0]);
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
  Statements statements{Statement(take_users_lock, users_lock), columns.insert(import_into_users)};
  const auto read = [](const RowSets& sets) -> Result<bool> { return sets[1].changed() > 0; };
  co_return co_await query<bool>(std::move(statements), Effect::once, read);
}

Task<Result<bool>> PostgresStore::change_user(std::string username, Statement update) {
  if (!can_be_a_name(username)) co_return false;
  co_return co_await query<bool>(std::move(update), Effect::repeatable,
                                 [](const Rows& rows) { return rows.changed() == 1; });
}

Task<Result<void>> PostgresStore::set_user_enabled(std::string username, bool enabled) {
  Statement update("UPDATE users SET enabled = $2::boolean WHERE username = $1::text", username, enabled);
  return require_user(change_user(std::move(username), std::move(update)));
}

Task<Result<void>> PostgresStore::set_password_hash(std::string username, std::string password_hash) {
  Statement update("UPDATE users SET password_hash = $2::text WHERE username = $1::text", username,
                   password_hash);
  return require_user(change_user(std::move(username), std::move(update)));
}

Task<Result<bool>> PostgresStore::replace_password_hash(std::string username, std::string from,
                                                        std::string to) {
  Statement update(R"(
UPDATE users
SET password_hash = $3::text
WHERE username = $1::text AND password_hash = $2::text)",
                   username, from, to);
  return change_user(std::move(username), std::move(update));
}

Task<Result<std::vector<LoginFailures>>> PostgresStore::login_failures(std::vector<std::string> subjects,
                                                                       Timestamp now,
                                                                       std::chrono::milliseconds window) {
  Statement select(R"(
SELECT f.count::bigint, f.window_ends_at::timestamptz
FROM unnest($1::text[]) WITH ORDINALITY AS i (subject, position)
LEFT JOIN login_failures f
  ON f.subject = i.subject
  AND f.window_ends_at > $2::timestamptz AND f.window_ends_at <= $3::timestamptz
ORDER BY i.position)",
                   texts_of(subjects), now, now + window + clock_skew_max);
  const auto read = each_row([](const Row& row) {
    return row.is_null(0) ? LoginFailures{} : LoginFailures{row.integer(0), row.time(1)};
  });
  return query_in_turn<std::vector<LoginFailures>>(logins_, anybody, std::move(select), read);
}

Task<Result<void>> PostgresStore::record_login_failure(std::vector<std::string> subjects, Timestamp now,
                                                       std::chrono::milliseconds window) {
  // In one order, so that two processes wait for each other and not in a circle.
  std::ranges::sort(subjects);
  Statement forget(R"(
DELETE FROM login_failures
WHERE subject IN (
  SELECT subject
  FROM login_failures
  WHERE window_ends_at <= $1::timestamptz
  LIMIT $2::bigint
  FOR UPDATE SKIP LOCKED))",
                   now, expired_windows_removed_max);
  Statement count(R"(
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
  END)",
                  texts_of(subjects), now, now + window, now + window + clock_skew_max);
  Statements statements{std::move(forget), std::move(count)};
  // Not again: a failure that is counted twice locks its user out too soon.
  return query<void>(std::move(statements), Effect::once, [](const RowSets&) { return Result<void>(); });
}

}  // namespace switchyard::store
