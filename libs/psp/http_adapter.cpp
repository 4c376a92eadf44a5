#include "psp/http_adapter.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"
#include "psp/questions.hpp"

namespace switchyard::psp {
namespace {

std::chrono::milliseconds time_left(Deadline deadline) {
  using std::chrono::milliseconds;
  // Bounded, so that a deadline that never comes can be added to a time.
  const auto left = std::chrono::floor<milliseconds>(deadline - std::chrono::steady_clock::now());
  return std::clamp(left, milliseconds(0), milliseconds(3'600'000));
}

}  // namespace

void hide_secret(std::string_view secret, std::string& text) {
  if (secret.empty()) return;
  constexpr std::string_view shown = "[secret]";
  for (auto at = text.find(secret); at != std::string::npos; at = text.find(secret, at + shown.size())) {
    text.replace(at, secret.size(), shown);
  }
}

HttpAdapter::HttpAdapter(Executor executor, std::unique_ptr<Protocol> protocol, std::size_t connections_max)
    : protocol_(std::move(protocol)), client_(executor, {.connections_max = connections_max}) {}

std::expected<std::string, payment::Rejected> HttpAdapter::encode(const payment::State& state,
                                                                  const payment::Operation& operation) const {
  if (auto refused = refusal_of(capabilities(), name(), state, operation)) {
    return std::unexpected(std::move(*refused));
  }
  return protocol_->encode(state, operation);
}

Task<payment::Answer> HttpAdapter::send(const payment::Step& step, Deadline deadline) {
  const auto result = co_await call(protocol_->send(step), deadline);
  co_return protocol_->read(step, result);
}

Task<payment::Found> HttpAdapter::look_up(const payment::Step& step, Timestamp now, Deadline deadline) {
  const auto question = question_of(*protocol_, step, now);
  if (!question) co_return question.error();
  const auto result = co_await call(*question, deadline);
  co_return read_reply(*protocol_, step, *question, result);
}

Task<payment::Found> HttpAdapter::end(const payment::Step& step, Deadline deadline) {
  SWITCHYARD_ASSERT(capabilities().can_end);
  const auto result = co_await call(protocol_->end(step), deadline);
  co_return protocol_->read_end(step, result);
}

Task<http::CallResult> HttpAdapter::call(http::ClientRequest request, Deadline deadline) {
  request.timeout = time_left(deadline);
  auto result = co_await client_.send(std::move(request));
  if (result) hide_secret(protocol_->secret(), result->body);
  co_return result;
}

}  // namespace switchyard::psp
