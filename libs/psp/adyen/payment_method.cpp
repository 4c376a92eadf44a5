#include "psp/adyen/payment_method.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "base/ascii.hpp"
#include "http/json.hpp"
#include "money/card_number.hpp"

namespace switchyard::psp::adyen {
namespace {

namespace json = boost::json;

struct Member {
  std::string_view name;
  std::size_t bytes_min;
  std::size_t bytes_max;
  bool is_required = true;
};

constexpr auto stored_members = std::to_array<Member>({
    {"storedPaymentMethodId", 1, 64},
    {"shopperReference", 3, 256},
    {"recurringProcessingModel", 1, 32, false},
    {"type", 1, 32, false},
});
// Adyen's own limit is 15000 for each.
constexpr auto encrypted_members = std::to_array<Member>({
    {"encryptedCardNumber", 1, 8'192},
    {"encryptedExpiryMonth", 1, 8'192},
    {"encryptedExpiryYear", 1, 8'192},
    {"encryptedSecurityCode", 1, 8'192, false},
    {"holderName", 1, 256, false},
    {"type", 1, 32, false},
});
constexpr std::array<std::string_view, 3> recurring_models{"CardOnFile", "Subscription",
                                                           "UnscheduledCardOnFile"};
constexpr std::string_view test_prefix = "test_";

std::string_view text_in(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(json::string_view(name.data(), name.size()));
  const auto* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string_view() : std::string_view(text->data(), text->size());
}

std::optional<std::string> problem_of_text(std::string_view text, const Member& member, bool is_live) {
  if (text.size() < member.bytes_min || text.size() > member.bytes_max ||
      !std::ranges::all_of(text, is_printable_ascii)) {
    return fmt::format("{} is not a text of {} to {} printable ASCII characters", member.name,
                       member.bytes_min, member.bytes_max);
  }
  const bool is_test_value = member.name.starts_with("encrypted") && text.starts_with(test_prefix);
  if (is_live && is_test_value) return fmt::format("{} is of a test card", member.name);
  if (!is_test_value && contains_card_number(text)) return fmt::format("{} holds a card number", member.name);
  return std::nullopt;
}

// Empty if the object has what it must have, and nothing else.
std::string problem_of_members(const json::object& object, std::span<const Member> members, bool is_live) {
  for (const auto& given : object) {
    const std::string_view name(given.key().data(), given.key().size());
    if (std::ranges::find(members, name, &Member::name) == members.end()) {
      // The name is not repeated: it is the merchant's, and may be anything.
      return "it has a member that is not taken here";
    }
  }
  for (const auto& member : members) {
    const bool is_given = object.contains(json::string_view(member.name.data(), member.name.size()));
    if (!is_given && !member.is_required) continue;
    if (auto problem = problem_of_text(text_in(object, member.name), member, is_live)) return *problem;
  }
  const auto type = text_in(object, "type");
  return type.empty() || type == "scheme" ? std::string() : "its type is not scheme";
}

std::expected<std::string, std::string> stored_card(const json::object& method, bool is_customer_there) {
  std::string_view model = text_in(method, "recurringProcessingModel");
  if (model.empty()) model = is_customer_there ? "CardOnFile" : "UnscheduledCardOnFile";
  if (std::ranges::find(recurring_models, model) == recurring_models.end()) {
    return std::unexpected(
        "recurringProcessingModel is not CardOnFile, Subscription or UnscheduledCardOnFile");
  }
  return fmt::format(
      R"("paymentMethod":{{"type":"scheme","storedPaymentMethodId":{}}},"shopperReference":{},)"
      R"("shopperInteraction":"ContAuth","recurringProcessingModel":"{}")",
      http::json_string(text_in(method, "storedPaymentMethodId")),
      http::json_string(text_in(method, "shopperReference")), model);
}

std::string encrypted_card(const json::object& method) {
  std::string members = R"("paymentMethod":{"type":"scheme")";
  for (const auto& member : encrypted_members) {
    const auto text = text_in(method, member.name);
    if (text.empty() || member.name == "type") continue;
    fmt::format_to(std::back_inserter(members), R"(,"{}":{})", member.name, http::json_string(text));
  }
  return members + R"(},"shopperInteraction":"Ecommerce","channel":"Web")";
}

}  // namespace

std::expected<std::string, std::string> payment_method_members(const payment::Transaction& transaction,
                                                               bool is_live) {
  const auto given = http::read_json(transaction.payment_method, http::request_json_bounds);
  const auto* methods = given ? given->if_object() : nullptr;
  const auto* found = methods == nullptr ? nullptr : methods->if_contains("adyen");
  const auto* method = found == nullptr ? nullptr : found->if_object();
  if (method == nullptr) return std::unexpected("payment_method has no object for adyen");
  const bool is_stored = method->contains("storedPaymentMethodId");
  const auto members =
      is_stored ? std::span<const Member>(stored_members) : std::span<const Member>(encrypted_members);
  if (auto problem = problem_of_members(*method, members, is_live); !problem.empty()) {
    return std::unexpected("payment_method for adyen: " + problem);
  }
  if (!is_stored) return encrypted_card(*method);
  return stored_card(*method, !transaction.return_url.empty());
}

}  // namespace switchyard::psp::adyen
