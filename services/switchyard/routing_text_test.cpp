#include "switchyard/routing_text.hpp"

#include <gmock/gmock.h>

#include "routing/testing.hpp"

namespace switchyard::cli {
namespace {

using switchyard::testing::asked_at_noon;
using switchyard::testing::routes_of;
using switchyard::testing::routing_example;
using switchyard::testing::with_accounts;
using ::testing::ElementsAre;

std::vector<payment::Operation> sent_to(std::string account) {
  payment::Operation operation{.amount = asked_at_noon().amount, .phase = payment::Phase::declined};
  operation.psp = std::move(account);
  operation.reason.kind = payment::ReasonKind::soft_decline;
  return {operation};
}

TEST(Summary, NamesEachAccountAndWhatEachRuleTakesAndWhereItSendsIt) {
  EXPECT_THAT(
      summary_of(routes_of(routing_example)),
      ElementsAre(
          "account stripe_eu (line 2): stripe", "account stripe_us (line 8): stripe",
          "account adyen_main (line 14): adyen, live: money moves", "account sim (line 23): simulator",
          "rule 'try out' (line 27): merchant is 1 or 3; metadata's 'channel' is 'test' -> sim",
          "rule 'large at night' (line 32): currency is EUR or SEK; amount is 50000 or more; weekday is sun "
          "or sat; time is in 22:00-06:00 -> stripe_eu 70, adyen_main 30; fallback stripe_us",
          "rule 3 (line 38): currency is USD; metadata's 'tier' is 'gold' or 'silver'; metadata's 'channel' "
          "is 'web' -> stripe_us; fallback adyen_main, stripe_eu",
          "rule 'only Adyen' (line 44): amount is 1 to 9999; payment_method for adyen; time is in "
          "09:00-12:00 or 13:00-24:00 -> adyen_main",
          "rule 'rest' (line 49): everything -> stripe_eu 3, stripe_us 2, adyen_main 1; fallback sim"));
}

TEST(PaymentText, SaysAllThatRulesMayAskFor) {
  auto asked = asked_at_noon();
  EXPECT_THAT(
      payment_text(asked),
      ElementsAre("payment 017f22e2-79b0-7cc3-98c4-dc0c0c07398f: 10.00 USD of merchant 1",
                  "made at 2026-01-07T12:00:00.000Z, wed 12:00 UTC", "payment_method: none; metadata: none"));
  asked.payment_methods.set();
  asked.metadata = {{"channel", "web"}, {"n\x1b[1m", "\n"}};
  EXPECT_EQ(payment_text(asked)[2],
            "payment_method: stripe, adyen; metadata: 'channel' = 'web', 'n [1m' = ' '");
}

TEST(FactText, StandsBesideWhatTheRulesSay) {
  const auto routes = routes_of(with_accounts("a b", "[[rule]]\npsp = \"a\"\nfallback = \"b\"\n"));
  const auto said = choose(routes, asked_at_noon(), {});
  EXPECT_THAT(fact_text({}, said, routes), ElementsAre("in fact: nothing was sent yet"));
  EXPECT_THAT(fact_text(sent_to("a"), said, routes),
              ElementsAre("in fact: operation 1 went to a, declined (soft_decline)",
                          "it went where these rules send it"));
  EXPECT_THAT(
      fact_text(sent_to("b"), said, routes),
      ElementsAre("in fact: operation 1 went to b, declined (soft_decline)",
                  "it went elsewhere: the rules were others, or an account was unavailable at that time"));
  EXPECT_THAT(fact_text(sent_to("x\n"), said, routes),
              ElementsAre("in fact: operation 1 went to x , declined (soft_decline)",
                          "it went elsewhere: there is no account x  in this file"));
  EXPECT_THAT(fact_text(sent_to(""), said, routes),
              ElementsAre("in fact: operation 1 was not sent yet, declined (soft_decline)"));
  EXPECT_TRUE(went_as_said(sent_to("a"), said, routes));
  EXPECT_FALSE(went_as_said(sent_to("b"), said, routes));
  EXPECT_FALSE(went_as_said(sent_to("a"), std::unexpected(routing::NoChoice{}), routes));
}

TEST(FactText, KnowsOnlyAuthorizationsAsRouted) {
  payment::State state{.transaction = {.id = {}, .merchant_id = {}, .amount = asked_at_noon().amount},
                       .operations = sent_to("a")};
  auto refund = state.operations.front();
  refund.kind = payment::Kind::refund;
  state.operations.push_back(refund);
  EXPECT_EQ(authorizations_of(state).size(), 1U);
}

}  // namespace
}  // namespace switchyard::cli
