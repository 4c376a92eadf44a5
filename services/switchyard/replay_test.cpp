#include "switchyard/replay.hpp"

#include <limits>
#include <utility>

#include <gmock/gmock.h>

#include "routing/testing.hpp"

namespace switchyard::cli {
namespace {

using payment::Phase;
using payment::ReasonKind;
using switchyard::testing::money_of;
using switchyard::testing::routes_of;
using switchyard::testing::with_accounts;
using ::testing::ElementsAre;
using ::testing::SizeIs;

constexpr MerchantId merchant{7};

store::Attempt attempt(std::string psp, Money amount = money_of(100, "EUR")) {
  return {.id = {Uuid::generate()}, .amount = amount, .psp = std::move(psp), .phase = Phase::succeeded};
}
store::Attempt declined(std::string psp, ReasonKind kind) {
  auto one = attempt(std::move(psp));
  one.phase = Phase::declined;
  one.reason_kind = kind;
  return one;
}

TEST(Replay, OfWhatWentAsTheFileSaysMovesNothing) {
  const auto routes = routes_of(with_accounts("a b", "[[rule]]\npsp = { a = 1, b = 1 }\n"));
  Replay replay(routes);
  for (int i = 0; i < 100; ++i) {
    auto one = attempt("");
    const auto said = routing::choose(
        routes, {.id = one.id, .merchant = merchant, .amount = one.amount, .created_at = one.created_at}, {});
    ASSERT_TRUE(said);
    one.psp = routes.accounts[said->account].name;
    replay.look_at(merchant, std::move(one));
  }
  EXPECT_THAT(replay_text(replay), ElementsAre("100 payments looked at, 100 would go where they went",
                                               "nothing would go elsewhere"));
}

TEST(Replay, CountsByAccountsWithAmountsAndDeclines) {
  const auto routes = routes_of(with_accounts("a b", R"([[rule]]
when.metadata.channel = "web"
psp = "b"
[[rule]]
when.currency = "EUR"
psp = "a"
)"));
  Replay replay(routes);
  replay.look_at(merchant, attempt("a"));
  replay.look_at(merchant, attempt("b"));
  replay.look_at(merchant, attempt("b", money_of(250, "EUR")));
  replay.look_at(merchant, declined("b", ReasonKind::soft_decline));
  replay.look_at(merchant, declined("b", ReasonKind::hard_decline));
  replay.look_at(merchant, declined("b", ReasonKind::customer_action));
  replay.look_at(merchant, attempt("gone\n", money_of(7, "JPY")));
  replay.look_at(merchant, attempt(""));
  auto web = attempt("a", money_of(3, "USD"));
  web.metadata = R"({"channel":"web"})";
  replay.look_at(merchant, web);
  EXPECT_THAT(
      replay_text(replay),
      ElementsAre("8 payments looked at, 1 would go where they went", "1 payment sent nowhere yet, left out",
                  "7 payments would go elsewhere, of which 1 declined softly, 1 hard",
                  "  b -> a: 5 payments, 6.50 EUR; 1 declined softly, 1 hard",
                  "  a -> b: 1 payment, 0.03 USD; 0 declined softly, 0 hard",
                  "  gone  -> nowhere: no rule matches: 1 payment, 7 JPY; 0 declined softly, 0 hard"));
}

TEST(Replay, KnowsWhichAdaptersAPaymentMethodWasGivenFor) {
  const auto routes = routes_of(R"([psp.s]
adapter = "stripe"
secret_key_env = "STRIPE_SECRET_KEY"
[psp.sim]
adapter = "simulator"
[[rule]]
psp = "s"
fallback = "sim"
)");
  Replay replay(routes);
  auto with_method = attempt("s");
  with_method.payment_method = R"({"stripe":"pm_1"})";
  replay.look_at(merchant, with_method);
  replay.look_at(merchant, attempt("sim"));
  EXPECT_EQ(replay.moved().count, 0);
  with_method.psp = "sim";
  replay.look_at(merchant, with_method);
  EXPECT_EQ(replay.moved().count, 1);
}

TEST(Replay, AddsUpWhatSeveralHaveLookedAt) {
  const auto routes = routes_of(with_accounts("a b", "[[rule]]\npsp = \"a\"\n"));
  Replay all(routes);
  for (int i = 0; i < 3; ++i) {
    Replay part(routes);
    part.look_at(merchant, attempt("b"));
    part.look_at(merchant, attempt("a"));
    part.look_at(merchant, attempt(""));
    part.count_unreadable(2);
    all.add(part);
  }
  EXPECT_EQ(std::tuple(all.count(), all.not_sent(), all.unreadable()), std::tuple(6, 3, 6));
  EXPECT_EQ(all.moved().count, 3);
  EXPECT_EQ(all.moved().amounts_minor.at(*Currency::parse("EUR")), 300);
}

TEST(Replay, TakesNoMoreRoomForMoreNames) {
  const auto routes = routes_of(with_accounts("a", "[[rule]]\npsp = \"a\"\n"));
  Replay replay(routes);
  constexpr int names = static_cast<int>(Replay::moves_max) + 500;
  for (int i = 0; i < names; ++i) replay.look_at(merchant, attempt(std::to_string(i)));
  EXPECT_THAT(replay.moves(), SizeIs(Replay::moves_max + 1));
  EXPECT_EQ(replay.moved().count, names);
}

TEST(Tally, StaysAtTheMostThatFits) {
  Tally tally;
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  for (int i = 0; i < 2; ++i) tally.add(money_of(most, "EUR"));
  EXPECT_EQ(tally.amounts_minor.at(*Currency::parse("EUR")), most);
}

}  // namespace
}  // namespace switchyard::cli
