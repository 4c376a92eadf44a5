#include "psp/simulator/book.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace switchyard::psp::simulator {
namespace {

using payment::CaptureMethod;
using payment::Kind;

constexpr std::string_view id_prefix = "sim_";

bool is_pending(const Operation& operation) {
  return operation.outcome.status == Status::pending;
}

// But for the one with the key.
std::int64_t pending_of(const std::vector<Operation>& operations, Kind kind, std::string_view but = {}) {
  std::int64_t sum = 0;
  for (const auto& operation : operations) {
    const bool counts = operation.kind == kind && operation.idempotency_key != but;
    if (counts && is_pending(operation)) sum += operation.amount.minor();
  }
  return sum;
}

std::int64_t left_to_capture(const Charge& charge, const std::vector<Operation>& others) {
  const bool all_is_taken = std::ranges::any_of(others, [](const Operation& other) {
    return is_pending(other) &&
           (other.kind == Kind::void_ || (other.kind == Kind::capture && other.is_final));
  });
  return all_is_taken ? 0 : charge.held_minor() - pending_of(others, Kind::capture);
}

std::int64_t left_to_refund(const Charge& charge, const std::vector<Operation>& others) {
  return charge.captured_minor - charge.refunded_minor - pending_of(others, Kind::refund);
}

bool put_if_in_order(Charge& charge, Charge changed) {
  if (!is_in_order(changed)) return false;
  charge = std::move(changed);
  return true;
}

}  // namespace

Outcome outcome_of(const Behaviour& behaviour, Timestamp now) {
  const auto at = now + behaviour.delay;
  switch (behaviour.charging) {
    case Charging::approve:
    case Charging::none_at_first:
      return {};
    case Charging::decline:
      return {.status = Status::declined, .code = std::string(behaviour.code)};
    case Charging::approve_later:
      return {.status = Status::pending, .later = Later{.at = at}};
    case Charging::decline_later:
      return {.status = Status::pending,
              .later = Later{.at = at, .status = Status::declined, .code = std::string(behaviour.code)}};
    case Charging::approve_and_take_back:
      return {.later = Later{.at = at, .status = Status::declined, .code = std::string(taken_back)}};
    case Charging::none:
      break;
  }
  SWITCHYARD_ASSERT(false);
}

std::string name_of(std::string_view psp, std::string_view key) {
  return std::string(psp.empty() ? id_prefix : std::string_view()).append(key);
}

std::int64_t Charge::held_minor() const {
  if (outcome.status != Status::succeeded || capture_method == CaptureMethod::automatic) return 0;
  return amount.minor() - captured_minor - voided_minor - released_minor;
}

std::string_view key_of_charge(std::string_view charge_id) {
  return charge_id.starts_with(id_prefix) ? charge_id.substr(id_prefix.size()) : std::string_view();
}

std::string_view why_refused(const Charge& charge, const std::vector<Operation>& others,
                             const Operation& wanted) {
  const auto held = charge.held_minor();
  switch (wanted.kind) {
    case Kind::capture:
      if (held == 0) return wrong_state;
      return wanted.amount.minor() > left_to_capture(charge, others) ? over_what_is_left : std::string_view();
    case Kind::void_:
      return held == 0 || left_to_capture(charge, others) != held ? wrong_state : std::string_view();
    case Kind::refund:
      if (charge.captured_minor == 0) return wrong_state;
      return wanted.amount.minor() > left_to_refund(charge, others) ? over_what_is_left : std::string_view();
    case Kind::authorize:
      break;
  }
  SWITCHYARD_ASSERT(false);
}

void book(Charge& charge) {
  if (charge.capture_method == CaptureMethod::automatic) charge.captured_minor = charge.amount.minor();
}

void book(Charge& charge, const std::vector<Operation>& others, const Operation& succeeded) {
  const auto amount = succeeded.amount.minor();
  switch (succeeded.kind) {
    case Kind::capture: {
      const auto pending = pending_of(others, Kind::capture, succeeded.idempotency_key);
      const auto rest = charge.held_minor() - amount - pending;
      charge.captured_minor += amount;
      if (succeeded.is_final) charge.released_minor += rest;
      break;
    }
    case Kind::void_:
      charge.voided_minor += amount;
      break;
    case Kind::refund:
      charge.refunded_minor += amount;
      break;
    case Kind::authorize:
      SWITCHYARD_ASSERT(false);
  }
  SWITCHYARD_ASSERT(is_in_order(charge));
}

void let_go(Charge& charge, const std::vector<Operation>& others, const Operation& declined) {
  const bool is_rest_released = std::ranges::any_of(others, [](const Operation& other) {
    return other.kind == Kind::capture && other.is_final && other.outcome.status == Status::succeeded;
  });
  if (declined.kind == Kind::capture && is_rest_released) charge.released_minor += declined.amount.minor();
  SWITCHYARD_ASSERT(is_in_order(charge));
}

bool take_back(Charge& charge, const std::vector<Operation>& others) {
  const bool is_used = std::ranges::any_of(
      others, [](const Operation& other) { return other.outcome.status != Status::declined; });
  if (is_used) return false;
  charge.captured_minor = 0;
  return true;
}

bool take_back(Charge& charge, const std::vector<Operation>& others, const Operation& operation) {
  auto changed = charge;
  const auto amount = operation.amount.minor();
  if (operation.kind == Kind::capture) {
    if (amount > left_to_refund(charge, others)) return false;
    changed.captured_minor -= amount;
    // The hold was used up by it.
    changed.released_minor += amount;
  } else if (operation.kind == Kind::void_) {
    changed.voided_minor -= amount;
  } else {
    changed.refunded_minor -= amount;
  }
  return put_if_in_order(charge, std::move(changed));
}

bool is_in_order(const Charge& charge) {
  return charge.amount.minor() > 0 && 0 <= charge.refunded_minor &&
         charge.refunded_minor <= charge.captured_minor && 0 <= charge.voided_minor &&
         0 <= charge.released_minor &&
         charge.captured_minor + charge.voided_minor + charge.released_minor <= charge.amount.minor();
}

}  // namespace switchyard::psp::simulator
