#include "switchyard/psp_text.hpp"

#include <gmock/gmock.h>

namespace switchyard::cli {
namespace {

using routing::BreakerState;
using ::testing::ElementsAre;
using ::testing::SizeIs;

constexpr Timestamp midday{std::chrono::milliseconds(1'764'244'800'000)};

TEST(PspText, ATableWithWhatThereIsToSayAboutIt) {
  const PspList list{
      .rows = {{.name = "stripe_eu",
                .adapter = routing::Adapter::stripe,
                .missing = "STRIPE_KEY is not set",
                .breaker = BreakerState::half_open,
                .rates = {.succeeded = 1,
                          .unknown = 2,
                          .last_error = PspRates::LastError{.at = midday, .text = "unknown: late"}}},
               {.name = "sim", .breaker = std::nullopt}},
      .breaker_unknown = "no connector answers at http://127.0.0.1:9464/metrics",
      .since = midday,
      .payments = 1,
      .elsewhere = 4};
  EXPECT_THAT(
      lines_of(list),
      ElementsAre(
          "ACCOUNT    ADAPTER    SECRETS   BREAKER    ATTEMPTS  SUCCEEDED  DECLINED  UNKNOWN  FAILED  LAST ERROR",
          "stripe_eu  stripe     MISSING   half open         3      33.3%        0%    66.7%      0%  "
          "2025-11-27T12:00:00.000Z unknown: late",
          "sim        simulator  complete  unknown           0          -         -        -       -  -",
          "rates: of 1 payment, all that were made since 2025-11-27T12:00:00.000Z",
          "4 attempts were at accounts that are not in the list",
          "breaker: unknown: no connector answers at http://127.0.0.1:9464/metrics",
          "stripe_eu: STRIPE_KEY is not set"));
}

TEST(PspText, WhatWasNotLookedAtIsSaid) {
  const PspList list{
      .rows = {}, .since = midday, .payments = 10'000, .cut_off_at = midday + std::chrono::seconds(61)};
  const auto lines = lines_of(list);
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_EQ(lines[1],
            "rates: of the newest 10000 payments, made since 2025-11-27T12:01:01.000Z; there are more since "
            "2025-11-27T12:00:00.000Z");
}

TEST(PspText, WithoutARoutingFileThereIsNoBreaker) {
  const PspList list{.rows = {{.name = "simulator"}}, .has_breakers = false, .since = midday};
  const auto lines = lines_of(list);
  ASSERT_THAT(lines, SizeIs(3));
  EXPECT_THAT(lines[1], ::testing::HasSubstr(" none "));
}

TEST(BreakerIn, ReadsTheGaugesOfTheAccountAndOfNoOther) {
  const std::string metrics =
      "# HELP open words\n# TYPE open gauge\nopen{psp=\"a\"} 0\nopen{psp=\"b\"} 1\nopen{psp=\"c\"} 1\n"
      "half{psp=\"a\"} 0\nhalf{psp=\"b\"} 0\nhalf{psp=\"c\"} 1\nother_open{psp=\"d\"} 1\n";
  const auto state = [&](std::string_view account) { return breaker_in(metrics, "open", "half", account); };
  EXPECT_EQ(state("a"), BreakerState::closed);
  EXPECT_EQ(state("b"), BreakerState::open);
  EXPECT_EQ(state("c"), BreakerState::half_open);
  EXPECT_EQ(state("d"), std::nullopt);
  EXPECT_EQ(breaker_in("", "open", "half", "a"), std::nullopt);
  EXPECT_EQ(breaker_in("\nopen{psp=\"a\"} 1\n", "open", "half", "a"), BreakerState::open);
}

}  // namespace
}  // namespace switchyard::cli
