// What the events of Adyen's standard webhook are about: eventCode.
//
// Source: Adyen, Webhooks API v1 and Development resources, "Webhook types". Traps: CAPTURE_FAILED,
// REFUND_FAILED and REFUNDED_REVERSED carry success "true" where money went the other way.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "payment/operation.hpp"

namespace switchyard::psp::adyen {

enum class EventMeaning {
  result,      // of an operation: success says which
  taken_back,  // what succeeded has not happened after all
  charged_back,
  expired,    // the hold
  attention,  // a person must see it
  ignored,
};

struct EventCode {
  std::string_view code;
  EventMeaning meaning;
  std::optional<payment::Kind> kind;
  // For the person who sees it.
  std::string_view words = {};
};

inline constexpr auto event_codes = std::to_array<EventCode>({
    {"AUTHORISATION", EventMeaning::result, payment::Kind::authorize},
    {"CAPTURE", EventMeaning::result, payment::Kind::capture},
    {"CANCELLATION", EventMeaning::result, payment::Kind::void_},
    {"TECHNICAL_CANCEL", EventMeaning::result, payment::Kind::void_},
    {"REFUND", EventMeaning::result, payment::Kind::refund},

    {"CAPTURE_FAILED", EventMeaning::taken_back, payment::Kind::capture, "the capture failed after all"},
    {"REFUND_FAILED", EventMeaning::taken_back, payment::Kind::refund, "the refund failed after all"},
    {"REFUNDED_REVERSED", EventMeaning::taken_back, payment::Kind::refund, "the refunded money came back"},

    // By the time it comes the hold may be captured in part: what is left of it is in no event.
    {"EXPIRE", EventMeaning::expired, {}, "the hold has expired, and what was not captured is released"},
    // Never asked for by us: somebody did it in the Customer Area.
    {"CANCEL_OR_REFUND", EventMeaning::attention, {}, "the payment was cancelled or refunded by another way"},
    {"AUTHORISATION_ADJUSTMENT", EventMeaning::attention, {}, "the amount of the hold was changed"},
    {"REFUND_WITH_DATA", EventMeaning::attention, {}, "money was paid out without a payment"},
    {"VOID_PENDING_REFUND", EventMeaning::attention, {}, "a refund that was waiting was cancelled"},
    {"HANDLED_EXTERNALLY", EventMeaning::attention, {}, "the payment was handled outside of Adyen"},
    {"MANUAL_REVIEW_REJECT", EventMeaning::attention, {}, "Adyen's review rejected the payment"},
    {"OFFER_CLOSED", EventMeaning::attention, {}, "the customer did not pay in time"},

    {"REQUEST_FOR_INFORMATION", EventMeaning::attention, {}, "the issuer asks about the payment"},
    {"NOTIFICATION_OF_FRAUD", EventMeaning::attention, {}, "the issuer reports fraud"},
    {"NOTIFICATION_OF_CHARGEBACK", EventMeaning::attention, {}, "a chargeback is coming"},
    {"CHARGEBACK", EventMeaning::charged_back, {}, "a chargeback"},
    {"CHARGEBACK_REVERSED", EventMeaning::attention, {}, "a chargeback was reversed"},
    {"SECOND_CHARGEBACK", EventMeaning::attention, {}, "a second chargeback"},
    {"PREARBITRATION_WON", EventMeaning::attention, {}, "a dispute was won"},
    {"PREARBITRATION_LOST", EventMeaning::attention, {}, "a dispute was lost"},
    {"ARBITRATION_WON", EventMeaning::attention, {}, "a dispute was won"},
    {"ARBITRATION_LOST", EventMeaning::attention, {}, "a dispute was lost"},

    {"MANUAL_REVIEW_ACCEPT", EventMeaning::ignored, {}},
    // REFUND follows when the payment is captured.
    {"POSTPONED_REFUND", EventMeaning::ignored, {}},
    {"REPORT_AVAILABLE", EventMeaning::ignored, {}},
    {"PENDING", EventMeaning::ignored, {}},
    {"ORDER_OPENED", EventMeaning::ignored, {}},
    {"ORDER_CLOSED", EventMeaning::ignored, {}},
});

// Of one that is not known here: ignored. Adyen adds new ones, and one that is refused holds all others up.
constexpr EventMeaning meaning_of(const EventCode* code) {
  return code == nullptr ? EventMeaning::ignored : code->meaning;
}

constexpr const EventCode* find_event_code(std::string_view code) {
  const auto* const found = std::ranges::find(event_codes, code, &EventCode::code);
  return found == event_codes.end() ? nullptr : found;
}

}  // namespace switchyard::psp::adyen
