// Every request that the adapter for Stripe makes, held against Stripe's own stripe-mock: it knows the paths,
// the parameters with their types, and the version. STRIPE_MOCK_URL says where it listens; skipped without.
#include <cstdlib>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "http/client.hpp"
#include "psp/stripe/stripe_protocol.hpp"
#include "psp/stripe/testing.hpp"

namespace switchyard::psp_simulator::stripe {
namespace {

using payment::CaptureMethod;
using payment::Kind;
using payment::Phase;
using psp::stripe::in_phase;
using psp::stripe::sent_at;

std::vector<psp::stripe::Wanted> all_kinds() {
  constexpr const char* stored =
      R"({"stripe":{"payment_method":"pm_1","customer":"cus_1","off_session":true}})";
  return {{},
          {.capture_method = CaptureMethod::manual},
          {.return_url = "https://shop.invalid/back?order=1&x=\xC3\xBC y"},
          {.payment_method = stored},
          {.amount_minor = 5, .currency = "ISK"},
          {.kind = Kind::capture,
           .amount_minor = 1500,
           .capture_method = CaptureMethod::manual,
           .authorized_minor = 2000},
          {.kind = Kind::void_, .capture_method = CaptureMethod::manual},
          {.kind = Kind::refund, .amount_minor = 500, .authorized_minor = 2000}};
}

void expect_taken(const http::ClientRequest& request) {
  const auto reply = http::send(request);
  ASSERT_TRUE(reply) << reply.error().reason;
  EXPECT_EQ(reply->status, 200) << request.method << " " << request.url << "\n"
                                << request.body << "\n"
                                << reply->body;
}

TEST(StripeMock, TakesEveryRequestOfTheAdapter) {
  const char* url = std::getenv("STRIPE_MOCK_URL");
  if (url == nullptr) GTEST_SKIP() << "STRIPE_MOCK_URL is not set";
  const psp::stripe::StripeProtocol protocol(
      {.account = "account", .secret_key = "sk_test_123", .base_url = url});
  for (const auto& wanted : all_kinds()) {
    auto step = psp::stripe::step_of(wanted);
    const auto body = protocol.encode(step.state, step.operation());
    ASSERT_TRUE(body) << body.error().reason;
    step.state.operations[step.index].request = *body;
    expect_taken(protocol.send(step));
    auto unknown = in_phase(step, Phase::unknown);
    for (int look_ups = 0; look_ups < 8; ++look_ups) {
      unknown.state.operations[unknown.index].look_ups = look_ups;
      for (const auto later : {std::chrono::hours(1), std::chrono::hours(30)}) {
        if (const auto question = protocol.look_up(unknown, sent_at + later)) expect_taken(*question);
      }
    }
    const auto pending = in_phase(step, Phase::pending, wanted.kind == Kind::refund ? "re_1" : "pi_1");
    if (const auto question = protocol.look_up(pending, sent_at)) expect_taken(*question);
    if (wanted.kind == Kind::authorize)
      expect_taken(protocol.end(in_phase(step, Phase::action_required, "pi_1")));
  }
}

}  // namespace
}  // namespace switchyard::psp_simulator::stripe
