#include "psp/simulator/ledger.hpp"

#include <filesystem>
#include <utility>

#include "base/assert.hpp"

namespace switchyard::psp::simulator {
namespace {

using sqlite::Database;
using sqlite::Durability;
using sqlite::Query;

constexpr std::size_t charges_waiting_max = 8192;

// charges is clustered by our reference first, which is a UUIDv7: new charges are appended. postponed holds
// the keys of requests that were not booked the first time.
constexpr const char* schema = R"(
  CREATE TABLE IF NOT EXISTS charges (
    reference           TEXT    NOT NULL,
    idempotency_key     TEXT    NOT NULL,
    amount_minor        INTEGER NOT NULL,
    currency            TEXT    NOT NULL,
    outcome             TEXT    NOT NULL CHECK (outcome IN ('approved', 'declined')),
    code                TEXT    NOT NULL,
    charged_at_ms       INTEGER NOT NULL,
    capture_method      TEXT    NOT NULL DEFAULT 'automatic',
    request_fingerprint BLOB    NOT NULL DEFAULT x'',
    PRIMARY KEY (reference, idempotency_key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS postponed (
    idempotency_key TEXT NOT NULL PRIMARY KEY
  ) STRICT, WITHOUT ROWID;
)";

// In the order of read_charge. A macro, because a query is known by the address of its literal.
#define CHARGE_COLUMNS \
  "reference, idempotency_key, amount_minor, currency, capture_method, outcome, code, request_fingerprint"

// What ledgers of version 0.1 lack.
constexpr const char* columns_added = R"(
  ALTER TABLE charges ADD COLUMN capture_method TEXT NOT NULL DEFAULT 'automatic';
  ALTER TABLE charges ADD COLUMN request_fingerprint BLOB NOT NULL DEFAULT x'';
)";

constexpr const char* unique_keys =
    "CREATE UNIQUE INDEX IF NOT EXISTS charges_by_key ON charges (idempotency_key)";

std::unique_ptr<Database> open(const std::string& path, Ledger::Use use) {
  // What is wrong with the folder, opening the file tells.
  std::error_code ignored;
  const auto folder = std::filesystem::path(path).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, ignored);
  const bool synced = use == Ledger::Use::program;
  auto database = std::make_unique<Database>(path, synced ? Durability::synced : Durability::process,
                                             sqlite::Access::create);
  database->execute("BEGIN IMMEDIATE");
  database->execute(schema);
  if (database->integer("SELECT count(*) FROM pragma_table_info('charges') WHERE name = 'capture_method'") ==
      0) {
    database->execute(columns_added);
  }
  if (synced) database->execute(unique_keys);
  database->execute("COMMIT");
  return database;
}

Charge read_charge(const Query& row) {
  const auto currency = Currency::parse_stored(row.text(3));
  const auto capture_method = payment::parse_capture_method(row.text(4));
  SWITCHYARD_ASSERT(currency.has_value() && capture_method.has_value());
  return {.reference = std::string(row.text(0)),
          .idempotency_key = std::string(row.text(1)),
          .amount = Money(row.integer(2), *currency),
          .capture_method = *capture_method,
          .approved = row.text(5) == "approved",
          .code = std::string(row.text(6)),
          .request_fingerprint = std::string(row.blob(7))};
}

std::optional<Charge> find_charge(Database& database, const std::string& reference, const std::string& key) {
  auto row =
      database.query("SELECT " CHARGE_COLUMNS " FROM charges WHERE reference = ? AND idempotency_key = ?");
  row.bind(reference).bind(key);
  return row.step() ? std::optional(read_charge(row)) : std::nullopt;
}

// Under whatever reference, which the unique index makes fast; without it a key counts below its reference.
std::optional<Charge> find_key(Database& database, const Charge& wanted, Ledger::Use use) {
  if (use == Ledger::Use::in_process) return find_charge(database, wanted.reference, wanted.idempotency_key);
  auto row = database.query("SELECT " CHARGE_COLUMNS " FROM charges WHERE idempotency_key = ?");
  row.bind(wanted.idempotency_key);
  return row.step() ? std::optional(read_charge(row)) : std::nullopt;
}

void insert(Database& database, const Charge& charge, Timestamp now) {
  database.query("INSERT INTO charges (" CHARGE_COLUMNS ", charged_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(charge.reference)
      .bind(charge.idempotency_key)
      .bind(charge.amount.minor())
      .bind(charge.amount.currency().code())
      .bind(payment::to_string(charge.capture_method))
      .bind(std::string_view(charge.approved ? "approved" : "declined"))
      .bind(charge.code)
      .bind_blob(std::string_view(charge.request_fingerprint))
      .bind(now.time_since_epoch().count())
      .run();
}

bool is_seen_the_first_time(Database& database, const std::string& key) {
  database.query("INSERT INTO postponed (idempotency_key) VALUES (?) ON CONFLICT DO NOTHING").bind(key).run();
  return database.changes() == 1;
}

}  // namespace

Ledger::Ledger(const std::string& path, Use use)
    : use_(use),
      lane_(sqlite::open_patiently([&path, use] { return open(path, use); }), charges_waiting_max) {}

Task<Result<std::optional<Booked>>> Ledger::book(Charge charge, Behaviour behaviour, Timestamp now) {
  charge.approved = behaviour.charging != Charging::decline;
  charge.code = charge.approved ? std::string_view() : behaviour.code;
  auto work = [charge = std::move(charge), charging = behaviour.charging, now,
               use = use_](Database& database) -> Result<std::optional<Booked>> {
    if (auto found = find_key(database, charge, use)) {
      const bool both_known = !found->request_fingerprint.empty() && !charge.request_fingerprint.empty();
      if (both_known && found->request_fingerprint != charge.request_fingerprint) {
        return fail(ErrorCode::idempotency_key_reused_with_different_body,
                    "this key was sent before with another request");
      }
      return Booked{.charge = std::move(*found), .is_new = false};
    }
    if (charging == Charging::none ||
        (charging == Charging::none_at_first && is_seen_the_first_time(database, charge.idempotency_key))) {
      return std::nullopt;
    }
    insert(database, charge, now);
    return Booked{.charge = charge, .is_new = true};
  };
  return lane_.run<std::optional<Booked>>(std::move(work));
}

Task<Result<std::vector<Charge>>> Ledger::list(std::string reference, std::size_t limit) {
  return lane_.run<std::vector<Charge>>(
      [reference = std::move(reference), limit](Database& database) -> Result<std::vector<Charge>> {
        auto row = database.query("SELECT " CHARGE_COLUMNS
                                  " FROM charges WHERE reference = ? ORDER BY idempotency_key LIMIT ?");
        row.bind(reference).bind(static_cast<std::int64_t>(limit));
        std::vector<Charge> charges;
        while (row.step()) charges.push_back(read_charge(row));
        return charges;
      });
}

Task<Result<std::vector<ChargeCount>>> Ledger::count(std::string after, std::size_t limit) {
  return lane_.run<std::vector<ChargeCount>>(
      [after = std::move(after), limit](Database& database) -> Result<std::vector<ChargeCount>> {
        auto row = database.query(
            "SELECT reference, count(*), count(*) FILTER (WHERE outcome = 'approved') FROM charges "
            "WHERE reference > ? GROUP BY reference ORDER BY reference LIMIT ?");
        row.bind(after).bind(static_cast<std::int64_t>(limit));
        std::vector<ChargeCount> counts;
        while (row.step()) counts.push_back({std::string(row.text(0)), row.integer(1), row.integer(2)});
        return counts;
      });
}

}  // namespace switchyard::psp::simulator
