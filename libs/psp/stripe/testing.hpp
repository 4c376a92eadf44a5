// For unit tests and fuzz targets only: steps as the machine gives them to an adapter, and what Stripe says.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "base/assert.hpp"
#include "http/async_client.hpp"
#include "payment/state_machine.hpp"

namespace switchyard::psp::stripe {

inline constexpr Timestamp sent_at{std::chrono::seconds(1'760'000'000)};
inline const payment::OneAccount only_stripe{"stripe_eu", [](const auto&, const auto&) { return "request"; }};

struct Wanted {
  payment::Kind kind = payment::Kind::authorize;
  std::int64_t amount_minor = 2000;
  payment::CaptureMethod capture_method = payment::CaptureMethod::automatic;
  std::string_view currency = "EUR";
  // Of the authorization, if the operation is another one: 0 is the operation's.
  std::int64_t authorized_minor = 0;
  bool is_final = true;
  std::string return_url{};
  std::string payment_method = R"({"stripe":"pm_card_visa"})";
};

inline Money euros(std::int64_t minor) {
  return {minor, *Currency::parse("EUR")};
}

// The operation was sent under "key-2"; the authorization before it, under "key-1", is pi_1.
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
  transaction.derived_reference = "reference-1";
  transaction.payment_method = wanted.payment_method;
  transaction.return_url = wanted.return_url;
  transaction.status = payment::Status::processing;
  if (wanted.kind != payment::Kind::authorize) {
    transaction.authorized_minor = authorized;
    const bool is_held = wanted.capture_method == payment::CaptureMethod::manual;
    (is_held ? transaction.held_minor : transaction.captured_minor) = authorized;
    operations.push_back({.amount = transaction.amount,
                          .phase = payment::Phase::succeeded,
                          .psp = "acme",
                          .idempotency_key = "key-1",
                          .psp_reference = "pi_1"});
    step.index = 1;
  }
  operations.push_back({.number = static_cast<std::int32_t>(step.index) + 1,
                        .kind = wanted.kind,
                        .amount = Money(wanted.amount_minor, *currency),
                        .is_final = wanted.is_final,
                        .phase = payment::Phase::sent,
                        .psp = "acme",
                        .idempotency_key = "key-2",
                        .request = "what=was&stored",
                        .claims = 1,
                        .sends = 1,
                        .due_at = sent_at + std::chrono::seconds(15),
                        .requested_at = sent_at - std::chrono::seconds(1),
                        .sent_at = sent_at});
  transaction.operation_count = static_cast<std::int32_t>(operations.size());
  return step;
}

// Captures and voids are of money that is held.
inline payment::Step sent_step(payment::Kind kind) {
  const bool is_held = kind == payment::Kind::capture || kind == payment::Kind::void_;
  return step_of(
      {.kind = kind,
       .capture_method = is_held ? payment::CaptureMethod::manual : payment::CaptureMethod::automatic});
}

inline payment::Step in_phase(payment::Step step, payment::Phase phase, std::string psp_reference = {}) {
  step.state.operations[step.index].phase = phase;
  step.state.operations[step.index].psp_reference = std::move(psp_reference);
  return step;
}

// `object` with the members of `changes` in the place of its own.
inline boost::json::object with(boost::json::object object, std::string_view changes) {
  const auto parsed = boost::json::parse(boost::json::string_view(changes.data(), changes.size()));
  for (const auto& member : parsed.as_object()) {
    object.insert_or_assign(member.key(), member.value());
  }
  return object;
}

inline std::string text(const boost::json::object& object) {
  return boost::json::serialize(object);
}

// The same of a payment: of a status without money it has none, unless the changes say so.
inline boost::json::object payment_with(boost::json::object payment, std::string_view changes) {
  payment = with(std::move(payment), changes);
  const auto& status = payment.at("status");
  const bool has_none = status == "requires_payment_method" || status == "requires_confirmation" ||
                        status == "requires_action" || status == "canceled";
  return has_none && !changes.contains("amount_")
             ? with(std::move(payment), R"({"amount_received":0,"amount_capturable":0})")
             : payment;
}

// Of 20 EUR, for key-2, held or taken.
inline boost::json::object intent(std::string_view changes = "{}") {
  return payment_with(
      with({},
           R"({"id":"pi_1","object":"payment_intent","status":"succeeded","amount":2000,"amount_capturable":0,
"amount_received":2000,"currency":"eur","capture_method":"automatic","cancellation_reason":null,"latest_charge":"ch_1",
"last_payment_error":null,"next_action":null,"livemode":false,
"metadata":{"switchyard_reference":"reference-1","switchyard_key":"key-2"}})"),
      changes);
}
inline boost::json::object held_intent(std::string_view changes = "{}") {
  return payment_with(intent(R"({"status":"requires_capture","amount_capturable":2000,"amount_received":0,
"capture_method":"manual"})"),
                      changes);
}

// What a capture, a void or a refund answers where all is well.
inline boost::json::object captured_intent(std::string_view changes = "{}") {
  return payment_with(intent(R"({"capture_method":"manual","metadata":{"switchyard_reference":"reference-1",
"switchyard_key":"key-1","switchyard_capture_key":"key-2"}})"),
                      changes);
}
inline boost::json::object canceled_intent(std::string_view changes = "{}") {
  return with(held_intent(R"({"status":"canceled","amount_capturable":0,
"cancellation_reason":"requested_by_customer",
"metadata":{"switchyard_reference":"reference-1","switchyard_key":"key-1"}})"),
              changes);
}
inline boost::json::object refund(std::string_view changes = "{}") {
  return with(
      with(
          {},
          R"({"id":"re_1","object":"refund","status":"succeeded","amount":2000,"currency":"eur","charge":"ch_1",
"payment_intent":"pi_1","failure_reason":null,
"metadata":{"switchyard_reference":"reference-1","switchyard_key":"key-2"}})"),
      changes);
}
// What the operation that was asked for answers where all is well.
inline boost::json::object good(payment::Kind kind) {
  if (kind == payment::Kind::capture) return captured_intent();
  if (kind == payment::Kind::void_) return canceled_intent();
  return kind == payment::Kind::refund ? refund() : intent();
}

// An authorization that was tried and declined, and still waits for a card.
inline boost::json::object declined_intent(std::string_view changes = "{}") {
  return with(intent(R"({"status":"requires_payment_method","amount_received":0,
"last_payment_error":{"type":"card_error","code":"card_declined","decline_code":"insufficient_funds"}})"),
              changes);
}

inline std::string error_body(std::string_view members) {
  return fmt::format(R"({{"error":{{{}}}}})", members);
}
inline std::string error_with(std::string_view members, const boost::json::object& payment) {
  return error_body(fmt::format(R"({},"payment_intent":{})", members, text(payment)));
}

inline http::CallResult answer_with(long status, std::string body) {
  return http::ClientResponse{.status = status, .body = std::move(body)};
}
inline http::CallResult no_answer(bool perhaps_sent) {
  return std::unexpected(http::CallFailure{.perhaps_sent = perhaps_sent, .reason = "why"});
}

template <class What, class Variant>
bool is(const Variant& variant) {
  return std::holds_alternative<What>(variant);
}

inline constexpr payment::Kind kinds[] = {payment::Kind::authorize, payment::Kind::capture,
                                          payment::Kind::void_, payment::Kind::refund};

}  // namespace switchyard::psp::stripe
