// What is decided under the write lock, for merchants and workers; and how much there is to do.
#include <algorithm>
#include <numeric>
#include <tuple>

#include "base/assert.hpp"
#include "store/sqlite/due.hpp"
#include "store/sqlite/rows.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace switchyard::store {
namespace {

using Ones = std::vector<NamedWork::One>;

void find_due(sqlite::Database& database, const std::string& sql, Timestamp time, std::size_t limit,
              Ones& found) {
  auto row = database.query(sql.c_str());
  row.bind(time, static_cast<std::int64_t>(limit));
  while (row.step()) found.push_back({{row.integer(0)}, {row.uuid(1)}});
}

// Nothing else of the row is touched.
void put_off(sqlite::Database& database, const NamedWork::One& one, Timestamp until) {
  database.query("UPDATE transactions SET next_action_at_ms = ? WHERE merchant_id = ? AND id = ?")
      .bind(until, one.merchant.value, one.id.value)
      .run();
}

// Within a write transaction, so nobody else can decide in between.
Taken take_one(sqlite::Database& database, SetAside& set_aside, const NamedWork::One& one,
               const Decide& decide) {
  if (auto used = read_reply(database, one.merchant, one.key)) return taken_of(std::move(*used));
  auto state = set_aside.readable(one.id, read_state(database, one.merchant, one.id));
  if (!state) return std::move(state.error());
  const auto version = state->transaction.version;
  const auto before = state->operations;
  auto decided = decide(std::move(*state));
  if (!decided) return std::move(decided.error());
  const auto& after = decided->step.state;
  if (decided->is_changed) {
    payment::assert_invariants(after);
    SWITCHYARD_ASSERT(update_transaction(database, after.transaction, version));
    write_operations(database, after.transaction, changed_operations(before, after), before.size());
  }
  if (one.key) insert_key(database, after.transaction, *one.key, decided->reply);
  return std::move(*decided);
}

Takens find_and_take(sqlite::Database& database, SetAside& set_aside, const DueWork& work,
                     const Decide& decide) {
  const auto& queries = queries_of(work.which);
  Takens taken;
  for (std::size_t passed_over = 0; taken.size() < work.limit && passed_over < passed_over_max;) {
    const auto left = work.limit - taken.size();
    Ones found;
    find_due(database, queries.due, work.by, left, found);
    if (found.size() < left) find_due(database, queries.ahead, work.ahead, left - found.size(), found);
    const auto passed_over_before = passed_over;
    for (const auto& one : found) {
      auto result = take_one(database, set_aside, one, decide);
      if (std::holds_alternative<Error>(result)) {
        ++passed_over;
        put_off(database, one, work.by + set_aside_time);
      } else {
        taken.push_back(std::move(result));
      }
    }
    // Only in the place of what was passed over there may be more.
    if (passed_over == passed_over_before) break;
  }
  return taken;
}

}  // namespace

Task<Result<Takens>> SqliteStore::take_due(DueWork work, Decide decide) {
  return writer_.run<Takens>([this, work, decide = std::move(decide)](sqlite::Database& database) {
    return find_and_take(database, set_aside_, work, decide);
  });
}

Task<Result<Takens>> SqliteStore::take_named(NamedWork work, Decide decide) {
  // As they lie in the file: what goes to one page is then written one after another.
  std::vector<std::size_t> order(work.all.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&work](std::size_t i) {
    return std::tie(work.all[i].merchant.value, work.all[i].id.value.bytes);
  });
  return writer_.run<Takens>([this, work = std::move(work), decide = std::move(decide),
                              order = std::move(order)](sqlite::Database& database) {
    Takens taken(work.all.size(), Error{});
    for (const auto i : order) taken[i] = take_one(database, set_aside_, work.all[i], decide);
    return taken;
  });
}

Task<Result<void>> SqliteStore::note_foreign_worker(Timestamp now) {
  return writer_.run<void>([now](sqlite::Database& database) -> Result<void> {
    database.query("INSERT INTO foreign_workers (id, first_seen_at_ms) VALUES (1, ?) ON CONFLICT DO NOTHING")
        .bind(now)
        .run();
    return {};
  });
}

Task<Result<bool>> SqliteStore::has_seen_foreign_worker() {
  return merchants_.run<bool>(ourselves, [](sqlite::Database& database) {
    return database.integer("SELECT count(*) FROM foreign_workers") > 0;
  });
}

Task<Result<Workload>> SqliteStore::measure_workload() {
  return merchants_.run<Workload>(ourselves, [](sqlite::Database& database) {
    Workload workload;
    const auto oldest = [&database](const char* sql) -> std::optional<Timestamp> {
      auto row = database.query(sql);
      return row.step() ? std::optional(row.time(0)) : std::nullopt;
    };
    workload.oldest_started = workload.oldest_due = oldest(store::oldest_started);
    if (const auto due = oldest(oldest_queued)) {
      workload.oldest_due = std::min(workload.oldest_due.value_or(*due), *due);
    }
    workload.in_review = database.integer(
        "SELECT count(*) FROM (SELECT 1 FROM transactions WHERE status = 'manual_review' LIMIT 10000)");
    return workload;
  });
}

Task<Result<std::int64_t>> SqliteStore::count_backlog(std::int64_t most) {
  return merchants_.run<std::int64_t>(ourselves, [most](sqlite::Database& database) {
    auto row = database.query(backlog_count);
    row.bind(most);
    row.step();
    return row.integer(0);
  });
}

Task<Result<Backlogs>> SqliteStore::largest_backlogs(std::int64_t most, std::size_t merchants) {
  return merchants_.run<Backlogs>(ourselves, [most, merchants](sqlite::Database& database) {
    auto row = database.query(backlog_by_merchant);
    row.bind(most, static_cast<std::int64_t>(merchants));
    Backlogs largest;
    while (row.step()) largest.push_back({{row.integer(0)}, row.integer(1)});
    return largest;
  });
}

}  // namespace switchyard::store
