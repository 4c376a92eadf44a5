#include "routing/explain.hpp"

#include <random>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "routing/testing.hpp"

namespace switchyard::routing {
namespace {

using switchyard::testing::asked_at_noon;
using switchyard::testing::money_of;
using switchyard::testing::routes_of;
using switchyard::testing::routing_example;
using switchyard::testing::with_accounts;
using ::testing::ElementsAre;

std::vector<std::string> lines(const Routes& routes, const Asked& asked, const AccountSet& tried = {}) {
  return lines_of(explain(routes, asked, tried), routes);
}

TEST(Explanation, SaysWhichRuleMatchedAndWhatTheOthersMissed) {
  const auto routes = routes_of(routing_example);
  auto asked = asked_at_noon();
  asked.payment_methods.set(0);
  asked.metadata = {{"channel", "web"}, {"tier", "gold"}};
  asked.available.reset(*routes.find_account("stripe_us"));
  EXPECT_THAT(
      lines(routes, asked),
      ElementsAre(
          "rule 'try out' (line 27) does not match: metadata's 'channel' is 'web', not 'test'",
          "rule 'large at night' (line 32) does not match: currency is USD, not EUR or SEK; amount is 1000, "
          "below 50000; weekday is wed, not sun or sat; time is 12:00, not in 22:00-06:00",
          "rule 3 (line 38) matches; 2 behind it are not looked at", "weights: stripe_us 1",
          "draw 1 is 0 of 1, stripe_us: its breaker is open",
          "fallback 1 is adyen_main: no payment_method for its adapter",
          "fallback 2 is stripe_eu: can take it", "goes to stripe_eu, as a fallback"));
  asked.amount = money_of(20'000, "SEK");
  asked.metadata.clear();
  asked.merchant = {2};
  EXPECT_THAT(
      lines(routes, asked),
      ElementsAre("rule 'try out' (line 27) does not match: merchant is 2, not 1 or 3; metadata has no "
                  "'channel'",
                  "rule 'large at night' (line 32) does not match: amount is 20000, below 50000; weekday is "
                  "wed, not sun or sat; time is 12:00, not in 22:00-06:00",
                  "rule 3 (line 38) does not match: currency is SEK, not USD; metadata has no 'tier'",
                  "rule 'only Adyen' (line 44) does not match: amount is 20000, above 9999; no "
                  "payment_method for adyen; time is 12:00, not in 09:00-12:00 or 13:00-24:00",
                  "rule 'rest' (line 49) matches", "weights: stripe_eu 3, stripe_us 2, adyen_main 1",
                  "draw 1 is 2 of 6, stripe_eu: can take it",
                  "draw 2 is 1 of 3, stripe_us: its breaker is open",
                  "draw 3 is 0 of 1, adyen_main: no payment_method for its adapter",
                  "fallback 1 is sim: can take it", "goes to stripe_eu, by weight"));
}

TEST(Explanation, SaysWhyItGoesNowhere) {
  const auto routes = routes_of(with_accounts(
      "a",
      "[[rule]]\nwhen.merchant = [2, 3, 4, 5, 6, 7, 8]\npsp = \"a\"\n[[rule]]\nwhen.currency = \"EUR\"\n"
      "psp = \"a\"\n"));
  auto asked = asked_at_noon();
  EXPECT_THAT(
      lines(routes, asked),
      ElementsAre("rule 1 (line 3) does not match: merchant is 1, not 2, 3, 4, 5, 6 or another one of 7",
                  "rule 2 (line 6) does not match: currency is USD, not EUR",
                  "goes nowhere: no rule matches"));
  asked.merchant = {2};
  EXPECT_THAT(
      lines(routes, asked, AccountSet().set(0)),
      ElementsAre("rule 1 (line 3) matches; 1 behind it are not looked at", "weights: a 1",
                  "draw 1 is 0 of 1, a: was tried", "goes nowhere: each account that can take it was tried"));
  EXPECT_THAT(lines(only_simulator(), asked),
              ElementsAre("rule 'no routing file' matches", "weights: simulator 1",
                          "draw 1 is 0 of 1, simulator: can take it", "goes to simulator, by weight"));
}

// From a seed that is printed.
TEST(Explanation, IsOfWhatIsChosen) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937_64 random(seed);
  const auto routes = routes_of(routing_example);
  auto asked = asked_at_noon();
  for (int i = 0; i < 2'000; ++i) {
    for (auto& byte : asked.id.value.bytes) byte = static_cast<std::uint8_t>(random());
    asked.merchant = {static_cast<std::int64_t>(random() % 5)};
    asked.amount = money_of(static_cast<std::int64_t>(random() % 100'000), random() % 2 == 0 ? "USD" : "EUR");
    asked.created_at += std::chrono::minutes(random() % 1'000);
    asked.payment_methods = Adapters(random() % 8);
    asked.available = AccountSet(random() % 16);
    const AccountSet tried(random() % 16);
    const auto explanation = explain(routes, asked, tried);
    ASSERT_EQ(explanation.result, choose(routes, asked, tried));
    const auto found = std::ranges::find(explanation.candidates, Standing::can_take_it, &Candidate::standing);
    ASSERT_EQ(found != explanation.candidates.end(), explanation.result.has_value());
    if (explanation.result) {
      ASSERT_EQ(found->account, explanation.result->account);
      ASSERT_EQ(found->how, explanation.result->how);
      ASSERT_TRUE(explanation.rules.back().unmet.empty());
    }
    for (const auto& verdict : explanation.rules) {
      ASSERT_EQ(verdict.unmet.size(), verdict.reasons.size());
      for (const auto& reason : verdict.reasons) ASSERT_FALSE(reason.empty());
    }
  }
}

}  // namespace
}  // namespace switchyard::routing
