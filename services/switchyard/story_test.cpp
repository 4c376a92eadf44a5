#include "switchyard/story.hpp"

#include <fmt/ranges.h>
#include <gmock/gmock.h>

#include "payment/request.hpp"
#include "payment/state_machine.hpp"

namespace switchyard::cli {
namespace {

using namespace std::chrono_literals;
using payment::Phase;
using payment::State;
using payment::Step;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* id = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
constexpr Timestamp start{1'700'000'000'000ms};  // 2023-11-14T22:13:20Z
const Money amount(2500, *Currency::parse("EUR"));
const payment::RetryPolicy policy;

State queued(payment::CaptureMethod method = payment::CaptureMethod::automatic) {
  payment::Transaction transaction{.id = {*Uuid::parse(id)}, .merchant_id = {7}, .amount = amount};
  transaction.capture_method = method;
  transaction.next_action_at = start;
  transaction.created_at = transaction.updated_at = start;
  return {std::move(transaction), {}};
}

const payment::OneAccount simulator{"simulator", [](const auto&, const auto&) { return "{}"; }};

Step claim(State state, Timestamp now = start) {
  return payment::claim(std::move(state), simulator, now, policy);
}

// After one answer to its authorization.
State after(const payment::Answer& answer,
            payment::CaptureMethod method = payment::CaptureMethod::automatic) {
  return payment::answered(claim(queued(method)), answer, simulator, start + 1s, policy).state;
}

std::string story_of(const State& state, Timestamp now = start + 1s) {
  return fmt::format("{}", fmt::join(tell_story(state, "alice (user_id 7)", now), "\n"));
}

TEST(Story, TellsWhatWasAccepted) {
  auto state = queued();
  state.transaction.reference = "order-4711";
  EXPECT_THAT(
      story_of(state, start - 1s),
      AllOf(HasSubstr("Transaction 017f22e2-79b0-7cc3-98c4-dc0c0c07398f: 25.00 EUR, queued"),
            HasSubstr("2023-11-14T22:13:20.000Z  accepted from alice (user_id 7), to be captured at once"),
            HasSubstr("the merchant's reference: order-4711"),
            HasSubstr("a PSP knows it as: 017f22e2-79b0-7cc3-98c4-dc0c0c07398f"),
            HasSubstr(
                "next: nothing was sent to a PSP yet; a connector takes it at 2023-11-14T22:13:20.000Z")));
  EXPECT_THAT(story_of(queued(payment::CaptureMethod::manual)), HasSubstr("to be held until it is captured"));
}

TEST(Story, TellsWhatIsOverdueAndWhereToLook) {
  EXPECT_THAT(
      story_of(queued(), start + 1h),
      HasSubstr("now: it has been due since 2023-11-14T22:13:20.000Z; if that lasts, no connector is at "
                "work, see: switchyard doctor"));
}

TEST(Story, OfWhatIsBeingSentNamesKeyPspAndLease) {
  EXPECT_THAT(
      story_of(claim(queued()).state),
      AllOf(HasSubstr("Operation 1: authorize of 25.00 EUR, sent"),
            HasSubstr("2023-11-14T22:13:20.000Z  first sent to simulator"), HasSubstr("sent once in all"),
            HasSubstr("its key at the PSP: 7-017f22e2-79b0-7cc3-98c4-dc0c0c07398f-1"),
            HasSubstr("rule: whoever sent it has until the end of the lease to save the answer"),
            HasSubstr("next: the answer is saved, or the lease ends at 2023-11-14T22:13:35.000Z")));
}

TEST(Story, OfWhatSucceededSaysWhatBecameOfTheMoney) {
  EXPECT_THAT(story_of(after(payment::Succeeded{"ch_17", amount})),
              AllOf(HasSubstr("the PSP calls it: ch_17"),
                    HasSubstr("2023-11-14T22:13:21.000Z  its outcome was known"),
                    HasSubstr("rule: it is over: 25.00 EUR was taken"),
                    HasSubstr("authorized 25.00 EUR, held 0.00 EUR, captured 25.00 EUR, refunded 0.00 EUR"),
                    HasSubstr("next: nothing, unless the merchant asks for an operation")));
  EXPECT_THAT(story_of(after(payment::Succeeded{"ch_17", amount}, payment::CaptureMethod::manual)),
              AllOf(HasSubstr("25.00 EUR is held, and can be captured"), HasSubstr("held 25.00 EUR")));
}

TEST(Story, OfADeclineHasCodeMessageAndKind) {
  const payment::Reason reason{"51", "not enough", payment::ReasonKind::soft_decline};
  EXPECT_THAT(
      story_of(after(payment::Declined{reason, "ch_1", {}})),
      AllOf(HasSubstr("what was said of it: not enough, code 51; soft decline: the issuer may say yes"),
            HasSubstr("rule: it is over: a decline is a result"), Not(HasSubstr("doctor"))));
}

TEST(Story, OfWhatThePspRefusedSaysWhoseFaultItIs) {
  EXPECT_THAT(story_of(after(payment::Rejected{"no such account"})),
              AllOf(HasSubstr("what was said of it: no such account; the PSP does not take what we send"),
                    HasSubstr("must be mended")));
}

TEST(Story, OfWhatDidNotArriveSaysWhenItIsSentAgain) {
  auto state = after(payment::NotSent{"connection refused"});
  EXPECT_THAT(story_of(state),
              AllOf(HasSubstr("connection refused"),
                    HasSubstr("rule: what provably did not arrive is sent again, under the same key"),
                    HasSubstr("next: a connector sends it again at 2023-11-14T22:13:21.500Z")));
  for (auto now = start + 2s; payment::is_open(state.transaction.status); now += 1min) {
    state = payment::answered(claim(std::move(state), now), payment::NotSent{"connection refused"}, simulator,
                              now, policy)
                .state;
  }
  EXPECT_THAT(story_of(state), AllOf(HasSubstr("sent 3 times in all"), HasSubstr("it did not happen")));
}

TEST(Story, OfAnUnknownOutcomeSaysThatThePspIsAskedAndWhen) {
  EXPECT_THAT(story_of(after(payment::OutcomeUnknown{"no answer"})),
              AllOf(HasSubstr("authorize of 25.00 EUR, unknown"), HasSubstr("looked up at the PSP: once"),
                    HasSubstr("that PSP is asked and no other"),
                    HasSubstr("next: a connector asks the PSP at 2023-11-14T22:13:21.500Z")));
}

TEST(Story, OfWhatTakesTimeSaysWhoIsWaitedFor) {
  EXPECT_THAT(story_of(after(payment::Pending{"ch_1", {}})), HasSubstr("says later what came of it"));
  EXPECT_THAT(story_of(after(payment::ActionRequired{"ch_1", {}})),
              HasSubstr("the PSP waits for the customer"));
}

TEST(Story, OfAReviewHasTheCommandThatEndsIt) {
  const auto state = after(payment::Contradicted{"the PSP has 1 EUR", "ch_9"});
  EXPECT_THAT(
      story_of(state),
      AllOf(HasSubstr("the PSP has 1 EUR"), HasSubstr("nobody but a person can find out"),
            HasSubstr("switchyard transaction resolve 017f22e2-79b0-7cc3-98c4-dc0c0c07398f --operation 1 "
                      "(--succeeded | --did-not-happen) --note TEXT"),
            HasSubstr("next: nothing, until a person decides")));
  const auto resolved =
      payment::resolve(state, 1, {.succeeded = false, .psp_reference = {}, .note = "asked them"}, start + 1h);
  ASSERT_TRUE(resolved);
  EXPECT_THAT(story_of(*resolved),
              AllOf(HasSubstr("a person ended it: asked them"), HasSubstr("it did not happen"),
                    Not(HasSubstr("transaction resolve"))));
}

TEST(Story, OfWhatWasTakenBackSaysThatTheTotalsWereLowered) {
  const auto state =
      payment::take_back(after(payment::Succeeded{"ch_17", amount}), 1, "returned", start + 1h);
  EXPECT_THAT(story_of(state),
              AllOf(HasSubstr("took that back; the totals are without it"), HasSubstr("captured 0.00 EUR")));
}

TEST(Story, OfLaterOperationsSaysWhichOneWaitsForWhich) {
  auto state = after(payment::Succeeded{"ch_17", amount});
  for (const std::int64_t minor : {100, 200}) {
    payment::Request wanted;
    wanted.amount_minor = minor;
    wanted.reference = "return-17";
    wanted.note = "too small";
    auto requested = payment::request(std::move(state), wanted, start + 2s);
    ASSERT_TRUE(requested);
    state = std::move(*requested);
  }
  EXPECT_THAT(story_of(state, start + 3s), AllOf(HasSubstr("Operation 2: refund of 1.00 EUR, requested"),
                                                 HasSubstr("the merchant's reference: return-17"),
                                                 HasSubstr("the merchant's reason: too small"),
                                                 HasSubstr("next: a connector sends it now"),
                                                 HasSubstr("it waits until operation 2 is resolved")));
  const auto answer = payment::Succeeded{"re_1", Money(100, amount.currency())};
  state = payment::answered(claim(std::move(state), start + 3s), answer, simulator, start + 3s, policy).state;
  EXPECT_THAT(story_of(state, start + 3s), HasSubstr("it is over: 1.00 EUR was given back"));
}

TEST(Story, KeepsWhatOthersWroteFromTheTerminal) {
  auto state = queued();
  state.transaction.reference = "a\x1b[2Jb\nc";
  for (const auto& line : tell_story(state, "al\nice", start)) {
    EXPECT_THAT(line, AllOf(Not(HasSubstr("\x1b")), Not(HasSubstr("\n"))));
  }
}

}  // namespace
}  // namespace switchyard::cli
