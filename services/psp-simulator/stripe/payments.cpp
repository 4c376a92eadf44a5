#include "psp-simulator/stripe/payments.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "base/assert.hpp"
#include "psp-simulator/charge_json.hpp"
#include "psp-simulator/dialect/json.hpp"
#include "psp-simulator/dialect/names.hpp"
#include "psp-simulator/stripe/errors.hpp"
#include "psp-simulator/stripe/events.hpp"
#include "psp-simulator/stripe/parameters.hpp"
#include "psp/simulator/bookings.hpp"
#include "psp/stripe/amounts.hpp"
#include "psp/stripe/objects.hpp"

namespace switchyard::psp_simulator::stripe {
namespace {

namespace json = boost::json;
using payment::Kind;
using psp::simulator::Behaviour;
using psp::simulator::Charge;
using psp::simulator::Charging;
using psp::simulator::Operation;
using psp::simulator::Status;

bool is_one_of(std::string_view status, std::initializer_list<std::string_view> states) {
  return std::ranges::find(states, status) != states.end();
}

Reply nothing_done(const Behaviour& behaviour) {
  return {.body = {}, .is_kept = false, .behaviour = behaviour};
}

std::string key_or_new(const Asked& asked) {
  return "stripe:" + (asked.key.empty() ? new_name("", 24) : asked.key);
}

std::optional<Document> find_intent(Session& session, const Asked& asked) {
  return session.rows.find(intent_type, asked.parameter);
}

Reply no_such_payment(const Asked& asked) {
  return no_such(404, "payment_intent", asked.parameter, "intent");
}

// --- Confirming --------------------------------------------------------------------------------

// How it is confirmed, whichever request says so.
struct Confirmation {
  std::string_view return_url{};
  // The customer is not there, or may not be asked.
  bool nobody_to_ask = false;
  bool is_authenticated = false;
};

Confirmation confirmation_of(const Form& form) {
  return {
      .return_url = form.text("return_url"),
      .nobody_to_ask = form.text("off_session") == "true" || form.text("error_on_requires_action") == "true"};
}

// A payment that was made in the same request.
void save_if_new(Session& session, Document& intent, const Asked& asked) {
  if (intent.number != 0) return;
  session.rows.save(intent);
  tell(session, "payment_intent.created", Kind::authorize, intent.body, intent.reference, asked.key);
}

Reply refuse_to_ask(Session& session, Document& intent, const Asked& asked) {
  const auto before = text_in(intent.body, "status");
  auto error = card_error("authentication_required", {});
  fail(intent.body, error);
  session.rows.save(intent);
  tell_of_payment(session, intent, nullptr, before == "requires_payment_method" ? "" : before, asked.key);
  return declined(std::move(error), intent.body);
}

Reply ask(Session& session, Document& intent, const Confirmation& how, const Asked& asked, const Form& form) {
  save_if_new(session, intent, asked);
  if (how.nobody_to_ask) return refuse_to_ask(session, intent, asked);
  const auto before = text_in(intent.body, "status");
  ask_customer(
      intent.body,
      fmt::format("{}{}{}", asked.address, customers_path.substr(0, customers_path.find('{')), intent.id),
      how.return_url);
  session.rows.save(intent);
  tell_of_payment(session, intent, nullptr, before, asked.key);
  return show(session, intent, form);
}

Charge charge_of(const Session& session, const json::object& intent) {
  const auto amount = psp::stripe::from_stripe(number_in(intent, "amount"), text_in(intent, "currency"));
  SWITCHYARD_ASSERT(amount.has_value());
  const bool is_manual = text_in(intent, "capture_method") == "manual";
  return {.reference = reference_of(intent),
          .idempotency_key = new_name("ch_", 24),
          .amount = *amount,
          .capture_method = is_manual ? payment::CaptureMethod::manual : payment::CaptureMethod::automatic,
          .psp = std::string(session.psp)};
}

Reply book_attempt(Session& session, Document& intent, const Behaviour& behaviour, const Asked& asked,
                   const Form& form) {
  save_if_new(session, intent, asked);
  const auto booked =
      psp::simulator::book_new(session.ledger, charge_of(session, intent.body), behaviour, session.now);
  Document charge{.id = booked.idempotency_key,
                  .type = std::string(charge_type),
                  .parent = intent.id,
                  .body = new_charge(booked.idempotency_key, intent.body, card_of(intent.body), session.now),
                  .created_at = session.now};
  session.rows.save(charge);
  intent.body["latest_charge"] = key_of(charge.id);
  intent.body["status"] = "requires_confirmation";
  intent.body["next_action"] = nullptr;
  save_as_booked(session, intent, asked.key);
  auto reply = booked.outcome.status == Status::declined
                   ? declined(intent.body.at("last_payment_error").as_object(), intent.body)
                   : show(session, intent, form);
  reply.behaviour = behaviour;
  reply.is_booked = true;
  reply.booked = std::pair{Kind::authorize, booked.outcome.status};
  return reply;
}

// The card is known, and the payment may be saved already or not yet.
Reply confirm(Session& session, Document& intent, const Confirmation& how, const Asked& asked,
              const Form& form) {
  const auto& card = card_of(intent.body);
  const auto wanted = charge_of(session, intent.body);
  const auto rule = session.script.by_rule(Kind::authorize, wanted.reference);
  if (!rule && card.asks && !how.is_authenticated) return ask(session, intent, how, asked, form);
  Behaviour by_card{.charging = Charging::decline, .code = card.decline};
  const auto behaviour = rule                   ? *rule
                         : card.decline.empty() ? by_amount(Kind::authorize, wanted.amount.minor())
                                                : by_card;
  if (psp::simulator::books_nothing(session.ledger, behaviour.charging, key_or_new(asked))) {
    return nothing_done(behaviour);
  }
  return book_attempt(session, intent, behaviour, asked, form);
}

// --- Capturing and canceling -------------------------------------------------------------------

Operation operation_of(const Session& session, Kind kind, const Standing& standing, Money amount) {
  return {.kind = kind,
          .reference = standing.charge.reference,
          .charge_key = standing.charge.idempotency_key,
          .idempotency_key = new_name(kind == Kind::capture ? "capture_" : "cancel_", 24),
          .amount = amount,
          .psp = std::string(session.psp)};
}

// What was booked, as an answer.
Reply answer_to(Session& session, Document& intent, const Operation& booked, const Behaviour& behaviour,
                const Asked& asked, const Form& form) {
  save_as_booked(session, intent, asked.key, form.text("cancellation_reason"));
  const auto code = stripe_code_of(booked.outcome.code);
  auto reply = booked.outcome.status == Status::declined
                   ? declined(card_error(code, booked.charge_key), intent.body)
                   : show(session, intent, form);
  reply.behaviour = behaviour;
  reply.is_booked = true;
  reply.booked = std::pair{booked.kind, booked.outcome.status};
  return reply;
}

// A cancel has no result that comes later.
Behaviour at_once(Behaviour behaviour) {
  if (behaviour.charging == Charging::approve_later) behaviour.charging = Charging::approve;
  if (behaviour.charging == Charging::approve_and_take_back) behaviour.charging = Charging::approve;
  if (behaviour.charging == Charging::decline_later) behaviour.charging = Charging::decline;
  return behaviour;
}

// A payment that holds nothing is canceled without the ledger.
Reply cancel_without_hold(Session& session, Document& intent, const Behaviour& behaviour, const Asked& asked,
                          const Form& form) {
  const auto before = text_in(intent.body, "status");
  cancel(intent.body, form.text("cancellation_reason"), session.now);
  session.rows.save(intent);
  tell_of_payment(session, intent, nullptr, before, asked.key);
  auto reply = show(session, intent, form);
  reply.behaviour = behaviour;
  reply.is_booked = true;
  return reply;
}

}  // namespace

std::string reference_of(const json::object& intent) {
  auto reference = metadata_in(intent, psp::stripe::reference_name);
  return is_reference(reference) ? reference : text_in(intent, "id");
}

std::optional<Standing> standing_of(Session& session, const json::object& intent) {
  const auto charge = session.ledger.find_charge({}, text_in(intent, "latest_charge"));
  if (!charge) return std::nullopt;
  return Standing{*charge, session.ledger.operations_of(charge->reference, charge->idempotency_key)};
}

void save_as_booked(Session& session, Document& intent, std::string_view key,
                    std::string_view cancellation_reason) {
  const auto standing = standing_of(session, intent.body);
  auto charge = session.rows.find(charge_type, text_in(intent.body, "latest_charge"));
  SWITCHYARD_ASSERT(standing && charge);
  const auto before = text_in(intent.body, "status");
  refresh(intent.body, charge->body, *standing, cancellation_reason, session.now);
  intent.is_open = standing->charge.outcome.later.has_value() ||
                   std::ranges::any_of(standing->operations, [](const Operation& operation) {
                     return operation.kind != Kind::refund && operation.outcome.later.has_value();
                   });
  session.rows.save(*charge);
  session.rows.save(intent);
  tell_of_payment(session, intent, &charge->body, before, key);
}

Reply show(Session& session, const Document& intent, const Form& form) {
  auto body = intent.body;
  for (const auto wanted : form.list("expand")) {
    if (wanted != "latest_charge") continue;
    if (const auto charge = session.rows.find(charge_type, text_in(body, "latest_charge"))) {
      body["latest_charge"] = charge->body;
    }
  }
  return {.body = json::serialize(body)};
}

Reply create_payment(Session& session, const Asked& asked) {
  const auto form = Form::read(asked.body);
  if (!form) return invalid({}, "The form cannot be read.");
  if (auto wrong = check_create(*form)) return std::move(*wrong);
  const auto id = new_name("pi_", 24);
  Document intent{.id = id,
                  .type = std::string(intent_type),
                  .parent = std::string(form->text("customer")),
                  .body = new_intent(id, *form, session.now),
                  .created_at = session.now};
  intent.reference = reference_of(intent.body);
  if (form->text("confirm") == "true") {
    return confirm(session, intent, confirmation_of(*form), asked, *form);
  }
  save_if_new(session, intent, asked);
  return show(session, intent, *form);
}

Reply update_payment(Session& session, const Asked& asked) {
  const auto form = Form::read(asked.body);
  if (!form) return invalid({}, "The form cannot be read.");
  if (auto wrong = check_update(*form)) return std::move(*wrong);
  auto intent = find_intent(session, asked);
  if (!intent) return no_such_payment(asked);
  add_metadata(intent->body, *form);
  if (const auto description = form->find("description")) {
    intent->body["description"] = text_or_null(*description);
  }
  session.rows.save(*intent);
  return show(session, *intent, *form);
}

Reply confirm_payment(Session& session, const Asked& asked) {
  const auto form = Form::read(asked.body);
  if (!form) return invalid({}, "The form cannot be read.");
  auto intent = find_intent(session, asked);
  if (!intent) return no_such_payment(asked);
  if (auto wrong = check_confirm(*form, intent->body)) return std::move(*wrong);
  const auto status = text_in(intent->body, "status");
  if (!is_one_of(status, {"requires_payment_method", "requires_confirmation", "requires_action"})) {
    return unexpected_state(intent->body, "confirmed");
  }
  if (const auto method = form->find("payment_method")) intent->body["payment_method"] = key_of(*method);
  return confirm(session, *intent, confirmation_of(*form), asked, *form);
}

Reply capture_payment(Session& session, const Asked& asked) {
  const auto form = Form::read(asked.body);
  if (!form) return invalid({}, "The form cannot be read.");
  auto intent = find_intent(session, asked);
  if (!intent) return no_such_payment(asked);
  if (auto wrong = check_capture(*form)) return std::move(*wrong);
  if (text_in(intent->body, "status") != "requires_capture") {
    return unexpected_state(intent->body, "captured");
  }
  const auto capturable = number_in(intent->body, "amount_capturable");
  const auto value = read_integer(form->text("amount_to_capture")).value_or(capturable);
  if (value > capturable) {
    return error(400, {.code = "amount_too_large",
                       .message = "More than is left to be captured.",
                       .param = "amount_to_capture"});
  }
  const auto amount = psp::stripe::from_stripe(value, text_in(intent->body, "currency"));
  if (!amount) return invalid("parameter_invalid_integer", "No amount.", "amount_to_capture");
  const auto standing = standing_of(session, intent->body);
  auto wanted = operation_of(session, Kind::capture, *standing, *amount);
  const auto behaviour = behaviour_for(session, Kind::capture, wanted.reference, {}, amount->minor());
  if (psp::simulator::books_nothing(session.ledger, behaviour.charging, key_or_new(asked))) {
    return nothing_done(behaviour);
  }
  add_metadata(intent->body, *form);
  const auto booked =
      psp::simulator::book_new(session.ledger, standing->charge, std::move(wanted), behaviour, session.now);
  return answer_to(session, *intent, booked, behaviour, asked, *form);
}

Reply cancel_payment(Session& session, const Asked& asked) {
  const auto form = Form::read(asked.body);
  if (!form) return invalid({}, "The form cannot be read.");
  auto intent = find_intent(session, asked);
  if (!intent) return no_such_payment(asked);
  if (auto wrong = check_cancel(*form)) return std::move(*wrong);
  const auto status = text_in(intent->body, "status");
  if (!is_one_of(status, {"requires_payment_method", "requires_confirmation", "requires_action",
                          "requires_capture"})) {
    return unexpected_state(intent->body, "canceled");
  }
  const auto behaviour = at_once(behaviour_for(session, Kind::void_, intent->reference, {}, 0));
  if (psp::simulator::books_nothing(session.ledger, behaviour.charging, key_or_new(asked))) {
    return nothing_done(behaviour);
  }
  if (status != "requires_capture") {
    return cancel_without_hold(session, *intent, behaviour, asked, *form);
  }
  const auto standing = standing_of(session, intent->body);
  const Money held(standing->charge.held_minor(), standing->charge.amount.currency());
  auto wanted = operation_of(session, Kind::void_, *standing, held);
  const auto booked =
      psp::simulator::book_new(session.ledger, standing->charge, std::move(wanted), behaviour, session.now);
  return answer_to(session, *intent, booked, behaviour, asked, *form);
}

Reply customer_is_back(Session& session, const Asked& asked) {
  const auto form = Form::read(asked.query).value_or(Form());
  auto intent = find_intent(session, asked);
  if (!intent) return no_such_payment(asked);
  if (text_in(intent->body, "status") != "requires_action") {
    return unexpected_state(intent->body, "authenticated");
  }
  const auto* action = object_in(intent->body, "next_action");
  const auto back = text_in(*object_in(*action, "redirect_to_url"), "return_url");
  const bool has_failed = form.text("result") == "failed";
  if (has_failed) {
    fail(intent->body, json::object{{"type", "invalid_request_error"},
                                    {"code", "payment_intent_authentication_failure"},
                                    {"message", "The customer could not be authenticated."}});
    session.rows.save(*intent);
    tell_of_payment(session, *intent, nullptr, "requires_action", {});
  } else {
    // How it went, the payment says.
    (void)confirm(session, *intent, {.is_authenticated = true}, asked, form);
  }
  if (back.empty()) return show(session, *intent, form);
  return {.status = 303,
          .body = {},
          .headers = {{"Location", fmt::format("{}{}payment_intent={}&redirect_status={}", back,
                                               back.find('?') == std::string::npos ? '?' : '&', intent->id,
                                               has_failed ? "failed" : "succeeded")}},
          .is_kept = false};
}

}  // namespace switchyard::psp_simulator::stripe
