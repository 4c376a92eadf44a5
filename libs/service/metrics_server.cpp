#include "service/metrics_server.hpp"

#include <string>

#include <fmt/format.h>

#include "base/version.hpp"

namespace switchyard::service {
namespace {

constexpr std::size_t scrapers_max = 64;
constexpr std::size_t scrapers_per_address_max = 48;
// A scraper sends none.
constexpr std::size_t body_bytes_max = 1024;

}  // namespace

std::unique_ptr<http::Server> start_metrics_server(IoThreads& threads, telemetry::Metrics& metrics,
                                                   const HttpSettings& settings, Log& log, Health* health) {
  if (settings.metrics_port == 0) return nullptr;
  metrics
      .gauge("switchyard_build_info", "Always 1: its label says which version runs.",
             {{"version", std::string(version)}})
      .Set(1);
  auto& lines_dropped =
      metrics.counter("switchyard_log_lines_dropped_total", "Lines of the log that nobody read in time.");
  metrics.before_text([&lines_dropped, &log] {
    lines_dropped.Increment(static_cast<double>(log.dropped()) - lines_dropped.Value());
  });
  http::Router router(metrics, "metrics");
  router.add(http::Method::get, "/metrics", [&metrics](const http::Request&) -> Task<http::Response> {
    http::Response response;
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    response.body = metrics.text();
    co_return response;
  });
  if (health != nullptr) {
    router.add(http::Method::get, "/health",
               [health](const http::Request& request) { return health->handle(request); });
  }
  http::Server::Options options;
  options.host = settings.host;
  options.port = settings.metrics_port;
  options.limits = settings.limits;
  options.limits.connections_max = scrapers_max;
  options.limits.connections_per_address_max = scrapers_per_address_max;
  options.limits.body_bytes_max = body_bytes_max;
  auto server = std::make_unique<http::Server>(threads, std::move(router), std::move(options));
  server->start();
  log.info(fmt::format("Metrics on http://{}:{}/metrics", settings.host, settings.metrics_port));
  return server;
}

}  // namespace switchyard::service
