// Several PSPs: where payments go, and where they go when one of them fails.
#include <gmock/gmock.h>

#include "psp-connector/testing.hpp"
#include "routing/parse.hpp"

namespace switchyard::connector {
namespace {

using payment::Kind;
using payment::NotSent;
using payment::OutcomeUnknown;
using payment::Phase;
using payment::ReasonKind;
using payment::Status;
using switchyard::testing::eventually;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr std::string_view first_then_second = R"(
[psp.first]
adapter = "simulator"
[psp.second]
adapter = "simulator"
[[rule]]
psp = "first"
fallback = "second"
)";

class RoutingTest : public ConnectorTest {
 protected:
  ~RoutingTest() override {
    if (running_.valid()) stop();
  }

  static routing::Routes routes(std::string_view file) { return routing::parse(file).value(); }

  void start_routed(std::string_view file = first_then_second) {
    routed_.emplace(
        routes(file),
        [this](const routing::Account& account) {
          auto psp = std::make_unique<ScriptedPsp>(account.name);
          made_[account.name] = psp.get();
          return psp;
        },
        settings_.in_flight_max);
    connector_.emplace(settings_, threads_.executor(0), store_, *routed_, wake_up_, metrics_, log(), clock_);
    running_ = asio::co_spawn(threads_.executor(0), [this] { return connector_->run(); }, asio::use_future);
  }
  void on_thread(std::function<void()> change) {
    asio::post(threads_.executor(0), asio::use_future(std::move(change))).get();
  }
  void answers(const std::string& psp, const payment::Answer& answer, int times = 1) {
    on_thread([&] {
      for (int i = 0; i < times; ++i) made_.at(psp)->answers.push_back(answer);
    });
  }
  std::size_t sent_to(const std::string& psp) {
    std::size_t sent = 0;
    on_thread([&] { sent = made_.at(psp)->requests.size(); });
    return sent;
  }

  std::optional<Psps> routed_;
  std::map<std::string, ScriptedPsp*> made_;
};

TEST_F(RoutingTest, ASoftDeclineIsTriedAtTheNextAccount) {
  start_routed();
  answers("first", declined("51", ReasonKind::soft_decline));
  const auto id = create();
  ASSERT_TRUE(comes_to(id, Status::captured));
  const auto state = find(id);
  ASSERT_THAT(state.operations, SizeIs(2));
  EXPECT_EQ(state.operations[0].psp, "first");
  EXPECT_EQ(state.operations[0].phase, Phase::declined);
  EXPECT_EQ(state.operations[1].psp, "second");
  EXPECT_EQ(state.operations[1].phase, Phase::succeeded);
  EXPECT_NE(state.operations[0].idempotency_key, state.operations[1].idempotency_key);
  EXPECT_EQ(state.transaction.captured_minor, 100);
  EXPECT_EQ(sent_to("second"), 1U);
}

TEST_F(RoutingTest, AHardDeclineIsTheEnd) {
  start_routed();
  answers("first", declined("14", ReasonKind::hard_decline));
  const auto id = create();
  ASSERT_TRUE(comes_to(id, Status::declined));
  EXPECT_EQ(sent_to("second"), 0U);
}

TEST_F(RoutingTest, WhatDidNotReachTheFirstGoesToTheNextAtOnce) {
  start_routed();
  answers("first", NotSent{"connection refused"});
  const auto id = create();
  ASSERT_TRUE(comes_to(id, Status::captured)) << "the clock stands still";
  EXPECT_EQ(find(id).operations.at(0).phase, Phase::failed);
  EXPECT_EQ(find(id).operations.at(1).psp, "second");
}

TEST_F(RoutingTest, AnUnknownOutcomeIsNeverTriedElsewhere) {
  start_routed();
  answers("first", OutcomeUnknown{"time-out"});
  on_thread([&] { made_.at("first")->found.emplace_back(OutcomeUnknown{"time-out"}); });
  const auto id = create();
  ASSERT_TRUE(comes_to_in_time(id, Status::captured));
  EXPECT_THAT(find(id).operations, SizeIs(1));
  EXPECT_EQ(sent_to("first"), 1U);
  EXPECT_EQ(sent_to("second"), 0U);
}

TEST_F(RoutingTest, OnlyTheAccountThatHasTheMoneyIsAskedForIt) {
  start_routed();
  answers("first", declined("51", ReasonKind::soft_decline));
  const auto id = create(100, payment::CaptureMethod::manual);
  ASSERT_TRUE(comes_to(id, Status::authorized));
  request(id, Kind::capture, 60);
  ASSERT_TRUE(comes_to(id, Status::captured));
  answers("second", declined("91", ReasonKind::soft_decline));
  request(id, Kind::refund, 10);
  ASSERT_TRUE(eventually([&] { return find(id).operations.back().phase == Phase::declined; }));
  EXPECT_EQ(sent_to("first"), 1U);
  EXPECT_EQ(sent_to("second"), 3U);
  EXPECT_THAT(find(id).operations, SizeIs(4));
}

TEST_F(RoutingTest, AnAccountThatDoesNotAnswerIsPassedByUntilItDoesAgain) {
  start_routed();
  constexpr int failures = 5;
  answers("first", OutcomeUnknown{"time-out"}, failures);
  std::vector<TransactionId> open;
  for (int i = 0; i < failures; ++i) {
    open.push_back(create());
    ASSERT_TRUE(eventually([&] { return status(open.back()) == Status::unknown; }));
  }
  const auto elsewhere = create();
  ASSERT_TRUE(comes_to(elsewhere, Status::captured));
  EXPECT_EQ(find(elsewhere).operations.at(0).psp, "second");
  EXPECT_TRUE(counts("switchyard_psp_breaker_open{psp=\"first\"} 1"));
  // Whose outcome is open is asked for all the same.
  for (const auto id : open) EXPECT_TRUE(comes_to_in_time(id, Status::captured));
  EXPECT_TRUE(counts("switchyard_psp_breaker_half_open{psp=\"first\"} 0"));
  clock_.advance(std::chrono::minutes(5));
  EXPECT_TRUE(counts("switchyard_psp_breaker_half_open{psp=\"first\"} 1"));
  const auto again = create();
  ASSERT_TRUE(comes_to(again, Status::captured));
  EXPECT_EQ(find(again).operations.at(0).psp, "first");
  EXPECT_TRUE(counts("switchyard_psp_breaker_open{psp=\"first\"} 0"));
}

TEST_F(RoutingTest, WhatNoAccountCanTakeIsNeverSent) {
  start_routed(R"(
[psp.first]
adapter = "simulator"
[[rule]]
when.currency = "EUR"
psp = "first"
)");
  const auto id = create();
  ASSERT_TRUE(comes_to(id, Status::failed));
  EXPECT_EQ(find(id).transaction.reason, "no rule matches");
  EXPECT_EQ(sent_to("first"), 0U);
}

TEST_F(RoutingTest, NewRulesAreFollowedAndAnAccountThatIsAsItWasKeepsItsAdapter) {
  start_routed();
  const auto* before = made_.at("first");
  const auto id = create(100, payment::CaptureMethod::manual);
  ASSERT_TRUE(comes_to(id, Status::authorized));
  on_thread([&] {
    routed_->change(routes(R"(
[psp.third]
adapter = "simulator"
[psp.first]
adapter = "simulator"
[[rule]]
psp = "third"
)"));
  });
  const auto other = create();
  ASSERT_TRUE(comes_to(other, Status::captured));
  EXPECT_EQ(find(other).operations.at(0).psp, "third");
  request(id, Kind::capture);
  ASSERT_TRUE(comes_to(id, Status::captured));
  EXPECT_EQ(made_.at("first"), before);
  EXPECT_EQ(sent_to("first"), 2U);
}

TEST_F(RoutingTest, WhatAnAccountHasBegunThatIsNoneAnyMoreIsFinishedAndNothingNewIsSentThere) {
  start_routed();
  const auto id = create(100, payment::CaptureMethod::manual);
  ASSERT_TRUE(comes_to(id, Status::authorized));
  made_.at("first")->held = true;
  const auto under_way = create();
  ASSERT_TRUE(eventually([&] { return made_.at("first")->under_way == 1; }));
  on_thread([&] {
    routed_->change(routes(R"(
[psp.second]
adapter = "simulator"
[[rule]]
psp = "second"
)"));
  });
  made_.at("first")->held = false;
  EXPECT_TRUE(comes_to(under_way, Status::captured));
  request(id, Kind::capture);
  ASSERT_TRUE(eventually([&] {
    return find(id).operations.back().reason.message.find("not configured here") != std::string::npos;
  }));
  EXPECT_EQ(find(id).operations.back().phase, Phase::requested);
  EXPECT_EQ(find(id).operations.back().sends, 0);
}

TEST_F(RoutingTest, WhereThereIsNothingToAskNoCallHasFailed) {
  start_routed();
  answers("first", payment::Pending{"psp-ref", {}});
  create();
  on_thread([this] {
    for (int i = 0; i < 8; ++i)
      made_.at("first")->found.emplace_back(OutcomeUnknown{"nothing to ask", false});
  });
  wake_up_.notify();
  ASSERT_TRUE(switchyard::testing::eventually([&] {
    clock_.advance(std::chrono::minutes(1));
    wake_up_.notify();
    std::size_t asked = 0;
    on_thread([&] { asked = made_.at("first")->looked_up.size(); });
    return asked >= 8;
  }));
  EXPECT_EQ(routed_->standings(clock_.now()).front().breaker, routing::BreakerState::closed);
  EXPECT_EQ(metrics_.text().find(R"(call="look_up",psp="first",result="unknown")"), std::string::npos);
}

TEST_F(RoutingTest, OneThatDoesNotAnswerLeavesTheOthersRoom) {
  settings_.in_flight_max = 8;
  start_routed(R"(
[psp.first]
adapter = "simulator"
[psp.second]
adapter = "simulator"
[[rule]]
when = { currency = "EUR" }
psp = "second"
[[rule]]
psp = "first"
)");
  on_thread([this] { made_.at("first")->held = true; });
  for (int i = 0; i < 20; ++i) create();
  EXPECT_TRUE(switchyard::testing::eventually([&] { return made_.at("first")->under_way >= 4; }));
  std::vector<TransactionId> others;
  for (int i = 0; i < 20; ++i) others.push_back(create(100, payment::CaptureMethod::automatic, "EUR"));
  for (const auto& id : others) EXPECT_TRUE(comes_to(id, Status::captured));
  EXPECT_EQ(made_.at("first")->most_under_way, 4);
  on_thread([this] { made_.at("first")->held = false; });
}

}  // namespace
}  // namespace switchyard::connector
