// The service behind a real server, asked by the adapter that is made for it.
#include "psp-simulator/psp_simulator.hpp"

#include <future>
#include <optional>

#include <gmock/gmock.h>

#include "base/io_threads.hpp"
#include "base/testing.hpp"
#include "http/client.hpp"
#include "http/server.hpp"
#include "psp/remote_simulator/remote_simulator.hpp"

namespace switchyard::psp_simulator {
namespace {

using payment::Approved;
using payment::Declined;
using payment::DeclineKind;
using payment::NoSuchCharge;
using payment::NotSent;
using payment::OutcomeUnknown;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;

psp::AuthorizeRequest request(std::int64_t amount_minor, const std::string& reference = "reference") {
  return {.reference = reference,
          .idempotency_key = reference + "-1",
          .amount = Money(amount_minor, *Currency::parse("USD"))};
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
    if (!adapter_) adapter_.emplace(threads_.executor(0), url() + "/", 100);
  }
  Log& log() {
    if (!log_) log_.emplace(LogFormat::text, LogLevel::error);
    return *log_;
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

  payment::Outcome authorize(const psp::AuthorizeRequest& wanted, milliseconds time = milliseconds(20'000)) {
    return threads_.run(0, [&] { return adapter_->authorize(wanted, steady_clock::now() + time); });
  }
  psp::LookUpResult look_up(const psp::AuthorizeRequest& wanted) {
    return threads_.run(
        0, [&] { return adapter_->look_up(wanted, steady_clock::now() + milliseconds(20'000)); });
  }
  http::ClientResponse ask(const std::string& method, const std::string& path, std::string body = {}) {
    http::ClientRequest asked{.method = method,
                              .url = url() + path,
                              .body = std::move(body),
                              .headers = {"Content-Type: application/json"}};
    return http::send(asked).value();
  }
  void play(const std::string& rules) {
    ASSERT_EQ(ask("PUT", "/script", R"({"rules":[)" + rules + "]}").status, 200);
  }
  std::string charges(const std::string& reference = "reference") {
    return ask("GET", "/charges?reference=" + reference).body;
  }

  testing::TempDir folder_;
  const std::string path_ = folder_.file("new/folder/ledger.db");
  testing::ManualClock clock_;
  std::optional<Log> log_;
  std::optional<telemetry::Metrics> metrics_;
  IoThreads threads_{2};
  std::uint16_t port_ = 0;
  std::optional<PspSimulator> simulator_;
  std::optional<http::Server> server_;
  std::optional<psp::remote_simulator::RemoteSimulator> adapter_;
};

TEST_F(PspSimulatorTest, ApprovesOnceHoweverOftenItIsAsked) {
  for (int sent = 0; sent < 3; ++sent) {
    const auto outcome = authorize(request(100));
    ASSERT_TRUE(std::holds_alternative<Approved>(outcome));
    EXPECT_EQ(std::get<Approved>(outcome).psp_reference, "sim_reference-1");
  }
  EXPECT_TRUE(std::holds_alternative<Approved>(look_up(request(100))));
  EXPECT_EQ(ask("GET", "/charges/counts").body,
            R"({"items":[{"reference":"reference","charges":1,"approved":1}],"next":null})");
}

TEST_F(PspSimulatorTest, DeclinesByAmount) {
  for (const auto& [amount, kind] :
       {std::pair{200'011, DeclineKind::soft}, {200'012, DeclineKind::soft}, {200'017, DeclineKind::hard}}) {
    const auto reference = std::to_string(amount);
    const auto outcome = authorize(request(amount, reference));
    ASSERT_TRUE(std::holds_alternative<Declined>(outcome)) << amount;
    EXPECT_EQ(std::get<Declined>(outcome).kind, kind);
    const auto found = look_up(request(amount, reference));
    ASSERT_TRUE(std::holds_alternative<Declined>(found));
    EXPECT_EQ(std::get<Declined>(found).code, std::get<Declined>(outcome).code);
  }
}

TEST_F(PspSimulatorTest, BreaksTheAnswerByAmountAfterTheCharge) {
  for (const std::int64_t amount : {500'001, 600'003, 600'004, 600'005}) {
    const auto reference = std::to_string(amount);
    EXPECT_TRUE(
        std::holds_alternative<OutcomeUnknown>(authorize(request(amount, reference), milliseconds(500))))
        << amount;
    EXPECT_TRUE(std::holds_alternative<Approved>(look_up(request(amount, reference)))) << amount;
  }
}

TEST_F(PspSimulatorTest, ResetsWithoutAChargeWhereNobodyShouldBeReached) {
  EXPECT_TRUE(std::holds_alternative<OutcomeUnknown>(authorize(request(300'014)))) << "somebody was reached";
  EXPECT_TRUE(std::holds_alternative<NoSuchCharge>(look_up(request(300'014))));
}

TEST_F(PspSimulatorTest, ChargesTheSecondTimeWhatItHeldBackTheFirstTime) {
  EXPECT_TRUE(std::holds_alternative<OutcomeUnknown>(authorize(request(600'002), milliseconds(200))));
  EXPECT_TRUE(std::holds_alternative<NoSuchCharge>(look_up(request(600'002))));
  EXPECT_TRUE(std::holds_alternative<Approved>(authorize(request(600'002))));
}

TEST_F(PspSimulatorTest, EveryBehaviourOfAScriptDoesWhatItsNameSays) {
  for (const auto& named : psp::simulator::named_behaviours) {
    const std::string name(named.name);
    const bool slow = name == "slow";
    play(R"({"behaviour":")" + name + R"(","requests":1)" + (slow ? R"(,"delay_ms":300})" : "}"));
    const auto started = steady_clock::now();
    const auto outcome = authorize(request(100, name), milliseconds(slow ? 20'000 : 500));
    const auto found = look_up(request(100, name));
    if (name == "approve" || slow) {
      EXPECT_TRUE(std::holds_alternative<Approved>(outcome)) << name;
      EXPECT_TRUE(std::holds_alternative<Approved>(found)) << name;
      EXPECT_GE(steady_clock::now() - started, milliseconds(slow ? 300 : 0)) << name;
    } else if (name.ends_with("decline")) {
      ASSERT_TRUE(std::holds_alternative<Declined>(outcome)) << name;
      EXPECT_EQ(std::get<Declined>(outcome).kind,
                name.starts_with("soft") ? DeclineKind::soft : DeclineKind::hard);
      EXPECT_TRUE(std::holds_alternative<Declined>(found)) << name;
    } else {
      EXPECT_TRUE(std::holds_alternative<OutcomeUnknown>(outcome)) << name;
      EXPECT_EQ(std::holds_alternative<Approved>(found), name.ends_with("after_charge")) << name;
      EXPECT_EQ(std::holds_alternative<NoSuchCharge>(found), name.ends_with("before_charge")) << name;
    }
    const auto again = authorize(request(100, name));
    EXPECT_EQ(std::holds_alternative<Declined>(again), name.ends_with("decline"))
        << name << " was for one request";
  }
}

TEST_F(PspSimulatorTest, AScriptIsShownReplacedAndTakenAway) {
  play(R"({"behaviour":"hard_decline","reference":"a"})");
  EXPECT_THAT(ask("GET", "/script").body, HasSubstr("hard_decline"));
  EXPECT_TRUE(std::holds_alternative<Declined>(authorize(request(100, "a"))));
  EXPECT_TRUE(std::holds_alternative<Approved>(authorize(request(100, "b"))));
  EXPECT_THAT(ask("DELETE", "/script").body, HasSubstr(R"("rules":[])"));
  EXPECT_TRUE(std::holds_alternative<Approved>(authorize(request(100, "c"))));
  const auto refused = ask("PUT", "/script", R"({"rules":[{"behaviour":"explode"}]})");
  EXPECT_EQ(refused.status, 422);
  EXPECT_THAT(refused.body, HasSubstr("behaviour must be one of"));
}

TEST_F(PspSimulatorTest, AKeyWithAnotherRequestIsRefusedAndUnknownToTheAdapter) {
  ASSERT_TRUE(std::holds_alternative<Approved>(authorize(request(100))));
  EXPECT_TRUE(std::holds_alternative<OutcomeUnknown>(authorize(request(101))));
  auto other_reference = request(100, "other");
  other_reference.idempotency_key = "reference-1";
  EXPECT_TRUE(std::holds_alternative<OutcomeUnknown>(authorize(other_reference)));
  const auto found = look_up(request(101));
  ASSERT_TRUE(std::holds_alternative<payment::Contradicted>(found));
  EXPECT_THAT(std::get<payment::Contradicted>(found).reason,
              HasSubstr("amount 100, where 101 was asked for"));
  EXPECT_THAT(charges(), HasSubstr(R"("amount":100)"));
  EXPECT_EQ(charges("other"), R"({"items":[],"more":false})");
}

TEST_F(PspSimulatorTest, AServerThatIsGoneIsNotReachedAndOneThatIsBackIs) {
  ASSERT_TRUE(std::holds_alternative<Approved>(authorize(request(100, "a"))));
  server_->stop(steady_clock::now());
  server_.reset();
  EXPECT_TRUE(std::holds_alternative<NotSent>(authorize(request(100, "b"))));
  EXPECT_TRUE(std::holds_alternative<NotSent>(look_up(request(100, "a"))));
  simulator_.reset();
  start();
  EXPECT_TRUE(std::holds_alternative<Approved>(look_up(request(100, "a")))) << "the book is on disk";
  EXPECT_TRUE(std::holds_alternative<Approved>(authorize(request(100, "b"))));
}

TEST_F(PspSimulatorTest, AClientThatWaitsForNothingDoesNotHoldUpTheStop) {
  play(R"({"behaviour":"time_out_after_charge"})");
  auto call = [this] {
    return adapter_->authorize(request(100), steady_clock::now() + std::chrono::minutes(1));
  };
  auto waiting = asio::co_spawn(threads_.executor(0), std::move(call), asio::use_future);
  ASSERT_TRUE(testing::eventually([this] { return charges() != R"({"items":[],"more":false})"; }));
  const auto started = steady_clock::now();
  server_->stop(started + std::chrono::seconds(30));
  EXPECT_LT(steady_clock::now() - started, std::chrono::seconds(20));
  EXPECT_TRUE(std::holds_alternative<OutcomeUnknown>(waiting.get()));
}

TEST_F(PspSimulatorTest, QueriesAreCheckedAndCountsComeInPages) {
  for (const auto* path :
       {"/charges", "/charges?reference=", "/charges?reference=a%20b", "/charges/counts?limit=0",
        "/charges/counts?limit=1001", "/charges/counts?limit=x", "/charges/counts?after=%20",
        "/charges?reference=a&refrence=b", "/charges/counts?limits=2", "/charges/counts?limit=2&limit=3"}) {
    EXPECT_EQ(ask("GET", path).status, 422) << path;
  }
  for (const auto* reference : {"a", "b", "c"}) authorize(request(100, reference));
  EXPECT_THAT(ask("GET", "/charges/counts?limit=2").body, HasSubstr(R"("next":"b")"));
  EXPECT_EQ(ask("GET", "/charges/counts?limit=2&after=b").body,
            R"({"items":[{"reference":"c","charges":1,"approved":1}],"next":null})");
  EXPECT_EQ(ask("GET", "/health").status, 200);
}

TEST_F(PspSimulatorTest, ALedgerThatFailsIsNoAnswer) {
  sqlite::Database(path_, sqlite::Durability::process, sqlite::Access::existing)
      .execute("DROP TABLE charges");
  EXPECT_TRUE(std::holds_alternative<OutcomeUnknown>(authorize(request(100))));
  EXPECT_TRUE(std::holds_alternative<OutcomeUnknown>(look_up(request(100))));
  EXPECT_EQ(ask("GET", "/health").status, 503);
}

}  // namespace
}  // namespace switchyard::psp_simulator
