#include "psp/simulator/book.hpp"

#include <gtest/gtest.h>

namespace switchyard::psp::simulator {
namespace {

using payment::CaptureMethod;
using payment::Kind;

Money usd(std::int64_t minor) {
  return {minor, *Currency::parse("USD")};
}

Charge held(std::int64_t amount) {
  return {.reference = "reference",
          .idempotency_key = "key",
          .amount = usd(amount),
          .capture_method = CaptureMethod::manual};
}

Charge taken(std::int64_t amount) {
  auto charge = held(amount);
  charge.capture_method = CaptureMethod::automatic;
  book(charge);
  return charge;
}

Operation entry(Kind kind, std::int64_t amount, bool is_final = false, Status status = Status::succeeded) {
  return {.kind = kind,
          .reference = "reference",
          .charge_key = "key",
          .idempotency_key = "key-of-it",
          .amount = usd(amount),
          .is_final = is_final,
          .outcome = {.status = status}};
}

Operation pending_entry(Kind kind, std::int64_t amount, bool is_final = false) {
  return entry(kind, amount, is_final, Status::pending);
}

TEST(Book, AChargeThatCapturesAutomaticallyIsTakenAndTheOtherIsHeld) {
  EXPECT_EQ(taken(100).captured_minor, 100);
  EXPECT_EQ(taken(100).held_minor(), 0);
  EXPECT_EQ(held(100).captured_minor, 0);
  EXPECT_EQ(held(100).held_minor(), 100);
  auto declined = held(100);
  declined.outcome.status = Status::declined;
  EXPECT_EQ(declined.held_minor(), 0);
}

TEST(Book, CapturesTakeOfTheHoldAndTheLastOneReleasesTheRest) {
  auto charge = held(100);
  book(charge, {}, entry(Kind::capture, 30));
  EXPECT_EQ(charge.captured_minor, 30);
  EXPECT_EQ(charge.held_minor(), 70);
  book(charge, {}, entry(Kind::capture, 20, true));
  EXPECT_EQ(charge.captured_minor, 50);
  EXPECT_EQ(charge.released_minor, 50);
  EXPECT_EQ(charge.held_minor(), 0);
  EXPECT_EQ(charge.voided_minor, 0);
}

TEST(Book, ALastCaptureLeavesWhatAnotherOneIsStillToTake) {
  auto charge = held(100);
  const auto first = pending_entry(Kind::capture, 30);
  auto last = entry(Kind::capture, 40, true);
  last.idempotency_key = "key-of-the-last";
  book(charge, {first}, last);
  EXPECT_EQ(charge.released_minor, 30);
  EXPECT_EQ(charge.held_minor(), 30);
  book(charge, {first, last}, first);
  EXPECT_EQ(charge.captured_minor, 70);
  EXPECT_EQ(charge.held_minor(), 0);
}

TEST(Book, AfterALastCaptureWhatIsDeclinedIsNotHeldAnyMore) {
  auto charge = held(100);
  auto first = pending_entry(Kind::capture, 30);
  auto last = entry(Kind::capture, 40, true);
  last.idempotency_key = "key-of-the-last";
  book(charge, {first}, last);
  first.outcome.status = Status::declined;
  let_go(charge, {first, last}, first);
  EXPECT_EQ(charge.held_minor(), 0);
  EXPECT_EQ(charge.released_minor, 60);
  charge = held(100);
  let_go(charge, {first}, first);
  EXPECT_EQ(charge.held_minor(), 100) << "no final capture: it can be captured again";
}

TEST(Book, AVoidGivesBackTheHoldAndARefundWhatWasTaken) {
  auto charge = held(100);
  book(charge, {}, entry(Kind::void_, 100));
  EXPECT_EQ(charge.voided_minor, 100);
  EXPECT_EQ(charge.held_minor(), 0);
  charge = taken(100);
  book(charge, {}, entry(Kind::refund, 40));
  EXPECT_EQ(charge.refunded_minor, 40);
}

TEST(WhyRefused, NeverMoreThanIsLeft) {
  EXPECT_EQ(why_refused(held(100), {}, entry(Kind::capture, 100)), "");
  EXPECT_EQ(why_refused(held(100), {}, entry(Kind::capture, 101)), over_what_is_left);
  EXPECT_EQ(why_refused(taken(100), {}, entry(Kind::refund, 100)), "");
  EXPECT_EQ(why_refused(taken(100), {}, entry(Kind::refund, 101)), over_what_is_left);
  EXPECT_EQ(why_refused(held(100), {}, entry(Kind::void_, 0)), "");
}

TEST(WhyRefused, OnlyWhatTheChargeAllows) {
  for (const auto kind : {Kind::capture, Kind::void_}) {
    EXPECT_EQ(why_refused(taken(100), {}, entry(kind, 1)), wrong_state);
  }
  EXPECT_EQ(why_refused(held(100), {}, entry(Kind::refund, 1)), wrong_state);
  for (const auto status : {Status::declined, Status::pending}) {
    auto charge = held(100);
    charge.outcome.status = status;
    for (const auto kind : {Kind::capture, Kind::void_, Kind::refund}) {
      EXPECT_EQ(why_refused(charge, {}, entry(kind, 1)), wrong_state);
    }
  }
}

TEST(WhyRefused, WhatIsPendingCountsAsDone) {
  EXPECT_EQ(why_refused(held(100), {pending_entry(Kind::capture, 60)}, entry(Kind::capture, 40)), "");
  EXPECT_EQ(why_refused(held(100), {pending_entry(Kind::capture, 60)}, entry(Kind::capture, 41)),
            over_what_is_left);
  EXPECT_EQ(why_refused(held(100), {pending_entry(Kind::capture, 1, true)}, entry(Kind::capture, 1)),
            over_what_is_left);
  EXPECT_EQ(why_refused(held(100), {pending_entry(Kind::void_, 100)}, entry(Kind::capture, 1)),
            over_what_is_left);
  for (const auto& other : {pending_entry(Kind::capture, 1), pending_entry(Kind::void_, 100)}) {
    EXPECT_EQ(why_refused(held(100), {other}, entry(Kind::void_, 0)), wrong_state);
  }
  EXPECT_EQ(why_refused(taken(100), {pending_entry(Kind::refund, 60)}, entry(Kind::refund, 40)), "");
  EXPECT_EQ(why_refused(taken(100), {pending_entry(Kind::refund, 60)}, entry(Kind::refund, 41)),
            over_what_is_left);
  EXPECT_EQ(
      why_refused(taken(100), {entry(Kind::refund, 60, false, Status::declined)}, entry(Kind::refund, 100)),
      "");
}

TEST(TakeBack, LowersTheTotals) {
  auto charge = taken(100);
  book(charge, {}, entry(Kind::refund, 40));
  EXPECT_TRUE(take_back(charge, {}, entry(Kind::refund, 40)));
  EXPECT_EQ(charge.refunded_minor, 0);

  charge = held(100);
  book(charge, {}, entry(Kind::capture, 60));
  EXPECT_TRUE(take_back(charge, {}, entry(Kind::capture, 60)));
  EXPECT_EQ(charge.captured_minor, 0);
  EXPECT_EQ(charge.held_minor(), 40) << "the hold of what was captured is used up";

  charge = held(100);
  book(charge, {}, entry(Kind::void_, 100));
  EXPECT_TRUE(take_back(charge, {}, entry(Kind::void_, 100)));
  EXPECT_EQ(charge.held_minor(), 100);

  charge = taken(100);
  EXPECT_TRUE(take_back(charge, {entry(Kind::refund, 100, false, Status::declined)}));
  EXPECT_EQ(charge.captured_minor, 0);
}

TEST(TakeBack, LeavesWhatSomethingElseRestsOn) {
  auto charge = held(100);
  const auto capture = entry(Kind::capture, 100);
  book(charge, {}, capture);
  EXPECT_FALSE(take_back(charge, {pending_entry(Kind::refund, 1)}, capture));
  book(charge, {}, entry(Kind::refund, 1));
  EXPECT_FALSE(take_back(charge, {}, capture));
  EXPECT_EQ(charge.captured_minor, 100);

  charge = taken(100);
  EXPECT_FALSE(take_back(charge, {entry(Kind::refund, 1)}));
  EXPECT_FALSE(take_back(charge, {pending_entry(Kind::refund, 1)}));
  EXPECT_EQ(charge.captured_minor, 100);
}

TEST(Outcome, IsWhatTheBehaviourSays) {
  const Timestamp now(std::chrono::milliseconds(1'000));
  EXPECT_EQ(outcome_of({}, now).status, Status::succeeded);
  EXPECT_FALSE(outcome_of({}, now).later);
  const auto declined = outcome_of(behaviour_of(200'011), now);
  EXPECT_EQ(declined.status, Status::declined);
  EXPECT_EQ(declined.code, "51");
  EXPECT_FALSE(declined.later);

  const auto pending = outcome_of(behaviour_of(700'001), now);
  EXPECT_EQ(pending.status, Status::pending);
  EXPECT_EQ(pending.later->at, now + usual_delay);
  EXPECT_EQ(pending.later->status, Status::succeeded);
  auto soon = behaviour_of(700'002);
  soon.delay = std::chrono::milliseconds(1);
  EXPECT_EQ(outcome_of(soon, now).status, Status::pending);
  EXPECT_EQ(outcome_of(soon, now).later->status, Status::declined);
  EXPECT_EQ(outcome_of(soon, now).later->code, "59");
  EXPECT_EQ(outcome_of(soon, now).later->at, now + soon.delay);
  EXPECT_EQ(outcome_of(behaviour_of(700'003), now).status, Status::succeeded);
  EXPECT_EQ(outcome_of(behaviour_of(700'003), now).later->code, taken_back);
}

TEST(Behaviours, EveryNameIsFound) {
  for (const auto& named : named_behaviours) EXPECT_TRUE(find_behaviour(named.name)) << named.name;
  EXPECT_FALSE(find_behaviour("explode"));
  EXPECT_EQ(find_behaviour("time_out_before_charge")->charging, Charging::none);
  EXPECT_EQ(find_behaviour("reset_after_charge")->answer, Answer::reset);
}

TEST(Codes, HaveWords) {
  for (const auto code : {insufficient_funds, issuer_unavailable, suspected_fraud, taken_back,
                          over_what_is_left, wrong_state}) {
    EXPECT_NE(words_of(code), "") << code;
  }
  EXPECT_EQ(words_of("05"), "");
}

TEST(ChargeId, GivesItsKey) {
  EXPECT_EQ(key_of_charge(held(1).id()), "key");
  EXPECT_EQ(key_of_charge("ch_1"), "");
  EXPECT_EQ(key_of_charge(""), "");
}

}  // namespace
}  // namespace switchyard::psp::simulator
