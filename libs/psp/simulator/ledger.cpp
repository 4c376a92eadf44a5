#include "psp/simulator/ledger.hpp"

#include "base/assert.hpp"

namespace switchyard::psp::simulator {
namespace {

using sqlite::Database;
using sqlite::Durability;

constexpr std::size_t charges_waiting_max = 8192;

// charges is clustered by our reference first, which is a UUIDv7: new charges are appended.
constexpr const char* schema = R"(
  CREATE TABLE IF NOT EXISTS charges (
    reference       TEXT    NOT NULL,
    idempotency_key TEXT    NOT NULL,
    amount_minor    INTEGER NOT NULL,
    currency        TEXT    NOT NULL,
    outcome         TEXT    NOT NULL CHECK (outcome IN ('approved', 'declined')),
    code            TEXT    NOT NULL,
    charged_at_ms   INTEGER NOT NULL,
    PRIMARY KEY (reference, idempotency_key)
  ) STRICT, WITHOUT ROWID;
)";

std::unique_ptr<Database> open(const std::string& path) {
  auto database = std::make_unique<Database>(path, Durability::process, sqlite::Access::create);
  database->execute(schema);
  return database;
}

std::optional<Charge> find_charge(Database& database, const std::string& reference, const std::string& key) {
  auto row = database.query(
      "SELECT amount_minor, currency, outcome, code FROM charges WHERE reference = ? AND idempotency_key = "
      "?");
  row.bind(reference).bind(key);
  if (!row.step()) return std::nullopt;
  const auto currency = Currency::parse(row.text(1));
  SWITCHYARD_ASSERT(currency.has_value());
  return Charge{.reference = reference,
                .idempotency_key = key,
                .amount = Money(row.integer(0), *currency),
                .approved = row.text(2) == "approved",
                .code = std::string(row.text(3))};
}

}  // namespace

Ledger::Ledger(const std::string& path)
    : lane_(sqlite::open_patiently([&path] { return open(path); }), sqlite::Lane::Mode::write,
            charges_waiting_max) {}

Task<Result<Charge>> Ledger::charge_once(Charge charge, Timestamp now) {
  return lane_.run<Charge>([charge = std::move(charge), now](Database& database) -> Result<Charge> {
    database
        .query(
            "INSERT INTO charges (reference, idempotency_key, amount_minor, currency, outcome, code, "
            "charged_at_ms) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING")
        .bind(charge.reference)
        .bind(charge.idempotency_key)
        .bind(charge.amount.minor())
        .bind(charge.amount.currency().code())
        .bind(std::string_view(charge.approved ? "approved" : "declined"))
        .bind(charge.code)
        .bind(now.time_since_epoch().count())
        .run();
    if (database.changes() == 1) return charge;
    return *find_charge(database, charge.reference, charge.idempotency_key);
  });
}

Task<Result<std::optional<Charge>>> Ledger::find(std::string reference, std::string idempotency_key) {
  return lane_.run<std::optional<Charge>>(
      [reference = std::move(reference),
       key = std::move(idempotency_key)](Database& database) -> Result<std::optional<Charge>> {
        return find_charge(database, reference, key);
      });
}

}  // namespace switchyard::psp::simulator
