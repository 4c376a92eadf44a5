// Tells Redis of new transactions, behind the back of whoever made them.
//
// enqueue() never waits and never fails: what cannot be enqueued now is enqueued by the sweep, because the
// store holds it. One script enqueues a batch, and only the jobs that Redis does not know: nobody can double
// one.
#pragma once

#include <atomic>
#include <mutex>
#include <vector>

#include "payment/transaction.hpp"
#include "redis/client.hpp"
#include "rq/troubles.hpp"
#include "telemetry/log.hpp"
#include "telemetry/log_throttle.hpp"
#include "telemetry/metrics.hpp"

namespace switchyard::rq {

// One step in Redis for all of them; gives how many were not known and are now in the queue.
Task<Result<std::int64_t>> enqueue(redis::Client& client, std::vector<payment::Transaction> transactions,
                                   Timestamp now, redis::Deadline deadline);

class Enqueuer {
 public:
  // Works on the executor of the client.
  Enqueuer(Executor executor, redis::Client& client, telemetry::Metrics& metrics, Log& log,
           const Clock& clock);

  // From any thread.
  void enqueue(const payment::Transaction& transaction);

  // On the executor: until stop(); enqueues what is waiting then.
  Task<void> run();
  void stop();

  // From any thread: why the last batch could not be enqueued; empty if it could, or
  // if that was a while ago.
  std::string trouble() const { return troubles_.text(); }

 private:
  std::vector<payment::Transaction> take_batch();

  Executor executor_;
  redis::Client& client_;
  Log& log_;
  LogThrottle failures_;
  const Clock& clock_;
  prometheus::Counter& enqueued_;
  prometheus::Counter& left_to_the_sweep_;
  prometheus::Gauge& last_enqueued_at_;
  Troubles troubles_;
  Event work_;
  std::atomic<bool> told_{false};
  bool stopping_ = false;
  std::mutex mutex_;
  std::vector<payment::Transaction> waiting_;
};

}  // namespace switchyard::rq
