#include "payment/transaction.hpp"

#include <set>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "payment/psp_keys.hpp"
#include "payment/testing.hpp"

namespace switchyard::payment {
namespace {

using switchyard::testing::payment_id;
using switchyard::testing::queued_transaction;

const std::vector<std::pair<Status, std::string_view>> all_statuses{
    {Status::queued, "queued"},
    {Status::processing, "processing"},
    {Status::action_required, "action_required"},
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

TEST(TransactionStatus, IsOpenWhileAWorkerHasSomethingToDo) {
  const std::set open{Status::queued, Status::processing, Status::action_required, Status::unknown};
  for (const auto& [status, name] : all_statuses) EXPECT_EQ(is_open(status), open.contains(status)) << name;
}

TEST(CaptureMethod, HasItsNameBothWays) {
  EXPECT_EQ(to_string(CaptureMethod::automatic), "automatic");
  EXPECT_EQ(to_string(CaptureMethod::manual), "manual");
  EXPECT_EQ(parse_capture_method("automatic"), CaptureMethod::automatic);
  EXPECT_EQ(parse_capture_method("manual"), CaptureMethod::manual);
  EXPECT_EQ(parse_capture_method("Manual"), std::nullopt);
  EXPECT_EQ(parse_capture_method(""), std::nullopt);
}

TEST(PspReference, IsTheIdUnlessItIsDerivedFromTheMerchantsKey) {
  auto transaction = queued_transaction();
  EXPECT_EQ(psp_reference(transaction), payment_id);
  transaction.derived_reference = "00112233";
  EXPECT_EQ(psp_reference(transaction), "00112233");
}

// --- What a PSP is told ------------------------------------------------------------------------

TEST(DerivedKey, IsTheSameForTheSameWishWhereverItIsMade) {
  const auto key = derived_key("0123", {1}, "order 1", Kind::authorize);
  EXPECT_EQ(derived_key("0123", {1}, "order 1", Kind::authorize), key);
  EXPECT_EQ(key.size(), 32U);
  EXPECT_EQ(key.find_first_not_of("0123456789abcdef"), std::string::npos);
}

// Kept for ever: another version that derives another key would charge again.
TEST(DerivedKey, NeverChanges) {
  EXPECT_EQ(derived_key("0123", {1}, "order 1", Kind::authorize), "b74f8acd956aef9885eb12f296715ca2");
}

TEST(DerivedKey, DiffersWithEachThingThatItIsMadeFrom) {
  const std::set keys{
      derived_key("0123", {1}, "order 1", Kind::authorize),
      derived_key("0124", {1}, "order 1", Kind::authorize),
      derived_key("0123", {2}, "order 1", Kind::authorize),
      derived_key("0123", {1}, "order 2", Kind::authorize),
      derived_key("0123", {1}, "order 1", Kind::capture),
      derived_key("0123", {1}, "order 1", Kind::void_),
      derived_key("0123", {1}, "order 1", Kind::refund),
  };
  EXPECT_EQ(keys.size(), 7U);
}

TEST(DerivedKey, OfAKeyThatLooksLikeSomethingElseIsAnother) {
  EXPECT_NE(derived_key("0123", {1}, "1\nrefund\nx", Kind::refund),
            derived_key("0123", {1}, "x", Kind::refund));
  EXPECT_NE(derived_key("0123", {1}, "x\n", Kind::refund), derived_key("0123", {1}, "x", Kind::refund));
}

TEST(NumberedKey, HoldsTheMerchantTheReferenceAndTheNumber) {
  auto transaction = queued_transaction();
  EXPECT_EQ(numbered_key(transaction, 2), "1-" + std::string(payment_id) + "-2");
  transaction.merchant_id = {7};
  EXPECT_EQ(numbered_key(transaction, 2), "7-" + std::string(payment_id) + "-2")
      << "two merchants with one id";
  transaction.derived_reference = "00112233";
  EXPECT_EQ(numbered_key(transaction, 1), "7-00112233-1");
}

}  // namespace
}  // namespace switchyard::payment
