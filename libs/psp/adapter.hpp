// What Switchyard asks of a payment service provider (PSP).
//
// An adapter turns a PSP's protocol into outcomes and never decides: a time-out, a reset, a 5xx or an
// unreadable answer is OutcomeUnknown, and only what provably never left is NotSent. Each call takes a
// deadline and returns by then. What the PSP says of a charge is held against what was asked by believe()
// (charge.hpp). Adapters belong to the thread they are called on.
#pragma once

#include <chrono>
#include <string>
#include <variant>

#include "base/task.hpp"
#include "money/money.hpp"
#include "payment/state_machine.hpp"

namespace switchyard::psp {

using Deadline = std::chrono::steady_clock::time_point;

struct AuthorizeRequest {
  // Ours: the PSP stores it with the charge and can be asked by it.
  std::string reference;
  // Two requests with one key are one charge.
  std::string idempotency_key;
  Money amount;
  payment::CaptureMethod capture_method = payment::CaptureMethod::automatic;
};

// The outcome of an earlier authorize call, or that the PSP has no charge of the request.
using LookUpResult = std::variant<payment::Approved, payment::Declined, payment::NoSuchCharge,
                                  payment::NotSent, payment::OutcomeUnknown, payment::Contradicted>;

class Adapter {
 public:
  virtual ~Adapter() = default;

  // The name attempts carry.
  virtual std::string_view name() const = 0;
  virtual Task<payment::Outcome> authorize(AuthorizeRequest request, Deadline deadline) = 0;
  // What became of the request, which was sent before or was about to be.
  virtual Task<LookUpResult> look_up(AuthorizeRequest request, Deadline deadline) = 0;
};

}  // namespace switchyard::psp
