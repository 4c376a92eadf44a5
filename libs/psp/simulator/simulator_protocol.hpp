// services/psp-simulator as a PSP, over HTTP: its README says what it takes; answers.hpp says what its
// answers mean.
#pragma once

#include <string>

#include "psp/protocol.hpp"

namespace switchyard::psp::simulator {

class SimulatorProtocol final : public Protocol {
 public:
  // `url`: where the PSP's paths begin, such as "http://127.0.0.1:5000". `account`: the name that operations
  // carry.
  explicit SimulatorProtocol(std::string url, std::string account = "psp-simulator");

  std::string_view name() const override { return account_; }
  Capabilities capabilities() const override { return everything; }
  std::expected<std::string, payment::Rejected> encode(const payment::State& state,
                                                       const payment::Operation& operation) const override;
  http::ClientRequest send(const payment::Step& step) const override;
  payment::Answer read(const payment::Step& step, const http::CallResult& result) const override;
  std::optional<http::ClientRequest> look_up(const payment::Step& step, Timestamp now) const override;
  payment::Found read_look_up(const payment::Step& step, const http::ClientRequest& request,
                              const http::CallResult& result) const override;

 private:
  const std::string url_;
  const std::string account_;
};

}  // namespace switchyard::psp::simulator
