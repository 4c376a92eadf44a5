// psp-connector: takes the transactions in the store to the PSP. Listens to nobody but who asks for its
// metrics and its health.
#include <csignal>

#include <fmt/format.h>
#include <unistd.h>

#include "psp-connector/connector_thread.hpp"
#include "rq/redis_queue.hpp"
#include "service/metrics_server.hpp"
#include "service/program.hpp"
#include "service/settings.hpp"
#include "store/open.hpp"
#include "telemetry/log_throttle.hpp"

namespace {

using namespace switchyard;

int work() {
  service::prepare_process();
  const auto environment = Environment::of_process();
  auto settings = connector::read_settings(environment);
  const auto redis_settings = rq::read_redis_settings(environment);
  if (redis_settings) settings.take_over_after = redis_settings->sweep.delay;
  const auto http_settings = service::read_http_settings(environment, 0);
  const auto psp_settings = connector::read_psp_settings(environment);
  const auto log = service::make_log(environment);
  const service::FatalErrorLog fatal_error_log(*log);

  const SystemClock clock;
  telemetry::Metrics metrics;
  IoThreads threads(1);
  IoThreads connector_threads(1, "connector");
  IoThreads queue_threads(1, "queue");
  const auto store = store::open(service::read_database_url(environment), service::info_into(*log));
  connector::ConnectorThread connector(connector_threads, settings, psp_settings, *store, metrics, *log,
                                       clock);
  std::optional<rq::RedisQueue> redis_queue;
  if (redis_settings) {
    redis_queue.emplace(*redis_settings, queue_threads, *store, metrics, *log, clock);
    // As RQ's own worker does it.
    connector.take_jobs_from(redis_settings->url, [] { ::kill(::getpid(), SIGINT); });
  }
  LogThrottle store_failures;
  service::Health health([&]() -> Task<std::vector<service::HealthCheck>> {
    auto checks = connector.health(false);
    // Claims that find nothing only read, which works in a file that nobody finds again, too.
    const auto writable = co_await store->check_writable(clock.now());
    if (!writable && store_failures.allow()) {
      log->error(fmt::format("The store cannot be written: {}", writable.error().detail));
    }
    checks.push_back(
        {"store:writable", writable.has_value(), writable ? "" : "the store cannot be written; see the log"});
    const auto trouble = redis_queue ? redis_queue->trouble() : std::string();
    if (redis_queue) checks.push_back({"queue:redis", true, trouble, !trouble.empty()});
    const auto aside = store->set_aside();
    checks.push_back({"store:rows", true, aside.text(), aside.count > 0});
    co_return checks;
  });
  service::finish_start();
  const auto metrics_server = service::start_metrics_server(threads, metrics, http_settings, *log, &health);
  if (redis_queue) redis_queue->start();
  connector.start();

  service::wait_for_stop_signal();
  connector.stop();
  if (redis_queue) redis_queue->stop();
  return service::exit_ok;
}

constexpr service::Program program{
    .name = "psp-connector",
    .purpose = "Takes stored transactions to the payment service provider.",
    .settings =
        "Settings are environment variables: DATABASE_URL, REDIS_URL, PSP_URL, METRICS_PORT.\n"
        "All of them are explained in .env.example; SIGTERM stops it gracefully.",
};

}  // namespace

int main(int argc, char** argv) {
  return service::run_program(program, argc, argv, work);
}
