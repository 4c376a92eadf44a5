// What a PSP says about a charge, and what of it is believed. Pure; the answers of every adapter come through
// here.
//
// A charge is ours only if it is word for word what was asked: reference, idempotency key, amount, currency
// and whether the money is taken or only held. One that says anything else is never booked: Contradicted,
// with the PSP's words, and a person decides. One that leaves something out cannot be read: OutcomeUnknown.
#pragma once

#include <span>
#include <string>

#include "psp/adapter.hpp"

namespace switchyard::psp {

// In the PSP's own words; what it says nothing about is empty.
struct ReportedCharge {
  std::string id;
  std::string reference;
  std::string idempotency_key;
  // Minor units, as they were written: "100" and nothing else is 100.
  std::string amount;
  std::string currency;
  // "automatic": the money is taken; "manual": it is held.
  std::string capture_method;
  // Approved or Declined; OutcomeUnknown where it says neither.
  payment::Outcome result;

  bool is_approved() const { return std::holds_alternative<payment::Approved>(result); }
};

payment::Outcome believe(const ReportedCharge& charge, const AuthorizeRequest& asked);

// Of all charges that the PSP has under the reference; `more`: and of some that it did not list. Two charges
// of the key, or money taken or held under another key, is a contradiction, too: sending again would be one
// more.
LookUpResult believe(std::span<const ReportedCharge> charges, bool more, const AuthorizeRequest& asked);

}  // namespace switchyard::psp
