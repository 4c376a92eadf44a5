#include "psp/stripe/stripe_protocol.hpp"

#include <utility>
#include <vector>

#include <fmt/format.h>

#include "psp/stripe/answers.hpp"
#include "psp/stripe/look_ups.hpp"
#include "psp/stripe/objects.hpp"
#include "psp/stripe/requests.hpp"

namespace switchyard::psp::stripe {
namespace {

Settings with_plain_base(Settings settings) {
  while (settings.base_url.ends_with('/')) settings.base_url.pop_back();
  return settings;
}

std::vector<std::string> headers_of(const Settings& settings) {
  return {"Authorization: Bearer " + settings.secret_key, fmt::format("Stripe-Version: {}", api_version)};
}

}  // namespace

StripeProtocol::StripeProtocol(Settings settings) : settings_(with_plain_base(std::move(settings))) {}

Capabilities StripeProtocol::capabilities() const {
  return {.look_up = LookUp::by_key,
          .key_held_for = key_held_for,
          .partial_capture = true,
          .several_captures = false,
          .late_results = true,
          .can_end = true};
}

std::expected<std::string, payment::Rejected> StripeProtocol::encode(
    const payment::State& state, const payment::Operation& operation) const {
  return stripe::encode(state, operation);
}

http::ClientRequest StripeProtocol::post(std::string_view path, std::string body,
                                         std::string_view key) const {
  http::ClientRequest request{.method = "POST",
                              .url = fmt::format("{}{}", settings_.base_url, path),
                              .body = std::move(body),
                              .headers = headers_of(settings_)};
  request.headers.push_back(fmt::format("Idempotency-Key: {}", key));
  request.headers.emplace_back("Content-Type: application/x-www-form-urlencoded");
  return request;
}

http::ClientRequest StripeProtocol::send(const payment::Step& step) const {
  return post(path_of(step), step.operation().request, step.operation().idempotency_key);
}

// Under a key of its own: what Stripe said to it first, it says again.
http::ClientRequest StripeProtocol::end(const payment::Step& step) const {
  return post(end_path_of(step), std::string(end_request), step.operation().idempotency_key + "-end");
}

payment::Found StripeProtocol::read_end(const payment::Step& step, const http::CallResult& result) const {
  return found_of(read_answer(step, result));
}

payment::Answer StripeProtocol::read(const payment::Step& step, const http::CallResult& result) const {
  return read_answer(step, result);
}

std::optional<http::ClientRequest> StripeProtocol::look_up(const payment::Step& step, Timestamp now) const {
  const auto question = choose_question(step, now);
  if (!question) return std::nullopt;
  if (*question == Question::again) return send(step);
  return http::ClientRequest{
      .url = settings_.base_url + target_of(*question, step), .body = {}, .headers = headers_of(settings_)};
}

payment::Found StripeProtocol::read_look_up(const payment::Step& step, const http::ClientRequest& asked,
                                            const http::CallResult& result) const {
  return read_look_up_answer(step, question_in(asked, settings_.base_url), result);
}

}  // namespace switchyard::psp::stripe
