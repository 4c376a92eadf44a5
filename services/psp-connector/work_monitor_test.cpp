#include "psp-connector/work_monitor.hpp"

#include <gmock/gmock.h>

#include "base/testing.hpp"
#include "rq/job.hpp"

namespace switchyard::connector {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class WorkMonitorTest : public ::testing::Test {
 protected:
  testing::ManualClock clock_;
  telemetry::Metrics metrics_;
  WorkMonitor monitor_{metrics_, clock_};
};

TEST_F(WorkMonitorTest, PassesWhileWorkIsClaimed) {
  monitor_.looked();
  const auto checks = monitor_.checks(false);
  ASSERT_THAT(checks, SizeIs(2));
  for (const auto& check : checks) {
    EXPECT_TRUE(check.passed && !check.concern) << check.name;
    EXPECT_EQ(check.output, "");
  }
}

TEST_F(WorkMonitorTest, ClaimsThatFailAreAFailureOrWhereOthersAreServedAWarning) {
  monitor_.look_failed();
  EXPECT_FALSE(monitor_.checks(false).at(0).passed);
  const auto warning = monitor_.checks(true).at(0);
  EXPECT_TRUE(warning.passed && warning.concern);
  EXPECT_THAT(warning.output, HasSubstr("cannot be claimed"));
  EXPECT_THAT(metrics_.text(), HasSubstr("switchyard_claim_failures_total 1"));
  monitor_.looked();
  EXPECT_TRUE(monitor_.checks(false).at(0).passed);
}

TEST_F(WorkMonitorTest, SaysForHowLongWorkHasBeenDue) {
  monitor_.measured({.oldest_due = clock_.now() - seconds(60), .in_review = 3}, seconds(0));
  EXPECT_FALSE(monitor_.checks(false).at(1).concern);
  monitor_.measured({.oldest_due = clock_.now() - seconds(75), .in_review = 3}, seconds(0));
  const auto late = monitor_.checks(false).at(1);
  EXPECT_TRUE(late.passed && late.concern);
  EXPECT_THAT(late.output, HasSubstr("75 s"));
  EXPECT_THAT(metrics_.text(), HasSubstr("switchyard_oldest_due_age_seconds 75"));
  EXPECT_THAT(metrics_.text(), HasSubstr("switchyard_manual_review_transactions 3"));
  monitor_.measured({.oldest_due = clock_.now() + seconds(30)}, seconds(0));
  EXPECT_FALSE(monitor_.checks(false).at(1).concern) << "it is not due yet";
}

TEST_F(WorkMonitorTest, WhatIsQueuedHasItsTimeWithAQueueOutsideTheStore) {
  const auto age_with_30_s = [this](std::optional<Timestamp> queued, std::optional<Timestamp> started) {
    const auto oldest = std::min(queued.value_or(clock_.now()), started.value_or(clock_.now()));
    monitor_.measured({.oldest_due = oldest, .oldest_started = started}, seconds(30));
    const auto text = metrics_.text();
    const std::string name = "\nswitchyard_oldest_due_age_seconds ";
    return std::stod(text.substr(text.find(name) + name.size()));
  };
  EXPECT_EQ(age_with_30_s(clock_.now() - seconds(30), {}), 0);
  EXPECT_EQ(age_with_30_s(clock_.now() - seconds(100), {}), 70);
  EXPECT_TRUE(monitor_.checks(false).at(1).concern);
  EXPECT_EQ(age_with_30_s(clock_.now() - seconds(30), clock_.now() - seconds(5)), 5);
  EXPECT_EQ(age_with_30_s(clock_.now(), clock_.now() - seconds(20)), 20) << "no queue holds what is started";
}

TEST_F(WorkMonitorTest, ThreeCallsInARowThatWereNotSentAreToldUntilOneIsSent) {
  const auto since = clock_.now();
  monitor_.psp_not_reached("psp", "connection refused");
  clock_.advance(seconds(5));
  monitor_.psp_not_reached("psp", "connection refused");
  EXPECT_EQ(monitor_.psp_trouble(), "");
  monitor_.psp_not_reached("psp", "name not found");
  EXPECT_THAT(monitor_.psp_trouble(), HasSubstr("the last 3 calls"));
  EXPECT_THAT(monitor_.psp_trouble(), HasSubstr("since " + rq::format_time(since)));
  EXPECT_THAT(monitor_.psp_trouble(), HasSubstr("name not found"));
  monitor_.psp_reached("psp");
  EXPECT_EQ(monitor_.psp_trouble(), "");
  monitor_.psp_not_reached("psp", "connection refused");
  EXPECT_EQ(monitor_.psp_trouble(), "") << "it counts anew";
}

TEST_F(WorkMonitorTest, AClockThatIsFarFromTheStoresIsAWarning) {
  const auto said = [this](seconds ahead) {
    monitor_.clock_is_off(ahead);
    const auto checks = monitor_.checks(false);
    return checks.size() == 2 ? "" : checks.at(2).output;
  };
  EXPECT_EQ(said(seconds(86'400)), "this machine's clock is 86400 s behind the store's, which is gone by");
  EXPECT_EQ(said(seconds(-31)), "this machine's clock is 31 s ahead of the store's, which is gone by");
  EXPECT_TRUE(monitor_.checks(false).at(2).passed && monitor_.checks(false).at(2).concern);
  EXPECT_EQ(said(seconds(0)), "");
}

TEST_F(WorkMonitorTest, TroubleWithTheQueueIsAWarning) {
  monitor_.queue_trouble("OOM");
  const auto checks = monitor_.checks(false);
  ASSERT_THAT(checks, SizeIs(3));
  EXPECT_TRUE(checks[2].passed && checks[2].concern);
  monitor_.queue_trouble("");
  EXPECT_THAT(monitor_.checks(false), SizeIs(2));
}

}  // namespace
}  // namespace switchyard::connector
