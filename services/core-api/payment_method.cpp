#include "core-api/payment_method.hpp"

#include <algorithm>
#include <string_view>

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "base/ascii.hpp"
#include "http/problem.hpp"
#include "psp/adyen/payment_method.hpp"
#include "psp/stripe/payment_method.hpp"

namespace switchyard::core {
namespace {

namespace json = boost::json;

constexpr std::string_view by_adapter =
    R"(payment_method must be an object by adapter, such as {"stripe":"pm_..."} or {"adyen":{)"
    R"("storedPaymentMethodId":"...","shopperReference":"..."}})";

std::unexpected<http::Response> refuse_method(std::string_view why) {
  return std::unexpected(
      http::problem(422, "Invalid payment_method", fmt::format("{}: {}", by_adapter, why)));
}

// Empty if the adapter can use it.
std::string why_unusable(std::string_view adapter, const json::value& given, const std::string& all) {
  if (adapter == "stripe") {
    const auto method = psp::stripe::read_payment_method(all);
    return method ? std::string() : method.error().reason;
  }
  if (adapter != "adyen") return "an adapter is named that is not known; known are adyen and stripe";
  const auto* object = given.if_object();
  const bool is_encrypted = object != nullptr && std::ranges::any_of(*object, [](const auto& member) {
                              return member.key().starts_with("encrypted");
                            });
  if (is_encrypted) {
    return "encrypted card data is not taken, because it would have to be stored; send a stored payment method";
  }
  payment::Transaction transaction{.id = {}, .merchant_id = {}, .amount = Money(1, *Currency::parse("EUR"))};
  transaction.payment_method = all;
  const auto members = psp::adyen::payment_method_members(transaction, false);
  return members ? std::string() : members.error();
}

// "https://host", ":port" or not, then a path, a query, a fragment or nothing.
bool has_host(std::string_view url) {
  url.remove_prefix(std::string_view("https://").size());
  const auto authority = url.substr(0, url.find_first_of("/?#"));
  const auto host = authority.substr(0, authority.find(':'));
  const auto port = authority.substr(std::min(host.size() + 1, authority.size()));
  const bool has_port = host.size() < authority.size();
  return !host.empty() && is_alphanumeric(host.front()) &&
         std::ranges::all_of(host, [](char c) { return is_alphanumeric(c) || c == '.' || c == '-'; }) &&
         (!has_port || (!port.empty() && port.size() <= 5 && std::ranges::all_of(port, is_digit)));
}

}  // namespace

std::expected<std::string, http::Response> read_payment_method(const json::object& body) {
  const auto* member = body.if_contains("payment_method");
  if (member == nullptr) return {};
  const auto* methods = member->if_object();
  if (methods == nullptr) return refuse_method("it is not an object");
  if (methods->empty()) return refuse_method("it is empty; leave it out if there is none");
  auto text = json::serialize(*methods);
  for (const auto& method : *methods) {
    const auto why = why_unusable({method.key().data(), method.key().size()}, method.value(), text);
    if (!why.empty()) return refuse_method(why);
  }
  return text;
}

std::expected<std::string, http::Response> read_return_url(const json::object& body) {
  const auto* member = body.if_contains("return_url");
  if (member == nullptr) return {};
  const auto* given = member->if_string();
  std::string url = given == nullptr ? std::string() : std::string(given->data(), given->size());
  if (url.starts_with("https://") && payment::is_web_address(url) && has_host(url)) return url;
  return std::unexpected(
      http::problem(422, "Invalid return_url",
                    "return_url must be an https address of at most 2048 printable ASCII characters, such as "
                    "https://shop.example/back; leave it out if the customer is not there"));
}

}  // namespace switchyard::core
