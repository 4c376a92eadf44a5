#include "psp/adyen/answers.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "base/assert.hpp"
#include "psp/adyen/amounts.hpp"
#include "psp/adyen/errors.hpp"
#include "psp/adyen/names.hpp"
#include "psp/adyen/outcomes.hpp"
#include "psp/adyen/refusals.hpp"
#include "psp/adyen/requests.hpp"

namespace switchyard::psp::adyen {
namespace {

using payment::ActionRequired;
using payment::Answer;
using payment::Contradicted;
using payment::Declined;
using payment::Kind;
using payment::NotSent;
using payment::OutcomeUnknown;
using payment::Pending;
using payment::Rejected;
using payment::Succeeded;

bool is_success(long status) {
  return status == 200 || status == 201;
}

// --- What contradicts --------------------------------------------------------------------------

std::optional<Answer> find_contradiction(const Report& report, std::span<const Fact> facts) {
  for (const auto& [name, said, asked] : facts) {
    if (said.empty() || said == asked) continue;
    return Contradicted{fmt::format("Adyen says {} {}, where {} was asked for", name, said, asked),
                        report.psp_reference};
  }
  if (!report.amount || from_adyen(report.amount->value, report.amount->currency)) return std::nullopt;
  return Contradicted{fmt::format("Adyen speaks of {} in its own minor units, which is no amount of ours",
                                  to_string(*report.amount)),
                      report.psp_reference};
}

// Where there is one, find_contradiction() has found it to be one of ours.
std::optional<Money> amount_of(const Report& report) {
  return report.amount ? from_adyen(report.amount->value, report.amount->currency) : std::nullopt;
}

// --- Payments ----------------------------------------------------------------------------------

payment::Reason reason_of_refusal(const Report& report) {
  if (const auto* known = find_refusal(report.refusal_reason_code)) {
    return {std::string(known->code), std::string(known->message), known->kind};
  }
  const auto& code = report.refusal_reason_code.empty() ? report.result_code : report.refusal_reason_code;
  return {code, report.refusal_reason, payment::ReasonKind::unknown};
}

// A payment that was not refused by the issuer: what its code says of the card says nothing here.
payment::Reason reason_of(Result result, const Report& report) {
  auto reason = reason_of_refusal(report);
  if (result == Result::error) reason.kind = payment::ReasonKind::soft_decline;
  if (result == Result::cancelled) reason.kind = payment::ReasonKind::customer_action;
  return reason;
}

// What ends an operation is said of ours by name; a wait ends nothing.
std::optional<Answer> find_gap(Result result, const Report& report) {
  const bool must_be_named = result == Result::authorised || result == Result::refused ||
                             result == Result::cancelled || result == Result::error;
  if (!must_be_named) return std::nullopt;
  std::string_view missing;
  if (report.merchant_reference.empty()) missing = "its merchantReference";
  if (report.psp_reference.empty()) missing = "its pspReference";
  if (result == Result::authorised && !report.amount) missing = "its amount";
  if (missing.empty()) return std::nullopt;
  return OutcomeUnknown{fmt::format("Adyen says {} and nothing of {}", report.result_code, missing)};
}

Answer believe(Result result, const Report& report, const payment::Transaction& transaction) {
  const auto amount = amount_of(report);
  switch (result) {
    case Result::authorised:
      return Succeeded{report.psp_reference, amount.value()};
    case Result::refused:
    case Result::cancelled:
    case Result::error:
      return Declined{reason_of(result, report), report.psp_reference, amount};
    case Result::waiting:
      return Pending{report.psp_reference, amount};
    case Result::action:
      return ActionRequired{report.psp_reference, amount,
                            transaction.return_url.empty() ? std::string() : report.redirect_url};
    case Result::not_ours:
      return Contradicted{fmt::format("Adyen says {}, which was not asked for", report.result_code),
                          report.psp_reference};
  }
  SWITCHYARD_ASSERT(false);
}

Answer read_modification_of(const Settings& settings, const payment::Step& step, const Report& report) {
  const auto reference = reference_of(step.operation().idempotency_key);
  const auto payment = payment_psp_reference(step.state);
  const std::array<Fact, 3> facts{{{"reference", report.reference, reference},
                                   {"payment", report.payment_psp_reference, payment},
                                   {"merchant account", report.merchant_account, settings.merchant_account}}};
  return read_modification(report, facts);
}

// --- Resends -----------------------------------------------------------------------------------

// Under the header of our key it is the stored result of the first time, or this was the first time.
payment::Found read_error_to_resend(Answer answer, long status, bool says_our_key) {
  if (!says_our_key && std::holds_alternative<Declined>(answer)) {
    return OutcomeUnknown{fmt::format("Adyen answered {} to the same request sent again", status)};
  }
  const auto* rejected = std::get_if<Rejected>(&answer);
  if (rejected != nullptr && says_our_key && status == unprocessable) {
    return Declined{
        .reason = {.code = {}, .message = rejected->reason, .kind = payment::ReasonKind::configuration},
        .psp_reference = {},
        .amount = {}};
  }
  return found_of(std::move(answer));
}

}  // namespace

std::expected<Report, Answer> read_success(const Sent& sent, const http::CallResult& result,
                                           const AnswerHeaders& headers) {
  if (!result) {
    if (!result.error().perhaps_sent) return std::unexpected(NotSent{result.error().reason});
    return std::unexpected(OutcomeUnknown{result.error().reason});
  }
  if (headers.is_transient) {
    return std::unexpected(
        OutcomeUnknown{fmt::format("Adyen answered {}, and that it is to be asked again", result->status)});
  }
  if (!headers.idempotency_key.empty() && headers.idempotency_key != sent.header_key) {
    return std::unexpected(Contradicted{"Adyen's answer is to a request under another key", {}});
  }
  if (!is_success(result->status)) return std::unexpected(read_error(*result, sent.is_payment));
  auto report = read_report(result->body);
  if (!report) return std::unexpected(OutcomeUnknown{"Adyen's answer cannot be read"});
  return *std::move(report);
}

Answer read_payment(const payment::Step& step, const Report& report) {
  const auto reference = reference_of(step.operation().idempotency_key);
  const std::array<Fact, 1> facts{{{"reference", report.merchant_reference, reference}}};
  if (auto contradiction = find_contradiction(report, facts)) return *contradiction;
  const auto* known = find_result_code(report.result_code);
  if (known == nullptr) {
    return OutcomeUnknown{report.result_code.empty()
                              ? std::string("Adyen's answer has no resultCode")
                              : fmt::format("Adyen says {}, which is not known here", report.result_code)};
  }
  if (auto gap = find_gap(known->result, report)) return *gap;
  return believe(known->result, report, step.state.transaction);
}

Answer read_modification(const Report& report, std::span<const Fact> facts) {
  if (auto contradiction = find_contradiction(report, facts)) return *contradiction;
  if (report.status != "received") return OutcomeUnknown{"Adyen does not say that it received it"};
  if (report.psp_reference.empty()) return OutcomeUnknown{"Adyen received it and gives no pspReference"};
  return Pending{report.psp_reference, amount_of(report)};
}

Answer read_answer(const Settings& settings, const payment::Step& step, const http::CallResult& result,
                   const AnswerHeaders& headers) {
  const auto& operation = step.operation();
  const bool is_payment = operation.kind == Kind::authorize;
  const Sent sent{.header_key = header_key_of(operation.idempotency_key), .is_payment = is_payment};
  const auto report = read_success(sent, result, headers);
  if (!report) return report.error();
  return is_payment ? read_payment(step, *report) : read_modification_of(settings, step, *report);
}

payment::Found found_of(Answer answer) {
  return std::visit(
      [](auto&& what) -> payment::Found {
        using What = std::remove_cvref_t<decltype(what)>;
        if constexpr (std::is_same_v<What, Rejected>) {
          return OutcomeUnknown{std::move(what.reason)};
        } else {
          return std::forward<decltype(what)>(what);
        }
      },
      std::move(answer));
}

payment::Found read_answer_to_resend(const Settings& settings, const payment::Step& step,
                                     const http::CallResult& result, const AnswerHeaders& headers) {
  auto answer = read_answer(settings, step, result, headers);
  if (!result || headers.is_transient) return found_of(std::move(answer));
  if (!is_success(result->status)) {
    return read_error_to_resend(std::move(answer), result->status, !headers.idempotency_key.empty());
  }
  const auto report = read_report(result->body);
  if (report && headers.are_known && headers.idempotency_key.empty()) {
    return Contradicted{
        "Adyen answered the same request, sent again, and does not say that it knew its key: "
        "it may have done it twice",
        report->psp_reference};
  }
  return found_of(std::move(answer));
}

}  // namespace switchyard::psp::adyen
