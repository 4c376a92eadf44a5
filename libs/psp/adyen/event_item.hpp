// An item of Adyen's webhook, as it stands there; and the text of it that is signed.
#pragma once

#include <optional>
#include <string>

#include <boost/json/value.hpp>

#include "psp/adyen/members.hpp"

namespace switchyard::psp::adyen {

// Empty what is not there.
struct EventItem {
  std::string psp_reference;
  std::string original_reference;
  std::string merchant_account;
  std::string merchant_reference;
  std::optional<Amount> amount;
  std::string event_code;
  // "true" or "false".
  std::string success;
  // Not signed.
  std::string reason;
  std::string signature;

  bool is_success() const { return success == "true"; }
};

// {"NotificationRequestItem":{...}}. Nothing if a member has a wrong type, or one is missing that each item
// has.
std::optional<EventItem> read_item(const boost::json::value& wrapped);

std::string signed_text(const EventItem& item);

}  // namespace switchyard::psp::adyen
