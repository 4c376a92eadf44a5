#include "rq/books.hpp"

#include <gmock/gmock.h>

namespace switchyard::rq {
namespace {

using payment::Phase;
using payment::Status;

const auto usd = *Currency::parse("USD");

payment::State state(Phase phase, payment::CaptureMethod method = payment::CaptureMethod::automatic) {
  payment::State state{{.id = {}, .merchant_id = {7}, .amount = Money(100, usd), .capture_method = method},
                       {}};
  state.operations.push_back({.amount = Money(100, usd), .phase = phase});
  return state;
}

TEST(RqBooksTest, AJobIsItsTransactionsAuthorization) {
  for (const auto phase :
       {Phase::requested, Phase::sent, Phase::pending, Phase::unknown, Phase::action_required}) {
    EXPECT_EQ(outcome_of_job(state(phase)), std::nullopt) << to_string(phase);
  }
  EXPECT_EQ(outcome_of_job(state(Phase::succeeded)), Status::captured);
  EXPECT_EQ(outcome_of_job(state(Phase::succeeded, payment::CaptureMethod::manual)), Status::authorized);
  EXPECT_EQ(outcome_of_job(state(Phase::declined)), Status::declined);
  EXPECT_EQ(outcome_of_job(state(Phase::rejected)), Status::failed);
  EXPECT_EQ(outcome_of_job(state(Phase::failed)), Status::failed);
  EXPECT_EQ(outcome_of_job(state(Phase::manual_review)), Status::manual_review);
  auto queued = state(Phase::requested);
  queued.operations.clear();
  EXPECT_EQ(outcome_of_job(queued), std::nullopt);
}

TEST(RqBooksTest, WhatIsAskedForLaterChangesNothingOfTheJob) {
  auto refunded = state(Phase::succeeded);
  refunded.operations.push_back({.number = 2, .kind = payment::Kind::refund, .amount = Money(30, usd)});
  for (const auto phase : {Phase::requested, Phase::unknown, Phase::failed, Phase::manual_review}) {
    refunded.operations[1].phase = phase;
    refunded.operations[1].reason.message = "not today";
    EXPECT_EQ(outcome_of_job(refunded), Status::captured) << to_string(phase);
    EXPECT_EQ(reason_of_job(refunded), "");
  }
}

TEST(RqBooksTest, OfTwoAuthorizationsTheLastOneCounts) {
  // As after `rq requeue` of what another worker had failed.
  auto requeued = state(Phase::failed);
  requeued.operations[0].reason.message = "ValueError";
  EXPECT_EQ(reason_of_job(requeued), "ValueError");
  requeued.operations.push_back({.number = 2, .amount = Money(100, usd), .phase = Phase::succeeded});
  EXPECT_EQ(outcome_of_job(requeued), Status::captured);
  EXPECT_EQ(reason_of_job(requeued), "");
}

}  // namespace
}  // namespace switchyard::rq
