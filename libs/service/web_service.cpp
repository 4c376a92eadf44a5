#include "service/web_service.hpp"

#include <algorithm>
#include <thread>

#include <fmt/format.h>

#include "service/metrics_server.hpp"
#include "service/open_files.hpp"
#include "service/program.hpp"

namespace switchyard::service {
namespace {

http::Limits limits_of(const HttpSettings& settings, Log& log) {
  const auto files = open_files_max();
  const auto limits = within_open_files(settings.limits, files);
  if (limits.connections_max < settings.limits.connections_max) {
    log.warning(fmt::format(
        "MAX_CONNECTIONS is {}, but this process may open {} files (ulimit -n): it takes {} connections",
        settings.limits.connections_max, files, limits.connections_max));
  }
  return limits;
}

http::Server::Options options_of(const HttpSettings& settings, Log& log) {
  return {
      .host = settings.host,
      .port = settings.port,
      .limits = limits_of(settings, log),
      .trusted_proxies = settings.trusted_proxies,
      .on_exception = [&log](std::string_view what) { log.error(fmt::format("A request failed: {}", what)); },
  };
}

}  // namespace

std::size_t io_thread_count() {
  return std::max(1U, std::thread::hardware_concurrency());
}

void log_listening(Log& log, std::string_view program, const HttpSettings& settings) {
  log.info(fmt::format("{} listens on http://{}:{}", program, settings.host, settings.port));
  log.flush();
}

WebService::WebService(IoThreads& threads, http::Router router, telemetry::Metrics& metrics,
                       const HttpSettings& settings, Log& log)
    : log_(log),
      server_(threads, std::move(router), options_of(settings, log)),
      metrics_server_(start_metrics_server(threads, metrics, settings, log)) {
  server_.start();
}

void WebService::stop(const StopTimes& times) {
  if (times.drain.count() > 0) {
    log_.info(fmt::format("Draining for {} s: health is 503, requests are served. A second signal ends it",
                          times.drain.count()));
    server_.drain();
    wait_for_stop_signal(times.drain);
  }
  const auto deadline = std::chrono::steady_clock::now() + times.shutdown;
  server_.stop(deadline);
  if (metrics_server_) metrics_server_->stop(deadline);
}

}  // namespace switchyard::service
