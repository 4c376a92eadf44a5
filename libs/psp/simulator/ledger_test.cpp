#include "psp/simulator/ledger.hpp"

#include <filesystem>
#include <optional>

#include <gmock/gmock.h>

#include "base/io_threads.hpp"
#include "base/testing.hpp"

namespace switchyard::psp::simulator {
namespace {

using ::testing::SizeIs;

Charge charge(std::string key = "key-1", std::string reference = "reference",
              std::string fingerprint = "print") {
  return {.reference = std::move(reference),
          .idempotency_key = std::move(key),
          .amount = Money(100, *Currency::parse("USD")),
          .capture_method = payment::CaptureMethod::manual,
          .code = {},
          .request_fingerprint = std::move(fingerprint)};
}

constexpr Behaviour approve{};
constexpr Behaviour decline{Charging::decline, Answer::given, "59"};

class LedgerTest : public ::testing::Test {
 protected:
  Result<std::optional<Booked>> book(const Charge& wanted, Behaviour behaviour = approve) {
    return threads_.run(0, [&] { return ledger_->book(wanted, behaviour, clock_.now()); });
  }
  std::vector<Charge> list(const std::string& reference, std::size_t limit = 100) {
    return threads_.run(0, [&] { return ledger_->list(reference, limit); }).value();
  }
  std::vector<ChargeCount> count(const std::string& after = "", std::size_t limit = 100) {
    return threads_.run(0, [&] { return ledger_->count(after, limit); }).value();
  }

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
  EXPECT_FALSE((*again)->charge.approved) << "what is booked stays";
  EXPECT_EQ((*again)->charge.code, "59");
  EXPECT_EQ((*again)->charge.capture_method, payment::CaptureMethod::manual);
  EXPECT_EQ((*again)->charge.id(), "sim_key-1");
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

TEST_F(LedgerTest, TakesOverALedgerOfVersion01) {
  ledger_.reset();
  const auto old_path = folder_.file("old.db");
  sqlite::Database(old_path, sqlite::Durability::process, sqlite::Access::create).execute(R"(
    CREATE TABLE charges (
      reference TEXT NOT NULL, idempotency_key TEXT NOT NULL, amount_minor INTEGER NOT NULL,
      currency TEXT NOT NULL, outcome TEXT NOT NULL CHECK (outcome IN ('approved', 'declined')),
      code TEXT NOT NULL, charged_at_ms INTEGER NOT NULL, PRIMARY KEY (reference, idempotency_key)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO charges VALUES ('reference', 'key-1', 100, 'USD', 'approved', '', 1);
  )");
  for (const auto use : {Ledger::Use::in_process, Ledger::Use::program}) {
    ledger_.emplace(old_path, use);
    const auto found = book(charge(), decline);
    ASSERT_TRUE(found && *found);
    EXPECT_TRUE((*found)->charge.approved);
    EXPECT_FALSE((*found)->is_new);
  }
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

TEST_F(LedgerTest, EveryNameOfABehaviourIsFound) {
  for (const auto& named : named_behaviours) EXPECT_TRUE(find_behaviour(named.name)) << named.name;
  EXPECT_FALSE(find_behaviour("explode"));
  EXPECT_EQ(find_behaviour("time_out_before_charge")->charging, Charging::none);
  EXPECT_EQ(find_behaviour("reset_after_charge")->answer, Answer::reset);
}

}  // namespace
}  // namespace switchyard::psp::simulator
