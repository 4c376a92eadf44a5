#include "payment/request.hpp"

#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "payment/psp_keys.hpp"
#include "payment/state_machine.hpp"
#include "payment/totals.hpp"

namespace switchyard::payment {
namespace {

using Why = Refusal::Why;

std::unexpected<Refusal> refuse(const State& state, Why why, std::string detail, std::int64_t left = 0) {
  return std::unexpected(Refusal{why, state.transaction.status, left, std::move(detail)});
}

// Beside a capture that is under way nobody can say what would be given back.
bool can_be_voided(const State& state) {
  const auto left = left_to_capture(state);
  return left > 0 && left == state.transaction.held_minor;
}

// What is possible instead, by the rules of amount_to_move().
std::string what_is_possible(const State& state) {
  const auto& transaction = state.transaction;
  if (transaction.status == Status::manual_review) return "a person looks into it first";
  if (transaction.authorized_minor == 0 && is_open(transaction.status)) return "wait until it is authorized";
  std::vector<std::string_view> possible;
  if (left_to_capture(state) > 0) possible.push_back("capture");
  if (can_be_voided(state)) possible.push_back("void");
  if (left_to_refund(state) > 0) possible.push_back("refund");
  if (!possible.empty()) return fmt::format("possible: {}", fmt::join(possible, ", "));
  return is_open(transaction.status) ? "wait until what is under way has ended"
                                     : "nothing more can be done to it";
}

// Whether it gives back all that can be given back.
bool ends_it(const State& state, const Request& wanted, std::int64_t amount) {
  return wanted.kind == Kind::void_ || (wanted.kind == Kind::refund && amount == left_to_refund(state));
}

std::unexpected<Refusal> refuse_state(const State& state, Kind kind) {
  return refuse(state, Why::wrong_state,
                fmt::format("{} is not possible while the transaction is {}; {}", to_string(kind),
                            to_string(state.transaction.status), what_is_possible(state)));
}

std::expected<std::int64_t, Refusal> amount_of(const State& state, const Request& wanted, std::int64_t left) {
  const auto amount = wanted.amount_minor.value_or(left);
  if (amount > left || left == 0) {
    return refuse(
        state, Why::over_what_is_left,
        fmt::format("{} is left to {}, counting what is under way",
                    Money(left, state.transaction.amount.currency()).to_string(), to_string(wanted.kind)),
        left);
  }
  SWITCHYARD_ASSERT(amount > 0);
  return amount;
}

std::expected<std::int64_t, Refusal> amount_to_move(const State& state, const Request& wanted) {
  const auto& transaction = state.transaction;
  const auto left = left_to_capture(state);
  switch (wanted.kind) {
    case Kind::authorize:
      break;
    case Kind::capture:
      if (transaction.held_minor == 0) return refuse_state(state, wanted.kind);
      return amount_of(state, wanted, left);
    case Kind::void_:
      SWITCHYARD_ASSERT(!wanted.amount_minor);
      if (!can_be_voided(state)) return refuse_state(state, wanted.kind);
      return left;
    case Kind::refund:
      if (transaction.captured_minor == 0) return refuse_state(state, wanted.kind);
      return amount_of(state, wanted, left_to_refund(state));
  }
  SWITCHYARD_ASSERT(false);
}

}  // namespace

std::expected<State, Refusal> request(State state, const Request& wanted, Timestamp now) {
  auto& transaction = state.transaction;
  if (transaction.status == Status::manual_review) return refuse_state(state, wanted.kind);
  const auto amount = amount_to_move(state, wanted);
  if (!amount) return std::unexpected(amount.error());
  const auto most = ends_it(state, wanted, *amount) ? operations_max : operations_max - operations_kept;
  if (state.operations.size() >= most) {
    return refuse(
        state, Why::too_many,
        fmt::format("a transaction has {} operations at most, and the last {} of them only void it, "
                    "or refund all that is left",
                    operations_max, operations_kept));
  }
  const auto* authorization = find_authorization(state);
  SWITCHYARD_ASSERT(authorization != nullptr);
  Operation operation{.amount = Money(*amount, transaction.amount.currency())};
  ++transaction.version;
  operation.number = ++transaction.operation_count;
  operation.kind = wanted.kind;
  operation.is_final = wanted.kind != Kind::capture || wanted.is_final;
  // Only who took the money can give it back.
  operation.psp = authorization->psp;
  operation.idempotency_key =
      wanted.psp_key.empty() ? numbered_key(transaction, operation.number) : wanted.psp_key;
  operation.reference = wanted.reference;
  operation.note = wanted.note;
  operation.requested_at = now;
  state.operations.push_back(std::move(operation));
  settle_schedule(state, now);
  return state;
}

}  // namespace switchyard::payment
