#include "psp/simulator/ledger.hpp"

#include <filesystem>
#include <optional>

#include <gmock/gmock.h>

#include "base/io_threads.hpp"
#include "base/testing.hpp"
#include "psp/simulator/bookings.hpp"

namespace switchyard::psp::simulator {
namespace {

using payment::Kind;
using ::testing::SizeIs;

Charge charge(std::string key = "key-1", std::string reference = "reference",
              std::string fingerprint = "print") {
  return {.reference = std::move(reference),
          .idempotency_key = std::move(key),
          .amount = Money(100, *Currency::parse("USD")),
          .capture_method = payment::CaptureMethod::manual,
          .request_fingerprint = std::move(fingerprint)};
}

Operation operation(payment::Kind kind, std::int64_t amount_minor, std::string key, bool is_final = false) {
  return {.kind = kind,
          .reference = "",
          .charge_key = "key-1",
          .idempotency_key = std::move(key),
          .amount = Money(amount_minor, *Currency::parse("USD")),
          .is_final = is_final,
          .request_fingerprint = "print of " + std::to_string(amount_minor)};
}
Operation refund(std::int64_t amount_minor, std::string key = "refund-1") {
  return operation(Kind::refund, amount_minor, std::move(key));
}

constexpr Behaviour approve{};
constexpr Behaviour decline{Charging::decline, Answer::given, "59"};
constexpr Behaviour approve_later{Charging::approve_later};
constexpr Behaviour decline_later{Charging::decline_later, Answer::given, "59"};
constexpr Behaviour take_back_later{Charging::approve_and_take_back};

class LedgerTest : public ::testing::Test {
 protected:
  Result<std::optional<Booked<Charge>>> book(const Charge& wanted, Behaviour behaviour = approve) {
    return threads_.run(0, [&] { return ledger_->book(wanted, behaviour, clock_.now()); });
  }
  // One whose money is taken.
  void book_taken(const Behaviour& behaviour = approve) {
    auto wanted = charge();
    wanted.capture_method = payment::CaptureMethod::automatic;
    ASSERT_TRUE(book(wanted, behaviour));
  }
  Result<BookedOperation> operate(const Operation& wanted, Behaviour behaviour = approve) {
    Ledger::BehaviourFor always = [&](std::string_view) { return behaviour; };
    return threads_.run(0, [&] { return ledger_->operate(wanted, always, clock_.now()); });
  }
  // What the book says of it.
  Outcome outcome_of(const Operation& wanted, Behaviour behaviour = approve) {
    return operate(wanted, behaviour).value().booked->entry.outcome;
  }
  std::vector<ListedCharge> list(const std::string& reference, std::size_t limit = 100) {
    return threads_.run(0, [&] { return ledger_->list(reference, limit, clock_.now()); }).value();
  }
  Charge only() {
    const auto listed = list("reference");
    EXPECT_THAT(listed, SizeIs(1));
    return listed.at(0).charge;
  }
  std::optional<Operation> find(const std::string& key) {
    return threads_.run(0, [&] { return ledger_->find_operation("reference", key, clock_.now()); }).value();
  }
  std::vector<ChargeCount> count(const std::string& after = "", std::size_t limit = 100) {
    return threads_.run(0, [&] { return ledger_->count(after, limit, clock_.now()); }).value();
  }
  void wait() { clock_.advance(usual_delay); }

  testing::TempDir folder_;
  const std::string path_ = folder_.file("ledger.db");
  testing::ManualClock clock_;
  IoThreads threads_{1};
  std::optional<Ledger> ledger_{std::in_place, path_, Ledger::Use::program};
};

TEST_F(LedgerTest, BooksOnceAndGivesTheFirstAnswerAgain) {
  const auto first = book(charge(), decline);
  ASSERT_TRUE(first && *first);
  EXPECT_TRUE((*first)->is_new);
  const auto again = book(charge(), approve);
  ASSERT_TRUE(again && *again);
  EXPECT_FALSE((*again)->is_new);
  EXPECT_EQ((*again)->entry.outcome.status, Status::declined) << "what is booked stays";
  EXPECT_EQ((*again)->entry.outcome.code, "59");
  EXPECT_EQ((*again)->entry.capture_method, payment::CaptureMethod::manual);
  EXPECT_EQ((*again)->entry.id(), "sim_key-1");
}

TEST_F(LedgerTest, RefusesAKeyWithAnotherRequest) {
  ASSERT_TRUE(book(charge()));
  for (const auto& other : {charge("key-1", "reference", "other"), charge("key-1", "elsewhere", "other")}) {
    const auto refused = book(other);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::idempotency_key_reused_with_different_body);
  }
  EXPECT_THAT(list("reference"), SizeIs(1));
  EXPECT_THAT(list("elsewhere"), SizeIs(0));
}

TEST_F(LedgerTest, BooksNothingWhereNothingIsCharged) {
  const auto booked = book(charge(), {Charging::none, Answer::withheld, {}});
  ASSERT_TRUE(booked);
  EXPECT_FALSE(*booked);
  EXPECT_THAT(list("reference"), SizeIs(0));
  ASSERT_TRUE(book(charge()).value());
  EXPECT_TRUE(book(charge(), {Charging::none, Answer::withheld, {}}).value()) << "it is in the book";
}

TEST_F(LedgerTest, BooksWhatComesTheSecondTime) {
  constexpr Behaviour at_second{Charging::none_at_first, Answer::withheld, {}};
  EXPECT_FALSE(book(charge(), at_second).value());
  EXPECT_FALSE(book(charge("key-2"), at_second).value()) << "each key has a first time";
  ledger_.emplace(path_, Ledger::Use::program);
  EXPECT_TRUE(book(charge(), at_second).value()) << "and a restart is none";
  EXPECT_THAT(list("reference"), SizeIs(1));
}

TEST_F(LedgerTest, ListsAndCountsByReferenceInPages) {
  for (const auto* key : {"b-1", "b-2"}) ASSERT_TRUE(book(charge(key, "b")));
  ASSERT_TRUE(book(charge("a-1", "a"), decline));
  ASSERT_TRUE(book(charge("c-1", "c")));
  EXPECT_THAT(list("b"), SizeIs(2));
  EXPECT_THAT(list("b", 1), SizeIs(1));

  const auto page = count("", 2);
  ASSERT_THAT(page, SizeIs(2));
  EXPECT_EQ(page[0].reference, "a");
  EXPECT_EQ(page[0].charges, 1);
  EXPECT_EQ(page[0].approved, 0);
  EXPECT_EQ(page[1].reference, "b");
  EXPECT_EQ(page[1].charges, 2);
  EXPECT_EQ(page[1].approved, 2);
  const auto rest = count("b", 2);
  ASSERT_THAT(rest, SizeIs(1));
  EXPECT_EQ(rest[0].reference, "c");
}

TEST_F(LedgerTest, BooksOperationsOnceAndCountsThem) {
  book_taken();
  for (int sent = 0; sent < 2; ++sent) {
    const auto booked = operate(refund(40));
    ASSERT_TRUE(booked && booked->booked);
    EXPECT_EQ(booked->booked->is_new, sent == 0);
    EXPECT_EQ(booked->booked->entry.id(), "sim_refund-1");
    EXPECT_EQ(booked->booked->entry.charge_id(), "sim_key-1");
    EXPECT_EQ(booked->booked->entry.reference, "reference");
  }
  EXPECT_EQ(only().refunded_minor, 40);
  EXPECT_THAT(list("reference")[0].operations, SizeIs(1));
  EXPECT_EQ(find("refund-1")->amount.minor(), 40);
  EXPECT_FALSE(find("refund-2"));
  const auto counts = count();
  ASSERT_THAT(counts, SizeIs(1));
  EXPECT_EQ(counts[0].captured_minor, 100);
  EXPECT_EQ(counts[0].refunded_minor, 40);
  EXPECT_EQ(counts[0].voided_minor, 0);
}

TEST_F(LedgerTest, HoldsCapturesAndVoids) {
  ASSERT_TRUE(book(charge()));
  EXPECT_EQ(outcome_of(operation(Kind::capture, 30, "capture-1")).status, Status::succeeded);
  EXPECT_EQ(only().captured_minor, 30);
  EXPECT_EQ(only().held_minor(), 70);
  const auto voided = operate(operation(Kind::void_, 1, "void-1"));
  ASSERT_TRUE(voided && voided->booked);
  EXPECT_EQ(voided->booked->entry.amount.minor(), 70) << "a void gives back what is held";
  EXPECT_EQ(only().held_minor(), 0);
  EXPECT_EQ(count()[0].voided_minor, 70);
}

TEST_F(LedgerTest, WhatTheChargeDoesNotAllowIsRefusedForGood) {
  book_taken();
  EXPECT_EQ(outcome_of(refund(101)).code, over_what_is_left);
  EXPECT_EQ(outcome_of(operation(Kind::capture, 1, "capture-1")).code, wrong_state);
  EXPECT_EQ(outcome_of(operation(Kind::void_, 1, "void-1")).code, wrong_state);
  EXPECT_EQ(only().refunded_minor, 0);
  EXPECT_EQ(outcome_of(refund(101)).code, over_what_is_left) << "under the same key, too";
  EXPECT_EQ(find("refund-1")->outcome.status, Status::declined);
  EXPECT_EQ(outcome_of(refund(100, "refund-2")).status, Status::succeeded);
}

TEST_F(LedgerTest, OfManyRefundsAtOnceOnlyWhatIsThereIsGivenBack) {
  book_taken();
  int succeeded = 0;
  Ledger::BehaviourFor always = [](std::string_view) { return approve; };
  auto refund_one = [&](int number) -> Task<void> {
    auto wanted = refund(10, "refund-" + std::to_string(number));
    const auto booked = co_await ledger_->operate(std::move(wanted), always, clock_.now());
    if (booked->booked->entry.outcome.status == Status::succeeded) ++succeeded;
  };
  threads_.run(0, [&] { return testing::many_at_once(threads_.executor(0), 100, refund_one); });
  EXPECT_EQ(succeeded, 10);
  EXPECT_EQ(only().refunded_minor, 100);
}

TEST_F(LedgerTest, AnOperationNeedsItsChargeItsCurrencyAndItsKey) {
  EXPECT_EQ(operate(refund(1)).error().code, ErrorCode::not_found);
  book_taken();
  auto in_euro = refund(1);
  in_euro.amount = Money(1, *Currency::parse("EUR"));
  EXPECT_EQ(operate(in_euro).error().code, ErrorCode::invalid_argument);
  ASSERT_TRUE(operate(refund(1)));
  EXPECT_EQ(operate(refund(2)).error().code, ErrorCode::idempotency_key_reused_with_different_body);
  EXPECT_EQ(operate(refund(1, "key-1")).error().code, ErrorCode::idempotency_key_reused_with_different_body)
      << "a charge has it";
  EXPECT_EQ(book(charge("refund-1")).error().code, ErrorCode::idempotency_key_reused_with_different_body);
  EXPECT_EQ(only().refunded_minor, 1);
}

TEST_F(LedgerTest, InProcessAKeyCountsBelowItsReference) {
  ledger_.emplace(folder_.file("in_process.db"));
  for (const auto* reference : {"a", "b"}) {
    auto wanted = charge("key-1", reference);
    wanted.capture_method = payment::CaptureMethod::automatic;
    ASSERT_TRUE(book(wanted));
    auto asked = refund(40);
    asked.reference = reference;
    EXPECT_EQ(outcome_of(asked).status, Status::succeeded);
    EXPECT_EQ(list(reference).at(0).charge.refunded_minor, 40);
  }
}

TEST_F(LedgerTest, OperationsBehaveLikeCharges) {
  book_taken();
  EXPECT_FALSE(operate(refund(10), {Charging::none, Answer::withheld, {}})->booked);
  EXPECT_EQ(operate(refund(10), {Charging::none, Answer::withheld, {}})->behaviour.answer, Answer::withheld);
  EXPECT_FALSE(find("refund-1"));
  EXPECT_EQ(outcome_of(refund(10), decline).code, "59");
  EXPECT_EQ(outcome_of(refund(10)).code, "59") << "what is booked stays";
  constexpr Behaviour at_second{Charging::none_at_first, Answer::withheld, {}};
  EXPECT_FALSE(operate(refund(10, "refund-2"), at_second)->booked);
  EXPECT_EQ(outcome_of(refund(10, "refund-2"), at_second).status, Status::succeeded);
  EXPECT_EQ(only().refunded_minor, 10);
}

TEST_F(LedgerTest, AChargeIsPendingUntilItsTimeIsOver) {
  book_taken(approve_later);
  EXPECT_EQ(only().outcome.status, Status::pending);
  EXPECT_EQ(only().captured_minor, 0);
  EXPECT_EQ(outcome_of(refund(1)).code, wrong_state);
  EXPECT_EQ(count()[0].approved, 0);
  wait();
  EXPECT_EQ(count()[0].approved, 1) << "whoever looks first";
  EXPECT_EQ(only().captured_minor, 100);
  EXPECT_EQ(outcome_of(refund(1, "refund-2")).status, Status::succeeded);
}

TEST_F(LedgerTest, AReplaySeesWhatBecameOfAPendingCharge) {
  ASSERT_TRUE(book(charge(), decline_later));
  EXPECT_EQ(book(charge()).value()->entry.outcome.status, Status::pending);
  wait();
  EXPECT_EQ(book(charge()).value()->entry.outcome.status, Status::declined);
  EXPECT_EQ(book(charge()).value()->entry.outcome.code, "59");
}

TEST_F(LedgerTest, OperationsArePendingUntilTheirTimeIsOver) {
  book_taken();
  EXPECT_EQ(outcome_of(refund(60), approve_later).status, Status::pending);
  EXPECT_EQ(outcome_of(refund(30, "refund-2"), decline_later).status, Status::pending);
  EXPECT_EQ(outcome_of(refund(11, "refund-3")).code, over_what_is_left) << "what is pending counts as done";
  EXPECT_EQ(only().refunded_minor, 0);
  wait();
  EXPECT_EQ(find("refund-1")->outcome.status, Status::succeeded);
  EXPECT_EQ(find("refund-2")->outcome.status, Status::declined);
  EXPECT_EQ(only().refunded_minor, 60);
  EXPECT_EQ(outcome_of(refund(40, "refund-4")).status, Status::succeeded);
}

TEST_F(LedgerTest, WhatIsTakenBackLowersTheTotals) {
  book_taken();
  EXPECT_EQ(outcome_of(refund(60), take_back_later).status, Status::succeeded);
  EXPECT_EQ(only().refunded_minor, 60);
  wait();
  EXPECT_EQ(find("refund-1")->outcome.status, Status::declined);
  EXPECT_EQ(find("refund-1")->outcome.code, taken_back);
  EXPECT_EQ(only().refunded_minor, 0);
  wait();
  EXPECT_EQ(only().refunded_minor, 0) << "once";
}

TEST_F(LedgerTest, AChargeIsTakenBackUnlessSomethingRestsOnIt) {
  book_taken(take_back_later);
  auto other = charge("key-2", "other");
  ASSERT_TRUE(book(other, take_back_later));
  auto capture = operation(Kind::capture, 100, "capture-1");
  capture.charge_key = "key-2";
  ASSERT_TRUE(operate(capture));
  wait();
  EXPECT_EQ(only().outcome.code, taken_back);
  EXPECT_EQ(only().captured_minor, 0);
  EXPECT_EQ(list("other").at(0).charge.outcome.status, Status::succeeded);
  EXPECT_EQ(list("other").at(0).charge.captured_minor, 100);
}

TEST_F(LedgerTest, ListsOperationsInTheOrderInWhichTheyCame) {
  book_taken();
  for (const auto* key : {"z", "a", "m"}) {
    ASSERT_TRUE(operate(refund(1, key)));
    clock_.advance(std::chrono::milliseconds(1));
  }
  std::string keys;
  const auto listed = list("reference");
  for (const auto& each : listed.at(0).operations) keys += each.idempotency_key;
  EXPECT_EQ(keys, "zam");
}

TEST_F(LedgerTest, WhatIsBookedSurvivesTheProgram) {
  ASSERT_TRUE(book(charge()));
  ASSERT_TRUE(operate(operation(Kind::capture, 40, "capture-1"), approve_later));
  ledger_.emplace(path_, Ledger::Use::program);
  wait();
  EXPECT_EQ(only().captured_minor, 40);
  EXPECT_EQ(find("capture-1")->outcome.status, Status::succeeded);
}

constexpr const char* first_ledger = R"(
  CREATE TABLE charges (
    reference TEXT NOT NULL, idempotency_key TEXT NOT NULL, amount_minor INTEGER NOT NULL,
    currency TEXT NOT NULL, outcome TEXT NOT NULL CHECK (outcome IN ('approved', 'declined')),
    code TEXT NOT NULL, charged_at_ms INTEGER NOT NULL, PRIMARY KEY (reference, idempotency_key)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO charges VALUES ('reference', 'key-1', 100, 'USD', 'approved', '', 1),
                             ('reference', 'key-0', 100, 'USD', 'declined', '59', 1);
)";
// As the last program without operations left it.
constexpr const char* second_ledger = R"(
  ALTER TABLE charges ADD COLUMN capture_method TEXT NOT NULL DEFAULT 'automatic';
  ALTER TABLE charges ADD COLUMN request_fingerprint BLOB NOT NULL DEFAULT x'';
  CREATE UNIQUE INDEX charges_by_key ON charges (idempotency_key);
  CREATE TABLE postponed (idempotency_key TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;
  INSERT INTO charges VALUES ('reference', 'key-2', 50, 'EUR', 'approved', '', 2, 'manual', x'01');
)";

TEST_F(LedgerTest, TakesOverLedgersOfVersion01) {
  for (const bool is_first : {true, false}) {
    ledger_.reset();
    const auto old_path = folder_.file(is_first ? "first.db" : "second.db");
    {
      sqlite::Database old(old_path, sqlite::Durability::process, sqlite::Access::create);
      old.execute(first_ledger);
      if (!is_first) old.execute(second_ledger);
    }
    for (const auto use : {Ledger::Use::in_process, Ledger::Use::program}) {
      ledger_.emplace(old_path, use);
      const auto found = book(charge(), decline);
      ASSERT_TRUE(found && *found);
      EXPECT_EQ((*found)->entry.outcome.status, Status::succeeded);
      EXPECT_EQ((*found)->entry.captured_minor, 100) << "it was taken at once";
      EXPECT_FALSE((*found)->is_new);
      const auto listed = list("reference");
      ASSERT_THAT(listed, SizeIs(is_first ? 2 : 3));
      EXPECT_EQ(listed[0].charge.outcome.code, "59");
      EXPECT_EQ(listed[0].charge.captured_minor, 0);
      if (is_first) continue;
      EXPECT_EQ(listed[2].charge.held_minor(), 50);
      EXPECT_EQ(listed[2].charge.request_fingerprint, "\x01");
    }
    EXPECT_EQ(outcome_of(refund(100)).status, Status::succeeded);
  }
}

TEST_F(LedgerTest, WhatAnotherPspHasIsInTheSameBookUnderItsOwnName) {
  const auto made = threads_.run(0, [&] {
    auto work = [now = clock_.now()](LedgerRows& rows, sqlite::Database&) -> Result<bool> {
      auto foreign = charge("ch_1");
      foreign.psp = "stripe";
      foreign.capture_method = payment::CaptureMethod::automatic;
      const auto booked = book_new(rows, foreign, take_back_later, now);
      Operation part = refund(30, "re_1");
      part.reference = "reference";
      part.charge_key = "ch_1";
      part.psp = "stripe";
      return book_new(rows, booked, part, approve_later, now).outcome.status == Status::pending;
    };
    return ledger_->transact<bool>(std::move(work));
  });
  EXPECT_TRUE(made.value_or(false));
  const auto listed = list("reference");
  ASSERT_THAT(listed, SizeIs(1));
  EXPECT_EQ(listed[0].charge.id(), "ch_1");
  ASSERT_THAT(listed[0].operations, SizeIs(1));
  EXPECT_EQ(listed[0].operations[0].id(), "re_1");
  EXPECT_EQ(listed[0].operations[0].charge_id(), "ch_1");
  auto native = refund(10, "refund-1");
  native.charge_key = "ch_1";
  EXPECT_EQ(operate(native).error().code, ErrorCode::not_found) << "it is none of the simulator's own";
  const auto next = threads_.run(0, [&] {
    auto work = [](LedgerRows& rows, sqlite::Database&) -> Result<std::optional<Timestamp>> {
      EXPECT_FALSE(rows.next_change(""));
      return rows.next_change("stripe");
    };
    return ledger_->transact<std::optional<Timestamp>>(std::move(work));
  });
  EXPECT_EQ(next.value(), clock_.now() + usual_delay);
}

TEST_F(LedgerTest, BooksNothingIntoAFileThatIsNotAtItsPath) {
  for (const auto use : {Ledger::Use::in_process, Ledger::Use::program}) {
    const auto path = folder_.file(use == Ledger::Use::program ? "program.db" : "in_process.db");
    ledger_.emplace(path, use);
    ASSERT_TRUE(book(charge("key-1")));
    std::filesystem::rename(path, path + ".aside");
    const auto refused = book(charge("key-2"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::store_unavailable);
    EXPECT_FALSE(std::filesystem::exists(path)) << "nor into a new one";
    std::filesystem::rename(path + ".aside", path);
    EXPECT_THAT(list("reference"), SizeIs(1));
  }
}

TEST_F(LedgerTest, MakesItsFolder) {
  const Ledger ledger(folder_.file("not/there/yet.db"));
  EXPECT_TRUE(std::filesystem::exists(folder_.file("not/there/yet.db")));
}

}  // namespace
}  // namespace switchyard::psp::simulator
