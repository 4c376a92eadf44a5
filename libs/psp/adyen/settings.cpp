#include "psp/adyen/settings.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include <fmt/format.h>

#include "base/ascii.hpp"
#include "base/hex.hpp"
#include "http/async_client.hpp"

namespace switchyard::psp::adyen {
namespace {

constexpr std::size_t hmac_key_digits = 64;

// As the value of a header, or a name in JSON that a person typed.
bool is_one_word(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_visible_ascii);
}

std::string problem_of_text(std::string_view name, std::string_view text) {
  if (is_one_word(text)) return {};
  return fmt::format("{} is empty, or holds a blank or what is no ASCII character", name);
}

bool is_web_address(std::string_view text) {
  return is_one_word(text) && (text.starts_with("https://") || text.starts_with("http://"));
}

}  // namespace

std::string live_url(std::string_view prefix) {
  return fmt::format("https://{}-checkout-live.adyenpayments.com/checkout/v71", prefix);
}

std::string hmac_key_bytes(std::string_view hex) {
  return hex.size() == hmac_key_digits ? bytes_of_hex(hex).value_or("") : "";
}

std::string problem_of(const Settings& settings) {
  const std::array<std::pair<std::string_view, const std::string&>, 3> texts{
      {{"account", settings.account},
       {"api_key", settings.api_key},
       {"merchant_account", settings.merchant_account}}};
  for (const auto& [name, text] : texts) {
    if (auto problem = problem_of_text(name, text); !problem.empty()) return problem;
  }
  if (const auto problem = http::problem_of_base_url(settings.url); !problem.empty()) {
    return "url " + problem;
  }
  // The API key and what stands for a card would go over it in the clear.
  if (settings.is_live && !settings.url.starts_with("https://")) return "url of a live account is not https";
  if (!is_web_address(settings.return_url)) return "return_url is no http or https address";
  return {};
}

std::string problem_of(const WebhookSettings& settings) {
  if (auto problem = problem_of_text("merchant_account", settings.merchant_account); !problem.empty()) {
    return problem;
  }
  if (hmac_key_bytes(settings.hmac_key).empty()) return "hmac_key is not 64 hexadecimal digits";
  if (!settings.hmac_key_previous.empty() && hmac_key_bytes(settings.hmac_key_previous).empty()) {
    return "hmac_key_previous is not 64 hexadecimal digits";
  }
  return {};
}

}  // namespace switchyard::psp::adyen
