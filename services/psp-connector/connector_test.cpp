#include <gmock/gmock.h>

#include "psp-connector/testing.hpp"
#include "sqlite/database.hpp"

namespace switchyard::connector {
namespace {

using payment::Kind;
using payment::NoSuchOperation;
using payment::NotSent;
using payment::OutcomeUnknown;
using payment::Phase;
using payment::ReasonKind;
using payment::Status;
using std::chrono::milliseconds;
using std::chrono::seconds;
using switchyard::testing::CapturedStdout;
using switchyard::testing::eventually;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

// --- The way of a transaction ------------------------------------------------------------------

TEST_F(ConnectorTest, TheIntentIsOnDiskBeforeThePspIsCalled) {
  std::atomic<int> seen = 0;
  psp_.on_send = [&](const Sent&) {
    EXPECT_EQ(in_file("SELECT count(*) FROM operations WHERE phase = 'sent' AND psp = 'scripted'"), 1);
    EXPECT_EQ(in_file("SELECT count(*) FROM transactions WHERE status = 'processing' AND version = 1"), 1);
    ++seen;
  };
  const auto id = create();
  start();
  EXPECT_TRUE(comes_to(id, Status::captured));
  EXPECT_EQ(seen, 1);
}

TEST_F(ConnectorTest, AsksThePspForWhatTheMerchantAskedFor) {
  settings_.psp_timeout = seconds(20);
  const auto automatic = create(1234);
  start();
  EXPECT_TRUE(comes_to(automatic, Status::captured));
  const auto latest = std::chrono::steady_clock::now() + settings_.psp_timeout;
  stop();
  ASSERT_THAT(psp_.requests, SizeIs(1));
  const auto& request = psp_.requests[0];
  EXPECT_EQ(request.reference, automatic.value.to_string());
  EXPECT_EQ(request.operation.kind, Kind::authorize);
  EXPECT_EQ(request.operation.amount, dollars(1234));
  const auto operation = find(automatic).operations.at(0);
  EXPECT_EQ(request.operation.idempotency_key, operation.idempotency_key);
  EXPECT_EQ(request.operation.request, "authorize for " + automatic.value.to_string());
  EXPECT_EQ(operation.request, request.operation.request) << "what was sent is on disk";
  EXPECT_LE(psp_.deadlines[0], latest);
  EXPECT_THAT(metrics_.text(), HasSubstr("switchyard_transactions_total{status=\"captured\"} 1"));
}

TEST_F(ConnectorTest, SavesAnApproval) {
  const auto automatic = create();
  const auto manual = create(100, payment::CaptureMethod::manual);
  start();
  EXPECT_TRUE(comes_to(automatic, Status::captured));
  EXPECT_TRUE(comes_to(manual, Status::authorized));
  const auto found = find(automatic);
  EXPECT_EQ(found.transaction.captured_minor, 100);
  EXPECT_EQ(find(manual).transaction.held_minor, 100);
  ASSERT_THAT(found.operations, SizeIs(1));
  EXPECT_EQ(found.operations[0].phase, Phase::succeeded);
  EXPECT_EQ(found.operations[0].psp_reference, "psp-ref");
}

TEST_F(ConnectorTest, SavesADecline) {
  psp_.answers = {declined("51", ReasonKind::soft_decline)};
  const auto id = create();
  start();
  EXPECT_TRUE(comes_to(id, Status::declined));
  EXPECT_EQ(find(id).transaction.reason, "51");
  stop();
  EXPECT_EQ(psp_.calls, 1) << "no is an answer";
}

TEST_F(ConnectorTest, TriesAgainWhatWasNotSentAndThenGivesUp) {
  psp_.answers = {NotSent{"connection refused"}, NotSent{"connection refused"}, NotSent{"name not found"}};
  const auto id = create();
  start();
  EXPECT_TRUE(comes_to_in_time(id, Status::failed));
  const auto found = find(id);
  EXPECT_EQ(found.transaction.reason, "name not found");
  ASSERT_THAT(found.operations, SizeIs(1));
  EXPECT_EQ(found.operations[0].sends, 3);
  EXPECT_EQ(found.operations[0].phase, Phase::failed);
  EXPECT_THAT(connector_->monitor().psp_trouble(), HasSubstr("name not found"));
  EXPECT_TRUE(comes_to(create(), Status::captured));
  EXPECT_EQ(connector_->monitor().psp_trouble(), "");
}

TEST_F(ConnectorTest, WhatWasNotSentMaySucceedTheNextTimeUnderTheSameKey) {
  psp_.answers = {NotSent{"connection refused"}};
  const auto id = create();
  start();
  EXPECT_TRUE(comes_to_in_time(id, Status::captured));
  stop();
  ASSERT_THAT(psp_.requests, SizeIs(2));
  EXPECT_EQ(psp_.requests[0].operation.idempotency_key, psp_.requests[1].operation.idempotency_key);
}

TEST_F(ConnectorTest, LooksUpAnUnknownOutcomeInsteadOfSendingAgain) {
  psp_.answers = {OutcomeUnknown{"time-out"}};
  psp_.found = {OutcomeUnknown{"HTTP 502"}, succeeded("found-ref")};
  const auto id = create();
  start();
  EXPECT_TRUE(comes_to_in_time(id, Status::captured));
  stop();
  const auto found = find(id);
  ASSERT_THAT(found.operations, SizeIs(1));
  EXPECT_EQ(found.operations[0].psp_reference, "found-ref");
  const auto asked = id.value.to_string() + " " + found.operations[0].idempotency_key;
  EXPECT_THAT(psp_.looked_up, ElementsAre(asked, asked));
  EXPECT_THAT(psp_.requests, SizeIs(1));
}

TEST_F(ConnectorTest, SendsTheSameAgainWhenThePspKnowsNothing) {
  psp_.answers = {OutcomeUnknown{"time-out"}};
  psp_.found = {NoSuchOperation{}};
  const auto id = create();
  start();
  EXPECT_TRUE(comes_to_in_time(id, Status::captured));
  stop();
  ASSERT_THAT(psp_.requests, SizeIs(2));
  EXPECT_EQ(psp_.requests[0].operation.idempotency_key, psp_.requests[1].operation.idempotency_key);
  EXPECT_EQ(psp_.requests[0].operation.request, psp_.requests[1].operation.request);
  EXPECT_EQ(psp_.requests[0].reference, psp_.requests[1].reference);
  EXPECT_EQ(psp_.requests[0].operation.amount, psp_.requests[1].operation.amount);
  ASSERT_THAT(psp_.look_up_deadlines, SizeIs(1));
  EXPECT_EQ(psp_.deadlines[1], psp_.look_up_deadlines[0]) << "both must end before the lease of their claim";
  EXPECT_THAT(find(id).operations, SizeIs(1));
}

TEST_F(ConnectorTest, GivesToAPersonWhatStaysUnknown) {
  settings_.policy.look_ups_max = 2;
  psp_.answers = {OutcomeUnknown{"time-out"}};
  psp_.found = {OutcomeUnknown{"HTTP 502"}, OutcomeUnknown{"HTTP 503"}};
  const auto id = create();
  start();
  EXPECT_TRUE(comes_to_in_time(id, Status::manual_review));
  EXPECT_EQ(find(id).transaction.reason, "HTTP 503");
}

TEST_F(ConnectorTest, AnAdapterThatThrowsLeavesTheOutcomeUnknownAndEverybodyElseIsServed) {
  psp_.on_send = [](const Sent& request) {
    if (request.operation.amount.minor() == 13) throw std::runtime_error("an answer it chokes on");
  };
  const auto id = create(13);
  const auto other = create(100);
  start();
  EXPECT_TRUE(comes_to_in_time(other, Status::captured));
  EXPECT_TRUE(comes_to_in_time(id, Status::captured)) << "by its look-up";
  EXPECT_EQ(find(id).operations.at(0).look_ups, 1);
}

TEST_F(ConnectorTest, FinishesWhatAWorkerThatDiedHadClaimed) {
  const auto id = create();
  const auto claimed = claim_elsewhere();
  ASSERT_THAT(claimed, SizeIs(1));
  const auto key = claimed[0].operation().idempotency_key;
  psp_.found = {succeeded("found-ref")};
  start();
  clock_.advance(settings_.policy.lease);
  EXPECT_TRUE(comes_to_in_time(id, Status::captured));
  stop();
  EXPECT_THAT(psp_.looked_up, ElementsAre(id.value.to_string() + " " + key));
  EXPECT_TRUE(psp_.requests.empty()) << "the dead worker may have sent it";
}

TEST_F(ConnectorTest, WorksManyOffAtOnce) {
  settings_.in_flight_max = 300;
  std::vector<TransactionId> ids;
  for (int i = 0; i < 400; ++i) ids.push_back(create());
  psp_.held = true;
  start();
  EXPECT_TRUE(eventually([this] { return psp_.under_way == 300; }));
  psp_.held = false;
  for (const auto id : ids) EXPECT_TRUE(comes_to(id, Status::captured));
  EXPECT_EQ(psp_.most_under_way, 300);
  EXPECT_EQ(psp_.calls, 400);
}

// With a queue outside the store.
TEST_F(ConnectorTest, WhatIsQueuedIsLeftToAnotherQueueForItsTimeOrAltogether) {
  const auto take_queued_after = [this](std::optional<milliseconds> wait) {
    asio::post(threads_.executor(0), asio::use_future([this, wait] { connector_->take_queued_after(wait); }))
        .get();
  };
  start();
  const auto started = create(100, payment::CaptureMethod::manual);
  EXPECT_TRUE(comes_to(started, Status::authorized));

  take_queued_after(seconds(30));
  const auto queued = create();
  request(started, Kind::capture);
  EXPECT_TRUE(comes_to(started, Status::captured)) << "what has been started is the store's to hand out";
  EXPECT_EQ(status(queued), Status::queued);
  clock_.advance(seconds(30));
  wake_up_.notify();
  EXPECT_TRUE(comes_to(queued, Status::captured));

  take_queued_after(std::nullopt);
  const auto left = create();
  clock_.advance(std::chrono::hours(1));
  request(started, Kind::refund);
  EXPECT_TRUE(comes_to(started, Status::refunded));
  EXPECT_EQ(status(left), Status::queued);
}

// --- A clock that is far off ----------------------------------------------------------------------

// Without the store's clock it would claim the running lease again and again: see StoreClock.
TEST_F(ConnectorTest, AWorkerWhoseClockIsADayOffLeavesRunningLeasesAlone) {
  for (const auto off : {std::chrono::hours(24), -std::chrono::hours(24)}) {
    const auto leased = create();
    const auto claimed = claim_elsewhere();
    ASSERT_THAT(claimed, SizeIs(1));
    testing::ManualClock wrong;
    wrong.advance(clock_.now() - wrong.now() + off);
    connector_.emplace(settings_, threads_.executor(0), store_, psps_, wake_up_, metrics_, log(), wrong);
    connector_->compare_clock(clock_.now());
    running_ = asio::co_spawn(threads_.executor(0), [this] { return connector_->run(); }, asio::use_future);
    const auto fresh = create();
    EXPECT_TRUE(comes_to(fresh, Status::captured));
    EXPECT_EQ(find(leased).operations.at(0).claims, 1);
    EXPECT_EQ(status(leased), Status::processing);
    EXPECT_EQ(find(fresh).operations.at(0).sent_at, clock_.now());
    stop();
    save_elsewhere(
        payment::answered(claimed[0], succeeded("in-time"), psps_, clock_.now(), settings_.policy));
  }
}

// Whether the PSP still keeps the key depends on it.
TEST_F(ConnectorTest, AWorkerWhoseClockIsADayOffAsksByTheTimeOfTheStore) {
  const auto id = create();
  ASSERT_THAT(claim_elsewhere(), SizeIs(1));
  clock_.advance(settings_.policy.lease);
  testing::ManualClock wrong;
  wrong.advance(clock_.now() - wrong.now() - std::chrono::hours(24));
  connector_.emplace(settings_, threads_.executor(0), store_, psps_, wake_up_, metrics_, log(), wrong);
  connector_->compare_clock(clock_.now());
  running_ = asio::co_spawn(threads_.executor(0), [this] { return connector_->run(); }, asio::use_future);
  EXPECT_TRUE(comes_to(id, Status::captured));
  stop();
  EXPECT_THAT(psp_.look_up_times, ElementsAre(clock_.now()));
}

// --- What goes wrong with the store ----------------------------------------------------------------

TEST_F(ConnectorTest, AnOutcomeThatCannotBeSavedIsLookedUpAfterTheLease) {
  psp_.on_send = [this](const Sent&) { change_file("ALTER TABLE operations RENAME TO operations_gone"); };
  psp_.found = {succeeded("found-ref")};
  CapturedStdout printed;
  const auto id = create();
  start();
  ASSERT_TRUE(eventually([&] { return printed.text().find("cannot be saved") != std::string::npos; }));
  clock_.advance(settings_.policy.lease);
  change_file("ALTER TABLE operations_gone RENAME TO operations");
  wake_up_.notify();
  EXPECT_TRUE(comes_to(id, Status::captured));
  stop();
  EXPECT_THAT(psp_.requests, SizeIs(1));
}

TEST_F(ConnectorTest, GoesOnWhenTheStoreIsBack) {
  change_file("ALTER TABLE transactions RENAME TO transactions_gone");
  CapturedStdout printed;
  start();
  EXPECT_TRUE(eventually([&] { return printed.text().find("cannot be claimed") != std::string::npos; }));
  change_file("ALTER TABLE transactions_gone RENAME TO transactions");
  EXPECT_TRUE(comes_to(create(), Status::captured));
  stop();
}

// --- Stop --------------------------------------------------------------------------------------

TEST_F(ConnectorTest, StopWaitsForTheOperationsUnderWay) {
  psp_.held = true;
  const auto first = create();
  const auto second = create();
  start();
  ASSERT_TRUE(eventually([this] { return psp_.under_way == 2; }));
  ask_to_stop();
  const auto too_late = create();
  EXPECT_EQ(running_.wait_for(milliseconds(20)), std::future_status::timeout);
  psp_.held = false;
  running_.get();
  EXPECT_EQ(status(first), Status::captured);
  EXPECT_EQ(status(second), Status::captured);
  EXPECT_EQ(status(too_late), Status::queued) << "nothing new is begun";
}

TEST_F(ConnectorTest, StopsWhileThereIsNothingToDo) {
  start();
  stop();
  const auto id = create();
  EXPECT_EQ(psp_.calls, 0);
  start();
  EXPECT_TRUE(comes_to(id, Status::captured)) << "and can be started again";
}

TEST_F(ConnectorTest, StopsWhileTheStoreFails) {
  change_file("ALTER TABLE transactions RENAME TO transactions_gone");
  CapturedStdout printed;
  start();
  EXPECT_TRUE(eventually([&] { return printed.text().find("cannot be claimed") != std::string::npos; }));
  stop();
}

// --- Settings --------------------------------------------------------------------------------------

TEST(ConnectorSettings, AreReadFromTheEnvironment) {
  const auto defaults = read_settings(Environment());
  EXPECT_EQ(defaults.psp_timeout, seconds(10));
  EXPECT_EQ(defaults.policy.lease, seconds(15));
  EXPECT_EQ(defaults.policy.look_ups_max, 12);
  EXPECT_EQ(defaults.in_flight_max, 2048U);

  Environment environment;
  environment.set("PSP_TIMEOUT_SECONDS", "20");
  EXPECT_EQ(read_settings(environment).policy.lease, seconds(30));
  environment.set("LEASE_SECONDS", "100");
  environment.set("LOOK_UPS_MAX", "3");
  environment.set("MAX_IN_FLIGHT", "5");
  const auto given = read_settings(environment);
  EXPECT_EQ(given.psp_timeout, seconds(20));
  EXPECT_EQ(given.policy.lease, seconds(100));
  EXPECT_EQ(given.policy.look_ups_max, 3);
  EXPECT_EQ(given.in_flight_max, 5U);
}

TEST(ConnectorSettings, TheLeaseIsLongerThanThePspMayTake) {
  for (const char* timeout : {"1", "2", "3", "299", "300"}) {
    Environment environment;
    environment.set("PSP_TIMEOUT_SECONDS", timeout);
    const auto settings = read_settings(environment);
    EXPECT_GT(settings.policy.lease, settings.psp_timeout) << timeout;
  }
  Environment environment;
  environment.set("PSP_TIMEOUT_SECONDS", "20");
  environment.set("LEASE_SECONDS", "20");
  EXPECT_THROW(read_settings(environment), ConfigError);
}

TEST(ConnectorSettings, RefuseBadValues) {
  for (const auto& [name, value] :
       std::vector<std::pair<std::string, std::string>>{{"PSP_TIMEOUT_SECONDS", "0"},
                                                        {"PSP_TIMEOUT_SECONDS", "301"},
                                                        {"PSP_TIMEOUT_SECONDS", "10s"},
                                                        {"LEASE_SECONDS", "0"},
                                                        {"LEASE_SECONDS", "3601"},
                                                        {"LOOK_UPS_MAX", "0"},
                                                        {"LOOK_UPS_MAX", "1001"},
                                                        {"MAX_IN_FLIGHT", "0"},
                                                        {"MAX_IN_FLIGHT", "100001"}}) {
    Environment environment;
    environment.set(name, value);
    try {
      read_settings(environment);
      ADD_FAILURE() << name << "=" << value;
    } catch (const ConfigError& error) {
      EXPECT_THAT(error.what(), StartsWith(name + " "));
    }
  }
}

}  // namespace

std::int64_t ConnectorTest::in_file(const char* sql) const {
  return sqlite::Database(path_, sqlite::Durability::process, sqlite::Access::existing).integer(sql);
}

void ConnectorTest::change_file(const char* sql) const {
  sqlite::Database(path_, sqlite::Durability::process, sqlite::Access::existing).execute(sql);
}

}  // namespace switchyard::connector
