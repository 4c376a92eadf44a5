// What workers do: claim what is due, save what came of it, and what a queue outside the store needs.
#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "base/assert.hpp"
#include "store/job_refusal.hpp"
#include "store/postgres/due.hpp"
#include "store/postgres/rows.hpp"
#include "store/postgres/run.hpp"

namespace switchyard::store {
namespace {

using Transitions = std::vector<payment::Transition>;
using Statements = std::vector<Statement>;

// How often one claim looks again because of rows that cannot be read.
constexpr int turns_of_a_claim_max = 4;

// Nothing else of the rows is touched.
constexpr const char* put_off =
    "UPDATE transactions SET next_action_at = $3::timestamptz "
    "WHERE (merchant_id, id) IN (SELECT * FROM unnest($1::bigint[], $2::uuid[]))";
// In one order everywhere, so that two workers with the same jobs wait for each other and not in a circle.
constexpr const char* lock_jobs = SWITCHYARD_PG_WITH_LAST_ATTEMPT
    "WHERE (t.merchant_id, t.id) IN (SELECT * FROM unnest($1::bigint[], $2::uuid[])) "
    "ORDER BY t.merchant_id, t.id FOR UPDATE OF t";
constexpr const char* lock_one =
    SWITCHYARD_PG_WITH_LAST_ATTEMPT "WHERE t.merchant_id = $1::bigint AND t.id = $2::uuid FOR UPDATE OF t";
constexpr const char* insert_unknown_jobs =
    "INSERT INTO transactions (" SWITCHYARD_PG_TRANSACTION("") ") "
    "SELECT i.* FROM unnest(" SWITCHYARD_PG_TRANSACTION_ARRAYS ") AS i (" SWITCHYARD_PG_TRANSACTION("") ") "
    "JOIN users u ON u.id = i.merchant_id AND u.enabled WHERE i.amount_minor <= $16::bigint "
    "AND NOT EXISTS (SELECT FROM transactions o WHERE o.id = i.id) "
    "ORDER BY i.merchant_id, i.id ON CONFLICT (merchant_id, id) DO NOTHING";

#define SWITCHYARD_PG_UPDATE                                                                \
  "UPDATE transactions t SET status = i.status, authorized_minor = i.authorized_minor, "    \
  "captured_minor = i.captured_minor, refunded_minor = i.refunded_minor, epoch = i.epoch, " \
  "attempt_count = i.attempt_count, next_action_at = i.next_action_at, reason = i.reason, " \
  "updated_at = i.updated_at FROM unnest(" SWITCHYARD_PG_TRANSACTION_ARRAYS                 \
  ") "                                                                                      \
  "AS i (" SWITCHYARD_PG_TRANSACTION("") ") WHERE t.merchant_id = i.merchant_id AND t.id = i.id"
constexpr const char* update_locked = SWITCHYARD_PG_UPDATE;
constexpr const char* update_of_same_epoch =
    SWITCHYARD_PG_UPDATE " AND t.epoch = i.epoch RETURNING t.id::uuid";

#define SWITCHYARD_PG_UPSERT_ATTEMPTS \
  "INSERT INTO attempts (merchant_id, transaction_id, " SWITCHYARD_PG_ATTEMPT("") ") "                    \
  "SELECT i.merchant_id, i.transaction_id, " SWITCHYARD_PG_ATTEMPT("i.") " FROM "
#define SWITCHYARD_PG_ON_ATTEMPT                                                                     \
  "ON CONFLICT (merchant_id, transaction_id, number) DO UPDATE SET status = excluded.status, "       \
  "look_ups = excluded.look_ups, psp_reference = excluded.psp_reference, reason = excluded.reason, " \
  "ended_at = excluded.ended_at"
constexpr const char* upsert_attempts = SWITCHYARD_PG_UPSERT_ATTEMPTS
    "unnest(" SWITCHYARD_PG_ATTEMPT_ARRAYS
    ") AS i (merchant_id, transaction_id, " SWITCHYARD_PG_ATTEMPT("") ") " SWITCHYARD_PG_ON_ATTEMPT;
// Runs behind update_of_same_epoch in its transaction: the rows that one changed are locked, and the others'
// epoch can only have grown.
constexpr const char* upsert_attempts_of_same_epoch = SWITCHYARD_PG_UPSERT_ATTEMPTS
    "unnest(" SWITCHYARD_PG_ATTEMPT_ARRAYS ", $13::bigint[]) "
    "AS i (merchant_id, transaction_id, " SWITCHYARD_PG_ATTEMPT("") ", epoch) "
    "JOIN transactions t ON t.merchant_id = i.merchant_id AND t.id = i.transaction_id AND t.epoch = i.epoch "
    SWITCHYARD_PG_ON_ATTEMPT;

// A row of SWITCHYARD_PG_WITH_LAST_ATTEMPT.
Readable<payment::State> read_state(const Rows& rows, int row) {
  auto transaction = read_transaction(rows, row);
  if (!transaction) return std::unexpected(transaction.error());
  payment::State state{std::move(*transaction), std::nullopt};
  if (!rows.is_null(row, transaction_columns)) {
    auto attempt = read_attempt(rows, row, transaction_columns);
    if (!attempt) return std::unexpected(attempt.error());
    state.attempt = std::move(*attempt);
  }
  return sound(std::move(state));
}

MerchantId merchant_of(const Rows& rows, int row) {
  return {rows.integer(row, 0)};
}
TransactionId id_of(const Rows& rows, int row) {
  return {rows.uuid(row, 1)};
}

struct LeasedPage {
  std::vector<payment::Transaction> readable;
  bool any_aside = false;
};

// What has been decided about rows that are locked.
class LockedChanges {
 public:
  void add(const payment::State& state) {
    transactions_.add(state.transaction);
    attempts_.add(state.transaction.merchant_id, state.transaction.id, *state.attempt);
    empty_ = false;
  }

  void put_off(MerchantId merchant, TransactionId id) {
    merchants_.add(merchant.value);
    ids_.add(id.value);
    any_put_off_ = true;
  }

  // `later`: when a worker looks again at what was put off.
  Statements statements(Timestamp later = {}) const {
    Statements statements;
    if (!empty_) {
      transactions_.bind_to(statements.emplace_back(update_locked));
      attempts_.bind_to(statements.emplace_back(upsert_attempts));
    }
    if (any_put_off_) statements.emplace_back(store::put_off).bind(merchants_).bind(ids_).bind(later);
    return statements;
  }

 private:
  Column merchants_{Type::bigint};
  Column ids_{Type::uuid};
  bool any_put_off_ = false;
  TransactionColumns transactions_;
  AttemptColumns attempts_;
  bool empty_ = true;
};

// What became of jobs whose rows are locked.
struct DecidedJobs {
  using Place = std::pair<MerchantId, TransactionId>;
  std::map<Place, payment::Transition> transitions;
  std::set<Place> aside;
};

Statements decide_jobs(const Rows& rows, std::string_view psp, Timestamp now,
                       const payment::RetryPolicy& policy, SetAside& set_aside, DecidedJobs& decided) {
  LockedChanges changes;
  for (int row = 0; row < rows.size(); ++row) {
    const DecidedJobs::Place place(merchant_of(rows, row), id_of(rows, row));
    auto state = read_state(rows, row);
    if (!state) {
      set_aside.note(place.first, place.second, state.error());
      decided.aside.insert(place);
      continue;
    }
    payment::Transition transition{std::move(*state), payment::Action::none};
    if (transition.state.transaction.status == payment::Status::queued) {
      transition = payment::apply(std::move(transition.state), payment::Claimed{psp}, now, policy);
      changes.add(transition.state);
    }
    decided.transitions.emplace(place, std::move(transition));
  }
  return changes.statements();
}

}  // namespace

Task<Result<Transitions>> PostgresStore::claim_due(std::string psp, Timestamp now, std::size_t limit,
                                                   payment::RetryPolicy policy, Due due) {
  auto operation = [this, psp = std::move(psp), now, limit, policy, due]() -> Task<Result<Transitions>> {
    const auto& due_statements = due == Due::all ? lock_all : lock_started;
    const auto ahead = now + payment::longest_delay(policy) + clock_skew_max;
    Transitions claimed;
    for (int turn = 0; turn < turns_of_a_claim_max; ++turn) {
      const auto most = limit - claimed.size();
      Statements lock;
      lock.emplace_back(due_statements.due).bind(now).bind(static_cast<std::int64_t>(most));
      lock.emplace_back(due_statements.ahead).bind(ahead).bind(static_cast<std::int64_t>(most));
      Transitions more;
      bool any_aside = false;
      auto decide = [&](const RowSets& sets) {
        more.clear();
        LockedChanges changes;
        for (const auto* rows : {&sets[sets.size() - 2], &sets.back()}) {
          for (int row = 0; row < rows->size() && more.size() < most; ++row) {
            auto state = read_state(*rows, row);
            if (state) {
              more.push_back(payment::apply(std::move(*state), payment::Claimed{psp}, now, policy));
              changes.add(more.back().state);
            } else {
              any_aside = true;
              set_aside_.note(merchant_of(*rows, row), id_of(*rows, row), state.error());
              changes.put_off(merchant_of(*rows, row), id_of(*rows, row));
            }
          }
        }
        return changes.statements(now + set_aside_time);
      };
      const auto done = co_await change_locked(std::move(lock), std::move(decide));
      if (!done && claimed.empty()) co_return std::unexpected(done.error());
      // What an earlier turn has claimed is this worker's.
      if (!done) break;
      std::ranges::move(more, std::back_inserter(claimed));
      if (!any_aside || claimed.size() >= limit) break;
    }
    co_return claimed;
  };
  co_return co_await on_own_thread<Transitions>(std::move(operation));
}

Task<Result<std::vector<ClaimedJob>>> PostgresStore::claim_jobs(std::string psp,
                                                                std::vector<payment::Transaction> jobs,
                                                                Timestamp now, payment::RetryPolicy policy,
                                                                std::int64_t amount_max) {
  using Claimed = std::vector<ClaimedJob>;
  auto operation = [this, psp = std::move(psp), jobs = std::move(jobs), now, policy,
                    amount_max]() -> Task<Result<Claimed>> {
    TransactionColumns columns;
    Column merchants(Type::bigint);
    Column ids(Type::uuid);
    for (const auto& job : jobs) {
      // Others are not stored, only found.
      if (job.amount.currency().is_current()) columns.add(job);
      merchants.add(job.merchant_id.value);
      ids.add(job.id.value);
    }
    Statements lock;
    columns.bind_to(lock.emplace_back(insert_unknown_jobs));
    lock.back().bind(amount_max);
    lock.emplace_back(lock_jobs).bind(merchants).bind(ids);
    DecidedJobs decided;
    auto decide = [&](const RowSets& sets) {
      decided = DecidedJobs();
      return decide_jobs(sets.back(), psp, now, policy, set_aside_, decided);
    };
    const auto done = co_await change_locked(std::move(lock), std::move(decide));
    if (!done) co_return std::unexpected(done.error());
    Claimed in_order;
    std::vector<payment::Transaction> not_stored;
    for (const auto& job : jobs) {
      const auto found = decided.transitions.find({job.merchant_id, job.id});
      if (found == decided.transitions.end()) {
        const bool is_aside = decided.aside.contains({job.merchant_id, job.id});
        if (is_aside) in_order.push_back({{{job, std::nullopt}, payment::Action::none}, {}});
        if (!is_aside) not_stored.push_back(job);
        continue;
      }
      in_order.push_back({found->second, {}});
      // A job that is doubled within the list is claimed once.
      found->second.action = payment::Action::none;
    }
    if (not_stored.empty()) co_return in_order;
    auto refusals = co_await refusals_of(not_stored, amount_max);
    // What is claimed is claimed: without a reason they are not let go, but refused with less to say.
    for (std::size_t i = 0; i < not_stored.size(); ++i) {
      auto refusal = refusals ? std::move((*refusals)[i]) : std::string("the store did not take it");
      payment::Transition as_it_came{{std::move(not_stored[i]), std::nullopt}, payment::Action::none};
      in_order.push_back({std::move(as_it_came), std::move(refusal)});
    }
    co_return in_order;
  };
  co_return co_await on_own_thread<Claimed>(std::move(operation));
}

// Why insert_unknown_jobs left them out, in their order.
Task<Result<std::vector<std::string>>> PostgresStore::refusals_of(std::vector<payment::Transaction> jobs,
                                                                  std::int64_t amount_max) {
  Column merchants(Type::bigint);
  Column ids(Type::uuid);
  for (const auto& job : jobs) {
    merchants.add(job.merchant_id.value);
    ids.add(job.id.value);
  }
  Statements ask;
  ask.emplace_back(
         "SELECT EXISTS (SELECT FROM transactions o WHERE o.id = i.id AND o.merchant_id <> i.merchant_id), "
         "u.id IS NOT NULL, coalesce(u.enabled, false) "
         "FROM unnest($1::bigint[], $2::uuid[]) WITH ORDINALITY AS i (merchant_id, id, number) "
         "LEFT JOIN users u ON u.id = i.merchant_id ORDER BY i.number")
      .bind(merchants)
      .bind(ids);
  const auto done = co_await execute(std::move(ask), Effect::none);
  if (!done) co_return std::unexpected(to_error(done.error()));
  const auto& rows = done->front();
  std::vector<std::string> refusals;
  for (int row = 0; row < rows.size(); ++row) {
    const auto& job = jobs[static_cast<std::size_t>(row)];
    const auto enabled = rows.boolean(row, 1) ? std::optional(rows.boolean(row, 2)) : std::nullopt;
    auto refusal = refusal_of_job(rows.boolean(row, 0), enabled, job.amount, amount_max);
    // It was refused a moment ago for what has changed since.
    if (refusal.empty()) refusal = "the user or the limit was changed meanwhile; enqueue it again";
    refusals.push_back(std::move(refusal));
  }
  co_return refusals;
}

Task<Result<std::vector<payment::Transaction>>> PostgresStore::lease_queued(Timestamp due_by, Timestamp until,
                                                                            std::size_t limit) {
  const auto read = [this](const RowSets& sets) -> Result<LeasedPage> {
    LeasedPage page;
    const auto& rows = sets.front();
    for (int row = 0; row < rows.size(); ++row) {
      auto transaction = read_transaction(rows, row);
      if (transaction) {
        page.readable.push_back(std::move(*transaction));
      } else {
        set_aside_.note(merchant_of(rows, row), id_of(rows, row), transaction.error());
        page.any_aside = true;
      }
    }
    return page;
  };
  std::vector<payment::Transaction> leased;
  while (leased.size() < limit) {
    Statements statements;
    statements.emplace_back(lease_page)
        .bind(due_by)
        .bind(until)
        .bind(static_cast<std::int64_t>(limit - leased.size()))
        .bind(until + clock_skew_max);
    // Not again: what a lost answer has leased comes due once more at `until`.
    auto page = co_await query<LeasedPage>(std::move(statements), Effect::once, read);
    if (!page && leased.empty()) co_return std::unexpected(std::move(page.error()));
    if (!page) break;
    std::ranges::move(page->readable, std::back_inserter(leased));
    if (!page->any_aside) break;
  }
  co_return leased;
}

Task<Result<bool>> PostgresStore::settle_foreign(MerchantId merchant, TransactionId id, std::string psp,
                                                 payment::Event outcome, Timestamp now) {
  auto operation = [this, merchant, id, psp = std::move(psp), outcome = std::move(outcome),
                    now]() -> Task<Result<bool>> {
    Statements lock;
    lock.emplace_back(lock_one).bind(merchant.value).bind(id.value);
    Result<bool> settled = false;
    auto decide = [&](const RowSets& sets) {
      LockedChanges changes;
      settled = false;
      if (sets.back().size() == 0) return changes.statements();
      auto state = read_state(sets.back(), 0);
      if (!state) {
        set_aside_.note(merchant, id, state.error());
        settled = std::unexpected(is_set_aside(state.error()));
      } else if (payment::may_settle(*state, psp, outcome)) {
        changes.add(payment::settle(std::move(*state), psp, outcome, now));
        settled = true;
      }
      return changes.statements();
    };
    const auto done = co_await change_locked(std::move(lock), std::move(decide));
    if (!done) co_return std::unexpected(done.error());
    co_return settled;
  };
  co_return co_await on_own_thread<bool>(std::move(operation));
}

Task<Result<void>> PostgresStore::save_outcome(payment::State state) {
  const auto saved = co_await outcomes_.run(std::move(state));
  if (!saved) co_return std::unexpected(saved.error());
  if (!*saved) co_return fail(ErrorCode::stale_epoch, "another worker has taken the transaction over");
  co_return Result<void>{};
}

Task<std::vector<Result<bool>>> PostgresStore::save_all(std::vector<payment::State> states) {
  auto together = [this](const std::vector<payment::State>& some) { return save_together(some); };
  return run_together_or_alone<bool>(std::move(states), std::move(together));
}

Task<postgres::Outcome<std::vector<Result<bool>>>> PostgresStore::save_together(
    const std::vector<payment::State>& states) {
  TransactionColumns transactions;
  AttemptColumns attempts;
  Column epochs(Type::bigint);
  for (const auto& state : states) {
    transactions.add(state.transaction);
    attempts.add(state.transaction.merchant_id, state.transaction.id, *state.attempt);
    epochs.add(state.transaction.epoch);
  }
  Statements statements;
  transactions.bind_to(statements.emplace_back(update_of_same_epoch));
  attempts.bind_to(statements.emplace_back(upsert_attempts_of_same_epoch));
  statements.back().bind(epochs);
  auto done = co_await execute(std::move(statements), Effect::repeatable);
  if (!done) co_return std::unexpected(std::move(done.error()));

  const auto& rows = done->front();
  std::vector<Uuid> updated;
  updated.reserve(states.size());
  for (int row = 0; row < rows.size(); ++row) updated.push_back(rows.uuid(row, 0));
  std::ranges::sort(updated);
  std::vector<Result<bool>> results;
  results.reserve(states.size());
  for (const auto& state : states) {
    results.emplace_back(std::ranges::binary_search(updated, state.transaction.id.value));
  }
  co_return results;
}

Task<Result<void>> PostgresStore::note_foreign_worker(Timestamp now) {
  Statements statements;
  statements
      .emplace_back(
          "INSERT INTO foreign_workers (id, first_seen_at) VALUES (1, $1::timestamptz) ON CONFLICT DO "
          "NOTHING")
      .bind(now);
  const auto read = [](const RowSets&) -> Result<void> { return {}; };
  return query<void>(std::move(statements), Effect::repeatable, read);
}

Task<Result<bool>> PostgresStore::has_seen_foreign_worker() {
  Statements statements;
  statements.emplace_back("SELECT EXISTS (SELECT FROM foreign_workers)");
  const auto read = [](const RowSets& sets) -> Result<bool> { return sets.front().boolean(0, 0); };
  return query<bool>(std::move(statements), Effect::none, read);
}

Task<Result<Workload>> PostgresStore::measure_workload() {
  Statements statements;
  statements.emplace_back(
      "SELECT (SELECT min(next_action_at)::timestamptz FROM transactions WHERE next_action_at IS NOT NULL), "
      "(SELECT count(*) FROM (SELECT FROM transactions WHERE status = 'manual_review' LIMIT 10000) r)");
  const auto read = [](const RowSets& sets) -> Result<Workload> {
    Workload workload;
    if (!sets.front().is_null(0, 0)) workload.oldest_due = sets.front().timestamp(0, 0);
    workload.in_review = sets.front().integer(0, 1);
    return workload;
  };
  return query<Workload>(std::move(statements), Effect::none, read);
}

Task<Result<std::int64_t>> PostgresStore::count_backlog(std::int64_t most) {
  Statements statements;
  statements
      .emplace_back(
          "SELECT count(*) FROM (SELECT FROM transactions WHERE next_action_at IS NOT NULL LIMIT $1::bigint) "
          "b")
      .bind(most);
  const auto read = [](const RowSets& sets) -> Result<std::int64_t> { return sets.front().integer(0, 0); };
  return query<std::int64_t>(std::move(statements), Effect::none, read);
}

Task<Result<std::vector<MerchantBacklog>>> PostgresStore::largest_backlogs(std::int64_t most,
                                                                           std::size_t merchants) {
  Statements statements;
  statements
      .emplace_back(
          "SELECT merchant_id, count(*) AS waiting FROM (SELECT merchant_id FROM transactions "
          "WHERE next_action_at IS NOT NULL LIMIT $1::bigint) b GROUP BY merchant_id "
          "ORDER BY waiting DESC, merchant_id LIMIT $2::bigint")
      .bind(most)
      .bind(static_cast<std::int64_t>(merchants));
  const auto read = [](const RowSets& sets) -> Result<std::vector<MerchantBacklog>> {
    const auto& rows = sets.front();
    std::vector<MerchantBacklog> largest;
    largest.reserve(static_cast<std::size_t>(rows.size()));
    for (int row = 0; row < rows.size(); ++row)
      largest.push_back({{rows.integer(row, 0)}, rows.integer(row, 1)});
    return largest;
  };
  return query<std::vector<MerchantBacklog>>(std::move(statements), Effect::none, read);
}

}  // namespace switchyard::store
