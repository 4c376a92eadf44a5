#include "psp/stripe/answers.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include <boost/json/object.hpp>
#include <fmt/format.h>

#include "base/assert.hpp"
#include "http/json.hpp"
#include "psp/stripe/declines.hpp"
#include "psp/stripe/objects.hpp"
#include "psp/stripe/outcomes.hpp"

namespace switchyard::psp::stripe {
namespace {

namespace json = boost::json;
using payment::Answer;
using payment::Declined;
using payment::Kind;
using payment::NotSent;
using payment::OutcomeUnknown;
using payment::Rejected;

constexpr long bad_request = 400;
constexpr long unauthorized = 401;
constexpr long payment_required = 402;
constexpr long forbidden = 403;
constexpr long not_found = 404;
constexpr long unprocessable = 422;
constexpr long too_many_requests = 429;

std::optional<json::object> read_object(std::string_view body) {
  auto value = http::parse_json(body);
  if (!value || !value->is_object()) return std::nullopt;
  return std::move(value->get_object());
}

std::string words_of(long status, const ErrorWords& words) {
  const auto& code = words.code.empty() ? words.type : words.code;
  return fmt::format("Stripe answered {}: {}{}{}{}{}", status, code, words.param.empty() ? "" : " of ",
                     words.param, words.message.empty() ? "" : ": ", words.message);
}

// That nothing was done is no answer to a request.
Answer answer_of(payment::Found found) {
  return std::visit(
      []<class What>(What& what) -> Answer {
        if constexpr (std::is_same_v<What, payment::NoSuchOperation>) {
          return OutcomeUnknown{"Stripe has not done it"};
        } else {
          return std::move(what);
        }
      },
      found);
}

Declined declined_as(const payment::Reason& reason, const Error& error) {
  return {.reason = reason, .psp_reference = error.intent ? error.intent->id : std::string(), .amount = {}};
}

Declined refused(const Error& error, std::string_view code) {
  return declined_as(
      {.code = std::string(code), .message = error.words.message, .kind = payment::ReasonKind::hard_decline},
      error);
}

// Stripe gives it a code or not, from one version to another.
bool is_above_what_is_left(const ErrorWords& words) {
  return words.code == "amount_too_large" || (words.code.empty() && words.param == "amount");
}

Answer refused_if_first(const payment::Step& step, const Error& error, std::string_view code,
                        std::string reason) {
  if (step.operation().phase != payment::Phase::sent) return OutcomeUnknown{std::move(reason)};
  return refused(error, code);
}

Answer read_known_error(ErrorMeaning meaning, const payment::Step& step, const Error& error,
                        std::string reason) {
  switch (meaning) {
    case ErrorMeaning::follow_payment:
      if (!error.intent || step.operation().kind == Kind::refund) return OutcomeUnknown{std::move(reason)};
      return answer_of(believe(*error.intent, step, Told::when_read));
    case ErrorMeaning::nothing_left:
      return refused_if_first(step, error, error.words.code, std::move(reason));
    case ErrorMeaning::hold_is_over: {
      auto declined = refused(error, error.words.code);
      declined.is_hold_over = !error.intent || error.intent->status == "canceled";
      return declined;
    }
    case ErrorMeaning::refund_refused:
      return refused(error, error.words.code);
  }
  SWITCHYARD_ASSERT(false);
}

// A refusal with the money at Stripe would end as if there were none.
bool may_be_done(const payment::Step& step, const Error& error) {
  const auto kind = step.operation().kind;
  if (!error.intent || kind == Kind::refund) return false;
  if (kind == Kind::authorize) return may_have_money(*error.intent);
  return std::holds_alternative<payment::Succeeded>(believe(*error.intent, step, Told::when_read));
}

// The same of any answer but 200 to an authorization, wherever a payment stands in it: another account would
// be asked for the money.
bool speaks_of_money(const payment::Step& step, const json::object& body) {
  if (step.operation().kind != Kind::authorize) return false;
  const auto may_be_one = [](const json::value& value) {
    const auto* object = value.if_object();
    const auto intent = object == nullptr ? std::nullopt : read_intent(*object);
    return !value.is_null() && (!intent || may_have_money(*intent));
  };
  const auto* error = object_of(body, "error");
  const auto* in_error = error == nullptr ? nullptr : error->if_contains("payment_intent");
  return text_of(body, "object") == "payment_intent" ? may_be_one(body)
                                                     : in_error != nullptr && may_be_one(*in_error);
}

// An error of Stripe's, about our payment if it names one, whose status says that nothing was begun.
Answer read_refusal(const payment::Step& step, long status, const Error& error) {
  const auto kind = step.operation().kind;
  auto reason = words_of(status, error.words);
  if (error.words.type == "idempotency_error") return OutcomeUnknown{std::move(reason)};
  const auto* const row = std::ranges::find(error_table, error.words.code, &ErrorRow::code);
  const bool is_known = row != error_table.end();
  if ((!is_known || row->meaning != ErrorMeaning::follow_payment) && may_be_done(step, error)) {
    return OutcomeUnknown{fmt::format("{}; and its payment is {}", reason, error.intent->status)};
  }
  if (is_known) return read_known_error(row->meaning, step, error, std::move(reason));
  if (error.words.type == "card_error" && (status == payment_required || status == bad_request)) {
    return declined_as(reason_of(error.words), error);
  }
  if (status == payment_required) return OutcomeUnknown{std::move(reason)};
  if (kind == Kind::refund && is_above_what_is_left(error.words)) {
    return refused_if_first(step, error, "amount_too_large", std::move(reason));
  }
  return Rejected{std::move(reason)};
}

Answer read_other_status(const payment::Step& step, long status, std::string_view body) {
  const auto object = read_object(body);
  const auto error = object ? read_error(*object) : std::nullopt;
  const bool is_refusal =
      status == bad_request || status == payment_required || status == not_found || status == unprocessable;
  const bool is_followed = is_refusal && error && error->intent;
  if (object && !is_followed && speaks_of_money(step, *object)) {
    return OutcomeUnknown{fmt::format("{}; and speaks of a payment", reason_of_status(status, body))};
  }
  if (status == unauthorized || status == forbidden) {
    if (!body.empty() && !object) return OutcomeUnknown{reason_of_status(status, body)};
    return Rejected{.reason = fmt::format("Stripe answered {}: it does not take our secret key", status),
                    .is_of_account = true};
  }
  if (status == too_many_requests) return NotSent{reason_of_status(status, body)};
  if (!is_refusal || !error) return OutcomeUnknown{reason_of_status(status, body)};
  if (error->intent && step.operation().kind != Kind::refund) {
    if (auto why = why_not_ours(*error->intent, step)) return answer_of(std::move(*why));
  }
  return read_refusal(step, status, *error);
}

}  // namespace

std::string reason_of_status(long status, std::string_view body) {
  const auto object = status == unauthorized || status == forbidden ? std::nullopt : read_object(body);
  const auto error = object ? read_error(*object) : std::nullopt;
  return error ? words_of(status, error->words) : fmt::format("Stripe answered {}", status);
}

Answer read_answer(const payment::Step& step, const http::CallResult& result) {
  if (!result) {
    if (!result.error().perhaps_sent) return NotSent{result.error().reason};
    return OutcomeUnknown{result.error().reason};
  }
  if (result->status != 200) return read_other_status(step, result->status, result->body);
  const auto object = read_object(result->body);
  if (object && step.operation().kind == Kind::refund) {
    if (const auto refund = read_refund(*object)) return answer_of(believe(*refund, step));
  } else if (object) {
    if (const auto intent = read_intent(*object)) {
      return answer_of(believe(*intent, step, Told::in_answer));
    }
  }
  return OutcomeUnknown{"Stripe's answer cannot be read"};
}

}  // namespace switchyard::psp::stripe
