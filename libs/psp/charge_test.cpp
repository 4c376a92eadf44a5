#include "psp/charge.hpp"

#include <vector>

#include <gmock/gmock.h>

namespace switchyard::psp {
namespace {

using payment::Approved;
using payment::Contradicted;
using payment::OutcomeUnknown;
using ::testing::HasSubstr;

const AuthorizeRequest asked{
    .reference = "reference", .idempotency_key = "key", .amount = Money(1, *Currency::parse("JPY"))};

ReportedCharge charge() {
  return {.id = "ch_1",
          .reference = "reference",
          .idempotency_key = "key",
          .amount = "1",
          .currency = "JPY",
          .capture_method = "automatic",
          .result = Approved{"ch_1"}};
}

TEST(Believe, WhatWasAskedWordForWord) {
  EXPECT_TRUE(std::holds_alternative<Approved>(believe(charge(), asked)));
}

TEST(Believe, NothingElse) {
  for (auto member : std::vector<std::string ReportedCharge::*>{
           &ReportedCharge::reference, &ReportedCharge::idempotency_key, &ReportedCharge::amount,
           &ReportedCharge::currency, &ReportedCharge::capture_method}) {
    auto other = charge();
    other.*member = "100";
    const auto contradicted = believe(other, asked);
    ASSERT_TRUE(std::holds_alternative<Contradicted>(contradicted));
    EXPECT_EQ(std::get<Contradicted>(contradicted).psp_reference, "ch_1");
    EXPECT_THAT(std::get<Contradicted>(contradicted).reason, HasSubstr("100, where "));
    auto silent = charge();
    silent.*member = "";
    EXPECT_TRUE(std::holds_alternative<OutcomeUnknown>(believe(silent, asked)));
  }
}

TEST(Believe, AChargeThatIsHeldIsNotOneThatIsTaken) {
  auto held = asked;
  held.capture_method = payment::CaptureMethod::manual;
  EXPECT_TRUE(std::holds_alternative<Contradicted>(believe(charge(), held)));
  auto charge_held = charge();
  charge_held.capture_method = "manual";
  EXPECT_TRUE(std::holds_alternative<Contradicted>(believe(charge_held, asked)));
  EXPECT_TRUE(std::holds_alternative<Approved>(believe(charge_held, held)));
}

}  // namespace
}  // namespace switchyard::psp
