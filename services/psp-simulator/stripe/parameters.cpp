#include "psp-simulator/stripe/parameters.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <span>

#include <fmt/format.h>

#include "psp-simulator/dialect/json.hpp"
#include "psp-simulator/stripe/cards.hpp"
#include "psp-simulator/stripe/errors.hpp"
#include "psp/stripe/amounts.hpp"

namespace switchyard::psp_simulator::stripe {
namespace {

using Names = std::initializer_list<std::string_view>;
using Wrong = std::optional<Reply>;

// Stripe API reference, Metadata.
constexpr std::size_t metadata_entries_max = 50;
constexpr std::size_t metadata_key_max = 40;
constexpr std::size_t metadata_value_max = 500;

Wrong check_names(const Form& form, Names names) {
  const auto unknown = form.find_unknown(std::span(names.begin(), names.size()));
  if (!unknown) return std::nullopt;
  return invalid("parameter_unknown", fmt::format("Received unknown parameter: {}", *unknown), *unknown);
}

Wrong check_metadata(const Form& form) {
  const auto entries = form.entries("metadata");
  if (entries.size() > metadata_entries_max) return invalid({}, "Too many entries of metadata.", "metadata");
  for (const auto& [key, value] : entries) {
    if (key.empty() || key.size() > metadata_key_max || value.size() > metadata_value_max) {
      return invalid({}, "An entry of metadata is too long.", "metadata");
    }
  }
  return std::nullopt;
}

Wrong check_amount(const Form& form, std::string_view name) {
  const auto text = form.find(name);
  if (!text) return std::nullopt;
  const auto amount = read_integer(*text);
  if (!amount || *amount < 1) {
    return invalid("parameter_invalid_integer", fmt::format("Invalid positive integer: {}", *text), name);
  }
  if (*amount > psp::stripe::amount_max) return invalid("amount_too_large", "The amount is too large.", name);
  return std::nullopt;
}

Wrong check_choice(const Form& form, std::string_view name, Names values) {
  const auto value = form.find(name);
  if (!value || std::ranges::find(values, *value) != values.end()) return std::nullopt;
  return invalid({}, fmt::format("Invalid {}: must be one of {} values", name, values.size()), name);
}

Wrong check_flag(const Form& form, std::string_view name) {
  return check_choice(form, name, {"true", "false"});
}

Wrong check_currency(const Form& form) {
  auto currency = std::string(form.text("currency"));
  for (char& c : currency) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  const auto amount = read_integer(form.text("amount"));
  if (psp::stripe::from_stripe(amount.value_or(0), currency)) return std::nullopt;
  return invalid({}, "Invalid currency, or no amount of it.", "currency");
}

Wrong check_method(std::string_view method) {
  if (find_card(method) != nullptr) return std::nullopt;
  auto reply = no_such(400, "PaymentMethod", method, "payment_method");
  reply.is_kept = false;
  return reply;
}

// Stripe asks for an address where the account allows a way to pay that sends the customer away.
bool may_need_address(const Form& form, const boost::json::object* intent) {
  const bool is_card_only = !form.list("payment_method_types").empty() || intent != nullptr ||
                            form.text("automatic_payment_methods[allow_redirects]") == "never";
  return !is_card_only && form.text("return_url").empty();
}

Wrong first_of(std::initializer_list<Wrong (*)(const Form&)> checks, const Form& form) {
  for (const auto check : checks) {
    if (auto wrong = check(form)) return wrong;
  }
  return std::nullopt;
}

Wrong check_values_of_create(const Form& form) {
  return first_of({[](const Form& f) { return check_amount(f, "amount"); }, check_currency, check_metadata,
                   [](const Form& f) {
                     return check_choice(f, "capture_method", {"automatic", "automatic_async", "manual"});
                   },
                   [](const Form& f) { return check_flag(f, "confirm"); },
                   [](const Form& f) { return check_flag(f, "off_session"); },
                   [](const Form& f) { return check_flag(f, "error_on_requires_action"); }},
                  form);
}

}  // namespace

Wrong check_create(const Form& form) {
  auto wrong = check_names(
      form, {"amount", "automatic_payment_methods", "capture_method", "confirm", "currency", "customer",
             "description", "error_on_requires_action", "expand", "metadata", "off_session", "payment_method",
             "payment_method_types", "receipt_email", "return_url", "setup_future_usage",
             "statement_descriptor", "statement_descriptor_suffix"});
  if (wrong) return wrong;
  for (const auto* name : {"amount", "currency"}) {
    if (form.text(name).empty()) return missing(name);
  }
  if (auto value = check_values_of_create(form)) return value;
  const auto method = form.find("payment_method");
  if (auto unknown = method ? check_method(*method) : std::nullopt) return unknown;
  const bool is_confirmed = form.text("confirm") == "true";
  for (const auto* name : {"error_on_requires_action", "off_session", "return_url"}) {
    if (is_confirmed || !form.find(name)) continue;
    return invalid({}, fmt::format("{} can only be given with confirm=true.", name), name);
  }
  if (!is_confirmed) return std::nullopt;
  if (!method) return missing("payment_method");
  if (may_need_address(form, nullptr)) {
    return invalid({}, "Give a return_url, or allow only ways to pay that do not redirect.", "return_url");
  }
  return std::nullopt;
}

Wrong check_update(const Form& form) {
  if (auto wrong = check_names(form, {"description", "expand", "metadata"})) return wrong;
  return check_metadata(form);
}

Wrong check_confirm(const Form& form, const boost::json::object& intent) {
  auto wrong = check_names(
      form, {"error_on_requires_action", "expand", "off_session", "payment_method", "return_url"});
  if (wrong) return wrong;
  const auto method = form.find("payment_method");
  if (method) return check_method(*method);
  if (text_in(intent, "payment_method").empty()) return missing("payment_method");
  return std::nullopt;
}

Wrong check_capture(const Form& form) {
  if (auto wrong = check_names(form, {"amount_to_capture", "expand", "final_capture", "metadata",
                                      "statement_descriptor", "statement_descriptor_suffix"})) {
    return wrong;
  }
  if (form.text("final_capture") == "false") {
    return invalid({}, "This account does not capture a payment more than once.", "final_capture");
  }
  if (auto wrong = check_amount(form, "amount_to_capture")) return wrong;
  return check_metadata(form);
}

Wrong check_cancel(const Form& form) {
  if (auto wrong = check_names(form, {"cancellation_reason", "expand"})) return wrong;
  return check_choice(form, "cancellation_reason",
                      {"abandoned", "duplicate", "fraudulent", "requested_by_customer"});
}

Wrong check_refund(const Form& form) {
  if (auto wrong =
          check_names(form, {"amount", "charge", "expand", "metadata", "payment_intent", "reason"})) {
    return wrong;
  }
  if (form.text("payment_intent").empty() && form.text("charge").empty()) return missing("payment_intent");
  if (auto wrong = check_amount(form, "amount")) return wrong;
  if (auto wrong = check_choice(form, "reason", {"duplicate", "fraudulent", "requested_by_customer"})) {
    return wrong;
  }
  return check_metadata(form);
}

}  // namespace switchyard::psp_simulator::stripe
