// What Adyen answers to a request, to the same one sent again, to what the customer brought back and to a
// cancel by reference: money counts as moved only where the bytes say so of this very payment, under our key,
// and as final. Boost.JSON's own parser is the oracle; the machine says what is booked.
#include <array>
#include <string>
#include <variant>

#include "fuzz/input.hpp"
#include "fuzz/said.hpp"
#include "money/printable.hpp"
#include "psp/adyen/answers.hpp"
#include "psp/adyen/cancel_by_reference.hpp"
#include "psp/adyen/details.hpp"
#include "psp/adyen/names.hpp"
#include "psp/adyen/outcomes.hpp"
#include "psp/adyen/testing.hpp"

namespace switchyard::fuzz {
namespace {

using payment::Kind;
using payment::Phase;
using payment::Step;
using psp::adyen::AnswerHeaders;

enum class To { request, resend, details, cancel };

struct Asked {
  To to = To::request;
  Kind kind = Kind::authorize;
  bool has_return_url = false;
};

struct Answered {
  http::CallResult result;
  AnswerHeaders headers{};
  // Not said to be of another request, or of none that is final.
  bool is_final_and_ours = false;
};

const payment::OneAccount only_adyen{"adyen-eu", [](const auto&, const auto&) { return "request"; }};
const Timestamp now(std::chrono::hours(1) + std::chrono::seconds(1));

template <class What, class Variant>
bool is(const Variant& variant) {
  return std::holds_alternative<What>(variant);
}

Step step_of(const Asked& asked) {
  auto step = psp::adyen::step_of(
      {.kind = asked.kind, .return_url = asked.has_return_url ? "https://shop.example/" : ""});
  auto& [transaction, operations] = step.state;
  if (asked.kind != Kind::authorize) transaction.authorized_minor = transaction.amount.minor();
  auto& totals = asked.kind == Kind::refund ? transaction.captured_minor : transaction.held_minor;
  if (asked.kind != Kind::authorize) totals = transaction.amount.minor();
  auto& operation = operations.back();
  if (asked.to == To::resend) operation.phase = Phase::unknown;
  if (asked.to == To::details || asked.to == To::cancel) operation.phase = Phase::action_required;
  if (asked.to == To::details) operation.brought_back = R"({"redirectResult":"X6"})";
  return step;
}

// The Idempotency-Key that goes with it.
std::string key_of(const Asked& asked, const Step& step) {
  const auto settings = psp::adyen::test_settings();
  const auto request = asked.to == To::details  ? psp::adyen::details_of(settings, step)
                       : asked.to == To::cancel ? psp::adyen::cancel_by_reference(settings, step)
                                                : psp::adyen::request_of(settings, step);
  constexpr std::string_view name = "Idempotency-Key: ";
  for (const auto& line : request.headers) {
    if (line.starts_with(name)) return line.substr(name.size());
  }
  SWITCHYARD_ASSERT(false);
}

// --- What is said ------------------------------------------------------------------------------

bool is_good(long status) {
  return status == 200 || status == 201;
}

// `wanted`, or nothing.
bool may_say(const json::value& body, std::string_view path, std::string_view wanted) {
  return says_nothing(body, path) || says(body, path, wanted);
}

bool is_payment_of_ours(const json::value& body, const Step& step) {
  return says(body, "merchantReference", psp::adyen::reference_of(step.operation().idempotency_key));
}

bool says_authorised(const json::value& body, const Step& step) {
  return says(body, "resultCode", "Authorised") && is_payment_of_ours(body, step) &&
         !text_at(body, "pspReference").empty() && says(body, "amount.value", 2000) &&
         says(body, "amount.currency", "EUR");
}

bool says_refused(const json::value& body, const Step& step) {
  return is_payment_of_ours(body, step) &&
         (says(body, "resultCode", "Refused") || says(body, "resultCode", "Cancelled") ||
          says(body, "resultCode", "Error"));
}

bool says_received(const json::value& body, std::string_view payment, std::string_view reference,
                   std::string_view payment_name) {
  return says(body, "status", "received") && !text_at(body, "pspReference").empty() &&
         may_say(body, "reference", reference) && may_say(body, payment_name, payment) &&
         may_say(body, "merchantAccount", "SwitchyardECOM");
}

bool says_it_waits(const json::value& body, const Asked& asked, const Step& step) {
  const auto& key = step.operation().idempotency_key;
  if (asked.kind != Kind::authorize) {
    return says_received(body, psp::adyen::test_psp_reference, psp::adyen::reference_of(key),
                         "paymentPspReference");
  }
  return (says(body, "resultCode", "Pending") || says(body, "resultCode", "Received")) &&
         may_say(body, "merchantReference", psp::adyen::reference_of(key));
}

// --- What is made of it ------------------------------------------------------------------------

void check_text(const std::string& text) {
  SWITCHYARD_ASSERT(text.size() <= printable_bytes_max && printable(text) == text);
}

void check_stored(const Step& step) {
  const auto& operation = step.operation();
  SWITCHYARD_ASSERT(operation.psp_reference.empty() || payment::is_psp_name(operation.psp_reference));
  SWITCHYARD_ASSERT(operation.action_url.empty() || payment::is_web_address(operation.action_url));
  check_text(operation.reason.code);
  check_text(operation.reason.message);
  payment::assert_invariants(step.state);
}

void check_declined(const Asked& asked, const Step& step, const Answered& answered, const json::value& body) {
  const auto status = answered.result->status;
  SWITCHYARD_ASSERT(answered.is_final_and_ours && asked.to != To::cancel);
  if (is_good(status)) {
    SWITCHYARD_ASSERT(asked.kind == Kind::authorize && says_refused(body, step));
  } else {
    // Sent again, an error is of the first time only where Adyen says that it knew the key.
    SWITCHYARD_ASSERT(status == 422 && asked.to != To::details);
    if (asked.to == To::resend) SWITCHYARD_ASSERT(!answered.headers.idempotency_key.empty());
  }
}

void check_booked(const Asked& asked, const Step& step, const Step& after, const Answered& answered) {
  const auto& response = *answered.result;
  const auto body = parsed(response.body);
  const auto& operation = after.operation();
  const bool is_believed = answered.is_final_and_ours && is_good(response.status);
  if (operation.phase == Phase::succeeded) {
    SWITCHYARD_ASSERT(asked.kind == Kind::authorize && is_believed && says_authorised(body, step));
    SWITCHYARD_ASSERT(says(body, "pspReference", operation.psp_reference));
  }
  if (operation.phase == Phase::declined) check_declined(asked, step, answered, body);
  if (operation.phase == Phase::pending) {
    SWITCHYARD_ASSERT(is_believed && says_it_waits(body, asked, step));
  }
  const bool has_action =
      operation.phase == Phase::action_required && step.operation().phase != operation.phase;
  if (has_action) SWITCHYARD_ASSERT(is_believed && asked.kind == Kind::authorize);
  if (!operation.action_url.empty()) {
    SWITCHYARD_ASSERT(asked.has_return_url && says(body, "action.url", operation.action_url));
  }
  // Adyen never says that there is none.
  SWITCHYARD_ASSERT(after.action == payment::Action::none);
}

template <class Outcome>
void check_failures(const Outcome& outcome, const Answered& answered) {
  if (!answered.result) {
    SWITCHYARD_ASSERT(is<payment::NotSent>(outcome) == !answered.result.error().perhaps_sent);
    return;
  }
  const auto status = answered.result->status;
  if (is<payment::NotSent>(outcome)) SWITCHYARD_ASSERT(status == 429);
  const bool may_have_been_done = answered.headers.is_transient || is_good(status) || status >= 500;
  if (may_have_been_done) SWITCHYARD_ASSERT(!is<payment::NotSent>(outcome));
  if (answered.headers.is_transient) SWITCHYARD_ASSERT(is<payment::OutcomeUnknown>(outcome));
}

void check_rejected(const payment::Answer& answer, const Answered& answered) {
  if (!is<payment::Rejected>(answer)) return;
  SWITCHYARD_ASSERT(answered.is_final_and_ours && answered.result->status >= 400 &&
                    answered.result->status <= 422);
}

void check_cancel(const Step& step, const Answered& answered) {
  const auto answer = psp::adyen::read_cancel_by_reference(psp::adyen::test_settings(), step, answered.result,
                                                           answered.headers);
  check_failures(answer, answered);
  check_rejected(answer, answered);
  // Its result comes as an event, and says nothing of the payment by itself.
  SWITCHYARD_ASSERT(!is<payment::Succeeded>(answer) && !is<payment::Declined>(answer) &&
                    !is<payment::ActionRequired>(answer));
  if (!is<payment::Pending>(answer)) return;
  const auto& key = step.operation().idempotency_key;
  SWITCHYARD_ASSERT(answered.is_final_and_ours && is_good(answered.result->status));
  SWITCHYARD_ASSERT(says_received(parsed(answered.result->body), psp::adyen::reference_of(key),
                                  psp::adyen::cancel_reference_of(key), "paymentReference"));
}

Step after_answer(const Step& step, const Answered& answered) {
  const auto answer =
      psp::adyen::read_answer(psp::adyen::test_settings(), step, answered.result, answered.headers);
  check_failures(answer, answered);
  check_rejected(answer, answered);
  return payment::answered(step, answer, only_adyen, now, {});
}

Step after_question(const Asked& asked, const Step& step, const Answered& answered) {
  const auto& [result, headers, is_final] = answered;
  const auto found = asked.to == To::resend ? psp::adyen::read_answer_to_resend(psp::adyen::test_settings(),
                                                                                step, result, headers)
                                            : psp::adyen::read_details(step, result, headers);
  check_failures(found, answered);
  // Adyen may have done it twice.
  const bool is_perhaps_another = headers.are_known && headers.idempotency_key.empty();
  if (asked.to == To::resend && is_perhaps_another) SWITCHYARD_ASSERT(!is<payment::Succeeded>(found));
  return payment::found(step, found, only_adyen, now, {});
}

void check_answer(const Asked& asked, const Answered& answered) {
  const auto step = step_of(asked);
  if (asked.to == To::cancel) return check_cancel(step, answered);
  const auto after =
      asked.to == To::request ? after_answer(step, answered) : after_question(asked, step, answered);
  check_stored(after);
  if (answered.result) check_booked(asked, step, after, answered);
}

AnswerHeaders headers_in(Input& input, std::uint8_t which, const std::string& key) {
  switch (which % 8) {
    case 0:
      return {};
    case 1:
      return {.are_known = true};
    case 2: {
      const std::array lines{std::string(input.line())};
      return psp::adyen::read_headers(lines);
    }
    case 3: {
      const std::array lines{std::string("idempotency-key: other")};
      return psp::adyen::read_headers(lines);
    }
    case 4: {
      const std::array lines{"Idempotency-Key: " + key, std::string("Transient-Error: true")};
      return psp::adyen::read_headers(lines);
    }
    default: {
      const std::array lines{std::string("Content-Type: application/json"), "Idempotency-Key: " + key};
      return psp::adyen::read_headers(lines);
    }
  }
}

}  // namespace

void check(Input input) {
  constexpr long statuses[] = {200, 200, 200, 200, 201, 202, 204, 400,
                               401, 403, 404, 409, 422, 422, 429, 500};
  const auto status = input.number<std::uint8_t>();
  const auto which = input.number<std::uint8_t>();
  const auto more = input.number<std::uint8_t>();
  Asked asked{.to = static_cast<To>(which % 4),
              .kind = psp::adyen::kinds[which / 4 % 4],
              .has_return_url = which >= 128};
  if (asked.to == To::details || asked.to == To::cancel) asked.kind = Kind::authorize;
  const auto key = key_of(asked, step_of(asked));
  Answered answered{.result =
                        std::unexpected(http::CallFailure{.perhaps_sent = status == 255, .reason = "why"})};
  answered.headers = headers_in(input, more, key);
  const auto& said_key = answered.headers.idempotency_key;
  answered.is_final_and_ours = !answered.headers.is_transient && (said_key.empty() || said_key == key);
  if (status < 254) {
    answered.result = http::ClientResponse{.status = statuses[status % std::size(statuses)],
                                           .body = std::string(input.rest())};
  }
  check_answer(asked, answered);
}

}  // namespace switchyard::fuzz
