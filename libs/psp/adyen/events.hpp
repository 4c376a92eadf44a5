// What Adyen's standard webhook says (Adyen, Webhooks API v1; Development resources, "Verify HMAC
// signatures").
//
// Each item is signed by itself: HMAC-SHA256 over eight of its values, joined by colons and not escaped, in
// base64. Nothing of a request is believed if one of its items is not signed with one of the account's keys.
// What is outside the eight values is not signed: reason is shown and decides nothing.
//
// | AUTHORISATION, CAPTURE, CANCELLATION,                  | Succeeded or Declined, by success |
// |   TECHNICAL_CANCEL, REFUND                             |                                   |
// | CAPTURE_FAILED, REFUND_FAILED, REFUNDED_REVERSED       | TakenBack                         |
// | CHARGEBACK: the first one takes the money              | ChargedBack                       |
// | EXPIRE                                                 | HoldExpired                       |
// | other disputes, what we never ask for                  | Attention                         |
// | an amount that is none of ours                         | Attention                         |
// | all others, also unknown ones                          | Ignored                           |
//
// How it is matched: by Notice::payment first, then by idempotency_key, which comes from the reference that
// was sent (names.hpp). An AUTHORISATION is the payment itself. A payment that is captured automatically has
// no capture of ours: its CAPTURE and CAPTURE_FAILED carry the authorization's key. After a cancel by
// reference the key of TECHNICAL_CANCEL is the authorization's, too, and kind is void_.
//
// Adyen sends duplicates and in no order: Notice::event is pspReference:eventCode:success.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "psp/adyen/settings.hpp"
#include "psp/webhook.hpp"
#include "token/hmac_sha256.hpp"

namespace switchyard::psp::adyen {

// Immutable; safe to use from any thread.
class EventReader final : public Webhook {
 public:
  // problem_of(settings) is empty.
  explicit EventReader(const WebhookSettings& settings);

  // The body of one request, as it came. All its items, or nothing. An event of another merchant account, or
  // a test event where money moves, is refused: it was sent to the wrong address, and Adyen keeps it for 30
  // days.
  std::expected<std::vector<Notice>, EventRefusal> read(std::string_view body) const;
  // Its headers say nothing: the signatures stand in the items.
  std::expected<std::vector<Notice>, EventRefusal> read(const WebhookRequest& request,
                                                        Timestamp /*now*/) const override {
    return read(request.body);
  }

  // Whether it is the signature of the text by one of the keys, in standard base64. In constant time.
  bool is_signed(std::string_view text, std::string_view signature) const;

 private:
  const std::string merchant_account_;
  const bool is_live_;
  // The current one, and the previous one where there is one.
  std::vector<token::HmacSha256> keys_;
};

}  // namespace switchyard::psp::adyen
