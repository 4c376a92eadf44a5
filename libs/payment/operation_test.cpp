#include "payment/operation.hpp"

#include <gtest/gtest.h>

#include "payment/testing.hpp"

namespace switchyard::payment {
namespace {

using switchyard::testing::dollars;
using switchyard::testing::queued_transaction;

TEST(OperationKind, HasItsNameBothWays) {
  for (const auto& [kind, name] :
       {std::pair{Kind::authorize, "authorize"}, std::pair{Kind::capture, "capture"},
        std::pair{Kind::void_, "void"}, std::pair{Kind::refund, "refund"}}) {
    EXPECT_EQ(to_string(kind), name);
    EXPECT_EQ(parse_kind(name), kind);
  }
  for (const char* text : {"", "void_", "Refund", "charge"})
    EXPECT_EQ(parse_kind(text), std::nullopt) << text;
}

TEST(OperationPhase, HasItsNameBothWaysAndIsOpenOrUnresolved) {
  struct Row {
    Phase phase;
    std::string_view name;
    bool open;
    bool unresolved;
  };
  for (const auto& [phase, name, open, unresolved] : {
           Row{Phase::requested, "requested", true, false},
           Row{Phase::sent, "sent", true, true},
           Row{Phase::pending, "pending", true, false},
           Row{Phase::unknown, "unknown", true, true},
           Row{Phase::action_required, "action_required", true, false},
           Row{Phase::succeeded, "succeeded", false, false},
           Row{Phase::declined, "declined", false, false},
           Row{Phase::rejected, "rejected", false, false},
           Row{Phase::failed, "failed", false, false},
           Row{Phase::manual_review, "manual_review", true, false},
       }) {
    EXPECT_EQ(to_string(phase), name);
    EXPECT_EQ(parse_phase(name), phase);
    EXPECT_EQ(is_open(phase), open) << name;
    EXPECT_EQ(is_unresolved(phase), unresolved) << name;
  }
  EXPECT_EQ(parse_phase("started"), std::nullopt);
  EXPECT_EQ(parse_phase(""), std::nullopt);
}

TEST(OperationReason, HasItsKindsNameBothWaysAndNoneIsEmpty) {
  for (const auto& [kind, name] :
       {std::pair{ReasonKind::none, ""}, std::pair{ReasonKind::soft_decline, "soft_decline"},
        std::pair{ReasonKind::hard_decline, "hard_decline"},
        std::pair{ReasonKind::customer_action, "customer_action"},
        std::pair{ReasonKind::configuration, "configuration"}, std::pair{ReasonKind::unknown, "unknown"}}) {
    EXPECT_EQ(to_string(kind), name);
    EXPECT_EQ(parse_reason_kind(name), kind);
  }
  EXPECT_EQ(parse_reason_kind("none"), std::nullopt);
}

TEST(OperationReason, IsTheCodeOrTheMessageWhereThereIsNone) {
  EXPECT_EQ((Reason{"51", "no money", ReasonKind::soft_decline}.text()), "51");
  EXPECT_EQ((Reason{"", "time-out", ReasonKind::unknown}.text()), "time-out");
  EXPECT_EQ(Reason{}.text(), "");
}

TEST(FindAuthorization, IsTheLastOneAndNoneOfAQueuedTransaction) {
  State state{queued_transaction(), {}};
  EXPECT_EQ(find_authorization(state), nullptr);
  for (const auto kind : {Kind::authorize, Kind::authorize, Kind::refund}) {
    Operation operation{.amount = dollars(1)};
    operation.number = static_cast<std::int32_t>(state.operations.size() + 1);
    operation.kind = kind;
    state.operations.push_back(operation);
  }
  EXPECT_EQ(find_authorization(state)->number, 2);
}

TEST(OperationDeathTest, APhaseOutsideTheTableIsABug) {
  EXPECT_DEATH(static_cast<void>(is_open(static_cast<Phase>(99))), "invariant broken");
}

}  // namespace
}  // namespace switchyard::payment
