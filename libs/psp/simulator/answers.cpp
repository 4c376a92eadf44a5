#include "psp/simulator/answers.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "http/json.hpp"
#include "psp/simulator/outcomes.hpp"
#include "psp/simulator/report.hpp"

namespace switchyard::psp::simulator {
namespace {

namespace json = boost::json;
using payment::NotSent;
using payment::OutcomeUnknown;

constexpr std::array<long, 8> refused_for_good{400, 401, 403, 404, 405, 413, 415, 431};
constexpr long too_many_requests = 429;
constexpr long unprocessable = 422;

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

Report read_report(const json::object& object) {
  return {.id = words(object, "id"),
          .reference = words(object, "reference"),
          .idempotency_key = words(object, "idempotency_key"),
          .amount = number_words(object, "amount"),
          .currency = words(object, "currency"),
          .capture_method = words(object, "capture_method"),
          .kind = words(object, "kind"),
          .charge = words(object, "charge"),
          .status = words(object, "status"),
          .code = words(object, "code"),
          .decline_kind = words(object, "decline_kind")};
}

// The body, if it is an object: or one without members.
json::object read_object(std::string_view body) {
  auto value = http::parse_json(body);
  return value && value->is_object() ? std::move(value->get_object()) : json::object();
}

// Under whatever status, so that nobody may say that there is none.
bool speaks_of_a_charge(const json::object& body) {
  return !words(body, "id").empty() && (body.contains("amount") || body.contains("reference"));
}

std::string reason_of_status(long status, const json::object& body) {
  const auto detail = words(body, "detail");
  return fmt::format("the PSP answered {}{}{}", status, detail.empty() ? "" : ": ", detail);
}

payment::Answer read_refusal(const payment::Step& step, long status, const json::object& body) {
  auto reason = reason_of_status(status, body);
  if (speaks_of_a_charge(body)) return OutcomeUnknown{std::move(reason) + ", with what looks like a charge"};
  if (status == too_many_requests) return NotSent{std::move(reason)};
  if (std::ranges::find(refused_for_good, status) != refused_for_good.end()) {
    return payment::Rejected{std::move(reason)};
  }
  const auto code = words(body, "code");
  if (status != unprocessable || step.operation().kind == payment::Kind::authorize || !is_refusal(code)) {
    return OutcomeUnknown{std::move(reason)};
  }
  return payment::Declined{.reason = {.code = code,
                                      .message = std::string(words_of(code)),
                                      .kind = payment::ReasonKind::hard_decline},
                           .psp_reference = {},
                           .amount = {}};
}

// Nothing if it is not a whole list.
std::optional<std::vector<Report>> read_items(const json::object& list) {
  const auto* items = list.if_contains("items");
  if (items == nullptr || !items->is_array()) return std::nullopt;
  std::vector<Report> reports;
  reports.reserve(items->get_array().size());
  for (const auto& item : items->get_array()) {
    if (!item.is_object()) return std::nullopt;
    reports.push_back(read_report(item.get_object()));
  }
  return reports;
}

}  // namespace

payment::Answer read_answer(const payment::Step& step, const http::CallResult& result) {
  if (!result) {
    if (!result.error().perhaps_sent) return NotSent{result.error().reason};
    return OutcomeUnknown{result.error().reason};
  }
  const auto value = http::parse_json(result->body);
  const bool is_object = value && value->is_object();
  if (result->status != 200 && result->status != 201) {
    return read_refusal(step, result->status, is_object ? value->get_object() : json::object());
  }
  if (!is_object) return OutcomeUnknown{"the PSP's answer cannot be read"};
  return widened<payment::Answer>(believe(read_report(value->get_object()), step));
}

payment::Found read_look_up_answer(const payment::Step& step, const http::CallResult& result) {
  if (!result) {
    if (!result.error().perhaps_sent) return NotSent{result.error().reason};
    return OutcomeUnknown{result.error().reason};
  }
  const auto list = read_object(result->body);
  if (result->status != 200) return OutcomeUnknown{reason_of_status(result->status, list)};
  const auto reports = read_items(list);
  const auto* more = list.if_contains("more");
  if (!reports || more == nullptr || !more->is_bool()) return OutcomeUnknown{"the PSP's list cannot be read"};
  return believe(*reports, more->get_bool(), step);
}

}  // namespace switchyard::psp::simulator
