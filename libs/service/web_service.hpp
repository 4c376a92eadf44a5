// A router served on HTTP_PORT, with metrics beside it: what every program that listens is made of.
#pragma once

#include <memory>

#include "base/io_threads.hpp"
#include "http/server.hpp"
#include "service/settings.hpp"
#include "telemetry/log.hpp"
#include "telemetry/metrics.hpp"

namespace switchyard::service {

// One per core.
std::size_t io_thread_count();

void log_listening(Log& log, std::string_view program, const HttpSettings& settings);

// Serves from its construction on, which is the end of the program's start (finish_start()); throws
// std::runtime_error if a port cannot be had. What it is given outlives it.
class WebService {
 public:
  WebService(IoThreads& threads, http::Router router, telemetry::Metrics& metrics,
             const HttpSettings& settings, Log& log);

  // After a stop signal: drains (http::Server::drain) for as long as routers may need to learn of it, and as
  // long again and again, three times in all, while requests still arrive; a second signal ends that. Then
  // closes the port and finishes the requests under way, at most so long. Blocks.
  void stop(const StopTimes& times);

 private:
  void drain(std::chrono::seconds least);

  Log& log_;
  http::Server server_;
  std::unique_ptr<http::Server> metrics_server_;
};

}  // namespace switchyard::service
