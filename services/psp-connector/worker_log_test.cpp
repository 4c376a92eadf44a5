#include "psp-connector/worker_log.hpp"

#include <sstream>

#include <gmock/gmock.h>

#include "psp-connector/testing.hpp"

namespace switchyard::connector {
namespace {

using payment::Kind;
using payment::OutcomeUnknown;
using payment::Phase;
using payment::Status;
using std::chrono::seconds;
using switchyard::testing::CapturedStdout;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::SizeIs;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST_F(ConnectorTest, PrintsTheLinesOfAWorkerOfRq) {
  CapturedStdout printed;
  log_.emplace(LogFormat::text, LogLevel::info);
  psp_.answers = {succeeded("psp-ref")};
  start();
  const auto id = create(100);
  EXPECT_TRUE(comes_to(id, Status::captured));
  stop();
  const std::string time = "[0-9]{2}:[0-9]{2}:[0-9]{2} ";
  const auto id_text = id.value.to_string();
  EXPECT_THAT(
      lines_of(printed.text()),
      ElementsAre(
          MatchesRegex(time + "Worker rq:worker:[0-9a-f]{32}: started, version [0-9.]+"),
          MatchesRegex(time + "Subscribing to channel rq:pubsub:[0-9a-f]{32}"),
          MatchesRegex(time + "\\*\\*\\* Listening on default\\.\\.\\."),
          MatchesRegex(time + "Cleaning registries for queue: default"),
          MatchesRegex(time +
                       "default: __main__\\.make_transaction\\(amount=100, currency='USD', user_id=7\\) \\(" +
                       id_text + "\\)"),
          "==> Making transaction with PSP: User ID: 7, Amount: 100, Currency: USD",
          MatchesRegex(time + "default: Job OK \\(" + id_text + "\\)"),
          MatchesRegex(time + "Result is kept for 500 seconds"),
          MatchesRegex(time + "Warm shut down requested"),
          MatchesRegex(time + "Unsubscribing from channel rq:pubsub:[0-9a-f]{32}")));
}

TEST_F(ConnectorTest, PrintsNoPaymentForALookUp) {
  CapturedStdout printed;
  log_.emplace(LogFormat::text, LogLevel::info);
  psp_.answers = {OutcomeUnknown{"time-out"}};
  const auto id = create();
  start();
  EXPECT_TRUE(comes_to_in_time(id, Status::captured));
  stop();
  const auto lines = lines_of(printed.text());
  EXPECT_EQ(psp_.looked_up.size(), 1U);
  EXPECT_EQ(std::ranges::count_if(lines, [](const auto& line) { return line.starts_with("==> "); }), 1)
      << "one line for each request that went to the PSP";
}

class WorkerLogTest : public ::testing::Test {
 protected:
  static payment::Step step(Status status, Phase phase, std::string reason = "",
                            Kind kind = Kind::authorize) {
    payment::Operation operation{.kind = kind, .amount = dollars(kind == Kind::authorize ? 100 : 40)};
    operation.number = kind == Kind::authorize ? 1 : 2;
    operation.phase = phase;
    operation.reason.message = std::move(reason);
    payment::Transaction transaction{.id = {*Uuid::parse("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")},
                                     .merchant_id = merchant,
                                     .amount = dollars(100),
                                     .status = status};
    return {{std::move(transaction), {std::move(operation)}}, payment::Action::none, 0};
  }
  static std::vector<std::string> lines_at_the_end_of(const payment::Step& step,
                                                      LogFormat format = LogFormat::text,
                                                      LogLevel least = LogLevel::info) {
    CapturedStdout printed;
    Log log(format, least);
    WorkerLog(log).job_ended(step);
    EXPECT_TRUE(log.drain(seconds(30)));
    return lines_of(printed.text());
  }
};

TEST_F(WorkerLogTest, AJobIsDoneWhenThePspHasAnswered) {
  for (const auto& [status, phase] :
       {std::pair(Status::captured, Phase::succeeded), std::pair(Status::authorized, Phase::succeeded),
        std::pair(Status::declined, Phase::declined)}) {
    EXPECT_THAT(lines_at_the_end_of(step(status, phase)),
                ElementsAre(HasSubstr("default: Job OK (017f22e2-79b0-7cc3-98c4-dc0c0c07398f)"),
                            HasSubstr("Result is kept for 500 seconds")))
        << to_string(status);
  }
}

TEST_F(WorkerLogTest, AJobIsNotDoneOtherwise) {
  for (const auto& [status, phase] :
       {std::pair(Status::processing, Phase::requested), std::pair(Status::unknown, Phase::unknown),
        std::pair(Status::failed, Phase::failed), std::pair(Status::failed, Phase::rejected),
        std::pair(Status::manual_review, Phase::manual_review)}) {
    EXPECT_THAT(lines_at_the_end_of(step(status, phase, "time-out")),
                ElementsAre(HasSubstr("default: Job not done (017f22e2-79b0-7cc3-98c4-dc0c0c07398f): " +
                                      std::string(to_string(status)) + ", time-out")));
  }
}

TEST_F(WorkerLogTest, WhatMerchantsAskForIsNamed) {
  const auto refund = step(Status::partially_refunded, Phase::succeeded, "", Kind::refund);
  EXPECT_THAT(lines_at_the_end_of(refund),
              ElementsAre(HasSubstr("default: Job OK (017f22e2-79b0-7cc3-98c4-dc0c0c07398f-2)"),
                          HasSubstr("Result is kept for 500 seconds")));
  EXPECT_THAT(
      lines_at_the_end_of(step(Status::captured, Phase::failed, "refused", Kind::refund)),
      ElementsAre(HasSubstr("Job not done (017f22e2-79b0-7cc3-98c4-dc0c0c07398f-2): failed, refused")));
  CapturedStdout printed;
  Log log(LogFormat::text, LogLevel::info);
  WorkerLog(log).job_started(refund);
  WorkerLog(log).making(refund);
  WorkerLog(log).making(step(Status::processing, Phase::sent, "", Kind::void_));
  EXPECT_TRUE(log.drain(seconds(30)));
  EXPECT_THAT(lines_of(printed.text()),
              ElementsAre(HasSubstr("default: __main__.make_refund(amount=40, currency='USD', user_id=7) "
                                    "(017f22e2-79b0-7cc3-98c4-dc0c0c07398f-2)"),
                          "==> Making refund with PSP: User ID: 7, Amount: 40, Currency: USD",
                          "==> Making void with PSP: User ID: 7, Amount: 40, Currency: USD"));
}

TEST_F(WorkerLogTest, WarnsOfWhatNeedsAPerson) {
  EXPECT_THAT(lines_at_the_end_of(step(Status::manual_review, Phase::manual_review, "another amount"),
                                  LogFormat::json, LogLevel::warning),
              ElementsAre(AllOf(HasSubstr(R"("level":"warning")"), HasSubstr(R"("reason":"another amount")"),
                                HasSubstr(R"("transaction_id":"017f22e2-79b0-7cc3-98c4-dc0c0c07398f")"))));
  EXPECT_THAT(lines_at_the_end_of(step(Status::failed, Phase::failed), LogFormat::json, LogLevel::warning),
              ElementsAre());
}

TEST_F(WorkerLogTest, HoldsTheSameFactsAsJson) {
  EXPECT_THAT(lines_at_the_end_of(step(Status::captured, Phase::succeeded), LogFormat::json),
              ElementsAre(AllOf(HasSubstr(R"("transaction_id":"017f22e2-79b0-7cc3-98c4-dc0c0c07398f")"),
                                HasSubstr(R"("status":"captured")")),
                          HasSubstr("Result is kept")));
  CapturedStdout printed;
  Log log(LogFormat::json, LogLevel::info);
  WorkerLog(log).job_started(step(Status::processing, Phase::sent));
  EXPECT_TRUE(log.drain(seconds(30)));
  for (const auto& line : lines_of(printed.text())) {
    EXPECT_THAT(line, AllOf(HasSubstr(R"("user_id":7)"), HasSubstr(R"("amount":100)"),
                            HasSubstr(R"("currency":"USD")")));
  }
}

TEST_F(WorkerLogTest, EachWorkerHasANameOfItsOwn) {
  CapturedStdout printed;
  Log log(LogFormat::text, LogLevel::info);
  WorkerLog(log).started();
  WorkerLog(log).started();
  EXPECT_TRUE(log.drain(seconds(30)));
  const auto lines = lines_of(printed.text());
  ASSERT_THAT(lines, SizeIs(8));
  EXPECT_NE(lines[0].substr(9), lines[4].substr(9));
}

}  // namespace
}  // namespace switchyard::connector
