// Adyen as a PSP: Checkout API v71. requests.hpp says what is sent, answers.hpp what the answers mean,
// events.hpp what comes by the webhook.
//
// Adyen has nothing to ask for a payment: a lost outcome is learned by sending the same request again under
// the same key, for as long as Adyen keeps the key. A modification that is "received" has no other answer,
// and a payment that waits for its customer or its bank would be answered as before: those are only waited
// for. What a customer brings back from a redirect goes to POST /payments/details, whose answer is the
// payment's (details.hpp). A payment whose customer does not come, or of which nothing could be learned, is
// cancelled by reference, and Adyen says by its webhook what became of that (cancel_by_reference.hpp).
#pragma once

#include "psp/adyen/settings.hpp"
#include "psp/protocol.hpp"

namespace switchyard::psp::adyen {

// Adyen promises 7 days (Development resources, "API idempotency"); the last hour is for clocks and the way.
inline constexpr std::chrono::hours key_held_for{6 * 24 + 23};

class AdyenProtocol final : public Protocol {
 public:
  // problem_of(settings) is empty.
  explicit AdyenProtocol(Settings settings);

  std::string_view name() const override { return settings_.account; }
  std::string_view secret() const override { return settings_.api_key; }
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
  const Settings settings_;
};

}  // namespace switchyard::psp::adyen
