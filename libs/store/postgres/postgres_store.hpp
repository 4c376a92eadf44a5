// The store in PostgreSQL 15 or newer, for any number of processes on any number of machines.
//
// All connections live on one thread of the store's own. Commits that wait at the same time become one
// statement for each table, in one commit, and so do transactions that are taken by name; what cannot be
// batched takes a connection of its own. What
// merchants read has half of the connections at most, and merchants take turns; what logins read has a
// quarter of its own. So neither lists nor logins keep the others, or writes and claims, from a connection.
//
// A connection that is lost leaves open whether the last commit was done. Every write here that may be
// acknowledged is therefore one that can be sent again: it finds its own rows, changes nothing twice, and
// reads back what is there; but for take(), whose request is known by its key when it comes again. What stays
// open at the deadline is store_outcome_unknown; store_unavailable and overloaded are said only where nothing
// was done.
#pragma once

#include "base/io_threads.hpp"
#include "postgres/batcher.hpp"
#include "postgres/pool.hpp"
#include "postgres/turns.hpp"
#include "store/opening.hpp"
#include "store/store.hpp"

namespace switchyard::store {

class Retries;

class PostgresStore final : public Store {
 public:
  // Connects and migrates, as `opening` says; waits a while for a server that is starting. Throws
  // std::runtime_error with a line for the operator, which never holds the URL's password.
  explicit PostgresStore(const std::string& url, Opening opening = Opening::migrate);
  // Nothing may be under way any more.
  ~PostgresStore() override;

  Task<Result<std::optional<User>>> find_user(std::string username) override;
  Task<Result<std::vector<User>>> find_users(std::vector<UserId> ids) override;
  Task<Result<std::vector<User>>> list_users(UserId after, std::size_t limit) override;
  Task<Result<User>> add_user(NewUser user, Timestamp now) override;
  Task<Result<bool>> import_users(std::vector<NewUser> users, Timestamp now) override;
  Task<Result<void>> set_user_enabled(std::string username, bool enabled) override;
  Task<Result<void>> set_password_hash(std::string username, std::string password_hash) override;
  Task<Result<bool>> replace_password_hash(std::string username, std::string from, std::string to) override;
  Task<Result<std::vector<LoginFailures>>> login_failures(std::vector<std::string> subjects, Timestamp now,
                                                          std::chrono::milliseconds window) override;
  Task<Result<void>> record_login_failure(std::vector<std::string> subjects, Timestamp now,
                                          std::chrono::milliseconds window) override;

  Task<Result<payment::State>> find_transaction(MerchantId merchant, TransactionId id) override;
  Task<Result<TransactionPage>> list_transactions(MerchantId merchant, TransactionFilter filter) override;
  Task<Result<AttemptPage>> list_attempts(AttemptRange range, std::size_t limit) override;
  Task<Result<RecentAttempts>> list_recent_attempts(TransactionId first, std::size_t limit) override;
  Task<Result<Owners>> find_owners(std::vector<TransactionId> ids) override;
  Task<Result<std::optional<MerchantId>>> next_merchant(MerchantId least) override;

  Task<Result<void>> add_psp_events(PspEvents events) override;
  Task<Result<PspEvents>> take_psp_events(Timestamp by, Timestamp until, std::size_t limit) override;
  Task<Result<void>> end_psp_events(PspEvents events) override;
  Task<Result<std::vector<std::optional<Owner>>>> find_psp_payments(
      std::vector<PspPayment> payments) override;

  Task<Result<Workload>> measure_workload() override;
  Task<Result<std::int64_t>> count_backlog(std::int64_t most) override;
  Task<Result<Backlogs>> largest_backlogs(std::int64_t most, std::size_t merchants) override;
  Task<Result<void>> note_foreign_worker(Timestamp now) override;
  Task<Result<bool>> has_seen_foreign_worker() override;

  Task<Result<void>> check_writable(Timestamp now) override;

 private:
  using Statements = std::vector<postgres::Statement>;
  using RowSets = std::vector<postgres::Rows>;
  template <class T>
  using Results = std::vector<Result<T>>;
  class Taking;
  class StateTaking;
  class DueTaking;
  class NamedTaking;
  class PspEventTaking;
  // NamedWork, and who decides about it.
  struct NamedTake {
    NamedWork work;
    Decide decide;
  };

  // --- On the store's own thread ---

  // What statements do, and so what becomes of them while it is not known whether they were done. What was
  // certainly not done is sent again in any case, if another try may succeed.
  enum class Effect {
    none,        // they only read: nothing that could be done
    repeatable,  // sent again, they find their own rows
    once,        // sent again, they would do it twice
  };
  // Runs the statements as one transaction. A failure of kind unknown is one of the whole: no try is known to
  // have been done, and one may have been.
  // `is_repeated`, if given, becomes whether an earlier try may have been done when the last one was sent.
  Task<postgres::Outcome<RowSets>> execute(Statements statements, Effect effect, bool* is_repeated = nullptr);
  Task<postgres::Outcome<RowSets>> try_once(Statements statements, postgres::Deadline connect_by,
                                            postgres::Deadline deadline);

  // A batch each, as one transaction.
  Task<postgres::Outcome<Results<Committed>>> create(const std::vector<Change>& changes);
  Task<postgres::Outcome<Results<Committed>>> save(const std::vector<Change>& changes);
  Task<postgres::Outcome<Results<Takens>>> take_together(const std::vector<NamedTake>& takes);
  // Each call's events, of which there may be none.
  Task<postgres::Outcome<Results<void>>> add_events(const std::vector<PspEvents>& calls);
  Task<postgres::Outcome<Results<void>>> end_events_of(const std::vector<PspEvents>& calls);
  // One of those as a batcher's work: a batch that the server refuses for what is in it is done one by
  // one, so that one operation does not take its neighbours with it.
  template <class Input, class Output>
  auto together_or_alone(
      Task<postgres::Outcome<Results<Output>>> (PostgresStore::*together)(const std::vector<Input>&));

  // Locks rows, has them decided about and commits that. Locks end with the transaction, whatever happens to
  // this process.
  Task<std::optional<postgres::Failure>> run_taking(Taking& taking);
  Task<std::optional<postgres::Failure>> try_taking(Taking& taking, const Retries& retries);

  // --- On the caller's thread ---

  Task<Result<Committed>> write(Change change) override;
  Task<Result<Takens>> take_due(DueWork work, Decide decide) override;
  Task<Result<Takens>> take_named(NamedWork work, Decide decide) override;
  Task<Result<Used>> read_reply(MerchantId merchant, IdempotencyKey key) override;

  // False if it has changed nobody.
  Task<Result<bool>> change_user(std::string username, postgres::Statement update);
  // One statement, whose rows `read` turns into a Result<T>; or Statements as one transaction, whose RowSets
  // it turns into one.
  template <class T, class Asked, class Read>
  Task<Result<T>> query(Asked asked, Effect effect, Read read);
  // The same for what only reads, when it is this asker's turn.
  template <class T, class Asked, class Read>
  Task<Result<T>> query_in_turn(postgres::Turns& turns, std::int64_t asker, Asked asked, Read read);
  // A callable for them.
  template <class T, class Asked, class Read>
  auto transaction_of(Asked asked, Effect effect, Read read);

  IoThreads thread_{1, "store"};
  postgres::Pool pool_;
  TaskGroup tasks_;
  postgres::Batcher<Change, Committed> creations_;
  postgres::Batcher<Change, Committed> creations_with_keys_;
  postgres::Batcher<Change, Committed> answers_;
  postgres::Batcher<NamedTake, Takens> takes_;
  postgres::Batcher<PspEvents, void> event_additions_;
  postgres::Batcher<PspEvents, void> event_ends_;
  postgres::Turns logins_;
  postgres::Turns merchants_;
  // For what is neither a batch's nor theirs.
  postgres::Turns others_;
};

}  // namespace switchyard::store
