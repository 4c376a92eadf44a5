#include "routing/warnings.hpp"

#include <gmock/gmock.h>

#include "routing/conditions.hpp"
#include "routing/testing.hpp"

namespace switchyard::routing {
namespace {

using switchyard::testing::routes_of;
using switchyard::testing::routing_example;
using switchyard::testing::with_accounts;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> warnings(std::string_view text) {
  std::vector<std::string> lines;
  for (const auto& warning : warnings_of(routes_of(text))) lines.push_back(to_string(warning));
  return lines;
}

When when_of(std::string_view when) {
  return routes_of(with_accounts("a", fmt::format("[[rule]]\nwhen = {{ {} }}\npsp = \"a\"\n", when)))
      .rules.front()
      .when;
}

TEST(Warnings, AreNoneOfAFileThatSaysWhatItMeans) {
  EXPECT_THAT(warnings(routing_example), IsEmpty());
  EXPECT_THAT(warnings_of(only_simulator()), IsEmpty());
}

TEST(Warnings, NameARuleBehindOneThatTakesAllOfIt) {
  EXPECT_THAT(
      warnings(with_accounts("a", R"([[rule]]
name = "two"
when.merchant = [7, 8]
psp = "a"
[[rule]]
when = { merchant = 7, currency = "EUR" }
psp = "a"
[[rule]]
psp = "a"
)")),
      ElementsAre("line 7, column 1: rule 2 never matches: rule 'two' in line 3 takes all that it would; put "
                  "it in front of that one, or leave it out"));
}

TEST(Warnings, NameAnAccountThatNoRuleNames) {
  EXPECT_THAT(
      warnings(with_accounts("a b c", "[[rule]]\npsp = \"a\"\nfallback = \"c\"\n")),
      ElementsAre("line 3, column 1: no rule names account 'b'; no new payment goes there; it may stand here "
                  "for captures and refunds of earlier ones"));
}

TEST(Warnings, SayThatAPaymentMayGoNowhere) {
  EXPECT_THAT(
      warnings(with_accounts("a", "[[rule]]\nwhen.currency = \"EUR\"\npsp = \"a\"\n")),
      ElementsAre("line 3, column 1: no rule takes all, and a payment that none matches goes nowhere; end "
                  "with a rule that has no 'when'"));
}

TEST(Warnings, AreNoneWhereARuleTakesAllByWhatItSays) {
  EXPECT_THAT(warnings(with_accounts("a", "[[rule]]\nwhen.amount = { min = 1 }\npsp = \"a\"\n")), IsEmpty());
  EXPECT_THAT(warnings(with_accounts("a", "[[rule]]\nwhen.time = \"00:00-24:00\"\npsp = \"a\"\n")),
              IsEmpty());
}

struct Case {
  std::string_view earlier;
  std::string_view later;
  bool is_covered;
};

TEST(Warnings, KnowWhenOneConditionCoversAnother) {
  constexpr auto cases = std::to_array<Case>({
      {R"(currency = ["EUR", "SEK"])", R"(currency = "SEK")", true},
      {R"(currency = "SEK")", R"(currency = ["EUR", "SEK"])", false},
      {R"(currency = "SEK")", R"(merchant = 7)", false},
      {R"(amount = { min = 100 })", R"(amount = { min = 100, max = 200 })", true},
      {R"(amount = { min = 101 })", R"(amount = { min = 100, max = 200 })", false},
      {R"(amount = { max = 199 })", R"(amount = { min = 100, max = 200 })", false},
      {R"(amount = { max = 199 })", R"(merchant = 7)", false},
      {R"(merchant = [7, 8])", R"(merchant = 8, currency = "EUR")", true},
      {R"(merchant = 7)", R"(merchant = 8)", false},
      {R"(payment_method = ["stripe", "adyen"])", R"(payment_method = "adyen")", true},
      {R"(payment_method = "adyen")", R"(payment_method = ["stripe", "adyen"])", false},
      {R"(payment_method = ["stripe", "adyen"])", R"(merchant = 7)", false},
      {R"(weekday = ["sat", "sun"])", R"(weekday = "sun")", true},
      {R"(weekday = "sun")", R"(weekday = "sat")", false},
      {R"(weekday = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"])", R"(merchant = 7)", true},
      {R"(time = "22:00-06:00")", R"(time = "23:00-05:00")", true},
      {R"(time = ["22:00-24:00", "00:00-06:00"])", R"(time = "23:00-05:00")", true},
      {R"(time = "22:00-06:00")", R"(time = "21:59-05:00")", false},
      {R"(time = "22:00-06:00")", R"(time = "23:00-06:01")", false},
      {R"(metadata = { tier = ["gold", "silver"] })", R"(metadata = { tier = "gold", channel = "web" })",
       true},
      {R"(metadata = { tier = "gold" })", R"(metadata = { tier = ["gold", "silver"] })", false},
      {R"(metadata = { tier = "gold" })", R"(metadata = { channel = "web" })", false},
  });
  for (const auto& one : cases) {
    EXPECT_EQ(covers(when_of(one.earlier), when_of(one.later)), one.is_covered)
        << one.earlier << " and " << one.later;
    EXPECT_TRUE(covers({}, when_of(one.later)));
  }
}

TEST(Words, SayAllThatARuleAsksFor) {
  std::vector<std::string> words;
  for (const auto& rule : routes_of(routing_example).rules) words.push_back(words_of(rule.when));
  EXPECT_THAT(
      words, ElementsAre(
                 "merchant is 1 or 3; metadata's 'channel' is 'test'",
                 "currency is EUR or SEK; amount is 50000 or more; weekday is sun or sat; time is in "
                 "22:00-06:00",
                 "currency is USD; metadata's 'tier' is 'gold' or 'silver'; metadata's 'channel' is 'web'",
                 "amount is 1 to 9999; payment_method for adyen; time is in 09:00-12:00 or 13:00-24:00", ""));
  EXPECT_EQ(words_of(when_of("amount = { max = 5 }")), "amount is 5 or less");
  EXPECT_EQ(words_of(when_of("amount = { min = 5, max = 5 }")), "amount is 5");
}

}  // namespace
}  // namespace switchyard::routing
