#include "psp/stripe/webhook_reader.hpp"

#include "psp/stripe/events.hpp"
#include "psp/stripe/signature.hpp"

namespace switchyard::psp::stripe {
namespace {

std::vector<token::HmacSha256> keys_of(const WebhookSettings& settings) {
  std::vector<token::HmacSha256> keys;
  for (const auto* secret : {&settings.secret, &settings.secret_previous}) {
    if (!secret->empty()) keys.emplace_back(*secret);
  }
  return keys;
}

}  // namespace

std::optional<bool> is_live(std::string_view secret_key) {
  if (secret_key.starts_with("sk_live_") || secret_key.starts_with("rk_live_")) return true;
  if (secret_key.starts_with("sk_test_") || secret_key.starts_with("rk_test_")) return false;
  return std::nullopt;
}

WebhookReader::WebhookReader(const WebhookSettings& settings)
    : keys_(keys_of(settings)), is_live_(settings.is_live) {}

std::expected<std::vector<Notice>, EventRefusal> WebhookReader::read(const WebhookRequest& request,
                                                                     Timestamp now) const {
  const auto body = request.body;
  if (body.size() > webhook_bytes_max) return std::unexpected(EventRefusal{false, "the event is too large"});
  const auto why = why_not_signed(keys_, request.header("Stripe-Signature"), body, now);
  if (!why.empty()) return std::unexpected(EventRefusal{true, std::string(why)});
  return read_event(body, is_live_);
}

}  // namespace switchyard::psp::stripe
