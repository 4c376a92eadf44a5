#include "psp/simulator/simulator.hpp"

#include <algorithm>

#include "base/event.hpp"
#include "psp/simulator/outcomes.hpp"

namespace switchyard::psp::simulator {
namespace {

using std::chrono::steady_clock;

template <class Outcome>
Outcome outcome_of(const Charge& charge) {
  if (charge.approved) return payment::Approved{charge.id()};
  const bool soft = is_soft_decline(charge.code);
  return payment::Declined{charge.code, soft ? payment::DeclineKind::soft : payment::DeclineKind::hard,
                           charge.id()};
}

}  // namespace

Task<payment::Outcome> Simulator::authorize(AuthorizeRequest request, Deadline deadline) {
  const auto behaviour = behaviour_of(request.amount.minor());
  if (behaviour.answer == Answer::unreachable) co_return payment::NotSent{"connection refused"};
  Charge wanted{.reference = std::move(request.reference),
                .idempotency_key = std::move(request.idempotency_key),
                .amount = request.amount,
                .capture_method = request.capture_method,
                .code = {},
                .request_fingerprint = {}};
  const auto booked = co_await ledger_.book(std::move(wanted), behaviour, clock_.now());
  if (!booked) co_return payment::OutcomeUnknown{"the simulator's ledger failed"};
  if (!*booked) co_return payment::OutcomeUnknown{"the request was lost"};

  const auto answer = answer_of(behaviour, true);
  if (answer == Answer::late) {
    const auto answered_at = steady_clock::now() + usual_delay;
    SteadyTimer pause(co_await asio::this_coro::executor, std::min(answered_at, deadline));
    co_await pause.async_wait(use_tuple);
    if (answered_at > deadline) co_return payment::OutcomeUnknown{"no answer in time"};
  } else if (answer != Answer::given) {
    co_return payment::OutcomeUnknown{"the answer was lost"};
  }
  co_return outcome_of<payment::Outcome>((*booked)->charge);
}

Task<LookUpResult> Simulator::look_up(std::string reference, std::string idempotency_key, Deadline) {
  const auto charge = co_await ledger_.find(std::move(reference), std::move(idempotency_key));
  if (!charge) co_return payment::OutcomeUnknown{"the simulator's ledger failed"};
  if (!*charge) co_return payment::NoSuchCharge{};
  co_return outcome_of<LookUpResult>(**charge);
}

}  // namespace switchyard::psp::simulator
