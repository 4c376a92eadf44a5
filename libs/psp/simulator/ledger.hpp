// The simulated PSP's own book of charges, in a SQLite file of its own: what it did, whatever Switchyard
// believes.
//
// It survives the death of the process (not of the machine), which is what the kill tests need.
#pragma once

#include <optional>
#include <string>

#include "base/clock.hpp"
#include "money/money.hpp"
#include "sqlite/lane.hpp"

namespace switchyard::psp::simulator {

struct Charge {
  std::string reference;
  std::string idempotency_key;
  Money amount;
  bool approved = true;
  // Of a decline: an ISO 8583 response code.
  std::string code;
};

class Ledger {
 public:
  // Throws DatabaseError with a line for the operator.
  explicit Ledger(const std::string& path);

  // Books the charge unless there is one with its key already; gives what the book says either way.
  Task<Result<Charge>> charge_once(Charge charge, Timestamp now);
  Task<Result<std::optional<Charge>>> find(std::string reference, std::string idempotency_key);

 private:
  sqlite::Lane lane_;
};

}  // namespace switchyard::psp::simulator
