#include "routing/choose.hpp"

#include <cmath>
#include <map>
#include <random>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "payment/testing.hpp"
#include "routing/conditions.hpp"
#include "routing/parse.hpp"
#include "routing/testing.hpp"

namespace switchyard::routing {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using switchyard::testing::asked_at_noon;
using switchyard::testing::money_of;
using switchyard::testing::routes_of;
using switchyard::testing::with_accounts;
using ::testing::ElementsAre;
using ::testing::Pair;

// Fixed, so that what is drawn is: bounds are wide enough for nearly all others, too.
constexpr std::uint64_t seed = 20'260'101;
constexpr int many = 100'000;

std::vector<TransactionId> random_ids() {
  std::mt19937_64 random(seed);
  std::vector<TransactionId> ids(many);
  std::uint64_t ms = 1'767'225'600'000;
  for (auto& id : ids) {
    const std::uint64_t high = (ms << 16) | 0x7000 | (random() & 0xfff);
    const std::uint64_t low = (random() >> 2) | 0x8000'0000'0000'0000;
    for (std::size_t i = 0; i < 8; ++i) {
      id.value.bytes[i] = static_cast<std::uint8_t>(high >> (56 - 8 * i));
      id.value.bytes[8 + i] = static_cast<std::uint8_t>(low >> (56 - 8 * i));
    }
    ms += random() % 3;
  }
  return ids;
}

// To whom it goes: a name, or why nobody.
std::string chosen(const Routes& routes, const Asked& asked, const AccountSet& tried = {}) {
  const auto choice = choose(routes, asked, tried);
  return choice ? routes.accounts[choice->account].name : std::string(to_string(choice.error().why));
}

AccountSet these(const Routes& routes, const std::vector<std::string>& names) {
  AccountSet set;
  for (const auto& name : names) set.set(routes.find_account(name).value());
  return set;
}

TEST(Draw, IsFrozen) {
  const std::vector<std::tuple<const char*, std::uint32_t, std::uint64_t>> vectors{
      {"00000000-0000-0000-0000-000000000000", 0, 0x48218226ff3cd4bf},
      {"00000000-0000-0000-0000-000000000000", 1, 0xcd73fe3de975ac26},
      {"017f22e2-79b0-7cc3-98c4-dc0c0c07398f", 0, 0x5663077f4f321e22},
      {"017f22e2-79b0-7cc3-98c4-dc0c0c07398f", 1, 0x95fc46e8366173c6},
      {"017f22e2-79b0-7cc3-98c4-dc0c0c07398f", 99, 0xb82236822f516fb7},
      {"ffffffff-ffff-ffff-ffff-ffffffffffff", 0, 0x4650bc0eb3312e23},
      {"01932c07-209c-7601-b2d4-8f2a5d0e7c11", 99, 0xe1791fc480a86861},
  };
  for (const auto& [id, round, number] : vectors) {
    EXPECT_EQ(draw_number({*Uuid::parse(id)}, round), number) << id << " " << round;
  }
  // Positions 33 of 100, 58 of the rest.
  const std::vector<Weighted> shares{{4, 30}, {7, 45}, {2, 25}};
  Draws draws({*Uuid::parse("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")}, shares);
  const auto first = draws.next();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->account, 7);
  EXPECT_EQ(first->position, 33);
  EXPECT_EQ(first->total, 100);
  const auto second = draws.next();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->account, 2);
  EXPECT_EQ(second->position, 32);
  EXPECT_EQ(second->total, 55);
  EXPECT_EQ(draws.next()->account, 4);
  EXPECT_FALSE(draws.next());
}

// How many of `many` go to whom, when only some accounts are available and some were tried.
std::map<std::string, int> counts(const Routes& routes, const AccountSet& available,
                                  const AccountSet& tried) {
  std::map<std::string, int> counts;
  auto asked = asked_at_noon();
  asked.available = available;
  for (const auto id : random_ids()) {
    asked.id = id;
    ++counts[chosen(routes, asked, tried)];
  }
  return counts;
}

// Within five standard deviations.
void expect_shares(const std::map<std::string, int>& counts, const std::map<std::string, double>& weights) {
  double total = 0;
  for (const auto& [name, weight] : weights) total += weight;
  for (const auto& [name, count] : counts) {
    ASSERT_TRUE(weights.contains(name)) << name;
    const double share = weights.at(name) / total;
    EXPECT_NEAR(count, many * share, 5 * std::sqrt(many * share * (1 - share))) << name << ", seed " << seed;
  }
  EXPECT_EQ(counts.size(), weights.size());
}

TEST(Choice, GivesEachAccountTheShareOfItsWeight) {
  const auto routes =
      routes_of(with_accounts("a b c d", "[[rule]]\npsp = { a = 700, b = 200, c = 99, d = 1 }"));
  expect_shares(counts(routes, AccountSet().set(), {}), {{"a", 700}, {"b", 200}, {"c", 99}, {"d", 1}});
}

TEST(Choice, GivesTheShareOfAnAccountThatIsOutToTheOthersByTheirWeights) {
  const auto routes = routes_of(with_accounts("a b c", "[[rule]]\npsp = { a = 50, b = 30, c = 20 }"));
  const auto without_a = these(routes, {"b", "c"});
  expect_shares(counts(routes, without_a, {}), {{"b", 30}, {"c", 20}});
  expect_shares(counts(routes, AccountSet().set(), these(routes, {"b"})), {{"a", 50}, {"c", 20}});

  auto asked = asked_at_noon();
  for (const auto id : random_ids()) {
    asked.id = id;
    asked.available.set();
    const auto before = chosen(routes, asked);
    asked.available = without_a;
    const auto after = chosen(routes, asked);
    ASSERT_TRUE(before == "a" || before == after) << "a payment of another account moves";
  }
}

TEST(Choice, IsTheSameForTheSameIdWhateverComesBehindTheRule) {
  const std::string rules =
      "[[rule]]\nwhen.currency = \"USD\"\npsp = { a = 1, b = 1 }\n[[rule]]\n"
      "when.currency = \"EUR\"\npsp = { b = 2, a = 1 }\n";
  const auto before = routes_of(with_accounts("a b", rules));
  const auto after = routes_of(with_accounts("a b c", rules + "[[rule]]\npsp = { c = 5, a = 1 }\n"));
  auto asked = asked_at_noon();
  for (const auto id : random_ids()) {
    asked.id = id;
    asked.amount = money_of(100, id.value.bytes[15] % 2 == 0 ? "USD" : "EUR");
    const auto choice = choose(before, asked, {});
    ASSERT_EQ(choice, choose(before, asked, {}));
    ASSERT_EQ(choice, choose(after, asked, {}));
  }
}

TEST(Choice, FollowsTheOrderOfTheRule) {
  const auto routes =
      routes_of(with_accounts("a b c d", "[[rule]]\npsp = { a = 1, b = 1 }\nfallback = [\"d\", \"c\"]\n"));
  auto asked = asked_at_noon();
  const auto first = choose(routes, asked, {});
  ASSERT_TRUE(first);
  EXPECT_EQ(first->how, How::drawn);
  EXPECT_LT(first->account, 2);
  AccountSet tried;
  std::vector<std::string> order;
  std::vector<How> hows;
  while (const auto choice = choose(routes, asked, tried)) {
    tried.set(choice->account);
    order.push_back(routes.accounts[choice->account].name);
    hows.push_back(choice->how);
  }
  EXPECT_THAT(order, ElementsAre(::testing::AnyOf("a", "b"), ::testing::AnyOf("a", "b"), "d", "c"));
  EXPECT_NE(order[0], order[1]);
  EXPECT_THAT(hows, ElementsAre(How::drawn, How::drawn_again, How::fallback, How::fallback));
  EXPECT_EQ(choose(routes, asked, tried).error(), (NoChoice{WhyNone::all_were_tried, 0}));
  asked.available.reset(3);
  EXPECT_EQ(chosen(routes, asked, these(routes, {"a", "b"})), "c") << "d's breaker is open";
}

TEST(Choice, SaysWhyThereIsNone) {
  const std::string stripe = "[psp.s]\nadapter = \"stripe\"\nsecret_key_env = \"K\"\n";
  const auto routes = routes_of(stripe + with_accounts("a",
                                                       "[[rule]]\nwhen.currency = \"USD\"\npsp = \"s\"\n"
                                                       "[[rule]]\nwhen.currency = \"EUR\"\npsp = \"s\"\n"
                                                       "fallback = \"a\"\n"));
  auto asked = asked_at_noon();
  EXPECT_EQ(choose(routes, asked, {}).error(), (NoChoice{WhyNone::no_payment_method, 0}));
  asked.amount = money_of(100, "EUR");
  EXPECT_EQ(chosen(routes, asked), "a") << "the simulator takes what has no payment_method";
  EXPECT_EQ(choose(routes, asked, these(routes, {"a"})).error(), (NoChoice{WhyNone::all_were_tried, 1}));
  asked.available.reset();
  EXPECT_EQ(choose(routes, asked, {}).error(), (NoChoice{WhyNone::breaker_is_open, 1}));
  asked.payment_methods.set(0);
  EXPECT_EQ(choose(routes, asked, these(routes, {"a"})).error(), (NoChoice{WhyNone::breaker_is_open, 1}))
      << "the other one may come back";
  asked.amount = money_of(100, "SEK");
  EXPECT_EQ(choose(routes, asked, {}).error(), (NoChoice{WhyNone::no_rule_matches, {}}));
}

struct Match {
  const char* when;
  bool matches;
};

TEST(Condition, HoldsOrDoesNot) {
  // Wednesday, 12:00 UTC.
  auto asked = asked_at_noon();
  asked.merchant = {7};
  asked.metadata = {{"channel", "web"}, {"tier", "gold"}};
  asked.payment_methods.set(std::to_underlying(Adapter::adyen));
  for (const auto& [when, matches] : std::vector<Match>{
           {"", true},
           {"currency = \"USD\"", true},
           {"currency = [\"SEK\", \"USD\", \"EUR\"]", true},
           {"currency = \"EUR\"", false},
           {"amount = { min = 1000 }", true},
           {"amount = { min = 1001 }", false},
           {"amount = { max = 1000 }", true},
           {"amount = { max = 999 }", false},
           {"amount = { min = 1000, max = 1000 }", true},
           {"merchant = 7", true},
           {"merchant = [9, 7]", true},
           {"merchant = 8", false},
           {"payment_method = \"adyen\"", true},
           {"payment_method = [\"stripe\", \"adyen\"]", true},
           {"payment_method = \"stripe\"", false},
           {"weekday = \"wed\"", true},
           {"weekday = [\"tue\", \"thu\"]", false},
           {"time = \"12:00-12:01\"", true},
           {"time = \"11:00-12:00\"", false},
           {"time = \"12:00-24:00\"", true},
           {"time = \"22:00-12:00\"", false},
           {"time = \"22:00-12:01\"", true},
           {"time = [\"01:00-02:00\", \"11:59-13:00\"]", true},
           {"metadata = { channel = \"web\" }", true},
           {"metadata = { channel = \"app\" }", false},
           {"metadata = { channel = [\"app\", \"web\"], tier = \"gold\" }", true},
           {"metadata = { channel = \"web\", tier = \"silver\" }", false},
           {"metadata = { shop = \"web\" }", false},
           {"metadata = { Channel = \"web\" }", false},
           {"currency = \"USD\", merchant = 7, time = \"12:00-13:00\"", true},
           {"currency = \"USD\", merchant = 8, time = \"12:00-13:00\"", false},
       }) {
    const auto routes =
        routes_of(with_accounts("a", fmt::format("[[rule]]\nwhen = {{ {} }}\npsp = \"a\"\n", when)));
    EXPECT_EQ(find_rule(routes, asked).has_value(), matches) << when;
  }
}

TEST(Condition, TakesTheDayAndTheTimeInUtc) {
  const auto routes = routes_of(
      with_accounts("a", "[[rule]]\nwhen = { weekday = \"sat\", time = \"22:00-06:00\" }\npsp = \"a\"\n"));
  auto asked = asked_at_noon();
  // 2026-01-03 is a Saturday.
  const Timestamp saturday{std::chrono::sys_days(std::chrono::year(2026) / 1 / 3)};
  for (const auto& [after, matches] : std::vector<std::pair<std::chrono::milliseconds, bool>>{
           {-minutes(1), false},  // Friday, 23:59
           {minutes(0), true},
           {hours(6) - std::chrono::milliseconds(1), true},
           {hours(6), false},
           {hours(22) - std::chrono::milliseconds(1), false},
           {hours(22), true},
           {hours(24) - std::chrono::milliseconds(1), true},
           {hours(24), false},
           {hours(25), false},
       }) {
    asked.created_at = saturday + after;
    EXPECT_EQ(find_rule(routes, asked).has_value(), matches) << after.count();
  }
}

TEST(Asked, IsReadFromATransaction) {
  auto transaction = switchyard::testing::queued_transaction();
  transaction.metadata = R"({"tier":"gold","channel":"w\u00e9b"})";
  transaction.payment_method = R"({"adyen":{"storedPaymentMethodId":"1"},"stripe":"pm_1","other":1})";
  const auto asked = asked_of(transaction);
  EXPECT_EQ(asked.id, transaction.id);
  EXPECT_EQ(asked.amount, transaction.amount);
  EXPECT_EQ(asked.created_at, transaction.created_at);
  EXPECT_THAT(asked.metadata, ElementsAre(Pair("channel", "wéb"), Pair("tier", "gold")));
  EXPECT_EQ(asked.payment_methods.to_string(), "011");
  EXPECT_TRUE(asked.available.all());

  transaction.metadata = "[1]";
  transaction.payment_method = "{";
  EXPECT_TRUE(asked_of(transaction).metadata.empty());
  EXPECT_TRUE(asked_of(transaction).payment_methods.none());
}

TEST(Choice, NeedsNoRoutingFile) {
  EXPECT_EQ(chosen(only_simulator(), asked_at_noon()), "simulator");
}

}  // namespace
}  // namespace switchyard::routing
