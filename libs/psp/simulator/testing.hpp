// For unit tests and fuzz targets only: steps as the machine gives them to an adapter.
#pragma once

#include <string>
#include <utility>

#include "base/assert.hpp"
#include "payment/state_machine.hpp"
#include "psp/simulator/requests.hpp"

namespace switchyard::psp::simulator {

struct Wanted {
  payment::Kind kind = payment::Kind::authorize;
  std::int64_t amount_minor = 100;
  // What the PSP knows the transaction by.
  std::string reference = "reference-1";
  // Of the operation.
  std::string key = "key-1";
  // Of the authorization, where that is another one.
  std::string authorization_key = "key-1";
  payment::CaptureMethod capture_method = payment::CaptureMethod::automatic;
  std::string_view currency = "USD";
  // Of the authorization, if the operation is another one: 0 is the operation's.
  std::int64_t authorized_minor = 0;
  bool is_final = true;
};

// The operation was sent; the authorization before it was approved under the name that the simulators give.
inline payment::Step step_of(const Wanted& wanted) {
  const auto currency = Currency::parse(wanted.currency);
  SWITCHYARD_ASSERT(currency.has_value());
  const auto authorized = wanted.authorized_minor == 0 ? wanted.amount_minor : wanted.authorized_minor;
  payment::Step step{.state = {.transaction = {.id = {},
                                               .merchant_id = MerchantId{1},
                                               .amount = Money(authorized, *currency),
                                               .capture_method = wanted.capture_method},
                               .operations = {}},
                     .action = payment::Action::send};
  auto& [transaction, operations] = step.state;
  transaction.derived_reference = wanted.reference;
  transaction.status = payment::Status::processing;
  if (wanted.kind != payment::Kind::authorize) {
    transaction.authorized_minor = authorized;
    const bool is_held = wanted.capture_method == payment::CaptureMethod::manual;
    (is_held ? transaction.held_minor : transaction.captured_minor) = authorized;
    operations.push_back({.amount = transaction.amount,
                          .phase = payment::Phase::succeeded,
                          .psp = "psp",
                          .idempotency_key = wanted.authorization_key,
                          .psp_reference = "sim_" + wanted.authorization_key});
    step.index = 1;
  }
  operations.push_back({.number = static_cast<std::int32_t>(step.index) + 1,
                        .kind = wanted.kind,
                        .amount = Money(wanted.amount_minor, *currency),
                        .is_final = wanted.is_final,
                        .phase = payment::Phase::sent,
                        .psp = "psp",
                        .idempotency_key = wanted.key,
                        .claims = 1,
                        .sends = 1,
                        // The lease of whoever claimed it.
                        .due_at = Timestamp(std::chrono::seconds(15))});
  transaction.operation_count = static_cast<std::int32_t>(operations.size());
  operations.back().request = encode(step.state, operations.back());
  return step;
}

}  // namespace switchyard::psp::simulator
