// What workers do: claim what is due, save what came of it.
#include <algorithm>
#include <tuple>

#include "base/assert.hpp"
#include "store/job_refusal.hpp"
#include "store/sqlite/rows.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace switchyard::store {
namespace {

// In the line of the merchants; no merchant has this id.
constexpr std::int64_t ourselves = -1;

constexpr const char* all_due =
    "SELECT " SWITCHYARD_TRANSACTION_COLUMNS
    " FROM transactions WHERE next_action_at_ms <= ? ORDER BY next_action_at_ms LIMIT ?";
constexpr const char* started_due = "SELECT " SWITCHYARD_TRANSACTION_COLUMNS
                                    " FROM transactions WHERE next_action_at_ms <= ? AND status <> 'queued' "
                                    "ORDER BY next_action_at_ms LIMIT ?";
constexpr const char* queued_due = "SELECT " SWITCHYARD_TRANSACTION_COLUMNS
                                   " FROM transactions WHERE next_action_at_ms <= ? AND status = 'queued' "
                                   "ORDER BY next_action_at_ms LIMIT ?";

std::vector<payment::Transaction> read_due(sqlite::Database& database, const char* sql, Timestamp now,
                                           std::size_t limit) {
  std::vector<payment::Transaction> due;
  auto row = database.query(sql);
  row.bind(to_ms(now)).bind(static_cast<std::int64_t>(limit));
  while (row.step()) due.push_back(read_transaction(row));
  return due;
}

std::optional<payment::Transaction> read_one(sqlite::Database& database, MerchantId merchant,
                                             TransactionId id) {
  auto row = database.query("SELECT " SWITCHYARD_TRANSACTION_COLUMNS
                            " FROM transactions WHERE merchant_id = ? AND id = ?");
  row.bind(merchant.value).bind_blob(id.value.bytes);
  if (!row.step()) return std::nullopt;
  return read_transaction(row);
}

std::optional<payment::Attempt> read_last_attempt(sqlite::Database& database,
                                                  const payment::Transaction& transaction) {
  if (transaction.attempt_count == 0) return std::nullopt;
  auto row = database.query("SELECT " SWITCHYARD_ATTEMPT_COLUMNS
                            " FROM attempts WHERE merchant_id = ? AND transaction_id = ? AND number = ?");
  row.bind(transaction.merchant_id.value)
      .bind_blob(transaction.id.value.bytes)
      .bind(std::int64_t{transaction.attempt_count});
  SWITCHYARD_ASSERT(row.step());
  return read_attempt(row);
}

void write(sqlite::Database& database, const payment::State& state, std::int64_t expected_epoch) {
  SWITCHYARD_ASSERT(update_transaction(database, state.transaction, expected_epoch));
  upsert_attempt(database, state.transaction, *state.attempt);
}

// Within a write transaction, so nobody else can claim in between.
payment::Transition claim(sqlite::Database& database, payment::Transaction transaction, std::string_view psp,
                          Timestamp now, const payment::RetryPolicy& policy) {
  const auto epoch = transaction.epoch;
  auto attempt = read_last_attempt(database, transaction);
  auto transition =
      payment::apply({std::move(transaction), std::move(attempt)}, payment::Claimed{psp}, now, policy);
  write(database, transition.state, epoch);
  return transition;
}

// One that the store has not heard of: written once, as it is after the claim.
payment::Transition claim_new(sqlite::Database& database, payment::Transaction transaction,
                              std::string_view psp, Timestamp now, const payment::RetryPolicy& policy) {
  SWITCHYARD_ASSERT(transaction.status == payment::Status::queued);
  auto transition =
      payment::apply({std::move(transaction), std::nullopt}, payment::Claimed{psp}, now, policy);
  insert_transaction(database, transition.state.transaction);
  upsert_attempt(database, transition.state.transaction, *transition.state.attempt);
  return transition;
}

// Of a job whose transaction the store does not know.
std::string refusal_of(sqlite::Database& database, const payment::Transaction& job, std::int64_t amount_max) {
  auto same_id = database.query("SELECT 1 FROM transactions WHERE id = ? LIMIT 1");
  same_id.bind_blob(job.id.value.bytes);
  auto user = database.query("SELECT enabled FROM users WHERE id = ?");
  user.bind(job.merchant_id.value);
  const bool id_is_anothers = same_id.step();
  const auto enabled = user.step() ? std::optional(user.integer(0) != 0) : std::nullopt;
  return refusal_of_job(id_is_anothers, enabled, job.amount, amount_max);
}

ClaimedJob claim_job(sqlite::Database& database, const payment::Transaction& job, std::string_view psp,
                     Timestamp now, const payment::RetryPolicy& policy, std::int64_t amount_max) {
  auto stored = read_one(database, job.merchant_id, job.id);
  if (!stored) {
    auto refusal = refusal_of(database, job, amount_max);
    if (!refusal.empty()) return {{{job, std::nullopt}, payment::Action::none}, std::move(refusal)};
    return {claim_new(database, job, psp, now, policy), {}};
  }
  if (stored->status == payment::Status::queued) {
    return {claim(database, std::move(*stored), psp, now, policy), {}};
  }
  auto attempt = read_last_attempt(database, *stored);
  return {{{std::move(*stored), std::move(attempt)}, payment::Action::none}, {}};
}

using Transitions = std::vector<payment::Transition>;

// Where a row lies in the file: what goes to one page is then written one after another.
auto place(const payment::Transaction& transaction) {
  return std::tie(transaction.merchant_id.value, transaction.id.value.bytes);
}

}  // namespace

Task<Result<Transitions>> SqliteStore::claim_due(std::string psp, Timestamp now, std::size_t limit,
                                                 payment::RetryPolicy policy, Due due) {
  return writer_.run<Transitions>(
      [psp = std::move(psp), now, limit, policy, due](sqlite::Database& database) -> Result<Transitions> {
        Transitions claimed;
        for (auto& transaction : read_due(database, due == Due::all ? all_due : started_due, now, limit)) {
          claimed.push_back(claim(database, std::move(transaction), psp, now, policy));
        }
        return claimed;
      });
}

Task<Result<void>> SqliteStore::save_outcome(payment::State state) {
  return writer_.run<void>([state = std::move(state)](sqlite::Database& database) -> Result<void> {
    const auto& transaction = state.transaction;
    if (!update_transaction(database, transaction, transaction.epoch)) {
      return fail(ErrorCode::stale_epoch, "another worker has taken the transaction over");
    }
    upsert_attempt(database, transaction, *state.attempt);
    return {};
  });
}

Task<Result<std::vector<ClaimedJob>>> SqliteStore::claim_jobs(std::string psp,
                                                              std::vector<payment::Transaction> jobs,
                                                              Timestamp now, payment::RetryPolicy policy,
                                                              std::int64_t amount_max) {
  using Claimed = std::vector<ClaimedJob>;
  return writer_.run<Claimed>([psp = std::move(psp), jobs = std::move(jobs), now, policy,
                               amount_max](sqlite::Database& database) mutable -> Result<Claimed> {
    std::ranges::sort(jobs, {}, place);
    Claimed claimed;
    for (const auto& job : jobs) claimed.push_back(claim_job(database, job, psp, now, policy, amount_max));
    return claimed;
  });
}

Task<Result<std::vector<payment::Transaction>>> SqliteStore::lease_queued(Timestamp due_by, Timestamp until,
                                                                          std::size_t limit) {
  using Transactions = std::vector<payment::Transaction>;
  return writer_.run<Transactions>(
      [due_by, until, limit](sqlite::Database& database) -> Result<Transactions> {
        auto queued = read_due(database, queued_due, due_by, limit);
        for (auto& transaction : queued) {
          transaction.next_action_at = until;
          SWITCHYARD_ASSERT(update_transaction(database, transaction, transaction.epoch));
        }
        return queued;
      });
}

Task<Result<bool>> SqliteStore::settle_queued(MerchantId merchant, TransactionId id, std::string psp,
                                              payment::Event outcome, Timestamp now) {
  return writer_.run<bool>([merchant, id, psp = std::move(psp), outcome = std::move(outcome),
                            now](sqlite::Database& database) -> Result<bool> {
    auto queued = read_one(database, merchant, id);
    if (!queued || queued->status != payment::Status::queued) return false;
    const auto epoch = queued->epoch;
    const auto settled = payment::settle(std::move(*queued), psp, outcome, now);
    write(database, settled, epoch);
    return true;
  });
}

Task<Result<void>> SqliteStore::note_foreign_worker(Timestamp now) {
  return writer_.run<void>([now](sqlite::Database& database) -> Result<void> {
    database.query("INSERT INTO foreign_workers (id, first_seen_at_ms) VALUES (1, ?) ON CONFLICT DO NOTHING")
        .bind(to_ms(now))
        .run();
    return {};
  });
}

Task<Result<bool>> SqliteStore::has_seen_foreign_worker() {
  return merchants_.run<bool>(ourselves, [](sqlite::Database& database) -> Result<bool> {
    return database.integer("SELECT count(*) FROM foreign_workers") > 0;
  });
}

Task<Result<Workload>> SqliteStore::measure_workload() {
  return merchants_.run<Workload>(ourselves, [](sqlite::Database& database) -> Result<Workload> {
    Workload workload;
    auto oldest = database.query(
        "SELECT next_action_at_ms FROM transactions WHERE next_action_at_ms IS NOT NULL "
        "ORDER BY next_action_at_ms LIMIT 1");
    if (oldest.step()) workload.oldest_due = from_ms(oldest.integer(0));
    workload.in_review = database.integer(
        "SELECT count(*) FROM (SELECT 1 FROM transactions WHERE status = 'manual_review' LIMIT 10000)");
    return workload;
  });
}

Task<Result<std::int64_t>> SqliteStore::count_backlog(std::int64_t most) {
  return merchants_.run<std::int64_t>(ourselves, [most](sqlite::Database& database) -> Result<std::int64_t> {
    auto row = database.query(
        "SELECT count(*) FROM (SELECT 1 FROM transactions WHERE next_action_at_ms IS NOT NULL LIMIT ?)");
    row.bind(most);
    row.step();
    return row.integer(0);
  });
}

Task<Result<std::vector<MerchantBacklog>>> SqliteStore::largest_backlogs(std::int64_t most,
                                                                         std::size_t merchants) {
  return merchants_.run<std::vector<MerchantBacklog>>(
      ourselves, [most, merchants](sqlite::Database& database) -> Result<std::vector<MerchantBacklog>> {
        auto row = database.query(
            "SELECT merchant_id, count(*) AS waiting FROM (SELECT merchant_id FROM transactions "
            "WHERE next_action_at_ms IS NOT NULL LIMIT ?) GROUP BY merchant_id "
            "ORDER BY waiting DESC, merchant_id LIMIT ?");
        row.bind(most).bind(static_cast<std::int64_t>(merchants));
        std::vector<MerchantBacklog> largest;
        while (row.step()) largest.push_back({{row.integer(0)}, row.integer(1)});
        return largest;
      });
}

}  // namespace switchyard::store
