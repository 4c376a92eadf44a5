// Events of PSPs that are stored, until they are over.
#include "psp-connector/event_work.hpp"

#include <gmock/gmock.h>

#include "psp-connector/testing.hpp"

namespace switchyard::connector {
namespace {

using payment::Phase;
using payment::Status;
using ::testing::HasSubstr;

class EventWorkTest : public ConnectorTest {
 protected:
  ~EventWorkTest() override {
    if (hearing_.valid()) stop_hearing();
    if (running_.valid()) stop();
  }

  // Beside a connector that has pending operations wait.
  void hear() {
    start();
    work_.emplace(threads_.executor(0), store_, psps_, settings_.policy, metrics_, log(), clock_,
                  [this](const payment::Step& step) { changed_.push_back(step.state.transaction.status); });
    hearing_ = asio::co_spawn(threads_.executor(0), [this] { return work_->run(); }, asio::use_future);
  }
  void stop_hearing() {
    asio::post(threads_.executor(0), asio::use_future([this] { work_->stop(); })).get();
    hearing_.get();
    work_.reset();
  }

  TransactionId pending_payment() {
    psp_.answers.emplace_back(payment::Pending{"psp-ref", {}});
    for (int i = 0; i < 100; ++i) psp_.found.emplace_back(payment::Pending{"psp-ref", {}});
    const auto id = create();
    EXPECT_TRUE(testing::eventually([&] {
      const auto state = find(id);
      return !state.operations.empty() && state.operations[0].phase == Phase::pending;
    }));
    return id;
  }

  void store(payment::Notice notice, const std::string& account = "scripted") {
    store::PspEvents events{{.account = account,
                             .notice = std::move(notice),
                             .received_at = clock_.now(),
                             .due_at = clock_.now()}};
    EXPECT_TRUE(helper_.run(0, [&] { return store_.add_psp_events(events); }));
    if (work_) work_->notify();
  }
  bool ends(const std::string& event, const std::string& result) {
    const auto sql = "SELECT count(*) FROM psp_events WHERE event = '" + event +
                     "' AND due_at_ms IS NULL AND result = '" + result + "'";
    return testing::eventually([&] { return in_file(sql.c_str()) == 1; });
  }

  static payment::Notice paid(std::string event) {
    return {.event = std::move(event),
            .type = "paid",
            .payment = "psp-ref",
            .kind = payment::Kind::authorize,
            .what = succeeded("psp-ref")};
  }

  std::optional<EventWork> work_;
  std::future<void> hearing_;
  std::vector<Status> changed_;
};

TEST_F(EventWorkTest, AnEventIsAppliedToItsPayment) {
  hear();
  const auto id = pending_payment();
  auto notice = paid("evt_1");
  notice.psp_reference = "psp-ref";
  store(notice);
  EXPECT_TRUE(comes_to(id, Status::captured));
  EXPECT_TRUE(ends("evt_1", "applied"));
  EXPECT_TRUE(counts(R"(switchyard_psp_events_worked_off_total{result="changed"} 1)"));
  stop_hearing();
  EXPECT_THAT(changed_, ::testing::ElementsAre(Status::captured));
}

TEST_F(EventWorkTest, ItIsFoundByOurNamesToo) {
  hear();
  const auto id = pending_payment();
  auto notice = paid("evt_1");
  notice.payment.clear();
  notice.reference = id.value.to_string();
  notice.idempotency_key = find(id).operations[0].idempotency_key;
  store(notice);
  EXPECT_TRUE(comes_to(id, Status::captured));
}

TEST_F(EventWorkTest, OfTwoThatSayTheSameTheSecondIsNothingNew) {
  hear();
  const auto id = pending_payment();
  auto notice = paid("evt_1");
  notice.psp_reference = "psp-ref";
  store(notice);
  EXPECT_TRUE(ends("evt_1", "applied"));
  notice.event = "evt_2";
  store(notice);
  EXPECT_TRUE(ends("evt_2", "nothing new"));
  EXPECT_EQ(find(id).transaction.captured_minor, 100);
}

TEST_F(EventWorkTest, SeveralOfOnePaymentAreAppliedInTheirOrder) {
  auto notice = paid("evt_1");
  notice.psp_reference = "psp-ref";
  hear();
  const auto id = pending_payment();
  stop_hearing();
  store(notice);
  clock_.advance(std::chrono::milliseconds(1));
  store({.event = "evt_2",
         .type = "chargeback",
         .payment = "psp-ref",
         .what = payment::ChargedBack{"stolen", dollars(100)}});
  clock_.advance(std::chrono::milliseconds(1));
  work_.emplace(threads_.executor(0), store_, psps_, settings_.policy, metrics_, log(), clock_,
                [](const payment::Step&) {});
  hearing_ = asio::co_spawn(threads_.executor(0), [this] { return work_->run(); }, asio::use_future);
  EXPECT_TRUE(ends("evt_2", "applied"));
  const auto state = find(id);
  EXPECT_EQ(state.transaction.status, Status::manual_review);
  EXPECT_EQ(state.transaction.captured_minor, 0);
  EXPECT_THAT(state.operations[0].reason.message, HasSubstr("stolen"));
}

TEST_F(EventWorkTest, OneThatComesEarlyIsHeardLater) {
  auto notice = paid("evt_1");
  notice.psp_reference = "psp-ref";
  store(notice);
  hear();
  EXPECT_TRUE(testing::eventually([&] {
    return in_file(
               "SELECT count(*) FROM psp_events WHERE tries = 1 AND due_at_ms IS NOT NULL AND "
               "result = 'no payment here is known by what it says'") == 1;
  }));
  const auto id = pending_payment();
  clock_.advance(std::chrono::seconds(1));
  work_->notify();
  EXPECT_TRUE(comes_to(id, Status::captured));
  EXPECT_TRUE(ends("evt_1", "applied"));
}

TEST_F(EventWorkTest, OneThatIsAboutNothingHereIsGivenUp) {
  store(paid("evt_1"));
  hear();
  EXPECT_TRUE(testing::eventually([&] {
    clock_.advance(std::chrono::hours(20));
    work_->notify();
    return in_file("SELECT count(*) FROM psp_events WHERE due_at_ms IS NULL AND tries = 17") == 1;
  }));
  EXPECT_TRUE(counts(R"(switchyard_psp_events_worked_off_total{result="given_up"} 1)"));
}

TEST_F(EventWorkTest, AnotherAccountsEventIsAboutNothing) {
  hear();
  const auto id = pending_payment();
  auto notice = paid("evt_1");
  notice.psp_reference = "psp-ref";
  store(notice, "other");
  EXPECT_TRUE(counts(R"(switchyard_psp_events_worked_off_total{result="too_early"} 1)"));
  EXPECT_EQ(status(id), Status::processing);
}

}  // namespace
}  // namespace switchyard::connector
