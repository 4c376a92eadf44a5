// What PSPs have said by themselves.
#include "store/sqlite/psp_events.hpp"

#include <utility>

#include "base/assert.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace switchyard::store {
namespace {

struct FoundEvent {
  std::string account;
  std::string event;
  Readable<PspEvent> read;
};

std::vector<FoundEvent> find_due_events(sqlite::Database& database, Timestamp by, std::size_t limit) {
  auto row = database.query(due_psp_events.c_str());
  row.bind(by, static_cast<std::int64_t>(limit));
  std::vector<FoundEvent> found;
  while (row.step()) {
    found.push_back({std::string(row.text(0)), std::string(row.text(1)), get_psp_event(row)});
  }
  return found;
}

void take_event(sqlite::Database& database, PspEvent& event, Timestamp until) {
  event.due_at = until;
  ++event.tries;
  database.query("UPDATE psp_events SET due_at_ms = ?, tries = tries + 1 WHERE account = ? AND event = ?")
      .bind(until, event.account, event.notice.event)
      .run();
}

// Nothing else of the row is touched.
void put_off_event(sqlite::Database& database, const FoundEvent& found, Timestamp until) {
  database.query("UPDATE psp_events SET due_at_ms = ? WHERE account = ? AND event = ?")
      .bind(until, found.account, found.event)
      .run();
}

PspEvents find_and_take_events(sqlite::Database& database, SetAside& set_aside, Timestamp by, Timestamp until,
                               std::size_t limit) {
  PspEvents taken;
  for (std::size_t passed_over = 0; taken.size() < limit && passed_over < passed_over_max;) {
    const auto passed_over_before = passed_over;
    for (auto& found : find_due_events(database, by, limit - taken.size())) {
      if (found.read) {
        take_event(database, *found.read, until);
        taken.push_back(std::move(*found.read));
      } else {
        ++passed_over;
        set_aside.note_event(found.account, found.event, std::move(found.read.error()));
        put_off_event(database, found, by + set_aside_time);
      }
    }
    // Only in the place of what was passed over there may be more.
    if (passed_over == passed_over_before) break;
  }
  return taken;
}

}  // namespace

Task<Result<void>> SqliteStore::add_psp_events(PspEvents events) {
  return writer_.run<void>([events = std::move(events)](sqlite::Database& database) -> Result<void> {
    for (const auto& event : events) insert_psp_event(database, event);
    return {};
  });
}

Task<Result<PspEvents>> SqliteStore::take_psp_events(Timestamp by, Timestamp until, std::size_t limit) {
  SWITCHYARD_ASSERT(limit > 0 && until > by);
  // Asked often, and mostly there is none: that must not take the lock of those who write.
  auto is_any_due = merchants_.run<bool>(ourselves, [by](sqlite::Database& database) {
    auto row = database.query(any_due_psp_event);
    row.bind(by);
    return row.step();
  });
  const auto is_due = co_await std::move(is_any_due);
  if (!is_due) co_return std::unexpected(is_due.error());
  if (!*is_due) co_return PspEvents();
  auto taking = writer_.run<PspEvents>([this, by, until, limit](sqlite::Database& database) {
    return find_and_take_events(database, set_aside_, by, until, limit);
  });
  co_return co_await std::move(taking);
}

Task<Result<void>> SqliteStore::end_psp_events(PspEvents events) {
  return writer_.run<void>([events = std::move(events)](sqlite::Database& database) -> Result<void> {
    for (const auto& event : events) {
      database.query("UPDATE psp_events SET due_at_ms = ?, result = ? WHERE account = ? AND event = ?")
          .bind(event.due_at, event.result, event.account, event.notice.event)
          .run();
    }
    return {};
  });
}

Task<Result<std::vector<std::optional<Owner>>>> SqliteStore::find_psp_payments(
    std::vector<PspPayment> payments) {
  using Owned = std::vector<std::optional<Owner>>;
  return merchants_.run<Owned>(ourselves, [payments = std::move(payments)](sqlite::Database& database) {
    Owned owners;
    owners.reserve(payments.size());
    for (const auto& [account, psp_reference, idempotency_key] : payments) {
      auto row = database.query(owner_of_psp_payment);
      row.bind(account, psp_reference, idempotency_key);
      const bool is_found = row.step();
      owners.push_back(is_found ? std::optional(Owner{{row.integer(0)}, {row.uuid(1)}}) : std::nullopt);
    }
    return owners;
  });
}

}  // namespace switchyard::store
