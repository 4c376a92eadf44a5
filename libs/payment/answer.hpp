// What a PSP says of an operation. An adapter reads it and never decides; the machine holds the amount that
// the PSP speaks of against the one that was asked for.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "payment/operation.hpp"

namespace switchyard::payment {

struct Succeeded {
  std::string psp_reference;
  // What the PSP says that it held, took or gave back.
  Money amount;
};
// A result, not an error.
struct Declined {
  Reason reason;
  std::string psp_reference;
  // Empty where the PSP speaks of none.
  std::optional<Money> amount;
  // Of a capture: nothing is held any more.
  bool is_hold_over = false;
};
// The PSP refused the request for good, before it did anything: it would refuse it again.
struct Rejected {
  std::string reason;
  // Whatever it were asked for: it does not take our key.
  bool is_of_account = false;
};
// The PSP took it and will say later what came of it.
struct Pending {
  std::string psp_reference;
  std::optional<Money> amount;
};
// The PSP waits for the customer.
struct ActionRequired {
  std::string psp_reference;
  std::optional<Money> amount;
  // Where the customer is to be sent.
  std::string url{};
};
// The request provably did not reach the PSP, or was turned away unread: name not found, connection refused,
// too many requests.
struct NotSent {
  std::string reason;
};
// Sent, and no readable answer: time-out, reset, 5xx, garbage.
struct OutcomeUnknown {
  std::string reason{};
  // False: the PSP was not called, because there is nothing to ask it.
  bool was_called = true;
};
// The PSP speaks of something that is not what was asked for. Whatever it is, it is not booked as ours and
// nothing is sent again: a person decides.
struct Contradicted {
  // What the PSP says, and what was asked.
  std::string reason;
  std::string psp_reference;
};
// The PSP knows of no such operation.
struct NoSuchOperation {};

// To a request that was sent.
using Answer = std::variant<Succeeded, Declined, Rejected, Pending, ActionRequired, NotSent, OutcomeUnknown,
                            Contradicted>;
// To the question what became of it. Here NotSent and OutcomeUnknown are the question's own failures.
using Found = std::variant<Succeeded, Declined, Pending, ActionRequired, NotSent, OutcomeUnknown,
                           Contradicted, NoSuchOperation>;

}  // namespace switchyard::payment
