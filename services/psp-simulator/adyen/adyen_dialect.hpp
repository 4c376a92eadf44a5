// Adyen as psp-simulator plays it: Checkout API v71, payments and their modifications.
#pragma once

#include <string>

#include "psp-simulator/dialect/dialect.hpp"
#include "token/hmac_sha256.hpp"

namespace switchyard::psp_simulator::adyen {

struct Settings {
  // Where its events go; empty: nowhere.
  std::string webhook_url{};
  // By which they are signed: 64 hexadecimal digits.
  std::string hmac_key{};
};

class AdyenDialect final : public Dialect {
 public:
  explicit AdyenDialect(Settings settings);

  std::string_view name() const override { return "adyen"; }
  std::span<const Endpoint> endpoints() const override;
  std::optional<Reply> refuse(const http::Request& request) const override;
  std::chrono::hours key_held_for() const override { return std::chrono::hours(7 * 24); }
  void mark(Reply& reply, const Asked& asked, bool is_replayed) const override;
  // Adyen does not say what it does then; here it is never taken for the first one.
  Reply key_with_another_request() const override;
  Reply broken(psp::simulator::Answer how) const override;
  void settle(Session& session) const override;
  const std::string& webhook_url() const override { return settings_.webhook_url; }
  http::ClientRequest delivery(std::string_view event, Timestamp now) const override;
  bool is_in_line() const override { return true; }

 private:
  const Settings settings_;
  const token::HmacSha256 key_;
};

}  // namespace switchyard::psp_simulator::adyen
