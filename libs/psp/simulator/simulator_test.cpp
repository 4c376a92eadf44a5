#include "psp/simulator/simulator.hpp"

#include <optional>

#include <gtest/gtest.h>

#include "base/io_threads.hpp"
#include "base/testing.hpp"
#include "psp/simulator/testing.hpp"

namespace switchyard::psp::simulator {
namespace {

using payment::Answer;
using payment::CaptureMethod;
using payment::Contradicted;
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

Step asked(std::int64_t amount_minor, std::string key = "key-1", std::string reference = {}) {
  // Unless a test says otherwise, a reference is of one amount.
  if (reference.empty()) reference = std::to_string(amount_minor);
  return step_of({.amount_minor = amount_minor, .reference = std::move(reference), .key = std::move(key)});
}

// On the charge that asked(100, "key-1", "reference") makes.
Step asked_of_charge(Kind kind, std::int64_t amount_minor, std::string key = "key-2",
                     CaptureMethod capture_method = CaptureMethod::automatic) {
  return step_of({.kind = kind,
                  .amount_minor = amount_minor,
                  .reference = "reference",
                  .key = std::move(key),
                  .capture_method = capture_method,
                  .authorized_minor = 1'000'000});
}

class SimulatorTest : public ::testing::Test {
 protected:
  Answer send(const Step& step) { return send(*simulator_, step, deadline()); }
  // In an optional, because what threads give back can be made without a value.
  Answer send(Simulator& simulator, const Step& step, Deadline until) {
    auto call = [&]() -> Task<std::optional<Answer>> { co_return co_await simulator.send(step, until); };
    return threads_.run(0, std::move(call)).value();
  }
  Found look_up(const Step& step) {
    auto call = [&]() -> Task<std::optional<Found>> {
      co_return co_await simulator_->look_up(step, {}, deadline());
    };
    return threads_.run(0, std::move(call)).value();
  }
  template <class What>
  bool sends(const Step& step) {
    return std::holds_alternative<What>(send(step));
  }
  template <class What>
  bool finds(const Step& step) {
    return std::holds_alternative<What>(look_up(step));
  }
  // A million in the hand of the merchant, or held, for the operations above.
  void charge(CaptureMethod capture_method = CaptureMethod::automatic) {
    const auto step =
        step_of({.amount_minor = 1'000'000, .reference = "reference", .capture_method = capture_method});
    ASSERT_TRUE(sends<Succeeded>(step));
  }

  // What the ledger's file holds, whatever the simulator says.
  std::int64_t integer(const char* sql = "SELECT count(*) FROM charges") const {
    return sqlite::Database(path_, sqlite::Durability::process, sqlite::Access::existing).integer(sql);
  }
  std::int64_t approved_charges() const {
    return integer("SELECT count(*) FROM charges WHERE outcome = 'approved'");
  }
  std::int64_t refunded() const { return integer("SELECT sum(refunded_minor) FROM charges"); }

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
    const auto outcome = send(asked(amount, key));
    ASSERT_TRUE(std::holds_alternative<Succeeded>(outcome)) << amount;
    EXPECT_EQ(std::get<Succeeded>(outcome).psp_reference, "sim_" + key);
    EXPECT_EQ(std::get<Succeeded>(outcome).amount.minor(), amount);
  }
  EXPECT_EQ(approved_charges(), 8);
}

TEST_F(SimulatorTest, DeclinesTheAmountsThatStandForADecline) {
  struct Row {
    std::int64_t amount;
    const char* code;
    ReasonKind kind;
  };
  for (const auto& [amount, code, kind] :
       {Row{200'011, "51", ReasonKind::soft_decline}, Row{200'012, "91", ReasonKind::soft_decline},
        Row{200'017, "59", ReasonKind::hard_decline}}) {
    const auto key = std::to_string(amount);
    const auto outcome = send(asked(amount, key));
    ASSERT_TRUE(std::holds_alternative<Declined>(outcome)) << amount;
    EXPECT_EQ(std::get<Declined>(outcome).reason.code, code);
    EXPECT_NE(std::get<Declined>(outcome).reason.message, "");
    EXPECT_EQ(std::get<Declined>(outcome).reason.kind, kind);

    const auto found = look_up(asked(amount, key));
    ASSERT_TRUE(std::holds_alternative<Declined>(found)) << amount;
    EXPECT_EQ(std::get<Declined>(found).reason, std::get<Declined>(outcome).reason);
  }
  EXPECT_EQ(approved_charges(), 0);
}

TEST_F(SimulatorTest, CannotBeReachedWithTheAmountThatStandsForThat) {
  EXPECT_TRUE(sends<NotSent>(asked(300'014)));
  EXPECT_EQ(integer(), 0);
  EXPECT_TRUE(finds<NoSuchOperation>(asked(300'014)));
}

TEST_F(SimulatorTest, ChargesAndLosesTheAnswerWithTheAmountThatStandsForThat) {
  for (int sent = 0; sent < 2; ++sent) {
    EXPECT_TRUE(sends<OutcomeUnknown>(asked(500'001)));
    EXPECT_EQ(approved_charges(), 1);
  }
  const auto found = look_up(asked(500'001));
  ASSERT_TRUE(std::holds_alternative<Succeeded>(found));
  EXPECT_EQ(std::get<Succeeded>(found).psp_reference, "sim_key-1");
}

TEST_F(SimulatorTest, ChargesAndBreaksTheAnswerWithTheAmountsThatStandForThat) {
  for (const std::int64_t amount : {600'003, 600'004, 600'005}) {
    const auto key = std::to_string(amount);
    EXPECT_TRUE(sends<OutcomeUnknown>(asked(amount, key))) << amount;
    EXPECT_TRUE(finds<Succeeded>(asked(amount, key))) << amount;
  }
  EXPECT_EQ(approved_charges(), 3);
}

TEST_F(SimulatorTest, ChargesWhatItLostTheFirstTimeWhenItComesAgain) {
  EXPECT_TRUE(sends<OutcomeUnknown>(asked(600'002)));
  EXPECT_TRUE(finds<NoSuchOperation>(asked(600'002)));
  EXPECT_TRUE(sends<Succeeded>(asked(600'002)));
  EXPECT_EQ(approved_charges(), 1);
}

TEST_F(SimulatorTest, IsLateButNeverAfterTheDeadline) {
  const auto started = std::chrono::steady_clock::now();
  const auto soon = started + usual_delay / 10;
  EXPECT_TRUE(std::holds_alternative<OutcomeUnknown>(send(*simulator_, asked(600'001), soon)));
  EXPECT_LT(std::chrono::steady_clock::now(), started + usual_delay);
  EXPECT_TRUE(sends<Succeeded>(asked(600'001)));
  EXPECT_GE(std::chrono::steady_clock::now(), started + usual_delay);
  EXPECT_EQ(approved_charges(), 1);
}

TEST_F(SimulatorTest, IsPendingForAWhileWithTheAmountsThatStandForThat) {
  const auto approved = asked(700'001, "key-1");
  const auto declined = asked(700'002, "key-2");
  for (const auto& step : {approved, declined}) {
    EXPECT_TRUE(sends<Pending>(step));
    EXPECT_TRUE(finds<Pending>(step));
  }
  clock_.advance(usual_delay);
  EXPECT_TRUE(finds<Succeeded>(approved));
  EXPECT_TRUE(finds<Declined>(declined));
}

TEST_F(SimulatorTest, TakesBackWithTheAmountThatStandsForThat) {
  EXPECT_TRUE(sends<Succeeded>(asked(700'003)));
  clock_.advance(usual_delay);
  const auto found = look_up(asked(700'003));
  ASSERT_TRUE(std::holds_alternative<Declined>(found));
  EXPECT_EQ(std::get<Declined>(found).reason.code, taken_back);
}

TEST_F(SimulatorTest, OneKeyIsOneChargeHoweverOftenItIsSent) {
  for (int sent = 0; sent < 3; ++sent) EXPECT_TRUE(sends<Succeeded>(asked(100)));
  EXPECT_EQ(integer(), 1);

  const auto step = asked(100, "key-2");
  int succeeded = 0;
  auto send_one = [&](int) -> Task<void> {
    const auto outcome = co_await simulator_->send(step, deadline());
    if (std::holds_alternative<Succeeded>(outcome)) ++succeeded;
  };
  threads_.run(0, [&] { return testing::many_at_once(threads_.executor(0), 50, send_one); });
  EXPECT_EQ(succeeded, 50);
  EXPECT_EQ(integer(), 2);
}

TEST_F(SimulatorTest, AChargeThatIsNotTheOneThatWasAskedForIsNotBookedAsOurs) {
  ASSERT_TRUE(sends<Succeeded>(asked(100, "key-1", "reference")));
  auto held = asked(100, "key-1", "reference");
  held.state.transaction.capture_method = CaptureMethod::manual;
  EXPECT_TRUE(sends<Contradicted>(held));
  EXPECT_TRUE(finds<Contradicted>(held));
  // The machine finds it.
  const auto outcome = send(asked(101, "key-1", "reference"));
  ASSERT_TRUE(std::holds_alternative<Succeeded>(outcome));
  EXPECT_EQ(std::get<Succeeded>(outcome).amount.minor(), 100);
  EXPECT_EQ(integer(), 1);
}

TEST_F(SimulatorTest, TwoKeysAreTwoCharges) {
  EXPECT_TRUE(sends<Succeeded>(asked(100, "key-1")));
  EXPECT_TRUE(sends<Succeeded>(asked(100, "key-2")));
  EXPECT_EQ(integer(), 2);
}

TEST_F(SimulatorTest, TwoProcessesShareOneLedger) {
  Simulator other(path_, clock_);
  const auto step = asked(100);
  ASSERT_TRUE(sends<Succeeded>(step));
  EXPECT_TRUE(std::holds_alternative<Succeeded>(send(other, step, deadline())));
  EXPECT_EQ(integer(), 1);
}

TEST_F(SimulatorTest, FindsNoChargeThatWasNotMade) {
  ASSERT_TRUE(sends<Declined>(asked(200'017, "key-1", "reference")));
  EXPECT_TRUE(finds<NoSuchOperation>(asked(100, "key-2", "reference")));
  EXPECT_TRUE(finds<NoSuchOperation>(asked(100, "key-1", "another")));
  ASSERT_TRUE(sends<Succeeded>(asked(100, "key-3", "reference")));
  EXPECT_TRUE(finds<Contradicted>(asked(100, "key-2", "reference"))) << "money was taken already";
}

TEST_F(SimulatorTest, GivesBackWhatItTook) {
  charge();
  for (int sent = 0; sent < 2; ++sent) {
    const auto outcome = send(asked_of_charge(Kind::refund, 40));
    ASSERT_TRUE(std::holds_alternative<Succeeded>(outcome));
    EXPECT_EQ(std::get<Succeeded>(outcome).psp_reference, "sim_key-2");
    EXPECT_EQ(std::get<Succeeded>(outcome).amount.minor(), 40);
  }
  EXPECT_TRUE(finds<Succeeded>(asked_of_charge(Kind::refund, 40)));
  EXPECT_TRUE(finds<NoSuchOperation>(asked_of_charge(Kind::refund, 40, "key-3")));
  EXPECT_TRUE(finds<Contradicted>(asked_of_charge(Kind::void_, 40)));
  EXPECT_EQ(refunded(), 40);
}

TEST_F(SimulatorTest, CapturesAndVoidsWhatItHolds) {
  charge(CaptureMethod::manual);
  auto capture = asked_of_charge(Kind::capture, 400'000, "key-2", CaptureMethod::manual);
  capture.state.operations[1].is_final = false;
  EXPECT_TRUE(sends<Succeeded>(capture));
  EXPECT_TRUE(finds<Succeeded>(capture));
  const auto rest = asked_of_charge(Kind::void_, 600'000, "key-3", CaptureMethod::manual);
  const auto outcome = send(rest);
  ASSERT_TRUE(std::holds_alternative<Succeeded>(outcome));
  EXPECT_EQ(std::get<Succeeded>(outcome).amount.minor(), 600'000);
  EXPECT_EQ(integer("SELECT captured_minor FROM charges"), 400'000);
  EXPECT_EQ(integer("SELECT voided_minor FROM charges"), 600'000);
}

TEST_F(SimulatorTest, DeclinesWhatTheChargeDoesNotAllow) {
  charge();
  const auto refused = [&](const Step& step) {
    const auto outcome = send(step);
    EXPECT_TRUE(std::holds_alternative<Declined>(outcome));
    EXPECT_TRUE(finds<Declined>(step));
    return std::get<Declined>(outcome).reason;
  };
  const auto over = refused(asked_of_charge(Kind::refund, 1'000'001, "key-2"));
  EXPECT_EQ(over.code, over_what_is_left);
  EXPECT_EQ(over.kind, ReasonKind::hard_decline);
  EXPECT_EQ(refused(asked_of_charge(Kind::capture, 1, "key-3")).code, wrong_state);
  EXPECT_EQ(refused(asked_of_charge(Kind::void_, 1, "key-4")).code, wrong_state);
  EXPECT_EQ(refunded(), 0);
}

TEST_F(SimulatorTest, RejectsWhatIsAboutNoChargeOfIts) {
  EXPECT_TRUE(sends<Rejected>(asked_of_charge(Kind::refund, 40)));
  charge();
  auto nameless = asked_of_charge(Kind::refund, 40);
  nameless.state.operations[0].psp_reference.clear();
  EXPECT_TRUE(sends<Rejected>(nameless));
  EXPECT_EQ(refunded(), 0);
}

TEST_F(SimulatorTest, AmountsOfCapturesAndRefundsMeanTheSameAndThatOfAVoidNothing) {
  charge();
  EXPECT_TRUE(sends<Declined>(asked_of_charge(Kind::refund, 200'011, "key-2")));
  EXPECT_TRUE(sends<NotSent>(asked_of_charge(Kind::refund, 300'014, "key-3")));
  EXPECT_TRUE(sends<OutcomeUnknown>(asked_of_charge(Kind::refund, 500'001, "key-4")));
  EXPECT_TRUE(finds<Succeeded>(asked_of_charge(Kind::refund, 500'001, "key-4")));
  EXPECT_EQ(refunded(), 500'001);

  const auto held = [](Kind kind, std::string key) {
    return step_of({.kind = kind,
                    .amount_minor = 200'011,
                    .reference = "held",
                    .key = std::move(key),
                    .capture_method = CaptureMethod::manual,
                    .authorized_minor = 200'012});
  };
  const auto authorization =
      step_of({.amount_minor = 200'013, .reference = "held", .capture_method = CaptureMethod::manual});
  ASSERT_TRUE(sends<Succeeded>(authorization));
  EXPECT_TRUE(sends<Declined>(held(Kind::capture, "key-2")));
  EXPECT_TRUE(sends<Succeeded>(held(Kind::void_, "key-3")));
}

TEST_F(SimulatorTest, TheLedgerOutlivesTheProcess) {
  ASSERT_TRUE(sends<Succeeded>(asked(100)));
  simulator_.emplace(path_, clock_);
  EXPECT_TRUE(finds<Succeeded>(asked(100)));
  EXPECT_TRUE(sends<Succeeded>(asked(100)));
  EXPECT_EQ(integer(), 1);
}

TEST_F(SimulatorTest, ALedgerThatFailsIsAnUnknownOutcome) {
  sqlite::Database(path_, sqlite::Durability::process, sqlite::Access::existing)
      .execute("DROP TABLE charges; DROP TABLE operations;");
  for (const auto& step : {asked(100), asked_of_charge(Kind::refund, 40)}) {
    EXPECT_TRUE(sends<OutcomeUnknown>(step)) << "nobody knows, so not a decline";
    EXPECT_TRUE(finds<OutcomeUnknown>(step));
  }
}

}  // namespace
}  // namespace switchyard::psp::simulator
