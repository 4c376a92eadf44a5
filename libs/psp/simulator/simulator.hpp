// A PSP in this process, for development and tests: no money moves. It behaves by amount (outcomes.hpp),
// keeps idempotency by key, and books what it did in a ledger of its own.
#pragma once

#include "psp/adapter.hpp"
#include "psp/simulator/ledger.hpp"

namespace switchyard::psp::simulator {

class Simulator final : public Adapter {
 public:
  Simulator(const std::string& ledger_path, const Clock& clock) : ledger_(ledger_path), clock_(clock) {}

  std::string_view name() const override { return "simulator"; }
  Task<payment::Outcome> authorize(AuthorizeRequest request, Deadline deadline) override;
  Task<LookUpResult> look_up(AuthorizeRequest request, Deadline deadline) override;

 private:
  Ledger ledger_;
  const Clock& clock_;
};

}  // namespace switchyard::psp::simulator
