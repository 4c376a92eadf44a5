#include "psp/simulator/ledger_rows.hpp"

#include <array>
#include <filesystem>
#include <utility>

#include "base/assert.hpp"

namespace switchyard::psp::simulator {
namespace {

using sqlite::Database;
using sqlite::Query;

// Both tables are clustered by our reference first, which is a UUIDv7: what is new is appended. postponed
// holds the keys of requests that were not booked the first time. IN with more than two values would make a
// table for each row: it cost a third of the insert.
constexpr const char* schema = R"(
  CREATE TABLE IF NOT EXISTS charges (
    reference           TEXT    NOT NULL,
    idempotency_key     TEXT    NOT NULL,
    amount_minor        INTEGER NOT NULL,
    currency            TEXT    NOT NULL,
    capture_method      TEXT    NOT NULL,
    outcome             TEXT    NOT NULL CHECK (outcome = 'approved' OR outcome = 'declined' OR outcome = 'pending'),
    code                TEXT    NOT NULL,
    later_at_ms         INTEGER,
    later_outcome       TEXT    NOT NULL DEFAULT '',
    later_code          TEXT    NOT NULL DEFAULT '',
    captured_minor      INTEGER NOT NULL,
    refunded_minor      INTEGER NOT NULL DEFAULT 0,
    voided_minor        INTEGER NOT NULL DEFAULT 0,
    released_minor      INTEGER NOT NULL DEFAULT 0,
    request_fingerprint BLOB    NOT NULL,
    psp                 TEXT    NOT NULL DEFAULT '',
    charged_at_ms       INTEGER NOT NULL,
    PRIMARY KEY (reference, idempotency_key),
    CHECK (0 <= refunded_minor AND refunded_minor <= captured_minor AND 0 <= voided_minor AND
           0 <= released_minor AND captured_minor + voided_minor + released_minor <= amount_minor)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS charges_due ON charges (later_at_ms) WHERE later_at_ms IS NOT NULL;
  CREATE TABLE IF NOT EXISTS operations (
    reference           TEXT    NOT NULL,
    idempotency_key     TEXT    NOT NULL,
    charge_key          TEXT    NOT NULL,
    kind                TEXT    NOT NULL CHECK (kind = 'capture' OR kind = 'void' OR kind = 'refund'),
    amount_minor        INTEGER NOT NULL CHECK (amount_minor >= 0),
    currency            TEXT    NOT NULL,
    is_final            INTEGER NOT NULL,
    outcome             TEXT    NOT NULL CHECK (outcome = 'approved' OR outcome = 'declined' OR outcome = 'pending'),
    code                TEXT    NOT NULL,
    later_at_ms         INTEGER,
    later_outcome       TEXT    NOT NULL DEFAULT '',
    later_code          TEXT    NOT NULL DEFAULT '',
    request_fingerprint BLOB    NOT NULL,
    psp                 TEXT    NOT NULL DEFAULT '',
    operated_at_ms      INTEGER NOT NULL,
    PRIMARY KEY (reference, idempotency_key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS operations_due ON operations (later_at_ms) WHERE later_at_ms IS NOT NULL;
  CREATE TABLE IF NOT EXISTS postponed (
    idempotency_key TEXT NOT NULL PRIMARY KEY
  ) STRICT, WITHOUT ROWID;
)";

constexpr const char* unique_indexes = R"(
  CREATE UNIQUE INDEX IF NOT EXISTS charges_by_key ON charges (idempotency_key);
  CREATE UNIQUE INDEX IF NOT EXISTS operations_by_key ON operations (idempotency_key);
)";

// What the first ledgers of version 0.1 lack.
constexpr const char* columns_added = R"(
  ALTER TABLE charges ADD COLUMN capture_method TEXT NOT NULL DEFAULT 'automatic';
  ALTER TABLE charges ADD COLUMN request_fingerprint BLOB NOT NULL DEFAULT x'';
)";

// Those of version 0.1 hold charges only, and none that is pending.
constexpr const char* charges_aside = R"(
  DROP INDEX IF EXISTS charges_by_key;
  ALTER TABLE charges RENAME TO charges_of_0_1;
)";
constexpr const char* charges_back = R"(
  INSERT INTO charges (reference, idempotency_key, amount_minor, currency, capture_method, outcome, code,
                       captured_minor, request_fingerprint, charged_at_ms)
  SELECT reference, idempotency_key, amount_minor, currency, capture_method, outcome, code,
         CASE WHEN outcome = 'approved' AND capture_method = 'automatic' THEN amount_minor ELSE 0 END,
         request_fingerprint, charged_at_ms
  FROM charges_of_0_1;
  DROP TABLE charges_of_0_1;
)";

// What the ledgers lack that know one PSP only.
constexpr const char* psps_added = R"(
  ALTER TABLE charges ADD COLUMN psp TEXT NOT NULL DEFAULT '';
  ALTER TABLE operations ADD COLUMN psp TEXT NOT NULL DEFAULT '';
)";

void make_tables(Database& database, bool unique_keys) {
  const bool is_any =
      database.integer("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'charges'") > 0;
  const bool is_old =
      is_any && database.integer(
                    "SELECT count(*) FROM pragma_table_info('charges') WHERE name = 'captured_minor'") == 0;
  const bool is_oldest =
      is_old && database.integer(
                    "SELECT count(*) FROM pragma_table_info('charges') WHERE name = 'capture_method'") == 0;
  if (is_oldest) database.execute(columns_added);
  if (is_old) database.execute(charges_aside);
  database.execute(schema);
  if (is_old) database.execute(charges_back);
  const bool is_of_one_psp =
      database.integer("SELECT count(*) FROM pragma_table_info('operations') WHERE name = 'psp'") == 0;
  if (is_of_one_psp) database.execute(psps_added);
  if (unique_keys) database.execute(unique_indexes);
}

// A macro, because a query is known by the address of its literal.
#define OUTCOME_COLUMNS "outcome, code, later_at_ms, later_outcome, later_code"
// In the order of read_charge and read_operation.
#define CHARGE_COLUMNS                                                                   \
  "reference, idempotency_key, amount_minor, currency, capture_method, captured_minor, " \
  "refunded_minor, voided_minor, released_minor, request_fingerprint, " OUTCOME_COLUMNS ", psp"
#define OPERATION_COLUMNS                                                            \
  "reference, idempotency_key, amount_minor, currency, charge_key, kind, is_final, " \
  "request_fingerprint, " OUTCOME_COLUMNS ", psp"

std::string_view to_text(Status status) {
  constexpr std::array<std::string_view, 3> names{"approved", "declined", "pending"};
  return names.at(static_cast<std::size_t>(status));
}

Status to_status(std::string_view text) {
  if (text == "approved") return Status::succeeded;
  if (text == "declined") return Status::declined;
  SWITCHYARD_ASSERT(text == "pending");
  return Status::pending;
}

Outcome read_outcome(const Query& row, int first) {
  Outcome outcome{.status = to_status(row.text(first)), .code = std::string(row.text(first + 1))};
  if (row.is_null(first + 2)) return outcome;
  outcome.later = Later{.at = Timestamp(std::chrono::milliseconds(row.integer(first + 2))),
                        .status = to_status(row.text(first + 3)),
                        .code = std::string(row.text(first + 4))};
  return outcome;
}

Money read_money(const Query& row) {
  const auto currency = Currency::parse_stored(row.text(3));
  SWITCHYARD_ASSERT(currency.has_value());
  return {row.integer(2), *currency};
}

Charge read_charge(const Query& row) {
  const auto capture_method = payment::parse_capture_method(row.text(4));
  SWITCHYARD_ASSERT(capture_method.has_value());
  return {.reference = std::string(row.text(0)),
          .idempotency_key = std::string(row.text(1)),
          .amount = read_money(row),
          .capture_method = *capture_method,
          .outcome = read_outcome(row, 10),
          .request_fingerprint = std::string(row.blob(9)),
          .psp = std::string(row.text(15)),
          .captured_minor = row.integer(5),
          .refunded_minor = row.integer(6),
          .voided_minor = row.integer(7),
          .released_minor = row.integer(8)};
}

Operation read_operation(const Query& row) {
  const auto kind = payment::parse_kind(row.text(5));
  SWITCHYARD_ASSERT(kind.has_value());
  return {.kind = *kind,
          .reference = std::string(row.text(0)),
          .charge_key = std::string(row.text(4)),
          .idempotency_key = std::string(row.text(1)),
          .amount = read_money(row),
          .is_final = row.integer(6) != 0,
          .outcome = read_outcome(row, 8),
          .request_fingerprint = std::string(row.blob(7)),
          .psp = std::string(row.text(13))};
}

template <class Read>
auto read_all(Query& row, Read read) {
  std::vector<decltype(read(row))> entries;
  while (row.step()) entries.push_back(read(row));
  return entries;
}

template <class Read>
auto read_one(Query& row, Read read) -> std::optional<decltype(read(row))> {
  return row.step() ? std::optional(read(row)) : std::nullopt;
}

// In the order of OUTCOME_COLUMNS.
void bind_outcome(Query& query, const Outcome& outcome) {
  query.bind(to_text(outcome.status)).bind(outcome.code);
  const auto& later = outcome.later;
  query.bind(later ? std::optional(later->at.time_since_epoch().count()) : std::nullopt)
      .bind(later ? to_text(later->status) : std::string_view())
      .bind(later ? std::string_view(later->code) : std::string_view());
}

void end_outcome(Outcome& outcome) {
  outcome.status = outcome.later->status;
  outcome.code = outcome.later->code;
}

}  // namespace

std::unique_ptr<Database> open_ledger(const std::string& path, sqlite::Durability durability,
                                      bool unique_keys, const char* more_tables) {
  // What is wrong with the folder, opening the file tells.
  std::error_code ignored;
  const auto folder = std::filesystem::path(path).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, ignored);
  auto database = std::make_unique<Database>(path, durability, sqlite::Access::create);
  database->execute("BEGIN IMMEDIATE");
  make_tables(*database, unique_keys);
  if (more_tables != nullptr) database->execute(more_tables);
  database->execute("COMMIT");
  return database;
}

std::optional<Charge> LedgerRows::find_charge(std::string_view reference, std::string_view key) {
  if (unique_keys_) {
    auto row = database_.query("SELECT " CHARGE_COLUMNS " FROM charges WHERE idempotency_key = ?");
    row.bind(key);
    return read_one(row, read_charge);
  }
  auto row =
      database_.query("SELECT " CHARGE_COLUMNS " FROM charges WHERE reference = ? AND idempotency_key = ?");
  row.bind(reference).bind(key);
  return read_one(row, read_charge);
}

std::optional<Operation> LedgerRows::find_operation(std::string_view reference, std::string_view key) {
  if (unique_keys_) {
    auto row = database_.query("SELECT " OPERATION_COLUMNS " FROM operations WHERE idempotency_key = ?");
    row.bind(key);
    return read_one(row, read_operation);
  }
  auto row = database_.query("SELECT " OPERATION_COLUMNS
                             " FROM operations WHERE reference = ? AND idempotency_key = ?");
  row.bind(reference).bind(key);
  return read_one(row, read_operation);
}

std::vector<Charge> LedgerRows::charges_of(std::string_view reference, std::size_t limit) {
  auto row = database_.query("SELECT " CHARGE_COLUMNS
                             " FROM charges WHERE reference = ? ORDER BY idempotency_key LIMIT ?");
  row.bind(reference).bind(static_cast<std::int64_t>(limit));
  return read_all(row, read_charge);
}

std::vector<Operation> LedgerRows::operations_of(std::string_view reference, std::string_view charge_key) {
  auto row = database_.query("SELECT " OPERATION_COLUMNS
                             " FROM operations WHERE reference = ? AND charge_key = ? "
                             "ORDER BY operated_at_ms, idempotency_key");
  row.bind(reference).bind(charge_key);
  return read_all(row, read_operation);
}

// Few have more than this when they are new, and columns cost.
void LedgerRows::insert(const Charge& charge, Timestamp now) {
  SWITCHYARD_ASSERT(is_in_order(charge));
  database_
      .query(
          "INSERT INTO charges (reference, idempotency_key, amount_minor, currency, capture_method, outcome, "
          "code, captured_minor, request_fingerprint, psp, charged_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, "
          "?, ?)")
      .bind(charge.reference)
      .bind(charge.idempotency_key)
      .bind(charge.amount.minor())
      .bind(charge.amount.currency().code())
      .bind(payment::to_string(charge.capture_method))
      .bind(to_text(charge.outcome.status))
      .bind(charge.outcome.code)
      .bind(charge.captured_minor)
      .bind_blob(std::string_view(charge.request_fingerprint))
      .bind(charge.psp)
      .bind(now.time_since_epoch().count())
      .run();
  if (charge.outcome.later) save(charge);
}

void LedgerRows::insert(const Operation& operation, Timestamp now) {
  auto query = database_.query("INSERT INTO operations (" OPERATION_COLUMNS
                               ", operated_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  query.bind(operation.reference)
      .bind(operation.idempotency_key)
      .bind(operation.amount.minor())
      .bind(operation.amount.currency().code())
      .bind(operation.charge_key)
      .bind(payment::to_string(operation.kind))
      .bind(std::int64_t{operation.is_final ? 1 : 0})
      .bind_blob(std::string_view(operation.request_fingerprint));
  bind_outcome(query, operation.outcome);
  query.bind(operation.psp).bind(now.time_since_epoch().count()).run();
}

void LedgerRows::save(const Charge& charge) {
  SWITCHYARD_ASSERT(is_in_order(charge));
  auto query = database_.query(
      "UPDATE charges SET (" OUTCOME_COLUMNS
      ", captured_minor, refunded_minor, voided_minor, released_minor) = (?, ?, ?, ?, ?, ?, ?, ?, ?) "
      "WHERE reference = ? AND idempotency_key = ?");
  bind_outcome(query, charge.outcome);
  query.bind(charge.captured_minor)
      .bind(charge.refunded_minor)
      .bind(charge.voided_minor)
      .bind(charge.released_minor)
      .bind(charge.reference)
      .bind(charge.idempotency_key)
      .run();
}

void LedgerRows::save(const Operation& operation) {
  auto query = database_.query("UPDATE operations SET (" OUTCOME_COLUMNS
                               ") = (?, ?, ?, ?, ?) WHERE reference = ? AND idempotency_key = ?");
  bind_outcome(query, operation.outcome);
  query.bind(operation.reference).bind(operation.idempotency_key).run();
}

void LedgerRows::let_time_pass(Timestamp now) {
  for (auto& charge : charges_due(now)) end(std::move(charge));
  for (auto& operation : operations_due(now)) end(std::move(operation));
}

std::vector<Charge> LedgerRows::charges_due(Timestamp now) {
  auto row = database_.query("SELECT " CHARGE_COLUMNS " FROM charges WHERE later_at_ms <= ?");
  row.bind(now.time_since_epoch().count());
  return read_all(row, read_charge);
}

// In the order in which they came due, so that what was refunded before a capture was taken back is known.
std::vector<Operation> LedgerRows::operations_due(Timestamp now) {
  auto row = database_.query("SELECT " OPERATION_COLUMNS
                             " FROM operations WHERE later_at_ms <= ? ORDER BY later_at_ms");
  row.bind(now.time_since_epoch().count());
  return read_all(row, read_operation);
}

void LedgerRows::end(Charge charge) {
  const bool was_pending = charge.outcome.status == Status::pending;
  const bool is_to_end =
      was_pending || take_back(charge, operations_of(charge.reference, charge.idempotency_key));
  if (is_to_end) end_outcome(charge.outcome);
  if (was_pending && charge.outcome.status == Status::succeeded) book(charge);
  charge.outcome.later.reset();
  save(charge);
}

void LedgerRows::end(Operation operation) {
  auto charge = find_charge(operation.reference, operation.charge_key);
  SWITCHYARD_ASSERT(charge.has_value());
  const auto others = operations_of(operation.reference, operation.charge_key);
  const bool was_pending = operation.outcome.status == Status::pending;
  const bool is_to_end = was_pending || take_back(*charge, others, operation);
  if (is_to_end) end_outcome(operation.outcome);
  if (was_pending && operation.outcome.status == Status::succeeded) book(*charge, others, operation);
  if (was_pending && operation.outcome.status == Status::declined) let_go(*charge, others, operation);
  operation.outcome.later.reset();
  save(operation);
  save(*charge);
}

std::optional<Timestamp> LedgerRows::next_change(std::string_view psp) {
  auto row = database_.query(
      "SELECT min(at) FROM (SELECT min(later_at_ms) AS at FROM charges WHERE later_at_ms IS NOT NULL AND psp = ? "
      "UNION ALL SELECT min(later_at_ms) FROM operations WHERE later_at_ms IS NOT NULL AND psp = ?)");
  row.bind(psp).bind(psp);
  return row.step() ? row.optional_time(0) : std::nullopt;
}

bool LedgerRows::is_seen_the_first_time(std::string_view key) {
  database_.query("INSERT INTO postponed (idempotency_key) VALUES (?) ON CONFLICT DO NOTHING")
      .bind(key)
      .run();
  return database_.changes() == 1;
}

}  // namespace switchyard::psp::simulator
