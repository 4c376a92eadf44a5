#include "psp/simulator/simulator.hpp"

#include "psp/simulator/outcomes.hpp"

namespace switchyard::psp::simulator {
namespace {

template <class Outcome>
Outcome outcome_of(const Charge& charge) {
  const auto psp_reference = "sim_" + charge.idempotency_key;
  if (charge.approved) return payment::Approved{psp_reference};
  const bool retriable = behaviour_of(charge.amount.minor()).retriable;
  return payment::Declined{charge.code, retriable ? payment::DeclineKind::soft : payment::DeclineKind::hard,
                           psp_reference};
}

}  // namespace

Task<payment::Outcome> Simulator::authorize(AuthorizeRequest request, Deadline) {
  const auto behaviour = behaviour_of(request.amount.minor());
  if (behaviour.behaviour == Behaviour::unreachable) {
    co_return payment::NotSent{"connection refused"};
  }
  Charge wanted{.reference = std::move(request.reference),
                .idempotency_key = std::move(request.idempotency_key),
                .amount = request.amount,
                .approved = behaviour.behaviour != Behaviour::decline,
                .code = std::string(behaviour.code)};
  const auto charge = co_await ledger_.charge_once(std::move(wanted), clock_.now());
  if (!charge) co_return payment::OutcomeUnknown{"the simulator's ledger failed"};
  if (behaviour.behaviour == Behaviour::lose_answer) co_return payment::OutcomeUnknown{"the answer was lost"};
  co_return outcome_of<payment::Outcome>(*charge);
}

Task<LookUpResult> Simulator::look_up(std::string reference, std::string idempotency_key, Deadline) {
  const auto charge = co_await ledger_.find(std::move(reference), std::move(idempotency_key));
  if (!charge) co_return payment::OutcomeUnknown{"the simulator's ledger failed"};
  if (!*charge) co_return payment::NoSuchCharge{};
  co_return outcome_of<LookUpResult>(**charge);
}

}  // namespace switchyard::psp::simulator
