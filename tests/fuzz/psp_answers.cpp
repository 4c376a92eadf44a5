// What a PSP answers: money counts as moved only where the bytes say so of this very operation, and what is
// taken over from them is bounded. Boost.JSON's own parser is the oracle; the machine says what is booked.
#include <algorithm>
#include <string>
#include <variant>

#include <boost/json/parse.hpp>

#include "fuzz/input.hpp"
#include "money/printable.hpp"
#include "psp/simulator/answers.hpp"
#include "psp/simulator/testing.hpp"

namespace switchyard::fuzz {
namespace {

namespace json = boost::json;
using payment::Kind;
using payment::Phase;
using payment::Step;

const std::string reference = "0193-ref";
const std::string key = "0193-key";

bool is(const json::object& object, std::string_view name, const json::value& wanted) {
  const auto* found = object.if_contains(json::string_view(name.data(), name.size()));
  return found != nullptr && *found == wanted;
}

bool is_of_the_key(const json::value& said) {
  return said.is_object() && is(said.get_object(), "idempotency_key", json::string(key));
}

// Whether it says `status` of what was asked for.
bool says(const json::value& said, Kind kind, std::string_view status) {
  if (!is_of_the_key(said)) return false;
  const auto& object = said.get_object();
  const auto name = payment::to_string(kind);
  const bool is_asked = kind == Kind::authorize
                            ? is(object, "capture_method", json::string("automatic"))
                            : is(object, "kind", json::string(name.data(), name.size())) &&
                                  is(object, "charge", json::string("sim_0193-first"));
  return is_asked && is(object, "reference", json::string(reference)) && is(object, "amount", 100) &&
         is(object, "currency", json::string("USD")) &&
         is(object, "status", json::string(status.data(), status.size()));
}

bool says_success(const json::value& said, Kind kind) {
  return says(said, kind, kind == Kind::authorize ? "approved" : "succeeded");
}

json::value parsed(std::string_view body) {
  json::error_code error;
  auto value = json::parse(json::string_view(body.data(), body.size()), error);
  return error ? json::value() : value;
}

// Whether one of the items is such.
template <class Predicate>
bool lists(const json::value& list, Predicate predicate) {
  return list.is_object() && list.get_object().contains("items") &&
         list.get_object().at("items").is_array() &&
         std::ranges::any_of(list.get_object().at("items").get_array(), predicate);
}

bool speaks_of_something(const json::value& body) {
  if (!body.is_object()) return false;
  const auto& object = body.get_object();
  return object.contains("id") && object.at("id").is_string() && !object.at("id").get_string().empty() &&
         (object.contains("amount") || object.contains("reference"));
}

Step asked(Kind kind) {
  const bool is_held = kind == Kind::capture || kind == Kind::void_;
  return psp::simulator::step_of(
      {.kind = kind,
       .reference = reference,
       .key = key,
       .authorization_key = "0193-first",
       .capture_method = is_held ? payment::CaptureMethod::manual : payment::CaptureMethod::automatic});
}

// What a PSP says of itself is stored and shown.
void check_text(const std::string& text) {
  SWITCHYARD_ASSERT(text.size() <= printable_bytes_max && printable(text) == text);
}

const payment::OneAccount only_psp{"psp", [](const auto&, const auto&) { return "request"; }};

void check_stored(const Step& step) {
  const auto& name = step.operation().psp_reference;
  SWITCHYARD_ASSERT(name.empty() || payment::is_psp_name(name));
  check_text(step.operation().reason.code);
  check_text(step.operation().reason.message);
  check_text(step.state.transaction.reason);
  payment::assert_invariants(step.state);
}

template <class What, class Variant>
bool is(const Variant& variant) {
  return std::holds_alternative<What>(variant);
}

void check_answer(Kind kind, const http::CallResult& result) {
  const auto step = asked(kind);
  const auto answer = psp::simulator::read_answer(step, result);
  const auto after = payment::answered(step, answer, only_psp, Timestamp(), {});
  check_stored(after);
  if (!result) {
    SWITCHYARD_ASSERT(is<payment::NotSent>(answer) == !result.error().perhaps_sent);
    return;
  }
  const auto body = parsed(result->body);
  const bool good = result->status == 200 || result->status == 201;
  // What may have been done is never taken for what was not.
  const bool is_refused = is<payment::NotSent>(answer) || is<payment::Rejected>(answer);
  if (good || result->status >= 500 || speaks_of_something(body)) SWITCHYARD_ASSERT(!is_refused);
  if (after.operation().phase == Phase::succeeded) SWITCHYARD_ASSERT(good && says_success(body, kind));
  if (after.operation().phase == Phase::pending) SWITCHYARD_ASSERT(good && says(body, kind, "pending"));
  if (after.operation().phase == Phase::declined) {
    SWITCHYARD_ASSERT(good ? is_of_the_key(body) : result->status == 422 && kind != Kind::authorize);
  }
}

void check_look_up(Kind kind, const http::CallResult& result) {
  auto step = asked(kind);
  step.state.operations[step.index].phase = Phase::unknown;
  const auto answer = psp::simulator::read_look_up_answer(step, result);
  const auto after = payment::found(step, answer, only_psp, Timestamp(), {});
  check_stored(after);
  if (!result) return;
  const auto list = parsed(result->body);
  if (after.operation().phase == Phase::succeeded) {
    SWITCHYARD_ASSERT(result->status == 200 &&
                      lists(list, [kind](const auto& item) { return says_success(item, kind); }));
  }
  // "There is none" is what lets it be sent again.
  if (after.action == payment::Action::send) {
    SWITCHYARD_ASSERT(is<payment::NoSuchOperation>(answer) && result->status == 200 && list.is_object());
    SWITCHYARD_ASSERT(is(list.get_object(), "more", false) && !lists(list, is_of_the_key));
  }
}

}  // namespace

void check(Input input) {
  constexpr long statuses[] = {200, 200, 200, 201, 202, 204, 301, 400,
                               401, 404, 409, 422, 429, 500, 502, 503};
  constexpr Kind kinds[] = {Kind::authorize, Kind::capture, Kind::void_, Kind::refund};
  const auto which = input.number<std::uint8_t>();
  http::CallResult result = http::ClientResponse{.status = statuses[which % std::size(statuses)],
                                                 .body = std::string(input.rest())};
  if (which == 255) result = std::unexpected(http::CallFailure{.perhaps_sent = true, .reason = "reset"});
  if (which == 254) result = std::unexpected(http::CallFailure{.perhaps_sent = false, .reason = "refused"});
  const auto kind = kinds[which / std::size(statuses) % std::size(kinds)];
  check_answer(kind, result);
  check_look_up(kind, result);
}

}  // namespace switchyard::fuzz
