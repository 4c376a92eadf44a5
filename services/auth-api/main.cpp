// auth-api: POST /token and GET /health on HTTP_PORT.
#include "auth-api/auth_api.hpp"
#include "service/program.hpp"
#include "service/web_service.hpp"
#include "store/open.hpp"

namespace {

using namespace switchyard;

int serve() {
  service::prepare_process();
  const auto environment = Environment::of_process();
  const auto http_settings = service::read_http_settings(environment, 5000);
  auto settings = auth::read_settings(environment);
  const auto stop_times = service::read_stop_times(environment);
  const auto log = service::make_log(environment);
  const service::FatalErrorLog fatal_error_log(*log);

  const SystemClock clock;
  telemetry::Metrics metrics;
  IoThreads threads(service::io_thread_count());
  const auto store = store::open(service::read_database_url(environment), service::info_into(*log));
  auth::AuthApi auth_api(std::move(settings), *store, threads, *log, clock);

  service::WebService web(threads, auth_api.router(metrics), metrics, http_settings, *log);
  service::log_listening(*log, "auth-api", http_settings);
  service::wait_for_stop_signal();
  web.stop(stop_times);
  return service::exit_ok;
}

constexpr service::Program program{
    .name = "auth-api",
    .purpose = "A token for a username and a password: POST /token and GET /health on HTTP_PORT.",
    .settings =
        "Settings are environment variables: JWT_SECRET (required), DATABASE_URL, HTTP_HOST, HTTP_PORT "
        "(5000), METRICS_PORT.\n"
        "All of them are explained in .env.example; SIGTERM stops it gracefully.",
};

}  // namespace

int main(int argc, char** argv) {
  return service::run_program(program, argc, argv, serve);
}
