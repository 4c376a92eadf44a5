#include "psp/simulator/ledger.hpp"

#include <utility>

#include "base/assert.hpp"
#include "psp/simulator/bookings.hpp"
#include "psp/simulator/ledger_rows.hpp"

namespace switchyard::psp::simulator {
namespace {

using sqlite::Database;

constexpr std::size_t requests_waiting_max = 8192;

bool is_by_key(Ledger::Use use) {
  return use == Ledger::Use::program;
}

std::unexpected<Error> key_reused() {
  return fail(ErrorCode::idempotency_key_reused_with_different_body,
              "this key was sent before with another request");
}

// What the book says of a key that was there before.
template <class Entry>
Result<std::optional<Booked<Entry>>> replayed(Entry found, const Entry& wanted) {
  const bool both_known = !found.request_fingerprint.empty() && !wanted.request_fingerprint.empty();
  if (both_known && found.request_fingerprint != wanted.request_fingerprint) return key_reused();
  return Booked<Entry>{.entry = std::move(found), .is_new = false};
}

Result<std::optional<Booked<Charge>>> book_charge(LedgerRows& rows, Ledger::Use use, Charge charge,
                                                  const Behaviour& behaviour, Timestamp now) {
  auto found = rows.find_charge(charge.reference, charge.idempotency_key);
  if (found && found->outcome.later) {
    rows.let_time_pass(now);
    found = rows.find_charge(charge.reference, charge.idempotency_key);
  }
  if (found) return replayed(std::move(*found), charge);
  if (is_by_key(use) && rows.find_operation({}, charge.idempotency_key)) return key_reused();
  if (books_nothing(rows, behaviour.charging, charge.idempotency_key)) return std::nullopt;
  return Booked<Charge>{.entry = book_new(rows, std::move(charge), behaviour, now), .is_new = true};
}

Result<std::optional<Booked<Operation>>> operate_on(LedgerRows& rows, Ledger::Use use, const Charge& charge,
                                                    Operation wanted, const Behaviour& behaviour,
                                                    Timestamp now) {
  if (auto found = rows.find_operation(wanted.reference, wanted.idempotency_key)) {
    return replayed(std::move(*found), wanted);
  }
  if (is_by_key(use) && rows.find_charge({}, wanted.idempotency_key)) return key_reused();
  if (wanted.amount.currency() != charge.amount.currency()) {
    return fail(ErrorCode::invalid_argument, "currency must be that of the charge");
  }
  if (books_nothing(rows, behaviour.charging, wanted.idempotency_key)) return std::nullopt;
  return Booked<Operation>{.entry = book_new(rows, charge, std::move(wanted), behaviour, now),
                           .is_new = true};
}

}  // namespace

Ledger::Ledger(const std::string& path, Use use, const char* more_tables)
    : use_(use),
      lane_(sqlite::open_patiently([&path, use, more_tables] {
              const bool is_program = use == Use::program;
              return open_ledger(path, is_program ? sqlite::Durability::synced : sqlite::Durability::process,
                                 is_by_key(use), more_tables);
            }),
            requests_waiting_max) {}

Task<Result<std::optional<Booked<Charge>>>> Ledger::book(Charge charge, Behaviour behaviour, Timestamp now) {
  // A command may be executed twice, so it takes nothing apart. What has come due is written even where the
  // request is refused.
  auto work = [charge = std::move(charge), behaviour, now, use = use_](Database& database) {
    LedgerRows rows(database, is_by_key(use));
    return book_charge(rows, use, charge, behaviour, now);
  };
  return lane_.run<std::optional<Booked<Charge>>>(std::move(work));
}

Task<Result<BookedOperation>> Ledger::operate(Operation wanted, BehaviourFor behaviour_for, Timestamp now) {
  auto work = [wanted = std::move(wanted), behaviour_for = std::move(behaviour_for), now,
               use = use_](Database& database) -> Result<BookedOperation> {
    LedgerRows rows(database, is_by_key(use));
    rows.let_time_pass(now);
    const auto charge = rows.find_charge(wanted.reference, wanted.charge_key);
    if (!charge || !charge->psp.empty()) return fail(ErrorCode::not_found, "there is no such charge");
    auto asked = wanted;
    asked.reference = charge->reference;
    if (asked.kind == payment::Kind::void_)
      asked.amount = Money(charge->held_minor(), charge->amount.currency());
    const auto behaviour = behaviour_for(asked.reference);
    auto booked = operate_on(rows, use, *charge, std::move(asked), behaviour, now);
    if (!booked) return std::unexpected(std::move(booked.error()));
    return BookedOperation{.booked = std::move(*booked), .behaviour = behaviour};
  };
  return lane_.run<BookedOperation>(std::move(work));
}

Task<Result<std::vector<ListedCharge>>> Ledger::list(std::string reference, std::size_t limit,
                                                     Timestamp now) {
  auto work = [reference = std::move(reference), limit, now,
               use = use_](Database& database) -> Result<std::vector<ListedCharge>> {
    LedgerRows rows(database, is_by_key(use));
    rows.let_time_pass(now);
    std::vector<ListedCharge> listed;
    for (auto& charge : rows.charges_of(reference, limit)) {
      auto operations = rows.operations_of(reference, charge.idempotency_key);
      const bool more = operations.size() > operations_listed_max;
      if (more) operations.erase(operations.begin() + operations_listed_max, operations.end());
      listed.push_back({std::move(charge), std::move(operations), more});
    }
    return listed;
  };
  return lane_.run<std::vector<ListedCharge>>(std::move(work));
}

Task<Result<std::optional<Operation>>> Ledger::find_operation(std::string reference, std::string key,
                                                              Timestamp now) {
  auto work = [reference = std::move(reference), key = std::move(key), now,
               use = use_](Database& database) -> Result<std::optional<Operation>> {
    LedgerRows rows(database, is_by_key(use));
    rows.let_time_pass(now);
    return rows.find_operation(reference, key);
  };
  return lane_.run<std::optional<Operation>>(std::move(work));
}

Task<Result<std::vector<ChargeCount>>> Ledger::count(std::string after, std::size_t limit, Timestamp now) {
  auto work = [after = std::move(after), limit, now,
               use = use_](Database& database) -> Result<std::vector<ChargeCount>> {
    LedgerRows(database, is_by_key(use)).let_time_pass(now);
    auto row = database.query(
        "SELECT reference, count(*), count(*) FILTER (WHERE outcome = 'approved'), sum(captured_minor), "
        "sum(refunded_minor), sum(voided_minor) FROM charges "
        "WHERE reference > ? GROUP BY reference ORDER BY reference LIMIT ?");
    row.bind(after).bind(static_cast<std::int64_t>(limit));
    std::vector<ChargeCount> counts;
    while (row.step()) {
      counts.push_back({std::string(row.text(0)), row.integer(1), row.integer(2), row.integer(3),
                        row.integer(4), row.integer(5)});
    }
    return counts;
  };
  return lane_.run<std::vector<ChargeCount>>(std::move(work));
}

}  // namespace switchyard::psp::simulator
