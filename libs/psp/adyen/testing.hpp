// For unit tests and fuzz targets only: an account at Adyen, and steps as the machine gives them to an
// adapter.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.hpp"
#include "payment/psp_keys.hpp"
#include "payment/state_machine.hpp"
#include "psp/adyen/requests.hpp"
#include "psp/adyen/settings.hpp"

namespace switchyard::psp::adyen {

inline constexpr std::string_view test_hmac_key =
    "00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF";
inline constexpr std::string_view stored_card_method =
    R"({"adyen":{"storedPaymentMethodId":"M5N7TQ4TG5PFWR50","shopperReference":"shopper-1"}})";
inline constexpr std::string_view test_psp_reference = "SYPSP00000000001";

inline constexpr payment::Kind kinds[] = {payment::Kind::authorize, payment::Kind::capture,
                                          payment::Kind::void_, payment::Kind::refund};

inline Money eur(std::int64_t minor) {
  return {minor, *Currency::parse("EUR")};
}

// `what` must be in the text.
inline std::string replaced(std::string text, std::string_view what, std::string_view with) {
  const auto at = text.find(what);
  SWITCHYARD_ASSERT(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

inline Settings test_settings() {
  return {.account = "adyen-eu",
          .url = "https://psp.invalid/v71",
          .api_key = "secret-api-key",
          .merchant_account = "SwitchyardECOM"};
}

inline WebhookSettings test_webhook_settings() {
  return {.merchant_account = "SwitchyardECOM", .hmac_key = std::string(test_hmac_key)};
}

struct Wanted {
  payment::Kind kind = payment::Kind::authorize;
  std::int64_t amount_minor = 2000;
  std::string_view currency = "EUR";
  payment::CaptureMethod capture_method = payment::CaptureMethod::manual;
  std::string payment_method{stored_card_method};
  std::string return_url{};
  bool is_final = true;
};

// Not encoded: for what cannot be.
inline payment::Step step_to_encode(const Wanted& wanted) {
  const auto currency = Currency::parse(wanted.currency);
  SWITCHYARD_ASSERT(currency.has_value());
  payment::Step step{.state = {.transaction = {.id = {},
                                               .merchant_id = MerchantId{7},
                                               .amount = Money(wanted.amount_minor, *currency),
                                               .capture_method = wanted.capture_method},
                               .operations = {}},
                     .action = payment::Action::send};
  auto& [transaction, operations] = step.state;
  transaction.derived_reference = "0123456789abcdef0123456789abcdef";
  transaction.payment_method = wanted.payment_method;
  transaction.return_url = wanted.return_url;
  if (wanted.kind != payment::Kind::authorize) {
    operations.push_back({.amount = transaction.amount,
                          .phase = payment::Phase::succeeded,
                          .psp = "adyen-eu",
                          .idempotency_key = payment::numbered_key(transaction, 1),
                          .psp_reference = std::string(test_psp_reference)});
    step.index = 1;
  }
  const auto number = static_cast<std::int32_t>(step.index) + 1;
  operations.push_back({.number = number,
                        .kind = wanted.kind,
                        .amount = transaction.amount,
                        .is_final = wanted.is_final,
                        .phase = payment::Phase::sent,
                        .psp = "adyen-eu",
                        .idempotency_key = payment::numbered_key(transaction, number),
                        .claims = 1,
                        .sends = 1,
                        .sent_at = Timestamp(std::chrono::hours(1))});
  transaction.operation_count = number;
  return step;
}

// The operation was sent; the authorization before it was approved as test_psp_reference.
inline payment::Step step_of(const Wanted& wanted) {
  auto step = step_to_encode(wanted);
  step.state.operations.back().request = encode(test_settings(), step.state, step.operation()).value();
  return step;
}

}  // namespace switchyard::psp::adyen
