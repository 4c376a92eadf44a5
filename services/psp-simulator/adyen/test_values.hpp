// What Adyen's test values ask for (Adyen, Development resources, "Test cards", "Result code testing"). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "psp/simulator/outcomes.hpp"

namespace switchyard::psp_simulator::adyen {

// Of additionalData.RequestedTestAcquirerResponseCode, by number, or of the holder's name, by name.
struct TestResult {
  std::string_view number;
  std::string_view name;
  // refusalReasonCode and refusalReason; empty where it is approved.
  std::string_view code{};
  std::string_view reason{};
};

// What is paid with, as far as it decides something.
struct Card {
  // Without "test_"; empty where it is encrypted or stored.
  std::string number{};
  std::string cvc{};
  std::string expiry_month{};
  std::string expiry_year{};
  std::string holder{};
};
Card read_card(const boost::json::object& payment_method);

// "101" or "103" for a number or a CVC that no card has; empty if they may be one's.
std::string_view error_of(const Card& card);
// Whether the customer is sent to their bank first.
bool asks_customer(const Card& card);
std::string_view brand_of(const Card& card);

// What is to become of the payment; nothing where the values ask for nothing.
std::optional<psp::simulator::Behaviour> behaviour_of(const boost::json::object& request, const Card& card);

// Of the holder's name, kept with the payment: captures or refunds that fail after all.
bool captures_fail(std::string_view holder);
bool refunds_fail(std::string_view holder);

// --- Refusals ----------------------------------------------------------------------------------

// Adyen's code for a code of the ledger (psp/simulator/outcomes.hpp); others are Adyen's.
std::string_view refusal_code_of(std::string_view ledger_code);
std::string_view refusal_reason_of(std::string_view code);
// "Error" where the acquirer failed, else "Refused".
std::string_view result_code_of(std::string_view code);

}  // namespace switchyard::psp_simulator::adyen
