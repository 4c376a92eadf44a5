// What workers do, and merchants who ask for an operation: take transactions under lock. And how much is left
// to do.
#include <algorithm>
#include <iterator>
#include <map>

#include "store/postgres/due.hpp"
#include "store/postgres/taking.hpp"
#include "store/postgres/writes.hpp"

namespace switchyard::store {
namespace {

// A key that was used between the look for it and the commit: the next try finds it.
constexpr std::string_view unique_violation = "23505";

// Nothing else of the rows is touched.
const std::string put_off = R"(
UPDATE transactions
SET next_action_at = $3::timestamptz
WHERE (merchant_id, id) IN (SELECT * FROM unnest($1::bigint[], $2::uuid[])))";

// In one order everywhere, so that two who take the same wait for each other and not in a circle.
const auto lock_named = fmt::format(R"(
SELECT {}
FROM transactions
WHERE (merchant_id, id) IN (SELECT * FROM unnest($1::bigint[], $2::uuid[]))
ORDER BY merchant_id, id
FOR UPDATE)",
                                    list_of(transactions_table, as_read));

}  // namespace

// A take of transactions.
class PostgresStore::StateTaking : public Taking {
 public:
  explicit StateTaking(SetAside& set_aside) : set_aside_(set_aside) {}

 protected:
  // What there is to decide about.
  void hold(std::vector<FoundState>& found) {
    held_.clear();
    writes_ = {};
    for (auto& [place, state] : found) held_.emplace(place, Held{std::move(state)});
  }

  Taken decide_one(const NamedWork::One& one, const Decide& decide) {
    const auto found = held_.find({one.merchant, one.id});
    auto state =
        set_aside_.readable(one.id, found == held_.end() ? std::nullopt : std::optional(found->second.now));
    if (!state) return std::move(state.error());
    auto& held = found->second;
    auto decided = decide(std::move(*state));
    if (!decided) return std::move(decided.error());
    if (decided->is_changed) {
      payment::assert_invariants(decided->step.state);
      if (!held.before) held.before = std::move(held.now->operations);
      held.now = decided->step.state;
    }
    if (one.key) writes_.add_key(held.now->transaction, *one.key, decided->reply);
    return std::move(*decided);
  }

  // What has been decided.
  Statements written() {
    for (const auto& [place, held] : held_) {
      if (held.before) writes_.add(*held.now, changed_operations(*held.before, *held.now));
    }
    return writes_.of_locked();
  }

 private:
  struct Held {
    Readable<payment::State> now;
    // Its operations before it was changed, if it was.
    std::optional<std::vector<payment::Operation>> before{};
  };

  SetAside& set_aside_;
  std::map<Place, Held> held_;
  Writes writes_;
};

class PostgresStore::DueTaking final : public StateTaking {
 public:
  DueTaking(const DueWork& work, std::size_t limit, const Decide& decide, SetAside& set_aside)
      : StateTaking(set_aside), work_(work), limit_(limit), decide_(decide) {}

  Takens& taken() { return taken_; }
  // The number of rows that could not be read.
  std::size_t aside() const { return aside_.size(); }

  Statements lock() override {
    const auto& due = due_statements(work_.which);
    const auto most = static_cast<std::int64_t>(limit_);
    return {Statement(due.due, work_.by, most), Statement(due.ahead, work_.ahead, most)};
  }

  Statements read_more(const RowSets& locked) override {
    found_.clear();
    for (const auto& rows : std::span(locked).last(2)) {
      std::ranges::move(read_transactions(rows), std::back_inserter(found_));
    }
    std::vector<Place> begun;
    for (const auto& [place, state] : found_) {
      if (state && state->transaction.operation_count > 0) begun.push_back(place);
    }
    Statements statements;
    if (!begun.empty()) statements.push_back(select_operations(begun));
    return statements;
  }

  Statements decide(const RowSets&, const RowSets& more) override {
    add_operations(found_, more);
    hold(found_);
    taken_.clear();
    aside_.clear();
    for (const auto& [place, state] : found_) {
      if (taken_.size() == limit_) break;
      auto taken = decide_one({place.first, place.second}, decide_);
      if (std::holds_alternative<Error>(taken)) {
        aside_.push_back(place);
      } else {
        taken_.push_back(std::move(taken));
      }
    }
    auto statements = written();
    if (!aside_.empty()) statements.push_back(about(put_off, aside_).bind(work_.by + set_aside_time));
    return statements;
  }

 private:
  const DueWork& work_;
  std::size_t limit_;
  const Decide& decide_;
  std::vector<FoundState> found_;
  Takens taken_;
  std::vector<Place> aside_;
};

// Several at once. A transaction that more than one of them takes is decided about one after the other.
class PostgresStore::NamedTaking final : public StateTaking {
 public:
  NamedTaking(const std::vector<NamedTake>& takes, SetAside& set_aside)
      : StateTaking(set_aside), takes_(takes) {}

  std::vector<Result<Takens>>& results() { return results_; }

  Statements lock() override {
    std::vector<Place> places;
    PostgresColumns keys(idempotency_keys_table.key());
    for (const auto& take : takes_) {
      for (const auto& [merchant, id, key] : take.work.all) {
        places.emplace_back(merchant, id);
        if (key) keys.put(merchant.value, payment::to_string(key->kind), std::string_view(key->key));
      }
    }
    Statements statements{about(lock_named, places), select_operations(places)};
    if (!keys.empty()) statements.push_back(select_keys(keys));
    return statements;
  }

  Statements decide(const RowSets& locked, const RowSets&) override {
    // Behind BEGIN.
    auto found = read_transactions(locked.at(1));
    add_operations(found, std::span(locked).subspan(2, 1));
    hold(found);
    results_.clear();
    int key_row = 0;
    for (const auto& take : takes_) {
      Takens taken;
      for (const auto& one : take.work.all) {
        Used used;
        if (one.key) used = replay_of(locked.back()[key_row++], *one.key);
        taken.push_back(used ? taken_of(std::move(*used)) : decide_one(one, take.decide));
      }
      results_.emplace_back(std::move(taken));
    }
    return written();
  }

 private:
  const std::vector<NamedTake>& takes_;
  std::vector<Result<Takens>> results_;
};

Task<Result<Takens>> PostgresStore::take_due(DueWork work, Decide decide) {
  auto operation = [this, work, decide = std::move(decide)]() -> Task<Result<Takens>> {
    Takens taken;
    for (std::size_t passed_over = 0; passed_over < passed_over_max;) {
      DueTaking taking(work, work.limit - taken.size(), decide, set_aside_);
      auto failure = co_await run_taking(taking);
      if (failure && taken.empty()) co_return std::unexpected(to_error(*failure));
      // What an earlier turn has taken is the caller's.
      if (failure) break;
      std::ranges::move(taking.taken(), std::back_inserter(taken));
      if (taking.aside() == 0 || taken.size() >= work.limit) break;
      passed_over += taking.aside();
    }
    co_return taken;
  };
  return others_.run<Takens>(anybody, std::move(operation));
}

Task<Result<Takens>> PostgresStore::take_named(NamedWork work, Decide decide) {
  return takes_.run({std::move(work), std::move(decide)});
}

Task<postgres::Outcome<std::vector<Result<Takens>>>> PostgresStore::take_together(
    const std::vector<NamedTake>& takes) {
  NamedTaking taking(takes, set_aside_);
  auto failure = co_await run_taking(taking);
  if (failure) co_return std::unexpected(std::move(*failure));
  co_return std::move(taking.results());
}

Task<std::optional<postgres::Failure>> PostgresStore::run_taking(Taking& taking) {
  Retries retries;
  for (;;) {
    auto failure = co_await try_taking(taking, retries);
    if (!failure) co_return std::nullopt;
    const bool again = failure->sqlstate == unique_violation || retries.is_worth_another(*failure);
    if (!again || retries.is_late()) co_return failure;
    SteadyTimer pause(thread_.executor(0), retry_pause);
    co_await pause.async_wait(use_tuple);
  }
}

Task<std::optional<postgres::Failure>> PostgresStore::try_taking(Taking& taking, const Retries& retries) {
  const auto deadline = retries.deadline();
  auto connection = co_await pool_.acquire(retries.connect_by());
  if (!connection) co_return std::move(connection.error());
  auto statements = taking.lock();
  statements.insert(statements.begin(), Statement("BEGIN"));
  auto locked = co_await (*connection)->run(std::move(statements), deadline);
  RowSets more;
  auto reads = locked ? taking.read_more(*locked) : Statements();
  if (!reads.empty()) {
    auto read = co_await (*connection)->run(std::move(reads), deadline);
    if (read) more = std::move(*read);
    if (!read) locked = std::unexpected(std::move(read.error()));
  }
  if (!locked) {
    // The locks go with the connection, and what was not committed with them.
    (*connection)->give_up();
    auto& failure = locked.error();
    if (failure.kind == postgres::Failure::Kind::unknown) failure.kind = postgres::Failure::Kind::unreachable;
    co_return std::move(failure);
  }
  statements = taking.decide(*locked, more);
  statements.emplace_back("COMMIT");
  auto committed = co_await (*connection)->run(std::move(statements), deadline);
  if (committed) co_return std::nullopt;
  (*connection)->give_up();
  co_return std::move(committed.error());
}

Task<Result<void>> PostgresStore::note_foreign_worker(Timestamp now) {
  Statement insert(R"(
INSERT INTO foreign_workers (id, first_seen_at)
VALUES (1, $1::timestamptz)
ON CONFLICT DO NOTHING)",
                   now);
  return query<void>(std::move(insert), Effect::repeatable, [](const Rows&) { return Result<void>(); });
}

Task<Result<bool>> PostgresStore::has_seen_foreign_worker() {
  const Statement look("SELECT EXISTS (SELECT FROM foreign_workers)");
  return query<bool>(look, Effect::none, [](const Rows& rows) { return rows[0].boolean(0); });
}

Task<Result<Workload>> PostgresStore::measure_workload() {
  const Statement measure(R"(
SELECT
  (SELECT min(next_action_at)::timestamptz FROM transactions WHERE next_action_at IS NOT NULL),
  (SELECT min(next_action_at)::timestamptz
   FROM transactions
   WHERE next_action_at IS NOT NULL AND status <> 'queued'),
  (SELECT count(*) FROM (SELECT FROM transactions WHERE status = 'manual_review' LIMIT 10000) r),
  clock_timestamp())");
  return query<Workload>(measure, Effect::none, [](const Rows& rows) {
    return Workload{.oldest_due = rows[0].optional_time(0),
                    .oldest_started = rows[0].optional_time(1),
                    .in_review = rows[0].integer(2),
                    .now = rows[0].optional_time(3)};
  });
}

Task<Result<std::int64_t>> PostgresStore::count_backlog(std::int64_t most) {
  const Statement count(R"(
SELECT count(*)
FROM (SELECT FROM transactions WHERE next_action_at IS NOT NULL LIMIT $1::bigint) b)",
                        most);
  return query<std::int64_t>(count, Effect::none, [](const Rows& rows) { return rows[0].integer(0); });
}

Task<Result<Backlogs>> PostgresStore::largest_backlogs(std::int64_t most, std::size_t merchants) {
  const Statement select(R"(
SELECT merchant_id, count(*) AS waiting
FROM (SELECT merchant_id FROM transactions WHERE next_action_at IS NOT NULL LIMIT $1::bigint) b
GROUP BY merchant_id
ORDER BY waiting DESC, merchant_id
LIMIT $2::bigint)",
                         most, static_cast<std::int64_t>(merchants));
  const auto read =
      each_row([](const Row& row) { return MerchantBacklog{{row.integer(0)}, row.integer(1)}; });
  return query<Backlogs>(select, Effect::none, read);
}

}  // namespace switchyard::store
