// The simulated PSP's own book of charges, in a SQLite file of its own: what it did, whatever Switchyard
// believes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "money/money.hpp"
#include "payment/transaction.hpp"
#include "psp/simulator/outcomes.hpp"
#include "sqlite/lane.hpp"

namespace switchyard::psp::simulator {

struct Charge {
  std::string reference;
  std::string idempotency_key;
  Money amount;
  payment::CaptureMethod capture_method = payment::CaptureMethod::automatic;
  bool approved = true;
  // Of a decline: an ISO 8583 response code.
  std::string code;
  // Of the request's bytes; empty where they are not known.
  std::string request_fingerprint;

  // The PSP's own name of it.
  std::string id() const { return "sim_" + idempotency_key; }
};

struct Booked {
  Charge charge;
  // Whether this call booked it.
  bool is_new = false;
};

// How many charges there are under one reference.
struct ChargeCount {
  std::string reference;
  std::int64_t charges = 0;
  std::int64_t approved = 0;
};

class Ledger {
 public:
  // in_process: survives the death of the process, not of the machine; a key counts below its reference.
  // program: on the disk before the answer; a key counts by itself, as with a real PSP.
  enum class Use { in_process, program };

  // Throws DatabaseError with a line for the operator.
  explicit Ledger(const std::string& path, Use use = Use::in_process);

  // Books the charge, ended as the behaviour says, unless there is one with its key already; gives what the
  // book says then, and nothing if nothing is booked.
  // Error: idempotency_key_reused_with_different_body, where both fingerprints are known; store_unavailable,
  // and nothing is booked, also while the file is not at its path any more.
  Task<Result<std::optional<Booked>>> book(Charge charge, Behaviour behaviour, Timestamp now);

  // In the order of their keys.
  Task<Result<std::vector<Charge>>> list(std::string reference, std::size_t limit);
  // In the order of the references, from the first one behind `after`.
  Task<Result<std::vector<ChargeCount>>> count(std::string after, std::size_t limit);

 private:
  const Use use_;
  sqlite::Lane lane_;
};

}  // namespace switchyard::psp::simulator
