#include "payment/totals.hpp"

#include <algorithm>

namespace switchyard::payment {
namespace {

// Of amounts that are each at most the transaction's: the sum of all that is open cannot overflow, because
// request() lets no more in than there is.
std::int64_t open_of(const State& state, Kind kind) {
  std::int64_t sum = 0;
  for (const auto& operation : state.operations) {
    if (operation.kind == kind && is_open(operation.phase)) sum += operation.amount.minor();
  }
  return sum;
}

bool has_open(const State& state, auto matches) {
  return std::ranges::any_of(state.operations, [&](const Operation& operation) {
    return is_open(operation.phase) && matches(operation);
  });
}

// By how much the operation moves the totals but for the hold, once or (-1) back.
void move_totals(Transaction& transaction, const Operation& operation, std::int64_t times) {
  const auto amount = times * operation.amount.minor();
  const bool captures_at_once = transaction.capture_method == CaptureMethod::automatic;
  if (operation.kind == Kind::authorize) transaction.authorized_minor += amount;
  if (operation.kind == Kind::refund) transaction.refunded_minor += amount;
  if (operation.kind == Kind::capture || (operation.kind == Kind::authorize && captures_at_once)) {
    transaction.captured_minor += amount;
  }
}

// What the operation added to the hold.
std::int64_t hold_of(const Transaction& transaction, const Operation& operation) {
  if (operation.kind == Kind::void_) return -operation.amount.minor();
  const bool is_hold =
      operation.kind == Kind::authorize && transaction.capture_method == CaptureMethod::manual;
  return is_hold ? operation.amount.minor() : 0;
}

}  // namespace

void book(Transaction& transaction, const Operation& succeeded) {
  const auto amount = succeeded.amount.minor();
  move_totals(transaction, succeeded, 1);
  if (succeeded.kind == Kind::authorize) transaction.held_minor += hold_of(transaction, succeeded);
  if (succeeded.kind == Kind::capture) {
    const auto rest = std::max(transaction.held_minor - amount, std::int64_t{0});
    transaction.held_minor = succeeded.is_final ? 0 : rest;
  } else if (succeeded.kind == Kind::void_) {
    release(transaction);
  }
}

bool take_back(State& state, const Operation& operation) {
  auto lowered = state.transaction;
  move_totals(lowered, operation, -1);
  lowered.held_minor -= hold_of(lowered, operation);
  const auto left = lowered.captured_minor - lowered.refunded_minor - open_of(state, Kind::refund);
  const auto capturable = lowered.authorized_minor - lowered.captured_minor - open_of(state, Kind::capture);
  if (!totals_are_in_order(lowered) || left < 0 || capturable < 0) return false;
  state.transaction = std::move(lowered);
  return true;
}

void release(Transaction& transaction) {
  transaction.held_minor = 0;
}

void put_back(Transaction& transaction, const Operation& operation) {
  move_totals(transaction, operation, 1);
  transaction.held_minor += hold_of(transaction, operation);
}

bool totals_are_in_order(const Transaction& transaction) {
  return transaction.amount.minor() > 0 && 0 <= transaction.refunded_minor &&
         transaction.refunded_minor <= transaction.captured_minor && 0 <= transaction.held_minor &&
         transaction.captured_minor <= transaction.authorized_minor &&
         transaction.held_minor <= transaction.authorized_minor - transaction.captured_minor &&
         transaction.authorized_minor <= transaction.amount.minor();
}

bool leaves_room_for_open(const State& state) {
  const auto& transaction = state.transaction;
  return open_of(state, Kind::authorize) <= transaction.amount.minor() - transaction.authorized_minor &&
         open_of(state, Kind::capture) <= transaction.authorized_minor - transaction.captured_minor &&
         open_of(state, Kind::refund) <= transaction.captured_minor - transaction.refunded_minor;
}

std::int64_t left_to_capture(const State& state) {
  // A void, and a capture that releases the rest, leave nothing.
  const bool all_is_taken = has_open(state, [](const Operation& operation) {
    return operation.kind == Kind::void_ || (operation.kind == Kind::capture && operation.is_final);
  });
  if (all_is_taken) return 0;
  return std::max(state.transaction.held_minor - open_of(state, Kind::capture), std::int64_t{0});
}

std::int64_t left_to_refund(const State& state) {
  const auto& transaction = state.transaction;
  return std::max(transaction.captured_minor - transaction.refunded_minor - open_of(state, Kind::refund),
                  std::int64_t{0});
}

}  // namespace switchyard::payment
