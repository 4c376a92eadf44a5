// psp-connector: takes the transactions in the store to the PSP. Listens to nobody but the metrics' scraper.
#include "psp-connector/connector_thread.hpp"
#include "service/metrics_server.hpp"
#include "service/program.hpp"
#include "service/settings.hpp"
#include "store/open.hpp"

namespace {

using namespace switchyard;

int work() {
  service::prepare_process();
  const auto environment = Environment::of_process();
  const auto settings = connector::read_settings(environment);
  const auto http_settings = service::read_http_settings(environment, 0);
  const auto psp_settings = connector::read_psp_settings(environment);
  const auto log = service::make_log(environment);

  const SystemClock clock;
  telemetry::Metrics metrics;
  IoThreads threads(1);
  IoThreads connector_threads(1);
  const auto store = store::open(service::read_database_url(environment));
  connector::ConnectorThread connector(connector_threads, settings, psp_settings, *store, metrics, *log,
                                       clock);
  const auto metrics_server = service::start_metrics_server(threads, metrics, http_settings, *log);
  connector.start();

  service::wait_for_stop_signal();
  connector.stop();
  return service::exit_ok;
}

}  // namespace

int main() {
  return service::run_program("psp-connector", work);
}
