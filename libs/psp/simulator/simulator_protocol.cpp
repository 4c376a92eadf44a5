#include "psp/simulator/simulator_protocol.hpp"

#include <utility>

#include <fmt/format.h>

#include "base/assert.hpp"
#include "http/query.hpp"
#include "psp/simulator/answers.hpp"
#include "psp/simulator/requests.hpp"

namespace switchyard::psp::simulator {
namespace {

std::string without_slash_at_end(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

std::string path_of(const payment::Step& step) {
  // What the PSP called it may hold anything.
  const auto below_charge = [&step](std::string_view what) {
    return fmt::format("/charges/{}/{}", http::percent_encoded(charge_id_of(step.state)), what);
  };
  switch (step.operation().kind) {
    case payment::Kind::authorize:
      return "/charges";
    case payment::Kind::capture:
      return below_charge("captures");
    case payment::Kind::void_:
      return below_charge("voids");
    case payment::Kind::refund:
      return below_charge("refunds");
  }
  SWITCHYARD_ASSERT(false);
}

}  // namespace

SimulatorProtocol::SimulatorProtocol(std::string url, std::string account)
    : url_(without_slash_at_end(std::move(url))), account_(std::move(account)) {}

std::expected<std::string, payment::Rejected> SimulatorProtocol::encode(
    const payment::State& state, const payment::Operation& operation) const {
  return simulator::encode(state, operation);
}

http::ClientRequest SimulatorProtocol::send(const payment::Step& step) const {
  return {
      .method = "POST",
      .url = url_ + path_of(step),
      .body = step.operation().request,
      .headers = {"Content-Type: application/json", "Idempotency-Key: " + step.operation().idempotency_key}};
}

payment::Answer SimulatorProtocol::read(const payment::Step& step, const http::CallResult& result) const {
  return read_answer(step, result);
}

std::optional<http::ClientRequest> SimulatorProtocol::look_up(const payment::Step& step, Timestamp) const {
  const auto& operation = step.operation();
  const auto query =
      operation.kind == payment::Kind::authorize
          ? "/charges?reference=" + http::percent_encoded(psp_reference(step.state.transaction))
          : "/operations?idempotency_key=" + http::percent_encoded(operation.idempotency_key);
  return http::ClientRequest{.url = url_ + query, .body = {}, .headers = {}};
}

payment::Found SimulatorProtocol::read_look_up(const payment::Step& step, const http::ClientRequest&,
                                               const http::CallResult& result) const {
  return read_look_up_answer(step, result);
}

}  // namespace switchyard::psp::simulator
