#include "psp/stripe/payment_method.hpp"

#include <algorithm>
#include <array>

#include <boost/json/object.hpp>
#include <fmt/format.h>

#include "http/json.hpp"
#include "psp/stripe/objects.hpp"

namespace switchyard::psp::stripe {
namespace {

namespace json = boost::json;

constexpr auto members = std::to_array<std::string_view>({"payment_method", "customer", "off_session"});

std::unexpected<payment::Rejected> refuse_method(std::string_view why) {
  return std::unexpected(payment::Rejected{fmt::format("payment_method.stripe {}", why)});
}

std::expected<PaymentMethod, payment::Rejected> read_whole(const json::object& object) {
  for (const auto& member : object) {
    const std::string_view name(member.key().data(), member.key().size());
    if (std::ranges::find(members, name) == members.end()) return refuse_method("has a member not known");
  }
  PaymentMethod method{.id = text_of(object, "payment_method"), .customer = text_of(object, "customer")};
  if (!is_id(method.id)) return refuse_method("names no payment method such as pm_...");
  if (object.contains("customer") && !is_id(method.customer)) {
    return refuse_method("names no customer such as cus_...");
  }
  if (const auto* off_session = object.if_contains("off_session")) {
    if (!off_session->is_bool()) return refuse_method("says of off_session neither true nor false");
    method.off_session = off_session->get_bool();
  }
  return method;
}

}  // namespace

std::expected<PaymentMethod, payment::Rejected> read_payment_method(std::string_view by_adapter) {
  if (by_adapter.empty()) return refuse_method("is missing");
  const auto value = http::read_json(by_adapter, http::request_json_bounds);
  if (!value || !value->is_object()) return refuse_method("cannot be read");
  const auto& methods = value->get_object();
  if (!methods.contains(json::string_view(adapter_name.data(), adapter_name.size()))) {
    return refuse_method("is missing");
  }
  if (const auto* whole = object_of(methods, adapter_name)) return read_whole(*whole);
  PaymentMethod method{.id = text_of(methods, adapter_name)};
  if (!is_id(method.id)) return refuse_method("names no payment method such as pm_...");
  return method;
}

}  // namespace switchyard::psp::stripe
