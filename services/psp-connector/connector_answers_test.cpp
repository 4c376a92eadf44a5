// What a PSP says, of whatever kind of operation, and what is counted and logged of it.
#include <gmock/gmock.h>

#include "psp-connector/testing.hpp"

namespace switchyard::connector {
namespace {

using payment::Kind;
using payment::OutcomeUnknown;
using payment::Pending;
using payment::Phase;
using payment::ReasonKind;
using payment::Status;
using std::chrono::seconds;
using switchyard::testing::CapturedStdout;
using switchyard::testing::eventually;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

TEST_F(ConnectorTest, TakesWhatMerchantsAskForToThePspThatHasTheMoney) {
  const auto captured = create(100, payment::CaptureMethod::manual);
  const auto voided = create(100, payment::CaptureMethod::manual);
  start();
  ASSERT_TRUE(comes_to(captured, Status::authorized));
  ASSERT_TRUE(comes_to(voided, Status::authorized));
  request(captured, Kind::capture, 60);
  EXPECT_TRUE(comes_to(captured, Status::captured));
  request(captured, Kind::refund, 10);
  EXPECT_TRUE(comes_to(captured, Status::partially_refunded));
  request(captured, Kind::refund);
  EXPECT_TRUE(comes_to(captured, Status::refunded));
  request(voided, Kind::void_);
  EXPECT_TRUE(comes_to(voided, Status::voided));
  stop();
  std::vector<std::string> asked;
  for (const auto& sent : psp_.requests) {
    if (sent.operation.kind == Kind::authorize) continue;
    asked.push_back(sent.operation.request + " " + std::to_string(sent.operation.amount.minor()));
    EXPECT_EQ(sent.operation.psp, "scripted");
  }
  const auto of_captured = " for " + captured.value.to_string();
  EXPECT_THAT(asked,
              ElementsAre("capture" + of_captured + " 60", "refund" + of_captured + " 10",
                          "refund" + of_captured + " 50", "void for " + voided.value.to_string() + " 100"));
  const auto transaction = find(captured).transaction;
  EXPECT_EQ(transaction.captured_minor, 60);
  EXPECT_EQ(transaction.refunded_minor, 60);
  EXPECT_EQ(transaction.held_minor, 0);
  for (const auto* call : {"capture", "void", "refund"}) {
    EXPECT_THAT(metrics_.text(),
                HasSubstr("call=\"" + std::string(call) + "\",psp=\"scripted\",result=\"approved\"}"));
  }
}

TEST_F(ConnectorTest, WhatIsAskedForAtOnceIsSentOneAfterAnother) {
  const auto id = create(100, payment::CaptureMethod::manual);
  start();
  ASSERT_TRUE(comes_to(id, Status::authorized));
  psp_.held = true;
  for (int i = 0; i < 10; ++i) request(id, Kind::capture, 10, i == 9);
  ASSERT_TRUE(eventually([this] { return psp_.under_way == 1; }));
  psp_.held = false;
  EXPECT_TRUE(comes_to(id, Status::captured));
  EXPECT_EQ(find(id).transaction.captured_minor, 100);
  EXPECT_EQ(psp_.most_under_way, 1);
}

TEST_F(ConnectorTest, WhatThePspRejectsIsNotTriedAgainAndIsAnError) {
  CapturedStdout printed;
  psp_.answers = {payment::Rejected{"no such merchant account"}};
  const auto id = create();
  start();
  EXPECT_TRUE(comes_to(id, Status::failed));
  const auto found = find(id);
  EXPECT_EQ(found.transaction.reason, "no such merchant account");
  EXPECT_EQ(found.operations.at(0).phase, Phase::rejected);
  EXPECT_FALSE(found.transaction.next_action_at);
  EXPECT_EQ(connector_->monitor().psp_trouble(), "") << "it was reached";
  stop();
  EXPECT_EQ(psp_.calls, 1);
  EXPECT_THAT(printed.text(), HasSubstr("scripted refuses what it is sent"));
  EXPECT_THAT(printed.text(), HasSubstr("no such merchant account"));
  EXPECT_THAT(metrics_.text(), HasSubstr(R"(call="authorize",psp="scripted",result="rejected"} 1)"));
}

TEST_F(ConnectorTest, WhatThePspCannotDoIsRejectedBeforeAnythingIsSentAndIsAnError) {
  const CapturedStdout output;
  const auto id = create(cannot_be_done.minor());
  start();
  EXPECT_TRUE(comes_to(id, Status::failed));
  stop();
  EXPECT_EQ(psp_.calls, 0);
  const auto operation = find(id).operations.at(0);
  EXPECT_EQ(operation.phase, Phase::rejected);
  EXPECT_EQ(operation.sends, 0);
  EXPECT_EQ(operation.reason.kind, ReasonKind::configuration);
  EXPECT_TRUE(counts(R"(switchyard_transactions_total{status="failed"} 1)"));
  EXPECT_THAT(output.text(), AllOf(HasSubstr("ERROR"), HasSubstr("it cannot do that")));
}

TEST_F(ConnectorTest, WhatIsPendingIsAskedForAgainLaterAndNotSentAgain) {
  psp_.answers = {Pending{"psp-ref", {}}};
  psp_.found = {Pending{"psp-ref", dollars(100)}, succeeded("psp-ref")};
  const auto id = create();
  start();
  EXPECT_TRUE(eventually([&] {
    const auto operations = find(id).operations;
    return !operations.empty() && operations[0].phase == Phase::pending;
  }));
  EXPECT_EQ(status(id), Status::processing);
  EXPECT_TRUE(comes_to_in_time(id, Status::captured));
  stop();
  EXPECT_THAT(psp_.requests, SizeIs(1));
  EXPECT_THAT(psp_.looked_up, SizeIs(2));
  EXPECT_THAT(metrics_.text(), HasSubstr(R"(call="authorize",psp="scripted",result="pending"} 1)"));
  EXPECT_THAT(metrics_.text(), HasSubstr(R"(call="look_up",psp="scripted",result="pending"} 1)"));
}

TEST_F(ConnectorTest, WaitsForTheCustomer) {
  psp_.answers = {payment::ActionRequired{"psp-ref", {}}};
  psp_.found = {payment::ActionRequired{"psp-ref", {}}, declined("3ds", ReasonKind::customer_action)};
  const auto id = create();
  start();
  EXPECT_TRUE(comes_to(id, Status::action_required));
  EXPECT_TRUE(comes_to_in_time(id, Status::declined));
  EXPECT_THAT(metrics_.text(), HasSubstr(R"(result="action_required"} 1)"));
}

TEST_F(ConnectorTest, AnotherAmountThanWasAskedForIsForAPerson) {
  psp_.answers = {succeeded("psp-ref", 10'000)};
  const auto id = create(100);
  start();
  EXPECT_TRUE(comes_to(id, Status::manual_review));
  EXPECT_EQ(find(id).transaction.captured_minor, 0);
}

TEST_F(ConnectorTest, CountsTheCallsOfThePspByResult) {
  psp_.answers = {OutcomeUnknown{"time-out"}, declined("51", ReasonKind::soft_decline),
                  declined("59", ReasonKind::hard_decline), payment::Contradicted{"another amount", "ref"}};
  std::vector<TransactionId> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(create());
  start();
  for (const auto id : ids) {
    EXPECT_TRUE(eventually([&] {
      clock_.advance(seconds(1));
      return !find(id).transaction.next_action_at;
    }));
  }
  stop();
  for (const auto* series : {R"(call="authorize",psp="scripted",result="unknown"} 1)",
                             R"(call="authorize",psp="scripted",result="soft_decline"} 1)",
                             R"(call="authorize",psp="scripted",result="hard_decline"} 1)",
                             R"(call="authorize",psp="scripted",result="contradicted"} 1)",
                             R"(call="look_up",psp="scripted",result="approved"} 1)"}) {
    EXPECT_THAT(metrics_.text(), HasSubstr(series));
  }
}

TEST_F(ConnectorTest, GivesToAPersonWhatThePspContradicts) {
  psp_.answers = {OutcomeUnknown{"time-out"}, payment::Contradicted{"a charge of 1 JPY", "psp-ref"}};
  psp_.found = {payment::Contradicted{"a charge of 2 JPY", "psp-ref"}};
  const std::vector<TransactionId> ids{create(), create()};
  start();
  for (const auto id : ids) {
    EXPECT_TRUE(comes_to_in_time(id, Status::manual_review));
    EXPECT_THAT(find(id).transaction.reason, StartsWith("a charge of"));
    EXPECT_EQ(find(id).transaction.captured_minor, 0);
  }
  EXPECT_EQ(psp_.calls, 3) << "nothing is sent or asked again";
}

}  // namespace
}  // namespace switchyard::connector
