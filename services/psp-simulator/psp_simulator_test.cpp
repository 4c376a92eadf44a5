// The service behind a real server, asked by the adapter that is made for it.
#include "psp-simulator/psp_simulator.hpp"

#include <future>
#include <optional>
#include <string>

#include <gmock/gmock.h>

#include "base/io_threads.hpp"
#include "base/testing.hpp"
#include "http/client.hpp"
#include "http/server.hpp"
#include "psp/http_adapter.hpp"
#include "psp/simulator/simulator_protocol.hpp"
#include "psp/simulator/testing.hpp"

namespace switchyard::psp_simulator {
namespace {

using payment::Answer;
using payment::CaptureMethod;
using payment::Declined;
using payment::Found;
using payment::Kind;
using payment::NoSuchOperation;
using payment::NotSent;
using payment::OutcomeUnknown;
using payment::Pending;
using payment::ReasonKind;
using payment::Rejected;
using payment::Step;
using payment::Succeeded;
using psp::simulator::step_of;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;

Step charge_of(std::int64_t amount_minor, const std::string& reference = "reference") {
  return step_of({.amount_minor = amount_minor, .reference = reference, .key = reference + "-1"});
}

// On charge_of(1'000'000).
Step refund_of(std::int64_t amount_minor, const std::string& key = "refund-1") {
  return step_of({.kind = Kind::refund,
                  .amount_minor = amount_minor,
                  .reference = "reference",
                  .key = key,
                  .authorization_key = "reference-1",
                  .authorized_minor = 1'000'000});
}

// A charge of 100 that is only held, and what is done with it.
Step of_hold(Kind kind, std::int64_t amount_minor = 100, const std::string& key = "key-2") {
  const bool is_charge = kind == Kind::authorize;
  return step_of({.kind = kind,
                  .amount_minor = amount_minor,
                  .reference = "reference",
                  .key = is_charge ? "reference-1" : key,
                  .authorization_key = "reference-1",
                  .capture_method = CaptureMethod::manual,
                  .authorized_minor = 100,
                  .is_final = amount_minor == 100});
}

class PspSimulatorTest : public ::testing::Test {
 protected:
  PspSimulatorTest() { start(); }
  ~PspSimulatorTest() override {
    threads_.run(0, [this]() -> Task<void> {
      adapter_.reset();
      co_return;
    });
    server_.reset();
  }

  void start() {
    simulator_.emplace(path_, metrics_.emplace(), log(), clock_);
    server_.emplace(threads_, simulator_->router(), http::Server::Options{.port = port_, .limits = {}});
    server_->start();
    port_ = server_->port();
    if (adapter_) return;
    adapter_.emplace(threads_.executor(0), std::make_unique<psp::simulator::SimulatorProtocol>(url() + "/"),
                     100);
  }
  Log& log() {
    if (!log_) log_.emplace(LogFormat::text, LogLevel::error);
    return *log_;
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

  // In an optional, because what threads give back can be made without a value.
  Answer send(const Step& step, milliseconds time = milliseconds(20'000)) {
    auto call = [&]() -> Task<std::optional<Answer>> {
      co_return co_await adapter_->send(step, steady_clock::now() + time);
    };
    return threads_.run(0, std::move(call)).value();
  }
  Found look_up(const Step& step) {
    auto call = [&]() -> Task<std::optional<Found>> {
      co_return co_await adapter_->look_up(step, clock_.now(), steady_clock::now() + milliseconds(20'000));
    };
    return threads_.run(0, std::move(call)).value();
  }
  template <class What>
  bool sends(const Step& step, milliseconds time = milliseconds(20'000)) {
    return std::holds_alternative<What>(send(step, time));
  }
  template <class What>
  bool finds(const Step& step) {
    return std::holds_alternative<What>(look_up(step));
  }
  http::ClientResponse ask(const std::string& method, const std::string& path, std::string body = {}) {
    http::ClientRequest asked{.method = method,
                              .url = url() + path,
                              .body = std::move(body),
                              .headers = {"Content-Type: application/json", "Idempotency-Key: by-hand"}};
    return http::send(asked).value();
  }
  void play(const std::string& rules) {
    ASSERT_EQ(ask("PUT", "/script", R"({"rules":[)" + rules + "]}").status, 200);
  }
  std::string charges(const std::string& reference = "reference") {
    return ask("GET", "/charges?reference=" + reference).body;
  }
  std::string counts() { return ask("GET", "/charges/counts").body; }

  testing::TempDir folder_;
  const std::string path_ = folder_.file("new/folder/ledger.db");
  testing::ManualClock clock_;
  std::optional<Log> log_;
  std::optional<telemetry::Metrics> metrics_;
  IoThreads threads_{2};
  std::uint16_t port_ = 0;
  std::optional<PspSimulator> simulator_;
  std::optional<http::Server> server_;
  std::optional<psp::HttpAdapter> adapter_;
};

TEST_F(PspSimulatorTest, ApprovesOnceHoweverOftenItIsAsked) {
  for (int sent = 0; sent < 3; ++sent) {
    const auto outcome = send(charge_of(100));
    ASSERT_TRUE(std::holds_alternative<Succeeded>(outcome));
    EXPECT_EQ(std::get<Succeeded>(outcome).psp_reference, "sim_reference-1");
    EXPECT_EQ(std::get<Succeeded>(outcome).amount.minor(), 100);
  }
  EXPECT_TRUE(finds<Succeeded>(charge_of(100)));
  EXPECT_EQ(counts(), R"({"items":[{"reference":"reference","charges":1,"approved":1,"captured":100,)"
                      R"("refunded":0,"voided":0}],"next":null})");
}

TEST_F(PspSimulatorTest, DeclinesByAmount) {
  for (const auto& [amount, kind] : {std::pair{200'011, ReasonKind::soft_decline},
                                     {200'012, ReasonKind::soft_decline},
                                     {200'017, ReasonKind::hard_decline}}) {
    const auto step = charge_of(amount, std::to_string(amount));
    const auto outcome = send(step);
    ASSERT_TRUE(std::holds_alternative<Declined>(outcome)) << amount;
    EXPECT_EQ(std::get<Declined>(outcome).reason.kind, kind);
    const auto found = look_up(step);
    ASSERT_TRUE(std::holds_alternative<Declined>(found));
    EXPECT_EQ(std::get<Declined>(found).reason, std::get<Declined>(outcome).reason);
  }
}

TEST_F(PspSimulatorTest, BreaksTheAnswerByAmountAfterTheCharge) {
  for (const std::int64_t amount : {500'001, 600'003, 600'004, 600'005}) {
    const auto step = charge_of(amount, std::to_string(amount));
    EXPECT_TRUE(sends<OutcomeUnknown>(step, milliseconds(500))) << amount;
    EXPECT_TRUE(finds<Succeeded>(step)) << amount;
  }
}

TEST_F(PspSimulatorTest, ResetsWithoutAChargeWhereNobodyShouldBeReached) {
  EXPECT_TRUE(sends<OutcomeUnknown>(charge_of(300'014))) << "somebody was reached";
  EXPECT_TRUE(finds<NoSuchOperation>(charge_of(300'014)));
}

TEST_F(PspSimulatorTest, ChargesTheSecondTimeWhatItHeldBackTheFirstTime) {
  EXPECT_TRUE(sends<OutcomeUnknown>(charge_of(600'002), milliseconds(200)));
  EXPECT_TRUE(finds<NoSuchOperation>(charge_of(600'002)));
  EXPECT_TRUE(sends<Succeeded>(charge_of(600'002)));
}

bool is_booked_by(const std::string& name) {
  return !name.ends_with("before_charge") && name != "transient_error" && name != "in_use" &&
         name != "too_many_requests";
}

// What a behaviour does, by its name, to a request and to the same one again.
void expect_by_name(const std::string& name, const Answer& outcome, const Found& found, const Answer& again) {
  if (name.ends_with("decline")) {
    ASSERT_TRUE(std::holds_alternative<Declined>(outcome)) << name;
    EXPECT_EQ(std::get<Declined>(outcome).reason.kind,
              name.starts_with("soft") ? ReasonKind::soft_decline : ReasonKind::hard_decline);
    EXPECT_TRUE(std::holds_alternative<Declined>(found)) << name;
    EXPECT_TRUE(std::holds_alternative<Declined>(again)) << name;
  } else if (name.starts_with("pending")) {
    EXPECT_TRUE(std::holds_alternative<Pending>(outcome)) << name;
    EXPECT_TRUE(std::holds_alternative<Pending>(found)) << name;
    EXPECT_TRUE(std::holds_alternative<Pending>(again)) << name;
  } else {
    const bool is_answered = name == "approve" || name == "slow" || name == "taken_back";
    EXPECT_EQ(std::holds_alternative<Succeeded>(outcome), is_answered) << name;
    const bool is_turned_away = name == "too_many_requests";
    EXPECT_EQ(std::holds_alternative<NotSent>(outcome), is_turned_away) << name;
    EXPECT_EQ(std::holds_alternative<OutcomeUnknown>(outcome), !is_answered && !is_turned_away) << name;
    EXPECT_EQ(std::holds_alternative<Succeeded>(found), is_booked_by(name)) << name;
    EXPECT_EQ(std::holds_alternative<NoSuchOperation>(found), !is_booked_by(name)) << name;
    EXPECT_TRUE(std::holds_alternative<Succeeded>(again)) << name << " was for one request";
  }
}

TEST_F(PspSimulatorTest, EveryBehaviourOfAScriptDoesWhatItsNameSaysToEveryKind) {
  ASSERT_TRUE(sends<Succeeded>(charge_of(1'000'000)));
  for (const auto& named : psp::simulator::named_behaviours) {
    const std::string name(named.name);
    const bool slow = name == "slow";
    for (const auto& step : {charge_of(100, name), refund_of(100, name + "-refund")}) {
      play(R"({"behaviour":")" + name + R"(","requests":1)" + (slow ? R"(,"delay_ms":300})" : "}"));
      const auto started = steady_clock::now();
      const auto outcome = send(step, milliseconds(slow ? 20'000 : 500));
      EXPECT_GE(steady_clock::now() - started, milliseconds(slow ? 300 : 0)) << name;
      const auto found = look_up(step);
      expect_by_name(name, outcome, found, send(step));
    }
  }
}

TEST_F(PspSimulatorTest, ARuleCanBeForOneKindOnly) {
  play(R"({"behaviour":"hard_decline","kind":"refund"},{"behaviour":"hard_decline","reference":"other"})");
  EXPECT_TRUE(sends<Succeeded>(charge_of(1'000'000)));
  EXPECT_TRUE(sends<Declined>(refund_of(100)));
  EXPECT_TRUE(sends<Declined>(charge_of(100, "other")));
  play(R"({"behaviour":"hard_decline","reference":"reference"})");
  EXPECT_TRUE(sends<Declined>(refund_of(100, "refund-2"))) << "an operation has the reference of its charge";
}

TEST_F(PspSimulatorTest, AScriptIsShownReplacedAndTakenAway) {
  play(R"({"behaviour":"hard_decline","reference":"a"})");
  EXPECT_THAT(ask("GET", "/script").body, HasSubstr("hard_decline"));
  EXPECT_TRUE(sends<Declined>(charge_of(100, "a")));
  EXPECT_TRUE(sends<Succeeded>(charge_of(100, "b")));
  EXPECT_THAT(ask("DELETE", "/script").body, HasSubstr(R"("rules":[])"));
  EXPECT_TRUE(sends<Succeeded>(charge_of(100, "c")));
  const auto refused = ask("PUT", "/script", R"({"rules":[{"behaviour":"explode"}]})");
  EXPECT_EQ(refused.status, 422);
  EXPECT_THAT(refused.body, HasSubstr("behaviour must be one of"));
}

TEST_F(PspSimulatorTest, AKeyWithAnotherRequestIsRefusedAndUnknownToTheAdapter) {
  ASSERT_TRUE(sends<Succeeded>(charge_of(100)));
  EXPECT_TRUE(sends<OutcomeUnknown>(charge_of(101)));
  auto other_reference = charge_of(100, "other");
  other_reference.state.operations[0].idempotency_key = "reference-1";
  EXPECT_TRUE(sends<OutcomeUnknown>(other_reference));
  EXPECT_TRUE(sends<OutcomeUnknown>(refund_of(1, "reference-1"))) << "a charge has it";
  const auto found = look_up(charge_of(101));
  ASSERT_TRUE(std::holds_alternative<Succeeded>(found));
  EXPECT_EQ(std::get<Succeeded>(found).amount.minor(), 100) << "which the machine holds against 101";
  EXPECT_THAT(charges(), HasSubstr(R"("amount":100)"));
  EXPECT_EQ(charges("other"), R"({"items":[],"more":false})");
}

TEST_F(PspSimulatorTest, GivesBackPartByPartAndNoMoreThanThereIs) {
  ASSERT_TRUE(sends<Succeeded>(charge_of(1'000'000)));
  for (int sent = 0; sent < 2; ++sent) {
    const auto outcome = send(refund_of(400'000));
    ASSERT_TRUE(std::holds_alternative<Succeeded>(outcome));
    EXPECT_EQ(std::get<Succeeded>(outcome).psp_reference, "sim_refund-1");
    EXPECT_EQ(std::get<Succeeded>(outcome).amount.minor(), 400'000);
  }
  EXPECT_TRUE(sends<Declined>(refund_of(600'007, "refund-2")));
  EXPECT_TRUE(sends<Succeeded>(refund_of(600'000, "refund-3")));
  EXPECT_THAT(counts(), HasSubstr(R"("captured":1000000,"refunded":1000000,"voided":0)"));
}

TEST_F(PspSimulatorTest, CapturesPartByPartAndReleasesTheRest) {
  ASSERT_TRUE(sends<Succeeded>(of_hold(Kind::authorize)));
  EXPECT_TRUE(sends<Succeeded>(of_hold(Kind::capture, 30)));
  EXPECT_TRUE(finds<Succeeded>(of_hold(Kind::capture, 30)));
  EXPECT_THAT(charges(), HasSubstr(R"("held":70,"captured":30,"refunded":0,"voided":0,"operations":[{"id")"));
  auto last = of_hold(Kind::capture, 20, "key-3");
  last.state.operations[1].request = R"({"amount":20,"currency":"USD","final":true})";
  EXPECT_TRUE(sends<Succeeded>(last));
  EXPECT_THAT(charges(), HasSubstr(R"("held":0,"captured":50,"refunded":0,"voided":0)"));
  const auto refused = send(of_hold(Kind::capture, 1, "key-4"));
  ASSERT_TRUE(std::holds_alternative<Declined>(refused));
  EXPECT_EQ(std::get<Declined>(refused).reason.code, "wrong_state");
}

TEST_F(PspSimulatorTest, VoidsWhatIsHeldOnce) {
  ASSERT_TRUE(sends<Succeeded>(of_hold(Kind::authorize)));
  EXPECT_TRUE(sends<Succeeded>(of_hold(Kind::capture, 30)));
  const auto outcome = send(of_hold(Kind::void_, 70, "key-3"));
  ASSERT_TRUE(std::holds_alternative<Succeeded>(outcome));
  EXPECT_EQ(std::get<Succeeded>(outcome).amount.minor(), 70);
  EXPECT_TRUE(sends<Succeeded>(of_hold(Kind::void_, 70, "key-3")));
  EXPECT_TRUE(sends<Declined>(of_hold(Kind::void_, 70, "key-4")));
  EXPECT_TRUE(finds<Declined>(of_hold(Kind::void_, 70, "key-4")));
  EXPECT_THAT(counts(), HasSubstr(R"("captured":30,"refunded":0,"voided":70)"));
}

TEST_F(PspSimulatorTest, WhatTheChargeDoesNotAllowIsA422WithACode) {
  ASSERT_TRUE(sends<Succeeded>(charge_of(1'000'000)));
  for (int sent = 0; sent < 2; ++sent) {
    const auto refused =
        ask("POST", "/charges/sim_reference-1/refunds", R"({"amount":1000001,"currency":"USD"})");
    EXPECT_EQ(refused.status, 422);
    EXPECT_THAT(refused.body, HasSubstr(R"("code":"over_what_is_left"})"));
  }
  const auto outcome = send(refund_of(1'000'001));
  ASSERT_TRUE(std::holds_alternative<Declined>(outcome));
  EXPECT_EQ(std::get<Declined>(outcome).reason.kind, ReasonKind::hard_decline);
  EXPECT_TRUE(finds<Declined>(refund_of(1'000'001)));
  const auto in_euro = ask("POST", "/charges/sim_reference-1/refunds", R"({"amount":1,"currency":"EUR"})");
  EXPECT_EQ(in_euro.status, 422);
}

TEST_F(PspSimulatorTest, WhatIsAboutNoChargeIsRejected) {
  EXPECT_TRUE(sends<Rejected>(refund_of(100)));
  EXPECT_TRUE(finds<NoSuchOperation>(refund_of(100)));
}

TEST_F(PspSimulatorTest, ResultsComeLaterAndAreTakenBack) {
  play(R"({"behaviour":"pending","kind":"authorize","delay_ms":5000},)"
       R"({"behaviour":"taken_back","kind":"refund","delay_ms":5000})");
  const auto charge = charge_of(1'000'000);
  EXPECT_TRUE(sends<Pending>(charge));
  clock_.advance(milliseconds(4'999));
  EXPECT_TRUE(finds<Pending>(charge));
  clock_.advance(milliseconds(1));
  EXPECT_TRUE(finds<Succeeded>(charge));
  EXPECT_TRUE(sends<Succeeded>(refund_of(100)));
  EXPECT_THAT(counts(), HasSubstr(R"("refunded":100)"));
  clock_.advance(milliseconds(5'000));
  EXPECT_THAT(counts(), HasSubstr(R"("refunded":0)"));
  const auto found = look_up(refund_of(100));
  ASSERT_TRUE(std::holds_alternative<Declined>(found));
  EXPECT_EQ(std::get<Declined>(found).reason.code, "taken_back");
}

TEST_F(PspSimulatorTest, AServerThatIsGoneIsNotReachedAndOneThatIsBackIs) {
  ASSERT_TRUE(sends<Succeeded>(charge_of(100, "a")));
  server_->stop(steady_clock::now());
  server_.reset();
  EXPECT_TRUE(sends<NotSent>(charge_of(100, "b")));
  EXPECT_TRUE(finds<NotSent>(charge_of(100, "a")));
  simulator_.reset();
  start();
  EXPECT_TRUE(finds<Succeeded>(charge_of(100, "a"))) << "the book is on disk";
  EXPECT_TRUE(sends<Succeeded>(charge_of(100, "b")));
}

TEST_F(PspSimulatorTest, AClientThatWaitsForNothingDoesNotHoldUpTheStop) {
  play(R"({"behaviour":"time_out_after_charge"})");
  const auto step = charge_of(100);
  auto call = [&]() -> Task<std::optional<Answer>> {
    co_return co_await adapter_->send(step, steady_clock::now() + std::chrono::minutes(1));
  };
  auto waiting = asio::co_spawn(threads_.executor(0), std::move(call), asio::use_future);
  ASSERT_TRUE(testing::eventually([this] { return charges() != R"({"items":[],"more":false})"; }));
  const auto started = steady_clock::now();
  server_->stop(started + std::chrono::seconds(30));
  EXPECT_LT(steady_clock::now() - started, std::chrono::seconds(20));
  EXPECT_TRUE(std::holds_alternative<OutcomeUnknown>(waiting.get().value()));
}

TEST_F(PspSimulatorTest, QueriesAreCheckedAndCountsComeInPages) {
  for (const auto* path :
       {"/charges", "/charges?reference=", "/charges?reference=a%20b", "/charges/counts?limit=0",
        "/charges/counts?limit=1001", "/charges/counts?limit=x", "/charges/counts?after=%20",
        "/charges?reference=a&refrence=b", "/charges/counts?limits=2", "/charges/counts?limit=2&limit=3",
        "/operations", "/operations?idempotency_key=", "/operations?idempotency_key=a%20b",
        "/operations?key=a"}) {
    EXPECT_EQ(ask("GET", path).status, 422) << path;
  }
  for (const auto* reference : {"a", "b", "c"}) send(charge_of(100, reference));
  EXPECT_THAT(ask("GET", "/charges/counts?limit=2").body, HasSubstr(R"("next":"b")"));
  EXPECT_EQ(ask("GET", "/charges/counts?limit=2&after=b").body,
            R"({"items":[{"reference":"c","charges":1,"approved":1,"captured":100,"refunded":0,"voided":0}],)"
            R"("next":null})");
  EXPECT_EQ(ask("GET", "/operations?idempotency_key=a").body, R"({"items":[],"more":false})");
  EXPECT_EQ(ask("GET", "/health").status, 200);
}

TEST_F(PspSimulatorTest, CountsWhatItBooked) {
  send(charge_of(1'000'000));
  send(charge_of(1'000'000));
  send(charge_of(200'017, "other"));
  send(refund_of(100));
  send(refund_of(1'000'000, "refund-2"));
  const auto text = metrics_->text();
  EXPECT_THAT(text, HasSubstr(R"(switchyard_psp_simulator_charges_total{outcome="approved"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(switchyard_psp_simulator_charges_total{outcome="declined"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(operations_total{kind="refund",outcome="succeeded"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(operations_total{kind="refund",outcome="declined"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(operations_total{kind="void",outcome="pending"} 0)"));
}

TEST_F(PspSimulatorTest, ALedgerThatFailsIsNoAnswer) {
  sqlite::Database(path_, sqlite::Durability::process, sqlite::Access::existing)
      .execute("DROP TABLE charges; DROP TABLE operations;");
  for (const auto& step : {charge_of(100), refund_of(100)}) {
    EXPECT_TRUE(sends<OutcomeUnknown>(step));
    EXPECT_TRUE(finds<OutcomeUnknown>(step));
  }
  EXPECT_EQ(ask("GET", "/health").status, 503);
}

}  // namespace
}  // namespace switchyard::psp_simulator
