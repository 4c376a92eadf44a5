// What a PSP says by itself, in an event of its webhook, and what that makes of a transaction. Pure.
//
// Events come late, twice, in any order, and before our own answer is stored. Nothing is believed that is not
// held against what was asked.
//
// | said of an operation   | open, and sent      | succeeded     | ended otherwise | for a person  |
// |------------------------|---------------------|---------------|-----------------|---------------|
// | Succeeded              | the answer to it    | nothing new   | for a person    | told to them  |
// | Declined               | the answer to it    | for a person  | nothing new     | told to them  |
// | AskAgain               | asked for at once   | nothing new   | nothing new     | nothing new   |
// | Happened               | asked for at once   | nothing new   | for a person    | nothing new   |
// | TryFailed              | asked for at once   | for a person  | nothing new     | told to them  |
// | CameToNothing          | asked for at once   | taken back    | nothing new     | taken back    |
// | TakenBack              | too early           | taken back    | nothing new     | taken back    |
// | ChargedBack            | too early           | taken back    | for a person    | taken back    |
// | Attention              | too early           | for a person  | nothing new     | told to them  |
// | HoldExpired            | too early           | not held      | nothing new     | not held      |
//
// What had succeeded before a person looked at it has succeeded: to hear that again is nothing new. What a
// ChargedBack or HoldExpired depends on may be under way: then it is too early. CameToNothing is said of a
// payment as a whole: what took its money is taken back, and what is only held is not held any more.
//
// What is asked for at once is the operation that is meant, or all that wait where the event does not say;
// while its answer is on its way that is too early.
//
// What is yet to be sent, as far as is known here, is too early for all but those that only ask. A person's
// word is not taken back by an event: they see what it says. A capture, void or refund that nobody asked for
// here is for a person, too: somebody did it at the PSP. So is what has our name and another one of the
// PSP's, or the other way round: it is a second one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "payment/answer.hpp"
#include "payment/state_machine.hpp"

namespace switchyard::payment {

// Something has happened to the operation, and the PSP is to be asked what: an event's own words may be older
// than what is known already.
struct AskAgain {};
// The same, of what can only be if money moved: a payment that succeeded, a refund that is there.
struct Happened {};
// What succeeded has not happened after all: a refund that failed, a capture that bounced.
struct TakenBack {
  std::string reason;
  std::optional<Money> amount;
};
// A try to pay has failed. It may have been an earlier one, so that money that was taken stays where it is.
struct TryFailed {
  std::string reason;
};
// The payment was cancelled, for good. Where something of it waits the PSP is asked; money that was taken has
// not been after all.
struct CameToNothing {
  std::string reason;
};
// A bank has given the customer back what was taken.
struct ChargedBack {
  std::string reason;
  std::optional<Money> amount;
};
// Moves no money, and a person must see it: a dispute.
struct Attention {
  std::string reason;
};
// The hold has run out: what was not captured cannot be any more. Of no consequence where nothing is held.
struct HoldExpired {
  std::string reason;
};
// Known and of no consequence, or not known at all.
struct Ignored {};

struct Notice {
  using What = std::variant<Succeeded, Declined, AskAgain, Happened, TryFailed, CameToNothing, TakenBack,
                            ChargedBack, Attention, HoldExpired, Ignored>;

  // The PSP's name for the event: of two with one name, the second says nothing new.
  std::string event;
  // The PSP's own word for what happened, such as "charge.refunded"; for the log.
  std::string type;
  // By which the operation is found; empty what the event does not say. Ours, as sent with the operation; our
  // idempotency key; the PSP's name for the operation, and for the payment that it belongs to.
  std::string reference{};
  std::string idempotency_key{};
  std::string psp_reference{};
  std::string payment{};
  std::optional<Kind> kind{};
  What what = Ignored{};
};

struct Noticed {
  enum class How {
    nothing_new,
    changed,
    too_early,  // it is to be heard again later
  };

  How how = How::nothing_new;
  // As it is now.
  State state;
  // The operation that it is about, of one that has changed.
  std::size_t index = 0;
};

// `state`: of the transaction that a notice to the account `psp` is about.
Noticed notified(State state, std::string_view psp, const Notice& notice, const Accounts& accounts,
                 Timestamp now, const RetryPolicy& policy);

}  // namespace switchyard::payment
