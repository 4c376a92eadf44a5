#include "psp-events/events_api.hpp"

#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/hex.hpp"
#include "base/testing.hpp"
#include "http/testing.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "token/hmac_sha256.hpp"

namespace switchyard::events {
namespace {

using switchyard::testing::CapturedStdout;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr std::string_view secret = "whsec_hunter2";
constexpr std::string_view routing = R"([psp.shop]
adapter = "stripe"
secret_key_env = "KEY"
webhook_secret_env = "SECRET"
[psp.sim]
adapter = "simulator"
[[rule]]
psp = "sim"
)";

std::string event(std::string_view id, std::string_view type = "payment_intent.succeeded") {
  return fmt::format(
      R"({{"id":"{}","object":"event","type":"{}","data":{{"object":{{"id":"pi_1","amount":1}}}}}})", id,
      type);
}

class EventsApiTest : public ::testing::Test {
 protected:
  EventsApiTest() {
    std::ofstream(path_) << routing;
    environment_.set("SECRET", std::string(secret));
    environment_.set("KEY", "sk_test_1");
    start(path_);
  }

  void start(const std::string& routing_file) {
    api_.emplace(Settings{.routing_file = routing_file, .environment = environment_}, store_, threads_,
                 metrics_, log_, clock_, [this] { ++hints_; });
    router_.emplace(api_->router());
  }

  std::string signature_of(std::string_view body) const {
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(clock_.now().time_since_epoch()).count();
    const auto mac = token::HmacSha256(secret).sign(fmt::format("{}.{}", seconds, body));
    return fmt::format("t={},v1={}", seconds, to_hex(mac));
  }

  http::Response ask(http::Method method, std::string_view path, const boost::beast::http::fields& headers,
                     std::string_view body = {}) {
    const auto request = http::request_of(method, path, headers, body);
    return threads_.run(0, [&] { return router_->handle(request, observer_); });
  }

  http::Response post(std::string_view path, std::string_view body, std::string_view signature) {
    boost::beast::http::fields headers;
    headers.set("Stripe-Signature", boost::string_view(signature.data(), signature.size()));
    return ask(http::Method::post, path, headers, body);
  }
  http::Response post(std::string_view body, std::string_view path = "/shop/events") {
    return post(path, body, signature_of(body));
  }

  // Those that are due, taken for an hour.
  store::PspEvents due() {
    const auto now = clock_.now();
    const auto take = [&] { return store_.take_psp_events(now, now + std::chrono::hours(1), 100); };
    return threads_.run(0, take).value();
  }

  std::string printed() {
    EXPECT_TRUE(log_.drain(std::chrono::seconds(30)));
    return output_.text();
  }

  switchyard::testing::TempDir folder_;
  const std::string path_ = folder_.file("routing.toml");
  const std::string store_path_ = folder_.file("store.db");
  switchyard::testing::ManualClock clock_;
  IoThreads threads_{1};
  Environment environment_;
  telemetry::Metrics metrics_;
  const CapturedStdout output_;
  Log log_{LogFormat::text, LogLevel::info};
  store::SqliteStore store_{store_path_};
  const http::Observer observer_{};
  int hints_ = 0;
  std::optional<EventsApi> api_;
  std::optional<http::Router> router_;
};

TEST_F(EventsApiTest, StoresAnEventOnceAndTellsTheConnector) {
  for (int i = 0; i < 2; ++i) {
    const auto reply = post(event("evt_1"));
    EXPECT_EQ(reply.status, 200U);
    EXPECT_EQ(reply.body, "[accepted]");
  }
  EXPECT_EQ(hints_, 2);
  const auto events = due();
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_EQ(events[0].account, "shop");
  EXPECT_EQ(events[0].notice.event, "evt_1");
  EXPECT_EQ(events[0].notice.payment, "pi_1");
  EXPECT_EQ(events[0].received_at, clock_.now());
  EXPECT_THAT(metrics_.text(), HasSubstr(R"(switchyard_psp_events_total{account="shop",result="stored"} 2)"));
}

TEST_F(EventsApiTest, WhatIsOfNoConsequenceIsKeptAndNotDue) {
  EXPECT_EQ(post(event("evt_1", "customer.created")).status, 200U);
  EXPECT_THAT(due(), IsEmpty());
}

TEST_F(EventsApiTest, WhatIsNotSignedIs401AndNotStored) {
  const auto body = event("evt_1");
  for (const auto& signature : {std::string(), std::string("t=1,v1=00"), signature_of(body + " ")}) {
    const auto reply = post("/shop/events", body, signature);
    EXPECT_EQ(reply.status, 401U) << signature;
    EXPECT_EQ(reply.content_type, "application/problem+json");
    EXPECT_THAT(reply.body, Not(HasSubstr("hunter2")));
  }
  EXPECT_THAT(due(), IsEmpty());
  EXPECT_EQ(hints_, 0);
  EXPECT_THAT(printed(), AllOf(HasSubstr("An event for the account shop was refused with 401: "),
                               Not(HasSubstr("hunter2")), Not(HasSubstr("evt_1"))));
  EXPECT_THAT(metrics_.text(), HasSubstr(R"({account="shop",result="refused_signature"} 3)"));
}

TEST_F(EventsApiTest, WhatIsSignedAndCannotBeReadIs400) {
  for (const std::string_view body : {"", "<html></html>", "{}", "[]", "{\"id\":7}"}) {
    EXPECT_EQ(post(body).status, 400U) << body;
  }
  EXPECT_THAT(metrics_.text(), HasSubstr(R"({account="shop",result="unreadable"} 5)"));
}

TEST_F(EventsApiTest, WhatIsTooLargeIs413BeforeItIsLookedAt) {
  EXPECT_EQ(post("/shop/events", std::string(psp::webhook_bytes_max + 1, ' '), "").status, 413U);
  EXPECT_EQ(post("/shop/events", std::string(psp::webhook_bytes_max, ' '), "").status, 401U);
}

TEST_F(EventsApiTest, WhatIsNoAccountIs404AndIsNotRepeated) {
  const auto unknown = post(event("evt_1"), "/4111111111111111/events");
  EXPECT_EQ(unknown.status, 404U);
  EXPECT_THAT(unknown.body, AllOf(HasSubstr("no account of this name"), Not(HasSubstr("4111"))));
  EXPECT_THAT(post(event("evt_1"), "/sim/events").body, HasSubstr("the account takes no events"));
  for (const auto* path : {"/shop/event", "/events", "//events", "/shop/x/events"}) {
    EXPECT_EQ(post(event("evt_1"), path).status, 404U) << path;
  }
  EXPECT_THAT(printed(),
              AllOf(HasSubstr("An event for no account was refused with 404: "), Not(HasSubstr("4111"))));
  EXPECT_THAT(metrics_.text(), Not(HasSubstr("4111")));
}

TEST_F(EventsApiTest, WithoutARoutingFileEachRequestIs404) {
  start("");
  const auto reply = post(event("evt_1"));
  EXPECT_EQ(reply.status, 404U);
  EXPECT_THAT(reply.body, HasSubstr("ROUTING_FILE is not set"));
}

TEST_F(EventsApiTest, AnotherMethodIs405) {
  const boost::beast::http::fields headers;
  for (const auto method : {http::Method::get, http::Method::put, http::Method::delete_}) {
    const auto reply = ask(method, "/shop/events", headers);
    EXPECT_EQ(reply.status, 405U);
  }
}

TEST_F(EventsApiTest, WhatTheStoreCannotTakeIs503AndIsTakenWhenItComesAgain) {
  std::filesystem::rename(store_path_, store_path_ + ".away");
  const auto reply = post(event("evt_1"));
  EXPECT_EQ(reply.status, 503U);
  EXPECT_THAT(reply.headers, ::testing::Contains(::testing::Pair("Retry-After", ::testing::_)));
  EXPECT_EQ(hints_, 0);
  std::filesystem::rename(store_path_ + ".away", store_path_);
  EXPECT_EQ(post(event("evt_1")).status, 200U);
  EXPECT_THAT(due(), SizeIs(1));
}

TEST_F(EventsApiTest, FollowsTheRoutingFile) {
  std::ofstream(path_, std::ios::app) << "[psp.second]\nadapter = \"stripe\"\nsecret_key_env = \"KEY\"\n"
                                      << "webhook_secret_env = \"SECRET\"\n";
  EXPECT_TRUE(
      switchyard::testing::eventually([&] { return post(event("evt_1"), "/second/events").status == 200; }));
  EXPECT_EQ(post(event("evt_1")).status, 200U);
  EXPECT_THAT(due(), SizeIs(2)) << "one event of each account";
}

}  // namespace
}  // namespace switchyard::events
