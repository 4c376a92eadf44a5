#include "rq/job_state.hpp"

#include <gmock/gmock.h>

#include "rq/job.hpp"

namespace switchyard::rq {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

const Timestamp now = *parse_time("2026-11-22T18:00:00Z");

JobState job(std::string status) {
  JobState state;
  state.known = true;
  state.status = std::move(status);
  state.timeout = "180";
  return state;
}

JobState begun(std::string status, std::string worker = "python") {
  auto state = job(std::move(status));
  state.started_at = now - seconds(10);
  state.worker_name = std::move(worker);
  return state;
}

JobState begun_by_us(std::string status) {
  auto state = begun(std::move(status), "ours");
  state.switchyard_worker = "ours";
  return state;
}

Verdict verdict(const JobState& state, std::optional<Timestamp> until = std::nullopt) {
  return judge(state, until, now);
}

TEST(JobStateTest, WhatRedisLostIsEnqueued) {
  EXPECT_EQ(verdict(JobState()), Verdict::enqueue);
}

TEST(JobStateTest, WhatIsQueuedIsLookedForInTheLists) {
  EXPECT_EQ(verdict(job("queued")), Verdict::look_for);
}

TEST(JobStateTest, WhatRqHoldsBackIsLeft) {
  EXPECT_EQ(verdict(job("deferred")), Verdict::leave);
  EXPECT_EQ(verdict(job("scheduled")), Verdict::leave);
  EXPECT_EQ(verdict(job("a new status")), Verdict::leave);
}

TEST(JobStateTest, WhatAnotherWorkerEndedIsBelieved) {
  EXPECT_EQ(verdict(begun("finished")), Verdict::captured);
  EXPECT_EQ(verdict(begun("failed")), Verdict::failed);
}

TEST(JobStateTest, WhatAnotherWorkerIsDoingIsLeftUntilItsTimeIsUp) {
  EXPECT_EQ(verdict(begun("started"), now + seconds(1)), Verdict::leave);
  EXPECT_EQ(verdict(begun("started"), now - seconds(1)), Verdict::out_of_hand);
}

TEST(JobStateTest, WithoutAnEntryTheJobsOwnTimesTell) {
  auto state = begun("started");
  EXPECT_EQ(verdict(state), Verdict::leave);
  state.started_at = now - seconds(180 + 89);
  EXPECT_EQ(verdict(state), Verdict::leave);
  state.started_at = now - seconds(180 + 91);
  EXPECT_EQ(verdict(state), Verdict::out_of_hand);
  state.last_heartbeat = now - seconds(30);
  EXPECT_EQ(verdict(state), Verdict::leave) << "it was seen half a minute ago";
}

TEST(JobStateTest, WhatWasStoppedInTheMiddleIsForAPerson) {
  EXPECT_EQ(verdict(begun("stopped")), Verdict::out_of_hand);
  EXPECT_EQ(verdict(begun("canceled")), Verdict::out_of_hand);
}

TEST(JobStateTest, WhatNobodyBeganHasMovedNoMoney) {
  EXPECT_EQ(verdict(job("failed")), Verdict::start_anew) << "RQ failed it in the intermediate list";
  EXPECT_EQ(verdict(job("canceled")), Verdict::failed);
}

TEST(JobStateTest, WhatOurWorkerDidAndTheStoreDoesNotKnowIsStartedAnew) {
  for (const auto* status : {"started", "finished", "failed"}) {
    EXPECT_EQ(verdict(begun_by_us(status)), Verdict::start_anew) << status;
  }
  auto handed_over = begun_by_us("finished");
  handed_over.worker_name = "python";
  EXPECT_EQ(verdict(handed_over), Verdict::captured) << "another worker had it last";
  handed_over.worker_name.clear();
  EXPECT_EQ(verdict(handed_over), Verdict::captured) << "RQ clears the name at the end";
}

TEST(JobStateTest, WhatStandsInTheQueueIsBegunUnlessItMayHaveBeenBegunOrCalledOff) {
  for (const auto* status : {"", "queued"}) {
    EXPECT_TRUE(may_be_begun(status, false)) << status;
    EXPECT_TRUE(may_be_begun(status, true)) << status << ", as RQ's requeue leaves it";
  }
  for (const auto* status : {"failed", "deferred", "scheduled", "weird"}) {
    EXPECT_TRUE(may_be_begun(status, false)) << status;
    EXPECT_FALSE(may_be_begun(status, true)) << status;
  }
  for (const auto* status : {"started", "finished", "stopped", "canceled"}) {
    EXPECT_FALSE(may_be_begun(status, false)) << status;
  }
}

TEST(JobStateTest, KnowsTheWordsForAKilledWorker) {
  for (const auto* text : {"Moved to FailedJobRegistry at 2026-11-22 18:00:00",
                           "Moved to FailedJobRegistry, due to AbandonedJobError, at 2026-11-22",
                           "Work-horse terminated unexpectedly; waitpid returned 9 (signal 9);",
                           "Traceback ...\nrq.timeouts.JobTimeoutException: Task exceeded maximum timeout "
                           "value (180 seconds)"}) {
    EXPECT_TRUE(tells_of_a_killed_worker(text)) << text;
  }
  EXPECT_FALSE(tells_of_a_killed_worker("Traceback ...\nValueError: no such currency"));
}

TEST(JobStateTest, TheReasonIsTheLastLine) {
  EXPECT_EQ(last_line("Traceback\n  File x\nValueError: no such currency\n\n"),
            "ValueError: no such currency");
  EXPECT_EQ(last_line("one line"), "one line");
  EXPECT_EQ(last_line(" \n\n"), "no reason given");
  EXPECT_EQ(last_line(""), "no reason given");
  EXPECT_EQ(last_line("a\tb\x1b[31m\xc3\xa9"), "a b [31m\xc3\xa9");
  EXPECT_EQ(last_line(std::string(100'000, 'x')).size(), 255U);
  EXPECT_THAT(last_line("card 4111111111111111 refused"), Not(HasSubstr("4111111111111111")));
}

}  // namespace
}  // namespace switchyard::rq
