// Stripe, with PaymentIntents: what goes out stands in requests.hpp, what its answers mean in answers.hpp and
// outcomes.hpp, how a lost outcome is learned in look_ups.hpp. Its webhook is webhook_reader.hpp's.
#pragma once

#include <string>
#include <string_view>

#include "psp/protocol.hpp"

namespace switchyard::psp::stripe {

struct Settings {
  // The name that operations carry.
  std::string account{};
  // "sk_live_...", "sk_test_..." or a restricted "rk_...".
  std::string secret_key{};
  // Where Stripe's paths begin.
  std::string base_url = "https://api.stripe.com";
};

// Secrets stand in the headers of requests and in nothing else that leaves this.
class StripeProtocol final : public Protocol {
 public:
  explicit StripeProtocol(Settings settings);

  std::string_view name() const override { return settings_.account; }
  std::string_view secret() const override { return settings_.secret_key; }
  Capabilities capabilities() const override;
  std::expected<std::string, payment::Rejected> encode(const payment::State& state,
                                                       const payment::Operation& operation) const override;
  http::ClientRequest send(const payment::Step& step) const override;
  payment::Answer read(const payment::Step& step, const http::CallResult& result) const override;
  std::optional<http::ClientRequest> look_up(const payment::Step& step, Timestamp now) const override;
  payment::Found read_look_up(const payment::Step& step, const http::ClientRequest& asked,
                              const http::CallResult& result) const override;
  http::ClientRequest end(const payment::Step& step) const override;
  payment::Found read_end(const payment::Step& step, const http::CallResult& result) const override;

 private:
  http::ClientRequest post(std::string_view path, std::string body, std::string_view key) const;

  const Settings settings_;
};

}  // namespace switchyard::psp::stripe
