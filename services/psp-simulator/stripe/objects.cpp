#include "psp-simulator/stripe/objects.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include "base/assert.hpp"
#include "psp-simulator/dialect/json.hpp"
#include "psp-simulator/dialect/names.hpp"
#include "psp-simulator/stripe/errors.hpp"
#include "psp/stripe/amounts.hpp"

namespace switchyard::psp_simulator::stripe {
namespace {

namespace json = boost::json;
using payment::Kind;
using psp::simulator::Charge;
using psp::simulator::Operation;
using psp::simulator::Status;

// How long a hold lasts (Stripe documentation, "Place a hold on a payment method").
constexpr std::chrono::hours hold_life{7 * 24};

std::int64_t unix_time(Timestamp time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

std::string in_lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

json::value from_form(const Form& form, std::string_view name) {
  return text_or_null(form.text(name));
}

bool is_manual(const json::object& intent) {
  return text_in(intent, "capture_method") == "manual";
}

bool has_pending_capture(const std::vector<Operation>& operations) {
  return std::ranges::any_of(operations, [](const Operation& operation) {
    return operation.kind == Kind::capture && operation.outcome.status == Status::pending;
  });
}

std::string_view status_of(const json::object& intent, const Standing& standing) {
  const auto& charge = standing.charge;
  if (charge.outcome.status == Status::pending) return "processing";
  if (charge.outcome.status == Status::declined) {
    // A hold that is taken back has run out.
    const bool is_expired = charge.outcome.code == psp::simulator::taken_back && is_manual(intent);
    return is_expired ? "canceled" : "requires_payment_method";
  }
  if (has_pending_capture(standing.operations)) return "processing";
  if (charge.held_minor() > 0) return "requires_capture";
  if (charge.captured_minor > 0) return "succeeded";
  return charge.voided_minor > 0 ? "canceled" : "requires_payment_method";
}

std::int64_t shown_minor(const Charge& charge, std::int64_t minor) {
  return shown(Money(minor, charge.amount.currency()));
}

void refresh_charge(json::object& shown_charge, const Charge& charge) {
  const bool is_declined = charge.outcome.status == Status::declined;
  shown_charge["status"] = is_declined                                ? "failed"
                           : charge.outcome.status == Status::pending ? "pending"
                                                                      : "succeeded";
  shown_charge["paid"] = charge.outcome.status == Status::succeeded;
  shown_charge["captured"] = charge.captured_minor > 0;
  shown_charge["amount_captured"] = shown_minor(charge, charge.captured_minor);
  shown_charge["amount_refunded"] = shown_minor(charge, charge.refunded_minor);
  shown_charge["refunded"] = charge.refunded_minor > 0 && charge.refunded_minor == charge.captured_minor;
  if (!is_declined) return;
  const auto code = stripe_code_of(charge.outcome.code);
  shown_charge["failure_code"] = key_of(is_code_of_its_own(code) ? code : "card_declined");
  shown_charge["failure_message"] = key_of(words_of_decline(code));
  shown_charge["outcome"].as_object()["type"] = "issuer_declined";
  shown_charge["outcome"].as_object()["network_status"] = "declined_by_network";
  shown_charge["outcome"].as_object()["reason"] = key_of(code);
}

json::object details_of(const Card& card, Timestamp now) {
  return {{"type", "card"},
          {"card",
           {{"brand", key_of(card.brand)},
            {"country", "US"},
            {"exp_month", 12},
            {"exp_year", 2034},
            {"funding", "credit"},
            {"last4", key_of(card.last4)},
            {"network", key_of(card.brand)},
            {"capture_before", unix_time(now + hold_life)}}}};
}

}  // namespace

std::int64_t shown(Money money) {
  if (money.minor() == 0) return 0;
  const auto amount = psp::stripe::to_stripe(money);
  // What Stripe was asked for, and parts of that.
  SWITCHYARD_ASSERT(amount.has_value());
  return amount->value;
}

json::object new_intent(std::string_view id, const Form& form, Timestamp now) {
  const auto amount = read_integer(form.text("amount")).value_or(0);
  json::object intent{{"id", key_of(id)},
                      {"object", "payment_intent"},
                      {"amount", amount},
                      {"amount_capturable", 0},
                      {"amount_received", 0},
                      {"application", nullptr},
                      {"automatic_payment_methods", nullptr},
                      {"canceled_at", nullptr},
                      {"cancellation_reason", nullptr},
                      {"capture_method", key_of(form.find("capture_method").value_or("automatic_async"))},
                      {"client_secret", fmt::format("{}_secret_{}", id, new_name("", 25))},
                      {"confirmation_method", "automatic"},
                      {"created", unix_time(now)},
                      {"currency", in_lower_case(form.text("currency"))},
                      {"customer", from_form(form, "customer")},
                      {"description", from_form(form, "description")},
                      {"last_payment_error", nullptr},
                      {"latest_charge", nullptr},
                      {"livemode", false},
                      {"metadata", json::object()},
                      {"next_action", nullptr},
                      {"payment_method", from_form(form, "payment_method")},
                      {"payment_method_types", json::array{"card"}},
                      {"processing", nullptr},
                      {"receipt_email", from_form(form, "receipt_email")},
                      {"setup_future_usage", from_form(form, "setup_future_usage")},
                      {"shipping", nullptr},
                      {"statement_descriptor", from_form(form, "statement_descriptor")},
                      {"statement_descriptor_suffix", from_form(form, "statement_descriptor_suffix")}};
  intent["status"] =
      form.text("payment_method").empty() ? "requires_payment_method" : "requires_confirmation";
  add_metadata(intent, form);
  return intent;
}

json::object new_charge(std::string_view id, const json::object& intent, const Card& card, Timestamp now) {
  return {{"id", key_of(id)},
          {"object", "charge"},
          {"amount", intent.at("amount")},
          {"amount_captured", 0},
          {"amount_refunded", 0},
          {"balance_transaction", nullptr},
          {"captured", false},
          {"created", unix_time(now)},
          {"currency", intent.at("currency")},
          {"customer", intent.at("customer")},
          {"description", intent.at("description")},
          {"disputed", false},
          {"failure_code", nullptr},
          {"failure_message", nullptr},
          {"livemode", false},
          {"metadata", intent.at("metadata")},
          {"outcome",
           {{"network_status", card.is_blocked ? "not_sent_to_network" : "approved_by_network"},
            {"reason", nullptr},
            {"type", card.is_blocked ? "blocked" : "authorized"}}},
          {"paid", false},
          {"payment_intent", intent.at("id")},
          {"payment_method", intent.at("payment_method")},
          {"payment_method_details", details_of(card, now)},
          {"refunded", false},
          {"status", "pending"}};
}

json::object new_refund(const Operation& refund, const json::object& intent, const Form& form,
                        Timestamp now) {
  json::object object{{"id", refund.idempotency_key},
                      {"object", "refund"},
                      {"amount", shown(refund.amount)},
                      {"balance_transaction", nullptr},
                      {"charge", intent.at("latest_charge")},
                      {"created", unix_time(now)},
                      {"currency", intent.at("currency")},
                      {"metadata", json::object()},
                      {"payment_intent", intent.at("id")},
                      {"reason", from_form(form, "reason")},
                      {"receipt_number", nullptr},
                      {"status", "pending"}};
  add_metadata(object, form);
  return object;
}

void add_metadata(json::object& object, const Form& form) {
  auto& metadata = object["metadata"].as_object();
  for (const auto& [key, value] : form.entries("metadata")) {
    if (value.empty()) {
      metadata.erase(key_of(key));
    } else {
      metadata[key_of(key)] = key_of(value);
    }
  }
}

std::string metadata_in(const json::object& object, std::string_view name) {
  const auto* metadata = object_in(object, "metadata");
  return metadata == nullptr ? std::string() : text_in(*metadata, name);
}

const Card& card_of(const json::object& intent) {
  const auto* card = find_card(text_in(intent, "payment_method"));
  SWITCHYARD_ASSERT(card != nullptr);
  return *card;
}

void refresh(json::object& intent, json::object& charge, const Standing& standing,
             std::string_view cancellation_reason, Timestamp now) {
  const auto& booked = standing.charge;
  refresh_charge(charge, booked);
  intent["latest_charge"] = charge.at("id");
  intent["amount_capturable"] = shown_minor(booked, booked.held_minor());
  intent["amount_received"] = shown_minor(booked, booked.captured_minor);
  const auto status = status_of(intent, standing);
  if (status == "canceled") {
    cancel(intent, cancellation_reason, now);
  } else if (status == "requires_payment_method") {
    fail(intent, card_error(stripe_code_of(booked.outcome.code), booked.idempotency_key));
  } else {
    intent["last_payment_error"] = nullptr;
    intent["status"] = key_of(status);
  }
}

void refresh(json::object& refund, const Operation& operation) {
  const auto status = operation.outcome.status;
  refund["status"] = status == Status::succeeded ? "succeeded"
                     : status == Status::pending ? "pending"
                                                 : "failed";
  if (status == Status::pending) refund["pending_reason"] = "processing";
  if (status != Status::pending) refund.erase("pending_reason");
  if (status != Status::declined) return;
  const auto& code = operation.outcome.code;
  const bool is_without_money = code == psp::simulator::insufficient_funds;
  const bool is_taken_back = code == psp::simulator::taken_back;
  refund["failure_reason"] = is_without_money ? "insufficient_funds" : is_taken_back ? "unknown" : "declined";
}

void cancel(json::object& intent, std::string_view reason, Timestamp now) {
  if (text_in(intent, "status") == "canceled") return;
  intent["status"] = "canceled";
  intent["amount_capturable"] = 0;
  intent["next_action"] = nullptr;
  intent["canceled_at"] = unix_time(now);
  intent["cancellation_reason"] = text_or_null(reason);
}

void ask_customer(json::object& intent, std::string_view address, std::string_view return_url) {
  intent["status"] = "requires_action";
  intent["next_action"] =
      json::object{{"type", "redirect_to_url"},
                   {"redirect_to_url", {{"url", key_of(address)}, {"return_url", text_or_null(return_url)}}}};
}

void fail(json::object& intent, json::object card_error) {
  intent["status"] = "requires_payment_method";
  intent["amount_capturable"] = 0;
  intent["next_action"] = nullptr;
  intent["last_payment_error"] = std::move(card_error);
}

}  // namespace switchyard::psp_simulator::stripe
