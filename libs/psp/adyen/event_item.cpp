#include "psp/adyen/event_item.hpp"

#include <fmt/format.h>

namespace switchyard::psp::adyen {
namespace {

// The signed text is not escaped. With colons in one of the values only, it can be taken apart in one way
// only: nobody can send what Adyen signed as other values. Adyen's own names have none.
bool has_colons_in_reference_only(const EventItem& item) {
  const bool has_one = item.psp_reference.contains(':') || item.original_reference.contains(':') ||
                       item.merchant_account.contains(':') || item.event_code.contains(':') ||
                       (item.amount && item.amount->currency.contains(':'));
  return !has_one;
}

}  // namespace

std::optional<EventItem> read_item(const boost::json::value& wrapped) {
  const auto* wrapper = wrapped.if_object();
  const auto* found = wrapper == nullptr ? nullptr : wrapper->if_contains("NotificationRequestItem");
  const auto* object = found == nullptr ? nullptr : found->if_object();
  if (object == nullptr) return std::nullopt;
  Members members(*object);
  EventItem item{.psp_reference = members.text("pspReference"),
                 .original_reference = members.text("originalReference"),
                 .merchant_account = members.text("merchantAccountCode"),
                 .merchant_reference = members.text("merchantReference"),
                 .amount = members.amount("amount"),
                 .event_code = members.text("eventCode"),
                 .success = members.flag("success"),
                 .reason = members.text("reason"),
                 .signature = {}};
  if (const auto* more = members.object("additionalData")) {
    Members additional(*more);
    item.signature = additional.text("hmacSignature");
    if (!additional.are_sound()) return std::nullopt;
  }
  const bool is_whole = !item.psp_reference.empty() && !item.merchant_account.empty() &&
                        !item.event_code.empty() && (item.success == "true" || item.success == "false");
  if (!members.are_sound() || !is_whole || !has_colons_in_reference_only(item)) return std::nullopt;
  return item;
}

std::string signed_text(const EventItem& item) {
  return fmt::format("{}:{}:{}:{}:{}:{}:{}:{}", item.psp_reference, item.original_reference,
                     item.merchant_account, item.merchant_reference,
                     item.amount ? std::to_string(item.amount->value) : std::string(),
                     item.amount ? item.amount->currency : std::string(), item.event_code, item.success);
}

}  // namespace switchyard::psp::adyen
