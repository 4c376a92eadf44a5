#include "psp-simulator/stripe/stripe_dialect.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/ascii.hpp"
#include "base/assert.hpp"
#include "base/hex.hpp"
#include "psp-simulator/dialect/names.hpp"
#include "psp-simulator/stripe/errors.hpp"
#include "psp-simulator/stripe/objects.hpp"
#include "psp-simulator/stripe/payments.hpp"
#include "psp-simulator/stripe/reading.hpp"
#include "psp-simulator/stripe/refunds.hpp"
#include "token/base64url.hpp"

namespace switchyard::psp_simulator::stripe {
namespace {

using http::Method;
using psp::simulator::Answer;

constexpr std::size_t key_bytes_max = 255;
constexpr std::string_view form_type = "application/x-www-form-urlencoded";

constexpr auto endpoint_table = std::to_array<Endpoint>({
    {Method::post, "/v1/payment_intents", create_payment},
    {Method::get, "/v1/payment_intents", list_payments},
    {Method::get, "/v1/payment_intents/search", search_payments},
    {Method::get, "/v1/payment_intents/{id}", get_payment},
    {Method::post, "/v1/payment_intents/{id}", update_payment},
    {Method::post, "/v1/payment_intents/{id}/confirm", confirm_payment},
    {Method::post, "/v1/payment_intents/{id}/capture", capture_payment},
    {Method::post, "/v1/payment_intents/{id}/cancel", cancel_payment},
    {Method::post, "/v1/refunds", create_refund},
    {Method::get, "/v1/refunds", list_refunds},
    {Method::get, "/v1/refunds/{id}", get_refund},
    {Method::get, "/v1/charges", list_charges},
    {Method::get, "/v1/charges/{id}", get_charge},
    {Method::get, "/v1/events", list_events},
    {Method::get, "/v1/events/{id}", get_event},
    {Method::get, customers_path, customer_is_back},
});

// The key in "Bearer <key>", or the user of "Basic ...".
std::string key_in(std::string_view authorization) {
  constexpr std::string_view bearer = "Bearer ";
  constexpr std::string_view basic = "Basic ";
  if (authorization.starts_with(bearer)) return std::string(authorization.substr(bearer.size()));
  if (!authorization.starts_with(basic)) return {};
  auto encoded = std::string(authorization.substr(basic.size()));
  while (encoded.ends_with('=')) encoded.pop_back();
  std::ranges::replace(encoded, '+', '-');
  std::ranges::replace(encoded, '/', '_');
  const auto decoded = token::base64url_decode(encoded).value_or(std::string());
  return decoded.substr(0, decoded.find(':'));
}

// "2026-08-26.dahlia", or the date alone.
bool is_version(std::string_view text) {
  constexpr std::string_view form = "0000-00-00";
  if (text.size() < form.size()) return false;
  for (std::size_t i = 0; i < form.size(); ++i) {
    if (form[i] == '0' ? !is_digit(text[i]) : text[i] != form[i]) return false;
  }
  const auto release = text.substr(form.size());
  return release.empty() || (release.starts_with('.') && release.size() > 1 &&
                             std::ranges::all_of(release.substr(1), is_alphanumeric));
}

Reply unauthorized(std::string_view key) {
  auto reply = error(401, {.message = key.empty() ? "You did not provide an API key."
                                                  : "No key of a test account: sk_test_... is one."});
  reply.is_kept = false;
  return reply;
}

}  // namespace

StripeDialect::StripeDialect(Settings settings)
    : settings_(std::move(settings)),
      key_(settings_.webhook_secret.empty() ? "unset" : settings_.webhook_secret) {}

std::span<const Endpoint> StripeDialect::endpoints() const {
  return endpoint_table;
}

std::optional<Reply> StripeDialect::refuse(const http::Request& request) const {
  // The customer comes with a browser.
  if (request.path.starts_with(customers_path.substr(0, customers_path.find('{')))) return std::nullopt;
  const auto key = key_in(request.header("Authorization"));
  if (!key.starts_with("sk_test_") && !key.starts_with("rk_test_")) return unauthorized(key);
  const auto version = request.header("Stripe-Version");
  if (!version.empty() && !is_version(version)) return invalid({}, "Invalid Stripe API version.");
  if (request.method != Method::post) return std::nullopt;
  if (!request.body.empty() && !request.header("Content-Type").starts_with(form_type)) {
    return invalid({}, "Send parameters as application/x-www-form-urlencoded.");
  }
  if (request.header("Idempotency-Key").size() > key_bytes_max) {
    return invalid({}, "An Idempotency-Key has at most 255 characters.");
  }
  return std::nullopt;
}

void StripeDialect::mark(Reply& reply, const Asked& asked, bool is_replayed) const {
  reply.headers.emplace_back("Request-Id", new_name("req_", 14));
  if (!asked.version.empty()) reply.headers.emplace_back("Stripe-Version", asked.version);
  if (!asked.key.empty()) reply.headers.emplace_back("Idempotency-Key", asked.key);
  if (!is_replayed) return;
  reply.headers.emplace_back("Idempotent-Replayed", "true");
  reply.headers.emplace_back("Original-Request", new_name("req_", 14));
}

Reply StripeDialect::key_with_another_request() const {
  auto reply =
      error(400, {.type = "idempotency_error",
                  .message = "This key was used with another request; use a new key for a new one."});
  reply.is_kept = false;
  return reply;
}

Reply StripeDialect::broken(Answer how) const {
  switch (how) {
    case Answer::in_use:
      return error(409, {.code = "idempotency_key_in_use",
                         .message = "The first request with this key is still at work."});
    case Answer::too_many: {
      auto reply = error(429, {.code = "rate_limit", .message = "Too many requests."});
      reply.headers.emplace_back("Stripe-Rate-Limited-Reason", "global-rate");
      return reply;
    }
    case Answer::transient: {
      auto reply = error(503, {.type = "api_error", .message = "Temporarily unavailable."});
      reply.headers.emplace_back("Stripe-Should-Retry", "true");
      return reply;
    }
    case Answer::error:
    case Answer::error_kept:
      return error(500, {.type = "api_error", .message = "Broken on purpose: it may or may not be done."});
    case Answer::given:
    case Answer::late:
    case Answer::withheld:
    case Answer::reset:
    case Answer::garbage:
    case Answer::unreachable:
      break;
  }
  SWITCHYARD_ASSERT(false);
}

void StripeDialect::settle(Session& session) const {
  for (auto& refund : session.rows.open_ones(refund_type)) settle_refund(session, std::move(refund));
  for (auto& intent : session.rows.open_ones(intent_type)) save_as_booked(session, intent, {});
}

// Stripe documentation, "Verify webhook signatures manually".
http::ClientRequest StripeDialect::delivery(std::string_view event, Timestamp now) const {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  const auto mac = key_.sign(fmt::format("{}.{}", seconds, event));
  return {.method = "POST",
          .url = settings_.webhook_url,
          .body = std::string(event),
          .headers = {"Content-Type: application/json; charset=utf-8", "User-Agent: Stripe/1.0",
                      fmt::format("Stripe-Signature: t={},v1={}", seconds, to_hex(mac))}};
}

}  // namespace switchyard::psp_simulator::stripe
