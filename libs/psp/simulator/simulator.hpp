// A PSP in this process, for development and tests: no money moves. It behaves by amount (outcomes.hpp),
// keeps idempotency by key, and books what it did in a ledger of its own.
#pragma once

#include "psp/adapter.hpp"
#include "psp/simulator/ledger.hpp"
#include "psp/simulator/report.hpp"

namespace switchyard::psp::simulator {

class Simulator final : public Adapter {
 public:
  // `account`: the name that operations carry.
  Simulator(const std::string& ledger_path, const Clock& clock, std::string account = "simulator")
      : account_(std::move(account)), ledger_(ledger_path), clock_(clock) {}

  std::string_view name() const override { return account_; }
  Capabilities capabilities() const override { return everything; }
  std::expected<std::string, payment::Rejected> encode(const payment::State& state,
                                                       const payment::Operation& operation) const override;
  Task<payment::Answer> send(const payment::Step& step, Deadline deadline) override;
  Task<payment::Found> look_up(const payment::Step& step, Timestamp now, Deadline deadline) override;

 private:
  Task<Result<std::optional<Report>>> book(const payment::Step& step, Behaviour behaviour);

  const std::string account_;
  Ledger ledger_;
  const Clock& clock_;
};

}  // namespace switchyard::psp::simulator
