// What Switchyard remembers: users, transactions with their attempts, idempotency keys, failed logins.
//
// The store is the truth. A write that succeeded is synced to disk; one that failed changed nothing that was
// acknowledged. Every operation is a coroutine that completes on the caller's thread and never blocks it.
// Implementations are safe to use from several threads and several processes at once.
//
// Errors common to all operations: store_unavailable (nothing was done, and the detail says why) and
// overloaded (a queue is full); of those that write, store_outcome_unknown (it may be done).
//
// A row that cannot be read stops nobody else: see set_aside.hpp. Times that are farther ahead than any
// schedule gives were written while a clock was wrong, and count as now.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/id.hpp"
#include "base/task.hpp"
#include "payment/state_machine.hpp"
#include "store/set_aside.hpp"

namespace switchyard::store {

struct User {
  UserId id;
  std::string username;
  // Argon2id in the PHC string format; the password itself is never stored.
  std::string password_hash;
  bool enabled = true;
};

struct NewUser {
  // Empty: the store gives the next free one.
  std::optional<UserId> id;
  std::string username;
  std::string password_hash;
  bool enabled = true;
};

// Failed logins of one subject (a user's name or a client's address) in its current window.
struct LoginFailures {
  std::int64_t count = 0;
  Timestamp window_ends_at;
};

// A merchant's key for one operation, remembered for ever with what it was first used for.
struct IdempotencyKey {
  std::string key;
  std::string request_fingerprint;
  // What to answer when the same request comes again.
  std::string reply;
};

struct NewTransaction {
  payment::Transaction transaction;
  std::optional<IdempotencyKey> idempotency_key;
};

struct Created {};
struct Replayed {
  TransactionId id;
  std::string reply;
};
using CreateResult = std::variant<Created, Replayed>;

// Which due transactions a worker takes over. While an outside queue hands out the `queued` ones, the store
// hands out what has been started: retries, look-ups and leases that have ended.
enum class Due { all, started };

// What became of one job of a queue outside the store.
struct ClaimedJob {
  // With Action::none if there is nothing for this worker to do: somebody else has it, it is doubled or late.
  payment::Transition transition;
  // Why it was not stored, for whoever enqueued it; `transition` is then the job as it came. Empty otherwise.
  std::string refusal;
};

// How much is left to do, and for whom.
struct Workload {
  // When the transaction that has been due longest became due.
  std::optional<Timestamp> oldest_due;
  // In `manual_review` now, counted up to a bound.
  std::int64_t in_review = 0;
};

struct TransactionWithAttempts {
  payment::Transaction transaction;
  std::vector<payment::Attempt> attempts;
};

struct TransactionFilter {
  std::optional<payment::Status> status;
  std::optional<Currency> currency;
  // Only transactions older than this one.
  std::optional<TransactionId> before;
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

struct MerchantBacklog {
  MerchantId merchant;
  std::int64_t count = 0;
};

// How far the clocks of processes may be apart.
inline constexpr std::chrono::seconds clock_skew_max{60};

class Store {
 public:
  virtual ~Store() = default;

  // Rows that were met lately and cannot be read.
  SetAside::Report set_aside() const { return set_aside_.report(); }

  // Where this object made a store that was not there before, without a password; empty if it opened one.
  const std::string& made_anew() const { return made_anew_; }

  // --- Users -------------------------------------------------------------------------------------

  virtual Task<Result<std::optional<User>>> find_user(std::string username) = 0;
  // At most `limit`, by id, from the first id after `after`.
  virtual Task<Result<std::vector<User>>> list_users(UserId after, std::size_t limit) = 0;
  // already_exists if the name or the id is taken.
  virtual Task<Result<User>> add_user(NewUser user, Timestamp now) = 0;
  // All of them, or none if there is a user already (returns false).
  virtual Task<Result<bool>> import_users(std::vector<NewUser> users, Timestamp now) = 0;
  // not_found if there is no such user.
  virtual Task<Result<void>> set_user_enabled(std::string username, bool enabled) = 0;
  virtual Task<Result<void>> set_password_hash(std::string username, std::string password_hash) = 0;
  // Only if the hash is still `from`; false if it is not, or there is no such user.
  virtual Task<Result<bool>> replace_password_hash(std::string username, std::string from,
                                                   std::string to) = 0;

  // The failures of each subject, in order; a window that has ended, or ends later than one that begins now,
  // counts as zero.
  virtual Task<Result<std::vector<LoginFailures>>> login_failures(std::vector<std::string> subjects,
                                                                  Timestamp now,
                                                                  std::chrono::milliseconds window) = 0;
  virtual Task<Result<void>> record_login_failure(std::vector<std::string> subjects, Timestamp now,
                                                  std::chrono::milliseconds window) = 0;

  // --- Transactions, for merchants ---------------------------------------------------------------

  // The transaction and its key in one commit. Errors: idempotency_key_reused_with_different_body;
  // idempotency_key_in_flight if the first use of the key is not committed yet.
  virtual Task<Result<CreateResult>> create_transaction(NewTransaction transaction) = 0;
  // What an earlier use of the key was answered, nothing if it was never used; the errors are the same. For a
  // request that would be refused if it were new.
  virtual Task<Result<std::optional<Replayed>>> find_reply(MerchantId merchant, std::string key,
                                                           std::string request_fingerprint) = 0;
  // not_found also if it is another merchant's; set_aside if it cannot be read.
  virtual Task<Result<TransactionWithAttempts>> find_transaction(MerchantId merchant, TransactionId id) = 0;
  virtual Task<Result<TransactionPage>> list_transactions(MerchantId merchant, TransactionFilter filter) = 0;

  // --- Transactions, for workers -----------------------------------------------------------------

  // Takes over up to `limit` transactions whose next action is due, oldest first: each is moved by
  // payment::Claimed and committed with its attempt. What a claim returns is this worker's until the lease
  // ends. Due is also what is farther ahead than the policy gives. What cannot be read does not count, up to
  // a bound, and is put off by set_aside_time.
  virtual Task<Result<std::vector<payment::Transition>>> claim_due(std::string psp, Timestamp now,
                                                                   std::size_t limit,
                                                                   payment::RetryPolicy policy, Due due) = 0;
  // Commits what an attempt came to. stale_epoch if the transaction was claimed again in the meantime: then
  // nothing changed, and the result is worthless.
  virtual Task<Result<void>> save_outcome(payment::State state) = 0;

  // --- Transactions, for a queue outside the store -----------------------------------------------

  // Takes over the transactions of these jobs, in whatever order suits the store. One that is `queued` is
  // claimed, due or not; one that the store does not know is stored first, as the job tells it; any other
  // comes back as it is, with Action::none, because a job may be doubled or late;
  // so does one that cannot be read, as the job tells it.
  //
  // A job that the store does not know is refused if its id is another merchant's, if its user is unknown or
  // disabled, or if its amount is above `amount_max`. What is stored was checked when it was accepted.
  virtual Task<Result<std::vector<ClaimedJob>>> claim_jobs(std::string psp,
                                                           std::vector<payment::Transaction> jobs,
                                                           Timestamp now, payment::RetryPolicy policy,
                                                           std::int64_t amount_max) = 0;
  // Up to `limit` transactions that are `queued` and whose next action is due by `due_by`, longest due first,
  // and puts their next action off to `until`: what the outside queue should hold. Also what is due long
  // after `until`. Less than `limit` are all there are.
  virtual Task<Result<std::vector<payment::Transaction>>> lease_queued(Timestamp due_by, Timestamp until,
                                                                       std::size_t limit) = 0;
  // What a worker that is not ours made of a transaction: its claim and its outcome in one commit. There is
  // nobody to ask about an OutcomeUnknown, so that one is for a person. False, and nothing is changed, if
  // that worker has no say any more (payment::may_settle); set_aside if it cannot be read.
  virtual Task<Result<bool>> settle_foreign(MerchantId merchant, TransactionId id, std::string psp,
                                            payment::Event outcome, Timestamp now) = 0;

  // A worker that is not ours has been seen on the queue outside the store: from then on that queue alone
  // hands out what is `queued`, also while it is away. Never forgotten.
  virtual Task<Result<void>> note_foreign_worker(Timestamp now) = 0;
  virtual Task<Result<bool>> has_seen_foreign_worker() = 0;

  virtual Task<Result<Workload>> measure_workload() = 0;
  // Rows with a next action, counted up to `most`.
  virtual Task<Result<std::int64_t>> count_backlog(std::int64_t most) = 0;
  // The same by merchant: those with the most such rows, at most so many merchants.
  virtual Task<Result<std::vector<MerchantBacklog>>> largest_backlogs(std::int64_t most,
                                                                      std::size_t merchants) = 0;

  // --- Health ------------------------------------------------------------------------------------

  // Commits a small write, so that a full disk or a read-only file shows, and looks whether each table can be
  // written that requests and the connector write: that it is there, and that the role may. A trigger that
  // somebody added and that refuses rows does not show.
  virtual Task<Result<void>> check_writable(Timestamp now) = 0;

 protected:
  SetAside set_aside_;
  std::string made_anew_;
};

}  // namespace switchyard::store
