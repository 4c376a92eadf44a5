#include "psp/adyen/members.hpp"

#include <boost/json/value.hpp>
#include <fmt/format.h>

namespace switchyard::psp::adyen {
namespace {

namespace json = boost::json;

}  // namespace

std::string to_string(const Amount& amount) {
  return fmt::format("{} {}", amount.value, amount.currency.empty() ? "of no currency" : amount.currency);
}

const json::value* Members::find(std::string_view name) const {
  const auto* value = object_.if_contains(json::string_view(name.data(), name.size()));
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::string Members::text(std::string_view name) {
  const auto* value = find(name);
  if (value == nullptr) return {};
  const auto* text = value->if_string();
  if (text != nullptr) return {text->data(), text->size()};
  are_sound_ = false;
  return {};
}

std::string Members::code(std::string_view name) {
  const auto* value = find(name);
  if (value != nullptr && value->is_int64()) return std::to_string(value->get_int64());
  return text(name);
}

std::string Members::flag(std::string_view name) {
  const auto* value = find(name);
  if (value != nullptr && value->is_bool()) return value->get_bool() ? "true" : "false";
  return text(name);
}

std::optional<Amount> Members::amount(std::string_view name) {
  const auto* parts = object(name);
  if (parts == nullptr) return std::nullopt;
  Members members(*parts);
  Amount amount{.currency = members.text("currency")};
  // A fraction or an exponent is no number of minor units, whatever it amounts to.
  const auto* value = members.find("value");
  if (value == nullptr && amount.currency.empty() && members.are_sound()) return std::nullopt;
  if (value == nullptr || !value->is_int64() || !members.are_sound()) {
    are_sound_ = false;
    return std::nullopt;
  }
  amount.value = value->get_int64();
  return amount;
}

const json::object* Members::object(std::string_view name) {
  const auto* value = find(name);
  if (value == nullptr) return nullptr;
  const auto* object = value->if_object();
  if (object == nullptr) are_sound_ = false;
  return object;
}

}  // namespace switchyard::psp::adyen
