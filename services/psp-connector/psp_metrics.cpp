#include "psp-connector/psp_metrics.hpp"

#include <variant>

namespace switchyard::connector {
namespace {

// The calls and the results of the metrics, in the order of their counters.
constexpr std::array<std::string_view, 6> calls{"authorize", "capture", "void", "refund", "look_up", "end"};
constexpr std::array<std::string_view, 10> results{
    "approved",        "soft_decline", "hard_decline", "rejected",     "pending",
    "action_required", "not_sent",     "unknown",      "contradicted", "no_such_charge"};

// An index of `results`.
struct ResultOf {
  std::size_t operator()(const payment::Succeeded&) const { return 0; }
  std::size_t operator()(const payment::Declined& declined) const {
    return declined.reason.kind == payment::ReasonKind::soft_decline ? 1 : 2;
  }
  std::size_t operator()(const payment::Rejected&) const { return 3; }
  std::size_t operator()(const payment::Pending&) const { return 4; }
  std::size_t operator()(const payment::ActionRequired&) const { return 5; }
  std::size_t operator()(const payment::NotSent&) const { return 6; }
  std::size_t operator()(const payment::OutcomeUnknown&) const { return 7; }
  std::size_t operator()(const payment::Contradicted&) const { return 8; }
  std::size_t operator()(const payment::NoSuchOperation&) const { return 9; }
};

}  // namespace

PspMetrics::OfPsp& PspMetrics::of(std::string_view psp) {
  const auto found = by_psp_.find(psp);
  return found == by_psp_.end() ? by_psp_[std::string(psp)] : found->second;
}

void PspMetrics::add(const payment::Step& step, const payment::Answer& answer) {
  count(step.operation().psp, static_cast<std::size_t>(step.operation().kind),
        std::visit(ResultOf{}, answer));
}

void PspMetrics::add(const payment::Step& step, const payment::Found& found) {
  const std::size_t call = step.action == payment::Action::end ? 5 : 4;
  count(step.operation().psp, call, std::visit(ResultOf{}, found));
}

void PspMetrics::count(std::string_view psp, std::size_t call, std::size_t result) {
  auto*& counter = of(psp).calls.at(call).at(result);
  if (counter == nullptr) {
    counter =
        &metrics_.counter("switchyard_psp_calls_total", "Calls of a PSP, by its name and what came of them.",
                          {{"psp", std::string(psp)},
                           {"call", std::string(calls.at(call))},
                           {"result", std::string(results.at(result))}});
  }
  counter->Increment();
}

void PspMetrics::took(std::string_view psp, std::chrono::duration<double> time) {
  auto*& duration = of(psp).duration;
  if (duration == nullptr) {
    duration = &metrics_.histogram("switchyard_psp_request_duration_seconds", "Calls of a PSP, by its name.",
                                   {{"psp", std::string(psp)}});
  }
  duration->Observe(time.count());
}

void PspMetrics::show(const std::vector<Psps::Standing>& standings) {
  for (const auto& standing : standings) {
    auto& psp = of(standing.name);
    if (psp.breaker == nullptr) {
      psp.breaker = &metrics_.gauge(
          std::string(breaker_gauge),
          "Whether new payments pass an account by, because its PSP does not answer; all but one, where it "
          "is tried again.",
          {{"psp", standing.name}});
      psp.half_open =
          &metrics_.gauge(std::string(half_open_gauge),
                          "Whether an account that was passed by is tried again, with one payment at a time.",
                          {{"psp", standing.name}});
    }
    psp.breaker->Set(standing.breaker == routing::BreakerState::closed ? 0 : 1);
    psp.half_open->Set(standing.breaker == routing::BreakerState::half_open ? 1 : 0);
  }
}

}  // namespace switchyard::connector
