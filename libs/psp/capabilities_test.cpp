#include "psp/capabilities.hpp"

#include <gmock/gmock.h>

#include "psp/simulator/testing.hpp"

namespace switchyard::psp {
namespace {

using payment::CaptureMethod;
using payment::Kind;
using payment::Phase;
using simulator::step_of;
using ::testing::HasSubstr;

struct Capture {
  std::int64_t amount_minor = 100;
  bool is_final = true;
  // Of another capture before it; nothing: there is none.
  std::optional<Phase> earlier = std::nullopt;
};

// Of a hold of 100; empty if it can be done.
std::string refusal(const Capabilities& can, const Capture& wanted) {
  auto step = step_of({.kind = Kind::capture,
                       .amount_minor = wanted.amount_minor,
                       .capture_method = CaptureMethod::manual,
                       .authorized_minor = 100,
                       .is_final = wanted.is_final});
  auto& operations = step.state.operations;
  if (wanted.earlier) {
    auto earlier = operations.back();
    earlier.phase = *wanted.earlier;
    operations.insert(operations.end() - 1, earlier);
    ++operations.back().number;
  }
  const auto refused = refusal_of(can, "acme", step.state, operations.back());
  return refused ? refused->reason : "";
}

Capabilities without(bool Capabilities::* what) {
  auto can = everything;
  can.*what = false;
  return can;
}

TEST(Capabilities, OfAPspThatCanDoEverythingRefuseNothing) {
  EXPECT_EQ(refusal(everything, {.amount_minor = 40, .is_final = false}), "");
  EXPECT_EQ(refusal(everything, {.amount_minor = 40, .earlier = Phase::succeeded}), "");
}

TEST(Capabilities, WithoutPartialCapturesTheWholeIsCapturedOrNothing) {
  const auto can = without(&Capabilities::partial_capture);
  EXPECT_EQ(refusal(can, {.amount_minor = 99}), "acme captures the whole of a hold only, which is 1.00 USD");
  EXPECT_EQ(refusal(can, {.amount_minor = 100}), "");
  EXPECT_EQ(refusal(can, {.amount_minor = 100, .is_final = false}), "") << "nothing is left of it";
}

TEST(Capabilities, WithoutSeveralCapturesTheFirstIsTheLast) {
  const auto can = without(&Capabilities::several_captures);
  EXPECT_EQ(refusal(can, {.amount_minor = 40}), "");
  EXPECT_EQ(refusal(can, {.amount_minor = 100, .is_final = false}), "");
  EXPECT_THAT(refusal(can, {.amount_minor = 40, .is_final = false}), HasSubstr("it must be the final one"));
  for (const auto phase : {Phase::succeeded, Phase::pending, Phase::manual_review}) {
    EXPECT_THAT(refusal(can, {.amount_minor = 40, .earlier = phase}), HasSubstr("and operation 2 is one"));
  }
  for (const auto phase : {Phase::declined, Phase::rejected, Phase::failed}) {
    EXPECT_EQ(refusal(can, {.amount_minor = 40, .earlier = phase}), "") << "it took nothing";
  }
}

TEST(Capabilities, WhereACaptureLetsNothingGoTheFinalOneTakesAllThatIsLeft) {
  auto can = everything;
  can.releases_rest = false;
  EXPECT_EQ(refusal(can, {.amount_minor = 40, .is_final = false}), "");
  EXPECT_EQ(refusal(can, {.amount_minor = 100}), "");
  EXPECT_THAT(refusal(can, {.amount_minor = 40}), HasSubstr("it must not be the final one"));
  EXPECT_THAT(refusal(can, {.amount_minor = 40, .earlier = Phase::declined}), HasSubstr("final"));
}

TEST(Capabilities, AreOfCapturesOnly) {
  for (const auto kind : {Kind::authorize, Kind::void_, Kind::refund}) {
    const auto step = step_of({.kind = kind, .amount_minor = 40, .authorized_minor = 100});
    EXPECT_FALSE(refusal_of({}, "acme", step.state, step.operation())) << to_string(kind);
  }
}

}  // namespace
}  // namespace switchyard::psp
