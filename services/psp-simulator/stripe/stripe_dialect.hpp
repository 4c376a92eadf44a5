// Stripe as psp-simulator plays it: /v1/payment_intents, /v1/refunds, /v1/charges and /v1/events.
#pragma once

#include <string>

#include "psp-simulator/dialect/dialect.hpp"
#include "token/hmac_sha256.hpp"

namespace switchyard::psp_simulator::stripe {

struct Settings {
  // Where its events go; empty: nowhere.
  std::string webhook_url{};
  // By which they are signed: "whsec_...".
  std::string webhook_secret{};
};

class StripeDialect final : public Dialect {
 public:
  explicit StripeDialect(Settings settings);

  std::string_view name() const override { return "stripe"; }
  std::span<const Endpoint> endpoints() const override;
  std::optional<Reply> refuse(const http::Request& request) const override;
  std::chrono::hours key_held_for() const override { return std::chrono::hours(24); }
  void mark(Reply& reply, const Asked& asked, bool is_replayed) const override;
  Reply key_with_another_request() const override;
  Reply broken(psp::simulator::Answer how) const override;
  void settle(Session& session) const override;
  const std::string& webhook_url() const override { return settings_.webhook_url; }
  http::ClientRequest delivery(std::string_view event, Timestamp now) const override;
  bool is_in_line() const override { return false; }

 private:
  const Settings settings_;
  const token::HmacSha256 key_;
};

}  // namespace switchyard::psp_simulator::stripe
