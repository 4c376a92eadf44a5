// psp-events: POST /{account}/events and GET /health on HTTP_PORT. A psp-connector finds in the store what
// PSPs have said.
#include "psp-events/events_api.hpp"
#include "service/program.hpp"
#include "service/web_service.hpp"
#include "store/open.hpp"

namespace {

using namespace switchyard;

int serve() {
  service::prepare_process();
  const auto environment = Environment::of_process();
  const auto http_settings = service::read_http_settings(environment, 5000, psp::webhook_bytes_max);
  auto settings = events::read_settings(environment);
  const auto stop_times = service::read_stop_times(environment);
  const auto log = service::make_log(environment);
  const service::FatalErrorLog fatal_error_log(*log);

  const SystemClock clock;
  telemetry::Metrics metrics;
  IoThreads threads(service::io_thread_count());
  const auto store = store::open(service::read_database_url(environment), service::info_into(*log));
  events::EventsApi events_api(std::move(settings), *store, threads, metrics, *log, clock, {});

  service::WebService web(threads, events_api.router(), metrics, http_settings, *log);
  service::log_listening(*log, "psp-events", http_settings);
  service::wait_for_stop_signal();
  web.stop(stop_times);
  return service::exit_ok;
}

constexpr service::Program program{
    .name = "psp-events",
    .purpose =
        "Takes the events of payment service providers' webhooks: POST /{account}/events on HTTP_PORT.",
    .settings =
        "Settings are environment variables: ROUTING_FILE and the variables that it names, DATABASE_URL,\n"
        "HTTP_HOST, HTTP_PORT (5000), METRICS_PORT.\n"
        "All of them are explained in .env.example; SIGTERM stops it gracefully.",
};

}  // namespace

int main(int argc, char** argv) {
  return service::run_program(program, argc, argv, serve);
}
