// What Switchyard remembers: transactions with their operations, and idempotency keys. (Users: users.hpp;
// what PSPs have said by themselves: psp_events.hpp.)
//
// The store is the truth. A write that succeeded is synced to disk; one that failed changed nothing that was
// acknowledged. Every operation is a coroutine that completes on the caller's thread and never blocks it.
// Implementations are safe to use from several threads and several processes at once.
//
// There are two writes of them. commit() stores what its caller has decided, if nobody else has changed the
// transaction since: a new one, or the answer to a claim. take() locks transactions, lets a pure function
// decide about each, and stores that: claims, and what merchants ask for. What is decided is the domain's
// (payment/); no rule of it is in the store.
//
// Errors common to all: store_unavailable (nothing was done, and the detail says why) and overloaded (a queue
// is full); of those that write, store_outcome_unknown (it may be done).
//
// A row that cannot be read stops nobody else: see set_aside.hpp. Times that are farther ahead than any
// schedule gives were written while a clock was wrong, and count as now.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/id.hpp"
#include "base/task.hpp"
#include "payment/request.hpp"
#include "payment/state_machine.hpp"
#include "store/attempts.hpp"
#include "store/keys_in_flight.hpp"
#include "store/psp_events.hpp"
#include "store/set_aside.hpp"
#include "store/users.hpp"

namespace switchyard::store {

// --- commit ------------------------------------------------------------------------------------

// One transaction as it is to be, with all its operations: a new one, or what one answer has made of a
// claimed one. Of that, the operations are written that an answer may change (changed.hpp).
struct Change {
  payment::State state;
  // Whether the transaction is new: it is stored unless one of its id is there. Otherwise it is stored if its
  // version is the one in `state`.
  bool is_new = false;
  // With a new one: stored in the same commit, with `reply`: what to answer when the request comes again.
  std::optional<IdempotencyKey> key{};
  std::string reply{};
};

struct Done {};
// The key was used before, for the same request.
struct Replayed {
  TransactionId id;
  std::string reply;
};
// What a key was used for, if it was; idempotency_key_reused_with_different_body.
using Used = std::optional<Result<Replayed>>;
// Somebody else has changed it, or stored it first: nothing was done.
struct Stale {};
using Committed = std::variant<Done, Replayed, Stale>;

// --- take --------------------------------------------------------------------------------------

// Up to `limit` transactions whose next action is due by `by`, longest due first, and those whose next action
// is later than `ahead`: they were put off by a clock that was wrong. What is decided about one puts its next
// action off, or the next to ask is given it, too. What cannot be read does not count, up to a bound, and is
// put off by set_aside_time.
struct DueWork {
  // `queued`: what nobody has claimed yet. `started`: the rest, which is retries, look-ups, later operations
  // and leases that have ended.
  enum class Which { all, started, queued };

  Timestamp by;
  Timestamp ahead;
  std::size_t limit = 1;
  Which which = Which::all;
};

// Transactions by name, each once; the results are in this order.
struct NamedWork {
  struct One {
    MerchantId merchant;
    TransactionId id;
    // Of the request that takes it: if it was used before, nothing is decided and the first reply is given.
    std::optional<IdempotencyKey> key{};
  };
  std::vector<One> all;
};
using Work = std::variant<DueWork, NamedWork>;

// What was decided about one transaction.
struct Decided {
  payment::Step step;
  // False: it was only looked at.
  bool is_changed = true;
  // Stored with the request's key.
  std::string reply{};
};

// Pure, on whatever thread, and perhaps more than once for one transaction: only the last result counts.
// A refusal changes nothing, and its key stays free.
using Decide = std::function<std::expected<Decided, payment::Refusal>(payment::State state)>;

// Of NamedWork also the errors not_found (also if it is another merchant's), set_aside,
// idempotency_key_reused_with_different_body, and idempotency_key_in_flight.
using Taken = std::variant<Decided, Replayed, payment::Refusal, Error>;
using Takens = std::vector<Taken>;

// Of a key that was used before.
inline Taken taken_of(Result<Replayed> used) {
  return used ? Taken(std::move(*used)) : Taken(std::move(used.error()));
}

// --- Reads -------------------------------------------------------------------------------------

struct TransactionFilter {
  std::optional<payment::Status> status{};
  std::optional<Currency> currency{};
  // The merchant's own; empty: whatever it is.
  std::string reference{};
  // Created at or after the first, and before the second.
  std::optional<Timestamp> created_from{};
  std::optional<Timestamp> created_to{};
  // Only transactions older than this one.
  std::optional<TransactionId> before{};
  std::size_t limit = 50;
};

// A page costs what it shows: it looks at this many rows at most, whatever they are filtered by.
inline constexpr std::int64_t rows_of_a_page_max = 1'000;

// Newest first. It may hold fewer than `limit` items, or none, although there are more: `next` is empty only
// at the end. Rows that were set aside are left out.
struct TransactionPage {
  std::vector<payment::Transaction> items;
  std::optional<TransactionId> next;
};

// How much is left to do, and for whom.
struct Workload {
  // When the transaction that has been due longest became due; and of what has been started.
  std::optional<Timestamp> oldest_due{};
  std::optional<Timestamp> oldest_started{};
  // In `manual_review` now, counted up to a bound.
  std::int64_t in_review = 0;
  // By the store's own clock, where it may be another machine's.
  std::optional<Timestamp> now{};
};

struct MerchantBacklog {
  MerchantId merchant;
  std::int64_t count = 0;
};

using Backlogs = std::vector<MerchantBacklog>;

using Owners = std::vector<std::pair<TransactionId, MerchantId>>;

// How far the clocks of processes may be apart.
inline constexpr std::chrono::seconds clock_skew_max{60};

class Store : public Users {
 public:
  // Rows that were met lately and cannot be read.
  SetAside::Report set_aside() const { return set_aside_.report(); }

  // Where this object made a store that was not there before, without a password; empty if it opened one.
  const std::string& made_anew() const { return made_anew_; }

  // Random, made with the store and carried by every copy and backup of it.
  const std::string& installation() const { return installation_; }

  // Errors of a change with a key: idempotency_key_reused_with_different_body; idempotency_key_in_flight if
  // the first use of the key is not committed yet.
  Task<Result<Committed>> commit(Change change);
  Task<Result<Takens>> take(Work work, Decide decide);

  // What an earlier use of the key was answered, nothing if it was never used; the errors are those of
  // commit(). For a request that would be refused if it were new.
  Task<Result<std::optional<Replayed>>> find_reply(MerchantId merchant, IdempotencyKey key);
  // not_found also if it is another merchant's; set_aside if it cannot be read.
  virtual Task<Result<payment::State>> find_transaction(MerchantId merchant, TransactionId id) = 0;
  virtual Task<Result<TransactionPage>> list_transactions(MerchantId merchant, TransactionFilter filter) = 0;
  // At most `limit` rows are looked at, one at least.
  virtual Task<Result<AttemptPage>> list_attempts(AttemptRange range, std::size_t limit) = 0;
  // Of the newest payments by their ids, those before `first` left out: at most `limit` payments, one at
  // least, whatever else is stored.
  virtual Task<Result<RecentAttempts>> list_recent_attempts(TransactionId first, std::size_t limit) = 0;
  // Whose they are, of those that there are, in no order. For jobs of an outside queue.
  virtual Task<Result<Owners>> find_owners(std::vector<TransactionId> ids) = 0;
  // Of the merchants that have a transaction, the one with the lowest id that is not below this one; nothing
  // if there is none. Not each is a user here.
  virtual Task<Result<std::optional<MerchantId>>> next_merchant(MerchantId least) = 0;

  // Those whose account and event are not there yet, in one commit.
  virtual Task<Result<void>> add_psp_events(PspEvents events) = 0;
  // Up to `limit` that are due by `by`, longest due first, with one more try; each is due again at `until`,
  // unless it is ended before that. What cannot be read does not count, and is put off by set_aside_time.
  virtual Task<Result<PspEvents>> take_psp_events(Timestamp by, Timestamp until, std::size_t limit) = 0;
  // Writes due_at and result.
  virtual Task<Result<void>> end_psp_events(PspEvents events) = 0;
  // In this order; nothing for what no authorization is called. A simulated PSP's names are not found, and no
  // key of what is on its way.
  virtual Task<Result<std::vector<std::optional<Owner>>>> find_psp_payments(
      std::vector<PspPayment> payments) = 0;

  virtual Task<Result<Workload>> measure_workload() = 0;
  // Rows with a next action, counted up to `most`.
  virtual Task<Result<std::int64_t>> count_backlog(std::int64_t most) = 0;
  // The same by merchant: those with the most such rows, at most so many merchants.
  virtual Task<Result<Backlogs>> largest_backlogs(std::int64_t most, std::size_t merchants) = 0;

  // A worker that is not ours has been seen on the queue outside the store: from then on that queue alone
  // hands out what is `queued`, also while it is away. Never forgotten.
  virtual Task<Result<void>> note_foreign_worker(Timestamp now) = 0;
  virtual Task<Result<bool>> has_seen_foreign_worker() = 0;

  // Commits a small write, so that a full disk or a read-only file shows, and looks whether each table can be
  // written that requests and the connector write: that it is there, and that the role may. A trigger that
  // somebody added and that refuses rows does not show.
  virtual Task<Result<void>> check_writable(Timestamp now) = 0;

 protected:
  // commit(), take() and find_reply(), where no use of the same key is in flight in this process.
  virtual Task<Result<Committed>> write(Change change) = 0;
  virtual Task<Result<Takens>> take_due(DueWork work, Decide decide) = 0;
  virtual Task<Result<Takens>> take_named(NamedWork work, Decide decide) = 0;
  virtual Task<Result<Used>> read_reply(MerchantId merchant, IdempotencyKey key) = 0;

  SetAside set_aside_;
  std::string made_anew_;
  std::string installation_;

 private:
  Task<Result<Committed>> write_with_key(Change change);
  Task<Result<Takens>> take_with_keys(NamedWork work, Decide decide);

  KeysInFlight keys_in_flight_;
};

}  // namespace switchyard::store
