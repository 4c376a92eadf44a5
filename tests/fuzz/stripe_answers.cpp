// What Stripe answers to a request and to a question about one: money counts as moved only where the bytes
// say so of this very operation, and nothing ends without money, or is sent again, where they say that it
// moved. Boost.JSON's own parser is the oracle; the machine says what is booked.
#include <string>
#include <variant>

#include "fuzz/input.hpp"
#include "fuzz/said.hpp"
#include "money/printable.hpp"
#include "psp/stripe/answers.hpp"
#include "psp/stripe/look_ups.hpp"
#include "psp/stripe/objects.hpp"
#include "psp/stripe/testing.hpp"

namespace switchyard::fuzz {
namespace {

using payment::Kind;
using payment::Phase;
using payment::Step;
using psp::stripe::is;
using psp::stripe::Question;

constexpr std::int64_t whole = 2000;
constexpr std::int64_t part = 500;

// What an input asks for.
struct Asked {
  Kind kind = Kind::authorize;
  Phase phase = Phase::sent;
  bool is_held = false;
  bool has_return_url = false;
  std::int64_t amount = whole;
  Question question = Question::again;

  // To the request itself, also when it is sent again.
  bool is_request() const { return phase == Phase::sent || question == Question::again; }
};

Step step_of(const Asked& asked) {
  auto step = psp::stripe::step_of(
      {.kind = asked.kind,
       .amount_minor = asked.amount,
       .capture_method = asked.is_held ? payment::CaptureMethod::manual : payment::CaptureMethod::automatic,
       .authorized_minor = whole,
       .return_url = asked.has_return_url ? "https://shop.example/" : ""});
  const bool is_named = asked.phase == Phase::pending || asked.phase == Phase::action_required;
  return psp::stripe::in_phase(std::move(step), asked.phase,
                               !is_named                    ? ""
                               : asked.kind == Kind::refund ? "re_1"
                                                            : "pi_1");
}

Asked asked_in(Input& input) {
  constexpr Phase phases[] = {Phase::sent, Phase::unknown, Phase::pending, Phase::action_required};
  const auto which = input.number<std::uint8_t>();
  const auto more = input.number<std::uint8_t>();
  Asked asked{.kind = psp::stripe::kinds[which % 4], .phase = phases[which / 4 % 4]};
  asked.is_held = asked.kind == Kind::capture || asked.kind == Kind::void_ ||
                  (asked.kind == Kind::authorize && (more & 1) != 0);
  asked.has_return_url = (more & 2) != 0;
  if (asked.kind != Kind::authorize && asked.phase == Phase::action_required) asked.phase = Phase::pending;
  const bool is_part = asked.kind == Kind::capture || asked.kind == Kind::refund;
  if (is_part && (more & 4) != 0) asked.amount = part;
  if (asked.phase == Phase::unknown && (more & 8) != 0) return asked;
  const bool is_searched = asked.phase == Phase::unknown;
  asked.question = asked.kind == Kind::refund      ? (is_searched ? Question::refunds : Question::refund)
                   : asked.kind == Kind::authorize ? (is_searched ? Question::list : Question::payment)
                                                   : Question::payment;
  return asked;
}

// --- What is said ------------------------------------------------------------------------------

bool says_reference_and_key(const json::value& object) {
  return says(object, "metadata.switchyard_reference", "reference-1") &&
         says(object, "metadata.switchyard_key", "key-2");
}

bool is_of_capture_method(const json::value& intent, bool is_held) {
  if (is_held) return says(intent, "capture_method", "manual");
  return says(intent, "capture_method", "automatic") || says(intent, "capture_method", "automatic_async");
}

bool is_ours(const json::value& object, const Asked& asked) {
  if (asked.kind == Kind::refund) {
    const bool is_of_payment =
        says(object, "payment_intent", "pi_1") || says(object, "payment_intent.id", "pi_1");
    return says(object, "object", "refund") && says_reference_and_key(object) && is_of_payment;
  }
  const bool is_whole = says(object, "object", "payment_intent") && says(object, "amount", whole) &&
                        says(object, "currency", "eur");
  if (!is_whole) return false;
  if (asked.kind == Kind::authorize) {
    return says_reference_and_key(object) && is_of_capture_method(object, asked.is_held);
  }
  return says(object, "id", "pi_1");
}

bool says_success(const json::value& object, const Asked& asked) {
  if (!is_ours(object, asked)) return false;
  switch (asked.kind) {
    case Kind::authorize:
      return asked.is_held
                 ? says(object, "status", "requires_capture") && says(object, "amount_capturable", whole)
                 : says(object, "status", "succeeded") && says(object, "amount_received", whole);
    case Kind::capture: {
      const auto key = text_at(object, "metadata.switchyard_capture_key");
      return says(object, "status", "succeeded") && says(object, "amount_received", asked.amount) &&
             (key == "key-2" || (key.empty() && asked.is_request()));
    }
    case Kind::void_:
      return says(object, "status", "canceled");
    case Kind::refund:
      return says(object, "status", "succeeded") && says(object, "amount", asked.amount) &&
             says(object, "currency", "eur");
  }
  return false;
}

bool says_it_waits(const json::value& object, const Asked& asked) {
  if (!is_ours(object, asked)) return false;
  if (asked.kind != Kind::refund) return says(object, "status", "processing");
  return says(object, "status", "pending") || says(object, "status", "requires_action");
}

// Of the object that an answer is about, wherever it may stand in it.
template <class Predicate>
bool is_said(const Asked& asked, const http::ClientResponse& response, Predicate predicate) {
  const auto body = parsed(response.body);
  if (response.status != 200) return asked.is_request() && predicate(at(body, "error.payment_intent"));
  const bool is_list =
      !asked.is_request() && (asked.question == Question::list || asked.question == Question::refunds);
  return is_list ? any_of(at(body, "data"), predicate) : predicate(body);
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
  check_text(step.state.transaction.reason);
  payment::assert_invariants(step.state);
}

void check_booked(const Asked& asked, const Step& after, const http::ClientResponse& response) {
  const auto phase = after.operation().phase;
  const bool is_success =
      is_said(asked, response, [&](const auto& object) { return says_success(object, asked); });
  if (phase == Phase::succeeded) {
    SWITCHYARD_ASSERT(is_said(asked, response, [&](const auto& object) {
      return says_success(object, asked) && says(object, "id", after.operation().psp_reference);
    }));
  }
  const bool has_ended = phase == Phase::declined || phase == Phase::rejected || phase == Phase::failed;
  if (has_ended) SWITCHYARD_ASSERT(!is_success);
  if (phase == Phase::pending && asked.phase != Phase::pending) {
    SWITCHYARD_ASSERT(
        is_said(asked, response, [&](const auto& object) { return says_it_waits(object, asked); }));
  }
  if (phase == Phase::action_required && asked.phase != Phase::action_required) {
    SWITCHYARD_ASSERT(is_said(asked, response, [&](const auto& object) {
      return is_ours(object, asked) && says(object, "status", "requires_action");
    }));
    SWITCHYARD_ASSERT(asked.has_return_url || after.operation().action_url.empty());
  }
  // Stripe does not say that there is no refund or payment: only that a hold is as it was.
  if (after.action == payment::Action::send) {
    const auto body = parsed(response.body);
    SWITCHYARD_ASSERT(asked.kind == Kind::capture || asked.kind == Kind::void_);
    SWITCHYARD_ASSERT(response.status == 200 && !asked.is_request() && is_ours(body, asked) &&
                      says(body, "status", "requires_capture"));
  }
}

template <class Outcome>
void check_failures(const Outcome& outcome, const http::CallResult& result) {
  if (!result) {
    SWITCHYARD_ASSERT(is<payment::NotSent>(outcome) == !result.error().perhaps_sent);
    return;
  }
  if (is<payment::NotSent>(outcome)) SWITCHYARD_ASSERT(result->status == 429);
  if (const auto* succeeded = std::get_if<payment::Succeeded>(&outcome)) {
    SWITCHYARD_ASSERT(psp::stripe::is_id(succeeded->psp_reference));
  }
}

void check_answer(const Asked& asked, const http::CallResult& result) {
  const auto step = step_of(asked);
  const auto answer = psp::stripe::read_answer(step, result);
  check_failures(answer, result);
  if (is<payment::Rejected>(answer))
    SWITCHYARD_ASSERT(result && result->status >= 400 && result->status <= 422);
  const auto after = payment::answered(step, answer, psp::stripe::only_stripe, psp::stripe::sent_at, {});
  check_stored(after);
  if (result) check_booked(asked, after, *result);
}

void check_look_up(const Asked& asked, const http::CallResult& result) {
  const auto step = step_of(asked);
  const auto found = psp::stripe::read_look_up_answer(step, asked.question, result);
  check_failures(found, result);
  const auto after = payment::found(step, found, psp::stripe::only_stripe, psp::stripe::sent_at, {});
  check_stored(after);
  if (result) check_booked(asked, after, *result);
}

}  // namespace

void check(Input input) {
  constexpr long statuses[] = {200, 200, 200, 200, 400, 400, 402, 402,
                               404, 422, 401, 403, 409, 429, 500, 201};
  const auto status = input.number<std::uint8_t>();
  const auto asked = asked_in(input);
  http::CallResult result = http::ClientResponse{.status = statuses[status % std::size(statuses)],
                                                 .body = std::string(input.rest())};
  if (status == 255) result = psp::stripe::no_answer(true);
  if (status == 254) result = psp::stripe::no_answer(false);
  if (asked.phase == Phase::sent) return check_answer(asked, result);
  check_look_up(asked, result);
}

}  // namespace switchyard::fuzz
