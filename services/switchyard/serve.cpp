// switchyard serve: router, auth-api, core-api, psp-events and psp-connector in one process over one store.
#include <csignal>

#include <unistd.h>

#include "auth-api/auth_api.hpp"
#include "core-api/core_api.hpp"
#include "psp-connector/connector_thread.hpp"
#include "psp-events/events_api.hpp"
#include "psp-events/make_webhook.hpp"
#include "rq/redis_queue.hpp"
#include "service/program.hpp"
#include "service/web_service.hpp"
#include "store/open.hpp"
#include "switchyard/command_line.hpp"
#include "switchyard/known_settings.hpp"

namespace switchyard::cli {
namespace {

constexpr std::uint16_t default_port = 8080;

// Payments do not go by a new routing file that events cannot be taken by.
connector::PspSettings read_psp_settings(const Environment& environment) {
  auto settings = connector::read_psp_settings(environment);
  settings.check = [environment](const routing::Account& account) {
    events::make_webhook(account, environment);
  };
  return settings;
}

int serve(const Environment& environment) {
  service::prepare_process();
  const auto http_settings = service::read_http_settings(environment, default_port);
  auto auth_settings = auth::read_settings(environment);
  auto core_settings = core::read_settings(environment);
  auto connector_settings = connector::read_settings(environment);
  const auto psp_settings = read_psp_settings(environment);
  auto events_settings = events::read_settings(environment);
  const auto redis_settings = rq::read_redis_settings(environment);
  if (redis_settings) connector_settings.take_over_after = redis_settings->sweep.delay;
  const auto stop_times = service::read_stop_times(environment);
  const auto log = service::make_log(environment);
  const service::FatalErrorLog fatal_error_log(*log);

  const SystemClock clock;
  telemetry::Metrics metrics;
  IoThreads threads(service::io_thread_count());
  IoThreads connector_threads(1, "connector");
  IoThreads queue_threads(1, "queue");
  const auto store = store::open(service::read_database_url(environment), service::info_into(*log));

  connector::ConnectorThread connector(connector_threads, connector_settings, psp_settings, *store, metrics,
                                       *log, clock);
  core::WorkQueue work_queue{.on_queued = {}, .on_work = [&connector] { connector.notify(); }, .trouble = {}};
  std::optional<rq::RedisQueue> redis_queue;
  if (redis_settings) {
    redis_queue.emplace(*redis_settings, queue_threads, *store, metrics, *log, clock);
    work_queue.on_queued = [&redis_queue](const auto& transaction) { redis_queue->enqueue(transaction); };
    work_queue.trouble = [&redis_queue] { return redis_queue->trouble(); };
    connector.take_jobs_from(redis_settings->url, [] { ::kill(::getpid(), SIGINT); });
  }
  auth::AuthApi auth_api(std::move(auth_settings), *store, threads, *log, clock);
  core::CoreApi core_api(std::move(core_settings), *store, threads, metrics, *log, clock,
                         std::move(work_queue));
  events::EventsApi events_api(std::move(events_settings), *store, threads, metrics, *log, clock,
                               [&connector] { connector.notify_event(); });

  for (auto* health : {&auth_api.health(), &core_api.health(), &events_api.health()}) {
    health->add([&connector] { return connector.health(true); });
  }

  http::Router router(metrics, "switchyard");
  router.mount("/auth", auth_api.router(metrics));
  router.mount("/transaction", core_api.router());
  router.mount("/psp", events_api.router());
  service::WebService web(threads, std::move(router), metrics, http_settings, *log);
  // Last: until the port is ours, nothing is sent to anybody.
  if (redis_queue) redis_queue->start();
  connector.start();
  service::log_listening(*log, "switchyard", http_settings);
  for (const auto& line : doubtful_settings(environment)) log->warning("The environment file: " + line);

  service::wait_for_stop_signal();
  // First no new work comes in, then what came in is finished.
  core_api.end_waits();
  web.stop(stop_times);
  connector.stop();
  if (redis_queue) redis_queue->stop();
  return service::exit_ok;
}

}  // namespace

void add_serve_command(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("serve", "Run everything in this process until SIGTERM");
  command->footer("\nExample:\n  JWT_SECRET=$(openssl rand -hex 32) switchyard serve");
  command->callback([&context] { context.action = [&context] { return serve(context.environment); }; });
}

}  // namespace switchyard::cli
