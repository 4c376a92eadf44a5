// A worker of RQ: takes jobs from Redis, has them worked off at the bench, and keeps RQ's books.
//
// Redis is a hint. The store decides who works on what: a job that is doubled, late or stale is dropped when
// its transaction is claimed. Books that cannot be written are written later or not at all, and nothing else
// depends on them.
//
// Lives on the bench's thread. Each wait of Redis' own (for a job, for messages) has a connection to itself.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.hpp"
#include "base/task_group.hpp"
#include "redis/client.hpp"
#include "redis/url.hpp"
#include "rq/books.hpp"
#include "rq/job_claims.hpp"
#include "rq/troubles.hpp"
#include "telemetry/log.hpp"
#include "telemetry/log_throttle.hpp"
#include "telemetry/metrics.hpp"

namespace switchyard::rq {

struct WorkerSettings {
  redis::Url url;
  // How long a claim holds, which is how long RQ is told that a job is being worked on.
  std::chrono::milliseconds lease;
  // MAX_AMOUNT: of jobs that are not in the store yet.
  std::int64_t amount_max = 0;
  // How long Redis may be away before what is queued is taken from the store.
  std::chrono::milliseconds take_over_after;
};

class Worker {
 public:
  // From here on the bench looks into the store only for what has been started. `on_shutdown` is called when
  // somebody tells the worker to stop, as `rq` can.
  Worker(const WorkerSettings& settings, Executor executor, store::Store& store, Workbench bench,
         telemetry::Metrics& metrics, Log& log, const Clock& clock, std::function<void()> on_shutdown);
  ~Worker();

  // Takes jobs until stop(). Behind it the bench may still be working.
  Task<void> run();
  void stop();
  // When the bench has ended: writes what is left to the books, signs off and closes the connections.
  Task<void> sign_off();

 private:
  // A job as take_script() gives it.
  struct Entry {
    std::string id;
    bool has_payload = false;
    std::string payload;
    std::string status;
    std::string created_at;
    // Of RQ's, but not of ours.
    std::string asks_for;
    // A worker is written down as having begun it.
    bool is_begun = false;
    KeptFor kept_for;
  };
  // Taken out of the lists and left as it is: what is written down of it is the only word on what happened.
  struct LeftJob {
    std::string id;
    // For people.
    std::string why;
    // In RQ's books such a job is among the failed ones.
    bool is_failed = false;
  };
  struct Batch {
    std::vector<payment::Transaction> jobs;
    std::vector<RejectedJob> rejected;
    std::vector<LeftJob> left;
  };

  redis::Client::Callbacks command_callbacks();
  redis::Client::Callbacks subscription_callbacks();
  void on_message(const redis::Reply& message);
  Task<Result<void>> introduce(redis::Connection& connection);

  // LMOVE keeps what is taken in the intermediate list. A full Redis refuses it, but not LPOP, or it would
  // stay full.
  std::string_view way_to_take() const;
  Task<bool> take_some();
  // An empty one if none came in time.
  Task<Result<std::string>> wait_for_one(std::string_view way);
  Task<void> work_off(std::vector<Entry> entries, std::string_view way);
  void note_suspended(bool suspended);
  Batch sort(std::vector<Entry> entries);
  // Whether the entry is nothing to work off, which is then in the batch.
  static bool move_unfit(Entry& entry, Batch& batch);
  // Begins those that are ours.
  Task<JobClaims> claim(std::vector<payment::Transaction> jobs);
  // Whether the store refused the job, which is then among the batch's rejected ones.
  bool move_refused(ClaimedJob& job, Batch& batch);
  Task<void> give_back(const std::vector<payment::Transaction>& jobs, std::string_view way);
  Task<void> write_begun(const std::vector<ClaimedJob>& claimed);
  Task<void> write_refused(const std::vector<RejectedJob>& rejected);
  Task<void> write_left(const std::vector<LeftJob>& left);
  void note(const payment::State& state);
  Task<void> keep_books();
  Task<bool> write_ended();
  Task<void> write_still_open();
  Task<void> beat();
  // While Redis is away: the store takes over, or health says why payments wait.
  Task<void> look_after_queued();
  // The store hands out what is queued, too, until leave(). But not if a worker that is not ours was ever
  // seen on the queue: it may hold any of them, and asks nobody. Then the result is false.
  Task<Result<bool>> take_over();
  void leave();
  Task<void> pause(std::chrono::milliseconds duration);
  // `what` is a word of the metrics, `words` are for people.
  void tell(std::string_view what, std::string_view words, const Error& error);
  void works(std::string_view what);

  const WorkerSettings settings_;
  Executor executor_;
  store::Store& store_;
  const Workbench bench_;
  Log& log_;
  LogThrottle failures_;
  LogThrottle rejections_;
  LogThrottle wishes_;
  LogThrottle leavings_;
  const Clock& clock_;
  const std::function<void()> on_shutdown_;
  WorkerIdentity identity_;
  prometheus::Counter& taken_;
  prometheus::Counter& rejected_;
  prometheus::Counter& left_;
  redis::Client commands_;
  redis::Client blocking_;
  redis::Client subscription_;
  Troubles troubles_;
  // Since when there has been no connection.
  std::optional<std::chrono::steady_clock::time_point> away_since_;
  bool taken_over_ = false;
  // From Redis 6.2 on.
  bool has_lmove_ = true;
  // Until then it is not asked to hold more: it only takes what makes it smaller.
  std::chrono::steady_clock::time_point full_until_{};
  bool suspended_ = false;
  // Jobs in batches that are not claimed yet.
  std::size_t on_their_way_ = 0;
  std::unordered_map<std::string, KeptFor> kept_for_;
  std::deque<EndedJob> ended_;
  std::vector<payment::Transaction> still_open_;
  Event room_;
  Event to_write_;
  Event beat_stop_;
  TaskGroup batches_;
  TaskGroup books_;
  bool stopping_ = false;
  bool signing_off_ = false;
};

}  // namespace switchyard::rq
