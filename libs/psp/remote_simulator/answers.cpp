#include "psp/remote_simulator/answers.hpp"

#include <algorithm>
#include <array>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include "http/json.hpp"

namespace switchyard::psp::remote_simulator {
namespace {

namespace json = boost::json;
using payment::OutcomeUnknown;

constexpr std::array<long, 9> refused_unread{400, 401, 403, 404, 405, 413, 415, 429, 431};

std::string_view text(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(json::string_view(name.data(), name.size()));
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

bool is_of(const json::object& charge, std::string_view reference, std::string_view idempotency_key) {
  return text(charge, "reference") == reference && text(charge, "idempotency_key") == idempotency_key;
}

// What the charge says of its outcome; unknown if it says nothing that is understood.
template <class Outcome>
Outcome outcome_of_charge(const json::object& charge) {
  const auto id = text(charge, "id");
  if (id.empty()) return OutcomeUnknown{"the PSP's charge has no id"};
  const auto status = text(charge, "status");
  if (status == "approved") return payment::Approved{std::string(id)};
  const auto code = text(charge, "code");
  const auto kind = text(charge, "decline_kind");
  if (status != "declined" || code.empty() || (kind != "soft" && kind != "hard")) {
    return OutcomeUnknown{"the PSP's charge is neither approved nor declined"};
  }
  return payment::Declined{std::string(code),
                           kind == "soft" ? payment::DeclineKind::soft : payment::DeclineKind::hard,
                           std::string(id)};
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
  if (std::ranges::find(refused_unread, answer->status) != refused_unread.end()) {
    return payment::NotSent{reason_of_status(answer->status)};
  }
  if (answer->status != 200 && answer->status != 201) return OutcomeUnknown{reason_of_status(answer->status)};

  const auto value = http::parse_json(answer->body);
  if (!value || !value->is_object()) return OutcomeUnknown{"the PSP's answer cannot be read"};
  const auto& charge = value->get_object();
  const auto* amount = charge.if_contains("amount");
  const bool same_amount = amount != nullptr && amount->is_int64() &&
                           amount->get_int64() == request.amount.minor() &&
                           text(charge, "currency") == request.amount.currency().code();
  if (!same_amount || !is_of(charge, request.reference, request.idempotency_key)) {
    return OutcomeUnknown{"the PSP's answer is about another charge"};
  }
  return outcome_of_charge<payment::Outcome>(charge);
}

LookUpResult read_look_up_answer(const http::CallResult& answer, std::string_view reference,
                                 std::string_view idempotency_key) {
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
  for (const auto& item : items->get_array()) {
    if (!item.is_object() || text(item.get_object(), "reference") != reference ||
        text(item.get_object(), "idempotency_key").empty()) {
      return unreadable;
    }
    if (is_of(item.get_object(), reference, idempotency_key)) {
      return outcome_of_charge<LookUpResult>(item.get_object());
    }
  }
  if (more->get_bool()) return OutcomeUnknown{"the PSP lists only a part of its charges"};
  return payment::NoSuchCharge{};
}

}  // namespace switchyard::psp::remote_simulator
