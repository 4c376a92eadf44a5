#include "switchyard/psp_rates.hpp"

#include <gmock/gmock.h>

namespace switchyard::cli {
namespace {

using payment::Phase;
using std::chrono::seconds;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr Timestamp noon{std::chrono::milliseconds(1'764'244'800'000)};

store::RecentAttempt attempt(std::string psp, Phase phase, std::string why = {}, Timestamp at = noon) {
  return {
      .payment = {}, .psp = std::move(psp), .phase = phase, .reason = {.message = std::move(why)}, .at = at};
}

TEST(PspRates, EachAttemptCountsOnceAtItsAccount) {
  store::RecentAttempts recent;
  for (const auto phase :
       {Phase::requested, Phase::sent, Phase::pending, Phase::unknown, Phase::action_required,
        Phase::succeeded, Phase::declined, Phase::rejected, Phase::failed, Phase::manual_review}) {
    recent.items.push_back(attempt("a", phase));
  }
  recent.items.push_back(attempt("b", Phase::succeeded));
  const auto rates = rates_of(recent);
  ASSERT_THAT(rates, SizeIs(2));
  const auto& a = rates.at("a");
  EXPECT_EQ(a.attempts(), 10);
  EXPECT_EQ(a.succeeded, 1);
  EXPECT_EQ(a.declined, 1);
  EXPECT_EQ(a.unknown, 2);
  EXPECT_EQ(a.failed, 2);
  EXPECT_EQ(a.open, 4);
  EXPECT_EQ(rates.at("b").attempts(), 1);
  EXPECT_FALSE(rates.at("b").last_error);
  EXPECT_THAT(rates_of({}), IsEmpty());
}

TEST(PspRates, TheLastErrorIsTheLatestThatIsNoDecline) {
  const store::RecentAttempts recent{
      .items = {attempt("a", Phase::declined, "no money", noon + seconds(9)),
                attempt("a", Phase::failed, "refused\x1b[2J", noon + seconds(1)),
                attempt("a", Phase::unknown, "no answer in time", noon + seconds(2)),
                attempt("a", Phase::rejected, "no such currency", noon)}};
  const auto rates = rates_of(recent);
  const auto& last = rates.at("a").last_error;
  ASSERT_TRUE(last);
  EXPECT_EQ(last->at, noon + seconds(2));
  EXPECT_EQ(last->text, "unknown: no answer in time");
}

TEST(PspRates, AnErrorWithoutWordsHasItsCodeOrItsPhaseAndNothingThatATerminalFollows) {
  auto coded = attempt("a", Phase::failed);
  coded.reason.code = "E1";
  EXPECT_EQ(rates_of({.items = {coded}}).at("a").last_error->text, "failed: E1");
  EXPECT_EQ(rates_of({.items = {attempt("a", Phase::manual_review)}}).at("a").last_error->text,
            "manual_review");
  EXPECT_EQ(rates_of({.items = {attempt("a", Phase::failed, "a\x1b[2J")}}).at("a").last_error->text,
            "failed: a [2J");
}

TEST(PercentText, OnlyAllAre100AndOnlyNoneAre0) {
  EXPECT_EQ(percent_text(0, 0), "-");
  EXPECT_EQ(percent_text(0, 3), "0%");
  EXPECT_EQ(percent_text(1, 3), "33.3%");
  EXPECT_EQ(percent_text(2, 3), "66.7%");
  EXPECT_EQ(percent_text(3, 3), "100%");
  EXPECT_EQ(percent_text(1, 1'000'000), "0.1%");
  EXPECT_EQ(percent_text(999'999, 1'000'000), "99.9%");
}

}  // namespace
}  // namespace switchyard::cli
