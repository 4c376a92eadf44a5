#include "payment/request.hpp"

#include <gmock/gmock.h>

#include "payment/psp_keys.hpp"
#include "payment/testing.hpp"

namespace switchyard::payment {
namespace {

using switchyard::testing::dollars;
using switchyard::testing::paid_journey;
using switchyard::testing::payment_start;
using switchyard::testing::PaymentJourney;
using switchyard::testing::queued_transaction;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using Why = Refusal::Why;

Request wish_for(Kind kind, std::optional<std::int64_t> amount_minor = {}, bool is_final = true) {
  Request wanted;
  wanted.kind = kind;
  wanted.amount_minor = amount_minor;
  wanted.is_final = is_final;
  return wanted;
}

std::expected<State, Refusal> ask_in(const PaymentJourney& journey, const Request& wanted) {
  return request(journey.state(), wanted, journey.now());
}

void expect_refusal(const std::expected<State, Refusal>& asked, Why why, Status status,
                    std::int64_t left = 0) {
  ASSERT_FALSE(asked) << "it was not refused";
  EXPECT_EQ(asked.error().why, why) << asked.error().detail;
  EXPECT_EQ(asked.error().status, status);
  EXPECT_EQ(asked.error().left_minor, left);
  EXPECT_FALSE(asked.error().detail.empty());
}

PaymentJourney held_journey() {
  return paid_journey(CaptureMethod::manual);
}

TEST(Request, AddsTheOperationAtTheEndDueAtOnce) {
  const auto journey = paid_journey();
  auto wanted = wish_for(Kind::refund, 300);
  wanted.psp_key = "derived";
  wanted.reference = "return 7";
  wanted.note = "too small";
  const auto asked = ask_in(journey, wanted);
  ASSERT_TRUE(asked) << asked.error().detail;
  EXPECT_EQ(asked->transaction.version, journey.transaction().version + 1)
      << "what is committed later sees it";
  EXPECT_EQ(asked->transaction.status, Status::processing);
  EXPECT_EQ(asked->transaction.next_action_at, journey.now());
  EXPECT_EQ(asked->transaction.operation_count, 2);
  EXPECT_EQ(asked->transaction.captured_minor, 1000);
  EXPECT_EQ(asked->transaction.refunded_minor, 0) << "nothing has happened yet";
  ASSERT_EQ(asked->operations.size(), 2U);
  const auto& operation = asked->operations.back();
  EXPECT_EQ(operation.number, 2);
  EXPECT_EQ(operation.kind, Kind::refund);
  EXPECT_EQ(operation.amount, dollars(300));
  EXPECT_EQ(operation.phase, Phase::requested);
  EXPECT_EQ(operation.psp, "psp") << "only who took the money can give it back";
  EXPECT_EQ(operation.idempotency_key, "derived");
  EXPECT_EQ(operation.request, "");
  EXPECT_EQ(operation.reference, "return 7");
  EXPECT_EQ(operation.note, "too small");
  EXPECT_EQ(operation.due_at, journey.now());
  EXPECT_EQ(operation.requested_at, journey.now());
  EXPECT_EQ(operation.sends, 0);
  EXPECT_EQ(why_broken(*asked), std::nullopt);
}

TEST(Request, WithoutAMerchantsKeyIsCalledByItsNumber) {
  const auto journey = paid_journey();
  const auto asked = ask_in(journey, wish_for(Kind::refund, 1));
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->operations.back().idempotency_key, numbered_key(journey.transaction(), 2));
}

TEST(Request, WithoutAnAmountIsAllThatIsLeft) {
  auto refunds = paid_journey();
  refunds.ask(Kind::refund, 300);
  refunds.ask(Kind::refund);
  EXPECT_EQ(refunds.operation(3).amount, dollars(700));
  auto captures = held_journey();
  captures.ask(Kind::capture, 400, false);
  captures.ask(Kind::capture);
  EXPECT_EQ(captures.operation(3).amount, dollars(600));
  auto voids = held_journey();
  voids.ask(Kind::capture, 400, false);
  voids.succeed();
  voids.ask(Kind::void_);
  EXPECT_EQ(voids.operation(3).amount, dollars(600));
}

TEST(Request, OnlyACaptureCanLeaveTheRestHeld) {
  auto journey = held_journey();
  journey.ask(Kind::capture, 400, false);
  EXPECT_FALSE(journey.operation(2).is_final);
  journey.succeed();
  journey.ask(Kind::refund, 100, false);
  EXPECT_TRUE(journey.operation(3).is_final);
}

// Which kinds are possible once the transaction has come so far.
struct Stage {
  const char* what;
  PaymentJourney journey;
  Status status;
  bool capture;
  bool void_;
  bool refund;
};

PaymentJourney after(PaymentJourney journey, auto... steps) {
  (steps(journey), ...);
  return journey;
}
const auto succeed = [](PaymentJourney& journey) { journey.succeed(); };
const auto begin = [](PaymentJourney& journey) { journey.claim(); };
const auto lose = [](PaymentJourney& journey) { journey.lose_the_answer(); };
const auto decline = [](PaymentJourney& journey) {
  journey.claim();
  journey.answer(Declined{{"51", "", ReasonKind::soft_decline}, "", {}});
};
const auto reject = [](PaymentJourney& journey) {
  journey.claim();
  journey.answer(Rejected{"no such account"});
};
const auto contradict = [](PaymentJourney& journey) {
  journey.claim();
  journey.answer(Contradicted{"another one's", ""});
};
const auto pend = [](PaymentJourney& journey) {
  journey.claim();
  journey.answer(Pending{"", {}});
};
const auto challenge = [](PaymentJourney& journey) {
  journey.claim();
  journey.answer(ActionRequired{"", {}});
};
auto asks(Kind kind, std::optional<std::int64_t> amount = {}, bool is_final = true) {
  return [=](PaymentJourney& journey) { journey.ask(kind, amount, is_final); };
}

std::vector<Stage> all_stages() {
  const PaymentJourney manual(CaptureMethod::manual);
  const PaymentJourney automatic;
  const auto capture_all = asks(Kind::capture);
  const auto void_all = asks(Kind::void_);
  return {
      {"queued", automatic, Status::queued, false, false, false},
      {"sent", after(automatic, begin), Status::processing, false, false, false},
      {"unknown", after(automatic, lose), Status::unknown, false, false, false},
      {"pending", after(manual, pend), Status::processing, false, false, false},
      {"action_required", after(manual, challenge), Status::action_required, false, false, false},
      {"declined", after(manual, decline), Status::declined, false, false, false},
      {"rejected", after(manual, reject), Status::failed, false, false, false},
      {"manual_review", after(manual, contradict), Status::manual_review, false, false, false},
      {"authorized", after(manual, succeed), Status::authorized, true, true, false},
      {"captured at once", after(automatic, succeed), Status::captured, false, false, true},
      {"capture asked for", after(manual, succeed, capture_all), Status::processing, false, false, false},
      {"capture declined", after(manual, succeed, capture_all, decline), Status::authorized, true, true,
       false},
      {"part captured, rest held", after(manual, succeed, asks(Kind::capture, 400, false), succeed),
       Status::captured, true, true, true},
      {"part captured, part under way",
       after(manual, succeed, asks(Kind::capture, 400, false), succeed, asks(Kind::capture, 100, false),
             begin),
       Status::processing, true, false, true},
      {"part captured, rest released", after(manual, succeed, asks(Kind::capture, 400), succeed),
       Status::captured, false, false, true},
      {"void asked for", after(manual, succeed, void_all), Status::processing, false, false, false},
      {"void pending", after(manual, succeed, void_all, pend), Status::processing, false, false, false},
      {"void unknown", after(manual, succeed, void_all, lose), Status::unknown, false, false, false},
      {"void declined", after(manual, succeed, void_all, decline), Status::authorized, true, true, false},
      {"voided", after(manual, succeed, void_all, succeed), Status::voided, false, false, false},
      {"partially refunded", after(automatic, succeed, asks(Kind::refund, 300), succeed),
       Status::partially_refunded, false, false, true},
      {"refund unknown", after(automatic, succeed, asks(Kind::refund, 300), lose), Status::unknown, false,
       false, true},
      {"all refunds under way", after(automatic, succeed, asks(Kind::refund), begin), Status::processing,
       false, false, false},
      {"refunded", after(automatic, succeed, asks(Kind::refund), succeed), Status::refunded, false, false,
       false},
      {"refund for a person", after(automatic, succeed, asks(Kind::refund, 300), contradict),
       Status::manual_review, false, false, false},
  };
}

TEST(Request, IsPossibleOrNotInEachStage) {
  for (const auto& stage : all_stages()) {
    SCOPED_TRACE(stage.what);
    EXPECT_EQ(stage.journey.status(), stage.status);
    EXPECT_EQ(ask_in(stage.journey, wish_for(Kind::capture)).has_value(), stage.capture) << "capture";
    EXPECT_EQ(ask_in(stage.journey, wish_for(Kind::void_)).has_value(), stage.void_) << "void";
    EXPECT_EQ(ask_in(stage.journey, wish_for(Kind::refund)).has_value(), stage.refund) << "refund";
  }
}

TEST(Request, ThatWasTakenLeavesTheTransactionSoundInEachStage) {
  for (const auto& stage : all_stages()) {
    for (const auto kind : {Kind::capture, Kind::void_, Kind::refund}) {
      const auto asked = ask_in(stage.journey, wish_for(kind));
      SCOPED_TRACE(std::string(stage.what) + ", " + std::string(to_string(kind)));
      if (asked) {
        EXPECT_EQ(why_broken(*asked).value_or(""), "");
      } else {
        EXPECT_EQ(asked.error().status, stage.status);
      }
    }
  }
}

TEST(Request, OverWhatIsLeftIsRefusedAndSaysWhatIsLeft) {
  auto refunds = paid_journey();
  expect_refusal(ask_in(refunds, wish_for(Kind::refund, 1001)), Why::over_what_is_left, Status::captured,
                 1000);
  refunds.ask(Kind::refund, 300);
  expect_refusal(ask_in(refunds, wish_for(Kind::refund, 701)), Why::over_what_is_left, Status::processing,
                 700);
  EXPECT_TRUE(ask_in(refunds, wish_for(Kind::refund, 700)));
  refunds.ask(Kind::refund, 700);
  expect_refusal(ask_in(refunds, wish_for(Kind::refund)), Why::over_what_is_left, Status::processing, 0);
  auto captures = held_journey();
  captures.ask(Kind::capture, 400, false);
  expect_refusal(ask_in(captures, wish_for(Kind::capture, 601)), Why::over_what_is_left, Status::processing,
                 600);
  EXPECT_TRUE(ask_in(captures, wish_for(Kind::capture, 600)));
  EXPECT_THAT(ask_in(captures, wish_for(Kind::capture, 601)).error().detail,
              HasSubstr("6.00 USD is left to capture"));
}

TEST(Request, BesideWhatWasDeclinedHasAllThatIsLeftAgain) {
  auto journey = paid_journey();
  journey.ask(Kind::refund);
  EXPECT_FALSE(ask_in(journey, wish_for(Kind::refund, 1)));
  decline(journey);
  EXPECT_TRUE(ask_in(journey, wish_for(Kind::refund, 1000)));
}

TEST(Request, OfACaptureBesideAVoidIsOneOfThem) {
  auto voids = held_journey();
  voids.ask(Kind::void_);
  expect_refusal(ask_in(voids, wish_for(Kind::capture, 1)), Why::over_what_is_left, Status::processing, 0);
  for (const bool is_final : {false, true}) {
    auto captures = held_journey();
    captures.ask(Kind::capture, 400, is_final);
    expect_refusal(ask_in(captures, wish_for(Kind::void_)), Why::wrong_state, Status::processing);
  }
}

TEST(Request, InAWrongStateSaysWhatIsPossible) {
  const auto detail_of = [](const PaymentJourney& journey, Kind kind) {
    const auto asked = ask_in(journey, wish_for(kind));
    return asked ? "" : asked.error().detail;
  };
  EXPECT_THAT(detail_of(PaymentJourney(), Kind::refund),
              HasSubstr("refund is not possible while the transaction is "
                        "queued; wait until it is authorized"));
  EXPECT_THAT(detail_of(held_journey(), Kind::refund), EndsWith("; possible: capture, void"));
  EXPECT_THAT(detail_of(paid_journey(), Kind::capture), EndsWith("; possible: refund"));
  auto beside = held_journey();
  beside.ask(Kind::capture, 400);
  EXPECT_THAT(detail_of(beside, Kind::void_), EndsWith("; wait until what is under way has ended"));
  EXPECT_THAT(detail_of(beside, Kind::refund), EndsWith("; wait until what is under way has ended"));
  auto in_parts = held_journey();
  in_parts.ask(Kind::capture, 400, false);
  EXPECT_THAT(detail_of(in_parts, Kind::void_), EndsWith("; possible: capture"));
  auto given_back = paid_journey();
  given_back.ask(Kind::refund);
  EXPECT_THAT(detail_of(given_back, Kind::void_), EndsWith("; wait until what is under way has ended"));
  EXPECT_THAT(detail_of(after(PaymentJourney(), decline), Kind::refund),
              HasSubstr("nothing more can be done"));
  EXPECT_THAT(detail_of(after(PaymentJourney(), contradict), Kind::refund),
              HasSubstr("a person looks into it"));
}

TEST(Request, WaitsForTheOneThatIsUnderWay) {
  auto journey = paid_journey();
  journey.ask(Kind::refund, 100);
  journey.claim();
  const auto lease_ends = journey.transaction().next_action_at;
  journey.ask(Kind::refund, 200);
  EXPECT_EQ(journey.operation(3).due_at, std::nullopt);
  EXPECT_EQ(journey.transaction().next_action_at, lease_ends);
}

TEST(Request, HasABoundOnHowManyThereAre) {
  auto state = paid_journey().state();
  auto declined = state.operations.front();
  declined.kind = Kind::refund;
  declined.phase = Phase::declined;
  const auto fill = [&](std::size_t count) {
    while (state.operations.size() < count) {
      declined.number = ++state.transaction.operation_count;
      state.operations.push_back(declined);
    }
  };
  fill(operations_max - operations_kept - 1);
  EXPECT_TRUE(request(state, wish_for(Kind::refund, 1), payment_start));
  fill(operations_max - operations_kept);
  expect_refusal(request(state, wish_for(Kind::refund, 1), payment_start), Why::too_many, Status::captured);
  EXPECT_TRUE(request(state, wish_for(Kind::refund), payment_start)) << "all that is left";
  fill(operations_max);
  expect_refusal(request(state, wish_for(Kind::refund), payment_start), Why::too_many, Status::captured);
}

TEST(Request, OfMuchThatWasCapturedInPartsCanStillBeVoided) {
  auto state = held_journey().state();
  auto declined = state.operations.front();
  declined.kind = Kind::capture;
  declined.phase = Phase::declined;
  while (state.operations.size() < operations_max - operations_kept) {
    declined.number = ++state.transaction.operation_count;
    state.operations.push_back(declined);
  }
  expect_refusal(request(state, wish_for(Kind::capture, 1), payment_start), Why::too_many,
                 Status::authorized);
  EXPECT_TRUE(request(state, wish_for(Kind::void_), payment_start));
}

TEST(RequestDeathTest, WhatNoMerchantCanAskForIsABug) {
  const auto paid = paid_journey();
  const auto held = held_journey();
  EXPECT_DEATH(static_cast<void>(ask_in(paid, wish_for(Kind::authorize))), "invariant broken");
  EXPECT_DEATH(static_cast<void>(ask_in(paid, wish_for(Kind::refund, 0))), "invariant broken");
  EXPECT_DEATH(static_cast<void>(ask_in(paid, wish_for(Kind::refund, -1))), "invariant broken");
  EXPECT_DEATH(static_cast<void>(ask_in(held, wish_for(Kind::void_, 5))), "invariant broken");
}

}  // namespace
}  // namespace switchyard::payment
