// An account at Adyen, as the operator configures it. Secrets are in here: nothing prints it as a whole, and
// no message of this folder repeats a key.
#pragma once

#include <string>
#include <string_view>

namespace switchyard::psp::adyen {

struct Settings {
  // The name that operations carry.
  std::string account;
  // Where the paths of Checkout API v71 begin: test_url, live_url(), or a simulator's.
  std::string url;
  std::string api_key;
  std::string merchant_account;
  // Whether money moves.
  bool is_live = false;
  // More than one capture of a hold: Adyen's support enables it for an account. Without it, Adyen releases
  // with the first capture what is left.
  bool several_captures = false;
  // POST /payments requires a returnUrl. This one is sent where the merchant gave none; nobody is sent there.
  std::string return_url = "https://return.invalid/";
};

// What its webhook is read by.
struct WebhookSettings {
  std::string merchant_account;
  // With which Adyen signs the events: 64 hexadecimal digits of the Customer Area. After a change the
  // previous one stays for as long as events wait that were signed with it, up to 30 days; otherwise empty.
  std::string hmac_key;
  std::string hmac_key_previous{};
  // Whether money moves. Events of the other kind are refused.
  bool is_live = false;
};

inline constexpr std::string_view test_url = "https://checkout-test.adyen.com/v71";
// `prefix`: of the company, from the Customer Area, such as "1797a841fbb37ca7-AdyenDemo".
std::string live_url(std::string_view prefix);

// What is wrong with the settings, in words that do not repeat them. Empty if nothing is.
std::string problem_of(const Settings& settings);
std::string problem_of(const WebhookSettings& settings);

// The bytes of an HMAC key; empty if it is not 64 hexadecimal digits.
std::string hmac_key_bytes(std::string_view hex);

}  // namespace switchyard::psp::adyen
