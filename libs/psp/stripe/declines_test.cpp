#include "psp/stripe/declines.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace switchyard::psp::stripe {
namespace {

using payment::Reason;
using payment::ReasonKind;

TEST(StripeDeclines, EachCodeHasItsKindWhereverItStands) {
  for (const auto& [code, kind] : decline_table) {
    const Reason as_decline{std::string(code), "words", kind};
    EXPECT_EQ(reason_of({.type = "card_error",
                         .code = "card_declined",
                         .decline_code = std::string(code),
                         .message = "words"}),
              as_decline);
    EXPECT_EQ(reason_of({.type = "card_error", .code = std::string(code), .message = "words"}), as_decline);
  }
}

struct KindCase {
  std::string_view code;
  ReasonKind kind;
};

// A few by hand, so that the table is not only held against itself.
constexpr KindCase kind_cases[] = {
    {"insufficient_funds", ReasonKind::soft_decline},
    {"generic_decline", ReasonKind::soft_decline},
    {"do_not_honor", ReasonKind::soft_decline},
    {"authentication_required", ReasonKind::customer_action},
    {"incorrect_cvc", ReasonKind::customer_action},
    {"expired_card", ReasonKind::hard_decline},
    {"stolen_card", ReasonKind::hard_decline},
    {"fraudulent", ReasonKind::hard_decline},
    {"duplicate_transaction", ReasonKind::hard_decline},
    {"a_code_of_next_year", ReasonKind::unknown},
};

TEST(StripeDeclines, KindsAreThoseOfStripesReference) {
  for (const auto& [code, kind] : kind_cases) {
    EXPECT_EQ(reason_of({.code = "card_declined", .decline_code = std::string(code)}).kind, kind) << code;
  }
}

TEST(StripeDeclines, TheAdviceOfTheNetworkWins) {
  for (const auto& [advice, kind] : advice_table) {
    for (const auto* code : {"insufficient_funds", "stolen_card", "incorrect_cvc", "a_code_of_next_year"}) {
      const auto reason =
          reason_of({.code = "card_declined", .decline_code = code, .advice_code = std::string(advice)});
      EXPECT_EQ(reason.kind, kind) << advice << code;
      EXPECT_EQ(reason.code, code);
    }
  }
  EXPECT_EQ(reason_of({.decline_code = "stolen_card", .advice_code = "ask_a_friend"}).kind,
            ReasonKind::hard_decline);
}

TEST(StripeDeclines, AnUnknownDeclineCodeIsJudgedByItsCode) {
  EXPECT_EQ(reason_of({.code = "expired_card", .decline_code = "new"}),
            (Reason{"new", "", ReasonKind::hard_decline}));
  EXPECT_EQ(reason_of({.type = "card_error", .message = "no"}),
            (Reason{"card_error", "no", ReasonKind::unknown}));
  EXPECT_EQ(reason_of({.type = "card_error", .code = "card_declined"}),
            (Reason{"card_declined", "", ReasonKind::soft_decline}))
      << "Stripe's word for all that the issuer does not explain";
}

TEST(StripeDeclines, ARefundSaysWhyItFailed) {
  for (const auto& [code, kind] : refund_failure_table) {
    EXPECT_EQ(reason_of(Refund{.status = "failed", .failure_reason = std::string(code)}),
              (Reason{std::string(code), "", kind}));
  }
  EXPECT_EQ(reason_of(Refund{.status = "failed", .failure_reason = "new"}),
            (Reason{"new", "", ReasonKind::unknown}));
  EXPECT_EQ(reason_of(Refund{.status = "failed"}), (Reason{"refund_failed", "", ReasonKind::unknown}));
  EXPECT_EQ(reason_of(Refund{.status = "canceled"}), (Reason{"refund_canceled", "", ReasonKind::unknown}));
}

TEST(StripeDeclines, NoCodeStandsTwice) {
  auto codes = decline_table;
  std::ranges::sort(codes, {}, &CodeRow::code);
  EXPECT_EQ(std::ranges::adjacent_find(codes, {}, &CodeRow::code), codes.end());
}

}  // namespace
}  // namespace switchyard::psp::stripe
