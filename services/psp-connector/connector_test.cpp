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

using payment::Declined;
using payment::Kind;
using payment::NoSuchOperation;
using payment::NotSent;
using payment::OutcomeUnknown;
using payment::Pending;
using payment::Phase;
using payment::ReasonKind;
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

const auto usd = *Currency::parse("USD");

Money dollars(std::int64_t minor) {
  return {minor, usd};
}
payment::Succeeded succeeded(std::string reference, std::int64_t minor = 100) {
  return {std::move(reference), dollars(minor)};
}
Declined declined(std::string code, ReasonKind kind) {
  return {.reason = {std::move(code), {}, kind}, .psp_reference = "psp-ref", .amount = {}};
}

// What a PSP was asked for.
struct Sent {
  explicit Sent(const payment::Step& step)
      : reference(payment::psp_reference(step.state.transaction)), operation(step.operation()) {}

  std::string reference;
  payment::Operation operation;
};

// Refused before it is sent.
const Money cannot_be_done = dollars(77);

// Answers as the test wrote it down, and does what it said nothing about.
class ScriptedPsp final : public psp::Adapter {
 public:
  std::string_view name() const override { return "scripted"; }
  psp::Capabilities capabilities() const override { return psp::everything; }
  std::expected<std::string, payment::Rejected> encode(const payment::State& state,
                                                       const payment::Operation& operation) const override {
    if (operation.amount == cannot_be_done) return std::unexpected(payment::Rejected{"it cannot do that"});
    return std::string(to_string(operation.kind)) + " for " + payment::psp_reference(state.transaction);
  }

  Task<payment::Answer> send(const payment::Step& step, psp::Deadline deadline) override {
    requests.emplace_back(step);
    deadlines.push_back(deadline);
    if (on_send) on_send(requests.back());
    ++calls;
    ++under_way;
    most_under_way = std::max(most_under_way.load(), under_way.load());
    while (held) {
      SteadyTimer pause(co_await asio::this_coro::executor, milliseconds(1));
      co_await pause.async_wait(use_task);
    }
    --under_way;
    if (answers.empty()) co_return payment::Succeeded{"psp-ref", step.operation().amount};
    auto answer = answers.front();
    answers.pop_front();
    co_return answer;
  }

  Task<payment::Found> look_up(const payment::Step& step, psp::Deadline deadline) override {
    look_up_deadlines.push_back(deadline);
    looked_up.push_back(payment::psp_reference(step.state.transaction) + " " +
                        step.operation().idempotency_key);
    ++calls;
    while (look_ups_held) {
      SteadyTimer pause(co_await asio::this_coro::executor, milliseconds(1));
      co_await pause.async_wait(use_task);
    }
    if (found.empty()) co_return payment::Succeeded{"psp-ref", step.operation().amount};
    auto result = found.front();
    found.pop_front();
    co_return result;
  }

  // Written before the connector starts, or on its thread.
  std::deque<payment::Answer> answers;
  std::deque<payment::Found> found;
  std::function<void(const Sent&)> on_send;

  // Read when the connector has ended, or on its thread.
  std::vector<Sent> requests;
  std::vector<psp::Deadline> deadlines;
  std::vector<psp::Deadline> look_up_deadlines;
  std::vector<std::string> looked_up;

  std::atomic<int> calls = 0;
  std::atomic<int> under_way = 0;
  std::atomic<int> most_under_way = 0;
  std::atomic<bool> held = false;
  std::atomic<bool> look_ups_held = false;
};

class ConnectorTest : public ::testing::Test {
 protected:
  ~ConnectorTest() override {
    psp_.held = false;
    psp_.look_ups_held = false;
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
    const store::Change created{.state = {{.id = id,
                                           .merchant_id = merchant,
                                           .amount = dollars(amount),
                                           .capture_method = method,
                                           .next_action_at = now,
                                           .created_at = now,
                                           .updated_at = now},
                                          {}},
                                .is_new = true};
    EXPECT_TRUE(helper_.run(0, [&] { return store_.commit(created); }));
    wake_up_.notify();
    return id;
  }
  // As a merchant asks for it.
  void request(TransactionId id, Kind kind, std::optional<std::int64_t> amount = std::nullopt,
               bool is_final = true) {
    payment::Request wanted;
    wanted.kind = kind;
    wanted.amount_minor = amount;
    wanted.is_final = is_final;
    helper_.run(0, [&]() -> Task<void> {
      store::Work one = store::NamedWork{{{.merchant = merchant, .id = id}}};
      store::Decide decide = [wanted, now = clock_.now()](
                                 payment::State state) -> std::expected<store::Decided, payment::Refusal> {
        auto requested = payment::request(std::move(state), wanted, now);
        if (!requested) return std::unexpected(requested.error());
        const auto index = requested->operations.size() - 1;
        return store::Decided{.step = {std::move(*requested), payment::Action::none, index}};
      };
      const auto taken = co_await store_.take(std::move(one), std::move(decide));
      EXPECT_TRUE(taken && std::holds_alternative<store::Decided>(taken->front()));
    });
    wake_up_.notify();
  }
  // As another worker: what is due now, by the scripted PSP.
  std::vector<payment::Step> claim_elsewhere() {
    std::vector<payment::Step> claimed;
    helper_.run(0, [&]() -> Task<void> {
      store::Work due = store::DueWork{.by = clock_.now(), .ahead = clock_.now() + std::chrono::hours(1)};
      store::Decide decide = [this, now = clock_.now()](
                                 payment::State state) -> std::expected<store::Decided, payment::Refusal> {
        const payment::Psp psp{"scripted", [this](const auto& whole, const auto& operation) {
                                 return psp_.encode(whole, operation);
                               }};
        return store::Decided{.step = payment::claim(std::move(state), psp, now, settings_.policy)};
      };
      auto taken = co_await store_.take(std::move(due), std::move(decide));
      EXPECT_TRUE(taken);
      for (auto& one : *taken) claimed.push_back(std::get<store::Decided>(std::move(one)).step);
    });
    return claimed;
  }
  void save_elsewhere(const payment::Step& step) {
    const store::Change change{.state = step.state};
    const auto committed = helper_.run(0, [&] { return store_.commit(change); });
    EXPECT_TRUE(committed && std::holds_alternative<store::Done>(*committed));
  }

  payment::State find(TransactionId id) {
    std::optional<payment::State> found;
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
  // Nothing is claimed and not saved yet. A connector on a thread of its own cannot be asked.
  bool is_idle() {
    if (!connector_) return true;
    return asio::post(threads_.executor(0), asio::use_future([this] { return connector_->is_idle(); })).get();
  }
  // Lets the time pass until the next action of the transaction is due, until it has the status.
  bool comes_to_in_time(TransactionId id, Status wanted) {
    return eventually([&] {
      const auto before = find(id);
      const bool idle = is_idle();
      const auto [transaction, operations] = find(id);
      const bool is_under_way = !idle || transaction.version != before.transaction.version ||
                                std::ranges::count(operations, Phase::sent, &payment::Operation::phase) > 0;
      const auto next = transaction.next_action_at;
      if (!is_under_way && next && *next > clock_.now()) {
        clock_.advance(*next - clock_.now());
        wake_up_.notify();
      }
      return transaction.status == wanted;
    });
  }
  bool counts(std::string_view series) {
    return eventually([&] { return metrics_.text().find(series) != std::string::npos; });
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
  WakeUp wake_up_{threads_.executor(0)};
  std::optional<Connector> connector_;
  std::future<void> running_;
};

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

// --- Captures, voids, refunds --------------------------------------------------------------------

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

// --- Outcomes that come late ---------------------------------------------------------------------

TEST_F(ConnectorTest, AnOutcomeThatComesTooLateIsDropped) {
  // One at a time, so that the test is the worker that takes the transaction over.
  settings_.in_flight_max = 1;
  psp_.answers = {declined("51", ReasonKind::hard_decline)};
  psp_.held = true;
  const auto id = create();
  start();
  ASSERT_TRUE(eventually([this] { return psp_.under_way == 1; }));
  clock_.advance(settings_.policy.lease);
  auto claimed = claim_elsewhere();
  ASSERT_THAT(claimed, SizeIs(1));
  ASSERT_EQ(claimed[0].action, payment::Action::look_up);
  save_elsewhere(payment::found(claimed[0], succeeded("in-time"), clock_.now(), settings_.policy));
  psp_.held = false;
  EXPECT_TRUE(counts("switchyard_stale_outcomes_total 1"));
  const auto found = find(id);
  EXPECT_EQ(found.transaction.status, Status::captured);
  EXPECT_EQ(found.operations.at(0).psp_reference, "in-time");
}

TEST_F(ConnectorTest, AnOutcomeOfAClaimThatAnotherWorkerHasNowIsDropped) {
  settings_.in_flight_max = 1;
  psp_.answers = {declined("51", ReasonKind::hard_decline)};
  psp_.held = true;
  const auto id = create();
  start();
  ASSERT_TRUE(eventually([this] { return psp_.under_way == 1; }));
  clock_.advance(settings_.policy.lease);
  ASSERT_THAT(claim_elsewhere(), SizeIs(1));
  psp_.held = false;
  EXPECT_TRUE(counts("switchyard_stale_outcomes_total 1"));
  EXPECT_EQ(status(id), Status::unknown) << "whoever has it asks the PSP";
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

// --- A clock that is far off ----------------------------------------------------------------------

TEST(StoreClock, IsThisMachinesUnlessTheStoresIsFarFromIt) {
  testing::ManualClock own;
  StoreClock clock(own);
  for (const auto difference : {seconds(0), seconds(30), seconds(-30)}) {
    clock.compare(own.now() + difference);
    EXPECT_EQ(clock.now(), own.now());
  }
  for (const auto difference : {seconds(31), seconds(-31), seconds(86'400), seconds(-86'400)}) {
    clock.compare(own.now() + difference);
    EXPECT_EQ(clock.now(), own.now() + difference);
    EXPECT_EQ(clock.ahead(), difference);
  }
  own.advance(seconds(86'400));
  clock.compare(own.now());
  EXPECT_EQ(clock.now(), own.now()) << "somebody has set it";
}

// Without the store's clock it would claim the running lease again and again: see StoreClock.
TEST_F(ConnectorTest, AWorkerWhoseClockIsADayOffLeavesRunningLeasesAlone) {
  for (const auto off : {std::chrono::hours(24), -std::chrono::hours(24)}) {
    const auto leased = create();
    const auto claimed = claim_elsewhere();
    ASSERT_THAT(claimed, SizeIs(1));
    testing::ManualClock wrong;
    wrong.advance(clock_.now() - wrong.now() + off);
    connector_.emplace(settings_, threads_.executor(0), store_, psp_, wake_up_, metrics_, log(), wrong);
    connector_->compare_clock(clock_.now());
    running_ = asio::co_spawn(threads_.executor(0), [this] { return connector_->run(); }, asio::use_future);
    const auto fresh = create();
    EXPECT_TRUE(comes_to(fresh, Status::captured));
    EXPECT_EQ(find(leased).operations.at(0).claims, 1);
    EXPECT_EQ(status(leased), Status::processing);
    EXPECT_EQ(find(fresh).operations.at(0).sent_at, clock_.now());
    stop();
    save_elsewhere(payment::answered(claimed[0], succeeded("in-time"), clock_.now(), settings_.policy));
  }
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
  ASSERT_THAT(found.operations, SizeIs(1));
  EXPECT_EQ(found.operations[0].sends, 3);
  EXPECT_EQ(in_file("SELECT count(*) FROM operations WHERE phase = 'failed'"), 1);
}

}  // namespace
}  // namespace switchyard::connector
