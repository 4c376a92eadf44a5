#include "payment/state_machine.hpp"

#include <vector>

#include <gmock/gmock.h>

#include "payment/fingerprint.hpp"

namespace switchyard::payment {
namespace {

using std::chrono::milliseconds;
using ::testing::StartsWith;

constexpr Timestamp start{milliseconds(1'700'000'000'000)};
constexpr const char* example_id = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
const Money ten_dollars(1000, *Currency::parse("USD"));

Transaction new_transaction(CaptureMethod method = CaptureMethod::automatic) {
  return {.id = {*Uuid::parse(example_id)},
          .merchant_id = {1},
          .amount = ten_dollars,
          .capture_method = method,
          .next_action_at = start,
          .reason = {},
          .created_at = start,
          .updated_at = start};
}

// A transaction on its way through the machine, with a clock that each event moves by one second.
class Journey {
 public:
  explicit Journey(CaptureMethod method = CaptureMethod::automatic, RetryPolicy policy = {})
      : policy_(policy), state_{new_transaction(method), std::nullopt} {}

  Action feed(const Event& event) {
    now_ += milliseconds(1000);
    auto transition = apply(state_, event, now_, policy_);
    state_ = std::move(transition.state);
    return transition.action;
  }

  // A claim at the moment at which the transaction is due.
  Action claim(std::string_view psp = "psp") {
    now_ = *state_.transaction.next_action_at - milliseconds(1000);
    return feed(Claimed{psp});
  }

  const Transaction& transaction() const { return state_.transaction; }
  const State& state() const { return state_; }
  const Attempt& attempt() const { return *state_.attempt; }
  Timestamp now() const { return now_; }
  milliseconds until_next_action() const { return *state_.transaction.next_action_at - now_; }

 private:
  RetryPolicy policy_;
  State state_;
  Timestamp now_ = start;
};

// --- Claims ------------------------------------------------------------------------------------

TEST(Claim, OfAQueuedTransactionWritesDownTheIntentAndThenAuthorizes) {
  Journey journey;
  EXPECT_EQ(journey.claim(), Action::authorize);
  EXPECT_EQ(journey.transaction().status, Status::processing);
  EXPECT_EQ(journey.transaction().attempt_count, 1);
  EXPECT_EQ(journey.attempt().number, 1);
  EXPECT_EQ(journey.attempt().psp, "psp");
  EXPECT_EQ(journey.attempt().status, AttemptStatus::started);
  EXPECT_EQ(journey.attempt().started_at, journey.now());
  EXPECT_EQ(journey.attempt().ended_at, std::nullopt);
  EXPECT_EQ(journey.attempt().idempotency_key, "1-" + std::string(example_id) + "-1");
  EXPECT_EQ(journey.attempt().request_fingerprint, fingerprint(request_bytes(journey.transaction())));
}

TEST(Claim, LastsForTheLease) {
  Journey journey(CaptureMethod::automatic, {.lease = milliseconds(4321)});
  journey.claim();
  EXPECT_EQ(journey.until_next_action(), milliseconds(4321));
}

TEST(Claim, RaisesTheEpochEachTime) {
  Journey journey;
  for (std::int64_t claims = 1; claims <= 5; ++claims) {
    journey.claim();
    EXPECT_EQ(journey.transaction().epoch, claims);
  }
}

TEST(Outcome, LeavesTheEpochAlone) {
  for (const Event& outcome :
       std::vector<Event>{Approved{"ref"}, Declined{}, NotSent{"refused"}, OutcomeUnknown{}}) {
    Journey journey;
    journey.claim();
    journey.feed(outcome);
    EXPECT_EQ(journey.transaction().epoch, 1);
  }
}

TEST(Claim, AfterALeaseThatRanOutAsksAboutTheAttemptInsteadOfMakingAnother) {
  Journey journey;
  journey.claim();
  const auto key = journey.attempt().idempotency_key;

  EXPECT_EQ(journey.claim(), Action::look_up);
  EXPECT_EQ(journey.transaction().status, Status::unknown);
  EXPECT_EQ(journey.transaction().attempt_count, 1);
  EXPECT_EQ(journey.attempt().number, 1);
  EXPECT_EQ(journey.attempt().status, AttemptStatus::unknown);
  EXPECT_EQ(journey.attempt().idempotency_key, key);

  EXPECT_EQ(journey.claim(), Action::look_up) << "also when the look-up's worker died";
  EXPECT_EQ(journey.transaction().attempt_count, 1);
}

TEST(Claim, OfAnUnknownTransactionLooksItUp) {
  Journey journey;
  journey.claim();
  journey.feed(OutcomeUnknown{"time-out"});
  EXPECT_EQ(journey.claim(), Action::look_up);
  EXPECT_EQ(journey.transaction().attempt_count, 1);
}

TEST(Claim, AfterAnAttemptThatWasNotSentStartsANewOneWithAKeyOfItsOwn) {
  Journey journey;
  journey.claim();
  journey.feed(NotSent{"connection refused"});
  EXPECT_EQ(journey.claim(), Action::authorize);
  EXPECT_EQ(journey.transaction().status, Status::processing);
  EXPECT_EQ(journey.attempt().number, 2);
  EXPECT_EQ(journey.attempt().status, AttemptStatus::started);
  EXPECT_EQ(journey.attempt().idempotency_key, "1-" + std::string(example_id) + "-2");
}

TEST(Claim, TwoMerchantsWithOneIdHaveTwoKeys) {
  auto other = new_transaction();
  other.merchant_id = {2};
  const auto claimed = apply({other, std::nullopt}, Claimed{"psp"}, start, {});
  Journey journey;
  journey.claim();
  EXPECT_NE(claimed.state.attempt->idempotency_key, journey.attempt().idempotency_key);
}

TEST(Claim, AnAttemptThatAnOlderVersionMadeKeepsItsKey) {
  Journey journey;
  journey.claim();
  journey.feed(OutcomeUnknown{"time-out"});
  auto state = journey.state();
  state.attempt->idempotency_key = std::string(example_id) + "-1";
  const auto claimed = apply(state, Claimed{"psp"}, journey.now() + std::chrono::hours(1), {});
  ASSERT_EQ(claimed.action, Action::look_up);
  const auto again = apply(claimed.state, NoSuchCharge{}, journey.now() + std::chrono::hours(1), {});
  EXPECT_EQ(again.action, Action::authorize);
  EXPECT_EQ(again.state.attempt->idempotency_key, std::string(example_id) + "-1");
}

// --- Outcomes ----------------------------------------------------------------------------------

TEST(Contradiction, IsForAPersonWhetherItIsAnAnswerOrALookUp) {
  for (const bool looked_up : {false, true}) {
    Journey journey;
    journey.claim();
    if (looked_up) {
      journey.feed(OutcomeUnknown{"time-out"});
      journey.claim();
    }
    EXPECT_EQ(journey.feed(Contradicted{"the PSP has a charge of 1 JPY", "psp-ref"}), Action::none);
    EXPECT_EQ(journey.transaction().status, Status::manual_review);
    EXPECT_EQ(journey.transaction().reason, "the PSP has a charge of 1 JPY");
    EXPECT_EQ(journey.transaction().authorized_minor, 0);
    EXPECT_EQ(journey.transaction().captured_minor, 0);
    EXPECT_EQ(journey.transaction().next_action_at, std::nullopt) << "never tried again";
    EXPECT_EQ(journey.attempt().status, AttemptStatus::unknown);
    EXPECT_EQ(journey.attempt().psp_reference, "psp-ref");
  }
}

TEST(Outcome, OfWhateverTextIsKeptPrintableAndBounded) {
  const std::string text = "a\x1b[31mb 4111111111111111 " + std::string(100'000, 'x');
  for (const Event& outcome :
       std::vector<Event>{Approved{text}, Declined{text, DeclineKind::hard, text}, NotSent{text},
                          OutcomeUnknown{text}, Contradicted{text, text}, ReportedFailed{text}}) {
    for (const std::int32_t most : {0, 12}) {
      RetryPolicy policy;
      policy.attempts_max = most;
      policy.look_ups_max = most;
      Journey journey(CaptureMethod::automatic, policy);
      journey.claim();
      journey.feed(outcome);
      for (const auto& kept :
           {journey.transaction().reason, journey.attempt().reason, journey.attempt().psp_reference}) {
        if (kept.empty()) continue;
        EXPECT_THAT(kept, StartsWith("a [31mb [card number] xxx"));
        EXPECT_LE(kept.size(), 255U);
      }
    }
  }
}

TEST(Approval, OfAnAutomaticCaptureTakesTheMoney) {
  Journey journey(CaptureMethod::automatic);
  journey.claim();
  EXPECT_EQ(journey.feed(Approved{"psp-ref"}), Action::none);
  EXPECT_EQ(journey.transaction().status, Status::captured);
  EXPECT_EQ(journey.transaction().authorized_minor, 1000);
  EXPECT_EQ(journey.transaction().captured_minor, 1000);
  EXPECT_EQ(journey.transaction().refunded_minor, 0);
  EXPECT_EQ(journey.transaction().next_action_at, std::nullopt);
  EXPECT_EQ(journey.attempt().status, AttemptStatus::approved);
  EXPECT_EQ(journey.attempt().psp_reference, "psp-ref");
  EXPECT_EQ(journey.attempt().ended_at, journey.now());
}

TEST(Approval, OfAManualCaptureOnlyHoldsTheMoney) {
  Journey journey(CaptureMethod::manual);
  journey.claim();
  EXPECT_EQ(journey.feed(Approved{"psp-ref"}), Action::none);
  EXPECT_EQ(journey.transaction().status, Status::authorized);
  EXPECT_EQ(journey.transaction().authorized_minor, 1000);
  EXPECT_EQ(journey.transaction().captured_minor, 0);
  EXPECT_EQ(journey.transaction().next_action_at, std::nullopt);
}

TEST(Approval, FoundByALookUpCountsAsAnyOther) {
  Journey journey;
  journey.claim();
  journey.feed(OutcomeUnknown{"time-out"});
  journey.claim();
  EXPECT_EQ(journey.feed(Approved{"psp-ref"}), Action::none);
  EXPECT_EQ(journey.transaction().status, Status::captured);
  EXPECT_EQ(journey.transaction().reason, "") << "what was wrong in between is over";
  EXPECT_EQ(journey.attempt().reason, "");
}

TEST(Decline, EndsTheTransactionWithThePspsCode) {
  for (const auto kind : {DeclineKind::soft, DeclineKind::hard}) {
    Journey journey;
    journey.claim();
    EXPECT_EQ(journey.feed(Declined{"51", kind, "psp-ref"}), Action::none);
    EXPECT_EQ(journey.transaction().status, Status::declined);
    EXPECT_EQ(journey.transaction().reason, "51");
    EXPECT_EQ(journey.transaction().authorized_minor, 0);
    EXPECT_EQ(journey.transaction().captured_minor, 0);
    EXPECT_EQ(journey.transaction().next_action_at, std::nullopt);
    EXPECT_EQ(journey.attempt().status, AttemptStatus::declined);
    EXPECT_EQ(journey.attempt().reason, "51");
    EXPECT_EQ(journey.attempt().psp_reference, "psp-ref");
    EXPECT_EQ(journey.attempt().ended_at, journey.now());
  }
}

TEST(Decline, FoundByALookUpEndsTheTransaction) {
  Journey journey;
  journey.claim();
  journey.claim();
  EXPECT_EQ(journey.feed(Declined{"59", DeclineKind::hard, "psp-ref"}), Action::none);
  EXPECT_EQ(journey.transaction().status, Status::declined);
}

TEST(NotSent, IsTriedAgainWithADelayThatDoublesUntilTheTriesAreUsedUp) {
  Journey journey(CaptureMethod::automatic, {.attempts_max = 4, .retry_delay = milliseconds(500)});
  for (const int delay_ms : {500, 1000, 2000}) {
    EXPECT_EQ(journey.claim(), Action::authorize);
    EXPECT_EQ(journey.feed(NotSent{"connection refused"}), Action::none);
    EXPECT_EQ(journey.transaction().status, Status::processing);
    EXPECT_EQ(journey.transaction().reason, "connection refused");
    EXPECT_EQ(journey.until_next_action(), milliseconds(delay_ms));
    EXPECT_EQ(journey.attempt().status, AttemptStatus::not_sent);
    EXPECT_EQ(journey.attempt().ended_at, journey.now());
  }
  EXPECT_EQ(journey.claim(), Action::authorize);
  EXPECT_EQ(journey.feed(NotSent{"name not found"}), Action::none);
  EXPECT_EQ(journey.transaction().status, Status::failed);
  EXPECT_EQ(journey.transaction().reason, "name not found");
  EXPECT_EQ(journey.transaction().attempt_count, 4);
  EXPECT_EQ(journey.transaction().next_action_at, std::nullopt);
  EXPECT_EQ(journey.transaction().captured_minor, 0);
}

TEST(NotSent, DelaysNeverOverflow) {
  Journey journey(CaptureMethod::automatic, {.attempts_max = 100, .retry_delay = milliseconds(1)});
  for (int attempt = 1; attempt < 100; ++attempt) {
    ASSERT_EQ(journey.feed(Claimed{"psp"}), Action::authorize);
    journey.feed(NotSent{"connection refused"});
    ASSERT_GT(journey.until_next_action(), milliseconds(0)) << attempt;
  }
}

TEST(NotSent, WhileUnknownSaysNothingAboutAnEarlierSend) {
  Journey journey;
  journey.claim();
  journey.feed(OutcomeUnknown{"time-out"});
  journey.claim();
  EXPECT_EQ(journey.feed(NotSent{"connection refused"}), Action::none);
  EXPECT_EQ(journey.transaction().status, Status::unknown);
  EXPECT_EQ(journey.attempt().status, AttemptStatus::unknown);
  EXPECT_EQ(journey.attempt().ended_at, std::nullopt);
  EXPECT_EQ(journey.claim(), Action::look_up) << "no second attempt while the first may have arrived";
  EXPECT_EQ(journey.transaction().attempt_count, 1);
}

TEST(NotSent, OfAResendAfterALeaseThatRanOutStaysUnknown) {
  Journey journey;
  journey.claim();
  EXPECT_EQ(journey.claim(), Action::look_up);
  EXPECT_EQ(journey.feed(NoSuchCharge{}), Action::authorize);
  EXPECT_EQ(journey.feed(NotSent{"connection refused"}), Action::none);
  EXPECT_EQ(journey.transaction().status, Status::unknown)
      << "the dead worker's request may still be on its way";
  EXPECT_EQ(journey.claim(), Action::look_up);
}

TEST(OutcomeUnknown, IsLookedUpWithADelayThatDoublesUpToTheLongest) {
  Journey journey(
      CaptureMethod::automatic,
      {.look_ups_max = 6, .look_up_delay = milliseconds(500), .look_up_delay_max = milliseconds(3000)});
  EXPECT_EQ(journey.claim(), Action::authorize);
  int look_ups = 0;
  for (const int delay_ms : {500, 1000, 2000, 3000, 3000, 3000}) {
    EXPECT_EQ(journey.feed(OutcomeUnknown{"time-out"}), Action::none);
    EXPECT_EQ(journey.transaction().status, Status::unknown);
    EXPECT_EQ(journey.transaction().reason, "time-out");
    EXPECT_EQ(journey.until_next_action(), milliseconds(delay_ms));
    EXPECT_EQ(journey.attempt().status, AttemptStatus::unknown);
    EXPECT_EQ(journey.attempt().look_ups, ++look_ups);
    EXPECT_EQ(journey.attempt().ended_at, std::nullopt);
    EXPECT_EQ(journey.claim(), Action::look_up);
  }
}

TEST(OutcomeUnknown, IsGivenToAPersonWhenTheLookUpsAreUsedUp) {
  Journey journey(CaptureMethod::automatic, {.look_ups_max = 2});
  journey.claim();
  journey.feed(OutcomeUnknown{"time-out"});
  for (int look_up = 1; look_up <= 2; ++look_up) {
    EXPECT_EQ(journey.transaction().status, Status::unknown);
    EXPECT_EQ(journey.claim(), Action::look_up);
    EXPECT_EQ(journey.feed(OutcomeUnknown{"HTTP 502"}), Action::none);
  }
  EXPECT_EQ(journey.transaction().status, Status::manual_review);
  EXPECT_EQ(journey.transaction().reason, "HTTP 502");
  EXPECT_EQ(journey.transaction().next_action_at, std::nullopt);
  EXPECT_EQ(journey.transaction().captured_minor, 0);
  EXPECT_FALSE(is_resolved(journey.attempt().status));
}

TEST(OutcomeUnknown, ThatCannotEvenBeAskedForEndsInManualReviewToo) {
  Journey journey(CaptureMethod::automatic, {.look_ups_max = 3});
  journey.claim();
  journey.feed(OutcomeUnknown{"time-out"});
  for (int look_up = 1; look_up <= 3; ++look_up) {
    journey.claim();
    journey.feed(NotSent{"connection refused"});
  }
  EXPECT_EQ(journey.transaction().status, Status::manual_review);
}

TEST(NoSuchCharge, SendsTheIdenticalRequestUnderTheSameKey) {
  Journey journey;
  journey.claim();
  journey.feed(OutcomeUnknown{"time-out"});
  const auto sent = journey.attempt();
  journey.claim();
  EXPECT_EQ(journey.feed(NoSuchCharge{}), Action::authorize);
  EXPECT_EQ(journey.attempt().number, sent.number);
  EXPECT_EQ(journey.attempt().idempotency_key, sent.idempotency_key);
  EXPECT_EQ(journey.attempt().request_fingerprint, sent.request_fingerprint);
  EXPECT_EQ(journey.attempt().request_fingerprint, fingerprint(request_bytes(journey.transaction())));
  EXPECT_EQ(journey.transaction().attempt_count, 1);

  EXPECT_EQ(journey.feed(Approved{"psp-ref"}), Action::none);
  EXPECT_EQ(journey.transaction().status, Status::captured);
}

TEST(NoSuchCharge, OfARequestThatWouldDifferFromWhatWasSentIsLeftToAPerson) {
  const RetryPolicy policy;
  auto state = apply({new_transaction(), std::nullopt}, Claimed{"psp"}, start, policy).state;
  state = apply(std::move(state), Claimed{"psp"}, start + policy.lease, policy).state;
  state.attempt->request_fingerprint = fingerprint("what another version of the program sent");
  const auto after = apply(std::move(state), NoSuchCharge{}, start + policy.lease, policy);
  EXPECT_EQ(after.action, Action::none);
  EXPECT_EQ(after.state.transaction.status, Status::manual_review);
  EXPECT_EQ(after.state.transaction.next_action_at, std::nullopt);
}

TEST(Transition, StampsTheTimeOfTheChange) {
  Journey journey;
  journey.claim();
  EXPECT_EQ(journey.transaction().updated_at, journey.now());
  journey.feed(Approved{"psp-ref"});
  EXPECT_EQ(journey.transaction().updated_at, journey.now());
  EXPECT_EQ(journey.transaction().created_at, start);
}

// --- The request -------------------------------------------------------------------------------

TEST(RequestBytes, AreTheSameForTheSameTransactionWhateverItsState) {
  const auto before = new_transaction();
  Journey journey;
  journey.claim();
  journey.feed(OutcomeUnknown{"time-out"});
  EXPECT_EQ(request_bytes(journey.transaction()), request_bytes(before));
}

TEST(RequestBytes, DifferWithEachThingThatThePspIsAskedFor) {
  const auto original = request_bytes(new_transaction());
  auto other = new_transaction();
  other.id = {Uuid::generate()};
  EXPECT_NE(request_bytes(other), original);
  other = new_transaction();
  other.amount = Money(1001, *Currency::parse("USD"));
  EXPECT_NE(request_bytes(other), original);
  other = new_transaction();
  other.amount = Money(1000, *Currency::parse("EUR"));
  EXPECT_NE(request_bytes(other), original);
  other = new_transaction(CaptureMethod::manual);
  EXPECT_NE(request_bytes(other), original);
}

TEST(Fingerprint, IsSha256) {
  const auto digest = fingerprint("abc");
  ASSERT_EQ(digest.size(), 32U);
  EXPECT_THAT(digest, StartsWith("\xba\x78\x16\xbf"));  // FIPS 180-2, B.1
  EXPECT_NE(fingerprint("abd"), digest);
  EXPECT_EQ(fingerprint("").size(), 32U);
}

// --- What must never be ------------------------------------------------------------------------

Transaction captured_transaction() {
  auto transaction = new_transaction();
  transaction.status = Status::captured;
  transaction.authorized_minor = 1000;
  transaction.captured_minor = 1000;
  transaction.next_action_at.reset();
  return transaction;
}

TEST(Invariants, HoldForWhatTheMachineMakes) {
  assert_invariants(new_transaction());
  auto transaction = captured_transaction();
  assert_invariants(transaction);
  transaction.refunded_minor = 1000;
  transaction.status = Status::refunded;
  assert_invariants(transaction);
}

TEST(Invariants, AStatusFitsTheMoney) {
  for (const auto status : {Status::authorized, Status::voided, Status::partially_refunded, Status::refunded,
                            Status::declined, Status::failed, Status::manual_review}) {
    auto transaction = captured_transaction();
    transaction.status = status;
    EXPECT_TRUE(why_broken(transaction)) << to_string(status) << " with captured money";
  }
}

TEST(Invariants, SomethingIsDueWhereAWorkerHasSomethingToDo) {
  auto lost = new_transaction();
  lost.next_action_at.reset();
  EXPECT_THAT(std::string(why_broken(lost).value_or("")), ::testing::HasSubstr("nothing is due"));
  auto settled = captured_transaction();
  settled.next_action_at = start;
  EXPECT_THAT(std::string(why_broken(settled).value_or("")), ::testing::HasSubstr("something is due"));
}

TEST(Invariants, ClaimsAndAttemptsFitTheStatus) {
  auto claimed = new_transaction();
  claimed.epoch = 1;
  EXPECT_TRUE(why_broken(claimed)) << "queued, and claimed";
  auto started = new_transaction();
  started.status = Status::processing;
  EXPECT_TRUE(why_broken(started)) << "started, and no attempt";
  started.attempt_count = 1;
  EXPECT_TRUE(why_broken(started)) << "more attempts than claims";
  started.epoch = 1;
  EXPECT_FALSE(why_broken(started));
}

TEST(Invariants, TheLastAttemptFitsTheStatus) {
  const RetryPolicy policy;
  const auto begun = apply({new_transaction(), std::nullopt}, Claimed{"psp"}, start, policy).state;
  EXPECT_FALSE(why_broken(begun));
  EXPECT_TRUE(why_broken(State{begun.transaction, std::nullopt})) << "it is missing";
  auto charged = begun;
  charged.attempt->status = AttemptStatus::approved;
  EXPECT_TRUE(why_broken(charged)) << "another attempt would charge again";
  auto unknown = apply(begun, OutcomeUnknown{"no answer"}, start, policy).state;
  EXPECT_FALSE(why_broken(unknown));
  unknown.attempt->status = AttemptStatus::declined;
  EXPECT_TRUE(why_broken(unknown));
}

TEST(RetryPolicyTest, KnowsTheLongestItPutsAnythingOff) {
  const RetryPolicy policy;
  EXPECT_EQ(longest_delay(policy), policy.look_up_delay_max);
  RetryPolicy patient;
  patient.lease = std::chrono::hours(1);
  EXPECT_EQ(longest_delay(patient), std::chrono::hours(1));
}

template <class Change>
void expect_broken(Change change) {
  auto transaction = captured_transaction();
  change(transaction);
  EXPECT_DEATH(assert_invariants(transaction), "invariant broken");
}

TEST(InvariantsDeathTest, MoneyIsNeverMoreThanTheStepBefore) {
  expect_broken([](Transaction& transaction) { transaction.refunded_minor = 1001; });
  expect_broken([](Transaction& transaction) { transaction.captured_minor = 1001; });
  expect_broken([](Transaction& transaction) { transaction.authorized_minor = 1001; });
  expect_broken([](Transaction& transaction) { transaction.authorized_minor = 999; });
}

TEST(InvariantsDeathTest, MoneyIsNeverNegativeOrNothing) {
  expect_broken([](Transaction& transaction) { transaction.refunded_minor = -1; });
  expect_broken([](Transaction& transaction) { transaction.amount = Money(0, *Currency::parse("USD")); });
  expect_broken([](Transaction& transaction) { transaction.captured_minor = 0; });
}

TEST(InvariantsDeathTest, NothingIsDueInAFinalState) {
  for (const auto status : {Status::voided, Status::refunded, Status::declined, Status::failed}) {
    expect_broken([status](Transaction& transaction) {
      transaction.status = status;
      transaction.next_action_at = start;
    });
  }
}

TEST(StateMachineDeathTest, AnEventThatTheStateDoesNotAllowIsABug) {
  const RetryPolicy policy;
  for (const auto status : {Status::authorized, Status::captured, Status::voided, Status::partially_refunded,
                            Status::refunded, Status::declined, Status::failed, Status::manual_review}) {
    auto transaction = captured_transaction();
    transaction.status = status;
    const State settled{transaction, std::nullopt};
    EXPECT_DEATH(apply(settled, Claimed{"psp"}, start, policy), "invariant broken") << to_string(status);
    EXPECT_DEATH(apply(settled, Approved{"ref"}, start, policy), "invariant broken") << to_string(status);
  }
  const State never_sent{new_transaction(), std::nullopt};
  for (const Event& event :
       std::vector<Event>{Approved{}, Declined{}, NotSent{}, OutcomeUnknown{}, NoSuchCharge{}}) {
    EXPECT_DEATH(apply(never_sent, event, start, policy), "invariant broken") << "event " << event.index();
  }
  const auto sent_once = apply(never_sent, Claimed{"psp"}, start, policy).state;
  EXPECT_DEATH(apply(sent_once, NoSuchCharge{}, start, policy), "invariant broken")
      << "nobody has looked yet";
}

// --- Workers and PSPs that are not ours --------------------------------------------------------

TEST(Claim, NeverAsksAnotherPspAboutAnAttempt) {
  RetryPolicy policy;
  policy.look_ups_max = 2;
  Journey journey(CaptureMethod::automatic, policy);
  journey.claim("elsewhere");
  for (int look_up = 1; look_up <= 2; ++look_up) {
    EXPECT_EQ(journey.claim("psp"), Action::none);
    EXPECT_EQ(journey.transaction().status, Status::unknown);
    EXPECT_EQ(journey.attempt().psp, "elsewhere");
    EXPECT_THAT(journey.transaction().reason, StartsWith("the attempt was made at elsewhere"));
  }
  EXPECT_EQ(journey.claim("elsewhere"), Action::look_up) << "the PSP's own worker may still come";
  EXPECT_EQ(journey.feed(OutcomeUnknown{"time-out"}), Action::none);
  EXPECT_EQ(journey.transaction().status, Status::manual_review);
}

TEST(Settle, TakesTheWordOfAForeignWorker) {
  const auto settled = [](const Event& outcome) {
    return settle({new_transaction(), std::nullopt}, "rq-worker", outcome, start + milliseconds(1));
  };
  const auto captured = settled(Approved{});
  EXPECT_EQ(captured.transaction.status, Status::captured);
  EXPECT_EQ(captured.transaction.captured_minor, 1000);
  EXPECT_EQ(captured.transaction.epoch, 1);
  EXPECT_EQ(captured.transaction.next_action_at, std::nullopt);
  EXPECT_EQ(captured.attempt->psp, "rq-worker");
  EXPECT_EQ(captured.attempt->status, AttemptStatus::approved);

  const auto failed = settled(ReportedFailed{"ValueError: no"});
  EXPECT_EQ(failed.transaction.status, Status::failed);
  EXPECT_EQ(failed.transaction.reason, "ValueError: no");
  EXPECT_EQ(failed.transaction.next_action_at, std::nullopt) << "it may have been charged: never again";
  EXPECT_EQ(failed.attempt->status, AttemptStatus::failed);
  EXPECT_EQ(failed.attempt->ended_at, start + milliseconds(1));

  const auto unknown = settled(OutcomeUnknown{"the worker died"});
  EXPECT_EQ(unknown.transaction.status, Status::manual_review) << "nobody can be asked";
  EXPECT_EQ(unknown.transaction.reason, "the worker died");
}

TEST(Settle, WhatAForeignWorkerFailedItMayFinishLater) {
  const State queued{new_transaction(), std::nullopt};
  const auto failed = settle(queued, "rq-worker", ReportedFailed{"ValueError: no"}, start);
  ASSERT_TRUE(may_settle(failed, "rq-worker", Approved{}));
  const auto captured = settle(failed, "rq-worker", Approved{}, start + milliseconds(1));
  EXPECT_EQ(captured.transaction.status, Status::captured);
  EXPECT_EQ(captured.transaction.captured_minor, 1000);
  EXPECT_EQ(captured.transaction.reason, "");
  EXPECT_EQ(captured.transaction.next_action_at, std::nullopt);
  EXPECT_EQ(captured.transaction.epoch, 2);
  EXPECT_EQ(captured.attempt->number, 2) << "the try that failed stays on record";
  EXPECT_EQ(captured.attempt->status, AttemptStatus::approved);
  EXPECT_EQ(why_broken(captured), std::nullopt);
}

TEST(Settle, NobodyElseHasASay) {
  const State queued{new_transaction(), std::nullopt};
  const auto failed = settle(queued, "rq-worker", ReportedFailed{"ValueError: no"}, start);
  EXPECT_FALSE(may_settle(failed, "rq-worker", ReportedFailed{"again"})) << "it has failed already";
  EXPECT_FALSE(may_settle(failed, "another", Approved{}));
  const auto captured = settle(queued, "rq-worker", Approved{}, start);
  EXPECT_FALSE(may_settle(captured, "rq-worker", Approved{})) << "once";
  // It may have charged before it died: a second success would hide the first.
  const auto killed = settle(queued, "rq-worker", OutcomeUnknown{"killed"}, start);
  EXPECT_FALSE(may_settle(killed, "rq-worker", Approved{}));
  // One of ours is at it, or tried it in vain: only ours knows what is sent there.
  auto journey = apply(queued, Claimed{"psp"}, start, {});
  EXPECT_FALSE(may_settle(journey.state, "rq-worker", Approved{}));
  RetryPolicy once;
  once.attempts_max = 1;
  journey = apply(journey.state, NotSent{"no route"}, start, once);
  ASSERT_EQ(journey.state.transaction.status, Status::failed);
  EXPECT_FALSE(may_settle(journey.state, "psp", Approved{}));
}

}  // namespace
}  // namespace switchyard::payment
