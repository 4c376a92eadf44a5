#include "psp-simulator/adyen/test_values.hpp"

#include <algorithm>
#include <array>

#include "psp-simulator/dialect/json.hpp"

namespace switchyard::psp_simulator::adyen {
namespace {

namespace json = boost::json;
using psp::simulator::Answer;
using psp::simulator::Behaviour;
using psp::simulator::Charging;

constexpr std::string_view test_prefix = "test_";
constexpr std::string_view pending_number = "13";

constexpr auto results = std::to_array<TestResult>({
    {"0", "UNKNOWN", "0", "Unknown"},
    {"1", "APPROVED"},
    {"2", "DECLINED", "2", "Refused"},
    {"3", "REFERRAL", "3", "Referral"},
    {"4", "ERROR", "4", "Acquirer Error"},
    {"5", "BLOCK_CARD", "5", "Blocked Card"},
    {"6", "CARD_EXPIRED", "6", "Expired Card"},
    {"7", "INVALID_AMOUNT", "7", "Invalid Amount"},
    {"8", "INVALID_CARD_NUMBER", "8", "Invalid Card Number"},
    {"9", "ISSUER_UNAVAILABLE", "9", "Issuer Unavailable"},
    {"10", "NOT_SUPPORTED", "10", "Not supported"},
    {"11", "NOT_3D_AUTHENTICATED", "11", "3D Not Authenticated"},
    {"12", "NOT_ENOUGH_BALANCE", "12", "Not enough balance"},
    {pending_number, "PENDING"},
    {"14", "ACQUIRER_FRAUD", "14", "Acquirer Fraud"},
    {"15", "CANCELLED", "15", "Cancelled"},
    {"16", "SHOPPER_CANCELLED", "16", "Shopper Cancelled"},
    {"17", "INVALID_PIN", "17", "Invalid Pin"},
    {"18", "PIN_TRIES_EXCEEDED", "18", "Pin tries exceeded"},
    {"19", "PIN_VALIDATION_NOT_POSSIBLE", "19", "Pin validation not possible"},
    {"20", "FRAUD", "20", "FRAUD"},
    {"21", "NOT_SUBMITTED", "21", "Not Submitted"},
    {"22", "FRAUD_CANCELLED", "22", "FRAUD-CANCELLED"},
    {"23", "TRANSACTION_NOT_PERMITTED", "23", "Transaction Not Permitted"},
    {"24", "CVC_DECLINED", "24", "CVC Declined"},
    {"25", "RESTRICTED_CARD", "25", "Restricted Card"},
    {"26", "REVOCATION_OF_AUTH", "26", "Revocation Of Auth"},
    {"27", "DECLINED_NON_GENERIC", "27", "Declined Non Generic"},
    {"28", "WITHDRAWAL_AMOUNT_EXCEEDED", "28", "Withdrawal amount exceeded"},
    {"29", "WITHDRAWAL_COUNT_EXCEEDED", "29", "Withdrawal count exceeded"},
});

// Of the cards of Adyen's documentation: those that are sent to a bank's page.
constexpr std::array<std::string_view, 2> redirected_cards{"4212345678901237", "5212345678901234"};

std::string plain(const json::object& method, std::string_view encrypted, std::string_view raw) {
  auto text = text_in(method, encrypted);
  if (text.starts_with(test_prefix)) return text.substr(test_prefix.size());
  return text.empty() ? text_in(method, raw) : std::string();
}

bool passes_luhn(std::string_view digits) {
  int sum = 0;
  bool doubles = false;
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit) {
    if (*digit < '0' || *digit > '9') return false;
    const int value = (*digit - '0') * (doubles ? 2 : 1);
    sum += value > 9 ? value - 9 : value;
    doubles = !doubles;
  }
  return sum % 10 == 0;
}

bool is_amex(std::string_view number) {
  return number.starts_with("34") || number.starts_with("37");
}

// All of Adyen's test cards expire in March 2030 and have one CVC.
bool has_wrong_data(const Card& card) {
  if (card.number.empty()) return false;
  const bool has_wrong_month = card.expiry_month != "03" && card.expiry_month != "3";
  const bool has_wrong_cvc = !card.cvc.empty() && card.cvc != (is_amex(card.number) ? "7373" : "737");
  return has_wrong_month || card.expiry_year != "2030" || has_wrong_cvc;
}

Behaviour behaviour_of(const TestResult& result) {
  if (result.number == pending_number) return {.charging = Charging::approve_later};
  if (result.code.empty()) return {};
  return {.charging = Charging::decline, .code = result.code};
}

// Of a stored card there is nothing else by which it could ask for something: its name stands for the
// holder's.
std::string holder_of(const json::object& payment_method) {
  auto holder = text_in(payment_method, "holderName");
  return holder.empty() ? text_in(payment_method, "storedPaymentMethodId") : std::move(holder);
}

}  // namespace

Card read_card(const json::object& payment_method) {
  return {.number = plain(payment_method, "encryptedCardNumber", "number"),
          .cvc = plain(payment_method, "encryptedSecurityCode", "cvc"),
          .expiry_month = plain(payment_method, "encryptedExpiryMonth", "expiryMonth"),
          .expiry_year = plain(payment_method, "encryptedExpiryYear", "expiryYear"),
          .holder = holder_of(payment_method)};
}

std::string_view error_of(const Card& card) {
  if (card.number.empty()) return {};
  if (card.number.size() < 12 || card.number.size() > 19 || !passes_luhn(card.number)) return "101";
  const std::size_t cvc_digits = is_amex(card.number) ? 4 : 3;
  return card.cvc.empty() || card.cvc.size() == cvc_digits ? "" : "103";
}

bool asks_customer(const Card& card) {
  return card.holder == "authentication_required" ||
         std::ranges::find(redirected_cards, card.number) != redirected_cards.end();
}

std::string_view brand_of(const Card& card) {
  if (is_amex(card.number)) return "amex";
  const char first = card.number.empty() ? '4' : card.number.front();
  return first == '5' || first == '2' ? "mc" : "visa";
}

std::optional<Behaviour> behaviour_of(const json::object& request, const Card& card) {
  const auto* more = object_in(request, "additionalData");
  if (more != nullptr) {
    const auto error = text_in(*more, "RequestedTestErrorResponseCode");
    if (error == "NO_CONNECTION_AVAILABLE") return Behaviour{Charging::none, Answer::transient};
    if (error == "IOEXCEPTION_RECEIVED") return Behaviour{Charging::none, Answer::error_kept};
    const auto number = text_in(*more, "RequestedTestAcquirerResponseCode");
    const auto* const by_number = std::ranges::find(results, number, &TestResult::number);
    if (by_number != results.end()) return behaviour_of(*by_number);
  }
  const auto* const by_name = std::ranges::find(results, card.holder, &TestResult::name);
  if (by_name != results.end()) return behaviour_of(*by_name);
  if (has_wrong_data(card)) return Behaviour{.charging = Charging::decline, .code = "2"};
  return std::nullopt;
}

bool captures_fail(std::string_view holder) {
  return holder == "capture failed" || holder == "capture_failed";
}

bool refunds_fail(std::string_view holder) {
  return holder == "refund failed" || holder == "refund_failed";
}

std::string_view refusal_code_of(std::string_view ledger_code) {
  if (ledger_code == psp::simulator::insufficient_funds) return "12";
  if (ledger_code == psp::simulator::issuer_unavailable) return "9";
  if (ledger_code == psp::simulator::suspected_fraud) return "20";
  return ledger_code;
}

std::string_view refusal_reason_of(std::string_view code) {
  const auto* const found = std::ranges::find(results, code, &TestResult::code);
  return found == results.end() ? "Refused" : found->reason;
}

std::string_view result_code_of(std::string_view code) {
  return code == "0" || code == "4" ? "Error" : "Refused";
}

}  // namespace switchyard::psp_simulator::adyen
