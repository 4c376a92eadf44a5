#include "psp-simulator/adyen/payments.hpp"

#include <optional>
#include <utility>

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "base/assert.hpp"
#include "http/json.hpp"
#include "http/query.hpp"
#include "psp-simulator/adyen/errors.hpp"
#include "psp-simulator/adyen/notifications.hpp"
#include "psp-simulator/adyen/test_values.hpp"
#include "psp-simulator/charge_json.hpp"
#include "psp-simulator/dialect/json.hpp"
#include "psp-simulator/dialect/names.hpp"
#include "psp/adyen/amounts.hpp"
#include "psp/adyen/names.hpp"
#include "psp/simulator/bookings.hpp"

namespace switchyard::psp_simulator::adyen {
namespace {

namespace json = boost::json;
using payment::Kind;
using psp::simulator::Behaviour;
using psp::simulator::Charge;
using psp::simulator::Charging;
using psp::simulator::Status;

constexpr std::string_view authenticated = "authenticated";
constexpr std::string_view not_authenticated = "failed";

// The first thing that is wrong with a payment's body, as Adyen's error; empty if nothing is.
std::string_view problem_of(const json::object& body) {
  if (text_in(body, "merchantAccount").empty()) return "901";
  const auto* amount = object_in(body, "amount");
  if (amount == nullptr) return "100";
  if (!read_amount(body)) return number_in(*amount, "value") < 1 ? "137" : "138";
  if (text_in(body, "reference").empty()) return "130";
  if (text_in(body, "returnUrl").empty()) return "14_030";
  const auto* method = object_in(body, "paymentMethod");
  if (method == nullptr) return "14_004";
  return error_of(read_card(*method));
}

bool is_manual(const json::object& body) {
  const auto* more = object_in(body, "additionalData");
  return more != nullptr && text_in(*more, "manualCapture") == "true";
}

// refusalReasonCode "Authentication required".
constexpr std::string_view authentication_required = "38";

bool is_customer_there(const json::object& body) {
  const auto interaction = text_in(body, "shopperInteraction");
  if (interaction == "ContAuth") return text_in(body, "recurringProcessingModel") == "CardOnFile";
  return interaction.empty() || interaction == "Ecommerce";
}

// What is kept of the request: enough to go on with it later, and nothing of the card but whose test it is.
Document new_payment(const json::object& body, const Card& card, Timestamp now) {
  return {.id = new_name("", 16, capitals_and_digits),
          .type = std::string(payment_type),
          .reference = text_in(body, "reference"),
          .body = {{"merchantAccount", text_in(body, "merchantAccount")},
                   {"amount", body.at("amount")},
                   {"manual", is_manual(body)},
                   {"brand", key_of(brand_of(card))},
                   {"holder", card.holder},
                   {"returnUrl", text_in(body, "returnUrl")},
                   {"resultCode", ""}},
          .created_at = now};
}

Notification notification_of(const Document& payment, std::string_view event_code, bool is_success) {
  return {.event_code = event_code,
          .is_success = is_success,
          .psp_reference = payment.id,
          .merchant_reference = payment.reference,
          .merchant_account = text_in(payment.body, "merchantAccount"),
          .payment_method = text_in(payment.body, "brand"),
          .amount = payment.body.at("amount").as_object()};
}

void notify_authorisation(Session& session, const Document& payment, const Charge& charge) {
  auto notification = notification_of(payment, "AUTHORISATION", charge.outcome.status == Status::succeeded);
  if (!notification.is_success) {
    notification.reason = refusal_reason_of(refusal_code_of(charge.outcome.code));
  }
  notify(session, Kind::authorize, charge.reference, notification);
}

// The answer of POST /payments and of /payments/details.
Reply result_of(const Document& payment, std::string_view result_code, json::object more = {}) {
  json::object body{{"pspReference", payment.id},
                    {"resultCode", key_of(result_code)},
                    {"merchantReference", payment.reference},
                    {"amount", payment.body.at("amount")},
                    {"paymentMethod", {{"brand", payment.body.at("brand")}, {"type", "scheme"}}}};
  for (auto& member : more) body[member.key()] = std::move(member.value());
  return {.body = json::serialize(body)};
}

json::object refusal(std::string_view code) {
  return {{"refusalReason", key_of(refusal_reason_of(code))}, {"refusalReasonCode", key_of(code)}};
}

Charge new_charge(const Session& session, const Document& payment) {
  const auto amount = read_amount(payment.body);
  SWITCHYARD_ASSERT(amount.has_value());
  const bool is_held = payment.body.at("manual").as_bool();
  return {.reference = book_reference_of(payment),
          .idempotency_key = payment.id,
          .amount = *amount,
          .capture_method = is_held ? payment::CaptureMethod::manual : payment::CaptureMethod::automatic,
          .psp = std::string(session.psp)};
}

std::string_view result_code_in(const Charge& charge) {
  if (charge.outcome.status == Status::succeeded) return "Authorised";
  if (charge.outcome.status == Status::pending) return "Received";
  return result_code_of(refusal_code_of(charge.outcome.code));
}

Reply book_payment(Session& session, Document& payment, const Behaviour& behaviour) {
  const auto booked =
      psp::simulator::book_new(session.ledger, new_charge(session, payment), behaviour, session.now);
  payment.is_open = booked.outcome.later.has_value();
  payment.body["resultCode"] = key_of(result_code_in(booked));
  session.rows.save(payment);
  if (booked.outcome.status != Status::pending) notify_authorisation(session, payment, booked);
  const bool is_declined = booked.outcome.status == Status::declined;
  auto reply = result_of(payment, result_code_in(booked),
                         is_declined ? refusal(refusal_code_of(booked.outcome.code)) : json::object());
  reply.behaviour = behaviour;
  reply.is_booked = true;
  reply.booked = std::pair{Kind::authorize, booked.outcome.status};
  return reply;
}

Reply send_to_bank(Session& session, Document& payment, const Asked& asked) {
  payment.body["resultCode"] = "RedirectShopper";
  session.rows.save(payment);
  const auto path = customers_path.substr(0, customers_path.find('{'));
  return result_of(payment, "RedirectShopper",
                   {{"action",
                     {{"type", "redirect"},
                      {"method", "GET"},
                      {"paymentMethodType", "scheme"},
                      {"url", fmt::format("{}{}{}", asked.address, path, payment.id)}}}});
}

// Of an automatic payment whose holder's name asks for it, the capture is the payment itself.
std::optional<Behaviour> behaviour_by_values(const json::object& body, const Card& card) {
  if (auto behaviour = behaviour_of(body, card)) return behaviour;
  if (asks_customer(card) && !is_customer_there(body)) {
    return Behaviour{.charging = Charging::decline, .code = authentication_required};
  }
  if (!is_manual(body) && captures_fail(card.holder)) {
    return Behaviour{.charging = Charging::approve_and_take_back};
  }
  return std::nullopt;
}

// What the customer brings back: the payment's name and how it went.
struct BroughtBack {
  std::string payment;
  bool is_authenticated = false;
};

std::optional<BroughtBack> read_brought_back(const json::object& body) {
  const auto* details = object_in(body, "details");
  const auto text = details == nullptr ? std::string() : text_in(*details, "redirectResult");
  const auto dot = text.find('.');
  if (dot == std::string::npos) return std::nullopt;
  const auto how = std::string_view(text).substr(dot + 1);
  if (how != authenticated && how != not_authenticated) return std::nullopt;
  return BroughtBack{text.substr(0, dot), how == authenticated};
}

}  // namespace

std::optional<json::object> read_body(std::string_view body) {
  auto value = http::read_json(body, http::request_json_bounds);
  if (!value || !value->is_object()) return std::nullopt;
  return std::move(value->get_object());
}

json::object amount_of(Money money) {
  const auto value = money.minor() == 0 ? 0 : psp::adyen::to_adyen(money).value();
  return {{"currency", key_of(money.currency().code())}, {"value", value}};
}

std::optional<Money> read_amount(const json::object& body) {
  const auto* amount = object_in(body, "amount");
  if (amount == nullptr || number_in(*amount, "value") < 1) return std::nullopt;
  const auto money = psp::adyen::from_adyen(number_in(*amount, "value"), text_in(*amount, "currency"));
  // Not what Adyen itself would not ask for.
  return money && psp::adyen::to_adyen(*money) ? money : std::nullopt;
}

std::string book_reference_of(const Document& payment) {
  auto ours = psp::adyen::read_reference(payment.reference).transaction_reference;
  if (is_reference(ours)) return ours;
  return is_reference(payment.reference) ? payment.reference : payment.id;
}

std::optional<Charge> charge_of(Session& session, const Document& payment) {
  return session.ledger.find_charge({}, payment.id);
}

Reply make_payment(Session& session, const Asked& asked) {
  const auto body = read_body(asked.body);
  if (!body) return error("702");
  if (const auto problem = problem_of(*body); !problem.empty()) return error(problem);
  const auto card = read_card(*object_in(*body, "paymentMethod"));
  auto payment = new_payment(*body, card, session.now);
  const auto wanted = new_charge(session, payment);
  const auto rule = session.script.by_rule(Kind::authorize, wanted.reference);
  if (!rule && asks_customer(card) && is_customer_there(*body)) return send_to_bank(session, payment, asked);
  const auto by_values = rule ? rule : behaviour_by_values(*body, card);
  const auto behaviour = by_values ? *by_values : by_amount(Kind::authorize, wanted.amount.minor());
  const auto key = "adyen:" + (asked.key.empty() ? payment.id : asked.key);
  if (psp::simulator::books_nothing(session.ledger, behaviour.charging, key)) {
    return {.body = {}, .is_kept = false, .behaviour = behaviour};
  }
  return book_payment(session, payment, behaviour);
}

Reply list_payment_methods(Session&, const Asked& asked) {
  const auto body = read_body(asked.body);
  if (!body) return error("702");
  if (text_in(*body, "merchantAccount").empty()) return error("901");
  return {.body = R"({"paymentMethods":[{"brands":["visa","mc","amex"],"name":"Cards","type":"scheme"}]})"};
}

Reply add_details(Session& session, const Asked& asked) {
  const auto body = read_body(asked.body);
  if (!body) return error("702");
  const auto back = read_brought_back(*body);
  auto payment = back ? session.rows.find(payment_type, back->payment) : std::nullopt;
  const bool waits = payment && text_in(payment->body, "resultCode") == "RedirectShopper";
  if (!waits) return error("704");
  if (back->is_authenticated) {
    return book_payment(session, *payment,
                        behaviour_for(session, Kind::authorize, book_reference_of(*payment), {},
                                      new_charge(session, *payment).amount.minor()));
  }
  return book_payment(session, *payment, {.charging = Charging::decline, .code = "11"});
}

Reply customer_is_back(Session& session, const Asked& asked) {
  const auto payment = session.rows.find(payment_type, asked.parameter);
  const bool waits = payment && text_in(payment->body, "resultCode") == "RedirectShopper";
  if (!waits) return error("167");
  const bool has_failed = asked.query == "result=failed";
  const auto back = text_in(payment->body, "returnUrl");
  const auto result = fmt::format("{}.{}", payment->id, has_failed ? not_authenticated : authenticated);
  return {.status = 303,
          .body = {},
          .headers = {{"Location", fmt::format("{}{}redirectResult={}", back,
                                               back.find('?') == std::string::npos ? '?' : '&',
                                               http::percent_encoded(result))}},
          .is_kept = false};
}

void settle_payment(Session& session, Document payment) {
  const auto charge = charge_of(session, payment);
  SWITCHYARD_ASSERT(charge.has_value());
  if (charge->outcome.later) return;
  const bool was_pending = text_in(payment.body, "resultCode") == "Received";
  payment.is_open = false;
  payment.body["resultCode"] = key_of(result_code_in(*charge));
  session.rows.save(payment);
  if (was_pending) return notify_authorisation(session, payment, *charge);
  if (charge->outcome.status != Status::declined) return;
  // A hold that is taken back has run out; of a capture it has failed.
  const bool is_hold = charge->capture_method == payment::CaptureMethod::manual;
  auto notification = notification_of(payment, is_hold ? "EXPIRE" : "CAPTURE_FAILED", true);
  notification.psp_reference = new_name("", 16, capitals_and_digits);
  notification.original_reference = payment.id;
  notify(session, is_hold ? Kind::void_ : Kind::capture, charge->reference, notification);
}

}  // namespace switchyard::psp_simulator::adyen
