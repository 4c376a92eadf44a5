// psp-simulator: a payment service provider for tests, which charges, captures, voids and refunds, declines,
// and breaks on purpose. It does once what all requests with one key ask for, and books it on disk before it
// answers. Beside its own routes it plays Stripe and Adyen, in the same book.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "base/environment.hpp"
#include "http/router.hpp"
#include "psp-simulator/dialect/service.hpp"
#include "psp-simulator/dialect/settings.hpp"
#include "psp-simulator/dialect/webhooks.hpp"
#include "psp-simulator/script.hpp"
#include "psp/simulator/ledger.hpp"
#include "service/health.hpp"
#include "telemetry/log.hpp"
#include "telemetry/log_throttle.hpp"

namespace switchyard::psp_simulator {

// PSP_SIMULATOR_LEDGER.
std::string read_ledger_path(const Environment& environment);

// Safe to use from any io thread. Everything it is given outlives it.
class PspSimulator {
 public:
  // Throws DatabaseError with a line for the operator.
  PspSimulator(const std::string& ledger_path, telemetry::Metrics& metrics, Log& log, const Clock& clock,
               const DialectSettings& dialects = {});

  http::Router router();

  // Sends events where the settings say so, from the first of the threads; before requests are served.
  void start_webhooks(IoThreads& threads);
  // When none are served any more. Blocks.
  void stop_webhooks(IoThreads& threads);

 private:
  Task<http::Response> charge(const http::Request& request);
  Task<http::Response> operate(const http::Request& request, payment::Kind kind);
  Task<http::Response> find_operation(const http::Request& request);
  Task<http::Response> list(const http::Request& request);
  Task<http::Response> count(const http::Request& request);
  Task<http::Response> put_script(const http::Request& request);
  http::Response show_script() const;
  Task<std::vector<service::HealthCheck>> check_health();
  http::Response refuse(const Error& error);
  prometheus::Counter*& booked(payment::Kind kind, psp::simulator::Status status);
  DialectService::Hooks hooks_of(std::optional<Webhooks>& webhooks);

  telemetry::Metrics& metrics_;
  Log& log_;
  const Clock& clock_;
  LogThrottle ledger_failures_;
  psp::simulator::Ledger ledger_;
  Script script_;
  service::Health health_;
  const stripe::StripeDialect stripe_;
  const adyen::AdyenDialect adyen_;
  // Nothing where no events are sent.
  std::optional<Webhooks> stripe_webhooks_;
  std::optional<Webhooks> adyen_webhooks_;
  DialectService stripe_service_;
  DialectService adyen_service_;
  // By kind and status.
  std::array<std::array<prometheus::Counter*, 3>, 4> booked_{};
};

}  // namespace switchyard::psp_simulator
