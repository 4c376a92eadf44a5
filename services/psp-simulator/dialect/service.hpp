// A dialect behind HTTP: its endpoints in the ledger's commits, and its answers broken as the script says.
#pragma once

#include <functional>

#include "base/clock.hpp"
#include "http/router.hpp"
#include "psp-simulator/dialect/dialect.hpp"
#include "psp-simulator/script.hpp"
#include "psp/simulator/ledger.hpp"

namespace switchyard::psp_simulator {

// Safe to use from any io thread. Everything it is given outlives it.
class DialectService {
 public:
  struct Hooks {
    // Something may have to be sent.
    std::function<void()> on_change;
    std::function<void(payment::Kind, psp::simulator::Status)> on_booked;
    // What the ledger could not do.
    std::function<void(const Error&)> on_failure;
  };

  DialectService(const Dialect& dialect, psp::simulator::Ledger& ledger, Script& script, const Clock& clock,
                 Hooks hooks);

  void add_routes(http::Router& router);

 private:
  Task<http::Response> answer(const http::Request& request, const Endpoint& endpoint);
  http::Response response_of(Reply reply) const;

  const Dialect& dialect_;
  psp::simulator::Ledger& ledger_;
  Script& script_;
  const Clock& clock_;
  const Hooks hooks_;
};

}  // namespace switchyard::psp_simulator
