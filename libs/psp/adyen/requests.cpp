#include "psp/adyen/requests.hpp"

#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/assert.hpp"
#include "http/json.hpp"
#include "http/query.hpp"
#include "psp/adyen/amounts.hpp"
#include "psp/adyen/names.hpp"
#include "psp/adyen/payment_method.hpp"

namespace switchyard::psp::adyen {
namespace {

using payment::Kind;
using payment::Rejected;

// Bounded, as it is sent on and stored.
constexpr std::size_t return_url_bytes_max = 2'048;

std::expected<std::string, Rejected> amount_member(Money amount) {
  if (amount.minor() <= 0) return std::unexpected(Rejected{"there is no amount to ask for"});
  const auto value = to_adyen(amount);
  if (!value) return std::unexpected(Rejected{value.error()});
  return fmt::format(R"("amount":{{"value":{},"currency":"{}"}})", *value, amount.currency().code());
}

// Of every request: an account and our name for the operation.
std::string common_members(const Settings& settings, const payment::Operation& operation) {
  return fmt::format(R"("merchantAccount":{},"reference":"{}")", http::json_string(settings.merchant_account),
                     reference_of(operation.idempotency_key));
}

std::expected<std::string, Rejected> encode_authorization(const Settings& settings,
                                                          const payment::Transaction& transaction,
                                                          const payment::Operation& operation) {
  const auto amount = amount_member(operation.amount);
  if (!amount) return amount;
  auto method = payment_method_members(transaction, settings.is_live);
  if (!method) return std::unexpected(Rejected{std::move(method.error())});
  if (transaction.return_url.size() > return_url_bytes_max) {
    return std::unexpected(Rejected{"return_url is too long for Adyen"});
  }
  const auto& return_url = transaction.return_url.empty() ? settings.return_url : transaction.return_url;
  const bool is_manual = transaction.capture_method == payment::CaptureMethod::manual;
  return fmt::format(R"({{{},{},{},"returnUrl":{},{}}})", common_members(settings, operation), *amount,
                     *method, http::json_string(return_url),
                     is_manual ? R"("additionalData":{"manualCapture":"true"})" : R"("captureDelayHours":0)");
}

std::expected<std::string, Rejected> encode_modification(const Settings& settings,
                                                         const payment::Operation& operation) {
  if (operation.kind == Kind::void_) return fmt::format("{{{}}}", common_members(settings, operation));
  const auto amount = amount_member(operation.amount);
  if (!amount) return amount;
  return fmt::format("{{{},{}}}", common_members(settings, operation), *amount);
}

std::string path_of(const payment::Step& step) {
  const auto below_payment = [&step](std::string_view what) {
    return fmt::format("/payments/{}/{}", http::percent_encoded(payment_psp_reference(step.state)), what);
  };
  switch (step.operation().kind) {
    case Kind::authorize:
      return "/payments";
    case Kind::capture:
      return below_payment("captures");
    case Kind::void_:
      return below_payment("cancels");
    case Kind::refund:
      return below_payment("refunds");
  }
  SWITCHYARD_ASSERT(false);
}

}  // namespace

std::string payment_psp_reference(const payment::State& state) {
  const auto* authorization = payment::find_authorization(state);
  return authorization == nullptr ? std::string() : authorization->psp_reference;
}

std::expected<std::string, Rejected> encode(const Settings& settings, const payment::State& state,
                                            const payment::Operation& operation) {
  if (operation.kind == Kind::authorize) {
    return encode_authorization(settings, state.transaction, operation);
  }
  if (payment_psp_reference(state).empty()) {
    return std::unexpected(Rejected{"what Adyen calls the payment is not known"});
  }
  if (operation.kind == Kind::capture && !operation.is_final && !settings.several_captures) {
    return std::unexpected(
        Rejected{"Adyen would release what is left: the account is not set up for several captures"});
  }
  return encode_modification(settings, operation);
}

http::ClientRequest request_of(const Settings& settings, const payment::Step& step) {
  const auto& operation = step.operation();
  return post(settings, path_of(step), operation.request, header_key_of(operation.idempotency_key));
}

http::ClientRequest post(const Settings& settings, std::string_view path, std::string body,
                         std::string_view header_key) {
  std::string url = settings.url;
  while (url.ends_with('/')) url.pop_back();
  return {.method = "POST",
          .url = url.append(path),
          .body = std::move(body),
          .headers = {"Content-Type: application/json", "X-API-Key: " + settings.api_key,
                      fmt::format("Idempotency-Key: {}", header_key)}};
}

}  // namespace switchyard::psp::adyen
