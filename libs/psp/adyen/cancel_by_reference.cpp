#include "psp/adyen/cancel_by_reference.hpp"

#include <array>

#include <fmt/format.h>

#include "base/assert.hpp"
#include "http/json.hpp"
#include "psp/adyen/answers.hpp"
#include "psp/adyen/names.hpp"
#include "psp/adyen/requests.hpp"

namespace switchyard::psp::adyen {

http::ClientRequest cancel_by_reference(const Settings& settings, const payment::Step& step) {
  const auto& authorization = step.operation();
  SWITCHYARD_ASSERT(authorization.kind == payment::Kind::authorize);
  const auto& key = authorization.idempotency_key;
  return post(
      settings, "/cancels",
      fmt::format(R"({{"merchantAccount":{},"paymentReference":"{}","reference":"{}"}})",
                  http::json_string(settings.merchant_account), reference_of(key), cancel_reference_of(key)),
      cancel_header_key_of(key));
}

payment::Answer read_cancel_by_reference(const Settings& settings, const payment::Step& step,
                                         const http::CallResult& result, const AnswerHeaders& headers) {
  const auto& key = step.operation().idempotency_key;
  const auto report = read_success({.header_key = cancel_header_key_of(key)}, result, headers);
  if (!report) return report.error();
  const auto reference = cancel_reference_of(key);
  const auto payment = reference_of(key);
  const std::array<Fact, 3> facts{
      {{"reference", report->reference, reference},
       {"payment", report->payment_reference, payment},
       {"merchant account", report->merchant_account, settings.merchant_account}}};
  return read_modification(*report, facts);
}

}  // namespace switchyard::psp::adyen
