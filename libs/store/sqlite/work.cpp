// What workers do: claim what is due, save what came of it.
#include <algorithm>
#include <tuple>

#include "base/assert.hpp"
#include "store/job_refusal.hpp"
#include "store/sqlite/due.hpp"
#include "store/sqlite/rows.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace switchyard::store {
namespace {

// In the line of the merchants; no merchant has this id.
constexpr std::int64_t ourselves = -1;

// How many rows that cannot be read one claim passes over: it holds up the commits of merchants.
constexpr std::size_t passed_over_max = 1'000;

// With whose row it is, also where the row cannot be read.
struct Found {
  MerchantId merchant;
  TransactionId id;
  Readable<payment::Transaction> transaction;
};

Found read_found(const sqlite::Query& row) {
  return {{row.integer(0)}, read_transaction_id(row, 1), read_transaction(row)};
}

void read_due(sqlite::Database& database, const char* sql, Timestamp time, std::size_t limit,
              std::vector<Found>& found) {
  auto row = database.query(sql);
  row.bind(to_ms(time)).bind(static_cast<std::int64_t>(limit));
  while (row.step()) found.push_back(read_found(row));
}

// What is farther ahead than `ahead` was put off by a clock that was wrong.
std::vector<Found> read_due(sqlite::Database& database, const DueQueries& queries, Timestamp due_by,
                            Timestamp ahead, std::size_t limit) {
  std::vector<Found> found;
  read_due(database, queries.due, due_by, limit, found);
  if (found.size() < limit) read_due(database, queries.ahead, ahead, limit - found.size(), found);
  return found;
}

std::optional<Found> read_one(sqlite::Database& database, MerchantId merchant, TransactionId id) {
  auto row = database.query("SELECT " SWITCHYARD_TRANSACTION_COLUMNS
                            " FROM transactions WHERE merchant_id = ? AND id = ?");
  row.bind(merchant.value).bind_blob(id.value.bytes);
  if (!row.step()) return std::nullopt;
  return read_found(row);
}

Readable<payment::State> with_last_attempt(sqlite::Database& database,
                                           Readable<payment::Transaction> transaction) {
  if (!transaction) return std::unexpected(transaction.error());
  payment::State state{std::move(*transaction), std::nullopt};
  if (state.transaction.attempt_count > 0) {
    auto row = database.query("SELECT " SWITCHYARD_ATTEMPT_COLUMNS
                              " FROM attempts WHERE merchant_id = ? AND transaction_id = ? AND number = ?");
    row.bind(state.transaction.merchant_id.value)
        .bind_blob(state.transaction.id.value.bytes)
        .bind(std::int64_t{state.transaction.attempt_count});
    if (row.step()) {
      auto attempt = read_attempt(row);
      if (!attempt) return std::unexpected(attempt.error());
      state.attempt = std::move(*attempt);
    }
  }
  return sound(std::move(state));
}

// Nothing else of the row is touched.
void put_off(sqlite::Database& database, const Found& row, Timestamp until) {
  database.query("UPDATE transactions SET next_action_at_ms = ? WHERE merchant_id = ? AND id = ?")
      .bind(to_ms(until))
      .bind(row.merchant.value)
      .bind_blob(row.id.value.bytes)
      .run();
}

void write(sqlite::Database& database, const payment::State& state, std::int64_t expected_epoch) {
  SWITCHYARD_ASSERT(update_transaction(database, state.transaction, expected_epoch));
  upsert_attempt(database, state.transaction, *state.attempt);
}

// Within a write transaction, so nobody else can claim in between.
payment::Transition claim(sqlite::Database& database, payment::State state, std::string_view psp,
                          Timestamp now, const payment::RetryPolicy& policy) {
  const auto epoch = state.transaction.epoch;
  auto transition = payment::apply(std::move(state), payment::Claimed{psp}, now, policy);
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

ClaimedJob claim_job(sqlite::Database& database, SetAside& set_aside, const payment::Transaction& job,
                     std::string_view psp, Timestamp now, const payment::RetryPolicy& policy,
                     std::int64_t amount_max) {
  auto stored = read_one(database, job.merchant_id, job.id);
  if (!stored) {
    auto refusal = refusal_of(database, job, amount_max);
    if (!refusal.empty()) return {{{job, std::nullopt}, payment::Action::none}, std::move(refusal)};
    return {claim_new(database, job, psp, now, policy), {}};
  }
  auto state = with_last_attempt(database, std::move(stored->transaction));
  if (!state) {
    set_aside.note(job.merchant_id, job.id, state.error());
    return {{{job, std::nullopt}, payment::Action::none}, {}};
  }
  if (state->transaction.status == payment::Status::queued) {
    return {claim(database, std::move(*state), psp, now, policy), {}};
  }
  return {{std::move(*state), payment::Action::none}, {}};
}

using Transitions = std::vector<payment::Transition>;

// Where a row lies in the file: what goes to one page is then written one after another.
auto place(const payment::Transaction& transaction) {
  return std::tie(transaction.merchant_id.value, transaction.id.value.bytes);
}

}  // namespace

Task<Result<Transitions>> SqliteStore::claim_due(std::string psp, Timestamp now, std::size_t limit,
                                                 payment::RetryPolicy policy, Due due) {
  const auto& queries = due == Due::all ? all_due : started_due;
  const auto ahead = now + payment::longest_delay(policy) + clock_skew_max;
  return writer_.run<Transitions>([this, psp = std::move(psp), now, limit, policy, &queries,
                                   ahead](sqlite::Database& database) -> Result<Transitions> {
    Transitions claimed;
    for (std::size_t passed_over = 0; claimed.size() < limit && passed_over < passed_over_max;) {
      const auto rows = read_due(database, queries, now, ahead, limit - claimed.size());
      if (rows.empty()) break;
      for (const auto& row : rows) {
        auto state = with_last_attempt(database, row.transaction);
        if (state) {
          claimed.push_back(claim(database, std::move(*state), psp, now, policy));
        } else {
          ++passed_over;
          set_aside_.note(row.merchant, row.id, state.error());
          put_off(database, row, now + set_aside_time);
        }
      }
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
  return writer_.run<Claimed>([this, psp = std::move(psp), jobs = std::move(jobs), now, policy,
                               amount_max](sqlite::Database& database) mutable -> Result<Claimed> {
    std::ranges::sort(jobs, {}, place);
    Claimed claimed;
    for (const auto& job : jobs) {
      claimed.push_back(claim_job(database, set_aside_, job, psp, now, policy, amount_max));
    }
    return claimed;
  });
}

Task<Result<std::vector<payment::Transaction>>> SqliteStore::lease_queued(Timestamp due_by, Timestamp until,
                                                                          std::size_t limit) {
  using Transactions = std::vector<payment::Transaction>;
  return writer_.run<Transactions>(
      [this, due_by, until, limit](sqlite::Database& database) -> Result<Transactions> {
        Transactions leased;
        // What has been put off is not found again.
        while (leased.size() < limit) {
          auto rows = read_due(database, queued_due, due_by, until + clock_skew_max, limit - leased.size());
          if (rows.empty()) break;
          for (auto& row : rows) {
            put_off(database, row, until);
            if (row.transaction) {
              row.transaction->next_action_at = until;
              leased.push_back(std::move(*row.transaction));
            } else {
              set_aside_.note(row.merchant, row.id, row.transaction.error());
            }
          }
        }
        return leased;
      });
}

Task<Result<bool>> SqliteStore::settle_foreign(MerchantId merchant, TransactionId id, std::string psp,
                                               payment::Event outcome, Timestamp now) {
  return writer_.run<bool>([this, merchant, id, psp = std::move(psp), outcome = std::move(outcome),
                            now](sqlite::Database& database) -> Result<bool> {
    auto found = read_one(database, merchant, id);
    if (!found) return false;
    auto state = with_last_attempt(database, std::move(found->transaction));
    if (!state) {
      set_aside_.note(merchant, id, state.error());
      return std::unexpected(is_set_aside(state.error()));
    }
    if (!payment::may_settle(*state, psp, outcome)) return false;
    const auto epoch = state->transaction.epoch;
    write(database, payment::settle(std::move(*state), psp, outcome, now), epoch);
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
    for (const auto* sql : {oldest_queued, oldest_started}) {
      auto row = database.query(sql);
      if (!row.step()) continue;
      const auto due = from_ms(row.integer(0));
      workload.oldest_due = std::min(workload.oldest_due.value_or(due), due);
    }
    workload.in_review = database.integer(
        "SELECT count(*) FROM (SELECT 1 FROM transactions WHERE status = 'manual_review' LIMIT 10000)");
    return workload;
  });
}

Task<Result<std::int64_t>> SqliteStore::count_backlog(std::int64_t most) {
  return merchants_.run<std::int64_t>(ourselves, [most](sqlite::Database& database) -> Result<std::int64_t> {
    auto row = database.query(backlog_count);
    row.bind(most);
    row.step();
    return row.integer(0);
  });
}

Task<Result<std::vector<MerchantBacklog>>> SqliteStore::largest_backlogs(std::int64_t most,
                                                                         std::size_t merchants) {
  return merchants_.run<std::vector<MerchantBacklog>>(
      ourselves, [most, merchants](sqlite::Database& database) -> Result<std::vector<MerchantBacklog>> {
        auto row = database.query(backlog_by_merchant);
        row.bind(most).bind(static_cast<std::int64_t>(merchants));
        std::vector<MerchantBacklog> largest;
        while (row.step()) largest.push_back({{row.integer(0)}, row.integer(1)});
        return largest;
      });
}

}  // namespace switchyard::store
