// Events of the program over real sockets: signed, sent again until they are taken, kept over a restart.
#include "psp-simulator/dialect/webhooks.hpp"

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "base/testing.hpp"
#include "http/client.hpp"
#include "http/server.hpp"
#include "psp-simulator/psp_simulator.hpp"
#include "psp/adyen/events.hpp"
#include "psp/adyen/testing.hpp"
#include "psp/stripe/events.hpp"
#include "psp/stripe/signature.hpp"

namespace switchyard::psp_simulator {
namespace {

using ::testing::SizeIs;

struct Received {
  std::string body;
  std::string signature;
};

// Where the events go.
class Receiver {
 public:
  explicit Receiver(IoThreads& threads) {
    http::Router router(metrics_, "receiver");
    router.add(http::Method::post, "/events",
               [this](const http::Request& request) -> Task<http::Response> { co_return take(request); });
    server_.emplace(threads, std::move(router), http::Server::Options{.port = 0, .limits = {}});
    server_->start();
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(server_->port()) + "/events"; }
  void refuse(int next) {
    const std::lock_guard lock(mutex_);
    refusals_ = next;
  }
  std::vector<Received> received() {
    const std::lock_guard lock(mutex_);
    return received_;
  }
  int refused() {
    const std::lock_guard lock(mutex_);
    return refused_;
  }

 private:
  http::Response take(const http::Request& request) {
    const std::lock_guard lock(mutex_);
    if (refusals_ > 0) {
      --refusals_;
      ++refused_;
      return {.status = 503, .body = {}, .headers = {}};
    }
    received_.push_back({std::string(request.body), std::string(request.header("Stripe-Signature"))});
    return {.body = {}, .headers = {}};
  }

  std::mutex mutex_;
  int refusals_ = 0;
  int refused_ = 0;
  std::vector<Received> received_;
  telemetry::Metrics metrics_;
  std::optional<http::Server> server_;
};

class WebhooksTest : public ::testing::Test {
 protected:
  ~WebhooksTest() override { stop(); }

  void start() {
    DialectSettings dialects;
    dialects.stripe = {.webhook_url = receiver_.url(), .webhook_secret = "whsec_1"};
    dialects.adyen = {.webhook_url = receiver_.url(), .hmac_key = std::string(psp::adyen::test_hmac_key)};
    simulator_.emplace(folder_.file("ledger.db"), metrics_.emplace(), log_, clock_, dialects);
    simulator_->start_webhooks(threads_);
    server_.emplace(threads_, simulator_->router(), http::Server::Options{.port = 0, .limits = {}});
    server_->start();
  }
  void stop() {
    server_.reset();
    if (simulator_) simulator_->stop_webhooks(threads_);
    simulator_.reset();
  }
  long post(const std::string& path, std::string body, std::vector<std::string> headers) {
    return http::send({.method = "POST",
                       .url = "http://127.0.0.1:" + std::to_string(server_->port()) + path,
                       .body = std::move(body),
                       .headers = std::move(headers)})
        .value()
        .status;
  }
  void pay_at_stripe() {
    EXPECT_EQ(
        post("/v1/payment_intents",
             "amount=2000&currency=eur&confirm=true&payment_method_types[]=card&payment_method=pm_card_visa",
             {"Authorization: Bearer sk_test_1", "Content-Type: application/x-www-form-urlencoded"}),
        200);
  }
  void pay_at_adyen(std::string_view holder = "APPROVED") {
    EXPECT_EQ(post("/v71/payments",
                   R"({"merchantAccount":"SwitchyardECOM","reference":"order_1","amount":{"value":2000,)"
                   R"("currency":"EUR"},"paymentMethod":{"type":"scheme","holderName":")" +
                       std::string(holder) + R"("},"returnUrl":"https://shop.invalid/"})",
                   {"X-API-Key: key", "Content-Type: application/json"}),
              200);
  }
  bool receives(std::size_t count) {
    return testing::eventually([&] { return receiver_.received().size() >= count; });
  }

  testing::TempDir folder_;
  const SystemClock clock_;
  Log log_{LogFormat::text, LogLevel::error};
  IoThreads threads_{2};
  Receiver receiver_{threads_};
  std::optional<telemetry::Metrics> metrics_;
  std::optional<PspSimulator> simulator_;
  std::optional<http::Server> server_;
};

TEST_F(WebhooksTest, StripesEventsComeInOrderAndAreSigned) {
  start();
  pay_at_stripe();
  ASSERT_TRUE(receives(3));
  std::vector<token::HmacSha256> keys;
  keys.emplace_back("whsec_1");
  std::vector<std::string> types;
  for (const auto& [body, signature] : receiver_.received()) {
    EXPECT_EQ(psp::stripe::why_not_signed(keys, signature, body, clock_.now()), "");
    types.push_back(psp::stripe::read_event(body, false).value().at(0).type);
  }
  EXPECT_THAT(types, ::testing::ElementsAre("payment_intent.created", "charge.succeeded",
                                            "payment_intent.succeeded"));
}

TEST_F(WebhooksTest, AnEventIsSentAgainUntilItIsTaken) {
  start();
  receiver_.refuse(2);
  pay_at_adyen();
  ASSERT_TRUE(receives(1));
  EXPECT_EQ(receiver_.refused(), 2);
  const psp::adyen::EventReader reader(psp::adyen::test_webhook_settings());
  const auto read = reader.read(receiver_.received().at(0).body);
  ASSERT_TRUE(read) << read.error().reason;
  EXPECT_EQ(read->at(0).type, "AUTHORISATION");
}

TEST_F(WebhooksTest, WhatComesLaterIsToldWithoutBeingAskedFor) {
  start();
  pay_at_adyen("PENDING");
  EXPECT_THAT(receiver_.received(), SizeIs(0));
  ASSERT_TRUE(receives(1));
}

TEST_F(WebhooksTest, WhatWaitsIsSentAfterARestart) {
  start();
  receiver_.refuse(1'000'000);
  pay_at_stripe();
  ASSERT_TRUE(testing::eventually([&] { return receiver_.refused() > 0; }));
  stop();
  EXPECT_THAT(receiver_.received(), SizeIs(0));
  receiver_.refuse(0);
  start();
  EXPECT_TRUE(receives(3));
}

}  // namespace
}  // namespace switchyard::psp_simulator
