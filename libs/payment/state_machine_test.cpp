#include "payment/state_machine.hpp"

#include <vector>

#include <gmock/gmock.h>

#include "payment/fingerprint.hpp"
#include "payment/psp_keys.hpp"
#include "payment/testing.hpp"
#include "payment/totals.hpp"

namespace switchyard::payment {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using switchyard::testing::dollars;
using switchyard::testing::encode_for_test;
using switchyard::testing::paid_journey;
using switchyard::testing::payment_id;
using switchyard::testing::payment_start;
using switchyard::testing::PaymentJourney;
using switchyard::testing::queued_transaction;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const Succeeded ten_dollars_taken{"psp-ref", dollars(1000)};
const Declined no_money{{"51", "not sufficient funds", ReasonKind::soft_decline}, "psp-ref", dollars(1000)};
const OneAccount the_psp{"psp", encode_for_test};

// --- Claims ------------------------------------------------------------------------------------

TEST(Claim, OfAQueuedTransactionWritesDownTheIntentAndThenSends) {
  PaymentJourney journey;
  EXPECT_EQ(journey.claim(), Action::send);
  EXPECT_EQ(journey.status(), Status::processing);
  EXPECT_EQ(journey.transaction().operation_count, 1);
  const auto& operation = journey.operation(1);
  EXPECT_EQ(operation.kind, Kind::authorize);
  EXPECT_EQ(operation.amount, dollars(1000));
  EXPECT_EQ(operation.phase, Phase::sent);
  EXPECT_EQ(operation.psp, "psp");
  EXPECT_EQ(operation.request, "authorize 1000 for " + std::string(payment_id));
  EXPECT_EQ(operation.idempotency_key, "1-" + std::string(payment_id) + "-1");
  EXPECT_EQ(operation.requested_at, payment_start);
  EXPECT_EQ(operation.sent_at, journey.now());
  EXPECT_EQ(operation.ended_at, std::nullopt);
  EXPECT_EQ(operation.claims, 1);
  EXPECT_EQ(operation.sends, 1);
}

TEST(Claim, OfWhatCannotBeWrittenRejectsItBeforeAnythingIsSent) {
  const auto refuse = [](const State&, const Operation&) -> std::expected<std::string, Rejected> {
    return std::unexpected(Rejected{"it takes whole captures only"});
  };
  auto journey = paid_journey(CaptureMethod::manual);
  journey.ask(Kind::capture, 400, false);
  journey.ask(Kind::capture, 600);
  const auto step = claim(journey.state(), OneAccount("psp", refuse), journey.now(), {});
  EXPECT_EQ(step.action, Action::none);
  const auto& operation = step.operation();
  EXPECT_EQ(operation.phase, Phase::rejected);
  EXPECT_EQ(operation.sends, 0);
  EXPECT_EQ(operation.sent_at, std::nullopt);
  EXPECT_EQ(operation.request, "");
  EXPECT_EQ(operation.ended_at, journey.now());
  EXPECT_EQ(operation.reason.message, "it takes whole captures only");
  EXPECT_EQ(operation.reason.kind, ReasonKind::configuration);
  EXPECT_EQ(step.state.operations.at(2).due_at, journey.now()) << "the next has its turn";
  EXPECT_EQ(left_to_capture(step.state), 0) << "which is final";

  const auto queued = claim({queued_transaction(), {}}, OneAccount("psp", refuse), payment_start, {});
  EXPECT_EQ(queued.state.transaction.status, Status::failed);
  EXPECT_EQ(queued.state.transaction.reason, "it takes whole captures only");
}

TEST(Claim, LastsForTheLease) {
  RetryPolicy policy;
  policy.lease = milliseconds(4321);
  PaymentJourney journey(CaptureMethod::automatic, policy);
  journey.claim();
  EXPECT_EQ(journey.until_next_action(), milliseconds(4321));
}

TEST(Claim, RaisesTheVersionAndTheOperationsClaimsEachTime) {
  PaymentJourney journey;
  for (std::int32_t claims = 1; claims <= 5; ++claims) {
    journey.claim();
    EXPECT_EQ(journey.transaction().version, claims);
    EXPECT_EQ(journey.operation(1).claims, claims);
  }
}

TEST(Claim, AfterALeaseThatRanOutAsksForTheOutcomeInsteadOfSendingAgain) {
  PaymentJourney journey;
  journey.claim();
  const auto sent = journey.operation(1);
  EXPECT_EQ(journey.claim(), Action::look_up);
  EXPECT_EQ(journey.status(), Status::unknown);
  EXPECT_EQ(journey.operation(1).phase, Phase::unknown);
  EXPECT_EQ(journey.operation(1).idempotency_key, sent.idempotency_key);
  EXPECT_EQ(journey.operation(1).sends, 1);
  EXPECT_EQ(journey.claim(), Action::look_up) << "also when the look-up's worker died";
  EXPECT_EQ(journey.transaction().operation_count, 1);
}

TEST(Claim, OfAPendingOneAsksForTheOutcome) {
  PaymentJourney journey;
  journey.claim();
  journey.answer(Pending{"psp-ref", {}});
  EXPECT_EQ(journey.claim(), Action::look_up);
  EXPECT_EQ(journey.operation(1).phase, Phase::pending);
}

TEST(Claim, TakesWhatHasBeenDueLongest) {
  auto journey = paid_journey();
  journey.ask(Kind::refund, 100);
  journey.claim();
  journey.answer(Pending{"", {}});
  journey.ask(Kind::refund, 200);
  journey.claim();
  EXPECT_EQ(journey.operation().number, 3) << "due at once, and the pending one later";
  journey.answer(Pending{"", {}});
  journey.claim();
  EXPECT_EQ(journey.operation().number, 2);
}

TEST(Claim, WritesTheRequestOnce) {
  int encoded = 0;
  const OneAccount counting{"psp", [&encoded](const State& state, const Operation& operation) {
                              ++encoded;
                              return encode_for_test(state, operation);
                            }};
  auto step = claim({queued_transaction(), {}}, counting, payment_start, {});
  for (int again = 0; again < 3; ++again) {
    step = claim(std::move(step.state), counting, payment_start + hours(1), {});
    step = found(std::move(step), NoSuchOperation{}, counting, payment_start + hours(1), {});
    EXPECT_EQ(step.action, Action::send);
  }
  EXPECT_EQ(encoded, 1);
}

// --- One at a time -----------------------------------------------------------------------------

TEST(Turns, TheNextOperationBecomesDueWithTheAnswerToTheOneBeforeIt) {
  const std::vector<Answer> answers{Succeeded{"", dollars(100)},
                                    Declined{{"51", "", ReasonKind::none}, "", {}}, Rejected{"no"},
                                    Pending{"", {}}, Contradicted{"another's", ""}};
  for (const auto& answer : answers) {
    auto journey = paid_journey();
    journey.ask(Kind::refund, 100);
    journey.claim();
    journey.ask(Kind::refund, 200);
    EXPECT_EQ(journey.operation(3).due_at, std::nullopt) << answer.index();
    journey.answer(answer);
    EXPECT_EQ(journey.operation(3).due_at, journey.now()) << answer.index();
    EXPECT_EQ(journey.transaction().next_action_at, journey.now()) << answer.index();
  }
}

TEST(Turns, TheNextOperationWaitsWhileTheOneBeforeItIsUnknownOrIsTriedAgain) {
  for (const Answer& answer : std::vector<Answer>{OutcomeUnknown{"time-out"}, NotSent{"refused"}}) {
    auto journey = paid_journey();
    journey.ask(Kind::refund, 100);
    journey.claim();
    journey.ask(Kind::refund, 200);
    journey.answer(answer);
    EXPECT_EQ(journey.operation(3).due_at, std::nullopt) << answer.index();
    journey.claim();
    EXPECT_EQ(journey.operation().number, 2) << answer.index();
    EXPECT_EQ(journey.operation(3).due_at, std::nullopt) << answer.index();
  }
}

TEST(Turns, GoInTheOrderOfTheRequests) {
  auto journey = paid_journey();
  for (const int amount : {100, 200, 300}) journey.ask(Kind::refund, amount);
  for (const int number : {2, 3, 4}) {
    journey.succeed();
    EXPECT_EQ(journey.operation().number, number);
  }
  EXPECT_EQ(journey.transaction().refunded_minor, 600);
  EXPECT_EQ(journey.transaction().next_action_at, std::nullopt);
}

// --- Answers -----------------------------------------------------------------------------------

enum class Asked { sent, resent, pending };

// An authorization that was asked for so far.
PaymentJourney journey_to(Asked asked) {
  PaymentJourney journey;
  journey.claim();
  if (asked == Asked::pending) journey.answer(Pending{"psp-ref", {}});
  if (asked != Asked::sent) {
    EXPECT_EQ(journey.claim(), Action::look_up);
  }
  if (asked == Asked::resent) {
    EXPECT_EQ(journey.find(NoSuchOperation{}), Action::send);
  }
  return journey;
}

struct AnswerRow {
  const char* what;
  Answer answer;
  Phase sent;
  Phase resent;
};

const std::vector<AnswerRow> answer_rows{
    {"succeeded", ten_dollars_taken, Phase::succeeded, Phase::succeeded},
    {"declined", no_money, Phase::declined, Phase::declined},
    {"rejected", Rejected{"no such account"}, Phase::rejected, Phase::unknown},
    {"pending", Pending{"psp-ref", dollars(1000)}, Phase::pending, Phase::pending},
    {"customer", ActionRequired{"psp-ref", dollars(1000)}, Phase::action_required, Phase::action_required},
    {"not sent", NotSent{"connection refused"}, Phase::requested, Phase::unknown},
    {"unknown", OutcomeUnknown{"time-out"}, Phase::unknown, Phase::unknown},
    {"contradicted", Contradicted{"another's", "psp-ref"}, Phase::manual_review, Phase::manual_review},
};

TEST(Answer, MovesTheOperationAsTheTableSays) {
  for (const auto& row : answer_rows) {
    for (const auto asked : {Asked::sent, Asked::resent}) {
      SCOPED_TRACE(row.what);
      auto journey = journey_to(asked);
      const auto version = journey.transaction().version;
      EXPECT_EQ(journey.answer(row.answer), Action::none);
      const auto expected = asked == Asked::sent ? row.sent : row.resent;
      EXPECT_EQ(to_string(journey.operation().phase), to_string(expected));
      EXPECT_EQ(journey.transaction().version, version) << "only what is done under lock raises it";
      EXPECT_EQ(journey.operation().ended_at.has_value(), !is_open(expected));
      const bool goes_on = is_open(expected) && expected != Phase::manual_review;
      EXPECT_EQ(journey.operation().due_at.has_value(), goes_on);
      EXPECT_EQ(journey.transaction().captured_minor, expected == Phase::succeeded ? 1000 : 0);
      EXPECT_EQ(why_broken(journey.state()).value_or(""), "");
    }
  }
}

struct FoundRow {
  const char* what;
  Found found;
  // Of one that was unknown, and one that the PSP took before.
  Phase unknown;
  Phase pending;
};

const std::vector<FoundRow> found_rows{
    {"succeeded", ten_dollars_taken, Phase::succeeded, Phase::succeeded},
    {"declined", no_money, Phase::declined, Phase::declined},
    {"pending", Pending{"", {}}, Phase::pending, Phase::pending},
    {"customer", ActionRequired{"", {}}, Phase::action_required, Phase::action_required},
    {"not sent", NotSent{"connection refused"}, Phase::unknown, Phase::pending},
    {"unknown", OutcomeUnknown{"HTTP 502"}, Phase::unknown, Phase::pending},
    {"contradicted", Contradicted{"another's", ""}, Phase::manual_review, Phase::manual_review},
};

TEST(LookUp, MovesTheOperationAsTheTableSays) {
  for (const auto& row : found_rows) {
    SCOPED_TRACE(row.what);
    PaymentJourney unknown;
    unknown.lose_the_answer();
    EXPECT_EQ(unknown.find(row.found), Action::none);
    EXPECT_EQ(to_string(unknown.operation().phase), to_string(row.unknown));
    EXPECT_EQ(why_broken(unknown.state()).value_or(""), "");
    auto pending = journey_to(Asked::pending);
    EXPECT_EQ(pending.find(row.found), Action::none);
    EXPECT_EQ(to_string(pending.operation().phase), to_string(row.pending));
    EXPECT_EQ(why_broken(pending.state()).value_or(""), "");
  }
}

TEST(Answer, ThatItSucceededIsBookedOnceWithWhatThePspCallsIt) {
  for (const auto method : {CaptureMethod::automatic, CaptureMethod::manual}) {
    const auto journey = paid_journey(method);
    const bool automatic = method == CaptureMethod::automatic;
    EXPECT_EQ(journey.status(), automatic ? Status::captured : Status::authorized);
    EXPECT_EQ(journey.transaction().authorized_minor, 1000);
    EXPECT_EQ(journey.transaction().captured_minor, automatic ? 1000 : 0);
    EXPECT_EQ(journey.transaction().held_minor, automatic ? 0 : 1000);
    EXPECT_EQ(journey.transaction().next_action_at, std::nullopt);
    EXPECT_EQ(journey.operation(1).psp_reference, "psp-ref");
    EXPECT_EQ(journey.operation(1).ended_at, journey.now());
  }
}

TEST(Answer, FoundByALookUpEndsWhatWasWrongInBetween) {
  PaymentJourney journey;
  journey.lose_the_answer();
  EXPECT_EQ(journey.transaction().reason, "time-out");
  journey.find(ten_dollars_taken);
  EXPECT_EQ(journey.status(), Status::captured);
  EXPECT_EQ(journey.transaction().reason, "");
  EXPECT_EQ(journey.operation(1).reason, Reason{});
}

TEST(Answer, ThatItWasDeclinedEndsAnAuthorizationWithThePspsReason) {
  PaymentJourney journey;
  journey.claim();
  journey.answer(no_money);
  EXPECT_EQ(journey.status(), Status::declined);
  EXPECT_EQ(journey.transaction().reason, "51");
  EXPECT_EQ(journey.operation(1).reason, no_money.reason);
  EXPECT_EQ(journey.operation(1).psp_reference, "psp-ref");
}

TEST(Answer, ThatALaterOperationDidNotSucceedLeavesTheTransactionWhereItWas) {
  for (const Answer& answer : std::vector<Answer>{no_money, Rejected{"no"}}) {
    auto journey = paid_journey();
    journey.ask(Kind::refund);
    journey.claim();
    journey.answer(answer);
    EXPECT_EQ(journey.status(), Status::captured);
    EXPECT_EQ(journey.transaction().refunded_minor, 0);
    EXPECT_EQ(journey.transaction().reason, "");
  }
}

TEST(Answer, OfRejectionIsOurConfiguration) {
  PaymentJourney journey;
  journey.claim();
  journey.answer(Rejected{"no such account"});
  EXPECT_EQ(journey.status(), Status::failed);
  EXPECT_EQ(journey.operation(1).reason.kind, ReasonKind::configuration);
  EXPECT_EQ(journey.transaction().reason, "no such account");
}

TEST(Answer, OfWhateverTextIsKeptPrintableAndBounded) {
  const std::string text = "a\x1b[31mb 4111111111111111 " + std::string(100'000, 'x');
  const Reason reason{text, text, ReasonKind::hard_decline};
  for (const Answer& answer : std::vector<Answer>{Succeeded{text, dollars(1000)}, Declined{reason, text, {}},
                                                  Rejected{text}, Pending{text, {}}, NotSent{text},
                                                  OutcomeUnknown{text}, Contradicted{text, text}}) {
    for (const std::int32_t most : {0, 12}) {
      RetryPolicy policy;
      policy.sends_max = most;
      policy.look_ups_max = most;
      PaymentJourney journey(CaptureMethod::automatic, policy);
      journey.claim();
      journey.answer(answer);
      int kept = 0;
      for (const auto& said : {journey.transaction().reason, journey.operation(1).reason.code,
                               journey.operation(1).reason.message, journey.operation(1).psp_reference}) {
        if (said.empty()) continue;
        ++kept;
        EXPECT_THAT(said, HasSubstr("a [31mb [card number] xxx"));
        EXPECT_LE(said.size(), 255U);
      }
      EXPECT_GT(kept, 0) << answer.index();
    }
  }
}

// Captures and refunds are asked for under it, so it is kept as it is, also where it looks like a card
// number, or not at all.
TEST(Answer, OfASuccessIsKeptUnderThePspsNameByteForByte) {
  for (const std::string name : {"ch_1", "4111111111111111", "a/b?c=%20'\"<>", "~"}) {
    PaymentJourney journey;
    journey.claim();
    journey.answer(Succeeded{name, dollars(1000)});
    EXPECT_EQ(journey.operation(1).psp_reference, name);
    EXPECT_EQ(journey.status(), Status::captured);
  }
  for (const auto& name : {std::string("two words"), std::string("a\0b", 3), std::string("tab\t"),
                           std::string(256, 'x'), std::string("n\u00e4me")}) {
    for (const Answer& answer : std::vector<Answer>{Succeeded{name, dollars(1000)}, Pending{name, {}}}) {
      PaymentJourney journey;
      journey.claim();
      journey.answer(answer);
      EXPECT_EQ(journey.operation(1).psp_reference, "");
      EXPECT_EQ(journey.status(), Status::manual_review);
      EXPECT_THAT(journey.transaction().reason, StartsWith("the PSP calls it by what is no name: "));
      EXPECT_EQ(journey.transaction().captured_minor, 0);
    }
  }
}

TEST(Accepted, WhatOnlyHoldsHasItsAuthorizationFromTheStart) {
  const auto taken = accepted(queued_transaction(CaptureMethod::automatic));
  EXPECT_EQ(taken.transaction.status, Status::queued);
  EXPECT_TRUE(taken.operations.empty());
  const auto held = accepted(queued_transaction(CaptureMethod::manual));
  EXPECT_EQ(held.transaction.status, Status::processing) << "no worker of another program is given it";
  EXPECT_EQ(held.transaction.next_action_at, held.transaction.created_at);
  ASSERT_EQ(held.operations.size(), 1U);
  EXPECT_EQ(held.operations[0].phase, Phase::requested);
  EXPECT_EQ(why_broken(held).value_or(""), "");
  EXPECT_FALSE(may_settle(held, "rq-worker", ChargedElsewhere{}));
}

TEST(Answer, StampsTheTimeOfTheChange) {
  const auto journey = paid_journey();
  EXPECT_EQ(journey.transaction().updated_at, journey.now());
  EXPECT_EQ(journey.transaction().created_at, payment_start);
}

// --- Amounts -----------------------------------------------------------------------------------

TEST(Amount, ThatWasNotAskedForIsAPersonsInAnAnswerAndInALookUp) {
  for (const auto& wrong : {dollars(999), dollars(1001), Money(1000, *Currency::parse("EUR"))}) {
    for (const Found& said :
         std::vector<Found>{Succeeded{"psp-ref", wrong}, Declined{no_money.reason, "psp-ref", wrong},
                            Pending{"psp-ref", wrong}, ActionRequired{"psp-ref", wrong}}) {
      for (const auto asked : {Asked::sent, Asked::pending}) {
        auto journey = journey_to(asked);
        if (asked == Asked::sent) {
          ASSERT_EQ(journey.claim(), Action::look_up);
        }
        EXPECT_EQ(journey.find(said), Action::none) << "never tried again";
        EXPECT_EQ(journey.status(), Status::manual_review);
        EXPECT_EQ(journey.transaction().captured_minor, 0) << "not booked as ours";
        EXPECT_EQ(journey.transaction().next_action_at, std::nullopt);
        EXPECT_EQ(journey.operation(1).psp_reference, "psp-ref");
        EXPECT_THAT(journey.transaction().reason, HasSubstr("the PSP speaks of"));
        EXPECT_THAT(journey.transaction().reason, HasSubstr("where 10.00 USD was asked for"));
      }
    }
  }
  PaymentJourney journey;
  journey.claim();
  journey.answer(Succeeded{"psp-ref", dollars(1)});
  EXPECT_EQ(journey.status(), Status::manual_review);
}

TEST(Amount, OfAPartIsHeldAgainstThatPart) {
  auto journey = paid_journey();
  journey.ask(Kind::refund, 300);
  journey.claim();
  journey.answer(ten_dollars_taken);
  EXPECT_EQ(journey.status(), Status::manual_review);
  EXPECT_EQ(journey.transaction().refunded_minor, 0);
}

// --- Not sent ----------------------------------------------------------------------------------

TEST(NotSent, IsSentAgainUnderTheSameKeyWithADelayThatDoublesUntilTheTriesAreUsedUp) {
  RetryPolicy policy;
  policy.sends_max = 4;
  for (const bool is_refund : {false, true}) {
    auto journey = is_refund ? paid_journey(CaptureMethod::automatic, policy)
                             : PaymentJourney(CaptureMethod::automatic, policy);
    if (is_refund) journey.ask(Kind::refund);
    std::string key;
    for (const int delay_ms : {500, 1000, 2000}) {
      EXPECT_EQ(journey.claim(), Action::send);
      if (key.empty()) key = journey.operation().idempotency_key;
      EXPECT_EQ(journey.answer(NotSent{"connection refused"}), Action::none);
      EXPECT_EQ(journey.status(), Status::processing);
      EXPECT_EQ(journey.transaction().reason, "connection refused");
      EXPECT_EQ(journey.until_next_action(), milliseconds(delay_ms));
      EXPECT_EQ(journey.operation().phase, Phase::requested);
      EXPECT_EQ(journey.operation().idempotency_key, key);
    }
    EXPECT_EQ(journey.claim(), Action::send);
    EXPECT_EQ(journey.answer(NotSent{"name not found"}), Action::none);
    EXPECT_EQ(journey.operation().phase, Phase::failed);
    EXPECT_EQ(journey.operation().sends, 4);
    EXPECT_EQ(journey.operation().reason.text(), "name not found");
    EXPECT_EQ(journey.status(), is_refund ? Status::captured : Status::failed);
    EXPECT_EQ(journey.transaction().next_action_at, std::nullopt);
  }
}

TEST(NotSent, OfAnAuthorizationMayGoToAnotherPspAndARefundMayNot) {
  PaymentJourney journey;
  journey.claim("psp");
  journey.answer(NotSent{"connection refused"});
  EXPECT_EQ(journey.claim("another"), Action::send);
  EXPECT_EQ(journey.operation().psp, "another");
  auto refund = paid_journey();
  refund.ask(Kind::refund);
  refund.claim();
  refund.answer(NotSent{"connection refused"});
  EXPECT_EQ(refund.claim("another"), Action::none);
  EXPECT_EQ(refund.operation().psp, "psp");
}

TEST(NotSent, DelaysNeverOverflow) {
  RetryPolicy policy;
  policy.sends_max = 100;
  policy.retry_delay = milliseconds(1);
  auto step = claim({queued_transaction(), {}}, the_psp, payment_start, policy);
  for (int sends = 1; sends < 100; ++sends) {
    step = answered(std::move(step), NotSent{"connection refused"}, the_psp, payment_start, policy);
    ASSERT_GT(*step.state.transaction.next_action_at, payment_start) << sends;
    step = claim(std::move(step.state), the_psp, payment_start, policy);
    ASSERT_EQ(step.action, Action::send);
  }
}

TEST(NotSent, WhileUnknownSaysNothingAboutAnEarlierSend) {
  for (const bool is_resent : {false, true}) {
    PaymentJourney journey;
    journey.lose_the_answer();
    if (is_resent) {
      ASSERT_EQ(journey.find(NoSuchOperation{}), Action::send);
    }
    EXPECT_EQ(is_resent ? journey.answer(NotSent{"refused"}) : journey.find(NotSent{"refused"}),
              Action::none);
    EXPECT_EQ(journey.status(), Status::unknown) << "the first request may still be on its way";
    EXPECT_EQ(journey.claim("another"), Action::none) << "and nobody else is asked";
    EXPECT_EQ(journey.claim(), Action::look_up);
  }
}

TEST(Rejected, AfterAResendSaysNothingAboutAnEarlierSend) {
  PaymentJourney journey;
  journey.lose_the_answer();
  ASSERT_EQ(journey.find(NoSuchOperation{}), Action::send);
  EXPECT_EQ(journey.answer(Rejected{"no such account"}), Action::none);
  EXPECT_EQ(journey.status(), Status::unknown);
  EXPECT_EQ(journey.claim(), Action::look_up);
  journey.find(ten_dollars_taken);
  EXPECT_EQ(journey.status(), Status::captured) << "the first one had arrived";
}

TEST(NotSent, IsNoTimeAtWhichItWasSent) {
  PaymentJourney journey;
  journey.claim();
  journey.answer(NotSent{"connection refused"});
  EXPECT_EQ(journey.operation().sent_at, std::nullopt);
  journey.claim();
  EXPECT_EQ(journey.operation().sent_at, journey.now());
}

// --- Unknown -----------------------------------------------------------------------------------

TEST(OutcomeUnknown, IsLookedUpWithADelayThatDoublesUpToTheLongest) {
  RetryPolicy policy;
  policy.look_ups_max = 6;
  policy.look_up_delay_max = milliseconds(3000);
  PaymentJourney journey(CaptureMethod::automatic, policy);
  journey.claim();
  journey.answer(OutcomeUnknown{"time-out"});
  int look_ups = 0;
  for (const int delay_ms : {500, 1000, 2000, 3000, 3000, 3000}) {
    EXPECT_EQ(journey.status(), Status::unknown);
    EXPECT_EQ(journey.until_next_action(), milliseconds(delay_ms));
    EXPECT_EQ(journey.operation().look_ups, ++look_ups);
    EXPECT_EQ(journey.claim(), Action::look_up);
    journey.find(OutcomeUnknown{"time-out"});
  }
  EXPECT_EQ(journey.status(), Status::manual_review);
}

TEST(OutcomeUnknown, IsGivenToAPersonWhenTheLookUpsAreUsedUp) {
  for (const Found& failure : std::vector<Found>{OutcomeUnknown{"HTTP 502"}, NotSent{"HTTP 502"}}) {
    RetryPolicy policy;
    policy.look_ups_max = 2;
    PaymentJourney journey(CaptureMethod::automatic, policy);
    journey.lose_the_answer();
    journey.find(failure);
    EXPECT_EQ(journey.status(), Status::unknown);
    EXPECT_EQ(journey.claim(), Action::look_up);
    journey.find(failure);
    EXPECT_EQ(journey.status(), Status::manual_review);
    EXPECT_EQ(journey.transaction().reason, "HTTP 502");
    EXPECT_EQ(journey.transaction().next_action_at, std::nullopt);
    EXPECT_EQ(journey.operation().ended_at, std::nullopt) << "whoever ends it says when";
  }
}

TEST(NoSuchOperationFound, SendsTheIdenticalRequestUnderTheSameKey) {
  PaymentJourney journey;
  journey.lose_the_answer();
  const auto sent = journey.operation();
  EXPECT_EQ(journey.find(NoSuchOperation{}), Action::send);
  EXPECT_EQ(journey.operation().number, sent.number);
  EXPECT_EQ(journey.operation().idempotency_key, sent.idempotency_key);
  EXPECT_EQ(journey.operation().request, sent.request);
  EXPECT_EQ(journey.operation().psp, sent.psp);
  EXPECT_EQ(journey.operation().sends, 2);
  EXPECT_EQ(journey.operation().sent_at, sent.sent_at) << "when it was first sent";
  EXPECT_EQ(journey.transaction().operation_count, 1);
  EXPECT_EQ(journey.answer(ten_dollars_taken), Action::none);
  EXPECT_EQ(journey.status(), Status::captured);
}

TEST(NoSuchOperationFound, OfARequestThatNobodyWroteDownIsLeftToAPerson) {
  PaymentJourney journey;
  journey.lose_the_answer();
  auto step = journey.step();
  step.state.operations[0].request.clear();
  const auto after = found(std::move(step), NoSuchOperation{}, the_psp, journey.now(), {});
  EXPECT_EQ(after.action, Action::none);
  EXPECT_EQ(after.state.transaction.status, Status::manual_review);
  EXPECT_THAT(after.state.transaction.reason, HasSubstr("would not be identical"));
}

TEST(NoSuchOperationFound, OfWhatThePspTookBeforeIsLeftToAPerson) {
  auto journey = journey_to(Asked::pending);
  EXPECT_EQ(journey.find(NoSuchOperation{}), Action::none);
  EXPECT_EQ(journey.status(), Status::manual_review);
  EXPECT_EQ(journey.operation().sends, 1);
}

// --- Pending -----------------------------------------------------------------------------------

TEST(PendingOnes, AreAskedForAgainFromTheShortestDelay) {
  PaymentJourney journey;
  journey.lose_the_answer();
  journey.find(OutcomeUnknown{"HTTP 502"});
  journey.claim();
  for (const int delay_ms : {500, 1000, 2000}) {
    journey.find(Pending{"psp-ref", dollars(1000)});
    EXPECT_EQ(journey.until_next_action(), milliseconds(delay_ms));
    EXPECT_EQ(journey.transaction().reason, "") << "what was wrong in between is over";
    EXPECT_EQ(journey.claim(), Action::look_up);
  }
}

TEST(PendingOnes, OutliveFailedLookUpsUntilTheyArePendingForTooLong) {
  RetryPolicy policy;
  policy.pending_max = hours(1);
  policy.look_ups_max = 2;
  for (const Found& said : std::vector<Found>{Pending{"psp-ref", {}}, ActionRequired{"psp-ref", {}},
                                              OutcomeUnknown{"HTTP 502"}, NotSent{"connection refused"}}) {
    PaymentJourney journey(CaptureMethod::automatic, policy);
    journey.claim();
    journey.answer(Pending{"psp-ref", {}});
    const auto sent_at = *journey.operation().sent_at;
    while (journey.status() != Status::manual_review) {
      ASSERT_LT(journey.now(), sent_at + hours(2)) << "nobody is ever asked, " << said.index();
      ASSERT_EQ(journey.claim(), Action::look_up);
      journey.find(said);
    }
    EXPECT_GT(journey.now(), sent_at + hours(1)) << said.index();
    EXPECT_EQ(journey.transaction().next_action_at, std::nullopt);
    EXPECT_NE(journey.transaction().reason, "");
  }
}

TEST(PendingOnes, EndWhenThePspSaysHow) {
  auto succeeded = journey_to(Asked::pending);
  succeeded.find(ten_dollars_taken);
  EXPECT_EQ(succeeded.status(), Status::captured);
  auto declined = journey_to(Asked::pending);
  declined.find(no_money);
  EXPECT_EQ(declined.status(), Status::declined);
}

// --- A PSP that keeps a key for a time only -------------------------------------------------------

TEST(KeyHold, LastsFromTheFirstSendThatMayHaveArrivedWithAMargin) {
  using std::chrono::minutes;
  Operation operation{.amount = dollars(1000)};
  operation.requested_at = payment_start;
  operation.sent_at = payment_start + hours(1);
  const auto hold_after = [&](milliseconds time, minutes held_for = hours(24)) {
    return hold_of_key(operation, held_for, *operation.sent_at + time);
  };
  EXPECT_EQ(hold_after(milliseconds(0)), KeyHold::holds);
  EXPECT_EQ(hold_after(hours(24) - minutes(5)), KeyHold::holds);
  EXPECT_EQ(hold_after(hours(24) - minutes(5) + milliseconds(1)), KeyHold::ended);
  EXPECT_EQ(hold_after(hours(24 * 365)), KeyHold::ended);
  EXPECT_EQ(hold_after(-milliseconds(1)), KeyHold::unclear);
  EXPECT_EQ(hold_after(milliseconds(1), minutes(0)), KeyHold::ended) << "it keeps none";
  for (const auto time : {milliseconds(-1), milliseconds(hours(24 * 365))}) {
    EXPECT_EQ(hold_after(time, for_ever), KeyHold::holds);
  }
}

TEST(KeyHold, OnlyTheVeryBytesThatWereSentMayGoOutAgain) {
  Operation operation{.amount = dollars(1000)};
  operation.sent_at = payment_start;
  operation.request = "the bytes";
  const auto may_be = [&operation](milliseconds after) {
    return may_be_resent(operation, hours(24), payment_start + after);
  };
  EXPECT_TRUE(may_be(milliseconds(0)) && may_be(hours(23)));
  EXPECT_FALSE(may_be(hours(24)));
  EXPECT_FALSE(may_be(milliseconds(-1))) << "by a clock that is wrong, who knows how old it is";
  operation.request.clear();
  EXPECT_FALSE(may_be(hours(1)));
  operation.request = "the bytes";
  operation.sent_at.reset();
  EXPECT_FALSE(may_be(hours(1)));
}

TEST(KeyHold, WithoutItNothingIsSentAgainAndAPersonDecides) {
  RetryPolicy policy;
  policy.key_held_for = hours(24);
  for (const auto& [later, resends] : {std::pair(hours(23), true), std::pair(hours(24), false)}) {
    PaymentJourney journey(CaptureMethod::automatic, policy);
    journey.lose_the_answer();
    journey.wait(later);
    EXPECT_EQ(journey.find(NoSuchOperation{}), resends ? Action::send : Action::none);
    if (resends) continue;
    EXPECT_EQ(journey.status(), Status::manual_review);
    EXPECT_THAT(journey.transaction().reason, HasSubstr("does not keep a key for so long"));
    EXPECT_EQ(journey.operation().sends, 1);
  }
}

TEST(KeyHold, OfWhatWasSentInTheFutureIsNotKnown) {
  RetryPolicy policy;
  policy.key_held_for = hours(24);
  PaymentJourney journey(CaptureMethod::automatic, policy);
  journey.lose_the_answer();
  journey.wait(-hours(1));
  EXPECT_EQ(journey.find(NoSuchOperation{}), Action::none);
  EXPECT_EQ(journey.status(), Status::unknown) << "a worker with a clock that is right may still ask";
}

// --- Another PSP -------------------------------------------------------------------------------

constexpr const char* not_here = "it belongs to psp, which is not configured here";

class FullAccount final : public Accounts {
 public:
  std::expected<std::string, NoAccount> choose(const State&, Timestamp) const override { return "psp"; }
  bool has(std::string_view) const override { return true; }
  bool has_room(std::string_view) const override { return is_free; }
  std::expected<std::string, Rejected> encode(const State&, const Operation&) const override { return "it"; }

  bool is_free = false;
};

TEST(AnAccountWithoutRoom, IsAskedForWhatItHasWhenItHasSomeAgain) {
  PaymentJourney journey;
  journey.claim();
  journey.answer(OutcomeUnknown{"time-out"});
  FullAccount account;
  const RetryPolicy policy;
  const auto due = *journey.transaction().next_action_at;
  auto step = claim(journey.state(), account, due, policy);
  EXPECT_EQ(step.action, Action::none);
  EXPECT_EQ(step.operation().phase, Phase::unknown);
  EXPECT_EQ(step.operation().look_ups, journey.operation().look_ups) << "nothing was asked";
  EXPECT_THAT(step.operation().reason.message, HasSubstr("as many calls under way"));
  account.is_free = true;
  step = claim(std::move(step.state), account, *step.state.transaction.next_action_at, policy);
  EXPECT_EQ(step.action, Action::look_up);
}

// It was chosen a moment before, and has sent nothing yet.
TEST(AnAccountWithoutRoom, IsNotWaitedForByWhatWasNeverWrittenForIt) {
  FullAccount account;
  const RetryPolicy policy;
  auto step = claim({queued_transaction(), {}}, account, payment_start, policy);
  EXPECT_EQ(step.action, Action::none);
  EXPECT_EQ(step.operation().psp, "") << "the next time another one may be chosen";
  EXPECT_THAT(step.operation().reason.message, HasSubstr("would go to psp, which has as many calls"));
  EXPECT_EQ(step.operation().phase, Phase::requested);
  EXPECT_EQ(why_broken(step.state), std::nullopt);
  account.is_free = true;
  step = claim(std::move(step.state), account, *step.state.transaction.next_action_at, policy);
  EXPECT_EQ(step.action, Action::send);
  EXPECT_EQ(step.operation().psp, "psp");
}

// By workers of another PSP only.
void claim_for(PaymentJourney& journey, hours time) {
  const auto until = journey.now() + time;
  while (journey.transaction().next_action_at && *journey.transaction().next_action_at <= until) {
    ASSERT_EQ(journey.claim("another"), Action::none);
  }
}

TEST(AnotherPsp, IsNeverAskedAboutAnOperationAndUsesUpNoLookUp) {
  RetryPolicy policy;
  policy.look_ups_max = 2;
  PaymentJourney journey(CaptureMethod::automatic, policy);
  journey.claim("psp");
  for (int times = 1; times <= 20; ++times) {
    EXPECT_EQ(journey.claim("another"), Action::none);
    EXPECT_EQ(journey.status(), Status::unknown);
    EXPECT_EQ(journey.operation().psp, "psp");
    EXPECT_EQ(journey.operation().look_ups, 0);
    EXPECT_EQ(journey.transaction().reason, not_here);
    EXPECT_EQ(journey.operation().reason.kind, ReasonKind::configuration);
  }
  EXPECT_EQ(journey.claim("psp"), Action::look_up) << "its own worker has come";
  journey.find(ten_dollars_taken);
  EXPECT_EQ(journey.status(), Status::captured);
}

TEST(AnotherPsp, IsNeverSentARefundOfWhatItDidNotTakeAndUsesUpNoSend) {
  auto journey = paid_journey();
  journey.ask(Kind::refund);
  const RetryPolicy policy;
  for (int times = 1; times <= 20; ++times) {
    EXPECT_EQ(journey.claim("another"), Action::none);
    EXPECT_EQ(journey.operation(2).phase, Phase::requested);
    EXPECT_EQ(journey.operation(2).sends, 0);
    EXPECT_EQ(journey.operation(2).sent_at, std::nullopt);
    EXPECT_EQ(journey.status(), Status::processing);
    EXPECT_EQ(journey.transaction().reason, not_here);
    EXPECT_LE(journey.until_next_action(), policy.elsewhere_delay_max);
    if (times <= 7) {
      EXPECT_EQ(journey.until_next_action(), policy.look_up_delay * (1 << (times - 1)));
    }
  }
  EXPECT_EQ(journey.claim("psp"), Action::send);
  EXPECT_EQ(journey.operation(2).sends, 1);
  journey.answer(ten_dollars_taken);
  EXPECT_EQ(journey.status(), Status::refunded);
}

TEST(AnotherPsp, LeavesWhatIsPendingPending) {
  auto journey = journey_to(Asked::pending);
  const auto look_ups = journey.operation(1).look_ups;
  EXPECT_EQ(journey.claim("another"), Action::none);
  EXPECT_EQ(journey.operation(1).phase, Phase::pending);
  EXPECT_EQ(journey.operation(1).look_ups, look_ups);
  EXPECT_GT(journey.until_next_action(), milliseconds(0));
}

TEST(AnotherPsp, LeavesItForDaysAndThenItFailsOrIsForAPerson) {
  RetryPolicy policy;
  policy.elsewhere_max = hours(48);
  auto refund = paid_journey(CaptureMethod::automatic, policy);
  refund.ask(Kind::refund);
  PaymentJourney unknown(CaptureMethod::automatic, policy);
  unknown.claim("psp");
  for (auto* journey : {&refund, &unknown}) {
    claim_for(*journey, hours(47));
    EXPECT_TRUE(journey->transaction().next_action_at);
    claim_for(*journey, hours(2));
    EXPECT_EQ(journey->transaction().next_action_at, std::nullopt);
    EXPECT_EQ(journey->operation().reason.text(), not_here);
  }
  EXPECT_EQ(refund.operation().phase, Phase::failed) << "nothing was sent";
  EXPECT_EQ(refund.operation().reason.kind, ReasonKind::configuration);
  EXPECT_EQ(refund.status(), Status::captured);
  EXPECT_EQ(unknown.status(), Status::manual_review);
}

TEST(AnotherPsp, WhoseNameForTheChargeIsNotKnownIsAskedForNothingMore) {
  Request refund;
  refund.kind = Kind::refund;
  const auto charged = settle({queued_transaction(), {}}, "rq-worker", ChargedElsewhere{}, payment_start);
  auto asked = request(charged, refund, payment_start);
  ASSERT_TRUE(asked);
  const auto step = claim(std::move(*asked), the_psp, payment_start, {});
  EXPECT_EQ(step.action, Action::none);
  EXPECT_EQ(step.operation().phase, Phase::rejected);
  EXPECT_EQ(step.operation().sends, 0);
  EXPECT_EQ(step.operation().reason.text(), "what rq-worker calls the charge is not known");
  EXPECT_EQ(step.operation().reason.kind, ReasonKind::configuration);
  EXPECT_EQ(step.state.transaction.status, Status::captured);
  EXPECT_EQ(step.state.transaction.next_action_at, std::nullopt);
}

TEST(AnotherPsp, GivesNothingUpBecauseAllWorkersStoodStill) {
  auto journey = paid_journey();
  journey.ask(Kind::refund);
  auto step =
      claim(journey.state(), OneAccount("another", encode_for_test), journey.now() + hours(24 * 30), {});
  EXPECT_EQ(step.operation().phase, Phase::requested);
  step = claim(std::move(step.state), the_psp, *step.state.transaction.next_action_at, {});
  EXPECT_EQ(step.action, Action::send);
}

// --- A state that somebody has changed meanwhile ------------------------------------------------

TEST(CaughtUp, AppliesToTheStateAsItIsNow) {
  auto journey = paid_journey();
  journey.ask(Kind::refund, 100);
  journey.claim();
  const auto claimed = journey.step();
  journey.ask(Kind::refund, 200);
  auto step = caught_up(journey.state(), claim_of(claimed));
  ASSERT_TRUE(step);
  EXPECT_EQ(step->state.transaction.version, journey.transaction().version + 1) << "nobody saves over it";
  const auto after = answered(std::move(*step), Succeeded{"", dollars(100)}, the_psp, journey.now(), {});
  EXPECT_EQ(after.state.transaction.refunded_minor, 100);
  EXPECT_EQ(after.state.operations.at(2).due_at, journey.now())
      << "the other request is kept, and its turn comes";
}

TEST(CaughtUp, IsNothingWhenSomebodyHasClaimedItSinceOrTheAnswerIsThere) {
  auto journey = paid_journey();
  journey.ask(Kind::refund, 100);
  journey.claim();
  const auto claimed = journey.step();
  auto lease_ended = journey;
  lease_ended.claim();
  EXPECT_FALSE(caught_up(lease_ended.state(), claim_of(claimed)));
  PaymentJourney looked_up;
  looked_up.lose_the_answer();
  const auto first_look_up = looked_up.step();
  looked_up.claim();
  ASSERT_EQ(looked_up.operation().phase, first_look_up.operation().phase);
  EXPECT_FALSE(caught_up(looked_up.state(), claim_of(first_look_up))) << "another is asking now";
  for (const Answer& answer : std::vector<Answer>{
           Succeeded{"", dollars(100)}, no_money, Rejected{""}, Pending{"", {}}, ActionRequired{"", {}},
           NotSent{"refused"}, OutcomeUnknown{"time-out"}, Contradicted{"another's", ""}}) {
    auto answered_before = journey;
    answered_before.answer(answer);
    EXPECT_FALSE(caught_up(answered_before.state(), claim_of(claimed))) << answer.index();
  }
  EXPECT_FALSE(caught_up(paid_journey().state(), claim_of(claimed)))
      << "the store was restored: there is no such operation";
}

// --- Workers that are not ours -----------------------------------------------------------------

State settled_by(std::string_view worker, const Elsewhere& outcome) {
  return settle({queued_transaction(), {}}, worker, outcome, payment_start + milliseconds(1));
}

TEST(Settle, TakesTheWordOfAForeignWorker) {
  const auto captured = settled_by("rq-worker", ChargedElsewhere{});
  EXPECT_EQ(captured.transaction.status, Status::captured);
  EXPECT_EQ(captured.transaction.captured_minor, 1000);
  EXPECT_EQ(captured.transaction.version, 1);
  EXPECT_EQ(captured.transaction.next_action_at, std::nullopt);
  EXPECT_EQ(captured.operations.at(0).psp, "rq-worker");
  EXPECT_EQ(captured.operations.at(0).phase, Phase::succeeded);

  const auto failed = settled_by("rq-worker", FailedElsewhere{"ValueError: no"});
  EXPECT_EQ(failed.transaction.status, Status::failed);
  EXPECT_EQ(failed.transaction.reason, "ValueError: no");
  EXPECT_EQ(failed.transaction.next_action_at, std::nullopt) << "it may have been charged: never again";
  EXPECT_EQ(failed.operations.at(0).ended_at, payment_start + milliseconds(1));

  const auto unknown = settled_by("rq-worker", UnknownElsewhere{"the worker died"});
  EXPECT_EQ(unknown.transaction.status, Status::manual_review) << "nobody can be asked";
  EXPECT_EQ(unknown.transaction.reason, "the worker died");
  EXPECT_EQ(unknown.operations.at(0).ended_at, std::nullopt);
  for (const auto& state : {captured, failed, unknown}) EXPECT_EQ(why_broken(state).value_or(""), "");
}

TEST(Settle, WhatAForeignWorkerFailedItMayFinishLater) {
  const auto failed = settled_by("rq-worker", FailedElsewhere{"ValueError: no"});
  ASSERT_TRUE(may_settle(failed, "rq-worker", ChargedElsewhere{}));
  const auto captured = settle(failed, "rq-worker", ChargedElsewhere{}, payment_start + milliseconds(2));
  EXPECT_EQ(captured.transaction.status, Status::captured);
  EXPECT_EQ(captured.transaction.captured_minor, 1000);
  EXPECT_EQ(captured.transaction.reason, "");
  EXPECT_EQ(captured.transaction.version, 2);
  ASSERT_EQ(captured.operations.size(), 2U) << "the try that failed stays on record";
  EXPECT_EQ(captured.operations[0], failed.operations[0]);
  EXPECT_NE(captured.operations[1].idempotency_key, failed.operations[0].idempotency_key);
  EXPECT_EQ(why_broken(captured).value_or(""), "");
}

TEST(Settle, NobodyElseHasASay) {
  const auto failed = settled_by("rq-worker", FailedElsewhere{"ValueError: no"});
  EXPECT_FALSE(may_settle(failed, "rq-worker", FailedElsewhere{"again"})) << "it has failed already";
  EXPECT_FALSE(may_settle(failed, "rq-worker", UnknownElsewhere{"again"}));
  EXPECT_FALSE(may_settle(failed, "another", ChargedElsewhere{}));
  EXPECT_FALSE(may_settle(settled_by("rq-worker", ChargedElsewhere{}), "rq-worker", ChargedElsewhere{}))
      << "once";
  // It may have charged before it died: a second success would hide the first.
  EXPECT_FALSE(
      may_settle(settled_by("rq-worker", UnknownElsewhere{"killed"}), "rq-worker", ChargedElsewhere{}));
  // One of ours is at it, or tried it in vain: only ours knows what is sent there.
  RetryPolicy once;
  once.sends_max = 1;
  PaymentJourney ours(CaptureMethod::automatic, once);
  ours.claim();
  EXPECT_FALSE(may_settle(ours.state(), "rq-worker", ChargedElsewhere{}));
  ours.answer(NotSent{"no route"});
  ASSERT_EQ(ours.status(), Status::failed);
  EXPECT_FALSE(may_settle(ours.state(), "psp", FailedElsewhere{""}));
  EXPECT_FALSE(may_settle(ours.state(), "rq-worker", ChargedElsewhere{}));
}

// --- Afterwards --------------------------------------------------------------------------------

PaymentJourney refunded_journey(std::int64_t amount = 300) {
  auto journey = paid_journey();
  journey.ask(Kind::refund, amount);
  journey.succeed();
  return journey;
}

TEST(TakeBack, LowersTheTotalsAndIsAPersons) {
  auto journey = refunded_journey();
  ASSERT_EQ(journey.status(), Status::partially_refunded);
  const auto before = journey.state();
  journey.take_back(2);
  EXPECT_EQ(journey.transaction().refunded_minor, 0);
  EXPECT_EQ(journey.status(), Status::manual_review);
  EXPECT_EQ(journey.transaction().reason, "it failed after all");
  EXPECT_EQ(journey.transaction().version, before.transaction.version + 1);
  EXPECT_TRUE(journey.operation(2).taken_back);
  EXPECT_EQ(journey.operation(2).ended_at, before.operations[1].ended_at) << "both facts are kept";
  EXPECT_EQ(why_broken(journey.state()).value_or(""), "");
}

TEST(TakeBack, OfACaptureOrAChargeLowersWhatWasCaptured) {
  auto charge = paid_journey();
  charge.take_back(1);
  EXPECT_EQ(charge.transaction().captured_minor, 0);
  EXPECT_EQ(charge.transaction().authorized_minor, 0);
  auto capture = paid_journey(CaptureMethod::manual);
  capture.ask(Kind::capture, 400, false);
  capture.succeed();
  capture.take_back(2);
  EXPECT_EQ(capture.transaction().captured_minor, 0);
  EXPECT_EQ(capture.transaction().authorized_minor, 1000);
  EXPECT_EQ(capture.transaction().held_minor, 600);
}

TEST(TakeBack, ThatTheTotalsHaveNoRoomForLeavesThemAndIsAPersons) {
  auto given_back = refunded_journey();
  given_back.take_back(1);
  EXPECT_EQ(given_back.transaction().captured_minor, 1000);
  EXPECT_EQ(given_back.status(), Status::manual_review);
  EXPECT_FALSE(given_back.operation(1).taken_back);
  auto being_given_back = paid_journey();
  being_given_back.ask(Kind::refund, 300);
  being_given_back.claim();
  being_given_back.take_back(1);
  EXPECT_EQ(being_given_back.transaction().captured_minor, 1000) << "the refund may succeed";
  being_given_back.answer(Succeeded{"", dollars(300)});
  EXPECT_EQ(being_given_back.transaction().refunded_minor, 300);
  EXPECT_EQ(why_broken(being_given_back.state()).value_or(""), "");
}

TEST(TakeBack, OfWhatHasNotSucceededChangesNothing) {
  auto journey = refunded_journey();
  journey.take_back(2);
  const auto once = journey.state();
  journey.take_back(2);
  EXPECT_EQ(journey.state().transaction.version, once.transaction.version) << "a notice that comes twice";
  journey.take_back(9);
  EXPECT_EQ(journey.state().transaction.version, once.transaction.version);
  PaymentJourney unknown;
  unknown.lose_the_answer();
  unknown.take_back(1);
  EXPECT_EQ(unknown.status(), Status::unknown);
}

TEST(Resolve, EndsWhatWasNeverBooked) {
  for (const bool succeeded : {true, false}) {
    PaymentJourney journey;
    journey.claim();
    journey.answer(Contradicted{"the PSP has a charge of 1 JPY", "odd"});
    const auto before = journey.transaction().version;
    ASSERT_TRUE(journey.resolve(1, succeeded));
    EXPECT_EQ(journey.status(), succeeded ? Status::captured : Status::failed);
    EXPECT_EQ(journey.transaction().captured_minor, succeeded ? 1000 : 0);
    EXPECT_EQ(journey.operation(1).phase, succeeded ? Phase::succeeded : Phase::failed);
    EXPECT_EQ(journey.operation(1).resolution, "looked into");
    EXPECT_EQ(journey.operation(1).psp_reference, "odd") << "none was given";
    EXPECT_EQ(journey.operation(1).ended_at, journey.now());
    EXPECT_EQ(journey.transaction().version, before + 1);
    EXPECT_EQ(why_broken(journey.state()).value_or(""), "");
  }
}

TEST(Resolve, CorrectsThePspsNameOfWhatSucceeded) {
  auto journey = paid_journey();
  const auto before = journey.transaction();
  auto corrected = resolve(journey.state(), 1, {.succeeded = true, .psp_reference = "ch_2", .note = "a typo"},
                           journey.now());
  ASSERT_TRUE(corrected);
  EXPECT_EQ(corrected->operations[0].psp_reference, "ch_2");
  EXPECT_EQ(corrected->operations[0].resolution, "a typo");
  EXPECT_EQ(corrected->transaction.captured_minor, before.captured_minor);
  EXPECT_EQ(corrected->transaction.version, before.version + 1);
  EXPECT_FALSE(
      resolve(journey.state(), 1, {.succeeded = true, .psp_reference = "", .note = "x"}, journey.now()));
  EXPECT_FALSE(
      resolve(journey.state(), 1, {.succeeded = false, .psp_reference = "ch_2", .note = "x"}, journey.now()));
}

TEST(Resolve, KeepsTheMerchantsOwnReason) {
  auto journey = paid_journey();
  auto state = journey.state();
  Request wanted{
      .kind = Kind::refund, .amount_minor = 300, .psp_key = {}, .reference = "r", .note = "too small"};
  state = request(std::move(state), wanted, journey.now()).value();
  state.operations[1].phase = Phase::manual_review;
  state.operations[1].due_at.reset();
  settle_schedule(state, journey.now());
  const auto resolved = resolve(std::move(state), 2,
                                {.succeeded = false, .psp_reference = {}, .note = "ask Dora"}, journey.now());
  ASSERT_TRUE(resolved);
  EXPECT_EQ(resolved->operations[1].note, "too small");
  EXPECT_EQ(resolved->operations[1].resolution, "ask Dora");
}

TEST(Resolve, EndsWhatWasTakenBack) {
  auto did_not_happen = refunded_journey();
  did_not_happen.take_back(2);
  ASSERT_TRUE(did_not_happen.resolve(2, false));
  EXPECT_EQ(did_not_happen.status(), Status::captured);
  EXPECT_EQ(did_not_happen.transaction().refunded_minor, 0);
  EXPECT_EQ(did_not_happen.operation(2).phase, Phase::failed);
  auto happened = refunded_journey();
  happened.take_back(2);
  ASSERT_TRUE(happened.resolve(2, true));
  EXPECT_EQ(happened.status(), Status::partially_refunded);
  EXPECT_EQ(happened.transaction().refunded_minor, 300);
  EXPECT_FALSE(happened.operation(2).taken_back);
}

TEST(Resolve, OfACaptureThatHappenedAfterAllTakesNothingMoreOfTheHold) {
  auto journey = paid_journey(CaptureMethod::manual);
  journey.ask(Kind::capture, 400, false);
  journey.succeed();
  const auto before = journey.transaction().held_minor;
  journey.take_back(2);
  ASSERT_TRUE(journey.resolve(2, true));
  EXPECT_EQ(journey.transaction().captured_minor, 400);
  EXPECT_EQ(journey.transaction().held_minor, before);
}

TEST(Resolve, EndsWhatCouldNotBeTakenBackWhenThereIsRoom) {
  auto journey = paid_journey();
  journey.ask(Kind::refund, 300);
  journey.claim();
  journey.take_back(1);
  EXPECT_FALSE(journey.resolve(1, false)) << "the refund may succeed";
  journey.answer(no_money.reason == Reason{} ? Declined{} : Declined{no_money.reason, "", dollars(300)});
  ASSERT_TRUE(journey.resolve(1, false));
  EXPECT_EQ(journey.transaction().captured_minor, 0);
  EXPECT_EQ(journey.status(), Status::failed);
  auto stays = refunded_journey();
  stays.take_back(1);
  ASSERT_FALSE(stays.resolve(1, false)) << "some of it was given back";
  EXPECT_EQ(stays.status(), Status::manual_review);
  ASSERT_TRUE(stays.resolve(1, true));
  EXPECT_EQ(stays.transaction().captured_minor, 1000) << "it was booked all the time";
  EXPECT_EQ(stays.status(), Status::partially_refunded);
}

TEST(Resolve, OfACaptureBehindAFinalOneFindsNoHoldAndNeedsNone) {
  auto journey = paid_journey(CaptureMethod::manual);
  journey.ask(Kind::capture, 400, false);
  journey.ask(Kind::capture, 600);
  journey.claim();
  journey.answer(Contradicted{"another's", ""});
  journey.succeed();
  EXPECT_EQ(journey.transaction().held_minor, 0);
  ASSERT_TRUE(journey.resolve(2, true));
  EXPECT_EQ(journey.transaction().captured_minor, 1000);
  EXPECT_EQ(journey.transaction().held_minor, 0);
  EXPECT_EQ(journey.status(), Status::captured);
}

TEST(Resolve, NeedsAnOperationThatIsAPersonsAndRoom) {
  auto journey = refunded_journey();
  for (const int number : {0, 1, 2, 3}) EXPECT_FALSE(journey.resolve(number, true)) << number;
  // A refund that "happened" after what it gives back was taken away.
  journey.take_back(2);
  journey.take_back(1);
  ASSERT_EQ(journey.transaction().captured_minor, 1000) << "an open refund counts";
}

TEST(Resolve, AHoldThatWasGivenBackStaysWhatThePspFirstSaid) {
  auto journey = paid_journey(CaptureMethod::manual);
  journey.ask(Kind::void_);
  journey.succeed();
  journey.take_back(1);
  EXPECT_EQ(journey.status(), Status::manual_review);
  EXPECT_EQ(journey.transaction().held_minor, 0);
  EXPECT_FALSE(journey.resolve(1, false));
  EXPECT_TRUE(journey.resolve(1, true));
  EXPECT_EQ(journey.status(), Status::voided);
}

TEST(Resolve, OfAVoidThatWasTakenBackTheHoldIsThereAgainOrNot) {
  auto journey = paid_journey(CaptureMethod::manual);
  journey.ask(Kind::void_);
  journey.succeed();
  journey.take_back(2);
  EXPECT_EQ(journey.status(), Status::manual_review);
  EXPECT_EQ(journey.transaction().held_minor, 1000);
  auto given_back = journey;
  EXPECT_TRUE(given_back.resolve(2, true));
  EXPECT_EQ(given_back.status(), Status::voided);
  EXPECT_TRUE(journey.resolve(2, false));
  EXPECT_EQ(journey.status(), Status::authorized);
  EXPECT_EQ(journey.transaction().held_minor, 1000);
}

// The PSP said so, then told a person the contrary, who finds that the hold is there.
TEST(Resolve, AVoidThatDidNotHappenLeavesTheHold) {
  auto journey = paid_journey(CaptureMethod::manual);
  journey.ask(Kind::void_);
  journey.succeed();
  journey.tell_a_person(2, "it was refused");
  EXPECT_EQ(journey.transaction().held_minor, 0);
  EXPECT_TRUE(journey.resolve(2, false));
  EXPECT_EQ(journey.status(), Status::authorized);
  EXPECT_EQ(journey.transaction().held_minor, 1000);
}

TEST(Resolve, AHoldThatWasNoneIsNoneAnyMore) {
  const auto paid = paid_journey(CaptureMethod::manual);
  const auto told = give_to_a_person(paid.state(), 1, "somebody asks about it", paid.now());
  ASSERT_EQ(told.transaction.status, Status::manual_review);
  const auto resolved = resolve(told, 1, {false, "", "the PSP has no such hold"}, paid.now());
  ASSERT_TRUE(resolved);
  EXPECT_EQ(resolved->transaction.status, Status::failed);
  EXPECT_EQ(resolved->transaction.authorized_minor, 0);
  EXPECT_EQ(resolved->transaction.held_minor, 0);
}

// --- A hold that is over ------------------------------------------------------------------------

Declined capture_refused(bool is_hold_over) {
  return {.reason = {"too_late", "the hold has expired", ReasonKind::hard_decline},
          .psp_reference = "psp-ref",
          .amount = {},
          .is_hold_over = is_hold_over};
}

TEST(HoldOver, ACaptureThatFindsNothingHeldEndsTheHold) {
  for (const bool is_hold_over : {true, false}) {
    auto journey = paid_journey(CaptureMethod::manual);
    journey.ask(Kind::capture, 400);
    journey.claim();
    journey.answer(capture_refused(is_hold_over));
    EXPECT_EQ(journey.operation(2).phase, Phase::declined);
    EXPECT_EQ(journey.transaction().authorized_minor, 1000);
    EXPECT_EQ(journey.transaction().held_minor, is_hold_over ? 0 : 1000);
    EXPECT_EQ(journey.status(), is_hold_over ? Status::voided : Status::authorized);
    EXPECT_EQ(journey.transaction().reason, is_hold_over ? journey.operation(2).reason.text() : "");
    EXPECT_EQ(why_broken(journey.state()), std::nullopt);
  }
}

TEST(HoldOver, WhatWasCapturedBeforeStays) {
  auto journey = paid_journey(CaptureMethod::manual);
  journey.ask(Kind::capture, 400, false);
  journey.succeed();
  journey.ask(Kind::capture, 500);
  journey.claim();
  journey.answer(capture_refused(true));
  EXPECT_EQ(journey.status(), Status::captured);
  EXPECT_EQ(journey.transaction().captured_minor, 400);
  EXPECT_EQ(journey.transaction().held_minor, 0);
}

TEST(HoldOver, OtherDeclinesHaveNoSayInIt) {
  auto journey = paid_journey(CaptureMethod::manual);
  journey.ask(Kind::void_);
  journey.claim();
  journey.answer(capture_refused(true));
  EXPECT_EQ(journey.transaction().held_minor, 1000) << "a void that found no hold has succeeded";
}

TEST(HoldOver, ThatAVoidWasAskedForIsTheReasonOfNothing) {
  auto journey = paid_journey(CaptureMethod::manual);
  auto over = end_hold(journey.state(), "it has run out", journey.now());
  EXPECT_EQ(over.transaction.reason, "it has run out");
  EXPECT_EQ(over.transaction.version, journey.transaction().version + 1);
  journey.ask(Kind::void_);
  journey.succeed();
  over = end_hold(journey.state(), "it has run out", journey.now());
  EXPECT_EQ(over.transaction.status, Status::voided);
  EXPECT_EQ(over.transaction.reason, "");
}

// --- The status --------------------------------------------------------------------------------

TEST(StatusOf, FollowsFromTotalsAndOperations) {
  const auto status_with = [](Phase authorization, std::vector<Phase> refunds, std::int64_t captured,
                              std::int64_t refunded, std::int64_t held = 0) {
    State state{queued_transaction(), {}};
    state.transaction.authorized_minor = captured + held;
    state.transaction.captured_minor = captured;
    state.transaction.refunded_minor = refunded;
    state.transaction.held_minor = held;
    refunds.insert(refunds.begin(), authorization);
    for (const auto phase : refunds) {
      Operation operation{.amount = dollars(100)};
      operation.kind = state.operations.empty() ? Kind::authorize : Kind::refund;
      operation.phase = phase;
      state.operations.push_back(operation);
    }
    return to_string(status_of(state));
  };
  EXPECT_EQ(to_string(status_of({queued_transaction(), {}})), "queued");
  for (const auto& [phase, status] : {
           std::pair{Phase::requested, "processing"},
           std::pair{Phase::sent, "processing"},
           std::pair{Phase::pending, "processing"},
           std::pair{Phase::unknown, "unknown"},
           std::pair{Phase::action_required, "action_required"},
           std::pair{Phase::declined, "declined"},
           std::pair{Phase::rejected, "failed"},
           std::pair{Phase::failed, "failed"},
           std::pair{Phase::manual_review, "manual_review"},
       }) {
    EXPECT_EQ(status_with(phase, {}, 0, 0), status) << to_string(phase);
  }
  const auto succeeded = Phase::succeeded;
  EXPECT_EQ(status_with(succeeded, {}, 0, 0, 1000), "authorized");
  EXPECT_EQ(status_with(succeeded, {}, 400, 0, 600), "captured") << "also with a rest that is held";
  EXPECT_EQ(status_with(succeeded, {}, 1000, 0), "captured");
  EXPECT_EQ(status_with(succeeded, {}, 1000, 300), "partially_refunded");
  EXPECT_EQ(status_with(succeeded, {}, 1000, 1000), "refunded");
  EXPECT_EQ(status_with(succeeded, {}, 0, 0), "voided");
  for (const auto phase : {Phase::requested, Phase::sent, Phase::pending}) {
    EXPECT_EQ(status_with(succeeded, {phase}, 1000, 0), "processing") << to_string(phase);
  }
  for (const auto phase : {Phase::declined, Phase::rejected, Phase::failed}) {
    EXPECT_EQ(status_with(succeeded, {phase}, 1000, 0), "captured") << to_string(phase);
  }
  EXPECT_EQ(status_with(succeeded, {Phase::unknown, Phase::requested}, 1000, 0), "unknown");
  EXPECT_EQ(status_with(succeeded, {Phase::manual_review, Phase::unknown}, 1000, 0), "manual_review");
}

// --- What must never be ------------------------------------------------------------------------

// A transaction with one refund behind it, as the machine makes it.
template <class Change>
void expect_broken(std::string_view why, Change change) {
  auto state = refunded_journey().state();
  ASSERT_EQ(why_broken(state).value_or(""), "");
  change(state);
  EXPECT_THAT(std::string(why_broken(state).value_or("it is sound")), HasSubstr(std::string(why)));
}

TEST(WhyBroken, SaysThatAmountsAreNotInOrder) {
  expect_broken("its amounts are not", [](State& state) { state.transaction.refunded_minor = 1001; });
  expect_broken("its amounts are not", [](State& state) { state.transaction.captured_minor = 1001; });
  expect_broken("its amounts are not", [](State& state) { state.transaction.authorized_minor = 1001; });
  expect_broken("its amounts are not", [](State& state) { state.transaction.held_minor = 1; });
  expect_broken("its amounts are not", [](State& state) { state.transaction.refunded_minor = -1; });
  expect_broken("its amounts are not", [](State& state) { state.transaction.amount = dollars(0); });
}

TEST(WhyBroken, SaysThatAWorkerWouldNeverComeOrForNothing) {
  State lost{queued_transaction(), {}};
  lost.transaction.next_action_at.reset();
  EXPECT_EQ(why_broken(lost), "it is open, and nothing is due");
  expect_broken("it is not open, and something is due",
                [](State& state) { state.transaction.next_action_at = payment_start; });
  PaymentJourney under_way;
  under_way.claim();
  auto state = under_way.state();
  state.operations[0].due_at.reset();
  EXPECT_EQ(why_broken(state), "one of its operations is open, and not due");
  auto person = journey_to(Asked::pending);
  person.wait(hours(24 * 8));
  person.find(Pending{"psp-ref", {}});
  state = person.state();
  ASSERT_EQ(why_broken(state).value_or(""), "");
  state.transaction.next_action_at = payment_start;
  EXPECT_EQ(why_broken(state), "something is due, and none of its operations is");
}

// A pending refund, one that is being sent, and one that waits for it.
TEST(WhyBroken, SaysThatAnOperationIsForgottenBesideOthersThatAreNot) {
  auto journey = paid_journey();
  journey.ask(Kind::refund, 100);
  journey.claim();
  journey.answer(Pending{"psp-ref", dollars(100)});
  journey.ask(Kind::refund, 200);
  journey.ask(Kind::refund, 300);
  const auto lose = [](State state, std::size_t index) {
    state.operations.at(index).due_at.reset();
    return std::string(why_broken(state).value_or("it is sound"));
  };
  const auto forgotten = "one of its operations is open, and not due";
  EXPECT_EQ(lose(journey.state(), 0), "it is sound") << "it is over";
  EXPECT_EQ(lose(journey.state(), 1), forgotten) << "it is pending";
  EXPECT_EQ(lose(journey.state(), 2), forgotten) << "it has its turn";
  EXPECT_EQ(lose(journey.state(), 3), "it is sound") << "its turn comes later";
  for (auto claims = 0; journey.operation(3).phase == Phase::requested; ++claims) {
    ASSERT_LT(claims, 10);
    if (journey.claim() == Action::look_up) journey.find(Pending{"psp-ref", dollars(100)});
  }
  EXPECT_EQ(lose(journey.state(), 2), forgotten) << "it was sent";
  EXPECT_EQ(lose(journey.state(), 3), "it is sound") << "it waits until the other is resolved";
}

TEST(WhyBroken, SaysThatACountIsWrong) {
  expect_broken("it has a count below zero", [](State& state) { state.transaction.version = -1; });
  expect_broken("it has a count below zero", [](State& state) { state.transaction.operation_count = -1; });
  expect_broken("a count is below zero", [](State& state) { state.operations[1].claims = -1; });
  expect_broken("a count is below zero", [](State& state) { state.operations[1].sends = -1; });
  expect_broken("a count is below zero", [](State& state) { state.operations[1].look_ups = -1; });
  expect_broken("an operation is missing", [](State& state) { state.transaction.operation_count = 3; });
  expect_broken("an operation is missing", [](State& state) { state.operations[1].number = 3; });
  expect_broken("an operation is missing", [](State& state) { state.operations.pop_back(); });
  expect_broken("it was begun, and has no operation",
                [](State& state) { state.transaction.operation_count = 0; });
  State begun{queued_transaction(), {}};
  begun.transaction.operation_count = 1;
  EXPECT_EQ(why_broken(begun), "it is queued, and was begun");
}

TEST(WhyBroken, SaysThatTheStatusDoesNotFit) {
  for (const auto status : {Status::authorized, Status::captured, Status::voided, Status::refunded,
                            Status::declined, Status::failed}) {
    expect_broken("its status does not fit its amounts",
                  [&](State& state) { state.transaction.status = status; });
  }
  expect_broken("its status does not follow from its operations",
                [](State& state) { state.transaction.status = Status::manual_review; });
  expect_broken("its status does not follow from its operations",
                [](State& state) { state.operations[1].phase = Phase::pending; });
}

TEST(WhyBroken, SaysThatAnOperationIsNotTheTransactions) {
  for (const auto& amount : {dollars(0), dollars(-1), dollars(1001), Money(300, *Currency::parse("EUR"))}) {
    expect_broken("an operation's amount is not the transaction's",
                  [&](State& state) { state.operations[1].amount = amount; });
  }
  expect_broken("two of its operations are unresolved at once", [](State& state) {
    for (auto& operation : state.operations) operation.phase = Phase::unknown;
  });
}

TEST(InvariantsDeathTest, WhatIsBrokenIsNotWritten) {
  auto state = refunded_journey().state();
  assert_invariants(state);
  state.transaction.refunded_minor = 1001;
  EXPECT_DEATH(assert_invariants(state), "invariant broken");
}

TEST(StateMachineDeathTest, AnEventThatTheStateDoesNotAllowIsABug) {
  const auto over = paid_journey();
  EXPECT_DEATH(claim(over.state(), the_psp, payment_start, {}), "invariant broken");
  EXPECT_DEATH(answered(over.step(), ten_dollars_taken, the_psp, payment_start, {}), "invariant broken")
      << "booked twice";
  EXPECT_DEATH(found(over.step(), ten_dollars_taken, the_psp, payment_start, {}), "invariant broken");
  EXPECT_DEATH(settle(over.state(), "rq-worker", ChargedElsewhere{}, payment_start), "invariant broken");
  auto requested = paid_journey();
  requested.ask(Kind::refund);
  const Step never_sent{requested.state(), Action::none, 1};
  EXPECT_DEATH(answered(never_sent, Succeeded{"", dollars(1000)}, the_psp, payment_start, {}),
               "invariant broken");
  const auto pending = journey_to(Asked::pending);
  EXPECT_DEATH(answered(pending.step(), ten_dollars_taken, the_psp, payment_start, {}), "invariant broken")
      << "nothing was sent";
}

// --- The customer acts -------------------------------------------------------------------------

TEST(CustomerAction, WhereToSendThemIsKeptWhileThePspWaitsForThem) {
  PaymentJourney journey;
  journey.claim();
  journey.answer(ActionRequired{"psp-ref", dollars(1000), "https://bank.example/3ds?a=1"});
  EXPECT_EQ(journey.status(), Status::action_required);
  EXPECT_EQ(journey.operation(1).action_url, "https://bank.example/3ds?a=1");
  journey.claim();
  journey.find(ActionRequired{"psp-ref", dollars(1000)});
  EXPECT_EQ(journey.operation(1).action_url, "https://bank.example/3ds?a=1") << "not said again";
  journey.claim();
  journey.find(ten_dollars_taken);
  EXPECT_EQ(journey.status(), Status::captured);
  EXPECT_EQ(journey.operation(1).action_url, "");
}

TEST(CustomerAction, IsForgottenHoweverItEnds) {
  for (const auto& what :
       {Found(no_money), Found(Pending{"psp-ref", {}}), Found(Contradicted{"another", {}})}) {
    PaymentJourney journey;
    journey.claim();
    journey.answer(ActionRequired{"psp-ref", {}, "https://bank.example"});
    journey.claim();
    journey.find(what);
    EXPECT_EQ(journey.operation(1).action_url, "") << what.index();
  }
}

TEST(CustomerAction, WhatIsNoAddressIsNotPassedOn) {
  for (const std::string url :
       {"", "http://bank.example", "http://127.0.0.1.bank.example/", "javascript:alert(1)",
        "https://bank.example/a b", "https://bank.example/\n", "https://b\xc3\xa9.example"}) {
    PaymentJourney journey;
    journey.claim();
    journey.answer(ActionRequired{"psp-ref", {}, url});
    EXPECT_EQ(journey.status(), Status::action_required);
    EXPECT_EQ(journey.operation(1).action_url, "") << url;
  }
}

TEST(Authorization, TheOneWithTheMoneyCountsWhateverCameAfterIt) {
  State state{testing::queued_transaction(), {}};
  state.operations.resize(3, {.amount = state.transaction.amount, .phase = Phase::declined});
  EXPECT_EQ(find_authorization(state), &state.operations[2]);
  state.operations[0].phase = Phase::succeeded;
  EXPECT_EQ(find_authorization(state), &state.operations[0]);
  state.operations[0].phase = Phase::manual_review;
  EXPECT_EQ(find_authorization(state), &state.operations[2]) << "what became of it is not known";
  state.operations[0].ended_at = testing::payment_start;
  EXPECT_EQ(find_authorization(state), &state.operations[0]);
  state.operations[0].taken_back = true;
  EXPECT_EQ(find_authorization(state), &state.operations[2]);
}

TEST(CustomerAction, WhoIsBackHasThePspAskedAtOnce) {
  PaymentJourney journey;
  journey.claim();
  journey.answer(ActionRequired{"psp-ref", {}, "https://bank.example"});
  for (int i = 0; i < 5; ++i) {
    journey.claim();
    journey.find(ActionRequired{"psp-ref", {}, "https://bank.example"});
  }
  EXPECT_GT(journey.until_next_action(), milliseconds(10'000));
  const auto asked = ask_now(journey.state(), journey.now());
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->transaction.next_action_at, journey.now());
  EXPECT_EQ(asked->transaction.version, journey.transaction().version + 1);
  EXPECT_EQ(asked->operations.front().look_ups, 0);
  EXPECT_EQ(asked->transaction.status, Status::action_required);
  EXPECT_EQ(why_broken(*asked), std::nullopt);
}

// Adyen says by itself what comes of it.
TEST(CustomerAction, OfAPspThatCannotBeAskedNothingIsSaidAndNothingCounted) {
  PaymentJourney journey;
  journey.claim();
  journey.answer(ActionRequired{"psp-ref", {}, "https://bank.example"});
  const auto look_ups = journey.operation().look_ups;
  for (int i = 0; i < 20; ++i) {
    journey.claim();
    journey.find(OutcomeUnknown{"the PSP cannot be asked for it", false});
    EXPECT_EQ(journey.operation().reason.text(), "");
    EXPECT_EQ(journey.operation().look_ups, look_ups);
    EXPECT_EQ(journey.until_next_action(), RetryPolicy{}.look_up_delay_max);
  }
  journey.bring_back(R"({"redirectResult":"1"})");
  journey.claim();
  journey.find(OutcomeUnknown{"the PSP cannot be asked for it", false});
  EXPECT_LE(journey.until_next_action(), milliseconds(10'000)) << "it came while nothing could be asked";
  journey.claim();
  journey.find(ActionRequired{"psp-ref", {}, "https://bank.example"});
  const auto week_of_claims = RetryPolicy{}.pending_max / RetryPolicy{}.look_up_delay_max;
  for (int i = 0; i < week_of_claims && journey.transaction().next_action_at; ++i) {
    journey.claim();
    journey.find(OutcomeUnknown{"the PSP cannot be asked for it", false});
  }
  EXPECT_EQ(journey.status(), Status::manual_review);
  EXPECT_EQ(journey.operation().reason.text(), "the PSP cannot be asked for it");
}

TEST(CustomerAction, NothingIsAskedForWhereNothingWaits) {
  EXPECT_EQ(ask_now(paid_journey().state(), payment_start), std::nullopt);
  EXPECT_EQ(ask_now({queued_transaction(), {}}, payment_start), std::nullopt);
  PaymentJourney journey;
  journey.claim();
  EXPECT_EQ(ask_now(journey.state(), payment_start), std::nullopt) << "its answer is on its way";
  journey.answer(OutcomeUnknown{"time-out"});
  EXPECT_EQ(ask_now(journey.state(), payment_start), std::nullopt) << "it is being asked for";
}

TEST(Accepted, WhatSaysWhatItIsPaidWithIsNotForWorkersThatCannotKnowIt) {
  auto transaction = queued_transaction();
  transaction.payment_method = R"({"stripe":"pm_1"})";
  const auto state = accepted(std::move(transaction));
  EXPECT_EQ(state.transaction.status, Status::processing);
  ASSERT_EQ(state.operations.size(), 1U);
  EXPECT_EQ(state.operations.front().psp, "");
  EXPECT_EQ(why_broken(state), std::nullopt);
}

// --- Failover ----------------------------------------------------------------------------------

// Two accounts, in this order.
class FirstThenSecond final : public Accounts {
 public:
  std::expected<std::string, NoAccount> choose(const State& state, Timestamp) const override {
    if (none) return std::unexpected(*none);
    for (const char* name : {"first", "second"}) {
      if (!was_asked(state, name)) return name;
    }
    return std::unexpected(NoAccount{"all were asked"});
  }
  bool has(std::string_view account) const override { return account == "first" || account == "second"; }
  std::expected<std::string, Rejected> encode(const State& state, const Operation& operation) const override {
    return encode_for_test(state, operation) + " at " + operation.psp;
  }

  std::optional<NoAccount> none;
};

class FailoverTest : public ::testing::Test {
 protected:
  void claim_next() {
    now_ = step_.state.transaction.next_action_at.value();
    step_ = claim(std::move(step_.state), accounts_, now_, policy_);
  }
  void answer(const Answer& answer, milliseconds after = milliseconds(1000)) {
    now_ += after;
    step_ = answered(std::move(step_), answer, accounts_, now_, policy_);
    EXPECT_EQ(why_broken(step_.state), std::nullopt);
  }
  const Operation& operation(std::size_t number) const { return step_.state.operations.at(number - 1); }
  std::size_t operations() const { return step_.state.operations.size(); }
  const Transaction& transaction() const { return step_.state.transaction; }

  RetryPolicy policy_;
  FirstThenSecond accounts_;
  Timestamp now_ = payment_start;
  Step step_{{queued_transaction(), {}}, Action::none, 0};
};

TEST_F(FailoverTest, AfterASoftDeclineAnotherAccountIsAskedUnderAKeyOfItsOwn) {
  claim_next();
  EXPECT_EQ(operation(1).psp, "first");
  answer(no_money);
  ASSERT_EQ(operations(), 2U);
  EXPECT_EQ(step_.action, Action::none) << "the intent is stored first";
  EXPECT_EQ(operation(1).phase, Phase::declined);
  EXPECT_EQ(operation(2).phase, Phase::requested);
  EXPECT_EQ(operation(2).due_at, now_);
  EXPECT_EQ(transaction().status, Status::processing);
  claim_next();
  EXPECT_EQ(step_.action, Action::send);
  EXPECT_EQ(operation(2).psp, "second");
  EXPECT_EQ(operation(2).amount, dollars(1000));
  EXPECT_THAT(operation(2).request, ::testing::EndsWith("at second"));
  EXPECT_NE(operation(2).idempotency_key, operation(1).idempotency_key);
  answer(ten_dollars_taken);
  EXPECT_EQ(transaction().status, Status::captured);
  EXPECT_EQ(transaction().captured_minor, 1000);
}

TEST_F(FailoverTest, EachAccountIsAskedOnce) {
  claim_next();
  answer(no_money);
  claim_next();
  answer(no_money);
  EXPECT_EQ(operations(), 2U);
  EXPECT_EQ(transaction().status, Status::declined);
  EXPECT_EQ(transaction().reason, "51");
}

TEST_F(FailoverTest, WhereNothingReachedTheFirstItFailsAndAnotherIsAskedAtOnce) {
  claim_next();
  answer(NotSent{"connection refused"});
  ASSERT_EQ(operations(), 2U);
  EXPECT_EQ(operation(1).phase, Phase::failed);
  EXPECT_EQ(operation(1).psp, "first");
  EXPECT_EQ(operation(1).reason.message, "connection refused");
  EXPECT_EQ(operation(2).due_at, now_);
  claim_next();
  EXPECT_EQ(operation(2).psp, "second");
  answer(NotSent{"connection refused"});
  EXPECT_EQ(operations(), 2U) << "both were asked: the second is tried again, as one account is";
  EXPECT_EQ(operation(2).phase, Phase::requested);
}

TEST_F(FailoverTest, NeverAfterWhatMayHaveReachedThePsp) {
  for (const Answer& said :
       {Answer(OutcomeUnknown{"time-out"}), Answer(Pending{"ref", {}}), Answer(ActionRequired{"ref", {}}),
        Answer(Contradicted{"another's", "ref"}), Answer(Rejected{"wrong key"}),
        Answer(Declined{{"14", "no such card", ReasonKind::hard_decline}, "ref", {}})}) {
    step_ = {{queued_transaction(), {}}, Action::none, 0};
    now_ = payment_start;
    claim_next();
    answer(said);
    EXPECT_EQ(operations(), 1U) << said.index();
  }
  step_ = {{queued_transaction(), {}}, Action::none, 0};
  claim_next();
  answer(OutcomeUnknown{"time-out"});
  claim_next();
  step_ = found(std::move(step_), NoSuchOperation{}, accounts_, now_, policy_);
  ASSERT_EQ(step_.action, Action::send);
  answer(NotSent{"connection refused"});
  EXPECT_EQ(operations(), 1U) << "the first may still be on its way";
  claim_next();
  step_ = found(std::move(step_), NotSent{"connection refused"}, accounts_, now_, policy_);
  EXPECT_EQ(operations(), 1U) << "which is the question's own failure";
}

TEST_F(FailoverTest, NotForACustomerWhoHasGone) {
  claim_next();
  answer(no_money, policy_.fail_over_max + milliseconds(1));
  EXPECT_EQ(operations(), 1U);
  EXPECT_EQ(transaction().status, Status::declined);
}

TEST_F(FailoverTest, ADeclineThatIsLearnedByAskingFreesForAnotherToo) {
  claim_next();
  answer(OutcomeUnknown{"time-out"});
  claim_next();
  step_ = found(std::move(step_), no_money, accounts_, now_, policy_);
  EXPECT_EQ(operations(), 2U);
}

TEST_F(FailoverTest, OnlyAuthorizationsHaveAnotherAccountToGoTo) {
  claim_next();
  answer(ten_dollars_taken);
  Request wanted;
  wanted.kind = Kind::refund;
  step_.state = request(step_.state, wanted, now_).value();
  claim_next();
  EXPECT_EQ(operation(2).psp, "first");
  answer(no_money);
  EXPECT_EQ(operations(), 2U);
  EXPECT_EQ(transaction().status, Status::captured);
}

TEST_F(FailoverTest, WaitsForAnAccountThatMayBeBackAndFailsInTheEnd) {
  accounts_.none = NoAccount{"the breaker of first is open", true};
  claim_next();
  EXPECT_EQ(step_.action, Action::none);
  EXPECT_EQ(operation(1).phase, Phase::requested);
  EXPECT_EQ(operation(1).sends, 0);
  EXPECT_EQ(transaction().reason, "the breaker of first is open");
  const auto begun = now_;
  while (transaction().status == Status::processing) claim_next();
  EXPECT_EQ(transaction().status, Status::failed);
  EXPECT_GT(now_ - begun, policy_.no_account_max);
  EXPECT_LT(now_ - begun, policy_.no_account_max * 2);
}

TEST_F(FailoverTest, TakesTheAccountOnceItIsBack) {
  accounts_.none = NoAccount{"the breaker of first is open", true};
  claim_next();
  accounts_.none.reset();
  claim_next();
  EXPECT_EQ(step_.action, Action::send);
  EXPECT_EQ(operation(1).psp, "first");
}

TEST_F(FailoverTest, WhatNoAccountCanEverTakeIsRejected) {
  accounts_.none = NoAccount{"no rule matches"};
  claim_next();
  EXPECT_EQ(operation(1).phase, Phase::rejected);
  EXPECT_EQ(transaction().status, Status::failed);
  EXPECT_EQ(transaction().reason, "no rule matches");
}

TEST(RetryPolicyTest, KnowsTheLongestItPutsAnythingOff) {
  const RetryPolicy policy;
  EXPECT_EQ(longest_delay(policy), policy.look_up_delay_max);
  RetryPolicy patient;
  patient.lease = hours(1);
  EXPECT_EQ(longest_delay(patient), hours(1));
  RetryPolicy alone;
  alone.elsewhere_delay_max = hours(2);
  EXPECT_EQ(longest_delay(alone), hours(2));
  RetryPolicy stubborn;
  stubborn.sends_max = 20;
  EXPECT_GE(longest_delay(stubborn), stubborn.retry_delay * (1 << 18)) << "the last try's";
}

TEST(Fingerprint, IsSha256) {
  const auto digest = fingerprint("abc");
  ASSERT_EQ(digest.size(), 32U);
  EXPECT_THAT(digest, StartsWith("\xba\x78\x16\xbf"));  // FIPS 180-2, B.1
  EXPECT_NE(fingerprint("abd"), digest);
  EXPECT_EQ(fingerprint("").size(), 32U);
}

}  // namespace
}  // namespace switchyard::payment
