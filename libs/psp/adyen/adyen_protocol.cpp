#include "psp/adyen/adyen_protocol.hpp"

#include <utility>

#include "base/assert.hpp"
#include "psp/adyen/answer_headers.hpp"
#include "psp/adyen/answers.hpp"
#include "psp/adyen/cancel_by_reference.hpp"
#include "psp/adyen/details.hpp"
#include "psp/adyen/requests.hpp"

namespace switchyard::psp::adyen {
namespace {

AnswerHeaders headers_of(const http::CallResult& result) {
  return result ? read_headers(result->headers) : AnswerHeaders();
}

}  // namespace

AdyenProtocol::AdyenProtocol(Settings settings) : settings_(std::move(settings)) {
  SWITCHYARD_ASSERT(problem_of(settings_).empty());
}

Capabilities AdyenProtocol::capabilities() const {
  return {.look_up = LookUp::by_key,
          .key_held_for = key_held_for,
          .partial_capture = true,
          .several_captures = settings_.several_captures,
          // Adyen, "Capture a payment", Multiple partial captures.
          .releases_rest = !settings_.several_captures,
          .late_results = true,
          .can_end = true,
          .can_end_unknown = true};
}

std::expected<std::string, payment::Rejected> AdyenProtocol::encode(
    const payment::State& state, const payment::Operation& operation) const {
  return adyen::encode(settings_, state, operation);
}

http::ClientRequest AdyenProtocol::send(const payment::Step& step) const {
  return request_of(settings_, step);
}

payment::Answer AdyenProtocol::read(const payment::Step& step, const http::CallResult& result) const {
  return read_answer(settings_, step, result, headers_of(result));
}

std::optional<http::ClientRequest> AdyenProtocol::look_up(const payment::Step& step, Timestamp now) const {
  const auto& operation = step.operation();
  if (brings_details(operation)) return details_of(settings_, step);
  // Not identical, or perhaps beyond what Adyen remembers: it would be another payment.
  if (waits_for_psp(operation.phase) || !may_be_resent(operation, key_held_for, now)) return std::nullopt;
  return request_of(settings_, step);
}

payment::Found AdyenProtocol::read_look_up(const payment::Step& step, const http::ClientRequest&,
                                           const http::CallResult& result) const {
  if (brings_details(step.operation())) return read_details(step, result, headers_of(result));
  return read_answer_to_resend(settings_, step, result, headers_of(result));
}

http::ClientRequest AdyenProtocol::end(const payment::Step& step) const {
  return cancel_by_reference(settings_, step);
}

payment::Found AdyenProtocol::read_end(const payment::Step& step, const http::CallResult& result) const {
  const auto answer = read_cancel_by_reference(settings_, step, result, headers_of(result));
  if (const auto* contradicted = std::get_if<payment::Contradicted>(&answer)) return *contradicted;
  // Whatever it is, it is the cancel's: the payment waits, and its own end is in an event.
  if (!std::holds_alternative<payment::Pending>(answer)) {
    return payment::OutcomeUnknown{"Adyen cannot be asked to cancel it now"};
  }
  const auto& operation = step.operation();
  if (operation.phase == payment::Phase::unknown) return payment::Pending{operation.psp_reference, {}};
  return payment::ActionRequired{operation.psp_reference, {}, operation.action_url};
}

}  // namespace switchyard::psp::adyen
