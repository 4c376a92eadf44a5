// services/psp-simulator as a PSP, over HTTP: POST /charges with payment::request_bytes and the attempt's
// key, GET /charges to look one up. answers.hpp says what the answers mean.
#pragma once

#include <string>

#include "http/async_client.hpp"
#include "psp/adapter.hpp"

namespace switchyard::psp::remote_simulator {

class RemoteSimulator final : public Adapter {
 public:
  // `url`: where the PSP's paths begin, such as "http://127.0.0.1:5000". Used and destroyed on the thread of
  // `executor`.
  RemoteSimulator(Executor executor, std::string url, std::size_t connections_max);

  std::string_view name() const override { return "psp-simulator"; }
  Task<payment::Outcome> authorize(AuthorizeRequest request, Deadline deadline) override;
  Task<LookUpResult> look_up(AuthorizeRequest request, Deadline deadline) override;

 private:
  std::string charges_url_;
  http::AsyncClient client_;
};

}  // namespace switchyard::psp::remote_simulator
