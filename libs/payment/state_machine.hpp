// What may happen to a transaction, as a pure function: state and event in, state and action out.
//
// No I/O, no clock, no randomness: a service feeds events in, commits the new state and carries out the
// action. An event that the state does not allow is a bug of the caller and fails an assertion; what a PSP or
// a crash can bring about is never one.
//
// The rules it keeps:
//  - Intent before effect: Claimed yields the action, and the caller commits the state before it acts.
//  - One unresolved attempt at a time: a claim of a transaction whose last attempt is unresolved asks the PSP
//    about that attempt, and never starts another. Another PSP than the attempt's is not asked: it would say
//    that it knows nothing, which is no answer.
//  - The same attempt is always resent with the same key; only an attempt that was provably not sent is
//    followed by a new one.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "payment/transaction.hpp"

namespace switchyard::payment {

struct RetryPolicy {
  // How long a worker owns what it claimed. Longer than the deadline of a PSP call.
  std::chrono::milliseconds lease{15'000};

  // New attempts after one that was not sent: the delay doubles from one to the next.
  std::int32_t attempts_max = 3;
  std::chrono::milliseconds retry_delay{500};

  // Look-ups of an attempt whose outcome is unknown, before a person is asked; the delay doubles up to the
  // longest.
  std::int32_t look_ups_max = 12;
  std::chrono::milliseconds look_up_delay{500};
  std::chrono::milliseconds look_up_delay_max{300'000};
};

// The longest that a claim or an outcome puts a next action off. One that is farther ahead was written by a
// clock that was wrong.
std::chrono::milliseconds longest_delay(const RetryPolicy& policy);

// --- Events ------------------------------------------------------------------------------------

// A worker takes a due transaction over. `psp` is where a new attempt would go.
struct Claimed {
  std::string_view psp;
};

// What an attempt came to. A decline is a result, not an error.
struct Approved {
  std::string psp_reference;
};
enum class DeclineKind { soft, hard };
struct Declined {
  std::string code;
  DeclineKind kind = DeclineKind::hard;
  std::string psp_reference;
};
// The request provably did not reach the PSP: name not found, connection refused.
struct NotSent {
  std::string reason;
};
// Sent, and no readable answer: time-out, reset, 5xx, garbage.
struct OutcomeUnknown {
  std::string reason;
};
// The PSP speaks of a charge that is not the one that was asked for. Whatever it is, it is not booked as ours
// and nothing is sent again: a person decides.
struct Contradicted {
  // What the PSP says, and what was asked.
  std::string reason;
  std::string psp_reference;
};
using Outcome = std::variant<Approved, Declined, NotSent, OutcomeUnknown, Contradicted>;

// The answer to a look-up: the PSP knows no charge for the reference.
struct NoSuchCharge {};

// A worker that is not ours made the attempt and says that it failed. Whether anything reached a PSP is not
// ours to find out, so it is never tried again.
struct ReportedFailed {
  std::string reason;
};

using Event = std::variant<Claimed, Approved, Declined, NotSent, OutcomeUnknown, Contradicted, NoSuchCharge,
                           ReportedFailed>;

// --- Actions -----------------------------------------------------------------------------------

enum class Action {
  none,       // commit, and leave it
  authorize,  // send the attempt's request with its key; also when it was sent before
  look_up,    // ask the PSP for the attempt's outcome by the transaction's reference
};

// A transaction with its latest attempt, which is all that decides.
struct State {
  Transaction transaction;
  std::optional<Attempt> attempt;
};

struct Transition {
  State state;
  Action action = Action::none;
};

// Texts of an event come from outside: what the state keeps of them is printable() (money/printable.hpp).
Transition apply(State state, const Event& event, Timestamp now, const RetryPolicy& policy);

// Whether a worker that is not ours, of the name `psp`, has a say: the transaction is queued, or such a
// worker failed it, was told to try again (`rq requeue`), and now has it Approved.
bool may_settle(const State& state, std::string_view psp, const Event& outcome);

// A transaction after such a worker worked it off; may_settle() holds. There is nobody to ask about an
// OutcomeUnknown, so that one goes to a person.
State settle(State state, std::string_view psp, const Event& outcome, Timestamp now);

// What is wrong with a transaction, for the operator; nothing if it is sound: captured <= authorized <=
// amount, refunded <= captured, nothing negative; a status that fits the money; a next action where a worker
// has still something to do, and only there (a queued one without would be lost); claims and attempts that
// fit both.
std::optional<std::string_view> why_broken(const Transaction& transaction);
// Also whether the last attempt belongs to it: one that could be sent again although it has ended is broken.
std::optional<std::string_view> why_broken(const State& state);

// Before each write. What is read from outside the program is looked at with why_broken().
void assert_invariants(const Transaction& transaction);

// The bytes by which an attempt's request is known to be the same when it is sent again. Adapters whose PSP
// takes JSON of our own making send precisely these.
std::string request_bytes(std::string_view reference, Money amount, CaptureMethod capture_method);
std::string request_bytes(const Transaction& transaction);

}  // namespace switchyard::payment
