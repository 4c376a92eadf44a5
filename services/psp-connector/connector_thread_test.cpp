#include "psp-connector/connector_thread.hpp"

#include <gmock/gmock.h>

#include "psp-connector/testing.hpp"
#include "service/program.hpp"

namespace switchyard::connector {
namespace {

using payment::Status;
using std::chrono::seconds;
using switchyard::testing::CapturedStdout;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

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
    EXPECT_THAT(note.output, HasSubstr("the last 3 calls of psp-simulator were not sent, since"));
  }
  const auto found = find(id);
  ASSERT_THAT(found.operations, SizeIs(1));
  EXPECT_EQ(found.operations[0].sends, 3);
  EXPECT_EQ(in_file("SELECT count(*) FROM operations WHERE phase = 'failed'"), 1);
}

}  // namespace
}  // namespace switchyard::connector
