#include "psp-simulator/stripe/refunds.hpp"

#include <optional>
#include <utility>

#include <boost/json/serialize.hpp>

#include "base/assert.hpp"
#include "psp-simulator/dialect/json.hpp"
#include "psp-simulator/dialect/names.hpp"
#include "psp-simulator/stripe/errors.hpp"
#include "psp-simulator/stripe/events.hpp"
#include "psp-simulator/stripe/parameters.hpp"
#include "psp-simulator/stripe/payments.hpp"
#include "psp/simulator/bookings.hpp"
#include "psp/stripe/amounts.hpp"

namespace switchyard::psp_simulator::stripe {
namespace {

using payment::Kind;
using psp::simulator::Behaviour;
using psp::simulator::Charging;
using psp::simulator::Operation;
using psp::simulator::Status;

std::optional<Behaviour> behaviour_by_card(const Card& card) {
  if (card.refund == RefundFate::pends) return Behaviour{.charging = Charging::approve_later};
  if (card.refund == RefundFate::fails) return Behaviour{.charging = Charging::approve_and_take_back};
  return std::nullopt;
}

// The payment that is named, by itself or by its charge.
std::optional<Document> find_payment(Session& session, const Form& form) {
  auto id = std::string(form.text("payment_intent"));
  if (id.empty()) {
    const auto charge = session.rows.find(charge_type, form.text("charge"));
    if (charge) id = charge->parent;
  }
  return session.rows.find(intent_type, id);
}

Reply no_payment(const Form& form) {
  const bool is_by_payment = form.find("payment_intent").has_value();
  return is_by_payment ? no_such(404, "payment_intent", form.text("payment_intent"), "payment_intent")
                       : no_such(404, "charge", form.text("charge"), "charge");
}

// What is left to give back, if anything was taken.
std::int64_t refundable_minor(const Standing& standing) {
  auto left = standing.charge.captured_minor - standing.charge.refunded_minor;
  for (const auto& operation : standing.operations) {
    const bool is_pending = operation.kind == Kind::refund && operation.outcome.status == Status::pending;
    if (is_pending) left -= operation.amount.minor();
  }
  return left;
}

std::optional<Reply> refuse(const std::optional<Standing>& standing, const Money& amount) {
  if (!standing || standing->charge.captured_minor == 0) {
    return error(400, {.message = "The payment has no charge that could be given back."});
  }
  const auto left = refundable_minor(*standing);
  if (left == 0) {
    return error(400, {.code = "charge_already_refunded", .message = "All of it was given back already."});
  }
  if (amount.minor() > left) {
    return error(400, {.message = "More than is left of the charge.", .param = "amount"});
  }
  return std::nullopt;
}

void tell_of_refund(Session& session, const Document& refund, std::string_view type, std::string_view key) {
  tell(session, type, Kind::refund, refund.body, refund.reference, key);
}

// Both objects as the ledger has them now.
void save_with_payment(Session& session, Document& refund, const Operation& operation, Document& intent) {
  refresh(refund.body, operation);
  refund.is_open = operation.outcome.later.has_value();
  session.rows.save(refund);
  save_as_booked(session, intent, {});
}

void tell_of_charge(Session& session, const Document& intent, std::string_view key) {
  const auto charge = session.rows.find(charge_type, text_in(intent.body, "latest_charge"));
  if (charge) tell(session, "charge.refunded", Kind::refund, charge->body, intent.reference, key);
}

// All that is left, where no amount is given; nothing if it is none of the currency's.
std::optional<Money> amount_asked(const Form& form, const boost::json::object& intent,
                                  const std::optional<Standing>& standing) {
  const auto value = read_integer(form.text("amount"));
  if (!value && standing) return Money(refundable_minor(*standing), standing->charge.amount.currency());
  return psp::stripe::from_stripe(value.value_or(0), text_in(intent, "currency"));
}

Operation operation_of(const Session& session, const Standing& standing, Money amount) {
  return {.kind = Kind::refund,
          .reference = standing.charge.reference,
          .charge_key = standing.charge.idempotency_key,
          .idempotency_key = new_name("re_", 24),
          .amount = amount,
          .psp = std::string(session.psp)};
}

Reply show_booked(Session& session, const Operation& booked, Document& intent, const Form& form,
                  const Behaviour& behaviour, std::string_view key) {
  Document refund{.id = booked.idempotency_key,
                  .type = std::string(refund_type),
                  .parent = intent.id,
                  .reference = intent.reference,
                  .body = new_refund(booked, intent.body, form, session.now),
                  .created_at = session.now};
  save_with_payment(session, refund, booked, intent);
  const auto status = booked.outcome.status;
  tell_of_refund(session, refund, "refund.created", key);
  if (status == Status::declined) tell_of_refund(session, refund, "refund.failed", key);
  if (status == Status::succeeded) tell_of_charge(session, intent, key);
  return {.body = boost::json::serialize(refund.body),
          .behaviour = behaviour,
          .is_booked = true,
          .booked = std::pair{Kind::refund, status}};
}

}  // namespace

Reply create_refund(Session& session, const Asked& asked) {
  const auto form = Form::read(asked.body);
  if (!form) return invalid({}, "The form cannot be read.");
  if (auto wrong = check_refund(*form)) return std::move(*wrong);
  auto intent = find_payment(session, *form);
  if (!intent) return no_payment(*form);
  const auto standing = standing_of(session, intent->body);
  const auto amount = amount_asked(*form, intent->body, standing);
  if (!amount) return invalid("parameter_invalid_integer", "No amount of this currency.", "amount");
  if (auto refused = refuse(standing, *amount)) return std::move(*refused);
  auto wanted = operation_of(session, *standing, *amount);
  const auto behaviour = behaviour_for(session, Kind::refund, wanted.reference,
                                       behaviour_by_card(card_of(intent->body)), amount->minor());
  const auto key = "stripe:" + (asked.key.empty() ? wanted.idempotency_key : asked.key);
  if (psp::simulator::books_nothing(session.ledger, behaviour.charging, key)) {
    return {.body = {}, .is_kept = false, .behaviour = behaviour};
  }
  const auto booked =
      psp::simulator::book_new(session.ledger, standing->charge, std::move(wanted), behaviour, session.now);
  return show_booked(session, booked, *intent, *form, behaviour, asked.key);
}

void settle_refund(Session& session, Document refund) {
  const auto operation = session.ledger.find_operation({}, refund.id);
  auto intent = session.rows.find(intent_type, refund.parent);
  SWITCHYARD_ASSERT(operation && intent);
  if (operation->outcome.later) return;
  const auto before = text_in(refund.body, "status");
  save_with_payment(session, refund, *operation, *intent);
  const auto after = text_in(refund.body, "status");
  if (after == before) return;
  tell_of_refund(session, refund, "refund.updated", {});
  tell_of_refund(session, refund, "charge.refund.updated", {});
  if (after == "failed") tell_of_refund(session, refund, "refund.failed", {});
  if (after == "succeeded") tell_of_charge(session, *intent, {});
}

}  // namespace switchyard::psp_simulator::stripe
