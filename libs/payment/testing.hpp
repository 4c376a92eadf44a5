// For unit tests only: a transaction on its way through the machine.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "payment/request.hpp"
#include "payment/state_machine.hpp"

namespace switchyard::testing {

inline constexpr Timestamp payment_start{std::chrono::milliseconds(1'700'000'000'000)};
inline constexpr const char* payment_id = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";

inline Money dollars(std::int64_t minor) {
  return {minor, *Currency::parse("USD")};
}

inline payment::Transaction queued_transaction(
    payment::CaptureMethod method = payment::CaptureMethod::automatic) {
  payment::Transaction transaction{
      .id = {*Uuid::parse(payment_id)}, .merchant_id = {1}, .amount = dollars(1000)};
  transaction.capture_method = method;
  transaction.next_action_at = payment_start;
  transaction.created_at = payment_start;
  transaction.updated_at = payment_start;
  return transaction;
}

inline std::string encode_for_test(const payment::State& state, const payment::Operation& operation) {
  return fmt::format("{} {} for {}", to_string(operation.kind), operation.amount.minor(),
                     psp_reference(state.transaction));
}

// With a clock that each event moves by one second.
class PaymentJourney {
 public:
  explicit PaymentJourney(payment::CaptureMethod method = payment::CaptureMethod::automatic,
                          payment::RetryPolicy policy = {})
      : policy_(policy), step_{payment::accepted(queued_transaction(method)), payment::Action::none, 0} {}

  // At the moment at which it is due.
  payment::Action claim(std::string name = "psp") {
    now_ = *transaction().next_action_at;
    account_ = payment::OneAccount(std::move(name), encode_for_test);
    step_ = payment::claim(std::move(step_.state), account_, now_, policy_);
    return step_.action;
  }
  payment::Action answer(const payment::Answer& answer) {
    now_ += std::chrono::milliseconds(1000);
    step_ = answered(std::move(step_), answer, account_, now_, policy_);
    return step_.action;
  }
  payment::Action find(const payment::Found& what) {
    now_ += std::chrono::milliseconds(1000);
    step_ = found(std::move(step_), what, account_, now_, policy_);
    return step_.action;
  }
  // Claims what is due, and it succeeds.
  void succeed() {
    ASSERT_EQ(claim(), payment::Action::send);
    answer(payment::Succeeded{"psp-ref", operation().amount});
  }
  // Claims, loses the answer, and claims again: it is to be looked up.
  void lose_the_answer() {
    claim();
    answer(payment::OutcomeUnknown{"time-out"});
    ASSERT_EQ(claim(), payment::Action::look_up);
  }
  void ask(payment::Kind kind, std::optional<std::int64_t> amount_minor = {}, bool is_final = true) {
    payment::Request wanted;
    wanted.kind = kind;
    wanted.amount_minor = amount_minor;
    wanted.is_final = is_final;
    auto asked = request(step_.state, wanted, now_);
    ASSERT_TRUE(asked) << asked.error().detail;
    step_.state = std::move(*asked);
  }
  void tell_a_person(std::int32_t number, std::string_view reason) {
    step_.state = payment::give_to_a_person(step_.state, number, reason, now_);
  }
  void bring_back(std::string_view details) { step_.state = *payment::ask_now(step_.state, now_, details); }
  void take_back(std::int32_t number) {
    step_.state = payment::take_back(std::move(step_.state), number, "it failed after all", now_);
  }
  bool resolve(std::int32_t number, bool succeeded) {
    auto resolved = payment::resolve(step_.state, number, {succeeded, "", "looked into"}, now_);
    if (resolved) step_.state = *resolved;
    return resolved.has_value();
  }
  void wait(std::chrono::milliseconds time) { now_ += time; }

  const payment::Transaction& transaction() const { return step_.state.transaction; }
  const payment::State& state() const { return step_.state; }
  const payment::Step& step() const { return step_; }
  // The one that was claimed last.
  const payment::Operation& operation() const { return step_.operation(); }
  const payment::Operation& operation(std::int32_t number) const {
    return step_.state.operations.at(static_cast<std::size_t>(number - 1));
  }
  payment::Status status() const { return transaction().status; }
  Timestamp now() const { return now_; }
  std::chrono::milliseconds until_next_action() const { return *transaction().next_action_at - now_; }

 private:
  payment::RetryPolicy policy_;
  payment::OneAccount account_{"psp", encode_for_test};
  payment::Step step_;
  Timestamp now_ = payment_start;
};

// Authorized, and captured at once if the method says so.
inline PaymentJourney paid_journey(payment::CaptureMethod method = payment::CaptureMethod::automatic,
                                   payment::RetryPolicy policy = {}) {
  PaymentJourney journey(method, policy);
  journey.succeed();
  return journey;
}

}  // namespace switchyard::testing
