#include "psp-simulator/adyen/adyen_dialect.hpp"

#include <array>
#include <utility>

#include "base/assert.hpp"
#include "psp-simulator/adyen/errors.hpp"
#include "psp-simulator/adyen/modifications.hpp"
#include "psp-simulator/adyen/notifications.hpp"
#include "psp-simulator/adyen/payments.hpp"
#include "psp/adyen/settings.hpp"

namespace switchyard::psp_simulator::adyen {
namespace {

using http::Method;
using psp::simulator::Answer;

constexpr std::size_t key_characters_max = 64;

constexpr auto endpoint_table = std::to_array<Endpoint>({
    {Method::post, "/v71/payments", make_payment},
    {Method::post, "/v71/payments/details", add_details},
    {Method::post, "/v71/paymentMethods", list_payment_methods},
    {Method::post, "/v71/payments/{paymentPspReference}/captures", capture_payment},
    {Method::post, "/v71/payments/{paymentPspReference}/cancels", cancel_payment},
    {Method::post, "/v71/payments/{paymentPspReference}/refunds", refund_payment},
    {Method::post, "/v71/payments/{paymentPspReference}/reversals", reverse_payment},
    {Method::post, "/v71/cancels", cancel_by_reference},
    {Method::get, customers_path, customer_is_back},
});

}  // namespace

AdyenDialect::AdyenDialect(Settings settings)
    : settings_(std::move(settings)),
      key_(settings_.hmac_key.empty() ? std::string("unset")
                                      : psp::adyen::hmac_key_bytes(settings_.hmac_key)) {}

std::span<const Endpoint> AdyenDialect::endpoints() const {
  return endpoint_table;
}

std::optional<Reply> AdyenDialect::refuse(const http::Request& request) const {
  // The customer comes with a browser.
  if (request.method != Method::post) return std::nullopt;
  const bool has_key =
      !request.header("X-API-Key").empty() || request.header("Authorization").starts_with("Basic ");
  if (!has_key) return error("000");
  if (!request.header("Content-Type").starts_with("application/json")) return error("702");
  if (request.header("Idempotency-Key").size() > key_characters_max) return error("702");
  return std::nullopt;
}

void AdyenDialect::mark(Reply& reply, const Asked& asked, bool) const {
  if (!asked.key.empty()) reply.headers.emplace_back("idempotency-key", asked.key);
}

Reply AdyenDialect::key_with_another_request() const {
  return error("704");
}

Reply AdyenDialect::broken(Answer how) const {
  switch (how) {
    case Answer::in_use:
      return error("704");
    case Answer::too_many:
      return too_many_requests();
    case Answer::transient: {
      auto reply = error("703");
      reply.headers.emplace_back("transient-error", "true");
      return reply;
    }
    case Answer::error:
    case Answer::error_kept:
      return error("905");
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

void AdyenDialect::settle(Session& session) const {
  for (auto& payment : session.rows.open_ones(payment_type)) settle_payment(session, std::move(payment));
  for (auto& modification : session.rows.open_ones(modification_type)) {
    settle_modification(session, std::move(modification));
  }
}

http::ClientRequest AdyenDialect::delivery(std::string_view event, Timestamp) const {
  return {.method = "POST",
          .url = settings_.webhook_url,
          .body = signed_body(event, key_),
          .headers = {"Content-Type: application/json; charset=utf-8", "User-Agent: Adyen HttpClient 1.0"}};
}

}  // namespace switchyard::psp_simulator::adyen
