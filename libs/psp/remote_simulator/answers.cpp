#include "psp/remote_simulator/answers.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "http/json.hpp"
#include "psp/charge.hpp"

namespace switchyard::psp::remote_simulator {
namespace {

namespace json = boost::json;
using payment::OutcomeUnknown;

constexpr std::array<long, 9> refused_unread{400, 401, 403, 404, 405, 413, 415, 429, 431};

// A text as it is, anything else as JSON; empty if it is missing or null.
std::string words(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(json::string_view(name.data(), name.size()));
  if (value == nullptr || value->is_null()) return {};
  if (const auto* text = value->if_string()) return {text->data(), text->size()};
  return json::serialize(*value);
}

// So that the text "100" is not the number 100.
std::string number_words(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(json::string_view(name.data(), name.size()));
  return value == nullptr || value->is_null() ? std::string() : json::serialize(*value);
}

payment::Outcome read_result(const json::object& charge) {
  const auto status = words(charge, "status");
  if (status == "approved") return payment::Approved{words(charge, "id")};
  const auto kind = words(charge, "decline_kind");
  auto code = words(charge, "code");
  if (status != "declined" || code.empty() || (kind != "soft" && kind != "hard")) {
    return OutcomeUnknown{"the PSP's charge is neither approved nor declined"};
  }
  const auto decline_kind = kind == "soft" ? payment::DeclineKind::soft : payment::DeclineKind::hard;
  return payment::Declined{std::move(code), decline_kind, words(charge, "id")};
}

ReportedCharge read_charge(const json::object& charge) {
  return {.id = words(charge, "id"),
          .reference = words(charge, "reference"),
          .idempotency_key = words(charge, "idempotency_key"),
          .amount = number_words(charge, "amount"),
          .currency = words(charge, "currency"),
          .capture_method = words(charge, "capture_method"),
          .result = read_result(charge)};
}

// A body that speaks of a charge under whatever status, so that nobody may say that there is none.
bool speaks_of_a_charge(std::string_view body) {
  const auto value = http::parse_json(body);
  if (!value || !value->is_object()) return false;
  const auto& object = value->get_object();
  return !words(object, "id").empty() && (object.contains("amount") || object.contains("reference"));
}

std::string reason_of_status(long status) {
  return fmt::format("the PSP answered {}", status);
}

}  // namespace

payment::Outcome read_authorize_answer(const http::CallResult& answer, const AuthorizeRequest& request) {
  if (!answer) {
    if (!answer.error().perhaps_sent) return payment::NotSent{answer.error().reason};
    return OutcomeUnknown{answer.error().reason};
  }
  const bool refused = std::ranges::find(refused_unread, answer->status) != refused_unread.end();
  if (refused && speaks_of_a_charge(answer->body))
    return OutcomeUnknown{reason_of_status(answer->status) + ", with what looks like a charge"};
  if (refused) return payment::NotSent{reason_of_status(answer->status)};
  if (answer->status != 200 && answer->status != 201) return OutcomeUnknown{reason_of_status(answer->status)};

  const auto value = http::parse_json(answer->body);
  if (!value || !value->is_object()) return OutcomeUnknown{"the PSP's answer cannot be read"};
  return believe(read_charge(value->get_object()), request);
}

LookUpResult read_look_up_answer(const http::CallResult& answer, const AuthorizeRequest& request) {
  if (!answer) {
    if (!answer.error().perhaps_sent) return payment::NotSent{answer.error().reason};
    return OutcomeUnknown{answer.error().reason};
  }
  if (answer->status != 200) return OutcomeUnknown{reason_of_status(answer->status)};

  OutcomeUnknown unreadable{"the PSP's list of charges cannot be read"};
  const auto value = http::parse_json(answer->body);
  if (!value || !value->is_object()) return unreadable;
  const auto* items = value->get_object().if_contains("items");
  const auto* more = value->get_object().if_contains("more");
  if (items == nullptr || !items->is_array() || more == nullptr || !more->is_bool()) return unreadable;
  std::vector<ReportedCharge> charges;
  charges.reserve(items->get_array().size());
  for (const auto& item : items->get_array()) {
    if (!item.is_object()) return unreadable;
    charges.push_back(read_charge(item.get_object()));
  }
  return believe(charges, more->get_bool(), request);
}

}  // namespace switchyard::psp::remote_simulator
