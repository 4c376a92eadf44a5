// GET /metrics on a port of its own, so that no router leads to it, and GET /health for a program that serves
// nothing else.
#pragma once

#include <memory>

#include "base/io_threads.hpp"
#include "http/server.hpp"
#include "service/health.hpp"
#include "service/settings.hpp"
#include "telemetry/metrics.hpp"

namespace switchyard::service {

// Started, and its address logged; nothing if METRICS_PORT is not set. Threads, metrics and `health`, which
// may be null, outlive it.
std::unique_ptr<http::Server> start_metrics_server(IoThreads& threads, telemetry::Metrics& metrics,
                                                   const HttpSettings& settings, Log& log,
                                                   Health* health = nullptr);

}  // namespace switchyard::service
