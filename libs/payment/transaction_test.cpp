#include "payment/transaction.hpp"

#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace switchyard::payment {
namespace {

const std::vector<std::pair<Status, std::string_view>> all_statuses{
    {Status::queued, "queued"},
    {Status::processing, "processing"},
    {Status::authorized, "authorized"},
    {Status::captured, "captured"},
    {Status::voided, "voided"},
    {Status::partially_refunded, "partially_refunded"},
    {Status::refunded, "refunded"},
    {Status::declined, "declined"},
    {Status::failed, "failed"},
    {Status::unknown, "unknown"},
    {Status::manual_review, "manual_review"},
};

TEST(TransactionStatus, HasTheNameOfTheApiBothWays) {
  for (const auto& [status, name] : all_statuses) {
    EXPECT_EQ(to_string(status), name);
    EXPECT_EQ(parse_status(name), status);
  }
}

TEST(TransactionStatus, IsNotParsedFromAnythingElse) {
  for (const char* text :
       {"", "Queued", "QUEUED", "queued ", " queued", "queue", "partially-refunded", "done"}) {
    EXPECT_EQ(parse_status(text), std::nullopt) << text;
  }
}

TEST(TransactionStatus, IsFinalWhenNothingCanChangeItAnyMore) {
  for (const auto& [status, name] : all_statuses) {
    const bool final = status == Status::voided || status == Status::refunded || status == Status::declined ||
                       status == Status::failed;
    EXPECT_EQ(is_final(status), final) << name;
  }
}

TEST(CaptureMethod, HasItsNameBothWays) {
  EXPECT_EQ(to_string(CaptureMethod::automatic), "automatic");
  EXPECT_EQ(to_string(CaptureMethod::manual), "manual");
  EXPECT_EQ(parse_capture_method("automatic"), CaptureMethod::automatic);
  EXPECT_EQ(parse_capture_method("manual"), CaptureMethod::manual);
  EXPECT_EQ(parse_capture_method("Manual"), std::nullopt);
  EXPECT_EQ(parse_capture_method(""), std::nullopt);
}

TEST(AttemptStatus, HasItsNameBothWaysAndIsResolvedOnceTheOutcomeIsKnown) {
  struct Row {
    AttemptStatus status;
    std::string_view name;
    bool resolved;
  };
  for (const auto& [status, name, resolved] : {
           Row{AttemptStatus::started, "started", false},
           Row{AttemptStatus::approved, "approved", true},
           Row{AttemptStatus::declined, "declined", true},
           Row{AttemptStatus::not_sent, "not_sent", true},
           Row{AttemptStatus::unknown, "unknown", false},
           Row{AttemptStatus::failed, "failed", true},
       }) {
    EXPECT_EQ(to_string(status), name);
    EXPECT_EQ(parse_attempt_status(name), status);
    EXPECT_EQ(is_resolved(status), resolved) << name;
  }
  EXPECT_EQ(parse_attempt_status("sent"), std::nullopt);
}

TEST(TransactionDeathTest, AStatusOutsideTheTableIsABug) {
  EXPECT_DEATH(static_cast<void>(is_final(static_cast<Status>(99))), "invariant broken");
}

}  // namespace
}  // namespace switchyard::payment
