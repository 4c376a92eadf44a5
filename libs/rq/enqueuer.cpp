#include "rq/enqueuer.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include "rq/job.hpp"
#include "rq/names.hpp"
#include "rq/scripts.hpp"

namespace switchyard::rq {
namespace {

using std::chrono::steady_clock;

// More than this and Redis is down or too slow; the sweep finds the rest.
constexpr std::size_t waiting_max = 20'000;
// Bounds how long one script holds up everybody else in Redis.
constexpr std::size_t batch_max = 500;
constexpr std::chrono::seconds enqueue_patience{5};
// How long a batch that could not be enqueued is told of, if there is no other.
constexpr std::chrono::seconds trouble_lasts{15};

}  // namespace

Task<Result<std::int64_t>> enqueue(redis::Client& client, std::vector<payment::Transaction> transactions,
                                   Timestamp now, redis::Deadline deadline) {
  if (transactions.empty()) co_return 0;
  redis::ScriptCall call(enqueue_script(), {queue_key, queues_key});
  call.argument(static_cast<std::int64_t>(std::tuple_size_v<EnqueuedFields> * 2));
  for (const auto& transaction : transactions) {
    call.argument(transaction.id.value.to_string());
    for (const auto& [name, value] : enqueued_fields(transaction, now)) call.argument(name).argument(value);
  }
  const auto reply = co_await call.run(client, deadline);
  if (!reply) co_return std::unexpected(reply.error());
  co_return reply->integer;
}

Enqueuer::Enqueuer(Executor executor, redis::Client& client, telemetry::Metrics& metrics, Log& log,
                   const Clock& clock)
    : executor_(executor),
      client_(client),
      log_(log),
      clock_(clock),
      enqueued_(metrics.counter("switchyard_queue_jobs_enqueued_total", "Jobs put into Redis, by who did.",
                                {{"by", "request"}})),
      left_to_the_sweep_(metrics.counter("switchyard_queue_jobs_left_to_sweep_total",
                                         "New transactions that could not be enqueued at once.")),
      last_enqueued_at_(metrics.gauge("switchyard_queue_last_enqueue_timestamp_seconds",
                                      "When this process last put new transactions into Redis; 0: not yet.")),
      troubles_(metrics, {"enqueue"}),
      work_(executor) {}

void Enqueuer::enqueue(const payment::Transaction& transaction) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() >= waiting_max) {
      left_to_the_sweep_.Increment();
      return;
    }
    waiting_.push_back(transaction);
  }
  if (told_.exchange(true, std::memory_order_acq_rel)) return;
  asio::post(executor_, [this] {
    told_.store(false, std::memory_order_release);
    work_.set();
  });
}

void Enqueuer::stop() {
  stopping_ = true;
  work_.set();
}

std::vector<payment::Transaction> Enqueuer::take_batch() {
  const std::lock_guard lock(mutex_);
  if (waiting_.size() <= batch_max) return std::exchange(waiting_, {});
  const auto end = waiting_.begin() + batch_max;
  std::vector<payment::Transaction> batch(std::make_move_iterator(waiting_.begin()),
                                          std::make_move_iterator(end));
  waiting_.erase(waiting_.begin(), end);
  return batch;
}

Task<void> Enqueuer::run() {
  while (true) {
    auto batch = take_batch();
    if (batch.empty()) {
      if (stopping_) co_return;
      const bool in_trouble = !troubles_.text().empty();
      const bool told = co_await work_.wait_until(in_trouble ? steady_clock::now() + trouble_lasts
                                                             : steady_clock::time_point::max());
      // What is still wrong the sweep says, or the next batch.
      if (in_trouble && !told) troubles_.set("enqueue", {});
      continue;
    }
    const auto size = static_cast<double>(batch.size());
    const auto added =
        co_await rq::enqueue(client_, std::move(batch), clock_.now(), steady_clock::now() + enqueue_patience);
    troubles_.set(
        "enqueue",
        added ? std::string() : fmt::format("new transactions cannot be enqueued: {}", added.error().detail));
    if (added) {
      last_enqueued_at_.Set(std::chrono::duration<double>(clock_.now().time_since_epoch()).count());
      enqueued_.Increment(static_cast<double>(*added));
    } else {
      left_to_the_sweep_.Increment(size);
      if (failures_.allow()) {
        log_.warning(fmt::format("New transactions cannot be enqueued; the sweep will do it: {}",
                                 added.error().detail));
      }
    }
  }
}

}  // namespace switchyard::rq
