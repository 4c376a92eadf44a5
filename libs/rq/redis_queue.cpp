#include "rq/redis_queue.hpp"

#include <fmt/format.h>

namespace switchyard::rq {

std::optional<RedisSettings> read_redis_settings(const Environment& environment) {
  const auto url = environment.find("REDIS_URL");
  // Read in any case, so that a wrong one shows.
  const SweepSettings sweep{environment.seconds("QUEUE_SWEEP_SECONDS", 30, 1, 3'600)};
  if (!url) return std::nullopt;
  return RedisSettings{redis::parse_url(*url), sweep};
}

RedisQueue::RedisQueue(const RedisSettings& settings, IoThreads& threads, store::Store& store,
                       telemetry::Metrics& metrics, Log& log, const Clock& clock)
    : threads_(threads),
      log_(log),
      connected_(metrics.gauge("switchyard_redis_connected", "1 while there is a connection to Redis.")),
      client_(threads.executor(0), settings.url, callbacks(settings.url.to_string())),
      enqueuer_(threads.executor(0), client_, metrics, log, clock),
      sweep_(settings.sweep, threads.executor(0), client_, store, metrics, log, clock),
      tasks_(threads.executor(0)),
      troubles_(metrics, {"connection"}) {
  troubles_.set("connection", "not connected yet");
}

RedisQueue::~RedisQueue() {
  stop();
}

redis::Client::Callbacks RedisQueue::callbacks(const std::string& url) {
  redis::Client::Callbacks callbacks;
  callbacks.on_connected = [this](redis::Connection& connection) {
    return sweep_.look_before_use(connection);
  };
  callbacks.on_ready = [this, url] {
    troubles_.set("connection", {});
    connected_.Set(1);
    log_.info(fmt::format("Queue in Redis at {}", url));
    log_.flush();
  };
  callbacks.on_lost = [this, url](const Error& error) {
    troubles_.set("connection", error.detail);
    connected_.Set(0);
    log_.error(
        fmt::format("Redis at {} is not there; transactions are taken all the same: {}", url, error.detail));
  };
  return callbacks;
}

void RedisQueue::start() {
  started_ = true;
  threads_.run(0, [this]() -> Task<void> {
    client_.start();
    tasks_.spawn([this] { return enqueuer_.run(); });
    tasks_.spawn([this] { return sweep_.run(); });
    co_return;
  });
}

void RedisQueue::stop() {
  if (!std::exchange(started_, false)) return;
  threads_.run(0, [this]() -> Task<void> {
    enqueuer_.stop();
    sweep_.stop();
    co_await tasks_.join_until(redis::Deadline::max());
    co_await client_.stop();
  });
}

std::string RedisQueue::trouble() const {
  return joined({troubles_.text(), enqueuer_.trouble(), sweep_.trouble()});
}

}  // namespace switchyard::rq
