// Counts the calls of each PSP. On the connector's thread.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "psp-connector/psps.hpp"
#include "telemetry/metrics.hpp"

namespace switchyard::connector {

// Gauges with a label psp, whose value is 0 or 1. One that is half-open is also open.
inline constexpr std::string_view breaker_gauge = "switchyard_psp_breaker_open";
inline constexpr std::string_view half_open_gauge = "switchyard_psp_breaker_half_open";

class PspMetrics {
 public:
  explicit PspMetrics(telemetry::Metrics& metrics) : metrics_(metrics) {}

  void add(const payment::Step& step, const payment::Answer& answer);
  void add(const payment::Step& step, const payment::Found& found);
  void took(std::string_view psp, std::chrono::duration<double> time);
  // Where each account's breaker stands.
  void show(const std::vector<Psps::Standing>& standings);

 private:
  // Made when first needed.
  struct OfPsp {
    prometheus::Histogram* duration = nullptr;
    // By call and result.
    std::array<std::array<prometheus::Counter*, 10>, 6> calls{};
    prometheus::Gauge* breaker = nullptr;
    prometheus::Gauge* half_open = nullptr;
  };

  OfPsp& of(std::string_view psp);
  void count(std::string_view psp, std::size_t call, std::size_t result);

  telemetry::Metrics& metrics_;
  std::map<std::string, OfPsp, std::less<>> by_psp_;
};

}  // namespace switchyard::connector
