#include "psp-simulator/adyen/notifications.hpp"

#include <algorithm>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include "psp-simulator/dialect/json.hpp"
#include "token/base64url.hpp"

namespace switchyard::psp_simulator::adyen {
namespace {

namespace json = boost::json;

// 32 bytes: 43 characters of the other alphabet, and one that fills up.
std::string base64_of(const token::HmacSha256::Mac& mac) {
  const std::string bytes(mac.begin(), mac.end());
  auto text = token::base64url_encode(bytes);
  std::ranges::replace(text, '-', '+');
  std::ranges::replace(text, '_', '/');
  return text + '=';
}

std::string signed_text(const json::object& item) {
  const auto* amount = object_in(item, "amount");
  return fmt::format("{}:{}:{}:{}:{}:{}:{}:{}", text_in(item, "pspReference"),
                     text_in(item, "originalReference"), text_in(item, "merchantAccountCode"),
                     text_in(item, "merchantReference"), amount == nullptr ? 0 : number_in(*amount, "value"),
                     amount == nullptr ? std::string() : text_in(*amount, "currency"),
                     text_in(item, "eventCode"), text_in(item, "success"));
}

}  // namespace

void notify(Session& session, payment::Kind about, std::string_view reference,
            const Notification& notification) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(session.now);
  json::object item{{"eventCode", key_of(notification.event_code)},
                    {"success", notification.is_success ? "true" : "false"},
                    {"eventDate", fmt::format("{:%Y-%m-%dT%H:%M:%S}+00:00", fmt::gmtime(seconds))},
                    {"merchantAccountCode", notification.merchant_account},
                    {"pspReference", notification.psp_reference},
                    {"merchantReference", notification.merchant_reference},
                    {"amount", notification.amount},
                    {"paymentMethod", notification.payment_method},
                    {"reason", notification.reason},
                    {"additionalData", json::object()}};
  if (!notification.original_reference.empty()) item["originalReference"] = notification.original_reference;
  if (!notification.action.empty()) {
    item["additionalData"].as_object()["modification.action"] = key_of(notification.action);
  }
  const json::object body{
      {"live", "false"},
      {"notificationItems", json::array{json::object{{"NotificationRequestItem", std::move(item)}}}}};
  send_event(session, about, reference, json::serialize(body));
}

std::string signed_body(std::string_view event, const token::HmacSha256& key) {
  auto body = json::parse({event.data(), event.size()});
  auto& item = body.at("notificationItems").at(0).at("NotificationRequestItem").as_object();
  item["additionalData"].as_object()["hmacSignature"] = base64_of(key.sign(signed_text(item)));
  return json::serialize(body);
}

}  // namespace switchyard::psp_simulator::adyen
