#include "psp/remote_simulator/remote_simulator.hpp"

#include <algorithm>

#include "psp/remote_simulator/answers.hpp"

namespace switchyard::psp::remote_simulator {
namespace {

std::chrono::milliseconds time_left(Deadline deadline) {
  using std::chrono::milliseconds;
  // Bounded, so that a deadline that never comes can be added to a time.
  const auto left = std::chrono::floor<milliseconds>(deadline - std::chrono::steady_clock::now());
  return std::clamp(left, milliseconds(0), milliseconds(3'600'000));
}

std::string without_slash_at_end(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

}  // namespace

RemoteSimulator::RemoteSimulator(Executor executor, std::string url, std::size_t connections_max)
    : charges_url_(without_slash_at_end(std::move(url)) + "/charges"),
      client_(executor, {.connections_max = connections_max}) {}

Task<payment::Outcome> RemoteSimulator::authorize(AuthorizeRequest request, Deadline deadline) {
  http::ClientRequest post{
      .method = "POST",
      .url = charges_url_,
      .body = payment::request_bytes(request.reference, request.amount, request.capture_method),
      .headers = {"Content-Type: application/json", "Idempotency-Key: " + request.idempotency_key},
      .timeout = time_left(deadline)};
  const auto answer = co_await client_.send(std::move(post));
  co_return read_authorize_answer(answer, request);
}

Task<LookUpResult> RemoteSimulator::look_up(AuthorizeRequest request, Deadline deadline) {
  http::ClientRequest get{.url = charges_url_ + "?reference=" + request.reference,
                          .body = {},
                          .headers = {},
                          .timeout = time_left(deadline)};
  const auto answer = co_await client_.send(std::move(get));
  co_return read_look_up_answer(answer, request);
}

}  // namespace switchyard::psp::remote_simulator
