// Stripe's webhook: the signature (signature.hpp) of a request, and what its event says (events.hpp).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "psp/webhook.hpp"
#include "token/hmac_sha256.hpp"

namespace switchyard::psp::stripe {

struct WebhookSettings {
  // "whsec_..."; while it is replaced, the one before, too. Empty: no event is believed.
  std::string secret{};
  std::string secret_previous{};
  // Whether real money is meant; an event of the other kind is Ignored. Empty if that is not known.
  std::optional<bool> is_live{};
};

// Whether a key ("sk_live_...", "rk_test_...") is one for real money; nothing for what is no such key. Stripe
// documentation, API keys.
std::optional<bool> is_live(std::string_view secret_key);

class WebhookReader final : public Webhook {
 public:
  explicit WebhookReader(const WebhookSettings& settings);

  std::expected<std::vector<Notice>, EventRefusal> read(const WebhookRequest& request,
                                                        Timestamp now) const override;

 private:
  const std::vector<token::HmacSha256> keys_;
  const std::optional<bool> is_live_;
};

}  // namespace switchyard::psp::stripe
