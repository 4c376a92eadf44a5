// core-api: /transaction on HTTP_PORT. Who works the transactions off finds them in the store.
#include "core-api/core_api.hpp"
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
  const auto shutdown_time = service::read_shutdown_time(environment);
  const auto log = service::make_log(environment);

  const SystemClock clock;
  telemetry::Metrics metrics;
  IoThreads threads(service::io_thread_count());
  const auto store = store::open(service::read_database_url(environment));
  core::CoreApi core_api(std::move(settings), *store, threads, metrics, *log, clock, [] {});

  service::WebService web(threads, core_api.router(), metrics, http_settings, *log);
  service::log_listening(*log, "core-api", http_settings);
  service::wait_for_stop_signal();
  web.stop(shutdown_time);
  return service::exit_ok;
}

}  // namespace

int main() {
  return service::run_program("core-api", serve);
}
