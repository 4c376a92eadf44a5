// An operation: one thing asked of a PSP for a transaction. Everything asked has this one shape, whatever its
// kind, and goes through the same machine (state_machine.hpp). Plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "payment/transaction.hpp"

namespace switchyard::payment {

enum class Kind : std::uint8_t {
  authorize,  // hold the money, and take it at once where the transaction captures automatically
  capture,    // take of what is held
  void_,      // give back what is held
  refund,     // give back of what was taken
};

std::string_view to_string(Kind kind);
std::optional<Kind> parse_kind(std::string_view text);

enum class Phase : std::uint8_t {
  requested,        // on disk; not sent, or provably not arrived
  sent,             // the intent is on disk; the PSP may or may not have been called
  pending,          // the PSP took it and will say later
  unknown,          // sent, no readable answer
  action_required,  // the PSP waits for the customer
  succeeded,
  declined,       // the issuer or the PSP said no
  rejected,       // the PSP refused the request for good: our fault or our configuration
  failed,         // never reached the PSP, or a worker that is not ours says so
  manual_review,  // a person decides
};

std::string_view to_string(Phase phase);
std::optional<Phase> parse_phase(std::string_view text);

// Whether it may still move money: its amount counts as taken, whatever becomes of it.
bool is_open(Phase phase);

// Whether what became of it is still to be learned, and not by a person.
bool is_under_way(Phase phase);
// Whether the PSP has it, and will say later what came of it.
bool waits_for_psp(Phase phase);
// Whether it is over, and no money moved.
bool has_come_to_nothing(Phase phase);
// Whether the PSP may know of it and nobody knows what it says.
bool is_unresolved(Phase phase);

enum class ReasonKind : std::uint8_t {
  none,
  soft_decline,     // the issuer may say yes another time
  hard_decline,     // it will not
  customer_action,  // the customer must act, or did not
  configuration,    // the PSP does not take what we send: ours to mend
  unknown,
};

std::string_view to_string(ReasonKind kind);
std::optional<ReasonKind> parse_reason_kind(std::string_view text);

// Why an operation is where it is, as the PSP or the network said it.
struct Reason {
  // An ISO 8583 response code, or a word of the PSP.
  std::string code{};
  std::string message{};
  ReasonKind kind = ReasonKind::none;

  // The code, or the message where there is none.
  const std::string& text() const { return code.empty() ? message : code; }

  friend bool operator==(const Reason&, const Reason&) = default;
};

// 1 to 255 visible ASCII characters. What else a PSP may call something cannot be kept without changing it.
bool is_psp_name(std::string_view text);

// Where a customer may be sent: https, or a PSP that is played on this machine; 2048 printable ASCII
// characters at most.
bool is_web_address(std::string_view text);

struct Operation {
  // Within its transaction, from 1. A queued transaction has none yet: its authorization is made from it when
  // it is first claimed.
  std::int32_t number = 1;
  Kind kind = Kind::authorize;
  // Of the transaction's currency.
  Money amount;
  // Of a capture: what is left of the hold is released with it.
  bool is_final = true;

  Phase phase = Phase::requested;
  // The account it goes to; empty until it is first sent, for an authorization.
  std::string psp{};
  // Two requests with one key are one operation at the PSP.
  std::string idempotency_key{};
  // The bytes that go to the PSP, written once: a resend is identical whatever version of the program sends
  // it. Empty until first sent.
  std::string request{};

  // How often a worker took it: an answer counts only from the holder of the latest claim.
  std::int32_t claims = 0;
  std::int32_t sends = 0;
  // How often its outcome was asked for.
  std::int32_t look_ups = 0;
  // The PSP's own name for it, byte for byte: captures, voids and refunds are asked for under that of the
  // authorization. is_psp_name() holds, or it is empty.
  std::string psp_reference{};
  // Where the customer is to be sent; empty unless the PSP waits for them.
  std::string action_url{};
  // What the customer brought back from there, as the merchant said it: a JSON object of strings; or empty.
  std::string brought_back{};
  Reason reason{};
  // The PSP said that it succeeded and took that back: the totals have been lowered again.
  bool taken_back = false;

  // The merchant's own: a reference, and for what.
  std::string reference{};
  std::string note{};
  // Of one that a person ended: how they know. Not for the merchant.
  std::string resolution{};

  // When a worker must look at it. Empty: never, or not before the one that is under way has ended.
  std::optional<Timestamp> due_at{};
  Timestamp requested_at{};
  // For the first time, but for what provably did not arrive.
  std::optional<Timestamp> sent_at{};
  // When its outcome was first known.
  std::optional<Timestamp> ended_at{};

  friend bool operator==(const Operation&, const Operation&) = default;
};

// A transaction with all its operations, in the order of their numbers: all that decides.
struct State {
  Transaction transaction;
  std::vector<Operation> operations;
};

// Whether the totals hold what it did: it succeeded, and a person may look at it since.
bool is_booked(const Operation& operation);

// The authorization that counts: the one whose money the totals hold, else the last one. None while the
// transaction is queued.
const Operation* find_authorization(const State& state);

}  // namespace switchyard::payment
