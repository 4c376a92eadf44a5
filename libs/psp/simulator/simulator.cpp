#include "psp/simulator/simulator.hpp"

#include <algorithm>

#include "base/event.hpp"
#include "psp/simulator/outcomes.hpp"
#include "psp/simulator/requests.hpp"

namespace switchyard::psp::simulator {
namespace {

using payment::Kind;
using payment::OutcomeUnknown;
using std::chrono::steady_clock;

constexpr std::size_t charges_listed_max = 100;
constexpr const char* ledger_failed = "the simulator's ledger failed";

Report report_of_outcome(const Outcome& outcome, std::string_view success) {
  if (outcome.status == Status::succeeded) return {.status = std::string(success)};
  if (outcome.status == Status::pending) return {.status = "pending"};
  return {.status = "declined",
          .code = outcome.code,
          .decline_kind = is_soft_decline(outcome.code) ? "soft" : "hard"};
}

Report report_of(const Charge& charge) {
  auto report = report_of_outcome(charge.outcome, "approved");
  report.id = charge.id();
  report.reference = charge.reference;
  report.idempotency_key = charge.idempotency_key;
  report.amount = std::to_string(charge.amount.minor());
  report.currency = charge.amount.currency().code();
  report.capture_method = payment::to_string(charge.capture_method);
  return report;
}

Report report_of(const Operation& operation) {
  auto report = report_of_outcome(operation.outcome, "succeeded");
  report.id = operation.id();
  report.reference = operation.reference;
  report.idempotency_key = operation.idempotency_key;
  report.amount = std::to_string(operation.amount.minor());
  report.currency = operation.amount.currency().code();
  report.kind = payment::to_string(operation.kind);
  report.charge = operation.charge_id();
  return report;
}

Charge charge_of(const payment::Step& step) {
  return {.reference = psp_reference(step.state.transaction),
          .idempotency_key = step.operation().idempotency_key,
          .amount = step.operation().amount,
          .capture_method = step.state.transaction.capture_method};
}

Operation operation_of(const payment::Step& step) {
  const auto& operation = step.operation();
  return {.kind = operation.kind,
          .reference = psp_reference(step.state.transaction),
          .charge_key = std::string(key_of_charge(charge_id_of(step.state))),
          .idempotency_key = operation.idempotency_key,
          .amount = operation.amount,
          .is_final = operation.is_final};
}

}  // namespace

std::expected<std::string, payment::Rejected> Simulator::encode(const payment::State& state,
                                                                const payment::Operation& operation) const {
  return simulator::encode(state, operation);
}

Task<payment::Answer> Simulator::send(const payment::Step& step, Deadline deadline) {
  const auto& operation = step.operation();
  const auto behaviour = operation.kind == Kind::void_ ? Behaviour{} : behaviour_of(operation.amount.minor());
  if (behaviour.answer == Answer::unreachable) co_return payment::NotSent{"connection refused"};
  const auto booked = co_await book(step, behaviour);
  if (!booked && booked.error().code == ErrorCode::not_found) {
    co_return payment::Rejected{booked.error().detail};
  }
  if (!booked) co_return OutcomeUnknown{ledger_failed};
  if (!*booked) co_return OutcomeUnknown{"the request was lost"};

  const auto answer = answer_of(behaviour, true);
  if (answer == Answer::late) {
    const auto answered_at = steady_clock::now() + behaviour.delay;
    SteadyTimer pause(co_await asio::this_coro::executor, std::min(answered_at, deadline));
    co_await pause.async_wait(use_tuple);
    if (answered_at > deadline) co_return OutcomeUnknown{"no answer in time"};
  } else if (answer != Answer::given) {
    co_return OutcomeUnknown{"the answer was lost"};
  }
  co_return widened<payment::Answer>(believe(**booked, step));
}

// Nothing if nothing is booked.
Task<Result<std::optional<Report>>> Simulator::book(const payment::Step& step, Behaviour behaviour) {
  const auto now = clock_.now();
  if (step.operation().kind == Kind::authorize) {
    auto wanted = charge_of(step);
    const auto booked = co_await ledger_.book(std::move(wanted), behaviour, now);
    if (!booked) co_return std::unexpected(booked.error());
    co_return *booked ? std::optional(report_of((*booked)->entry)) : std::nullopt;
  }
  auto wanted = operation_of(step);
  Ledger::BehaviourFor by_amount = [behaviour](std::string_view) { return behaviour; };
  const auto operated = co_await ledger_.operate(std::move(wanted), std::move(by_amount), now);
  if (!operated) co_return std::unexpected(operated.error());
  co_return operated->booked ? std::optional(report_of(operated->booked->entry)) : std::nullopt;
}

Task<payment::Found> Simulator::look_up(const payment::Step& step, Timestamp, Deadline) {
  const auto now = clock_.now();
  auto reference = psp_reference(step.state.transaction);
  std::vector<Report> reports;
  if (step.operation().kind == Kind::authorize) {
    const auto listed = co_await ledger_.list(std::move(reference), charges_listed_max, now);
    if (!listed) co_return OutcomeUnknown{ledger_failed};
    for (const auto& each : *listed) reports.push_back(report_of(each.charge));
  } else {
    auto key = step.operation().idempotency_key;
    const auto operation = co_await ledger_.find_operation(std::move(reference), std::move(key), now);
    if (!operation) co_return OutcomeUnknown{ledger_failed};
    if (*operation) reports.push_back(report_of(**operation));
  }
  const bool more = reports.size() == charges_listed_max;
  co_return believe(reports, more, step);
}

}  // namespace switchyard::psp::simulator
