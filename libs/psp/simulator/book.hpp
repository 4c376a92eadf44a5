// What stands in the simulated PSP's book, and what may be done to a charge. Plain data and pure functions;
// ledger.hpp keeps the book.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "money/money.hpp"
#include "payment/operation.hpp"
#include "psp/simulator/outcomes.hpp"

namespace switchyard::psp::simulator {

enum class Status { succeeded, declined, pending };

// What something in the book will come to by itself.
struct Later {
  Timestamp at{};
  Status status = Status::succeeded;
  // Of a decline.
  std::string code{};
};

// What became of a request.
struct Outcome {
  Status status = Status::succeeded;
  // Of a decline: an ISO 8583 response code, or a word of ours (outcomes.hpp).
  std::string code{};
  std::optional<Later> later{};
};

// Of a request whose key is new; the behaviour books something.
Outcome outcome_of(const Behaviour& behaviour, Timestamp now);

// What something is called at the PSP.
std::string name_of(std::string_view psp, std::string_view key);

struct Charge {
  std::string reference;
  std::string idempotency_key;
  Money amount;
  payment::CaptureMethod capture_method = payment::CaptureMethod::automatic;
  Outcome outcome{};
  // Of the request's bytes; empty where they are not known.
  std::string request_fingerprint{};
  // The PSP that psp-simulator played: then the key is the name that this PSP gave. Empty: its own.
  std::string psp{};

  // In minor units: 0 <= refunded <= captured, and captured, voided and released make the amount at most.
  std::int64_t captured_minor = 0;
  std::int64_t refunded_minor = 0;
  std::int64_t voided_minor = 0;
  // What a last capture left of the hold.
  std::int64_t released_minor = 0;

  // What can still be captured; nothing of a charge that is not approved.
  std::int64_t held_minor() const;
  // The PSP's own name of it.
  std::string id() const { return name_of(psp, idempotency_key); }
};

// A capture, a void or a refund.
struct Operation {
  payment::Kind kind = payment::Kind::capture;
  // Of the charge, whose key is below.
  std::string reference;
  std::string charge_key;
  std::string idempotency_key;
  // Of a void: what was held, perhaps nothing.
  Money amount;
  // Of a capture: it releases the rest.
  bool is_final = true;
  Outcome outcome{};
  std::string request_fingerprint{};
  // As that of its charge.
  std::string psp{};

  std::string id() const { return name_of(psp, idempotency_key); }
  std::string charge_id() const { return name_of(psp, charge_key); }
};

// The key of the charge with this id; empty if it is none of ours.
std::string_view key_of_charge(std::string_view charge_id);

// The code if the charge does not allow it, empty if it does. `others`: what there is on the charge already;
// what is pending counts as done. A void's amount is not looked at.
std::string_view why_refused(const Charge& charge, const std::vector<Operation>& others,
                             const Operation& wanted);

// A charge that is approved now, or an operation on it that has succeeded now: its money. `others` may hold
// the operation itself, here and below.
void book(Charge& charge);
void book(Charge& charge, const std::vector<Operation>& others, const Operation& succeeded);

// A pending operation that is declined now. Its part of the hold is released where a final capture has
// released the rest meanwhile.
void let_go(Charge& charge, const std::vector<Operation>& others, const Operation& declined);

// One that had succeeded and is declined now. False, and nothing is changed, where what came after it stands
// in the way: then it stays.
bool take_back(Charge& charge, const std::vector<Operation>& others);
bool take_back(Charge& charge, const std::vector<Operation>& others, const Operation& operation);

bool is_in_order(const Charge& charge);

}  // namespace switchyard::psp::simulator
