#include "psp/stripe/outcomes.hpp"

#include <algorithm>
#include <array>
#include <expected>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/assert.hpp"
#include "psp/stripe/amounts.hpp"
#include "psp/stripe/declines.hpp"
#include "psp/stripe/requests.hpp"

namespace switchyard::psp::stripe {
namespace {

using payment::Contradicted;
using payment::Declined;
using payment::Found;
using payment::Kind;
using payment::OutcomeUnknown;
using payment::Phase;
using payment::ReasonKind;
using payment::Succeeded;

constexpr std::string_view code_of_canceled = "payment_intent_canceled";

struct Fact {
  std::string_view name;
  std::string_view said;
  std::string asked;
  bool must_be_said = true;
};

std::optional<Found> why_not(const std::vector<Fact>& facts, std::string_view noun, const std::string& id) {
  for (const auto& [name, said, asked, must_be_said] : facts) {
    if (said.empty() || said == asked) continue;
    return Contradicted{
        fmt::format("Stripe's {} says {} {}, where {} was asked for", noun, name, said, asked), id};
  }
  for (const auto& [name, said, asked, must_be_said] : facts) {
    if (said.empty() && must_be_said) {
      return OutcomeUnknown{fmt::format("Stripe's {} says nothing of its {}", noun, name)};
    }
  }
  return std::nullopt;
}

std::expected<Money, Found> money_of(std::optional<std::int64_t> value, const std::string& currency,
                                     const payment::Step& step, const std::string& id) {
  if (!value || currency.empty()) {
    return std::unexpected(OutcomeUnknown{"Stripe's answer does not say of how much"});
  }
  if (const auto money = from_stripe(*value, currency)) return *money;
  return std::unexpected(
      Contradicted{fmt::format("Stripe speaks of {} {}, which is no amount of ours, where {} was asked for",
                               *value, currency, step.operation().amount.to_string()),
                   id});
}

OutcomeUnknown unknown_in(const Intent& intent) {
  return {fmt::format("Stripe's payment {} is \"{}\"", intent.id, intent.status)};
}

template <class Outcome>
Found with_amount(Outcome outcome, const std::expected<Money, Found>& amount) {
  if (!amount) return amount.error();
  outcome.amount = *amount;
  return outcome;
}
Found succeeded(const std::string& id, const std::expected<Money, Found>& amount) {
  if (!amount) return amount.error();
  return Succeeded{id, *amount};
}

Declined canceled(const Intent& intent, std::string_view code, ReasonKind kind) {
  const auto& why = intent.cancellation_reason;
  return {.reason = {.code = std::string(code),
                     .message = why.empty() ? "" : fmt::format("canceled: {}", why),
                     .kind = kind},
          .psp_reference = intent.id,
          .amount = {},
          .is_hold_over = true};
}

// It was tried and waits for another card. Stripe's last_payment_error alone would prove nothing: a payment
// that failed once can have succeeded since, which its status says.
Found believe_failed(const Intent& intent, const payment::Operation& operation,
                     const std::expected<Money, Found>& amount) {
  const auto& error = intent.last_payment_error;
  const bool was_confirmed = waits_for_psp(operation.phase);
  const bool is_of_a_try =
      error && (error->type == "card_error" || error->code == "payment_intent_authentication_failure");
  if (!was_confirmed && !is_of_a_try && !intent.has_charge) return unknown_in(intent);
  Declined declined{.reason = {.code = "card_declined", .message = {}, .kind = ReasonKind::soft_decline},
                    .psp_reference = intent.id,
                    .amount = {}};
  if (error && (is_of_a_try || was_confirmed)) declined.reason = reason_of(*error);
  return with_amount(std::move(declined), amount);
}

Found believe_action(const Intent& intent, const payment::State& state,
                     const std::expected<Money, Found>& amount) {
  // Without an address of Stripe's, too: the customer may be there at this very moment. Without one of ours,
  // where error_on_requires_action should have made it a decline, nobody goes there: the machine has it
  // ended.
  const auto& url = state.transaction.return_url.empty() ? std::string() : intent.redirect_url;
  return with_amount(payment::ActionRequired{intent.id, {}, url}, amount);
}

Found believe_authorization(const Intent& intent, const payment::Step& step) {
  const auto money = [&](std::optional<std::int64_t> value) {
    return money_of(value, intent.currency, step, intent.id);
  };
  const auto method = step.state.transaction.capture_method;
  if (intent.status == "succeeded") {
    if (method == payment::CaptureMethod::automatic)
      return succeeded(intent.id, money(intent.amount_received));
    return Contradicted{"Stripe has taken what was only to be held", intent.id};
  }
  if (intent.status == "requires_capture" && method == payment::CaptureMethod::manual) {
    return succeeded(intent.id, money(intent.amount_capturable));
  }
  if (intent.status == "processing") {
    return with_amount(payment::Pending{intent.id, {}}, money(intent.amount));
  }
  if (intent.status == "requires_action") return believe_action(intent, step.state, money(intent.amount));
  if (intent.status == "requires_payment_method") {
    return believe_failed(intent, step.operation(), money(intent.amount));
  }
  if (intent.status == "canceled") {
    const bool was_asked = step.operation().phase == Phase::action_required;
    return was_asked ? canceled(intent, "authentication_required", ReasonKind::customer_action)
                     : canceled(intent, code_of_canceled, ReasonKind::unknown);
  }
  return unknown_in(intent);
}

// Stripe was at it, and holds the money as before.
Declined not_captured(const Intent& intent) {
  const auto& error = intent.last_payment_error;
  const payment::Reason why{"capture_failed", "Stripe took the capture, and has not made it",
                            ReasonKind::unknown};
  return {.reason = error ? reason_of(*error) : why, .psp_reference = intent.id, .amount = {}};
}

// Stripe knows one capture of a payment, which has no name of its own: our key in the payment's metadata says
// that it is ours.
Found believe_capture(const Intent& intent, const payment::Step& step, Told told) {
  const auto& key = step.operation().idempotency_key;
  if (intent.status == "succeeded") {
    const bool is_ours = intent.capture_key == key || (intent.capture_key.empty() && told == Told::in_answer);
    if (is_ours) {
      return succeeded(intent.id, money_of(intent.amount_received, intent.currency, step, intent.id));
    }
    return Contradicted{
        fmt::format("Stripe has taken {} {} under another key than ours, {}",
                    intent.amount_received.value_or(0), intent.currency,
                    intent.capture_key.empty() ? "which it does not say" : intent.capture_key),
        intent.id};
  }
  if (intent.status == "requires_capture" && told == Told::when_read) {
    if (step.operation().phase != Phase::pending) return payment::NoSuchOperation{};
    return not_captured(intent);
  }
  if (intent.status == "processing") return payment::Pending{intent.id, {}};
  if (intent.status == "canceled") return canceled(intent, code_of_canceled, ReasonKind::hard_decline);
  return unknown_in(intent);
}

Found believe_void(const Intent& intent, const payment::Step& step, Told told) {
  // By whom does not matter: what is to be given back is given back, also where the hold ran out by itself.
  if (intent.status == "canceled") {
    return succeeded(intent.id, money_of(intent.amount, intent.currency, step, intent.id));
  }
  if (intent.status == "requires_capture" && told == Told::when_read) return payment::NoSuchOperation{};
  if (intent.status == "succeeded") {
    // Not by us: a void is asked for only while nothing is captured.
    return Contradicted{"Stripe has taken the money of the hold that was to be given back", intent.id};
  }
  return unknown_in(intent);
}

std::vector<Fact> facts_of(const Intent& intent, const payment::Step& step) {
  const auto& transaction = step.state.transaction;
  const auto& operation = step.operation();
  if (operation.kind == Kind::authorize) {
    std::vector<Fact> facts{{"reference", intent.reference, psp_reference(transaction)},
                            {"idempotency key", intent.key, operation.idempotency_key},
                            {"capture method", intent.capture_method,
                             std::string(payment::to_string(transaction.capture_method))}};
    // It has been named before, and is now asked for by that name.
    if (!operation.psp_reference.empty()) facts.push_back({"id", intent.id, operation.psp_reference});
    return facts;
  }
  // Known by its name since it was authorized: metadata that somebody has removed since proves nothing.
  return {{"id", intent.id, payment_id_of(step.state)},
          {"reference", intent.reference, psp_reference(transaction), false},
          {"idempotency key", intent.key, payment::find_authorization(step.state)->idempotency_key, false}};
}

// The whole payment is of what was authorized, whatever the operation is about.
std::optional<Found> why_another_amount(const Intent& intent, const payment::Step& step) {
  const auto amount = money_of(intent.amount, intent.currency, step, intent.id);
  if (!amount) return amount.error();
  const auto& authorized = payment::find_authorization(step.state)->amount;
  if (*amount == authorized) return std::nullopt;
  return Contradicted{fmt::format("Stripe's payment is of {}, where {} was asked for", amount->to_string(),
                                  authorized.to_string()),
                      intent.id};
}

// Whatever the status says.
bool has_amounts(const Intent& intent) {
  return intent.amount_received.value_or(0) != 0 || intent.amount_capturable.value_or(0) != 0;
}

bool is_without_money(std::string_view status) {
  static constexpr std::array<std::string_view, 4> without_money{
      "requires_payment_method", "requires_confirmation", "requires_action", "canceled"};
  return std::ranges::find(without_money, status) != without_money.end();
}

}  // namespace

std::optional<Found> why_not_ours(const Intent& intent, const payment::Step& step) {
  if (auto why = why_not(facts_of(intent, step), "payment", intent.id)) return why;
  return why_another_amount(intent, step);
}

bool may_have_money(const Intent& intent) {
  return !is_without_money(intent.status) || has_amounts(intent);
}

Found believe(const Intent& intent, const payment::Step& step, Told told) {
  if (auto why = why_not_ours(intent, step)) return std::move(*why);
  if (is_without_money(intent.status) && has_amounts(intent)) {
    return Contradicted{fmt::format("Stripe's payment is \"{}\" with {} received and {} held", intent.status,
                                    intent.amount_received.value_or(0), intent.amount_capturable.value_or(0)),
                        intent.id};
  }
  switch (step.operation().kind) {
    case Kind::authorize:
      return believe_authorization(intent, step);
    case Kind::capture:
      return believe_capture(intent, step, told);
    case Kind::void_:
      return believe_void(intent, step, told);
    case Kind::refund:
      return unknown_in(intent);
  }
  SWITCHYARD_ASSERT(false);
}

Found believe(const Refund& refund, const payment::Step& step) {
  const auto& operation = step.operation();
  std::vector<Fact> facts{{"reference", refund.reference, psp_reference(step.state.transaction)},
                          {"idempotency key", refund.key, operation.idempotency_key},
                          {"payment", refund.payment_intent, payment_id_of(step.state)}};
  if (!operation.psp_reference.empty()) facts.push_back({"id", refund.id, operation.psp_reference});
  if (auto why = why_not(facts, "refund", refund.id)) return std::move(*why);
  const auto amount = money_of(refund.amount, refund.currency, step, refund.id);
  if (refund.status == "succeeded") return succeeded(refund.id, amount);
  if (refund.status == "pending" || refund.status == "requires_action") {
    return with_amount(payment::Pending{refund.id, {}}, amount);
  }
  if (refund.status == "failed" || refund.status == "canceled") {
    return with_amount(Declined{.reason = reason_of(refund), .psp_reference = refund.id, .amount = {}},
                       amount);
  }
  return OutcomeUnknown{fmt::format("Stripe's refund {} is \"{}\"", refund.id, refund.status)};
}

}  // namespace switchyard::psp::stripe
