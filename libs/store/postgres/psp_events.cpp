// What PSPs have said by themselves.
#include "store/postgres/psp_events.hpp"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

#include "base/assert.hpp"
#include "store/postgres/taking.hpp"

namespace switchyard::store {
namespace {

const auto insert_psp_events = insert_in_order(psp_events_table) + R"(
ON CONFLICT (account, event) DO NOTHING)";

const std::string take_events = R"(
UPDATE psp_events
SET due_at = $3::timestamptz, tries = tries + 1
WHERE (account, event) IN (SELECT * FROM unnest($1::text[], $2::text[])))";

// Nothing else of the rows is touched.
const std::string put_off_events = R"(
UPDATE psp_events
SET due_at = $3::timestamptz
WHERE (account, event) IN (SELECT * FROM unnest($1::text[], $2::text[])))";

constexpr const char* end_events = R"(
UPDATE psp_events e
SET due_at = i.due_at, result = i.result
FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[]) AS i (account, event, due_at, result)
WHERE e.account = i.account AND e.event = i.event)";

void add_text(Column& column, std::string_view text) {
  column.add(std::string_view(postgres::storable_text(text)));
}

std::optional<Owner> owner_of(const Row& row) {
  if (row.is_null(0)) return std::nullopt;
  return Owner{{row.integer(0)}, {row.uuid(1)}};
}

}  // namespace

class PostgresStore::PspEventTaking final : public Taking {
 public:
  PspEventTaking(Timestamp by, Timestamp until, std::size_t limit, SetAside& set_aside)
      : by_(by), until_(until), limit_(limit), set_aside_(set_aside) {}

  PspEvents& taken() { return taken_; }
  // The number of rows that could not be read.
  std::size_t aside() const { return aside_; }

  Statements lock() override {
    return {Statement(lock_due_psp_events, by_, static_cast<std::int64_t>(limit_))};
  }

  Statements decide(const RowSets& locked, const RowSets&) override {
    taken_.clear();
    aside_ = 0;
    PostgresColumns taken(psp_events_table.key());
    PostgresColumns aside(psp_events_table.key());
    for (const auto row : locked.back().all()) {
      auto event = get_psp_event(row);
      (event ? taken : aside).put(row.text(0), row.text(1));
      if (event) {
        take(std::move(*event));
      } else {
        ++aside_;
        set_aside_.note_event(row.text(0), row.text(1), std::move(event.error()));
      }
    }
    Statements statements;
    if (!taken.empty()) statements.push_back(taken.insert(take_events).bind(until_));
    if (!aside.empty()) statements.push_back(aside.insert(put_off_events).bind(by_ + set_aside_time));
    return statements;
  }

 private:
  void take(PspEvent event) {
    event.due_at = until_;
    ++event.tries;
    taken_.push_back(std::move(event));
  }

  const Timestamp by_;
  const Timestamp until_;
  const std::size_t limit_;
  SetAside& set_aside_;
  PspEvents taken_;
  std::size_t aside_ = 0;
};

Task<Result<void>> PostgresStore::add_psp_events(PspEvents events) {
  return event_additions_.run(std::move(events));
}

Task<Result<void>> PostgresStore::end_psp_events(PspEvents events) {
  return event_ends_.run(std::move(events));
}

Task<postgres::Outcome<std::vector<Result<void>>>> PostgresStore::add_events(
    const std::vector<PspEvents>& calls) {
  PostgresColumns columns(psp_events_table);
  for (const auto& events : calls) {
    for (const auto& event : events) columns.add(row_of(event));
  }
  Statements statements(1, columns.insert(insert_psp_events));
  const auto done = co_await execute(std::move(statements), Effect::repeatable);
  if (!done) co_return std::unexpected(done.error());
  co_return Results<void>(calls.size());
}

Task<postgres::Outcome<std::vector<Result<void>>>> PostgresStore::end_events_of(
    const std::vector<PspEvents>& calls) {
  std::vector<const PspEvent*> in_order;
  for (const auto& events : calls) {
    for (const auto& event : events) in_order.push_back(&event);
  }
  // So that two batches wait for each other and not in a circle.
  std::ranges::sort(in_order, {}, [](const auto* event) {
    return std::tuple<std::string_view, std::string_view>(event->account, event->notice.event);
  });
  Column accounts(Type::text);
  Column names(Type::text);
  Column due(Type::timestamptz);
  Column results(Type::text);
  for (const auto* event : in_order) {
    add_text(accounts, event->account);
    add_text(names, event->notice.event);
    due.add(event->due_at);
    add_text(results, event->result);
  }
  Statements statements(1, Statement(end_events, accounts, names, due, results));
  const auto done = co_await execute(std::move(statements), Effect::repeatable);
  if (!done) co_return std::unexpected(done.error());
  co_return Results<void>(calls.size());
}

Task<Result<PspEvents>> PostgresStore::take_psp_events(Timestamp by, Timestamp until, std::size_t limit) {
  SWITCHYARD_ASSERT(limit > 0 && until > by);
  auto operation = [this, by, until, limit]() -> Task<Result<PspEvents>> {
    PspEvents taken;
    for (std::size_t passed_over = 0; passed_over < passed_over_max;) {
      PspEventTaking taking(by, until, limit - taken.size(), set_aside_);
      auto failure = co_await run_taking(taking);
      if (failure && taken.empty()) co_return std::unexpected(to_error(*failure));
      // What an earlier turn has taken is the caller's.
      if (failure) break;
      std::ranges::move(taking.taken(), std::back_inserter(taken));
      if (taking.aside() == 0 || taken.size() >= limit) break;
      passed_over += taking.aside();
    }
    co_return taken;
  };
  return others_.run<PspEvents>(anybody, std::move(operation));
}

Task<Result<std::vector<std::optional<Owner>>>> PostgresStore::find_psp_payments(
    std::vector<PspPayment> payments) {
  Column accounts(Type::text);
  Column references(Type::text);
  Column keys(Type::text);
  for (const auto& [account, psp_reference, idempotency_key] : payments) {
    add_text(accounts, account);
    add_text(references, psp_reference);
    add_text(keys, idempotency_key);
  }
  Statement select(owners_of_psp_payments, accounts, references, keys);
  return query<std::vector<std::optional<Owner>>>(std::move(select), Effect::none, each_row(owner_of));
}

}  // namespace switchyard::store
