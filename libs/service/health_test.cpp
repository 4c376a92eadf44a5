#include "service/health.hpp"

#include <future>

#include <gtest/gtest.h>

#include "base/event.hpp"
#include "base/io_threads.hpp"
#include "base/testing.hpp"
#include "http/testing.hpp"

namespace switchyard::service {
namespace {

using switchyard::testing::eventually;

class HealthTest : public ::testing::Test {
 protected:
  http::Response ask(std::string_view accept = "") {
    return threads_.run(0, [this, accept] { return ask_on_thread(accept); });
  }

  Task<http::Response> ask_on_thread(std::string_view accept) {
    boost::beast::http::fields headers;
    if (!accept.empty()) headers.set("Accept", boost::string_view(accept.data(), accept.size()));
    auto request = http::request_of(http::Method::get, "/health", headers);
    request.draining = draining_;
    co_return co_await health_.handle(request);
  }

  Task<std::vector<HealthCheck>> check() {
    ++checked_;
    while (slow_) {
      SteadyTimer pause(co_await asio::this_coro::executor, std::chrono::milliseconds(1));
      co_await pause.async_wait(use_task);
    }
    co_return checks_;
  }

  bool draining_ = false;
  std::atomic<int> checked_ = 0;
  std::atomic<bool> slow_ = false;
  std::vector<HealthCheck> checks_{{"store:writable", true, ""}};
  Health health_{[this] { return check(); }};
  IoThreads threads_{1};
};

TEST_F(HealthTest, WhatOthersHaveToSayComesBehindTheChecks) {
  health_.add([] { return std::vector<HealthCheck>{{"connector:claims", true, "not for 12 s", true}}; });
  const auto response = ask();
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.body, R"({"status":"pass","checks":{"store:writable":[{"status":"pass"}],)"
                           R"("connector:claims":[{"status":"warn","output":"not for 12 s"}]}})");
}

TEST_F(HealthTest, FailsWhileTheServerIsDrainingThoughAllPasses) {
  EXPECT_EQ(ask().status, 200U);
  draining_ = true;
  const auto response = ask();
  EXPECT_EQ(response.status, 503U);
  EXPECT_EQ(response.body, R"({"status":"fail","checks":{"server:staying":[{"status":"fail",)"
                           R"("output":"this server is about to stop"}]}})");
}

TEST_F(HealthTest, PassesWhenEachCheckPasses) {
  checks_.push_back({"queue:backlog", true, "3 of 10 transactions"});
  const auto response = ask();
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.content_type, "application/json");
  EXPECT_EQ(response.body, R"({"status":"pass","checks":{"store:writable":[{"status":"pass"}],)"
                           R"("queue:backlog":[{"status":"pass","output":"3 of 10 transactions"}]}})");
}

TEST_F(HealthTest, FailsWhenOneCheckFails) {
  checks_.push_back({"queue:backlog", false, "a \"full\" queue"});
  const auto response = ask();
  EXPECT_EQ(response.status, 503U);
  EXPECT_EQ(response.body, R"({"status":"fail","checks":{"store:writable":[{"status":"pass"}],)"
                           R"("queue:backlog":[{"status":"fail","output":"a \"full\" queue"}]}})");
}

TEST_F(HealthTest, AConcernIsAWarningAndNoFailure) {
  checks_.push_back({"queue:redis", true, "connection refused", true});
  const auto response = ask();
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.body, R"({"status":"pass","checks":{"store:writable":[{"status":"pass"}],)"
                           R"("queue:redis":[{"status":"warn","output":"connection refused"}]}})");
}

TEST_F(HealthTest, GivesTheMediaTypeOfHealthToThoseWhoKnowIt) {
  EXPECT_EQ(ask("application/health+json").content_type, "application/health+json");
  EXPECT_EQ(ask("application/json, application/health+json;q=0.9").content_type, "application/health+json");
  EXPECT_EQ(ask("application/health+json;q=0, application/json").content_type, "application/json");
  EXPECT_EQ(ask("application/health+json; q=0.0").content_type, "application/json");
  EXPECT_EQ(ask("*/*").content_type, "application/json");
}

TEST_F(HealthTest, IsKeptByNoCache) {
  const auto response = ask();
  ASSERT_EQ(response.headers.size(), 1U);
  EXPECT_EQ(response.headers[0].first, "Cache-Control");
  EXPECT_EQ(response.headers[0].second, "no-store");
}

TEST_F(HealthTest, ChecksOnceHoweverOftenItIsAsked) {
  for (int i = 0; i < 100; ++i) ask();
  EXPECT_LE(checked_, 2) << "a hundred questions take less than two of its intervals";
}

TEST_F(HealthTest, SeesAChange) {
  EXPECT_EQ(ask().status, 200U);
  threads_.run(0, [this]() -> Task<void> {
    checks_[0].passed = false;
    co_return;
  });
  EXPECT_TRUE(eventually([this] { return ask().status == 503; }));
}

TEST_F(HealthTest, DoesNotCheckTwiceAtATime) {
  ask();
  const int before = checked_;
  slow_ = true;
  std::vector<std::future<http::Response>> asked;
  const auto ask_once = [&] {
    asked.push_back(asio::co_spawn(threads_.executor(0), ask_on_thread(""), asio::use_future));
    threads_.run(0, []() -> Task<void> { co_return; });
    return checked_ > before;
  };
  ASSERT_TRUE(eventually(ask_once));
  for (int i = 0; i < 20; ++i) ask_once();
  EXPECT_EQ(checked_, before + 1);
  slow_ = false;
  for (auto& response : asked) EXPECT_EQ(response.get().status, 200U);
}

TEST_F(HealthTest, FailsWhileTheFirstCheckHasNotFinished) {
  slow_ = true;
  auto first = asio::co_spawn(threads_.executor(0), ask_on_thread(""), asio::use_future);
  ASSERT_TRUE(eventually([this] { return checked_ == 1; }));
  EXPECT_EQ(ask().status, 503U) << "nothing is known to be well";
  EXPECT_EQ(checked_, 1);
  slow_ = false;
  EXPECT_EQ(first.get().status, 200U);
  EXPECT_EQ(ask().status, 200U);
}

TEST_F(HealthTest, FailsWhenACheckHangs) {
  EXPECT_EQ(ask().status, 200U);
  slow_ = true;
  std::vector<std::future<http::Response>> asked;
  EXPECT_TRUE(eventually([&] {
    auto response = asio::co_spawn(threads_.executor(0), ask_on_thread(""), asio::use_future);
    if (response.wait_for(std::chrono::milliseconds(5)) == std::future_status::ready)
      return response.get().status == 503;
    asked.push_back(std::move(response));
    return false;
  }));
  slow_ = false;
  for (auto& response : asked) EXPECT_EQ(response.get().status, 200U);
  EXPECT_TRUE(eventually([this] { return ask().status == 200; })) << "and is well again afterwards";
}

}  // namespace
}  // namespace switchyard::service
