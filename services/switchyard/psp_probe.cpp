#include "switchyard/psp_probe.hpp"

#include <utility>

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "http/json.hpp"
#include "money/printable.hpp"
#include "psp/adyen/settings.hpp"
#include "psp/stripe/objects.hpp"
#include "psp/stripe/stripe_protocol.hpp"

namespace switchyard::cli {
namespace {

namespace json = boost::json;
using http::CallTrouble;
using routing::Adapter;

std::string base_url_of(const routing::Account& account) {
  std::string url(account.text("base_url"));
  if (url.empty() && account.adapter == Adapter::stripe) url = psp::stripe::Settings{}.base_url;
  if (url.empty() && account.adapter == Adapter::adyen) {
    const auto prefix = account.text("live_prefix");
    url = prefix.empty() ? std::string(psp::adyen::test_url) : psp::adyen::live_url(prefix);
  }
  while (url.ends_with('/')) url.pop_back();
  return url;
}

// Empty where it is not set, or another secret of somebody's, which Stripe is not to see.
std::string key_of(const routing::Account& account, const Environment& environment) {
  const auto variable = key_variable_of(account);
  if (variable.empty()) return {};
  auto key = environment.find(std::string(variable)).value_or(std::string());
  const bool is_stripes = key.starts_with("sk_") || key.starts_with("rk_");
  return account.adapter == Adapter::stripe && !is_stripes ? std::string() : key;
}

std::string_view name_of(Adapter adapter) {
  switch (adapter) {
    case Adapter::stripe:
      return "Stripe";
    case Adapter::adyen:
      return "Adyen";
    case Adapter::simulator:
      return "psp-simulator";
  }
  std::unreachable();
}

std::string text_in(const json::value& object, std::string_view name) {
  const auto* const value = object.is_object() ? object.get_object().if_contains(name) : nullptr;
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

// Of a 200: is it the PSP that speaks?
bool is_of_the_psp(Adapter adapter, const std::string& body) {
  const auto value = http::parse_json(body);
  if (!value || !value->is_object()) return false;
  return adapter == Adapter::adyen || text_in(*value, "object") == "list";
}

ProbeTold told_by_failure(const std::string& url, const http::CallFailure& failure) {
  const auto bad = [&url](std::string_view what, std::string remedy) {
    return ProbeTold{.text = fmt::format("{} {}", url, what), .remedy = std::move(remedy)};
  };
  switch (failure.trouble) {
    case CallTrouble::name_not_found:
      return bad("is not found: DNS knows no such name, or does not answer",
                 "check base_url, and that this machine resolves names");
    case CallTrouble::not_connected:
      return bad("is not reached: the connection is refused, or there is no way there",
                 "check base_url, and that a firewall lets this machine connect there");
    case CallTrouble::tls:
      return bad("is not trusted: it speaks no TLS, or shows a certificate that is not valid here",
                 "check base_url, the clock, and the certificates of this machine (package ca-certificates)");
    case CallTrouble::out_of_time:
      return bad(fmt::format("has not answered within {} s", probe_time.count()),
                 "check that a firewall lets this machine connect there, and try again");
    case CallTrouble::too_large:
      return bad("answers with more than any PSP would", "check base_url");
    case CallTrouble::other:
      break;
  }
  return bad(fmt::format("has not answered: {}", printable(failure.reason)), "check base_url, and try again");
}

// Of 401 and 403: the PSP was reached.
ProbeTold told_by_refusal(const routing::Account& account, const std::string& url,
                          const http::ClientResponse& response) {
  const auto variable = key_variable_of(account);
  if (response.status == 401) {
    return {.text = fmt::format("{} answers, and does not take the key in {} (401)", url, variable),
            .remedy = fmt::format("copy the key again, of the same mode, test or live, into {}", variable)};
  }
  if (account.adapter == Adapter::stripe) {
    return {.text = fmt::format("{} answers and knows the key in {}, which may not list payments (403)", url,
                                variable),
            .remedy = "let the restricted key write PaymentIntents and Refunds, from this machine's address"};
  }
  const auto value = http::parse_json(response.body);
  const bool is_account = value && text_in(*value, "errorCode") == "901";
  return {
      .text = fmt::format("{} answers, and {} (403)", url,
                          is_account ? "knows no such merchant account for this key"
                                     : "the key may not be used for this merchant account"),
      .remedy = fmt::format("check merchant_account, and the roles of the API credential in {}", variable)};
}

ProbeTold told_by_answer(const routing::Account& account, const std::string& url,
                         const http::ClientResponse& response) {
  const auto who = name_of(account.adapter);
  if (response.status == 401 || response.status == 403) return told_by_refusal(account, url, response);
  if (response.status == 200 && is_of_the_psp(account.adapter, response.body)) {
    return {.is_good = true, .text = fmt::format("{} answers and takes the key", url)};
  }
  if (response.status == 429) {
    return {.text = fmt::format(
                "{} answers that there are too many requests (429); the key is not known to be good", url),
            .remedy = "try again later"};
  }
  if (response.status >= 500) {
    return {.text = fmt::format("{} answers with {}; the key is not known to be good", url, response.status),
            .remedy = fmt::format("try again later, and look at the status page of {}", who)};
  }
  return {.text = fmt::format("{} answers with {}, but not as {} does", url, response.status, who),
          .remedy = "check base_url: without one the PSP's own is taken"};
}

}  // namespace

std::string_view key_variable_of(const routing::Account& account) {
  switch (account.adapter) {
    case Adapter::stripe:
      return account.text("secret_key_env");
    case Adapter::adyen:
      return account.text("api_key_env");
    case Adapter::simulator:
      return {};
  }
  std::unreachable();
}

// Stripe: what a look-up needs, too, so that a key that may not list payments is found here. Adyen has no
// GET; this POST lists what the merchant account takes (Checkout API v71, "Get a list of available payment
// methods").
std::optional<http::ClientRequest> probe_of(const routing::Account& account, const Environment& environment) {
  const auto url = base_url_of(account);
  const auto key = key_of(account, environment);
  if (url.empty() || (key.empty() && account.adapter != Adapter::simulator)) return std::nullopt;
  http::ClientRequest request{.method = "GET", .url = {}, .body = {}, .headers = {}, .timeout = probe_time};
  switch (account.adapter) {
    case Adapter::stripe:
      request.url = url + "/v1/payment_intents?limit=1";
      request.headers = {"Authorization: Bearer " + key,
                         fmt::format("Stripe-Version: {}", psp::stripe::api_version)};
      break;
    case Adapter::adyen:
      request.method = "POST";
      request.url = url + "/paymentMethods";
      request.body =
          json::serialize(json::object{{"merchantAccount", std::string(account.text("merchant_account"))}});
      request.headers = {"Content-Type: application/json", "X-API-Key: " + key};
      break;
    case Adapter::simulator:
      request.url = url + "/health";
      break;
  }
  return request;
}

ProbeTold told_by(const routing::Account& account, const http::CallResult& result) {
  const auto url = base_url_of(account);
  if (!result) return told_by_failure(url, result.error());
  if (account.adapter != Adapter::simulator) return told_by_answer(account, url, *result);
  if (is_health(result)) {
    return {.is_good = true, .text = fmt::format("psp-simulator answers at {}; no money moves", url)};
  }
  return {.text = fmt::format("{} answers with {}, but not as psp-simulator does", url, result->status),
          .remedy = "start psp-simulator there, or correct base_url"};
}

bool is_test_account(const routing::Account& account, const Environment& environment) {
  if (account.adapter == Adapter::adyen) return !account.flag("live");
  const auto key = key_of(account, environment);
  return account.adapter == Adapter::stripe && (key.starts_with("sk_test_") || key.starts_with("rk_test_"));
}

bool is_health(const http::CallResult& result) {
  return result && result->body.find(R"("status")") != std::string::npos;
}

}  // namespace switchyard::cli
