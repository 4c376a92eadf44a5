#include "psp/simulator/simulator.hpp"

#include <future>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "base/io_threads.hpp"
#include "base/testing.hpp"

namespace switchyard::psp::simulator {
namespace {

using payment::Approved;
using payment::Contradicted;
using payment::Declined;
using payment::DeclineKind;
using payment::NoSuchCharge;
using payment::NotSent;
using payment::OutcomeUnknown;

AuthorizeRequest request(std::int64_t amount_minor, std::string key = "key-1", std::string reference = {}) {
  // Unless a test says otherwise, a reference is of one amount.
  if (reference.empty()) reference = std::to_string(amount_minor);
  return {.reference = std::move(reference),
          .idempotency_key = std::move(key),
          .amount = Money(amount_minor, *Currency::parse("USD"))};
}

class SimulatorTest : public ::testing::Test {
 protected:
  payment::Outcome authorize(const AuthorizeRequest& request) {
    return threads_.run(0, [&] { return simulator_->authorize(request, deadline()); });
  }
  LookUpResult look_up(const AuthorizeRequest& request) {
    return threads_.run(0, [&] { return simulator_->look_up(request, deadline()); });
  }

  // What the ledger's file holds, whatever the simulator says.
  std::int64_t charges(const char* sql = "SELECT count(*) FROM charges") const {
    return sqlite::Database(path_, sqlite::Durability::process, sqlite::Access::existing).integer(sql);
  }
  std::int64_t approved_charges() const {
    return charges("SELECT count(*) FROM charges WHERE outcome = 'approved'");
  }

  static Deadline deadline() { return std::chrono::steady_clock::now() + std::chrono::seconds(10); }

  testing::TempDir folder_;
  const std::string path_ = folder_.file("ledger.db");
  testing::ManualClock clock_;
  IoThreads threads_{1};
  std::optional<Simulator> simulator_{std::in_place, path_, clock_};
};

TEST_F(SimulatorTest, ApprovesAnOrdinaryAmount) {
  for (const std::int64_t amount : {1, 100, 200'010, 200'013, 300'013, 500'000, 600'000, 600'006}) {
    const auto key = std::to_string(amount);
    const auto outcome = authorize(request(amount, key));
    ASSERT_TRUE(std::holds_alternative<Approved>(outcome)) << amount;
    EXPECT_EQ(std::get<Approved>(outcome).psp_reference, "sim_" + key);
  }
  EXPECT_EQ(approved_charges(), 8);
}

TEST_F(SimulatorTest, DeclinesTheAmountsThatStandForADecline) {
  struct Row {
    std::int64_t amount;
    const char* code;
    DeclineKind kind;
  };
  for (const auto& [amount, code, kind] :
       {Row{200'011, "51", DeclineKind::soft}, Row{200'012, "91", DeclineKind::soft},
        Row{200'017, "59", DeclineKind::hard}}) {
    const auto key = std::to_string(amount);
    const auto outcome = authorize(request(amount, key));
    ASSERT_TRUE(std::holds_alternative<Declined>(outcome)) << amount;
    EXPECT_EQ(std::get<Declined>(outcome).code, code);
    EXPECT_EQ(std::get<Declined>(outcome).kind, kind);

    const auto found = look_up(request(amount, key));
    ASSERT_TRUE(std::holds_alternative<Declined>(found)) << amount;
    EXPECT_EQ(std::get<Declined>(found).code, code);
    EXPECT_EQ(std::get<Declined>(found).kind, kind);
  }
  EXPECT_EQ(approved_charges(), 0);
}

TEST_F(SimulatorTest, CannotBeReachedWithTheAmountThatStandsForThat) {
  EXPECT_TRUE(std::holds_alternative<NotSent>(authorize(request(300'014))));
  EXPECT_EQ(charges(), 0);
  EXPECT_TRUE(std::holds_alternative<NoSuchCharge>(look_up(request(300'014))));
}

TEST_F(SimulatorTest, ChargesAndLosesTheAnswerWithTheAmountThatStandsForThat) {
  for (int sent = 0; sent < 2; ++sent) {
    EXPECT_TRUE(std::holds_alternative<OutcomeUnknown>(authorize(request(500'001))));
    EXPECT_EQ(approved_charges(), 1);
  }
  const auto found = look_up(request(500'001));
  ASSERT_TRUE(std::holds_alternative<Approved>(found));
  EXPECT_EQ(std::get<Approved>(found).psp_reference, "sim_key-1");
}

TEST_F(SimulatorTest, ChargesAndBreaksTheAnswerWithTheAmountsThatStandForThat) {
  for (const std::int64_t amount : {600'003, 600'004, 600'005}) {
    const auto key = std::to_string(amount);
    EXPECT_TRUE(std::holds_alternative<OutcomeUnknown>(authorize(request(amount, key)))) << amount;
    EXPECT_TRUE(std::holds_alternative<Approved>(look_up(request(amount, key)))) << amount;
  }
  EXPECT_EQ(approved_charges(), 3);
}

TEST_F(SimulatorTest, ChargesWhatItLostTheFirstTimeWhenItComesAgain) {
  EXPECT_TRUE(std::holds_alternative<OutcomeUnknown>(authorize(request(600'002))));
  EXPECT_TRUE(std::holds_alternative<NoSuchCharge>(look_up(request(600'002))));
  EXPECT_TRUE(std::holds_alternative<Approved>(authorize(request(600'002))));
  EXPECT_EQ(approved_charges(), 1);
}

TEST_F(SimulatorTest, IsLateButNeverAfterTheDeadline) {
  const auto started = std::chrono::steady_clock::now();
  const auto soon = started + usual_delay / 10;
  EXPECT_TRUE(std::holds_alternative<OutcomeUnknown>(
      threads_.run(0, [&] { return simulator_->authorize(request(600'001), soon); })));
  EXPECT_LT(std::chrono::steady_clock::now(), started + usual_delay);
  EXPECT_TRUE(std::holds_alternative<Approved>(authorize(request(600'001))));
  EXPECT_GE(std::chrono::steady_clock::now(), started + usual_delay);
  EXPECT_EQ(approved_charges(), 1);
}

TEST_F(SimulatorTest, OneKeyIsOneChargeHoweverOftenItIsSent) {
  for (int sent = 0; sent < 3; ++sent) EXPECT_TRUE(std::holds_alternative<Approved>(authorize(request(100))));
  EXPECT_EQ(charges(), 1);

  std::vector<std::future<payment::Outcome>> at_once;
  for (int sent = 0; sent < 50; ++sent) {
    at_once.push_back(asio::co_spawn(
        threads_.executor(0), simulator_->authorize(request(100, "key-2"), deadline()), asio::use_future));
  }
  for (auto& outcome : at_once) EXPECT_TRUE(std::holds_alternative<Approved>(outcome.get()));
  EXPECT_EQ(charges(), 2);
}

TEST_F(SimulatorTest, TheFirstUseOfAKeyDecides) {
  ASSERT_TRUE(std::holds_alternative<Approved>(authorize(request(100))));
  EXPECT_TRUE(std::holds_alternative<Approved>(authorize(request(100)))) << "the book says approved";
  EXPECT_EQ(charges("SELECT amount_minor FROM charges"), 100);
}

TEST_F(SimulatorTest, AChargeOfAnotherAmountOrCurrencyIsNotTheOneThatWasAskedFor) {
  ASSERT_TRUE(std::holds_alternative<Approved>(authorize(request(100, "key-1", "reference"))));
  auto in_euro = request(100, "key-1", "reference");
  in_euro.amount = Money(100, *Currency::parse("EUR"));
  auto held = request(100, "key-1", "reference");
  held.capture_method = payment::CaptureMethod::manual;
  for (const auto& other : {request(101, "key-1", "reference"), in_euro, held}) {
    EXPECT_TRUE(std::holds_alternative<Contradicted>(authorize(other)));
    EXPECT_TRUE(std::holds_alternative<Contradicted>(look_up(other)));
  }
  EXPECT_EQ(charges(), 1);
}

TEST_F(SimulatorTest, TwoKeysAreTwoCharges) {
  authorize(request(100, "key-1"));
  authorize(request(100, "key-2"));
  EXPECT_EQ(charges(), 2);
}

TEST_F(SimulatorTest, TwoProcessesShareOneLedger) {
  Simulator other(path_, clock_);
  authorize(request(100));
  const auto outcome = threads_.run(0, [&] { return other.authorize(request(100), deadline()); });
  EXPECT_TRUE(std::holds_alternative<Approved>(outcome));
  EXPECT_EQ(charges(), 1);
}

TEST_F(SimulatorTest, FindsNoChargeThatWasNotMade) {
  authorize(request(200'017, "key-1", "reference"));
  EXPECT_TRUE(std::holds_alternative<NoSuchCharge>(look_up(request(100, "key-2", "reference"))));
  EXPECT_TRUE(std::holds_alternative<NoSuchCharge>(look_up(request(100, "key-1", "another"))));
  authorize(request(100, "key-3", "reference"));
  EXPECT_TRUE(std::holds_alternative<Contradicted>(look_up(request(100, "key-2", "reference"))))
      << "money was taken already";
}

TEST_F(SimulatorTest, TheLedgerOutlivesTheProcess) {
  authorize(request(100));
  simulator_.emplace(path_, clock_);
  EXPECT_TRUE(std::holds_alternative<Approved>(look_up(request(100))));
  EXPECT_TRUE(std::holds_alternative<Approved>(authorize(request(100))));
  EXPECT_EQ(charges(), 1);
}

TEST_F(SimulatorTest, ALedgerThatFailsIsAnUnknownOutcome) {
  sqlite::Database(path_, sqlite::Durability::process, sqlite::Access::existing)
      .execute("DROP TABLE charges");
  EXPECT_TRUE(std::holds_alternative<OutcomeUnknown>(authorize(request(100))))
      << "nobody knows, so not a decline";
  EXPECT_TRUE(std::holds_alternative<OutcomeUnknown>(look_up(request(100))));
}

}  // namespace
}  // namespace switchyard::psp::simulator
