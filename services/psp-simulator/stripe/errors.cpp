#include "psp-simulator/stripe/errors.hpp"

#include <utility>

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "psp-simulator/dialect/json.hpp"
#include "psp-simulator/stripe/cards.hpp"

namespace switchyard::psp_simulator::stripe {
namespace {

namespace json = boost::json;

void put(json::object& object, std::string_view name, std::string_view text) {
  if (!text.empty()) object[key_of(name)] = key_of(text);
}

Reply reply_of(unsigned status, json::object error) {
  return {.status = status, .body = json::serialize(json::object{{"error", std::move(error)}})};
}

}  // namespace

Reply error(unsigned status, const ErrorWords& words, json::object more) {
  put(more, "type", words.type);
  put(more, "code", words.code);
  put(more, "message", words.message);
  put(more, "param", words.param);
  return reply_of(status, std::move(more));
}

Reply invalid(std::string_view code, std::string_view message, std::string_view param) {
  auto reply = error(400, {.code = code, .message = message, .param = param});
  reply.is_kept = false;
  return reply;
}

Reply missing(std::string_view param) {
  return invalid("parameter_missing", fmt::format("Missing required param: {}.", param), param);
}

Reply no_such(unsigned status, std::string_view what, std::string_view id, std::string_view param) {
  const auto message = fmt::format("No such {}: '{}'", what, id);
  return error(status, {.code = "resource_missing", .message = message, .param = param});
}

Reply unexpected_state(const json::object& intent, std::string_view what) {
  const auto message =
      fmt::format("This payment cannot be {}, because it is {}.", what, text_in(intent, "status"));
  return error(400, {.code = "payment_intent_unexpected_state", .message = message},
               json::object{{"payment_intent", intent}});
}

json::object card_error(std::string_view code, std::string_view charge_id) {
  json::object error{{"type", "card_error"}};
  const bool is_own = is_code_of_its_own(code);
  put(error, "code", is_own ? code : "card_declined");
  if (!is_own) put(error, "decline_code", code);
  put(error, "advice_code", advice_of(code));
  put(error, "message", words_of_decline(code));
  put(error, "charge", charge_id);
  return error;
}

Reply declined(json::object card_error, const json::object& intent) {
  card_error["payment_intent"] = intent;
  return reply_of(402, std::move(card_error));
}

}  // namespace switchyard::psp_simulator::stripe
