#include "psp-simulator/dialect/rows.hpp"

#include <limits>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace switchyard::psp_simulator {
namespace {

using sqlite::Query;

#define DOCUMENT_COLUMNS "id, type, parent, reference, body, created_at_ms, is_open, number"

Document read_document(const Query& row) {
  const auto body = row.text(4);
  return {.id = std::string(row.text(0)),
          .type = std::string(row.text(1)),
          .parent = std::string(row.text(2)),
          .reference = std::string(row.text(3)),
          .body = boost::json::parse({body.data(), body.size()}).as_object(),
          .created_at = row.time(5),
          .is_open = row.boolean(6),
          .number = row.integer(7)};
}

std::vector<Document> read_documents(Query& row) {
  std::vector<Document> documents;
  while (row.step()) documents.push_back(read_document(row));
  return documents;
}

}  // namespace

// `position` orders the events; one that waits for the next one moves behind it.
const char* const dialect_tables = R"(
  CREATE TABLE IF NOT EXISTS kept_answers (
    dialect          TEXT    NOT NULL,
    key              TEXT    NOT NULL,
    fingerprint      BLOB    NOT NULL,
    status           INTEGER NOT NULL,
    body             TEXT    NOT NULL,
    running_until_ms INTEGER NOT NULL,
    answered_at_ms   INTEGER NOT NULL,
    PRIMARY KEY (dialect, key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS documents (
    number        INTEGER PRIMARY KEY,
    dialect       TEXT    NOT NULL,
    type          TEXT    NOT NULL,
    id            TEXT    NOT NULL UNIQUE,
    parent        TEXT    NOT NULL,
    reference     TEXT    NOT NULL,
    body          TEXT    NOT NULL,
    created_at_ms INTEGER NOT NULL,
    is_open       INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS documents_by_parent ON documents (dialect, type, parent, number);
  CREATE INDEX IF NOT EXISTS documents_by_reference ON documents (dialect, type, reference, number);
  CREATE INDEX IF NOT EXISTS documents_by_type ON documents (dialect, type, number);
  CREATE INDEX IF NOT EXISTS documents_open ON documents (dialect, type) WHERE is_open = 1;
  CREATE TABLE IF NOT EXISTS waiting_events (
    number      INTEGER PRIMARY KEY,
    dialect     TEXT    NOT NULL,
    position    INTEGER NOT NULL,
    body        TEXT    NOT NULL,
    due_at_ms   INTEGER NOT NULL,
    tries       INTEGER NOT NULL DEFAULT 0,
    behind_next INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS waiting_events_in_order ON waiting_events (dialect, position);
)";

std::optional<KeptAnswer> DialectRows::find_answer(std::string_view key, Timestamp kept_since) {
  auto row = database_.query(
      "SELECT fingerprint, status, body, running_until_ms FROM kept_answers "
      "WHERE dialect = ? AND key = ? AND answered_at_ms > ?");
  row.bind(dialect_).bind(key).bind(kept_since);
  if (!row.step()) return std::nullopt;
  return KeptAnswer{.fingerprint = std::string(row.blob(0)),
                    .status = static_cast<unsigned>(row.integer(1)),
                    .body = std::string(row.text(2)),
                    .running_until = row.time(3)};
}

void DialectRows::keep(std::string_view key, const KeptAnswer& answer, Timestamp now) {
  database_
      .query(
          "INSERT OR REPLACE INTO kept_answers "
          "(dialect, key, fingerprint, status, body, running_until_ms, answered_at_ms) "
          "VALUES (?, ?, ?, ?, ?, ?, ?)")
      .bind(dialect_)
      .bind(key)
      .bind_blob(std::string_view(answer.fingerprint))
      .bind(std::int64_t{answer.status})
      .bind(std::string_view(answer.body))
      .bind(answer.running_until)
      .bind(now)
      .run();
}

std::optional<Document> DialectRows::find(std::string_view type, std::string_view id) {
  auto row =
      database_.query("SELECT " DOCUMENT_COLUMNS " FROM documents WHERE id = ? AND dialect = ? AND type = ?");
  row.bind(id).bind(dialect_).bind(type);
  return row.step() ? std::optional(read_document(row)) : std::nullopt;
}

std::vector<Document> DialectRows::list(const Wanted& wanted) {
  // One query for each index: SQLite chooses one before it knows which of the values are empty.
  auto row =
      !wanted.parent.empty()
          ? database_.query("SELECT " DOCUMENT_COLUMNS
                            " FROM documents WHERE dialect = ? AND type = ? AND parent = ? AND "
                            "number < ? AND created_at_ms BETWEEN ? AND ? ORDER BY number DESC LIMIT ?")
      : !wanted.reference.empty()
          ? database_.query("SELECT " DOCUMENT_COLUMNS
                            " FROM documents WHERE dialect = ? AND type = ? AND reference = ? AND "
                            "number < ? AND created_at_ms BETWEEN ? AND ? ORDER BY number DESC LIMIT ?")
          : database_.query("SELECT " DOCUMENT_COLUMNS
                            " FROM documents WHERE dialect = ? AND type = ? AND "
                            "number < ? AND created_at_ms BETWEEN ? AND ? ORDER BY number DESC LIMIT ?");
  row.bind(dialect_).bind(wanted.type);
  if (!wanted.parent.empty()) {
    row.bind(wanted.parent);
  } else if (!wanted.reference.empty()) {
    row.bind(wanted.reference);
  }
  constexpr auto last = std::numeric_limits<std::int64_t>::max();
  row.bind(wanted.before == 0 ? last : wanted.before)
      .bind(wanted.from ? wanted.from->time_since_epoch().count() : std::int64_t{0})
      .bind(wanted.until ? wanted.until->time_since_epoch().count() : last)
      .bind(static_cast<std::int64_t>(wanted.limit));
  return read_documents(row);
}

std::vector<Document> DialectRows::open_ones(std::string_view type) {
  auto row =
      database_.query("SELECT " DOCUMENT_COLUMNS
                      " FROM documents WHERE dialect = ? AND type = ? AND is_open = 1 ORDER BY number");
  row.bind(dialect_).bind(type);
  return read_documents(row);
}

void DialectRows::save(Document& document) {
  const auto body = boost::json::serialize(document.body);
  if (document.number != 0) {
    database_.query("UPDATE documents SET (body, is_open) = (?, ?) WHERE number = ?")
        .bind(std::string_view(body))
        .bind(document.is_open)
        .bind(document.number)
        .run();
    return;
  }
  auto row = database_.query(
      "INSERT INTO documents (dialect, type, id, parent, reference, body, created_at_ms, is_open) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING number");
  row.bind(dialect_)
      .bind(std::string_view(document.type))
      .bind(std::string_view(document.id))
      .bind(std::string_view(document.parent))
      .bind(std::string_view(document.reference))
      .bind(std::string_view(body))
      .bind(document.created_at)
      .bind(document.is_open);
  row.step();
  document.number = row.integer(0);
}

void DialectRows::add_event(std::string_view body, Timestamp due_at, bool behind_next) {
  const auto next = [&] {
    auto row = database_.query("SELECT coalesce(max(position), 0) + 1 FROM waiting_events WHERE dialect = ?");
    row.bind(dialect_).step();
    return row.integer(0);
  }();
  database_
      .query(
          "INSERT INTO waiting_events (dialect, position, body, due_at_ms, behind_next) VALUES (?, ?, ?, ?, ?)")
      .bind(dialect_)
      .bind(next)
      .bind(body)
      .bind(due_at)
      .bind(behind_next)
      .run();
  if (behind_next) return;
  database_
      .query(
          "UPDATE waiting_events SET (position, due_at_ms, behind_next) = (?, ?, 0) "
          "WHERE dialect = ? AND behind_next = 1 AND due_at_ms > ?")
      .bind(next + 1)
      .bind(due_at)
      .bind(dialect_)
      .bind(due_at)
      .run();
}

std::optional<WaitingEvent> DialectRows::next_event(Timestamp now, bool in_line) {
  auto row = database_.query(
      "SELECT number, body, due_at_ms, tries FROM waiting_events WHERE dialect = ? "
      "ORDER BY CASE WHEN ? AND tries > 0 THEN 0 WHEN due_at_ms <= ? THEN 1 ELSE 2 END, "
      "CASE WHEN due_at_ms <= ? THEN position ELSE due_at_ms END, position LIMIT 1");
  row.bind(dialect_).bind(in_line).bind(now).bind(now);
  if (!row.step()) return std::nullopt;
  return WaitingEvent{.number = row.integer(0),
                      .body = std::string(row.text(1)),
                      .due_at = row.time(2),
                      .tries = static_cast<int>(row.integer(3))};
}

void DialectRows::put_off(const WaitingEvent& event) {
  database_.query("UPDATE waiting_events SET (due_at_ms, tries) = (?, ?) WHERE number = ?")
      .bind(event.due_at)
      .bind(std::int64_t{event.tries})
      .bind(event.number)
      .run();
}

void DialectRows::remove_event(std::int64_t number) {
  database_.query("DELETE FROM waiting_events WHERE number = ?").bind(number).run();
}

}  // namespace switchyard::psp_simulator
