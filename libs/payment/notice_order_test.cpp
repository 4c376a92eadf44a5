// Whatever order a PSP's events come in, they end in the same state: all orders of a few events are tried.
// Each is heard twice and changes something once, at once and when all of them are heard again from the
// beginning, as those of a batch whose worker died.
#include <algorithm>
#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "payment/notice.hpp"
#include "payment/testing.hpp"

namespace switchyard::payment {
namespace {

using testing::dollars;
using testing::paid_journey;
using testing::payment_start;
using testing::PaymentJourney;
using How = Noticed::How;

class NoticeOrderTest : public ::testing::Test {
 protected:
  // Of the operation with this number; `kind`: of what the event speaks, where that is another.
  void says(std::string type, std::int32_t number, Notice::What what, std::optional<Kind> kind = {}) {
    const auto& operation = state_.operations.at(static_cast<std::size_t>(number - 1));
    notices_.push_back({.event = type,
                        .type = type,
                        .idempotency_key = operation.idempotency_key,
                        .payment = "psp-ref",
                        .kind = kind.value_or(operation.kind),
                        .what = std::move(what)});
  }
  void says_of_payment(std::string type, Notice::What what) {
    notices_.push_back({.event = type, .type = type, .payment = "psp-ref", .what = std::move(what)});
  }

  void start(const PaymentJourney& journey) {
    state_ = journey.state();
    notices_.clear();
  }

  // Asked for, and taken by the PSP.
  static void wait_for(PaymentJourney& journey, Kind kind, std::optional<std::int64_t> amount = {}) {
    journey.ask(kind, amount);
    ASSERT_EQ(journey.claim(), Action::send);
    journey.answer(Pending{"", {}});
  }

  // What the orders end in, as texts.
  std::set<std::string> ends() const {
    std::vector<std::size_t> order(notices_.size());
    std::iota(order.begin(), order.end(), 0U);
    std::set<std::string> ends;
    do {
      ends.insert(to_text(heard(order)));
    } while (std::ranges::next_permutation(order).found);
    return ends;
  }

  std::vector<Notice> notices_;

 private:
  // What is too early is heard again after the others, until nothing changes any more.
  State heard(const std::vector<std::size_t>& order) const {
    auto state = state_;
    auto left = order;
    for (auto size = left.size() + 1; left.size() < size;) {
      size = left.size();
      std::erase_if(left, [&](std::size_t one) { return hear(state, one) != How::too_early; });
    }
    EXPECT_THAT(left, ::testing::IsEmpty()) << "what stays too early is given up";
    const auto version = state.transaction.version;
    for (const auto one : order) EXPECT_EQ(hear(state, one), How::nothing_new) << words(order, one);
    EXPECT_EQ(state.transaction.version, version);
    return state;
  }

  How hear(State& state, std::size_t one) const {
    auto noticed = notified(state, "psp", notices_[one], account_, payment_start, policy_);
    EXPECT_EQ(why_broken(noticed.state), std::nullopt);
    state = std::move(noticed.state);
    if (noticed.how == How::changed) {
      EXPECT_NE(notified(state, "psp", notices_[one], account_, payment_start, policy_).how, How::changed)
          << notices_[one].type << " twice";
    }
    return noticed.how;
  }

  std::string words(const std::vector<std::size_t>& order, std::size_t again) const {
    std::string text;
    for (const auto one : order) text += notices_[one].type + ", ";
    return text + "and again " + notices_[again].type;
  }

  // All but texts for a person.
  static std::string to_text(const State& state) {
    const auto& [transaction, operations] = state;
    auto text =
        fmt::format("{}: authorized {}, held {}, captured {}, refunded {}, version {}",
                    to_string(transaction.status), transaction.authorized_minor, transaction.held_minor,
                    transaction.captured_minor, transaction.refunded_minor, transaction.version);
    for (const auto& operation : operations) {
      text += fmt::format("; {} {}{}{}", to_string(operation.kind), to_string(operation.phase),
                          operation.taken_back ? " taken back" : "", operation.ended_at ? " ended" : "");
    }
    return text;
  }

  const OneAccount account_{"psp", testing::encode_for_test};
  const RetryPolicy policy_{};
  State state_ = accepted(testing::queued_transaction());
};

const Declined not_done{.reason = {.code = "05", .message = {}, .kind = ReasonKind::hard_decline},
                        .psp_reference = {},
                        .amount = {}};

TEST_F(NoticeOrderTest, OfAPaymentThatWasTaken) {
  start(paid_journey());
  says("AUTHORISATION", 1, Succeeded{"psp-ref", dollars(1000)});
  says("CAPTURE", 1, Succeeded{"capture", dollars(1000)}, Kind::capture);
  says("FRAUD", 1, Attention{"fraud"});
  says_of_payment("CHARGEBACK", ChargedBack{"a chargeback", dollars(1000)});
  EXPECT_THAT(ends(), ::testing::SizeIs(1));
  says("CAPTURE_FAILED", 1, TakenBack{"it failed", dollars(1000)}, Kind::capture);
  says_of_payment("CHARGEBACK of a part", ChargedBack{"a chargeback", dollars(100)});
  EXPECT_THAT(ends(), ::testing::SizeIs(1));
}

TEST_F(NoticeOrderTest, OfAPaymentWhoseAnswerIsNotKnown) {
  PaymentJourney journey;
  journey.lose_the_answer();
  start(journey);
  says("AUTHORISATION", 1, Succeeded{"psp-ref", dollars(1000)});
  says("CAPTURE", 1, Succeeded{"capture", dollars(1000)}, Kind::capture);
  says("FRAUD", 1, Attention{"fraud"});
  says("CAPTURE_FAILED", 1, TakenBack{"it failed", dollars(1000)}, Kind::capture);
  says_of_payment("CHARGEBACK", ChargedBack{"a chargeback", dollars(1000)});
  says_of_payment("EXPIRE", HoldExpired{"the hold has expired"});
  EXPECT_THAT(ends(), ::testing::SizeIs(1));
}

TEST_F(NoticeOrderTest, OfRefunds) {
  auto journey = paid_journey();
  wait_for(journey, Kind::refund, 400);
  wait_for(journey, Kind::refund, 300);
  start(journey);
  says("REFUND", 2, Succeeded{"refund", dollars(400)});
  says("REFUND_FAILED", 2, TakenBack{"it bounced", dollars(400)});
  says("REFUNDED_REVERSED", 2, TakenBack{"it came back", dollars(400)});
  says("REFUND refused", 3, not_done);
  says("FRAUD", 1, Attention{"fraud"});
  says("REFUND by hand", 1, Succeeded{"other", dollars(100)}, Kind::refund);
  EXPECT_THAT(ends(), ::testing::SizeIs(1));
}

TEST_F(NoticeOrderTest, OfARefundThatIsAlsoChargedBack) {
  auto journey = paid_journey();
  wait_for(journey, Kind::refund, 400);
  start(journey);
  says("REFUND", 2, Succeeded{"refund", dollars(400)});
  says_of_payment("CHARGEBACK", ChargedBack{"a chargeback", dollars(1000)});
  says("FRAUD", 1, Attention{"fraud"});
  EXPECT_THAT(ends(), ::testing::SizeIs(1));
}

TEST_F(NoticeOrderTest, OfACapture) {
  auto journey = paid_journey(CaptureMethod::manual);
  wait_for(journey, Kind::capture, 600);
  start(journey);
  says("AUTHORISATION", 1, Succeeded{"psp-ref", dollars(1000)});
  says("CAPTURE", 2, Succeeded{"capture", dollars(600)});
  says("CAPTURE_FAILED", 2, TakenBack{"it failed", dollars(600)});
  says_of_payment("CHARGEBACK", ChargedBack{"a chargeback", dollars(600)});
  says_of_payment("EXPIRE", HoldExpired{"the hold has expired"});
  says("FRAUD", 1, Attention{"fraud"});
  EXPECT_THAT(ends(), ::testing::SizeIs(1));
}

TEST_F(NoticeOrderTest, OfTwoChargebacksOfTheSameAmount) {
  auto journey = paid_journey(CaptureMethod::manual);
  for (int i = 0; i < 2; ++i) {
    journey.ask(Kind::capture, 500, false);
    journey.succeed();
  }
  start(journey);
  says("AUTHORISATION", 1, Succeeded{"psp-ref", dollars(1000)});
  for (const auto* name : {"dispute-1", "dispute-2"}) {
    says_of_payment("CHARGEBACK", ChargedBack{"a chargeback", dollars(500)});
    notices_.back().psp_reference = name;
  }
  const auto both = ends();
  ASSERT_THAT(both, ::testing::SizeIs(1));
  EXPECT_THAT(*both.begin(), ::testing::HasSubstr("captured 0"));
}

TEST_F(NoticeOrderTest, OfACaptureThatIsRefused) {
  auto journey = paid_journey(CaptureMethod::manual);
  wait_for(journey, Kind::capture, 600);
  start(journey);
  says("CAPTURE refused", 2, not_done);
  says_of_payment("EXPIRE", HoldExpired{"the hold has expired"});
  says("FRAUD", 1, Attention{"fraud"});
  EXPECT_THAT(ends(), ::testing::SizeIs(1));
}

TEST_F(NoticeOrderTest, OfAnotherAmountThanWasAsked) {
  auto journey = paid_journey(CaptureMethod::manual);
  wait_for(journey, Kind::capture, 600);
  start(journey);
  says("CAPTURE", 2, Succeeded{"capture", dollars(599)});
  says("CAPTURE_FAILED", 2, TakenBack{"it failed", dollars(599)});
  says_of_payment("CHARGEBACK", ChargedBack{"a chargeback", dollars(599)});
  EXPECT_THAT(ends(), ::testing::SizeIs(1));
}

TEST_F(NoticeOrderTest, OfAVoid) {
  for (const Notice::What& what : {Notice::What(Succeeded{"void", dollars(1000)}), Notice::What(not_done)}) {
    auto journey = paid_journey(CaptureMethod::manual);
    wait_for(journey, Kind::void_);
    start(journey);
    says("AUTHORISATION", 1, Succeeded{"psp-ref", dollars(1000)});
    says("CANCELLATION", 2, what);
    says_of_payment("EXPIRE", HoldExpired{"the hold has expired"});
    says("FRAUD", 1, Attention{"fraud"});
    EXPECT_THAT(ends(), ::testing::SizeIs(1));
  }
}

}  // namespace
}  // namespace switchyard::payment
