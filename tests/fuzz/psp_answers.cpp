// What a PSP answers: money counts as taken only where the bytes say so of this very charge, and what is
// taken over from them is bounded. Boost.JSON's own parser is the oracle.
#include <algorithm>
#include <string>
#include <variant>

#include <boost/json/parse.hpp>

#include "fuzz/input.hpp"
#include "money/printable.hpp"
#include "psp/remote_simulator/answers.hpp"

namespace switchyard::fuzz {
namespace {

namespace json = boost::json;
using namespace psp::remote_simulator;

const std::string reference = "0193-ref";
const std::string key = "0193-key";

bool is(const json::object& object, std::string_view name, const json::value& wanted) {
  const auto* found = object.if_contains(json::string_view(name.data(), name.size()));
  return found != nullptr && *found == wanted;
}

bool is_asked_charge(const json::object& charge) {
  return is(charge, "reference", json::string(reference)) && is(charge, "idempotency_key", json::string(key));
}

bool says_approved(const json::value& charge) {
  return charge.is_object() && is_asked_charge(charge.get_object()) &&
         is(charge.get_object(), "status", json::string("approved")) &&
         is(charge.get_object(), "amount", 100) && is(charge.get_object(), "currency", json::string("USD"));
}

json::value parsed(std::string_view body) {
  json::error_code error;
  auto value = json::parse(json::string_view(body.data(), body.size()), error);
  return error ? json::value() : value;
}

bool lists_approved(const json::value& list) {
  return list.is_object() && list.get_object().contains("items") &&
         list.get_object().at("items").is_array() &&
         std::ranges::any_of(list.get_object().at("items").get_array(), says_approved);
}

psp::AuthorizeRequest asked() {
  const auto currency = Currency::parse("USD");
  SWITCHYARD_ASSERT(currency.has_value());
  return {reference, key, Money(100, *currency)};
}

// What a PSP says of itself is stored and shown.
void check_text(const std::string& text) {
  SWITCHYARD_ASSERT(text.size() <= printable_bytes_max && printable(text) == text);
}

template <class Outcome>
void check_texts(const Outcome& outcome) {
  if (const auto* approved = std::get_if<payment::Approved>(&outcome)) check_text(approved->psp_reference);
  if (const auto* declined = std::get_if<payment::Declined>(&outcome)) {
    check_text(declined->code);
    check_text(declined->psp_reference);
  }
}

void check_authorize(const http::CallResult& answer) {
  const auto request = asked();
  const auto outcome = read_authorize_answer(answer, request);
  check_texts(outcome);
  if (!answer) {
    SWITCHYARD_ASSERT(std::holds_alternative<payment::NotSent>(outcome) == !answer.error().perhaps_sent);
    return;
  }
  const bool good = answer->status == 200 || answer->status == 201;
  // What may have been charged is never taken for what was not sent.
  if (good || answer->status >= 500) SWITCHYARD_ASSERT(!std::holds_alternative<payment::NotSent>(outcome));
  if (!std::holds_alternative<payment::Approved>(outcome)) return;
  SWITCHYARD_ASSERT(good && says_approved(parsed(answer->body)));
}

void check_look_up(const http::CallResult& answer) {
  const auto outcome = read_look_up_answer(answer, asked());
  check_texts(outcome);
  if (!answer) return;
  const auto list = parsed(answer->body);
  if (std::holds_alternative<payment::Approved>(outcome))
    SWITCHYARD_ASSERT(answer->status == 200 && lists_approved(list));
  // "There is no charge" is what lets it be sent again.
  if (std::holds_alternative<payment::NoSuchCharge>(outcome)) {
    SWITCHYARD_ASSERT(answer->status == 200 && list.is_object() && is(list.get_object(), "more", false));
    const auto& items = list.get_object().at("items").get_array();
    SWITCHYARD_ASSERT(std::ranges::none_of(
        items, [](const auto& item) { return item.is_object() && is_asked_charge(item.get_object()); }));
  }
}

}  // namespace

void check(Input input) {
  constexpr long statuses[] = {200, 200, 200, 201, 202, 204, 301, 400,
                               401, 404, 409, 422, 429, 500, 502, 503};
  const auto which = input.number<std::uint8_t>();
  http::CallResult answer = http::ClientResponse{.status = statuses[which % std::size(statuses)],
                                                 .body = std::string(input.rest())};
  if (which == 255) answer = std::unexpected(http::CallFailure{.perhaps_sent = true, .reason = "reset"});
  if (which == 254) answer = std::unexpected(http::CallFailure{.perhaps_sent = false, .reason = "refused"});
  check_authorize(answer);
  check_look_up(answer);
}

}  // namespace switchyard::fuzz
