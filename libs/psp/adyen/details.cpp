#include "psp/adyen/details.hpp"

#include <fmt/format.h>

#include "base/assert.hpp"
#include "psp/adyen/answers.hpp"
#include "psp/adyen/names.hpp"
#include "psp/adyen/requests.hpp"

namespace switchyard::psp::adyen {
namespace {

std::string key_of(const payment::Operation& operation) {
  return header_key_of(fmt::format("{}-details-{}", operation.idempotency_key, operation.brought_back));
}

}  // namespace

bool brings_details(const payment::Operation& operation) {
  return operation.phase == payment::Phase::action_required && !operation.brought_back.empty();
}

http::ClientRequest details_of(const Settings& settings, const payment::Step& step) {
  const auto& operation = step.operation();
  SWITCHYARD_ASSERT(brings_details(operation));
  return post(settings, "/payments/details", fmt::format(R"({{"details":{}}})", operation.brought_back),
              key_of(operation));
}

payment::Found read_details(const payment::Step& step, const http::CallResult& result,
                            const AnswerHeaders& headers) {
  const auto report =
      read_success({.header_key = key_of(step.operation()), .is_payment = false}, result, headers);
  // Also what Adyen refuses to take: the payment waits as before.
  if (!report) return found_of(report.error());
  return found_of(read_payment(step, *report));
}

}  // namespace switchyard::psp::adyen
