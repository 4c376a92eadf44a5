#include "payment/notice.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "payment/psp_keys.hpp"
#include "payment/testing.hpp"
#include "payment/totals.hpp"

namespace switchyard::payment {
namespace {

using std::chrono::hours;
using ::testing::AllOf;
using testing::dollars;
using ::testing::HasSubstr;
using testing::payment_start;
using testing::PaymentJourney;
using How = Noticed::How;

const RetryPolicy patience;
const OneAccount account("psp", testing::encode_for_test);

Noticed hear(const State& state, const Notice& notice, std::string_view psp = "psp") {
  auto noticed = notified(state, psp, notice, account, payment_start + hours(1), patience);
  EXPECT_EQ(why_broken(noticed.state), std::nullopt);
  if (noticed.how != How::changed) {
    EXPECT_EQ(noticed.state.operations, state.operations);
    EXPECT_EQ(noticed.state.transaction.version, state.transaction.version);
  } else {
    EXPECT_EQ(noticed.state.transaction.version, state.transaction.version + 1);
  }
  return noticed;
}

Notice notice_of(const State& state, std::int32_t number, Notice::What what) {
  const auto& operation = state.operations.at(static_cast<std::size_t>(number - 1));
  return {.event = "evt_1",
          .type = "it.happened",
          .idempotency_key = operation.idempotency_key,
          .kind = operation.kind,
          .what = std::move(what)};
}

const Declined refused{.reason = {.code = "05", .message = {}, .kind = ReasonKind::hard_decline},
                       .psp_reference = {},
                       .amount = {}};
const TakenBack bounced{.reason = "it bounced", .amount = {}};
const Attention look{"look at it"};

PaymentJourney paid(CaptureMethod method = CaptureMethod::automatic) {
  PaymentJourney journey(method);
  journey.succeed();
  return journey;
}

PaymentJourney refunding() {
  auto journey = paid();
  journey.ask(Kind::refund, 400);
  journey.claim();
  journey.answer(Pending{"refund-ref", {}});
  return journey;
}

TEST(Notice, WhatThePspSaysOfWhatWaitsIsTheAnswer) {
  const auto journey = refunding();
  const auto done =
      hear(journey.state(), notice_of(journey.state(), 2, Succeeded{"refund-ref", dollars(400)}));
  EXPECT_EQ(done.how, How::changed);
  EXPECT_EQ(done.index, 1U);
  EXPECT_EQ(done.state.transaction.status, Status::partially_refunded);
  EXPECT_EQ(done.state.transaction.refunded_minor, 400);
  const auto no = hear(journey.state(), notice_of(journey.state(), 2, refused));
  EXPECT_EQ(no.state.operations[1].phase, Phase::declined);
  EXPECT_EQ(no.state.transaction.status, Status::captured);
}

TEST(Notice, ItIsHeldAgainstWhatWasAsked) {
  const auto journey = refunding();
  const auto other =
      hear(journey.state(), notice_of(journey.state(), 2, Succeeded{"refund-ref", dollars(399)}));
  EXPECT_EQ(other.state.operations[1].phase, Phase::manual_review);
  EXPECT_EQ(other.state.transaction.refunded_minor, 0);
}

TEST(Notice, ItMayComeBeforeOurAnswerIsStored) {
  PaymentJourney journey;
  journey.claim();
  const auto early = hear(journey.state(), notice_of(journey.state(), 1, Succeeded{"ref", dollars(1000)}));
  EXPECT_EQ(early.state.transaction.status, Status::captured);
  // The worker's own answer is then known already.
  EXPECT_EQ(caught_up(early.state, claim_of(journey.step())), std::nullopt);
}

TEST(Notice, WhatIsSaidTwiceIsNothingNew) {
  const auto journey = refunding();
  for (const Notice::What& what :
       {Notice::What(Succeeded{"refund-ref", dollars(400)}), Notice::What(refused)}) {
    const auto notice = notice_of(journey.state(), 2, what);
    const auto once = hear(journey.state(), notice);
    EXPECT_EQ(hear(once.state, notice).how, How::nothing_new);
  }
  for (const Notice::What& what : {Notice::What(bounced), Notice::What(look)}) {
    const auto state = paid().state();
    const auto notice = notice_of(state, 1, what);
    const auto once = hear(state, notice);
    EXPECT_EQ(once.how, How::changed);
    EXPECT_EQ(hear(once.state, notice).how, How::nothing_new);
  }
}

TEST(Notice, AnotherAccountsIsNotBelieved) {
  const auto journey = refunding();
  for (const Notice::What& what : {Notice::What(Succeeded{"refund-ref", dollars(400)}), Notice::What(refused),
                                   Notice::What(bounced), Notice::What(look)}) {
    EXPECT_EQ(hear(journey.state(), notice_of(journey.state(), 2, what), "other").how, How::too_early);
  }
}

TEST(Notice, WhatWasNotSentAsFarAsIsKnownIsTooEarly) {
  auto journey = paid();
  journey.ask(Kind::refund, 400);
  for (const Notice::What& what : {Notice::What(Succeeded{"ref", dollars(400)}), Notice::What(refused),
                                   Notice::What(bounced), Notice::What(look)}) {
    EXPECT_EQ(hear(journey.state(), notice_of(journey.state(), 2, what)).how, How::too_early);
  }
}

TEST(Notice, ThatItIsTimeToAskMakesWhatWaitsDue) {
  const auto journey = refunding();
  const auto asked = hear(journey.state(), notice_of(journey.state(), 2, AskAgain{}));
  EXPECT_EQ(asked.how, How::changed);
  EXPECT_EQ(asked.state.operations[1].due_at, payment_start + hours(1));
  EXPECT_EQ(hear(paid().state(), notice_of(paid().state(), 1, AskAgain{})).how, How::nothing_new);
}

TEST(Notice, TheOneThatIsMeantIsAskedFor) {
  auto journey = refunding();
  journey.ask(Kind::refund, 300);
  journey.claim();
  journey.answer(Pending{"another-refund", {}});
  const auto later = journey.state().operations[1].due_at;
  const auto asked = hear(journey.state(), notice_of(journey.state(), 3, AskAgain{}));
  EXPECT_EQ(asked.index, 2U);
  EXPECT_EQ(asked.state.operations[2].due_at, payment_start + hours(1));
  EXPECT_EQ(asked.state.operations[1].due_at, later);
  const Notice of_the_payment{.event = "evt_1",
                              .type = "charge.refunded",
                              .payment = "psp-ref",
                              .kind = Kind::refund,
                              .what = AskAgain{}};
  const auto all = hear(journey.state(), of_the_payment);
  EXPECT_EQ(all.how, How::changed);
  for (const auto i : {1, 2}) {
    EXPECT_EQ(all.state.operations[static_cast<std::size_t>(i)].due_at, payment_start + hours(1));
  }
}

TEST(Notice, OfWhatNobodyKnowsAnythingOfItIsTimeToAskByThePspsName) {
  for (const Notice::What& what :
       {Notice::What(AskAgain{}), Notice::What(Happened{}), Notice::What(TryFailed{"card_declined"})}) {
    PaymentJourney journey;
    journey.claim();
    auto notice = notice_of(journey.state(), 1, what);
    notice.psp_reference = "pi_1";
    EXPECT_EQ(hear(journey.state(), notice).how, How::too_early) << "its answer is on its way";
    journey.answer(OutcomeUnknown{"reset"});
    const auto asked = hear(journey.state(), notice);
    EXPECT_EQ(asked.how, How::changed);
    EXPECT_EQ(asked.state.operations[0].phase, Phase::unknown);
    EXPECT_EQ(asked.state.operations[0].psp_reference, "pi_1");
    EXPECT_EQ(asked.state.operations[0].due_at, payment_start + hours(1));
  }
}

TEST(Notice, MoneyThatMovedForWhatCameToNothingIsForAPerson) {
  PaymentJourney declined;
  declined.claim();
  declined.answer(refused);
  const auto told = hear(declined.state(), notice_of(declined.state(), 1, Happened{}));
  EXPECT_EQ(told.state.transaction.status, Status::manual_review);
  EXPECT_THAT(told.state.operations[0].reason.message, HasSubstr("speaks of money that moved"));
  EXPECT_EQ(hear(told.state, notice_of(declined.state(), 1, Happened{})).how, How::nothing_new);
  for (const auto& amount : {std::optional<Money>(), std::optional(dollars(1000))}) {
    const auto disputed =
        hear(declined.state(), notice_of(declined.state(), 1, ChargedBack{"a dispute", amount}));
    EXPECT_EQ(disputed.state.transaction.status, Status::manual_review);
  }
  EXPECT_EQ(hear(paid().state(), notice_of(paid().state(), 1, Happened{})).how, How::nothing_new);
  const auto waits = refunding();
  const auto asked = hear(waits.state(), notice_of(waits.state(), 2, Happened{}));
  EXPECT_EQ(asked.state.operations[1].due_at, payment_start + hours(1));
}

TEST(Notice, ASecondPaymentUnderAnotherKeyIsForAPerson) {
  Notice second{.event = "evt_1",
                .type = "payment_intent.succeeded",
                .idempotency_key = "7-0123-9",
                .psp_reference = "pi_2",
                .payment = "pi_2",
                .kind = Kind::authorize,
                .what = Happened{}};
  const auto told = hear(paid().state(), second);
  EXPECT_EQ(told.state.transaction.status, Status::manual_review);
  EXPECT_EQ(told.state.transaction.captured_minor, 1000);
  EXPECT_THAT(told.state.operations[0].reason.message, HasSubstr("pi_2, of 7-0123-9"));
  EXPECT_EQ(hear(told.state, second).how, How::nothing_new);
  PaymentJourney waiting;
  waiting.claim();
  EXPECT_EQ(hear(waiting.state(), second).how, How::too_early);
  EXPECT_EQ(notified(paid().state(), "other", second, account, payment_start, patience).how, How::too_early)
      << "nothing was asked of that account";
}

// Of the same amount, and after it.
TEST(Notice, AChargebackIsNotOfACaptureThatCameToNothing) {
  auto journey = paid(CaptureMethod::manual);
  journey.ask(Kind::capture, 400, false);
  journey.succeed();
  journey.ask(Kind::capture, 400, false);
  journey.claim();
  journey.answer(refused);
  const auto back =
      hear(journey.state(), notice_of(journey.state(), 1, ChargedBack{"a dispute", dollars(400)}));
  EXPECT_EQ(back.state.transaction.captured_minor, 0);
  EXPECT_TRUE(back.state.operations[1].taken_back);
}

TEST(Notice, AHoldThatRunsOutWhileItsVoidIsInDoubtIsHeardOnceThatIsKnown) {
  auto journey = paid(CaptureMethod::manual);
  journey.ask(Kind::void_);
  journey.succeed();
  journey.tell_a_person(2, "it was refused");
  const auto expired = notice_of(journey.state(), 1, HoldExpired{"it has run out"});
  EXPECT_EQ(hear(journey.state(), expired).how, How::too_early);
  ASSERT_TRUE(journey.resolve(2, false));
  ASSERT_EQ(journey.status(), Status::authorized);
  EXPECT_EQ(hear(journey.state(), expired).state.transaction.status, Status::voided);
}

// It may be older than what is known: money that was taken, or is held, stays where it is.
TEST(Notice, ATryThatFailedTakesNothingBack) {
  for (const auto method : {CaptureMethod::automatic, CaptureMethod::manual}) {
    const auto state = paid(method).state();
    const auto told = hear(state, notice_of(state, 1, TryFailed{"card_declined"}));
    EXPECT_EQ(told.state.transaction.status, Status::manual_review);
    EXPECT_EQ(told.state.transaction.captured_minor, state.transaction.captured_minor);
    EXPECT_EQ(told.state.transaction.held_minor, state.transaction.held_minor);
    EXPECT_EQ(hear(told.state, notice_of(state, 1, TryFailed{"card_declined"})).how, How::nothing_new);
  }
  PaymentJourney looked_at;
  looked_at.claim();
  looked_at.answer(Contradicted{"it speaks of another", "psp-ref"});
  const auto told = hear(looked_at.state(), notice_of(looked_at.state(), 1, TryFailed{"card_declined"}));
  EXPECT_THAT(told.state.operations[0].reason.message, HasSubstr("card_declined"));
  PaymentJourney waiting;
  waiting.claim();
  waiting.answer(ActionRequired{"psp-ref", {}, "https://bank.example"});
  const auto asked = hear(waiting.state(), notice_of(waiting.state(), 1, TryFailed{"card_declined"}));
  EXPECT_EQ(asked.state.operations[0].due_at, payment_start + hours(1));
}

TEST(Notice, OfAnotherRefundOrPaymentNothingIsTakenBack) {
  auto journey = paid();
  journey.ask(Kind::refund, 400);
  journey.claim();
  journey.answer(Succeeded{"re_1", dollars(400)});
  auto notice = notice_of(journey.state(), 2, bounced);
  EXPECT_EQ(hear(journey.state(), notice).state.transaction.refunded_minor, 0);
  auto of_another = notice;
  of_another.psp_reference = "re_2";
  auto of_another_payment = notice;
  of_another_payment.payment = "pi_2";
  for (const auto& other : {of_another, of_another_payment}) {
    const auto told = hear(journey.state(), other);
    EXPECT_EQ(told.state.transaction.status, Status::manual_review);
    EXPECT_EQ(told.state.transaction.refunded_minor, 400);
    EXPECT_FALSE(told.state.operations[1].taken_back);
  }
}

// One of somebody else's is not lost behind one of ours.
TEST(Notice, ARefundMadeByHandIsToldAlsoWhileOneOfOursWaits) {
  const Notice by_hand{.event = "evt_1",
                       .type = "refund.created",
                       .psp_reference = "re_by_hand",
                       .payment = "psp-ref",
                       .kind = Kind::refund,
                       .what = AskAgain{}};
  const auto named = refunding();
  ASSERT_NE(named.state().operations[1].psp_reference, "");
  EXPECT_EQ(hear(named.state(), by_hand).state.transaction.status, Status::manual_review);
  auto journey = paid();
  journey.ask(Kind::refund, 400);
  journey.claim();
  journey.answer(OutcomeUnknown{"reset"});
  EXPECT_EQ(hear(journey.state(), by_hand).how, How::too_early) << "it may be ours";
}

TEST(Notice, WhatSomebodyDidAtThePspIsForAPerson) {
  auto state = paid().state();
  const Notice refund{.event = "evt_1",
                      .type = "refund.created",
                      .psp_reference = "re_1",
                      .payment = "psp-ref",
                      .kind = Kind::refund,
                      .what = AskAgain{}};
  const auto seen = hear(state, refund);
  EXPECT_EQ(seen.state.transaction.status, Status::manual_review);
  EXPECT_EQ(seen.state.transaction.captured_minor, 1000);
  EXPECT_THAT(seen.state.operations[0].reason.message, HasSubstr("was not asked for here"));
  // Under the payment's own key, as Adyen names what is done in its Customer Area.
  auto by_key = notice_of(state, 1, Succeeded{"re_1", dollars(300)});
  by_key.kind = Kind::refund;
  EXPECT_EQ(hear(state, by_key).state.transaction.status, Status::manual_review);
  by_key.what = bounced;
  EXPECT_EQ(hear(state, by_key).state.transaction.captured_minor, 1000)
      << "it is not the payment that bounced";
  by_key.what = refused;
  EXPECT_EQ(hear(state, by_key).how, How::nothing_new);
}

TEST(Notice, WhatIsTakenBackLowersTheTotals) {
  auto journey = paid();
  journey.ask(Kind::refund, 400);
  journey.succeed();
  const auto taken =
      hear(journey.state(), notice_of(journey.state(), 2, TakenBack{"it bounced", dollars(400)}));
  EXPECT_EQ(taken.state.transaction.refunded_minor, 0);
  EXPECT_EQ(taken.state.transaction.status, Status::manual_review);
  EXPECT_THAT(taken.state.operations[1].reason.message, HasSubstr("psp it.happened: it bounced"));
}

TEST(Notice, APartThatIsTakenBackIsForAPerson) {
  auto journey = paid();
  journey.ask(Kind::refund, 400);
  journey.succeed();
  const auto taken =
      hear(journey.state(), notice_of(journey.state(), 2, TakenBack{"it bounced", dollars(300)}));
  EXPECT_EQ(taken.state.transaction.refunded_minor, 400);
  EXPECT_EQ(taken.state.transaction.status, Status::manual_review);
}

// The PSP said no, a smaller refund was asked for, and then the PSP says that the first one succeeded.
TEST(Notice, APersonLeavesRoomForWhatIsUnderWay) {
  auto journey = paid();
  journey.ask(Kind::refund);
  journey.claim();
  journey.answer(refused);
  journey.ask(Kind::refund, 400);
  journey.claim();
  const auto told =
      hear(journey.state(), notice_of(journey.state(), 2, Succeeded{"re_1", dollars(1000)})).state;
  EXPECT_EQ(told.operations[1].phase, Phase::manual_review);
  const Resolution has_succeeded{.succeeded = true, .psp_reference = "", .note = "seen"};
  EXPECT_FALSE(resolve(told, 2, has_succeeded, journey.now())) << "more than was taken would be given back";
  auto over = told;
  over.operations[2].phase = Phase::declined;
  over.operations[2].due_at.reset();
  EXPECT_TRUE(resolve(over, 2, has_succeeded, journey.now()));
}

TEST(Notice, WhatIsYetOpenIsTakenBackLater) {
  const auto journey = refunding();
  for (const Notice::What& what : {Notice::What(bounced), Notice::What(look)}) {
    EXPECT_EQ(hear(journey.state(), notice_of(journey.state(), 2, what)).how, How::too_early);
  }
}

TEST(Notice, WhatAPersonLooksAtAlreadyIsTakenBackOnce) {
  const auto state = paid().state();
  const auto warned = hear(state, notice_of(state, 1, look)).state;
  EXPECT_EQ(warned.transaction.captured_minor, 1000);
  const auto lost = hear(warned, notice_of(state, 1, bounced)).state;
  EXPECT_EQ(lost.transaction.captured_minor, 0);
  const auto again = hear(lost, notice_of(state, 1, look)).state;
  EXPECT_EQ(again.transaction.captured_minor, 0);
  EXPECT_THAT(again.operations[0].reason.message, HasSubstr("look at it; psp it.happened: it bounced"));
}

// A refund of it is under way, which may succeed.
TEST(Notice, WhatCannotBeTakenBackYetIsToldOnce) {
  auto journey = paid();
  journey.ask(Kind::refund, 400);
  const auto notice = notice_of(journey.state(), 1, bounced);
  const auto told = hear(journey.state(), notice);
  EXPECT_EQ(told.how, How::changed);
  EXPECT_EQ(told.state.transaction.captured_minor, 1000);
  EXPECT_EQ(hear(told.state, notice).how, How::nothing_new);
}

TEST(Notice, APersonsWordIsNotTakenBackByAnEvent) {
  auto journey = paid();
  journey.take_back(1);
  ASSERT_TRUE(journey.resolve(1, true));
  const auto again = hear(journey.state(), notice_of(journey.state(), 1, bounced));
  EXPECT_EQ(again.state.transaction.captured_minor, 1000);
  EXPECT_EQ(again.state.transaction.status, Status::manual_review);
}

TEST(Notice, AChargebackTakesWhatWasTaken) {
  Notice lost{.event = "evt_1",
              .type = "chargeback",
              .payment = "psp-ref",
              .what = ChargedBack{"stolen card", dollars(1000)}};
  const auto whole = hear(paid().state(), lost).state;
  EXPECT_EQ(whole.transaction.captured_minor, 0);
  EXPECT_EQ(whole.transaction.status, Status::manual_review);

  PaymentJourney parts = paid(CaptureMethod::manual);
  parts.ask(Kind::capture, 300, false);
  parts.succeed();
  lost.what = ChargedBack{"stolen card", dollars(300)};
  EXPECT_EQ(hear(parts.state(), lost).state.transaction.captured_minor, 0);

  lost.what = ChargedBack{"stolen card", dollars(299)};
  const auto some = hear(parts.state(), lost).state;
  EXPECT_EQ(some.transaction.captured_minor, 300) << "of which capture is not known";
  EXPECT_EQ(some.transaction.status, Status::manual_review);

  PaymentJourney refunded = paid();
  refunded.ask(Kind::refund, 400);
  refunded.succeed();
  lost.what = ChargedBack{"stolen card", dollars(1000)};
  const auto both = hear(refunded.state(), lost).state;
  EXPECT_EQ(both.transaction.captured_minor, 1000) << "a person finds out what is left";
  EXPECT_EQ(both.transaction.status, Status::manual_review);
}

TEST(Notice, ThatItSucceededAfterAllIsForAPerson) {
  PaymentJourney journey;
  journey.claim();
  journey.answer(refused);
  const auto late = hear(journey.state(), notice_of(journey.state(), 1, Succeeded{"ref", dollars(1000)}));
  EXPECT_EQ(late.state.transaction.status, Status::manual_review);
  EXPECT_EQ(late.state.transaction.captured_minor, 0);
  // And what they find out is booked.
  const auto found = resolve(late.state, 1, {true, "ref", "seen at the PSP"}, payment_start);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->transaction.status, Status::captured);
  EXPECT_EQ(hear(journey.state(), notice_of(journey.state(), 1, look)).how, How::nothing_new);
}

TEST(Notice, ThatItWasRefusedAfterAllIsForAPerson) {
  const auto state = paid().state();
  const auto late = hear(state, notice_of(state, 1, refused));
  EXPECT_EQ(late.state.transaction.status, Status::manual_review);
  EXPECT_EQ(late.state.transaction.captured_minor, 1000);
}

TEST(Notice, APersonIsToldWhatThePspSaysMeanwhile) {
  PaymentJourney journey;
  journey.claim();
  journey.answer(Contradicted{"another amount", {}});
  const auto told = hear(journey.state(), notice_of(journey.state(), 1, Succeeded{"ref", dollars(1000)}));
  EXPECT_EQ(told.state.transaction.status, Status::manual_review);
  EXPECT_EQ(told.state.transaction.captured_minor, 0);
  EXPECT_THAT(told.state.operations[0].reason.message,
              HasSubstr("another amount; psp it.happened says that it succeeded"));
}

TEST(Notice, AnAutomaticCaptureIsThePaymentsOwn) {
  const auto state = paid().state();
  auto capture = notice_of(state, 1, Succeeded{"capture-ref", dollars(1000)});
  capture.kind = Kind::capture;
  EXPECT_EQ(hear(state, capture).how, How::nothing_new);
  capture.what = bounced;
  EXPECT_EQ(hear(state, capture).state.transaction.captured_minor, 0);
  capture.what = refused;
  EXPECT_EQ(hear(state, capture).state.transaction.captured_minor, 0);
  PaymentJourney waits;
  waits.claim();
  EXPECT_EQ(hear(waits.state(), capture).how, How::too_early);
}

TEST(Notice, ThePaymentThatWaitedForItsCustomerIsEnded) {
  PaymentJourney journey;
  journey.claim();
  auto ended = notice_of(journey.state(), 1, Succeeded{"cancel-ref", dollars(1000)});
  ended.kind = Kind::void_;
  EXPECT_EQ(hear(journey.state(), ended).state.transaction.status, Status::manual_review)
      << "what was said before is not known";
  journey.answer(ActionRequired{"ref", {}, "https://bank.example"});
  const auto over = hear(journey.state(), ended);
  EXPECT_EQ(over.state.transaction.status, Status::declined);
  EXPECT_EQ(over.state.operations[0].reason.code, "authentication_required");
  EXPECT_EQ(over.state.operations[0].reason.kind, ReasonKind::customer_action);
  ended.what = refused;
  EXPECT_EQ(hear(journey.state(), ended).state.transaction.status, Status::manual_review);
  ended.what = Succeeded{"cancel-ref", dollars(1000)};
  const auto cancelled = hear(paid().state(), ended);
  EXPECT_EQ(cancelled.state.transaction.status, Status::manual_review);
  EXPECT_EQ(cancelled.state.transaction.captured_minor, 1000);
}

const Notice expired{
    .event = "evt_1", .type = "EXPIRE", .payment = "psp-ref", .what = HoldExpired{"it has run out"}};

TEST(Notice, AHoldThatRunsOutMattersWhileSomethingIsHeld) {
  const auto held = hear(paid(CaptureMethod::manual).state(), expired);
  EXPECT_EQ(held.state.transaction.status, Status::voided);
  EXPECT_EQ(held.state.transaction.authorized_minor, 1000);
  EXPECT_EQ(held.state.transaction.held_minor, 0);
  EXPECT_EQ(held.state.transaction.reason, "psp EXPIRE: it has run out");
  EXPECT_EQ(held.state.operations[0].phase, Phase::succeeded);
  EXPECT_EQ(hear(held.state, expired).how, How::nothing_new);
  EXPECT_EQ(hear(paid().state(), expired).how, How::nothing_new);
  PaymentJourney waits;
  waits.claim();
  waits.answer(Pending{"psp-ref", {}});
  EXPECT_EQ(hear(waits.state(), expired).how, How::too_early);
}

TEST(Notice, AHoldThatRunsOutLeavesWhatWasCaptured) {
  auto journey = paid(CaptureMethod::manual);
  journey.ask(Kind::capture, 400, false);
  EXPECT_EQ(hear(journey.state(), expired).how, How::too_early);
  journey.succeed();
  const auto rest = hear(journey.state(), expired).state;
  EXPECT_EQ(rest.transaction.status, Status::captured);
  EXPECT_EQ(rest.transaction.captured_minor, 400);
  EXPECT_EQ(left_to_capture(rest), 0);
}

TEST(Notice, APersonWhoLooksAtAHoldIsToldThatItHasRunOut) {
  const auto held = paid(CaptureMethod::manual).state();
  const auto told = hear(held, notice_of(held, 1, Attention{"a fraud"}));
  const auto over = hear(told.state, expired).state;
  EXPECT_EQ(over.transaction.status, Status::manual_review);
  EXPECT_EQ(over.transaction.held_minor, 0);
  EXPECT_THAT(over.operations[0].reason.message, AllOf(HasSubstr("a fraud"), HasSubstr("it has run out")));
  const auto resolved = resolve(over, 1, {true, "", "no fraud"}, payment_start);
  EXPECT_EQ(resolved->transaction.status, Status::voided);
}

// Once it is known that there was a hold, it is over.
TEST(Notice, AHoldThatAPersonHasStillToFindRunsOutAfterwards) {
  PaymentJourney journey(CaptureMethod::manual);
  journey.claim();
  journey.answer(Contradicted{"it speaks of another", "psp-ref"});
  EXPECT_EQ(hear(journey.state(), expired).how, How::too_early);
  const auto resolved = resolve(journey.state(), 1, {true, "", "found"}, payment_start);
  ASSERT_EQ(resolved->transaction.status, Status::authorized);
  EXPECT_EQ(hear(*resolved, expired).state.transaction.status, Status::voided);
}

TEST(Notice, TheHoldAtOneAccountIsNotThatOfAnotherWhichDeclined) {
  auto state = paid(CaptureMethod::manual).state();
  auto declined = state.operations[0];
  declined.phase = Phase::declined;
  declined.psp = "first";
  declined.psp_reference = "first-ref";
  declined.idempotency_key = "first-key";
  state.operations.insert(state.operations.begin(), declined);
  state.operations[1].number = state.transaction.operation_count = 2;
  for (const Notice::What& what :
       {Notice::What(HoldExpired{"it has run out"}), Notice::What(CameToNothing{"it was cancelled"})}) {
    const Notice of_the_first{.event = "evt_1", .type = "ended", .payment = "first-ref", .what = what};
    EXPECT_EQ(hear(state, of_the_first, "first").how, How::nothing_new);
    const Notice of_the_second{.event = "evt_1", .type = "ended", .payment = "psp-ref", .what = what};
    EXPECT_EQ(hear(state, of_the_second).state.transaction.status, Status::voided);
  }
}

// --- Another one than ours -------------------------------------------------------------------------

TEST(Notice, ASecondOneUnderOurKeyIsForAPerson) {
  const auto state = paid().state();
  auto second = notice_of(state, 1, Succeeded{"second", dollars(1000)});
  second.psp_reference = "second";
  auto ours = notice_of(state, 1, Succeeded{"psp-ref", dollars(1000)});
  ours.psp_reference = "psp-ref";
  EXPECT_EQ(hear(state, ours).how, How::nothing_new);
  const auto told = hear(state, second);
  EXPECT_EQ(told.state.transaction.status, Status::manual_review);
  EXPECT_EQ(told.state.transaction.captured_minor, 1000);
  EXPECT_THAT(told.state.operations[0].reason.message, HasSubstr("second"));
  EXPECT_EQ(hear(told.state, second).how, How::nothing_new);
  auto asked = second;
  asked.what = AskAgain{};
  EXPECT_EQ(hear(state, asked).state.transaction.status, Status::manual_review);
  asked.psp_reference = "psp-ref";
  EXPECT_EQ(hear(state, asked).how, How::nothing_new);
}

TEST(Notice, AnotherAmountThanWasTakenIsForAPerson) {
  const auto state = paid().state();
  const auto more = hear(state, notice_of(state, 1, Succeeded{"psp-ref", dollars(10'000)}));
  EXPECT_EQ(more.state.transaction.status, Status::manual_review);
  EXPECT_EQ(more.state.transaction.captured_minor, 1000);
}

TEST(Notice, WhatWaitsIsNotAnsweredByAnother) {
  const auto journey = refunding();
  auto second = notice_of(journey.state(), 2, Succeeded{"second", dollars(400)});
  second.psp_reference = "second";
  EXPECT_EQ(hear(journey.state(), second).state.operations[1].phase, Phase::manual_review);
  auto of_another = notice_of(journey.state(), 2, Succeeded{"refund-ref", dollars(400)});
  of_another.psp_reference = "refund-ref";
  of_another.idempotency_key = "nonsense";
  const auto heard = hear(journey.state(), of_another);
  EXPECT_EQ(heard.state.operations[1].phase, Phase::manual_review);
  EXPECT_EQ(heard.state.transaction.refunded_minor, 0);
}

TEST(Notice, WhatSomebodyDidAtThePspUnderANameOfTheirOwnIsForAPerson) {
  for (const auto kind : {Kind::capture, Kind::void_, Kind::refund}) {
    const auto state = paid(CaptureMethod::manual).state();
    const Notice by_hand{.event = "evt_1",
                         .type = "BY_HAND",
                         .idempotency_key = "of the dashboard",
                         .psp_reference = "other",
                         .payment = "psp-ref",
                         .kind = kind,
                         .what = Succeeded{"other", dollars(1000)}};
    EXPECT_EQ(hear(state, by_hand).state.transaction.status, Status::manual_review) << to_string(kind);
    auto elsewhere = by_hand;
    elsewhere.payment = "another";
    EXPECT_EQ(hear(state, elsewhere).how, How::too_early);
  }
}

// --- A payment that came to nothing ---------------------------------------------------------------

Notice came_to_nothing(std::string payment = "psp-ref") {
  return {.event = "evt_1",
          .type = "payment.failed",
          .payment = std::move(payment),
          .kind = Kind::authorize,
          .what = CameToNothing{"it failed"}};
}

TEST(Notice, APaymentThatCameToNothingIsTakenBack) {
  const auto over = hear(paid().state(), came_to_nothing());
  EXPECT_EQ(over.state.transaction.status, Status::manual_review);
  EXPECT_EQ(over.state.transaction.captured_minor, 0);
  EXPECT_TRUE(over.state.operations[0].taken_back);
  EXPECT_THAT(over.state.operations[0].reason.message, HasSubstr("it failed"));
  EXPECT_EQ(hear(over.state, came_to_nothing()).how, How::nothing_new);
}

TEST(Notice, OfAHoldThatCameToNothingItsCaptureIsTakenBackOrTheHoldIsOver) {
  auto journey = paid(CaptureMethod::manual);
  const auto no_hold = hear(journey.state(), came_to_nothing());
  EXPECT_EQ(no_hold.index, 0U);
  EXPECT_EQ(no_hold.state.transaction.status, Status::voided);
  EXPECT_EQ(no_hold.state.transaction.authorized_minor, 1000);
  EXPECT_EQ(no_hold.state.transaction.held_minor, 0);
  EXPECT_THAT(no_hold.state.transaction.reason, HasSubstr("it failed"));
  EXPECT_EQ(hear(no_hold.state, came_to_nothing()).how, How::nothing_new);
  journey.ask(Kind::capture, 400);
  journey.succeed();
  const auto no_capture = hear(journey.state(), came_to_nothing());
  EXPECT_EQ(no_capture.index, 1U);
  EXPECT_TRUE(no_capture.state.operations[1].taken_back);
  EXPECT_EQ(no_capture.state.transaction.captured_minor, 0);
  EXPECT_EQ(no_capture.state.transaction.authorized_minor, 1000);
}

TEST(Notice, OfAPaymentThatCameToNothingWhatWaitsIsAskedFor) {
  PaymentJourney journey;
  journey.claim();
  EXPECT_EQ(hear(journey.state(), came_to_nothing()).how, How::too_early) << "its answer is on its way";
  journey.answer(ActionRequired{"psp-ref", {}, "https://bank.example"});
  const auto asked = hear(journey.state(), came_to_nothing());
  EXPECT_EQ(asked.how, How::changed);
  EXPECT_EQ(asked.state.operations[0].due_at, payment_start + hours(1));
  EXPECT_EQ(asked.state.operations[0].phase, Phase::action_required);
}

TEST(Notice, OfAPaymentThatNobodyKnowsYetOrThatWasDeclinedItChangesNothing) {
  EXPECT_EQ(hear(paid().state(), came_to_nothing("another")).how, How::too_early);
  EXPECT_EQ(notified(paid().state(), "other", came_to_nothing(), account, payment_start, patience).how,
            How::too_early);
  PaymentJourney declined;
  declined.claim();
  declined.answer(refused);
  EXPECT_EQ(hear(declined.state(), notice_of(declined.state(), 1, CameToNothing{"it failed"})).how,
            How::nothing_new);
  auto voided = paid(CaptureMethod::manual);
  voided.ask(Kind::void_);
  voided.claim();
  EXPECT_EQ(hear(voided.state(), came_to_nothing()).how, How::too_early) << "it may be our void's";
  voided.answer(Succeeded{"psp-ref", dollars(1000)});
  EXPECT_EQ(hear(voided.state(), came_to_nothing()).how, How::nothing_new);
}

TEST(Notice, APersonWhoLooksForAPaymentIsToldThatItCameToNothing) {
  PaymentJourney journey;
  journey.claim();
  journey.answer(Contradicted{"it speaks of another", "psp-ref"});
  const auto told = hear(journey.state(), came_to_nothing());
  EXPECT_EQ(told.state.transaction.status, Status::manual_review);
  EXPECT_THAT(told.state.operations[0].reason.message, HasSubstr("it failed"));
  EXPECT_EQ(hear(told.state, came_to_nothing()).how, How::nothing_new);
}

TEST(Notice, ARefundUnderWayDoesNotHideThatThePaymentCameToNothing) {
  const auto over = hear(refunding().state(), came_to_nothing());
  EXPECT_EQ(over.state.operations[0].phase, Phase::manual_review);
  EXPECT_EQ(over.state.transaction.captured_minor, 1000) << "there is no room: a person sees to it";
  EXPECT_EQ(hear(over.state, came_to_nothing()).how, How::nothing_new);
}

TEST(Notice, OneOfNoConsequenceChangesNothing) {
  const auto state = paid().state();
  EXPECT_EQ(hear(state, notice_of(state, 1, Ignored{})).how, How::nothing_new);
}

// --- A customer who does not come -----------------------------------------------------------------

RetryPolicy ending() {
  RetryPolicy policy;
  policy.can_end = true;
  return policy;
}

State asked_of_customer() {
  auto transaction = testing::queued_transaction();
  transaction.return_url = "https://shop.example/back";
  return accepted(std::move(transaction));
}

const ActionRequired bank{"ref", {}, "https://bank.example"};

TEST(CustomerDeadline, WhoHasTimeIsWaitedFor) {
  const auto policy = ending();
  auto step = claim(asked_of_customer(), account, payment_start, policy);
  step = answered(std::move(step), bank, account, payment_start, policy);
  EXPECT_EQ(step.action, Action::none);
  for (auto now = payment_start; now < payment_start + policy.customer_max; now = *step.operation().due_at) {
    if (now == payment_start) continue;
    step = claim(std::move(step.state), account, now, policy);
    ASSERT_EQ(step.action, Action::look_up);
    step = found(std::move(step), bank, account, now, policy);
    EXPECT_EQ(step.action, Action::none);
  }
  EXPECT_EQ(step.operation().due_at, payment_start + policy.customer_max) << "at the very moment";
}

TEST(CustomerDeadline, WhoDoesNotComeHasItEndedAtThePsp) {
  const auto policy = ending();
  const auto late = payment_start + policy.customer_max;
  auto step = claim(asked_of_customer(), account, payment_start, policy);
  step = answered(std::move(step), bank, account, payment_start, policy);
  for (const Found& what : {Found(bank), Found(OutcomeUnknown{"there is nothing to ask"})}) {
    auto asked = claim(step.state, account, late, policy);
    asked = found(std::move(asked), what, account, late, policy);
    ASSERT_EQ(asked.action, Action::end);
    EXPECT_EQ(asked.operation().phase, Phase::action_required);
    // Once for each claim.
    auto unclear = found(asked, OutcomeUnknown{"time-out"}, account, late, policy);
    EXPECT_EQ(unclear.action, Action::none);
    EXPECT_EQ(unclear.operation().phase, Phase::action_required);
    EXPECT_TRUE(unclear.operation().due_at);
    EXPECT_EQ(found(asked, bank, account, late, policy).action, Action::none);
    const auto over = found(asked, Declined{{"abandoned", {}, ReasonKind::customer_action}, "ref", {}},
                            account, late, policy);
    EXPECT_EQ(over.state.transaction.status, Status::declined);
    const auto quick = found(asked, Succeeded{"ref", dollars(1000)}, account, late, policy);
    EXPECT_EQ(quick.state.transaction.status, Status::captured) << "the customer was quicker";
  }
}

TEST(CustomerDeadline, WhoCannotBeSentThereHasNoTime) {
  auto step = claim(accepted(testing::queued_transaction()), account, payment_start, ending());
  step = answered(std::move(step), bank, account, payment_start, ending());
  EXPECT_EQ(step.action, Action::end);
}

// No PSP is known to say so; it would end the payment that the money is given back of.
TEST(CustomerDeadline, OnlyAnAuthorizationIsEnded) {
  auto journey = paid();
  journey.ask(Kind::refund);
  journey.claim();
  const auto step = answered(journey.step(), bank, account, journey.now(), ending());
  EXPECT_EQ(step.action, Action::none);
  EXPECT_EQ(step.operation().phase, Phase::action_required);
  EXPECT_TRUE(step.operation().due_at);
}

TEST(CustomerDeadline, APspThatCannotEndItIsWaitedFor) {
  auto step = claim(asked_of_customer(), account, payment_start, patience);
  step = answered(std::move(step), bank, account, payment_start, patience);
  step = claim(std::move(step.state), account, payment_start + hours(2), patience);
  EXPECT_EQ(found(std::move(step), bank, account, payment_start + hours(2), patience).action, Action::none);
}

// --- What nothing could be learned of ---------------------------------------------------------------

TEST(NothingLearned, ThePspIsToLetGoOfAnAuthorization) {
  RetryPolicy policy = ending();
  policy.can_end_unknown = true;
  policy.look_ups_max = 1;
  auto now = payment_start;
  auto step = claim(asked_of_customer(), account, now, policy);
  step = answered(std::move(step), OutcomeUnknown{"time-out"}, account, now, policy);
  now = *step.operation().due_at;
  step = claim(std::move(step.state), account, now, policy);
  auto asked = found(step, OutcomeUnknown{"time-out"}, account, now, policy);
  ASSERT_EQ(asked.action, Action::end);
  EXPECT_EQ(asked.operation().phase, Phase::unknown);
  EXPECT_TRUE(asked.operation().due_at) << "whoever asks may die";

  const auto unclear = found(asked, OutcomeUnknown{"time-out"}, account, now, policy);
  EXPECT_EQ(unclear.action, Action::none);
  EXPECT_EQ(unclear.state.transaction.status, Status::manual_review) << "that was the last thing to try";

  const auto waits = found(asked, Pending{}, account, now, policy).state;
  EXPECT_EQ(waits.operations[0].phase, Phase::pending);
  auto ended = notice_of(waits, 1, Succeeded{"cancel-ref", dollars(1000)});
  ended.kind = Kind::void_;
  for (const auto& state : {waits, asked.state}) {
    const auto over = hear(state, ended);
    EXPECT_EQ(over.state.transaction.status, Status::declined);
    EXPECT_EQ(over.state.operations[0].reason.code, "cancelled");
  }
  const auto paid_after_all = hear(waits, notice_of(waits, 1, Succeeded{"ref", dollars(1000)}));
  EXPECT_EQ(paid_after_all.state.transaction.status, Status::captured);
  EXPECT_EQ(hear(paid_after_all.state, ended).state.transaction.status, Status::manual_review);

  policy.can_end_unknown = false;
  EXPECT_EQ(found(step, OutcomeUnknown{"time-out"}, account, now, policy).state.transaction.status,
            Status::manual_review);
}

TEST(NothingLearned, ARefundIsForAPerson) {
  RetryPolicy policy = ending();
  policy.can_end_unknown = true;
  policy.look_ups_max = 0;
  auto journey = paid();
  journey.ask(Kind::refund, 400);
  auto step = claim(journey.state(), account, payment_start + hours(1), policy);
  step = answered(std::move(step), OutcomeUnknown{"time-out"}, account, payment_start + hours(1), policy);
  EXPECT_EQ(step.action, Action::none);
  EXPECT_EQ(step.operation().phase, Phase::manual_review);
}

}  // namespace
}  // namespace switchyard::payment
