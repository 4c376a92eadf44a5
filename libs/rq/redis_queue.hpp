// The queue in Redis, for a process that puts transactions into it: a connection, new jobs, and the sweep.
//
// A hint, as every queue here: nothing that is asked of it waits for Redis or fails with it.
#pragma once

#include <future>
#include <optional>
#include <string>

#include "base/environment.hpp"
#include "base/io_threads.hpp"
#include "redis/url.hpp"
#include "rq/enqueuer.hpp"
#include "rq/sweep.hpp"

namespace switchyard::rq {

struct RedisSettings {
  redis::Url url;
  SweepSettings sweep;
};

// REDIS_URL and QUEUE_SWEEP_SECONDS; nothing if REDIS_URL is not set. Throws ConfigError.
std::optional<RedisSettings> read_redis_settings(const Environment& environment);

class RedisQueue {
 public:
  // Works on the first of `threads`, which has nothing else to do that must not wait: a look at all of Redis
  // takes its time. What it is given outlives it.
  RedisQueue(const RedisSettings& settings, IoThreads& threads, store::Store& store,
             telemetry::Metrics& metrics, Log& log, const Clock& clock);
  ~RedisQueue();

  void start();
  // Enqueues what is waiting, if Redis takes it. Blocks.
  void stop();

  // From any thread.
  void enqueue(const payment::Transaction& transaction) { enqueuer_.enqueue(transaction); }
  // Empty while Redis is there and takes what it is given; else what is wrong. From any thread.
  std::string trouble() const;

 private:
  redis::Client::Callbacks callbacks(const std::string& url);

  IoThreads& threads_;
  Log& log_;
  prometheus::Gauge& connected_;
  redis::Client client_;
  Enqueuer enqueuer_;
  Sweep sweep_;
  TaskGroup tasks_;
  bool started_ = false;
  Troubles troubles_;
};

}  // namespace switchyard::rq
