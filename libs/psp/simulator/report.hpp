// What the simulated PSP says of a charge or of an operation on one, and what of it is believed. Pure; the
// answers of both simulators come through here.
//
// It is ours only if it is word for word what was asked: kind, reference, idempotency key, of a charge
// whether the money is taken or only held, of an operation on which charge. One that says anything else is
// never booked: Contradicted, with the PSP's words, and a person decides. One that leaves something out
// cannot be read: OutcomeUnknown. The amount is passed on, and held against the one that was asked for by the
// machine (payment/answer.hpp); one that is no amount at all is settled here.
#pragma once

#include <span>
#include <string>
#include <variant>

#include "payment/answer.hpp"
#include "payment/state_machine.hpp"

namespace switchyard::psp::simulator {

// In the PSP's own words; what it says nothing about is empty.
struct Report {
  std::string id{};
  std::string reference{};
  std::string idempotency_key{};
  // As JSON writes them: "100" and nothing else is 100.
  std::string amount{};
  std::string currency{};
  // Of a charge. "automatic": the money is taken; "manual": it is held.
  std::string capture_method{};
  // Of an operation: "capture", "void" or "refund", and the id of the charge.
  std::string kind{};
  std::string charge{};
  // Of a charge "approved", of an operation "succeeded"; "declined" or "pending".
  std::string status{};
  // Of a decline: an ISO 8583 response code or a word, and "soft" or "hard".
  std::string code{};
  std::string decline_kind{};
};

using Belief = std::variant<payment::Succeeded, payment::Declined, payment::Pending, payment::OutcomeUnknown,
                            payment::Contradicted>;

// What the report means for the step's operation.
Belief believe(const Report& report, const payment::Step& step);

// Of all that the PSP has under the step's reference (authorize) or its key (others); `more`: and of some
// that it did not list. Two of one key is a contradiction, and so is money taken or held under another key:
// sending again would be one more.
payment::Found believe(std::span<const Report> reports, bool more, const payment::Step& step);

// A belief as an Answer or a Found.
template <class To>
To widened(Belief belief) {
  return std::visit([](auto& one) { return To(std::move(one)); }, belief);
}

}  // namespace switchyard::psp::simulator
