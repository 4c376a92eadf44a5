// The kinds of PSP that an account can be at, and what an account of each needs: data, read by whoever reads
// the routing file and by whoever builds the adapters.
//
// A setting that is secret is the NAME of an environment variable, and its own name ends in _env: no secret
// stands in the file.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <string_view>

namespace switchyard::routing {

enum class Adapter : std::uint8_t { stripe, adyen, simulator };

inline constexpr std::size_t adapter_count = 3;

// Also the name of its member in Transaction::payment_method.
std::string_view to_string(Adapter adapter);
std::optional<Adapter> parse_adapter(std::string_view text);

// Whether it can charge only what the merchant gave a payment_method for.
bool needs_payment_method(Adapter adapter);

// By to_underlying(Adapter).
using Adapters = std::bitset<adapter_count>;

struct SettingRow {
  enum class Type : std::uint8_t {
    variable,   // the name of an environment variable: capital letters, digits and _, 64 at most
    text,       // printable ASCII without blanks, 255 at most
    url,        // http:// or https://, with neither name nor password
    base_url,   // the same without a query or a fragment: paths are put behind it
    yes_or_no,  // false where not given
  };

  Adapter adapter;
  std::string_view name;
  Type type;
  bool is_required;
  // What it is, for people.
  std::string_view example;
};

inline constexpr auto setting_rows = std::to_array<SettingRow>({
    {Adapter::stripe, "secret_key_env", SettingRow::Type::variable, true, "STRIPE_SECRET_KEY"},
    {Adapter::stripe, "webhook_secret_env", SettingRow::Type::variable, false, "STRIPE_WEBHOOK_SECRET"},
    {Adapter::stripe, "webhook_secret_previous_env", SettingRow::Type::variable, false,
     "STRIPE_WEBHOOK_SECRET_PREVIOUS"},
    {Adapter::stripe, "base_url", SettingRow::Type::base_url, false, "https://api.stripe.com"},

    {Adapter::adyen, "api_key_env", SettingRow::Type::variable, true, "ADYEN_API_KEY"},
    {Adapter::adyen, "merchant_account", SettingRow::Type::text, true, "AcmeECOM"},
    {Adapter::adyen, "hmac_key_env", SettingRow::Type::variable, true, "ADYEN_HMAC_KEY"},
    {Adapter::adyen, "hmac_key_previous_env", SettingRow::Type::variable, false, "ADYEN_HMAC_KEY_PREVIOUS"},
    // Money moves; it needs one of the next two.
    {Adapter::adyen, "live", SettingRow::Type::yes_or_no, false, "true"},
    {Adapter::adyen, "live_prefix", SettingRow::Type::text, false, "1797a841fbb37ca7-AcmeECOM"},
    {Adapter::adyen, "base_url", SettingRow::Type::base_url, false, "https://checkout-test.adyen.com/v71"},
    {Adapter::adyen, "several_captures", SettingRow::Type::yes_or_no, false, "true"},
    {Adapter::adyen, "return_url", SettingRow::Type::url, false, "https://shop.example/back"},

    // Not given: the one in this process.
    {Adapter::simulator, "base_url", SettingRow::Type::base_url, false, "http://127.0.0.1:5003"},
});

}  // namespace switchyard::routing
