#include "psp/simulator/simulator.hpp"

#include <algorithm>

#include "base/event.hpp"
#include "psp/charge.hpp"
#include "psp/simulator/outcomes.hpp"

namespace switchyard::psp::simulator {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t charges_listed_max = 100;

ReportedCharge reported(const Charge& charge) {
  const bool soft = is_soft_decline(charge.code);
  payment::Outcome result = payment::Approved{charge.id()};
  if (!charge.approved) {
    result = payment::Declined{charge.code, soft ? payment::DeclineKind::soft : payment::DeclineKind::hard,
                               charge.id()};
  }
  return {.id = charge.id(),
          .reference = charge.reference,
          .idempotency_key = charge.idempotency_key,
          .amount = std::to_string(charge.amount.minor()),
          .currency = std::string(charge.amount.currency().code()),
          .capture_method = std::string(payment::to_string(charge.capture_method)),
          .result = std::move(result)};
}

}  // namespace

Task<payment::Outcome> Simulator::authorize(AuthorizeRequest request, Deadline deadline) {
  const auto behaviour = behaviour_of(request.amount.minor());
  if (behaviour.answer == Answer::unreachable) co_return payment::NotSent{"connection refused"};
  Charge wanted{.reference = request.reference,
                .idempotency_key = request.idempotency_key,
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
  co_return believe(reported((*booked)->charge), request);
}

Task<LookUpResult> Simulator::look_up(AuthorizeRequest request, Deadline) {
  const auto charges = co_await ledger_.list(request.reference, charges_listed_max);
  if (!charges) co_return payment::OutcomeUnknown{"the simulator's ledger failed"};
  std::vector<ReportedCharge> listed;
  for (const auto& charge : *charges) listed.push_back(reported(charge));
  const bool more = listed.size() == charges_listed_max;
  co_return believe(listed, more, request);
}

}  // namespace switchyard::psp::simulator
