// The store in one SQLite file: write-ahead log, synchronous=FULL, one writing thread with group commit, and
// reading threads beside it: one for logins, which nobody's lists can hold up, and one for merchants, who
// take turns. Several processes may share the file on one machine.
#pragma once

#include "sqlite/lane.hpp"
#include "sqlite/read_lane.hpp"
#include "store/opening.hpp"
#include "store/store.hpp"

namespace switchyard::store {

class SqliteStore final : public Store {
 public:
  // Opens the file, or creates it and its folder, and migrates it, as `opening` says. Throws
  // sqlite::DatabaseError with a line for the operator if the file is damaged, read-only, another program's,
  // of a version that does not suit, or not there.
  explicit SqliteStore(const std::string& path, Opening opening = Opening::migrate);

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

  Task<Result<void>> note_foreign_worker(Timestamp now) override;
  Task<Result<bool>> has_seen_foreign_worker() override;

  Task<Result<Workload>> measure_workload() override;
  Task<Result<std::int64_t>> count_backlog(std::int64_t most) override;
  Task<Result<Backlogs>> largest_backlogs(std::int64_t most, std::size_t merchants) override;

  Task<Result<void>> check_writable(Timestamp now) override;

 private:
  // In the line of the merchants; no merchant has this id.
  static constexpr std::int64_t ourselves = -1;

  Task<Result<Committed>> write(Change change) override;
  Task<Result<Takens>> take_due(DueWork work, Decide decide) override;
  Task<Result<Takens>> take_named(NamedWork work, Decide decide) override;
  Task<Result<Used>> read_reply(MerchantId merchant, IdempotencyKey key) override;

  // Migrates before the readers open the file.
  sqlite::Lane writer_;
  sqlite::ReadLane logins_;
  sqlite::ReadLane merchants_;
};

}  // namespace switchyard::store
