// Answers to what somebody else has changed since: another worker, or the merchant.
#include <gmock/gmock.h>

#include "psp-connector/testing.hpp"

namespace switchyard::connector {
namespace {

using payment::Kind;
using payment::NoSuchOperation;
using payment::OutcomeUnknown;
using payment::Pending;
using payment::Phase;
using payment::ReasonKind;
using payment::Status;
using std::chrono::milliseconds;
using switchyard::testing::eventually;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// --- Outcomes that come late ---------------------------------------------------------------------

class LateOutcomeTest : public ConnectorTest {
 protected:
  // The PSP's answer is held back until the lease is over.
  void outlast_the_lease(const payment::Answer& answer = declined("51", ReasonKind::hard_decline)) {
    // One at a time, so that the test is the worker that takes the transaction over.
    settings_.in_flight_max = 1;
    psp_.answers = {answer};
    psp_.held = true;
    id_ = create();
    start();
    ASSERT_TRUE(eventually([this] { return psp_.under_way == 1; }));
    clock_.advance(settings_.policy.lease);
  }

  TransactionId id_{};
};

TEST_F(LateOutcomeTest, ThatComesTooLateIsDropped) {
  ASSERT_NO_FATAL_FAILURE(outlast_the_lease());
  auto claimed = claim_elsewhere();
  ASSERT_THAT(claimed, SizeIs(1));
  ASSERT_EQ(claimed[0].action, payment::Action::look_up);
  save_elsewhere(payment::found(claimed[0], succeeded("in-time"), psps_, clock_.now(), settings_.policy));
  psp_.held = false;
  EXPECT_TRUE(counts("switchyard_stale_outcomes_total 1"));
  const auto found = find(id_);
  EXPECT_EQ(found.transaction.status, Status::captured);
  EXPECT_EQ(found.operations.at(0).psp_reference, "in-time");
}

// An event, or another worker, has learned that it came to nothing. Two PSPs may have the money by now.
TEST_F(LateOutcomeTest, ThatTheMoneyMovedAllTheSameIsForAPerson) {
  ASSERT_NO_FATAL_FAILURE(outlast_the_lease(succeeded("too-late")));
  auto claimed = claim_elsewhere();
  ASSERT_THAT(claimed, SizeIs(1));
  save_elsewhere(payment::found(claimed[0], declined("51", ReasonKind::hard_decline), psps_, clock_.now(),
                                settings_.policy));
  psp_.held = false;
  EXPECT_TRUE(comes_to(id_, Status::manual_review));
  stop();
  const auto found = find(id_);
  EXPECT_EQ(found.transaction.captured_minor, 0) << "that is the person's to find out";
  EXPECT_THAT(found.operations.at(0).reason.message, HasSubstr("answered that it succeeded (too-late)"));
}

TEST_F(LateOutcomeTest, APersonWhoLooksForItIsToldOfTheSuccess) {
  ASSERT_NO_FATAL_FAILURE(outlast_the_lease(succeeded("too-late")));
  auto claimed = claim_elsewhere();
  ASSERT_THAT(claimed, SizeIs(1));
  save_elsewhere(payment::found(claimed[0], payment::Contradicted{"it speaks of another", {}}, psps_,
                                clock_.now(), settings_.policy));
  psp_.held = false;
  EXPECT_TRUE(eventually([this] {
    return find(id_).operations.at(0).reason.message.contains("answered that it succeeded (too-late)");
  }));
}

TEST_F(LateOutcomeTest, OfAClaimThatAnotherWorkerHasNowIsDropped) {
  ASSERT_NO_FATAL_FAILURE(outlast_the_lease());
  ASSERT_THAT(claim_elsewhere(), SizeIs(1));
  psp_.held = false;
  EXPECT_TRUE(counts("switchyard_stale_outcomes_total 1"));
  EXPECT_EQ(status(id_), Status::unknown) << "whoever has it asks the PSP";
}

// --- What merchants ask for while a worker is at it ----------------------------------------------

TEST_F(ConnectorTest, ARefundThatIsAskedForBetweenClaimAndSaveCostsNoOutcome) {
  const auto id = create();
  start();
  ASSERT_TRUE(comes_to(id, Status::captured));
  psp_.held = true;
  request(id, Kind::refund, 30);
  ASSERT_TRUE(eventually([this] { return psp_.under_way == 1; }));
  request(id, Kind::refund, 20);
  request(id, Kind::refund, 50);
  psp_.held = false;
  EXPECT_TRUE(comes_to(id, Status::refunded));
  stop();
  const auto found = find(id);
  EXPECT_EQ(found.transaction.refunded_minor, 100);
  ASSERT_THAT(found.operations, SizeIs(4));
  for (const auto& operation : found.operations) {
    EXPECT_EQ(operation.phase, Phase::succeeded);
    EXPECT_EQ(operation.sends, 1);
    EXPECT_EQ(operation.look_ups, 0) << "the lease did not run out";
  }
  EXPECT_THAT(metrics_.text(), HasSubstr("switchyard_stale_outcomes_total 0"));
  EXPECT_THAT(psp_.requests, SizeIs(4));
}

TEST_F(ConnectorTest, ALookUpAndTheSendBehindItCountThoughTheMerchantAskedForMore) {
  const auto id = create();
  start();
  ASSERT_TRUE(comes_to(id, Status::captured));
  asio::post(threads_.executor(0), asio::use_future([this] {
               psp_.answers = {OutcomeUnknown{"time-out"}};
               psp_.found = {NoSuchOperation{}};
             }))
      .get();
  psp_.look_ups_held = true;
  request(id, Kind::refund, 30);
  ASSERT_TRUE(comes_to(id, Status::unknown));
  ASSERT_TRUE(eventually([&] {
    clock_.advance(milliseconds(100));
    return psp_.calls == 3;
  }));
  request(id, Kind::refund, 20);
  psp_.look_ups_held = false;
  EXPECT_TRUE(comes_to(id, Status::partially_refunded));
  stop();
  const auto found = find(id);
  EXPECT_EQ(found.transaction.refunded_minor, 50);
  EXPECT_EQ(found.operations.at(1).sends, 2);
  EXPECT_EQ(found.operations.at(2).sends, 1);
  EXPECT_THAT(metrics_.text(), HasSubstr("switchyard_stale_outcomes_total 0"));
}

TEST_F(ConnectorTest, AnOutcomeIsNotLostBesideAnotherOperationOfTheTransaction) {
  const auto id = create();
  start();
  ASSERT_TRUE(comes_to(id, Status::captured));
  asio::post(threads_.executor(0), asio::use_future([this] { psp_.answers = {Pending{"refund-ref", {}}}; }))
      .get();
  request(id, Kind::refund, 30);
  ASSERT_TRUE(eventually([&] { return find(id).operations.at(1).phase == Phase::pending; }));
  // Its look-up is under way while the next one is sent, and comes to an end first.
  psp_.look_ups_held = true;
  ASSERT_TRUE(eventually([&] {
    clock_.advance(milliseconds(100));
    return psp_.calls == 3;
  }));
  psp_.held = true;
  request(id, Kind::refund, 20);
  ASSERT_TRUE(eventually([this] { return psp_.under_way == 1; }));
  psp_.look_ups_held = false;
  ASSERT_TRUE(eventually([&] { return find(id).operations.at(1).phase == Phase::succeeded; }));
  psp_.held = false;
  EXPECT_TRUE(comes_to(id, Status::partially_refunded));
  EXPECT_EQ(find(id).transaction.refunded_minor, 50);
  EXPECT_THAT(metrics_.text(), HasSubstr("switchyard_stale_outcomes_total 0"));
}

}  // namespace
}  // namespace switchyard::connector
