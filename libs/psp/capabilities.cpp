#include "psp/capabilities.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace switchyard::psp {
namespace {

using payment::Kind;
using payment::Operation;
using payment::Phase;

// A capture before it that has taken of the hold, or may.
const Operation* find_earlier_capture(const payment::State& state, const Operation& capture) {
  const auto found = std::ranges::find_if(state.operations, [&capture](const Operation& other) {
    return other.kind == Kind::capture && other.number < capture.number &&
           (other.phase == Phase::succeeded || is_open(other.phase));
  });
  return found == state.operations.end() ? nullptr : &*found;
}

// What would be booked as released would still be held.
std::optional<payment::Rejected> refusal_of_rest(const Capabilities& can, std::string_view psp,
                                                 const payment::State& state, const Operation& operation) {
  auto left = state.transaction.held_minor;
  for (const auto& one : state.operations) {
    const bool is_other = one.kind == Kind::capture && is_open(one.phase) && one.number != operation.number;
    if (is_other) left -= one.amount.minor();
  }
  if (can.releases_rest || !operation.is_final || operation.amount.minor() >= left) return std::nullopt;
  return payment::Rejected{
      fmt::format("{} lets nothing of a hold go with a capture: it must not be the final one (\"final\": "
                  "false), and a void gives the rest back",
                  psp)};
}

}  // namespace

std::optional<payment::Rejected> refusal_of(const Capabilities& can, std::string_view psp,
                                            const payment::State& state, const Operation& operation) {
  if (operation.kind != Kind::capture) return std::nullopt;
  const auto& transaction = state.transaction;
  const Money held(transaction.authorized_minor, transaction.amount.currency());
  if (!can.partial_capture && operation.amount < held) {
    return payment::Rejected{
        fmt::format("{} captures the whole of a hold only, which is {}", psp, held.to_string())};
  }
  if (can.several_captures) return refusal_of_rest(can, psp, state, operation);
  if (const auto* earlier = find_earlier_capture(state, operation)) {
    return payment::Rejected{
        fmt::format("{} takes one capture of a hold, and operation {} is one", psp, earlier->number)};
  }
  if (!operation.is_final && operation.amount < held) {
    return payment::Rejected{fmt::format(
        "{} takes one capture of a hold and lets the rest of it go: it must be the final one", psp)};
  }
  return std::nullopt;
}

}  // namespace switchyard::psp
