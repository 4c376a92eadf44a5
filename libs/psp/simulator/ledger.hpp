// The simulated PSP's own book, in a SQLite file of its own: what it did, whatever Switchyard believes.
//
// What comes to something by itself when a time is over (Later) does so when the book is next looked into.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/task.hpp"
#include "psp/simulator/book.hpp"
#include "psp/simulator/ledger_rows.hpp"
#include "psp/simulator/outcomes.hpp"
#include "sqlite/lane.hpp"

namespace switchyard::psp::simulator {

template <class Entry>
struct Booked {
  Entry entry;
  // Whether this call booked it.
  bool is_new = false;
};

struct BookedOperation {
  // Nothing: the behaviour books nothing.
  std::optional<Booked<Operation>> booked;
  Behaviour behaviour;
};

struct ListedCharge {
  Charge charge;
  // In the order in which they came, operations_listed_max at most; `more`: and some that are not listed.
  std::vector<Operation> operations;
  bool more = false;
};

inline constexpr std::size_t operations_listed_max = 100;

// What there is under one reference: how many charges, and what they came to in minor units.
struct ChargeCount {
  std::string reference;
  std::int64_t charges = 0;
  std::int64_t approved = 0;
  std::int64_t captured_minor = 0;
  std::int64_t refunded_minor = 0;
  std::int64_t voided_minor = 0;
};

class Ledger {
 public:
  // in_process: survives the death of the process, not of the machine; a key counts below its reference.
  // program: on the disk before the answer; a key counts by itself, whatever it was sent for, as with a real
  // PSP.
  enum class Use { in_process, program };

  // What a request on the charge of this reference meets. Called on the ledger's thread.
  using BehaviourFor = std::function<Behaviour(std::string_view reference)>;

  // `more_tables`: of whoever keeps more in the same file (ledger_rows.hpp). Throws DatabaseError with a line
  // for the operator.
  explicit Ledger(const std::string& path, Use use = Use::in_process, const char* more_tables = nullptr);

  // `work` is a callable Result<T>(LedgerRows&, sqlite::Database&), done in one commit on the ledger's
  // thread, perhaps twice: it takes nothing apart. Errors: its own, and store_unavailable as below.
  template <class T, class Work>
  Task<Result<T>> transact(Work work) {
    auto with_rows = [work = std::move(work), use = use_](sqlite::Database& database) -> Result<T> {
      LedgerRows rows(database, use == Use::program);
      return work(rows, database);
    };
    return lane_.run<T>(std::move(with_rows));
  }

  // Books the charge, ended as the behaviour says, unless there is one with its key already; gives what the
  // book says then, and nothing if nothing is booked.
  // Errors: idempotency_key_reused_with_different_body, where both fingerprints are known; store_unavailable,
  // and nothing is booked, also while the file is not at its path any more.
  Task<Result<std::optional<Booked<Charge>>>> book(Charge charge, Behaviour behaviour, Timestamp now);

  // Books an operation on the charge with its charge_key (in_process: and its reference) in the same way. One
  // that the charge does not allow is booked as declined with the code of why_refused: what was refused once
  // is refused whenever it comes.
  // Errors as above, and not_found: there is no such charge; invalid_argument: another currency than its.
  Task<Result<BookedOperation>> operate(Operation wanted, BehaviourFor behaviour_for, Timestamp now);

  // In the order of their keys.
  Task<Result<std::vector<ListedCharge>>> list(std::string reference, std::size_t limit, Timestamp now);
  // `reference` counts in_process only.
  Task<Result<std::optional<Operation>>> find_operation(std::string reference, std::string key,
                                                        Timestamp now);
  // In the order of the references, from the first one behind `after`.
  Task<Result<std::vector<ChargeCount>>> count(std::string after, std::size_t limit, Timestamp now);

 private:
  const Use use_;
  sqlite::Lane lane_;
};

}  // namespace switchyard::psp::simulator
