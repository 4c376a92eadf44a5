// What may happen to a transaction and its operations, as pure functions: state and event in, state and
// action out. The machine knows no kind of operation; totals.hpp does.
//
// No I/O, no clock, no randomness: a service feeds events in, commits the new state and carries out the
// action. Each function takes only the events that can happen to it; one that the state does not allow is a
// bug of the caller and fails an assertion; what a PSP or a crash can bring about is never one.
//
// The rules it keeps:
//  - Intent before effect: claim() yields the action, and the caller commits the state before it acts.
//  - One unresolved operation of a transaction at a time: the next becomes due with the answer to it. Pending
//    ones do not hold others up.
//  - An operation that may have reached its PSP is asked for there before anything is sent, and nobody else
//    is asked: another PSP would say that it knows nothing, which is no answer.
//  - Another account is asked for the same money only after a soft decline, or where it is proven that
//    nothing reached the one before: by another authorization, with a key of its own.
//  - A resend is the same bytes under the same key, and goes out only while the PSP keeps the key.
//  - The amount that a PSP speaks of is held against the one that was asked for.
#pragma once

#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "payment/answer.hpp"
#include "payment/operation.hpp"
#include "payment/retry_policy.hpp"

namespace switchyard::payment {

enum class Action {
  none,     // commit, and leave it
  send,     // send the operation's request with its key; also when it was sent before
  look_up,  // ask the PSP what became of the operation
  end,      // have the PSP end an authorization that waits for its customer, or of which nothing could be
            // learned, and say what became of it
};

struct Step {
  State state;
  Action action = Action::none;
  // Which of the state's operations it is about.
  std::size_t index = 0;

  const Operation& operation() const { return state.operations.at(index); }
};

// Why an authorization goes to no account now.
struct NoAccount {
  std::string reason;
  // One could take it, and may do so later.
  bool may_pass = false;
};

// The accounts at PSPs that a worker can reach. Called from whatever thread claims.
class Accounts {
 public:
  virtual ~Accounts() = default;

  // Where the last authorization of `state` goes, which belongs to no account yet.
  virtual std::expected<std::string, NoAccount> choose(const State& state, Timestamp now) const = 0;
  virtual bool has(std::string_view account) const = 0;
  // Whether one more call may be under way there, beside those of the others.
  virtual bool has_room(std::string_view) const { return true; }
  // Writes the bytes that go to the PSP, which are not empty; or says why the PSP cannot be asked for it, and
  // then nothing is sent. Called at most once for an operation that is sent. has(operation.psp) holds.
  virtual std::expected<std::string, Rejected> encode(const State& state,
                                                      const Operation& operation) const = 0;
};

// Whether an authorization of the transaction went there, and ended without money.
bool was_asked(const State& state, std::string_view account);

// One account, to which all goes.
class OneAccount final : public Accounts {
 public:
  using Encode =
      std::function<std::expected<std::string, Rejected>(const State& state, const Operation& operation)>;

  OneAccount(std::string name, Encode encode) : name_(std::move(name)), encode_(std::move(encode)) {}

  std::expected<std::string, NoAccount> choose(const State& state, Timestamp now) const override;
  bool has(std::string_view account) const override { return account == name_; }
  std::expected<std::string, Rejected> encode(const State& state, const Operation& operation) const override {
    return encode_(state, operation);
  }

 private:
  std::string name_;
  Encode encode_;
};

// A new transaction as it is stored first. One that captures automatically is queued: any worker takes it,
// one that is not ours, too, and its authorization is made then. One that only holds the money, or says what
// it is paid with, has it from the start: a job of a queue outside the store cannot say so much, and whoever
// took it would take the money, or not this money.
State accepted(Transaction transaction);

// A worker takes over the operation that has been due longest. A transaction with nothing due is a bug.
Step claim(State state, const Accounts& accounts, Timestamp now, const RetryPolicy& policy);

// The PSP's answer to Action::send. May yield Action::end.
Step answered(Step step, const Answer& answer, const Accounts& accounts, Timestamp now,
              const RetryPolicy& policy);
// What Action::look_up found, or Action::end. The first may yield Action::send, and Action::end.
Step found(Step step, const Found& what, const Accounts& accounts, Timestamp now, const RetryPolicy& policy);

// What claim() gave to a worker, and by which it is known again.
struct Claim {
  std::size_t index = 0;
  std::int32_t claims = 0;
  Phase phase = Phase::sent;
};
Claim claim_of(const Step& claimed);

// The claimed step on the state as it is now, which somebody has changed since: what the PSP said is applied
// to it and stored under lock. The version is raised, so that nobody who works on another operation of it
// saves over this. Nothing if somebody has claimed it since, or an answer to it is stored already.
std::optional<Step> caught_up(State state, const Claim& claim);

// Somebody says that the PSP knows more by now: a customer who is back, or the PSP itself. What waits for it
// is asked for at once, and again as often as from the beginning. Nothing if nothing waits.
// `brought_back`: Operation::brought_back, of an authorization that waits for its customer.
std::optional<State> ask_now(State state, Timestamp now, std::string_view brought_back = {});
// The same of the one operation, also where nobody knows what the PSP says. `psp_reference`: the PSP's name
// for it, where it is learned with that.
std::optional<State> ask_now_for(State state, std::size_t index, std::string_view psp_reference,
                                 Timestamp now);

// --- Workers that are not ours -----------------------------------------------------------------

// What such a worker says became of a transaction that it worked off as a whole.
struct ChargedElsewhere {};
// Whether anything reached a PSP is not ours to find out, so it is never tried again.
struct FailedElsewhere {
  std::string reason;
};
// It was begun, and nobody knows how it ended: there is nobody to ask but a person.
struct UnknownElsewhere {
  std::string reason;
};
using Elsewhere = std::variant<ChargedElsewhere, FailedElsewhere, UnknownElsewhere>;

// Whether a worker that is not ours, of the name `worker`, has a say: the transaction is queued, or such a
// worker failed it, was told to try again (`rq requeue`), and now has charged it.
bool may_settle(const State& state, std::string_view worker, const Elsewhere& outcome);
// A transaction after such a worker worked it off; may_settle() holds.
State settle(State state, std::string_view worker, const Elsewhere& outcome, Timestamp now);

// --- Afterwards --------------------------------------------------------------------------------

// A PSP goes back on its word: what succeeded has not happened after all. Totals are lowered, and a person
// decides what to do about it. Nothing changes if the operation has not succeeded: a notice that comes before
// that is known is the caller's to keep while the operation is open. One that a person looks at already is
// taken back, too, and what they know stays in its reason. What is said twice changes nothing.
State take_back(State state, std::int32_t number, std::string_view reason, Timestamp now);

// The PSP says something of an operation that is over, or that a person looks at: a person is to see it.
// Totals stay. What is said twice changes nothing.
State give_to_a_person(State state, std::int32_t number, std::string_view reason, Timestamp now);

// The PSP says that nothing is held any more: the hold has run out, or somebody let go of it there. What was
// captured stays, and nothing more can be. The authorization keeps the reason, and its phase.
State end_hold(State state, std::string_view reason, Timestamp now);

// A person ends a `manual_review`, or corrects the PSP's name of what succeeded: nothing could be asked of
// the PSP under a wrong one.
struct Resolution {
  bool succeeded = false;
  // Empty, or is_psp_name(): what the PSP calls it, if that is news.
  std::string psp_reference;
  std::string note;
};
// Nothing if there is no such operation, it is not for a person, or the totals leave no room for it beside
// what is under way.
std::optional<State> resolve(State state, std::int32_t number, const Resolution& resolution, Timestamp now);

// --- What holds always -------------------------------------------------------------------------

// From totals and operations, and nothing else.
Status status_of(const State& state);

// After operations have changed: gives the next one its turn, and brings the transaction's status, reason and
// next action up to date.
void settle_schedule(State& state, Timestamp now);

// What is wrong with a transaction, for the operator; nothing if it is sound: totals in order, a next action
// where a worker has still something to do, and only there (a queued one without would be lost).
std::optional<std::string_view> why_broken(const Transaction& transaction);
// Also whether its operations belong to it, and its status follows from them.
std::optional<std::string_view> why_broken(const State& state);

// Before each write. What is read from outside the program is looked at with why_broken().
void assert_invariants(const State& state);

}  // namespace switchyard::payment
