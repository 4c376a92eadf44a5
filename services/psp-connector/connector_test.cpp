#include "psp-connector/connector.hpp"

#include <algorithm>
#include <deque>
#include <functional>
#include <future>
#include <optional>
#include <sstream>
#include <vector>

#include <gmock/gmock.h>

#include "base/io_threads.hpp"
#include "base/testing.hpp"
#include "psp-connector/connector_thread.hpp"
#include "service/program.hpp"
#include "sqlite/database.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace switchyard::connector {
namespace {

using payment::Approved;
using payment::AttemptStatus;
using payment::Declined;
using payment::DeclineKind;
using payment::NoSuchCharge;
using payment::NotSent;
using payment::OutcomeUnknown;
using payment::Status;
using std::chrono::milliseconds;
using std::chrono::seconds;
using switchyard::testing::CapturedStdout;
using switchyard::testing::eventually;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr MerchantId merchant{7};

// Answers as the test wrote it down, and approves what it said nothing about.
class ScriptedPsp final : public psp::Adapter {
 public:
  std::string_view name() const override { return "scripted"; }

  Task<payment::Outcome> authorize(psp::AuthorizeRequest request, psp::Deadline deadline) override {
    requests.push_back(request);
    deadlines.push_back(deadline);
    if (on_authorize) on_authorize(request);
    ++calls;
    ++under_way;
    most_under_way = std::max(most_under_way.load(), under_way.load());
    while (held) {
      SteadyTimer pause(co_await asio::this_coro::executor, milliseconds(1));
      co_await pause.async_wait(use_task);
    }
    --under_way;
    if (outcomes.empty()) co_return Approved{"psp-ref"};
    auto outcome = outcomes.front();
    outcomes.pop_front();
    co_return outcome;
  }

  Task<psp::LookUpResult> look_up(psp::AuthorizeRequest request, psp::Deadline deadline) override {
    look_up_deadlines.push_back(deadline);
    looked_up.push_back(request.reference + " " + request.idempotency_key);
    ++calls;
    if (found.empty()) co_return Approved{"psp-ref"};
    auto result = found.front();
    found.pop_front();
    co_return result;
  }

  // Written before the connector starts, or on its thread.
  std::deque<payment::Outcome> outcomes;
  std::deque<psp::LookUpResult> found;
  std::function<void(const psp::AuthorizeRequest&)> on_authorize;

  // Read when the connector has ended, or on its thread.
  std::vector<psp::AuthorizeRequest> requests;
  std::vector<psp::Deadline> deadlines;
  std::vector<psp::Deadline> look_up_deadlines;
  std::vector<std::string> looked_up;

  std::atomic<int> calls = 0;
  std::atomic<int> under_way = 0;
  std::atomic<int> most_under_way = 0;
  std::atomic<bool> held = false;
};

class ConnectorTest : public ::testing::Test {
 protected:
  ~ConnectorTest() override {
    psp_.held = false;
    if (running_.valid()) stop();
  }

  void start() {
    connector_.emplace(settings_, threads_.executor(0), store_, psp_, wake_up_, metrics_, log(), clock_);
    running_ = asio::co_spawn(threads_.executor(0), [this] { return connector_->run(); }, asio::use_future);
  }
  // A claim that began before is ahead of whatever is stored after this.
  void ask_to_stop() {
    asio::post(threads_.executor(0), asio::use_future([this] { connector_->stop(); })).get();
  }
  void stop() {
    ask_to_stop();
    running_.get();
    connector_.reset();
    EXPECT_TRUE(log().drain(seconds(30)));
  }

  Log& log() {
    if (!log_) log_.emplace(LogFormat::text, LogLevel::error);
    return *log_;
  }

  TransactionId create(std::int64_t amount = 100,
                       payment::CaptureMethod method = payment::CaptureMethod::automatic) {
    const TransactionId id{Uuid::generate()};
    const auto now = clock_.now();
    const store::NewTransaction created{.transaction = {.id = id,
                                                        .merchant_id = merchant,
                                                        .amount = Money(amount, *Currency::parse("USD")),
                                                        .capture_method = method,
                                                        .next_action_at = now,
                                                        .reason = {},
                                                        .created_at = now,
                                                        .updated_at = now},
                                        .idempotency_key = {}};
    EXPECT_TRUE(helper_.run(0, [&] { return store_.create_transaction(created); }));
    wake_up_.notify();
    return id;
  }

  store::TransactionWithAttempts find(TransactionId id) {
    std::optional<store::TransactionWithAttempts> found;
    helper_.run(0, [&]() -> Task<void> {
      auto result = co_await store_.find_transaction(merchant, id);
      if (result) found.emplace(std::move(*result));
    });
    return std::move(found).value();
  }
  Status status(TransactionId id) { return find(id).transaction.status; }
  bool comes_to(TransactionId id, Status wanted) {
    return eventually([&] { return status(id) == wanted; });
  }
  // Lets the time pass until the next action of the transaction is due, until it has the status.
  bool comes_to_in_time(TransactionId id, Status wanted) {
    return eventually([&] {
      const auto transaction = find(id).transaction;
      if (transaction.next_action_at && *transaction.next_action_at > clock_.now() &&
          !(transaction.status == Status::processing && transaction.attempt_count == 0)) {
        clock_.advance(*transaction.next_action_at - clock_.now());
        wake_up_.notify();
      }
      return transaction.status == wanted;
    });
  }

  // Straight from the file, whatever the store says.
  std::int64_t in_file(const char* sql) const {
    return sqlite::Database(path_, sqlite::Durability::process, sqlite::Access::existing).integer(sql);
  }
  void change_file(const char* sql) const {
    sqlite::Database(path_, sqlite::Durability::process, sqlite::Access::existing).execute(sql);
  }

  testing::TempDir folder_;
  const std::string path_ = folder_.file("store.db");
  testing::ManualClock clock_;
  // Outlive the store, which posts to them.
  IoThreads threads_{1};
  IoThreads helper_{1};
  store::SqliteStore store_{path_};
  ScriptedPsp psp_;
  telemetry::Metrics metrics_;
  std::optional<Log> log_;
  Settings settings_;
  queue::WakeUp wake_up_{threads_.executor(0)};
  std::optional<Connector> connector_;
  std::future<void> running_;
};

// --- The way of a transaction ------------------------------------------------------------------

TEST_F(ConnectorTest, TheIntentIsOnDiskBeforeThePspIsCalled) {
  std::atomic<int> seen = 0;
  psp_.on_authorize = [&](const psp::AuthorizeRequest&) {
    EXPECT_EQ(in_file("SELECT count(*) FROM attempts WHERE status = 'started' AND psp = 'scripted'"), 1);
    EXPECT_EQ(in_file("SELECT count(*) FROM transactions WHERE status = 'processing' AND epoch = 1"), 1);
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
  EXPECT_EQ(request.idempotency_key, find(automatic).attempts.at(0).idempotency_key);
  EXPECT_EQ(request.amount, Money(1234, *Currency::parse("USD")));
  EXPECT_EQ(request.capture_method, payment::CaptureMethod::automatic);
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
  ASSERT_THAT(found.attempts, SizeIs(1));
  EXPECT_EQ(found.attempts[0].status, AttemptStatus::approved);
  EXPECT_EQ(found.attempts[0].psp_reference, "psp-ref");
}

TEST_F(ConnectorTest, SavesADecline) {
  psp_.outcomes = {Declined{"51", DeclineKind::soft, "psp-ref"}};
  const auto id = create();
  start();
  EXPECT_TRUE(comes_to(id, Status::declined));
  EXPECT_EQ(find(id).transaction.reason, "51");
  stop();
  EXPECT_EQ(psp_.calls, 1) << "no is an answer";
}

TEST_F(ConnectorTest, TriesAgainWhatWasNotSentAndThenGivesUp) {
  psp_.outcomes = {NotSent{"connection refused"}, NotSent{"connection refused"}, NotSent{"name not found"}};
  const auto id = create();
  start();
  EXPECT_TRUE(comes_to_in_time(id, Status::failed));
  const auto found = find(id);
  EXPECT_EQ(found.transaction.reason, "name not found");
  EXPECT_THAT(found.attempts, SizeIs(3));
  for (const auto& attempt : found.attempts) EXPECT_EQ(attempt.status, AttemptStatus::not_sent);
  EXPECT_THAT(connector_->monitor().psp_trouble(), HasSubstr("name not found"));
  EXPECT_TRUE(comes_to(create(), Status::captured));
  EXPECT_EQ(connector_->monitor().psp_trouble(), "");
}

TEST_F(ConnectorTest, AnAttemptThatWasNotSentMaySucceedTheNextTime) {
  psp_.outcomes = {NotSent{"connection refused"}};
  const auto id = create();
  start();
  EXPECT_TRUE(comes_to_in_time(id, Status::captured));
  stop();
  ASSERT_THAT(psp_.requests, SizeIs(2));
  EXPECT_NE(psp_.requests[0].idempotency_key, psp_.requests[1].idempotency_key);
}

TEST_F(ConnectorTest, LooksUpAnUnknownOutcomeInsteadOfSendingAgain) {
  psp_.outcomes = {OutcomeUnknown{"time-out"}};
  psp_.found = {OutcomeUnknown{"HTTP 502"}, Approved{"found-ref"}};
  const auto id = create();
  start();
  EXPECT_TRUE(comes_to_in_time(id, Status::captured));
  stop();
  const auto found = find(id);
  ASSERT_THAT(found.attempts, SizeIs(1));
  EXPECT_EQ(found.attempts[0].psp_reference, "found-ref");
  const auto asked = id.value.to_string() + " " + found.attempts[0].idempotency_key;
  EXPECT_THAT(psp_.looked_up, ElementsAre(asked, asked));
  EXPECT_THAT(psp_.requests, SizeIs(1));
}

TEST_F(ConnectorTest, SendsTheSameAgainWhenThePspKnowsNothing) {
  psp_.outcomes = {OutcomeUnknown{"time-out"}};
  psp_.found = {NoSuchCharge{}};
  const auto id = create();
  start();
  EXPECT_TRUE(comes_to_in_time(id, Status::captured));
  stop();
  ASSERT_THAT(psp_.requests, SizeIs(2));
  EXPECT_EQ(psp_.requests[0].idempotency_key, psp_.requests[1].idempotency_key);
  EXPECT_EQ(psp_.requests[0].reference, psp_.requests[1].reference);
  EXPECT_EQ(psp_.requests[0].amount, psp_.requests[1].amount);
  ASSERT_THAT(psp_.look_up_deadlines, SizeIs(1));
  EXPECT_EQ(psp_.deadlines[1], psp_.look_up_deadlines[0]) << "both must end before the lease of their claim";
  EXPECT_THAT(find(id).attempts, SizeIs(1));
}

TEST_F(ConnectorTest, GivesToAPersonWhatStaysUnknown) {
  settings_.policy.look_ups_max = 2;
  psp_.outcomes = {OutcomeUnknown{"time-out"}};
  psp_.found = {OutcomeUnknown{"HTTP 502"}, OutcomeUnknown{"HTTP 503"}};
  const auto id = create();
  start();
  EXPECT_TRUE(comes_to_in_time(id, Status::manual_review));
  EXPECT_EQ(find(id).transaction.reason, "HTTP 503");
}

TEST_F(ConnectorTest, AnAdapterThatThrowsLeavesTheOutcomeUnknownAndEverybodyElseIsServed) {
  psp_.on_authorize = [](const psp::AuthorizeRequest& request) {
    if (request.amount.minor() == 13) throw std::runtime_error("an answer it chokes on");
  };
  const auto id = create(13);
  const auto other = create(100);
  start();
  EXPECT_TRUE(comes_to_in_time(other, Status::captured));
  EXPECT_TRUE(comes_to_in_time(id, Status::captured)) << "by its look-up";
  EXPECT_EQ(find(id).attempts.at(0).look_ups, 1);
}

TEST_F(ConnectorTest, CountsTheCallsOfThePspByResult) {
  psp_.outcomes = {OutcomeUnknown{"time-out"}, Declined{"51", DeclineKind::soft, {}},
                   Declined{"59", DeclineKind::hard, {}}, payment::Contradicted{"another amount", "ref"}};
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

class BrokenClock final : public Clock {
 public:
  Timestamp now() const override { throw std::runtime_error("the clock is broken"); }
};

TEST(ConnectorThreadDeathTest, AnExceptionInItsLoopEndsTheProcessAndSaysWhy) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto work = [] {
    const testing::TempDir folder;
    Log log(LogFormat::json, LogLevel::error);
    const service::FatalErrorLog fatal_error_log(log);
    const BrokenClock clock;
    telemetry::Metrics metrics;
    IoThreads threads(1);
    store::SqliteStore store(folder.file("store.db"));
    PspSettings psp{.url = {}, .ledger_path = folder.file("ledger.db")};
    ConnectorThread connector(threads, Settings(), psp, store, metrics, log, clock);
    connector.start();
    service::wait_for_stop_signal();
    return service::exit_ok;
  };
  EXPECT_EXIT(service::run_program("psp-connector", work), ::testing::ExitedWithCode(service::exit_failure),
              "psp-connector: a bug ended the process: the clock is broken");
}

TEST(ConnectorThreadTest, SaysAtItsStartThatThePspIsSimulatedAndWarnsInProduction) {
  for (const bool production : {false, true}) {
    CapturedStdout printed;
    const testing::TempDir folder;
    Log log(LogFormat::json, LogLevel::info);
    const SystemClock clock;
    telemetry::Metrics metrics;
    IoThreads threads(1);
    store::SqliteStore store(folder.file("store.db"));
    const PspSettings psp{.url = {}, .ledger_path = folder.file("ledger.db"), .production = production};
    ConnectorThread connector(threads, Settings(), psp, store, metrics, log, clock);
    connector.start();
    connector.stop();
    ASSERT_TRUE(log.drain(seconds(30)));
    const std::string level = production ? "warning" : "info";
    EXPECT_THAT(printed.text(), HasSubstr(R"("level":")" + level + R"(","message":"The PSP is simulated)"));
    const auto note = connector.health(true).back();
    EXPECT_EQ(note.name, "connector:psp");
    EXPECT_EQ(note.output, "The PSP is simulated: nothing is charged");
    EXPECT_TRUE(note.passed && !note.concern) << "a note, not a fault";
  }
}

TEST_F(ConnectorTest, GivesToAPersonWhatThePspContradicts) {
  psp_.outcomes = {OutcomeUnknown{"time-out"}, payment::Contradicted{"a charge of 1 JPY", "psp-ref"}};
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

TEST_F(ConnectorTest, FinishesWhatAWorkerThatDiedHadClaimed) {
  const auto id = create();
  std::string key;
  helper_.run(0, [&]() -> Task<void> {
    const auto claimed =
        co_await store_.claim_due("scripted", clock_.now(), 1, settings_.policy, store::Due::all);
    key = claimed->at(0).state.attempt->idempotency_key;
  });
  psp_.found = {Approved{"found-ref"}};
  start();
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

// --- What goes wrong ---------------------------------------------------------------------------

TEST_F(ConnectorTest, AnOutcomeThatComesTooLateIsDropped) {
  // One at a time, so that the test is the worker that takes the transaction over.
  settings_.in_flight_max = 1;
  psp_.outcomes = {Declined{"51", DeclineKind::hard, "late"}};
  psp_.held = true;
  const auto id = create();
  start();
  ASSERT_TRUE(eventually([this] { return psp_.under_way == 1; }));
  clock_.advance(settings_.policy.lease);
  helper_.run(0, [this]() -> Task<void> {
    auto claimed = co_await store_.claim_due("scripted", clock_.now(), 1, settings_.policy, store::Due::all);
    EXPECT_THAT(*claimed, SizeIs(1));
    auto captured = payment::apply(claimed->at(0).state, Approved{"in time"}, clock_.now(), settings_.policy);
    EXPECT_TRUE(co_await store_.save_outcome(captured.state));
  });
  psp_.held = false;
  EXPECT_TRUE(eventually(
      [this] { return metrics_.text().find("switchyard_stale_outcomes_total 1") != std::string::npos; }));
  const auto found = find(id);
  EXPECT_EQ(found.transaction.status, Status::captured);
  EXPECT_EQ(found.attempts.at(0).psp_reference, "in time");
}

TEST_F(ConnectorTest, AnOutcomeThatCannotBeSavedIsLookedUpAfterTheLease) {
  psp_.on_authorize = [this](const psp::AuthorizeRequest&) {
    change_file("ALTER TABLE attempts RENAME TO attempts_gone");
  };
  psp_.found = {Approved{"found-ref"}};
  CapturedStdout printed;
  const auto id = create();
  start();
  ASSERT_TRUE(eventually([&] { return printed.text().find("cannot be saved") != std::string::npos; }));
  clock_.advance(settings_.policy.lease);
  change_file("ALTER TABLE attempts_gone RENAME TO attempts");
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

TEST_F(ConnectorTest, StopWaitsForTheAttemptsUnderWay) {
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

// --- The log -----------------------------------------------------------------------------------

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST_F(ConnectorTest, PrintsTheLinesOfAWorkerOfRq) {
  CapturedStdout printed;
  log_.emplace(LogFormat::text, LogLevel::info);
  psp_.outcomes = {Approved{"psp-ref"}};
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
  psp_.outcomes = {OutcomeUnknown{"time-out"}};
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
  static payment::Transaction transaction(Status status, std::string reason = "") {
    return {.id = {*Uuid::parse("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")},
            .merchant_id = merchant,
            .amount = Money(100, *Currency::parse("USD")),
            .status = status,
            .next_action_at = {},
            .reason = std::move(reason),
            .created_at = {},
            .updated_at = {}};
  }
  static std::vector<std::string> lines_at_the_end_of(const payment::Transaction& transaction,
                                                      LogFormat format = LogFormat::text,
                                                      LogLevel least = LogLevel::info) {
    CapturedStdout printed;
    Log log(format, least);
    WorkerLog(log).job_ended(transaction);
    EXPECT_TRUE(log.drain(seconds(30)));
    return lines_of(printed.text());
  }
};

TEST_F(WorkerLogTest, AJobIsDoneWhenThePspHasAnswered) {
  for (const auto status : {Status::captured, Status::authorized, Status::declined}) {
    EXPECT_THAT(lines_at_the_end_of(transaction(status)),
                ElementsAre(HasSubstr("default: Job OK (017f22e2-79b0-7cc3-98c4-dc0c0c07398f)"),
                            HasSubstr("Result is kept for 500 seconds")))
        << to_string(status);
  }
}

TEST_F(WorkerLogTest, AJobIsNotDoneOtherwise) {
  for (const auto status : {Status::processing, Status::unknown, Status::failed, Status::manual_review}) {
    EXPECT_THAT(lines_at_the_end_of(transaction(status, "time-out")),
                ElementsAre(HasSubstr("default: Job not done (017f22e2-79b0-7cc3-98c4-dc0c0c07398f): " +
                                      std::string(to_string(status)) + ", time-out")));
  }
}

TEST_F(WorkerLogTest, WarnsOfWhatNeedsAPerson) {
  EXPECT_THAT(lines_at_the_end_of(transaction(Status::manual_review, "another amount"), LogFormat::json,
                                  LogLevel::warning),
              ElementsAre(AllOf(HasSubstr(R"("level":"warning")"), HasSubstr(R"("reason":"another amount")"),
                                HasSubstr(R"("transaction_id":"017f22e2-79b0-7cc3-98c4-dc0c0c07398f")"))));
  EXPECT_THAT(lines_at_the_end_of(transaction(Status::failed), LogFormat::json, LogLevel::warning),
              ElementsAre());
}

TEST_F(WorkerLogTest, HoldsTheSameFactsAsJson) {
  EXPECT_THAT(lines_at_the_end_of(transaction(Status::captured), LogFormat::json),
              ElementsAre(AllOf(HasSubstr(R"("transaction_id":"017f22e2-79b0-7cc3-98c4-dc0c0c07398f")"),
                                HasSubstr(R"("status":"captured")")),
                          HasSubstr("Result is kept")));
  CapturedStdout printed;
  Log log(LogFormat::json, LogLevel::info);
  WorkerLog(log).job_started(transaction(Status::processing));
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

// --- Settings and the thread -------------------------------------------------------------------

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

TEST(PspSettings, TheLedgerIsBesideTheStoreUnlessGiven) {
  Environment environment;
  environment.set("DATABASE_URL", "sqlite:/tmp/x.db");
  EXPECT_EQ(read_psp_settings(environment).ledger_path, "/tmp/x.db.psp-simulator");
  environment.set("PSP_SIMULATOR_LEDGER", "/tmp/ledger");
  EXPECT_EQ(read_psp_settings(environment).ledger_path, "/tmp/ledger");
  EXPECT_EQ(read_psp_settings(environment).url, "");
}

TEST(PspSettings, WithAUrlThereIsNoLedger) {
  Environment environment;
  environment.set("PSP_SIMULATOR_LEDGER", "/tmp/ledger");
  environment.set("PSP_URL", "https://user:password@psp.example/sandbox");
  EXPECT_EQ(read_psp_settings(environment).url, "https://user:password@psp.example/sandbox");
  EXPECT_EQ(read_psp_settings(environment).ledger_path, "");
}

TEST(PspSettings, AMalformedUrlIsRefusedWithoutItsPassword) {
  for (const auto* url : {"psp.example", "ftp://user:hunter2@psp.example", "http://user:hunter2@:80",
                          "http://user:hunter2@psp.example/?a=b", "http://user:hunter2@psp.example:x"}) {
    Environment environment;
    environment.set("PSP_URL", url);
    try {
      read_psp_settings(environment);
      ADD_FAILURE() << url;
    } catch (const ConfigError& error) {
      EXPECT_THAT(error.what(),
                  AllOf(StartsWith("PSP_URL "), HasSubstr("example"), Not(HasSubstr("hunter2"))));
    }
  }
}

TEST_F(ConnectorTest, TheThreadTakesTransactionsToTheSimulatedPsp) {
  const auto captured = create(100);
  const auto declined = create(200'017);
  const PspSettings psp_settings{.url = {}, .ledger_path = folder_.file("ledger.db")};
  ConnectorThread thread(threads_, settings_, psp_settings, store_, metrics_, log(), clock_);
  thread.start();
  EXPECT_TRUE(comes_to(captured, Status::captured));
  EXPECT_TRUE(comes_to(declined, Status::declined));
  const auto hinted = create(100);
  thread.notify();
  EXPECT_TRUE(comes_to(hinted, Status::captured));
  thread.stop();
  thread.stop();
  const auto after = create(100);
  EXPECT_EQ(status(after), Status::queued);
}

TEST_F(ConnectorTest, TheThreadGoesToThePspAtTheUrlAndOpensNoLedger) {
  const auto id = create(100);
  // Port 1 (tcpmux) of this machine: nobody is there.
  const PspSettings psp_settings{.url = "http://127.0.0.1:1", .ledger_path = {}};
  {
    ConnectorThread thread(threads_, settings_, psp_settings, store_, metrics_, log(), clock_);
    thread.start();
    EXPECT_TRUE(comes_to_in_time(id, Status::failed));
    const auto note = thread.health(false).back();
    EXPECT_TRUE(note.passed && note.concern);
    EXPECT_THAT(note.output, HasSubstr("the last 3 calls of the PSP were not sent, since"));
  }
  const auto found = find(id);
  ASSERT_THAT(found.attempts, SizeIs(3));
  EXPECT_EQ(found.attempts[0].psp, "psp-simulator");
  EXPECT_EQ(in_file("SELECT count(*) FROM attempts WHERE status = 'not_sent'"), 3);
}

}  // namespace
}  // namespace switchyard::connector
