// What a PSP says by itself, in an event of its webhook. Plain data; nothing is believed that is not held
// against what was asked (notified() in state_machine.hpp).
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "payment/answer.hpp"

namespace switchyard::payment {

// Something has happened to the operation, and the PSP is to be asked what: an event's own words may be older
// than what is known already.
struct AskAgain {};
// What succeeded has not happened after all: a refund that failed, a capture that bounced.
struct TakenBack {
  std::string reason;
  std::optional<Money> amount;
};
// A bank has given the customer back what was taken.
struct ChargedBack {
  std::string reason;
  std::optional<Money> amount;
};
// Moves no money, and a person must see it: a dispute, a hold that has run out.
struct Attention {
  std::string reason;
};
// Known and of no consequence, or not known at all.
struct Ignored {};

struct Notice {
  using What = std::variant<Succeeded, Declined, AskAgain, TakenBack, ChargedBack, Attention, Ignored>;

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

}  // namespace switchyard::payment
