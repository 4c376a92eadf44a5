#include "service/web_service.hpp"

#include <algorithm>
#include <thread>

#include <fmt/format.h>

#include "service/metrics_server.hpp"
#include "service/open_files.hpp"
#include "service/program.hpp"

namespace switchyard::service {
namespace {

// A router that knows sends nothing; one that does not has sent something lately, if there is any traffic.
constexpr std::chrono::seconds drain_quiet{2};
// So often DRAIN_SECONDS more for one that does not know.
constexpr int drain_overtime = 2;

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

void log_request(Log& log, const http::Exchange& exchange) {
  const auto took_us = std::chrono::duration_cast<std::chrono::microseconds>(exchange.took).count();
  const auto method = exchange.method == http::Method::unknown
                          ? std::string_view("-")
                          : std::string_view(boost::beast::http::to_string(exchange.method));
  log.info(fmt::format("{} {} {}: {} in {:.1f} ms; merchant {}, request {}", exchange.service, method,
                       exchange.route, exchange.status, static_cast<double>(took_us) / 1000,
                       exchange.merchant.empty() ? "unknown" : exchange.merchant, exchange.request_id),
           {{"request_id", exchange.request_id},
            {"service", exchange.service},
            {"method", method},
            {"route", exchange.route},
            {"status", static_cast<std::int64_t>(exchange.status)},
            {"took_us", took_us},
            {"merchant", exchange.merchant}});
}

http::Observer observer_of(const HttpSettings& settings, Log& log) {
  http::Observer observer{
      .on_exception = [&log](std::string_view what) { log.error(fmt::format("A request failed: {}", what)); },
  };
  if (settings.log_requests) {
    observer.on_response = [&log](const http::Exchange& exchange) { log_request(log, exchange); };
  }
  return observer;
}

http::Server::Options options_of(const HttpSettings& settings, Log& log) {
  return {
      .host = settings.host,
      .port = settings.port,
      .limits = limits_of(settings, log),
      .trusted_proxies = settings.trusted_proxies,
      .observer = observer_of(settings, log),
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
  finish_start();
  server_.start();
}

void WebService::drain(std::chrono::seconds least) {
  log_.info(fmt::format("Draining for {} s: health is 503, requests are served. A second signal ends it",
                        least.count()));
  server_.drain();
  if (wait_for_stop_signal(least)) return;
  const auto end = std::chrono::steady_clock::now() + drain_overtime * least;
  while (std::chrono::steady_clock::now() - server_.last_request() < drain_quiet) {
    if (std::chrono::steady_clock::now() > end) {
      log_.warning("Requests still arrive: whoever sends them has not noticed that health is 503");
      return;
    }
    if (wait_for_stop_signal(std::chrono::seconds(1))) return;
  }
}

void WebService::stop(const StopTimes& times) {
  if (times.drain.count() > 0) drain(times.drain);
  const auto deadline = std::chrono::steady_clock::now() + times.shutdown;
  server_.stop(deadline);
  if (metrics_server_) metrics_server_->stop(deadline);
}

}  // namespace switchyard::service
