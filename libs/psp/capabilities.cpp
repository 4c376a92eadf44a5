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
  if (can.several_captures) return std::nullopt;
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
