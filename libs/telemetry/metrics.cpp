#include "telemetry/metrics.hpp"

#include <algorithm>
#include <sstream>

#include <prometheus/text_serializer.h>

namespace switchyard::telemetry {
namespace {

// Seconds; from a request that touches no disk to one that waits for a slow PSP.
const prometheus::Histogram::BucketBoundaries duration_buckets{
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};

}  // namespace

void RequestMetrics::observe(unsigned status, std::chrono::nanoseconds duration) const {
  auto& slot = (*counters_)[std::clamp(status, status_min, status_max) - status_min];
  auto* counter = slot.load(std::memory_order_acquire);
  if (counter == nullptr) {
    // Add() gives the same counter to all who ask for the same labels.
    counter = &requests_->Add(
        {{"service", service_}, {"method", method_}, {"route", route_}, {"status", std::to_string(status)}});
    slot.store(counter, std::memory_order_release);
  }
  counter->Increment();
  duration_->Observe(std::chrono::duration<double>(duration).count());
}

Metrics::Metrics() : registry_(std::make_shared<prometheus::Registry>()) {}

RequestMetrics Metrics::for_route(const std::string& service, const std::string& method,
                                  const std::string& route) {
  RequestMetrics metrics;
  metrics.requests_ = &prometheus::BuildCounter()
                           .Name("switchyard_http_requests_total")
                           .Help("Requests answered, by service, method, route and status.")
                           .Register(*registry_);
  metrics.duration_ = &histogram("switchyard_http_request_duration_seconds",
                                 "From the whole request read to the response made.",
                                 {{"service", service}, {"method", method}, {"route", route}});
  metrics.service_ = service;
  metrics.method_ = method;
  metrics.route_ = route;
  metrics.counters_ = std::make_unique<RequestMetrics::Counters>();
  return metrics;
}

prometheus::Counter& Metrics::counter(const std::string& name, const std::string& help,
                                      const prometheus::Labels& labels) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(*registry_).Add(labels);
}

prometheus::Gauge& Metrics::gauge(const std::string& name, const std::string& help,
                                  const prometheus::Labels& labels) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(*registry_).Add(labels);
}

prometheus::Histogram& Metrics::histogram(const std::string& name, const std::string& help,
                                          const prometheus::Labels& labels) {
  return prometheus::BuildHistogram()
      .Name(name)
      .Help(help)
      .Register(*registry_)
      .Add(labels, duration_buckets);
}

std::string Metrics::text() const {
  {
    const std::lock_guard lock(updating_);
    for (const auto& update : updates_) update();
  }
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, registry_->Collect());
  return out.str();
}

}  // namespace switchyard::telemetry
