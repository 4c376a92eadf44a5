#include "payment/totals.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "payment/testing.hpp"

namespace switchyard::payment {
namespace {

using switchyard::testing::dollars;
using switchyard::testing::queued_transaction;

struct Totals {
  std::int64_t authorized = 0;
  std::int64_t held = 0;
  std::int64_t captured = 0;
  std::int64_t refunded = 0;

  friend bool operator==(const Totals&, const Totals&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Totals& totals) {
    return out << "authorized " << totals.authorized << ", held " << totals.held << ", captured "
               << totals.captured << ", refunded " << totals.refunded;
  }
};

Totals totals_of(const Transaction& transaction) {
  return {transaction.authorized_minor, transaction.held_minor, transaction.captured_minor,
          transaction.refunded_minor};
}

Transaction transaction_with(const Totals& totals, CaptureMethod method) {
  auto transaction = queued_transaction(method);
  transaction.authorized_minor = totals.authorized;
  transaction.held_minor = totals.held;
  transaction.captured_minor = totals.captured;
  transaction.refunded_minor = totals.refunded;
  return transaction;
}

Operation operation_of(Kind kind, std::int64_t amount, Phase phase = Phase::succeeded, bool is_final = true) {
  Operation operation{.amount = dollars(amount)};
  operation.kind = kind;
  operation.phase = phase;
  operation.is_final = is_final;
  return operation;
}

struct TotalsRow {
  const char* what;
  CaptureMethod method;
  Kind kind;
  bool is_final;
  std::int64_t amount;
  Totals before;
  Totals succeeded;
  // Nothing: it cannot be taken back.
  std::optional<Totals> taken_back;
};

constexpr auto manual = CaptureMethod::manual;
constexpr auto automatic = CaptureMethod::automatic;

const std::vector<TotalsRow> rows_of_totals{
    {"hold", manual, Kind::authorize, true, 1000, {}, {1000, 1000, 0, 0}, Totals{}},
    {"charge", automatic, Kind::authorize, true, 1000, {}, {1000, 0, 1000, 0}, Totals{}},
    {"capture all",
     manual,
     Kind::capture,
     true,
     1000,
     {1000, 1000, 0, 0},
     {1000, 0, 1000, 0},
     Totals{1000, 0, 0, 0}},
    {"capture a part and release the rest",
     manual,
     Kind::capture,
     true,
     400,
     {1000, 1000, 0, 0},
     {1000, 0, 400, 0},
     Totals{1000, 0, 0, 0}},
    {"capture a part and keep the rest",
     manual,
     Kind::capture,
     false,
     400,
     {1000, 1000, 0, 0},
     {1000, 600, 400, 0},
     Totals{1000, 600, 0, 0}},
    {"capture once more",
     manual,
     Kind::capture,
     false,
     600,
     {1000, 600, 400, 0},
     {1000, 0, 1000, 0},
     Totals{1000, 0, 400, 0}},
    {"capture that a final one has overtaken",
     manual,
     Kind::capture,
     false,
     400,
     {1000, 0, 600, 0},
     {1000, 0, 1000, 0},
     Totals{1000, 0, 600, 0}},
    {"void", manual, Kind::void_, true, 1000, {1000, 1000, 0, 0}, {1000, 0, 0, 0}, Totals{1000, 1000, 0, 0}},
    {"void what is left",
     manual,
     Kind::void_,
     true,
     600,
     {1000, 600, 400, 0},
     {1000, 0, 400, 0},
     Totals{1000, 600, 400, 0}},
    {"refund a part",
     automatic,
     Kind::refund,
     true,
     300,
     {1000, 0, 1000, 0},
     {1000, 0, 1000, 300},
     Totals{1000, 0, 1000, 0}},
    {"refund the rest",
     automatic,
     Kind::refund,
     true,
     700,
     {1000, 0, 1000, 300},
     {1000, 0, 1000, 1000},
     Totals{1000, 0, 1000, 300}},
};

TEST(Totals, AreMovedByWhatSucceededAsTheTableSays) {
  for (const auto& row : rows_of_totals) {
    auto transaction = transaction_with(row.before, row.method);
    book(transaction, operation_of(row.kind, row.amount, Phase::succeeded, row.is_final));
    EXPECT_EQ(totals_of(transaction), row.succeeded) << row.what;
    EXPECT_TRUE(totals_are_in_order(transaction)) << row.what;
  }
}

TEST(Totals, AreLoweredByWhatIsTakenBackAsTheTableSays) {
  for (const auto& row : rows_of_totals) {
    const auto operation = operation_of(row.kind, row.amount, Phase::succeeded, row.is_final);
    State state{transaction_with(row.succeeded, row.method), {operation}};
    EXPECT_EQ(take_back(state, operation), row.taken_back.has_value()) << row.what;
    EXPECT_EQ(totals_of(state.transaction), row.taken_back.value_or(row.succeeded)) << row.what;
    if (!row.taken_back) continue;
    put_back(state.transaction, operation);
    EXPECT_EQ(totals_of(state.transaction), row.succeeded) << row.what << ", and it happened after all";
  }
}

TEST(Totals, AreNotLoweredBelowWhatWasGivenBackSince) {
  const auto charge = operation_of(Kind::authorize, 1000);
  State state{transaction_with({1000, 0, 1000, 1}, automatic), {charge}};
  EXPECT_FALSE(take_back(state, charge));
  EXPECT_EQ(totals_of(state.transaction), (Totals{1000, 0, 1000, 1}));
}

TEST(Totals, AHoldIsNotTakenBackOnceItWasUsedOrGivenBackOrIsBeingUsed) {
  const auto hold = operation_of(Kind::authorize, 1000);
  for (const auto& totals : {Totals{1000, 0, 0, 0}, Totals{1000, 600, 400, 0}, Totals{1000, 0, 400, 0}}) {
    State state{transaction_with(totals, manual), {hold}};
    EXPECT_FALSE(take_back(state, hold)) << totals;
    EXPECT_EQ(totals_of(state.transaction), totals);
  }
  State state{transaction_with({1000, 1000, 0, 0}, manual),
              {hold, operation_of(Kind::capture, 1, Phase::sent)}};
  EXPECT_FALSE(take_back(state, hold));
}

TEST(Totals, AreNotLoweredBelowWhatIsBeingGivenBack) {
  const auto capture = operation_of(Kind::capture, 600);
  for (const auto phase :
       {Phase::requested, Phase::sent, Phase::pending, Phase::unknown, Phase::manual_review}) {
    State state{transaction_with({1000, 0, 1000, 0}, manual),
                {capture, operation_of(Kind::refund, 401, phase)}};
    EXPECT_FALSE(take_back(state, capture)) << to_string(phase) << ": the refund may succeed";
    EXPECT_EQ(totals_of(state.transaction), (Totals{1000, 0, 1000, 0}));
    state.operations.back().amount = dollars(400);
    EXPECT_TRUE(take_back(state, capture)) << to_string(phase) << ": there is room for both";
  }
}

TEST(Totals, AreInOrderOrNot) {
  struct Order {
    Totals totals;
    bool in_order;
  };
  for (const auto& [totals, in_order] : {
           Order{{0, 0, 0, 0}, true},
           Order{{1000, 1000, 0, 0}, true},
           Order{{1000, 500, 500, 500}, true},
           Order{{1000, 0, 1000, 1000}, true},
           Order{{1001, 0, 0, 0}, false},
           Order{{1000, 501, 500, 0}, false},
           Order{{1000, 0, 1001, 0}, false},
           Order{{1000, 0, 500, 501}, false},
           Order{{1000, -1, 0, 0}, false},
           Order{{1000, 0, 0, -1}, false},
           Order{{1000, 0, -1, -1}, false},
           Order{{-1, 0, -1, -1}, false},
       }) {
    EXPECT_EQ(totals_are_in_order(transaction_with(totals, manual)), in_order) << totals;
  }
  auto nothing = queued_transaction();
  nothing.amount = dollars(0);
  EXPECT_FALSE(totals_are_in_order(nothing));
}

// --- What is left ------------------------------------------------------------------------------

constexpr std::array open_phases{Phase::requested,       Phase::sent,         Phase::pending, Phase::unknown,
                                 Phase::action_required, Phase::manual_review};
constexpr std::array phases_that_are_over{Phase::succeeded, Phase::declined, Phase::rejected, Phase::failed};

TEST(LeftToCapture, CountsWhatIsOpenAsTaken) {
  for (const auto phase : open_phases) {
    State state{transaction_with({1000, 1000, 0, 0}, manual),
                {operation_of(Kind::capture, 300, phase, false)}};
    EXPECT_EQ(left_to_capture(state), 700) << to_string(phase);
    state.operations.push_back(operation_of(Kind::capture, 200, phase, false));
    EXPECT_EQ(left_to_capture(state), 500) << to_string(phase);
    state.operations.push_back(operation_of(Kind::refund, 200, phase));
    EXPECT_EQ(left_to_capture(state), 500) << "a refund takes nothing of the hold";
  }
}

TEST(LeftToCapture, IsNothingBesideAVoidOrACaptureThatReleasesTheRest) {
  for (const auto phase : open_phases) {
    const auto transaction = transaction_with({1000, 1000, 0, 0}, manual);
    EXPECT_EQ(left_to_capture({transaction, {operation_of(Kind::void_, 1000, phase)}}), 0)
        << to_string(phase);
    EXPECT_EQ(left_to_capture({transaction, {operation_of(Kind::capture, 300, phase, true)}}), 0)
        << to_string(phase);
  }
}

TEST(LeftToCapture, IsTheHoldWhenNothingIsOpenAnyMore) {
  for (const auto phase : phases_that_are_over) {
    const State state{
        transaction_with({1000, 1000, 0, 0}, manual),
        {operation_of(Kind::capture, 300, phase, false), operation_of(Kind::capture, 300, phase, true),
         operation_of(Kind::void_, 1000, phase)}};
    EXPECT_EQ(left_to_capture(state), 1000) << to_string(phase);
  }
}

TEST(LeftToCapture, IsNeverBelowZero) {
  const State state{transaction_with({1000, 0, 600, 0}, manual),
                    {operation_of(Kind::capture, 400, Phase::pending, false)}};
  EXPECT_EQ(left_to_capture(state), 0);
}

TEST(LeftToRefund, IsWhatWasCapturedWithoutWhatIsGivenBackOrMayBe) {
  for (const auto phase : open_phases) {
    const State state{transaction_with({1000, 0, 1000, 100}, automatic),
                      {operation_of(Kind::refund, 300, phase), operation_of(Kind::refund, 200, phase)}};
    EXPECT_EQ(left_to_refund(state), 400) << to_string(phase);
  }
  for (const auto phase : phases_that_are_over) {
    const State state{transaction_with({1000, 0, 1000, 100}, automatic),
                      {operation_of(Kind::refund, 300, phase)}};
    EXPECT_EQ(left_to_refund(state), 900) << to_string(phase) << " is in the totals, or in nothing";
  }
}

}  // namespace
}  // namespace switchyard::payment
