// core-api: /transaction on HTTP_PORT. Who works the transactions off finds them in the store, or in Redis.
#include "core-api/core_api.hpp"
#include "rq/redis_queue.hpp"
#include "service/program.hpp"
#include "service/web_service.hpp"
#include "store/open.hpp"

namespace {

using namespace switchyard;

int serve() {
  service::prepare_process();
  const auto environment = Environment::of_process();
  const auto http_settings = service::read_http_settings(environment, 5000);
  auto settings = core::read_settings(environment);
  const auto redis_settings = rq::read_redis_settings(environment);
  const auto stop_times = service::read_stop_times(environment);
  const auto log = service::make_log(environment);
  const service::FatalErrorLog fatal_error_log(*log);

  const SystemClock clock;
  telemetry::Metrics metrics;
  IoThreads threads(service::io_thread_count());
  IoThreads queue_threads(1, "queue");
  const auto store = store::open(service::read_database_url(environment), service::info_into(*log));
  std::optional<rq::RedisQueue> redis_queue;
  core::WorkQueue work_queue;
  if (redis_settings) {
    redis_queue.emplace(*redis_settings, queue_threads, *store, metrics, *log, clock);
    work_queue.on_queued = [&redis_queue](const auto& transaction) { redis_queue->enqueue(transaction); };
    work_queue.trouble = [&redis_queue] { return redis_queue->trouble(); };
  }
  core::CoreApi core_api(std::move(settings), *store, threads, metrics, *log, clock, std::move(work_queue));

  service::WebService web(threads, core_api.router(), metrics, http_settings, *log);
  if (redis_queue) redis_queue->start();
  service::log_listening(*log, "core-api", http_settings);
  service::wait_for_stop_signal();
  core_api.end_waits();
  web.stop(stop_times);
  if (redis_queue) redis_queue->stop();
  return service::exit_ok;
}

constexpr service::Program program{
    .name = "core-api",
    .purpose = "Takes transactions from merchants, stores them and shows them, on HTTP_PORT.",
    .settings =
        "Settings are environment variables: JWT_SECRET (required), DATABASE_URL, REDIS_URL, HTTP_HOST, "
        "HTTP_PORT (5000), METRICS_PORT.\n"
        "All of them are explained in .env.example; SIGTERM stops it gracefully.",
};

}  // namespace

int main(int argc, char** argv) {
  return service::run_program(program, argc, argv, serve);
}
