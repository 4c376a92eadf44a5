#include "psp-simulator/adyen/modifications.hpp"

#include <optional>
#include <utility>

#include <boost/json/serialize.hpp>

#include "base/assert.hpp"
#include "psp-simulator/adyen/errors.hpp"
#include "psp-simulator/adyen/notifications.hpp"
#include "psp-simulator/adyen/payments.hpp"
#include "psp-simulator/adyen/test_values.hpp"
#include "psp-simulator/dialect/json.hpp"
#include "psp-simulator/dialect/names.hpp"
#include "psp/simulator/bookings.hpp"

namespace switchyard::psp_simulator::adyen {
namespace {

namespace json = boost::json;
using payment::Kind;
using psp::simulator::Behaviour;
using psp::simulator::Charge;
using psp::simulator::Charging;
using psp::simulator::Operation;
using psp::simulator::Status;

// Adyen, Checkout API v71, POST /cancels.
constexpr std::chrono::hours cancelled_by_reference_for{24};

struct ModificationKind {
  Kind kind;
  std::string_view event_code;
  // Of CANCEL_OR_REFUND.
  std::string_view action{};
};

// A request that was looked at: the payment, what is asked for, and how the client named it.
struct Modification {
  ModificationKind kind;
  Document payment;
  json::object body;
  // Of captures and refunds.
  std::optional<Money> amount{};
};

std::string new_reference() {
  return new_name("", 16, capitals_and_digits);
}

// The words of Adyen's reason for what the payment does not allow, or that was declined.
std::string reason_of(const Operation& operation) {
  const auto& code = operation.outcome.code;
  if (code == psp::simulator::over_what_is_left) return "Insufficient balance on payment";
  if (code == psp::simulator::wrong_state) {
    return operation.kind == Kind::refund ? "Transaction hasn't been captured, refund not possible"
                                          : "Transaction is not in a state for it";
  }
  return std::string(refusal_reason_of(refusal_code_of(code)));
}

Notification notification_of(const Document& modification, const Document& payment, bool is_success) {
  return {.event_code = {},
          .is_success = is_success,
          .psp_reference = modification.id,
          .original_reference = payment.id,
          .merchant_reference = modification.reference,
          .merchant_account = text_in(payment.body, "merchantAccount"),
          .payment_method = text_in(payment.body, "brand"),
          .amount = modification.body.at("amount").as_object()};
}

void notify_result(Session& session, const Document& modification, const Document& payment,
                   const Operation& operation) {
  auto notification = notification_of(modification, payment, operation.outcome.status == Status::succeeded);
  const auto event_code = text_in(modification.body, "event");
  const auto action = text_in(modification.body, "action");
  notification.event_code = event_code;
  notification.action = action;
  if (!notification.is_success) notification.reason = reason_of(operation);
  notify(session, operation.kind, operation.reference, notification);
}

json::object received(const json::object& asked, std::string_view psp_reference) {
  json::object answer{{"merchantAccount", text_in(asked, "merchantAccount")},
                      {"pspReference", key_of(psp_reference)},
                      {"reference", text_in(asked, "reference")},
                      {"status", "received"}};
  if (const auto* amount = object_in(asked, "amount")) answer["amount"] = *amount;
  return answer;
}

std::optional<Behaviour> behaviour_by_holder(Kind kind, const Document& payment) {
  const auto holder = text_in(payment.body, "holder");
  const bool fails =
      (kind == Kind::capture && captures_fail(holder)) || (kind == Kind::refund && refunds_fail(holder));
  if (!fails) return std::nullopt;
  return Behaviour{.charging = Charging::approve_and_take_back};
}

Operation operation_of(const Session& session, const Modification& modification, const Charge& charge) {
  const Money held(charge.held_minor(), charge.amount.currency());
  return {.kind = modification.kind.kind,
          .reference = charge.reference,
          .charge_key = charge.idempotency_key,
          .idempotency_key = new_reference(),
          .amount = modification.amount.value_or(held),
          .psp = std::string(session.psp)};
}

// A cancel's result comes later, too, but is not taken back.
Behaviour for_good(Kind kind, Behaviour behaviour) {
  const bool is_taken_back = behaviour.charging == Charging::approve_and_take_back;
  if (kind == Kind::void_ && is_taken_back) behaviour.charging = Charging::approve;
  return behaviour;
}

// As a declined cancel of nothing is about the whole payment.
json::object amount_shown(const Operation& booked, const Document& payment) {
  return booked.amount.minor() == 0 ? payment.body.at("amount").as_object() : amount_of(booked.amount);
}

Reply book(Session& session, const Modification& modification, const Charge& charge,
           const Behaviour& behaviour) {
  const auto& payment = modification.payment;
  const auto booked = psp::simulator::book_new(
      session.ledger, charge, operation_of(session, modification, charge), behaviour, session.now);
  Document document{.id = booked.idempotency_key,
                    .type = std::string(modification_type),
                    .parent = payment.id,
                    .reference = text_in(modification.body, "reference"),
                    .body = {{"event", key_of(modification.kind.event_code)},
                             {"action", key_of(modification.kind.action)},
                             {"amount", amount_shown(booked, payment)},
                             {"told", booked.outcome.status != Status::pending}},
                    .created_at = session.now,
                    .is_open = booked.outcome.later.has_value()};
  session.rows.save(document);
  if (booked.outcome.status != Status::pending) notify_result(session, document, payment, booked);
  auto answer = received(modification.body, document.id);
  answer["paymentPspReference"] = payment.id;
  return {.status = 201,
          .body = json::serialize(answer),
          .behaviour = behaviour,
          .is_booked = true,
          .booked = std::pair{booked.kind, booked.outcome.status}};
}

// A payment whose customer never came: there is nothing in the ledger, and a cancel closes it.
Reply modify_unbooked(Session& session, Modification& modification) {
  auto& payment = modification.payment;
  const bool waits = text_in(payment.body, "resultCode") == "RedirectShopper";
  const bool is_done = waits && modification.kind.kind == Kind::void_;
  if (is_done) {
    payment.body["resultCode"] = "Cancelled";
    session.rows.save(payment);
  }
  const Document document{.id = new_reference(),
                          .type = std::string(modification_type),
                          .reference = text_in(modification.body, "reference"),
                          .body = {{"amount", payment.body.at("amount")}}};
  auto notification = notification_of(document, payment, is_done);
  notification.event_code = modification.kind.event_code;
  if (!is_done) notification.reason = "Transaction hasn't been authorised";
  notify(session, modification.kind.kind, book_reference_of(payment), notification);
  auto answer = received(modification.body, document.id);
  answer["paymentPspReference"] = payment.id;
  return {.status = 201, .body = json::serialize(answer)};
}

Reply modify(Session& session, const Asked& asked, Modification modification) {
  const auto charge = charge_of(session, modification.payment);
  if (!charge) return modify_unbooked(session, modification);
  const auto kind = modification.kind.kind;
  const auto behaviour = for_good(
      kind, behaviour_for(session, kind, charge->reference, behaviour_by_holder(kind, modification.payment),
                          modification.amount ? modification.amount->minor() : 0));
  const auto key = "adyen:" + (asked.key.empty() ? new_reference() : asked.key);
  if (psp::simulator::books_nothing(session.ledger, behaviour.charging, key)) {
    return {.body = {}, .is_kept = false, .behaviour = behaviour};
  }
  return book(session, modification, *charge, behaviour);
}

// The payment that the path names, of the account that the body names. The error is Adyen's code.
std::expected<Modification, std::string_view> read_modification(Session& session, const Asked& asked,
                                                                const ModificationKind& kind) {
  auto body = read_body(asked.body);
  if (!body) return std::unexpected("702");
  const auto account = text_in(*body, "merchantAccount");
  if (account.empty()) return std::unexpected("901");
  auto payment = session.rows.find(payment_type, asked.parameter);
  if (!payment) return std::unexpected("167");
  if (text_in(payment->body, "merchantAccount") != account) return std::unexpected("901");
  return Modification{kind, std::move(*payment), std::move(*body)};
}

Reply modify_amount(Session& session, const Asked& asked, const ModificationKind& kind) {
  auto modification = read_modification(session, asked, kind);
  if (!modification) return error(modification.error());
  if (object_in(modification->body, "amount") == nullptr) return error("100");
  modification->amount = read_amount(modification->body);
  if (!modification->amount) return error("137");
  const auto paid = read_amount(modification->payment.body);
  if (!paid || modification->amount->currency() != paid->currency()) return error("138");
  return modify(session, asked, std::move(*modification));
}

// --- By the merchant's reference ---------------------------------------------------------------

std::string received_by_reference(const json::object& body, std::string_view psp_reference) {
  auto answer = received(body, psp_reference);
  answer["paymentReference"] = text_in(body, "paymentReference");
  return json::serialize(answer);
}

// Those under the reference that hold something or wait for their customer; else the last one, so that it is
// said why not.
std::vector<Document> payments_to_cancel(Session& session, const json::object& body) {
  const auto reference = text_in(body, "paymentReference");
  auto payments = session.rows.list(
      {.type = payment_type, .reference = reference, .from = session.now - cancelled_by_reference_for});
  std::erase_if(payments, [&](const Document& payment) {
    return text_in(payment.body, "merchantAccount") != text_in(body, "merchantAccount");
  });
  std::vector<Document> alive;
  for (const auto& payment : payments) {
    const auto charge = charge_of(session, payment);
    const bool waits = text_in(payment.body, "resultCode") == "RedirectShopper";
    if (waits || (charge && charge->held_minor() > 0)) alive.push_back(payment);
  }
  if (alive.empty() && !payments.empty()) alive.push_back(payments.front());
  return alive;
}

Reply cancel_nothing(Session& session, const json::object& body) {
  const auto psp_reference = new_reference();
  notify(session, Kind::void_, text_in(body, "paymentReference"),
         {.event_code = "TECHNICAL_CANCEL",
          .is_success = false,
          .psp_reference = psp_reference,
          .merchant_reference = text_in(body, "reference"),
          .merchant_account = text_in(body, "merchantAccount"),
          .payment_method = {},
          .amount = {{"currency", "EUR"}, {"value", 0}},
          .reason = "Original payment not found"});
  return {.status = 201, .body = received_by_reference(body, psp_reference)};
}

}  // namespace

Reply capture_payment(Session& session, const Asked& asked) {
  return modify_amount(session, asked, {Kind::capture, "CAPTURE"});
}

Reply refund_payment(Session& session, const Asked& asked) {
  return modify_amount(session, asked, {Kind::refund, "REFUND"});
}

Reply cancel_payment(Session& session, const Asked& asked) {
  auto modification = read_modification(session, asked, {Kind::void_, "CANCELLATION"});
  if (!modification) return error(modification.error());
  return modify(session, asked, std::move(*modification));
}

Reply reverse_payment(Session& session, const Asked& asked) {
  auto modification = read_modification(session, asked, {Kind::void_, "CANCEL_OR_REFUND", "cancel"});
  if (!modification) return error(modification.error());
  const auto charge = charge_of(session, modification->payment);
  const auto left = charge ? charge->captured_minor - charge->refunded_minor : 0;
  if (left > 0) {
    modification->kind = {Kind::refund, "CANCEL_OR_REFUND", "refund"};
    modification->amount = Money(left, charge->amount.currency());
  }
  return modify(session, asked, std::move(*modification));
}

Reply cancel_by_reference(Session& session, const Asked& asked) {
  const auto body = read_body(asked.body);
  if (!body) return error("702");
  if (text_in(*body, "merchantAccount").empty()) return error("901");
  if (text_in(*body, "paymentReference").empty()) return error("130");
  std::optional<Reply> reply;
  for (const auto& payment : payments_to_cancel(session, *body)) {
    auto done = modify(session, asked, {{Kind::void_, "TECHNICAL_CANCEL"}, payment, *body});
    // What was broken by the script stays so for the whole request.
    if (!reply || done.behaviour) reply = std::move(done);
  }
  if (!reply) return cancel_nothing(session, *body);
  if (const auto shown = read_body(reply->body)) {
    reply->body = received_by_reference(*body, text_in(*shown, "pspReference"));
  }
  return std::move(*reply);
}

void settle_modification(Session& session, Document modification) {
  const auto operation = session.ledger.find_operation({}, modification.id);
  const auto payment = session.rows.find(payment_type, modification.parent);
  SWITCHYARD_ASSERT(operation && payment);
  if (operation->outcome.later) return;
  const bool was_told = modification.body.at("told").as_bool();
  modification.body["told"] = true;
  modification.is_open = false;
  session.rows.save(modification);
  if (!was_told) return notify_result(session, modification, *payment, *operation);
  if (operation->outcome.status != Status::declined) return;
  auto notification = notification_of(modification, *payment, true);
  notification.event_code = operation->kind == Kind::capture ? "CAPTURE_FAILED" : "REFUND_FAILED";
  notification.reason = "it failed after all";
  notify(session, operation->kind, operation->reference, notification);
}

}  // namespace switchyard::psp_simulator::adyen
