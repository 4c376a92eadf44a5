#include "psp-connector/psps.hpp"

#include <gmock/gmock.h>

#include "payment/testing.hpp"
#include "psp-connector/testing.hpp"
#include "routing/parse.hpp"

namespace switchyard::connector {
namespace {

using payment::Phase;
using switchyard::testing::payment_start;
using switchyard::testing::queued_transaction;

constexpr std::string_view two_accounts = R"(
[psp.first]
adapter = "simulator"
[psp.second]
adapter = "stripe"
secret_key_env = "STRIPE_SECRET_KEY"
[[rule]]
psp = "first"
fallback = "second"
)";

payment::State new_payment() {
  payment::State state{queued_transaction(), {}};
  state.operations.push_back({.amount = state.transaction.amount});
  return state;
}

std::unique_ptr<psp::Adapter> scripted(const routing::Account& account) {
  return std::make_unique<ScriptedPsp>(account.name);
}

TEST(Psps, OneIsAskedOnceAndNeedsNoRules) {
  ScriptedPsp only;
  const Psps psps(only);
  auto state = new_payment();
  EXPECT_EQ(psps.choose(state, payment_start), "scripted");
  state.operations.front().psp = "scripted";
  EXPECT_FALSE(psps.choose(state, payment_start));
  EXPECT_TRUE(psps.has("scripted"));
  EXPECT_FALSE(psps.has("simulator"));
}

TEST(Psps, AreSimulatedOnlyWhereEachOneIs) {
  EXPECT_FALSE(Psps(routing::parse(two_accounts).value(), scripted, 8).is_simulated());
  constexpr auto one = "[psp.first]\nadapter = \"simulator\"\n[[rule]]\npsp = \"first\"\n";
  EXPECT_TRUE(Psps(routing::parse(one).value(), scripted, 8).is_simulated());
}

TEST(Psps, OneHasNoBreaker) {
  ScriptedPsp only;
  Psps psps(only);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(psps.heard("scripted", routing::Heard::not_sent, payment_start), std::nullopt);
  }
  EXPECT_TRUE(psps.choose(new_payment(), payment_start));
}

TEST(Psps, WhatNeedsAPaymentMethodIsPassedByWithoutOne) {
  const Psps psps(routing::parse(two_accounts).value(), scripted, 8);
  auto state = new_payment();
  EXPECT_EQ(psps.choose(state, payment_start), "first");
  state.operations.front().psp = "first";
  const auto none = psps.choose(state, payment_start);
  ASSERT_FALSE(none);
  EXPECT_FALSE(none.error().may_pass);
  state.transaction.payment_method = R"({"stripe":"pm_1"})";
  EXPECT_EQ(psps.choose(state, payment_start), "second");
}

TEST(Psps, WhileAllBreakersAreOpenAPaymentMayWait) {
  Psps psps(routing::parse(two_accounts).value(), scripted, 8);
  std::optional<routing::BreakerState> state;
  for (int i = 0; i < 5; ++i) state = psps.heard("first", routing::Heard::unknown, payment_start);
  EXPECT_EQ(state, routing::BreakerState::open);
  const auto none = psps.choose(new_payment(), payment_start);
  ASSERT_FALSE(none);
  EXPECT_TRUE(none.error().may_pass);
  EXPECT_EQ(psps.standings(payment_start).front().breaker, routing::BreakerState::open);
}

// Of many that are claimed at once.
TEST(Psps, OneOnlyTriesAnAccountThatMayBeBack) {
  Psps psps(routing::parse(two_accounts).value(), scripted, 8);
  for (int i = 0; i < 5; ++i) psps.heard("first", routing::Heard::unknown, payment_start);
  const auto later = payment_start + std::chrono::minutes(1);
  ASSERT_EQ(psps.choose(new_payment(), later), "first");
  psps.is_sent("first", later);
  EXPECT_FALSE(psps.choose(new_payment(), later));
  EXPECT_EQ(psps.heard("first", routing::Heard::answered, later), routing::BreakerState::closed);
  EXPECT_TRUE(psps.choose(new_payment(), later));
}

TEST(Psps, NothingChangesWhereAnAdapterCannotBeMade) {
  bool fails = false;
  Psps psps(
      routing::parse(two_accounts).value(),
      [&fails](const routing::Account& account) {
        if (fails) throw ConfigError("STRIPE_SECRET_KEY", "is not set", "for example");
        return scripted(account);
      },
      8);
  fails = true;
  const auto* first = &psps.at("first");
  EXPECT_THROW(
      psps.change(
          routing::parse("[psp.third]\nadapter = \"simulator\"\n[[rule]]\npsp = \"third\"\n").value()),
      ConfigError);
  EXPECT_EQ(psps.choose(new_payment(), payment_start), "first");
  EXPECT_EQ(&psps.at("first"), first);
  EXPECT_FALSE(psps.has("third"));
}

// Nor by way of a file without it.
TEST(Psps, AnAccountIsNeverOneAtAnotherPsp) {
  Psps psps(routing::parse(two_accounts).value(), scripted, 8);
  constexpr auto other = "[psp.second]\nadapter = \"simulator\"\n[[rule]]\npsp = \"second\"\n";
  EXPECT_THROW(psps.change(routing::parse(other).value()), ConfigError);
  EXPECT_TRUE(psps.has("first")) << "nothing has changed";
  psps.change(routing::parse("[psp.first]\nadapter = \"simulator\"\n[[rule]]\npsp = \"first\"\n").value());
  EXPECT_FALSE(psps.has("second"));
  EXPECT_THROW(psps.change(routing::parse(other).value()), ConfigError);
  psps.change(routing::parse(two_accounts).value());
  EXPECT_TRUE(psps.has("second"));
}

TEST(Psps, OneWithoutAnAnswerLeavesTheOthersRoom) {
  Psps psps(routing::parse("[psp.first]\nadapter = \"simulator\"\n[psp.second]\nadapter = \"simulator\"\n"
                           "[[rule]]\npsp = \"first\"\nfallback = \"second\"\n")
                .value(),
            scripted, 8);
  std::size_t calls = 0;
  for (; calls < 100 && psps.has_room("first"); ++calls) psps.call_begins("first");
  EXPECT_EQ(calls, 4U);
  const auto chosen = psps.choose(new_payment(), payment_start);
  ASSERT_TRUE(chosen);
  EXPECT_EQ(*chosen, "second");
  std::size_t others = 0;
  for (; others < 100 && psps.has_room("second"); ++others) psps.call_begins("second");
  EXPECT_EQ(others, 2U);
  const auto none = psps.choose(new_payment(), payment_start);
  ASSERT_FALSE(none);
  EXPECT_TRUE(none.error().may_pass);
  for (; calls > 0; --calls) psps.call_ended("first");
  EXPECT_TRUE(psps.has_room("first"));
  EXPECT_TRUE(psps.has_room("second"));
}

TEST(Psps, AnOnlyAccountHasAllTheRoom) {
  Psps psps(routing::parse("[psp.it]\nadapter = \"simulator\"\n[[rule]]\npsp = \"it\"\n").value(), scripted,
            8);
  for (int i = 0; i < 8; ++i) {
    EXPECT_TRUE(psps.has_room("it"));
    psps.call_begins("it");
  }
}

}  // namespace
}  // namespace switchyard::connector
