// Keeps Redis in step with the store, which is the truth.
//
// Each second whoever holds the lock in Redis, one process of all, takes the transactions that should have
// been worked off by now and compares them with their jobs: what Redis has lost is enqueued again; what a
// worker that is not ours has finished or failed is written down, before anything is enqueued, also when it
// finishes later what it failed; what such a worker began and left is for a person. After a new or an emptied
// Redis all queued transactions are compared at once.
//
// Belongs to the thread of its executor, as its client does.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "redis/client.hpp"
#include "rq/foreign_failures.hpp"
#include "rq/janitor.hpp"
#include "rq/job_state.hpp"
#include "rq/queue_look.hpp"
#include "rq/troubles.hpp"
#include "store/store.hpp"
#include "telemetry/log.hpp"
#include "telemetry/log_throttle.hpp"
#include "telemetry/metrics.hpp"

namespace switchyard::rq {

struct SweepSettings {
  // How long a new transaction may stay queued before it is compared with Redis, and again each time.
  std::chrono::milliseconds delay{30'000};
};

// The PSP of an authorization that a worker made that is not ours.
inline constexpr std::string_view foreign_worker = "rq-worker";

class Sweep {
 public:
  Sweep(const SweepSettings& settings, Executor executor, redis::Client& client, store::Store& store,
        telemetry::Metrics& metrics, Log& log, const Clock& clock);

  // Until stop().
  Task<void> run();
  void stop();

  // One turn: true if this process has the lock and all went well.
  Task<bool> take_turn();

  // From any thread: what the last turn could not do; empty if nothing.
  std::string trouble() const { return troubles_.text(); }

  // Before a new connection is used to enqueue: a worker that is not ours and listens already is noted in the
  // store, because from then on only Redis may hand out what is queued. Who cannot look does not enqueue.
  Task<Result<void>> look_before_use(redis::Connection& connection);

 private:
  using Page = std::vector<payment::Transaction>;

  // What one turn learns of Redis once, when it first needs it.
  struct Snapshot {
    std::optional<std::unordered_set<std::string>> listed;
    std::optional<std::unordered_map<std::string, Timestamp>> started;
  };

  // The transactions of a page by what is to be done about them.
  struct Plan {
    Page enqueue;
    Page look_for;
    Page look_for_again;
    Page start_anew;
    Page captured;
    Page failed;
    Page out_of_hand;
  };

  Task<Result<bool>> turn();
  Task<Result<void>> look();
  Task<Result<void>> note(const QueueLook& look);
  Task<Result<bool>> hold_lock();
  Task<Result<void>> tidy_up();
  Task<Result<bool>> is_new_redis();
  Task<Result<void>> compare_all(Timestamp now);
  Task<Result<void>> compare_due(Timestamp now);
  // Those that are queued and due by `due_by`, or long after `until`: from here on they count as due since
  // `until`. Less than a page are all there are.
  Task<Result<Page>> lease_queued(Timestamp due_by, Timestamp until);
  // How many of the page Redis had lost.
  Task<Result<std::size_t>> compare(Page page, Snapshot& snapshot);
  Task<Result<Plan>> plan(Page page, Snapshot& snapshot);
  Task<Result<void>> settle(Plan& plan);
  Task<Result<void>> settle_one(MerchantId merchant, TransactionId id, payment::Elsewhere outcome);
  // What was failed, and tried again with success.
  Task<Result<void>> settle_requeued();
  Task<Result<void>> settle_failed(const payment::Transaction& transaction);
  Task<Result<std::string>> read_exc_info(const std::string& id);
  Task<Result<std::size_t>> enqueue_lost(Page lost);
  Task<Result<void>> forget(const Page& page);
  Task<Result<Page>> still_queued(Page page);
  Task<Result<void>> push_missing(Page look_for, Page missed_before, Snapshot& snapshot);
  Task<Result<void>> read_listed(Snapshot& snapshot);
  Task<Result<void>> read_started(Snapshot& snapshot);

  redis::Deadline deadline() const;

  const SweepSettings settings_;
  redis::Client& client_;
  store::Store& store_;
  Log& log_;
  LogThrottle failures_;
  const Clock& clock_;
  prometheus::Counter& enqueued_;
  prometheus::Counter& settled_;
  prometheus::Gauge& jobs_;
  prometheus::Gauge& oldest_job_age_;
  Troubles troubles_;
  bool noted_foreign_worker_ = false;
  // This process, as the lock's owner.
  const std::string owner_;
  Janitor janitor_;
  ForeignFailures foreign_failures_;
  std::chrono::steady_clock::time_point next_tidying_{};
  Event stop_;
  bool stopping_ = false;
  bool compare_all_pending_ = false;
};

}  // namespace switchyard::rq
