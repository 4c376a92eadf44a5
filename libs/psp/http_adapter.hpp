// A PSP over HTTP: a Protocol and the calls it needs. All I/O of all such PSPs is here.
#pragma once

#include <memory>

#include "http/async_client.hpp"
#include "psp/adapter.hpp"
#include "psp/protocol.hpp"

namespace switchyard::psp {

class HttpAdapter final : public Adapter {
 public:
  // Used and destroyed on the thread of `executor`.
  HttpAdapter(Executor executor, std::unique_ptr<Protocol> protocol, std::size_t connections_max);

  std::string_view name() const override { return protocol_->name(); }
  Capabilities capabilities() const override { return protocol_->capabilities(); }
  std::expected<std::string, payment::Rejected> encode(const payment::State& state,
                                                       const payment::Operation& operation) const override;
  Task<payment::Answer> send(const payment::Step& step, Deadline deadline) override;
  Task<payment::Found> look_up(const payment::Step& step, Timestamp now, Deadline deadline) override;
  Task<payment::Found> end(const payment::Step& step, Deadline deadline) override;

 private:
  Task<http::CallResult> call(http::ClientRequest request, Deadline deadline);

  const std::unique_ptr<Protocol> protocol_;
  http::AsyncClient client_;
};

// Whatever repeats it: the text goes into reasons, replies and logs.
void hide_secret(std::string_view secret, std::string& text);

}  // namespace switchyard::psp
