// psp-simulator: a PSP that can be broken on purpose, on HTTP_PORT. No money moves.
#include "psp-simulator/psp_simulator.hpp"
#include "service/program.hpp"
#include "service/web_service.hpp"

namespace {

using namespace switchyard;

int serve() {
  service::prepare_process();
  const auto environment = Environment::of_process();
  const auto http_settings = service::read_http_settings(environment, 5000);
  const auto ledger_path = psp_simulator::read_ledger_path(environment);
  const auto dialects = psp_simulator::read_dialect_settings(environment);
  const auto stop_times = service::read_stop_times(environment);
  const auto log = service::make_log(environment);
  const service::FatalErrorLog fatal_error_log(*log);

  const SystemClock clock;
  telemetry::Metrics metrics;
  IoThreads threads(service::io_thread_count());
  psp_simulator::PspSimulator simulator(ledger_path, metrics, *log, clock, dialects);

  service::WebService web(threads, simulator.router(), metrics, http_settings, *log);
  // Once it listens: what could not start has nothing to stop.
  simulator.start_webhooks(threads);
  service::log_listening(*log, "psp-simulator", http_settings);
  service::wait_for_stop_signal();
  web.stop(stop_times);
  simulator.stop_webhooks(threads);
  return service::exit_ok;
}

constexpr service::Program program{
    .name = "psp-simulator",
    .purpose = "A payment service provider that can be broken on purpose, on HTTP_PORT. No money moves.",
    .settings =
        "Settings are environment variables: PSP_SIMULATOR_LEDGER, HTTP_HOST, HTTP_PORT (5000), "
        "METRICS_PORT,\n"
        "and for the events of Stripe and Adyen, which it plays, PSP_SIMULATOR_STRIPE_WEBHOOK_URL and _SECRET,\n"
        "PSP_SIMULATOR_ADYEN_WEBHOOK_URL and PSP_SIMULATOR_ADYEN_HMAC_KEY.\n"
        "All of them are explained in .env.example; SIGTERM stops it gracefully.",
};

}  // namespace

int main(int argc, char** argv) {
  return service::run_program(program, argc, argv, serve);
}
