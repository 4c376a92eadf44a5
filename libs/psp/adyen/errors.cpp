#include "psp/adyen/errors.hpp"

#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "psp/adyen/outcomes.hpp"
#include "psp/adyen/report.hpp"

namespace switchyard::psp::adyen {
namespace {

using payment::Answer;
using payment::Declined;
using payment::NotSent;
using payment::OutcomeUnknown;
using payment::Rejected;

constexpr long bad_request = 400;
constexpr long unauthorized = 401;
constexpr long forbidden = 403;
constexpr long not_found = 404;
constexpr long too_many_requests = 429;

std::string reason_of_error(long status, const Report& report) {
  auto reason = fmt::format("Adyen answered {}", status);
  if (!report.error_code.empty()) reason += ", error " + report.error_code;
  const auto* known = find_error_code(report.error_code);
  if (!report.message.empty()) return reason + ": " + report.message;
  return known == nullptr ? reason : fmt::format("{}: {}", reason, known->message);
}

// 401 and 403 are for the operator: nothing of what was sent is wrong.
std::string reason_of_configuration(long status, const Report& report) {
  const std::string_view what =
      status == unauthorized ? "the API key is wrong"
                             : "the API key may not do this, or the merchant account is not one of its own";
  return fmt::format("{}; check the account's configuration: {}", reason_of_error(status, report), what);
}

Answer read_unprocessable(const Report& report, bool is_payment) {
  auto reason = reason_of_error(unprocessable, report);
  // Without one of Adyen's codes it may be anybody's answer, or a 704 that was cut off.
  if (report.error_code.empty()) return OutcomeUnknown{std::move(reason)};
  const auto* known = find_error_code(report.error_code);
  const auto fault = known == nullptr ? Fault::ours : known->fault;
  if (fault != Fault::customer || !is_payment) return Rejected{std::move(reason)};
  return Declined{.reason = {.code = report.error_code,
                             .message = std::string(known->message),
                             .kind = payment::ReasonKind::customer_action},
                  .psp_reference = report.psp_reference,
                  .amount = {}};
}

bool says_to_ask_again(const Report& report) {
  const auto* known = find_error_code(report.error_code);
  return known != nullptr && known->fault == Fault::not_yet;
}

}  // namespace

Answer read_error(const http::ClientResponse& response, bool is_payment) {
  const auto read = read_report(response.body);
  const auto report = read.value_or(Report());
  auto reason = reason_of_error(response.status, report);
  // A page of HTML is of somebody in between, who may have kept Adyen's answer.
  const bool is_adyens = read || response.body.empty();
  if (!is_adyens && response.status != too_many_requests) return OutcomeUnknown{std::move(reason)};
  const bool speaks_of_a_payment = !report.result_code.empty() || report.status == "received";
  if (speaks_of_a_payment) return OutcomeUnknown{std::move(reason) + ", with what looks like a payment"};
  if (says_to_ask_again(report)) return OutcomeUnknown{std::move(reason)};
  switch (response.status) {
    case bad_request:
    case not_found:
      return Rejected{std::move(reason)};
    case unauthorized:
    case forbidden:
      return Rejected{.reason = reason_of_configuration(response.status, report), .is_of_account = true};
    case unprocessable:
      return read_unprocessable(report, is_payment);
    case too_many_requests:
      return NotSent{std::move(reason)};
    default:
      return OutcomeUnknown{std::move(reason)};
  }
}

}  // namespace switchyard::psp::adyen
