// Prometheus metrics. One registry per process, made by main() and passed on.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

namespace switchyard::telemetry {

class Metrics;

// Counts and durations of one route. Safe to use from any thread.
class RequestMetrics {
 public:
  void observe(unsigned status, std::chrono::nanoseconds duration) const;

 private:
  friend class Metrics;
  static constexpr unsigned status_min = 100;
  static constexpr unsigned status_max = 599;
  // Made at the first response of each status: most never occur.
  using Counters = std::array<std::atomic<prometheus::Counter*>, status_max - status_min + 1>;

  prometheus::Family<prometheus::Counter>* requests_ = nullptr;
  prometheus::Histogram* duration_ = nullptr;
  std::string service_;
  std::string method_;
  std::string route_;
  std::unique_ptr<Counters> counters_;
};

class Metrics {
 public:
  Metrics();

  // `method` and `route` are words of ours, never a client's: each makes a series of its own.
  RequestMetrics for_route(const std::string& service, const std::string& method, const std::string& route);

  prometheus::Counter& counter(const std::string& name, const std::string& help,
                               const prometheus::Labels& labels = {});
  prometheus::Gauge& gauge(const std::string& name, const std::string& help,
                           const prometheus::Labels& labels = {});
  prometheus::Histogram& histogram(const std::string& name, const std::string& help,
                                   const prometheus::Labels& labels = {});

  // Called before each text(), never twice at once, to set what is only known then. What it uses outlives
  // this object. Before the first text().
  void before_text(std::function<void()> update) { updates_.push_back(std::move(update)); }

  // The exposition format, text version 0.0.4.
  std::string text() const;

 private:
  std::shared_ptr<prometheus::Registry> registry_;
  std::vector<std::function<void()>> updates_;
  mutable std::mutex updating_;
};

}  // namespace switchyard::telemetry
