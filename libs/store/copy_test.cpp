#include "store/copy.hpp"

#include <gmock/gmock.h>

#include "base/io_threads.hpp"
#include "base/testing.hpp"
#include "postgres/testing.hpp"
#include "store/postgres/postgres_store.hpp"
#include "store/psp_event_row.hpp"
#include "store/sqlite/schema.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace switchyard::store {
namespace {

const payment::OneAccount copy_psp{"psp", [](const auto&, const auto&) { return "request"; }};

using switchyard::testing::TempDir;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr Timestamp written_at{std::chrono::milliseconds(1'700'000'000'000)};
constexpr int transactions = 5'000;

class CopyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto reason = testing::why_no_postgres(); !reason.empty()) GTEST_SKIP() << reason;
    url_ = testing::postgres_schema_url(
        std::filesystem::path(folder_.file("")).parent_path().filename().string());
    SqliteStore store(path_);
    fill(store);
  }

  // Two merchants, keys, operations, and some of each status.
  void fill(Store& store) {
    threads_.run(0, [&]() -> Task<void> {
      for (const char* name : {"alice",
                               "b\xc3\xa9"
                               "a"}) {
        const NewUser user{.id = {}, .username = name, .password_hash = "h", .enabled = name[0] == 'a'};
        const auto added = co_await store.add_user(user, written_at);
        EXPECT_TRUE(added);
      }
      const auto create_one = [&](int number) { return create(store, number); };
      co_await testing::many_at_once(threads_.executor(0), transactions, create_one);
      const auto claimed = co_await claim(store, transactions / 2);
      const auto save_one = [&](int number) -> Task<void> {
        const auto& step = claimed[static_cast<std::size_t>(number)];
        const payment::Succeeded succeeded{"ref", step.operation().amount};
        Change answer{.state = payment::answered(step, succeeded, copy_psp, written_at, policy_).state};
        const auto saved = co_await store.commit(std::move(answer));
        EXPECT_TRUE(saved && std::holds_alternative<Done>(*saved));
      };
      co_await testing::many_at_once(threads_.executor(0), static_cast<int>(claimed.size()), save_one);
      const auto added = co_await store.add_psp_events(events());
      EXPECT_TRUE(added);
    });
  }

  // Two that are due, and one that is over.
  static PspEvents events() {
    PspEvents all;
    for (const char* name : {"evt_1", "evt_2", "evt_3"}) {
      all.push_back({.account = "psp",
                     .notice = {.event = name,
                                .type = "refund",
                                .kind = payment::Kind::refund,
                                .what = payment::TakenBack{"closed", Money(70, *Currency::parse("USD"))}},
                     .received_at = written_at,
                     .due_at = written_at + std::chrono::seconds(all.size())});
    }
    all.back().due_at.reset();
    all.back().result = "taken back";
    return all;
  }
  // Those that are due, as rows.
  std::vector<std::string> due_events(Store& store) {
    std::vector<std::string> lines;
    threads_.run(0, [&]() -> Task<void> {
      const auto now = written_at + std::chrono::seconds(10);
      const auto taken = co_await store.take_psp_events(now, now + std::chrono::seconds(10), 10);
      for (const auto& event : *taken) {
        const auto row = row_of(event);
        lines.push_back(fmt::format("{} {} {} {} {} {} {} {}", row.account, row.event, row.kind, row.what,
                                    row.amount_minor, row.currency, row.reason.message, row.tries));
      }
    });
    return lines;
  }

  static payment::Transaction transaction_of(MerchantId merchant, std::int64_t amount_minor) {
    return {.id = {Uuid::generate()},
            .merchant_id = merchant,
            .amount = Money(amount_minor, *Currency::parse("USD")),
            .next_action_at = written_at,
            .reference = "order",
            .created_at = written_at,
            .updated_at = written_at};
  }

  Task<void> create(Store& store, int number) {
    Change created{.state = {transaction_of({1 + number % 2}, 900'000'000'000 + number), {}}, .is_new = true};
    if (number % 3 == 0) {
      created.key = IdempotencyKey{payment::Kind::authorize, fmt::format("Key {}", number), "f\xff\x01"};
      created.reply = "{}";
    }
    const auto done = co_await store.commit(std::move(created));
    EXPECT_TRUE(done);
  }

  Task<std::vector<payment::Step>> claim(Store& store, std::size_t limit) {
    const DueWork due{.by = written_at, .ahead = written_at + std::chrono::hours(1), .limit = limit};
    Decide decide = [this](payment::State state) {
      return Decided{payment::claim(std::move(state), copy_psp, written_at, policy_)};
    };
    auto taken = co_await store.take(due, std::move(decide));
    EXPECT_TRUE(taken);
    std::vector<payment::Step> steps;
    for (auto& one : *taken) steps.push_back(std::move(std::get<Decided>(one).step));
    co_return steps;
  }

  // Every transaction with its operations, of both merchants, through the interface.
  std::vector<std::string> contents(Store& store) {
    std::vector<std::string> lines;
    threads_.run(0, [&]() -> Task<void> {
      for (const std::int64_t merchant : {1, 2}) {
        TransactionFilter filter{.limit = 100};
        for (bool more = true; more; more = filter.before.has_value()) {
          const auto page = co_await store.list_transactions({merchant}, filter);
          for (const auto& item : page->items) {
            const auto found = co_await store.find_transaction({merchant}, item.id);
            lines.push_back(fmt::format("{} {} {} {} {}", item.id.value.to_string(), item.amount.minor(),
                                        to_string(item.status), item.version, item.reference));
            for (const auto& operation : found->operations) {
              lines.back() += fmt::format(" {} {} {} {} {}", operation.idempotency_key, operation.request,
                                          to_string(operation.phase), operation.is_final,
                                          operation.requested_at.time_since_epoch().count());
            }
          }
          filter.before = page->next;
        }
      }
    });
    return lines;
  }

  std::vector<CopiedTable> copy(bool restart = false) {
    return copy_sqlite_to_postgres(path_, url_, {.restart = restart, .on_progress = {}});
  }
  // Dies after so many batches.
  void interrupt_copy(int batches) {
    const auto give_up = [&batches](const CopiedTable&) {
      if (--batches == 0) throw std::runtime_error("interrupted");
    };
    EXPECT_THROW(copy_sqlite_to_postgres(path_, url_, {.restart = false, .on_progress = give_up}),
                 std::runtime_error);
  }

  TempDir folder_;
  std::string path_ = folder_.file("store.db");
  std::string url_;
  payment::RetryPolicy policy_;
  IoThreads threads_{1};
};

TEST_F(CopyTest, TakesEverythingOver) {
  const auto tables = copy();
  const auto rows = [](std::int64_t count) { return Field(&CopiedTable::rows, count); };
  EXPECT_THAT(tables, ElementsAre(rows(2), rows(transactions), rows(transactions / 2),
                                  rows((transactions + 2) / 3), rows(3)));
  SqliteStore original(path_);
  PostgresStore copied(url_);
  EXPECT_EQ(contents(copied), contents(original));
  EXPECT_EQ(copied.installation(), original.installation()) << "PSPs know payments by it";
  EXPECT_THAT(due_events(copied), ElementsAre("psp evt_1 refund taken_back 70 USD closed 1",
                                              "psp evt_2 refund taken_back 70 USD closed 1"));
  threads_.run(0, [&]() -> Task<void> {
    const auto user = co_await copied.find_user(
        "b\xc3\xa9"
        "a");
    EXPECT_FALSE((*user)->enabled);
    const NewUser next{.id = {}, .username = "next", .password_hash = "h"};
    const auto added = co_await copied.add_user(next, written_at);
    EXPECT_EQ(added->id, UserId{3});
    // A key of the old store is answered by the new one.
    Change repeated{.state = {transaction_of({1}, 1), {}},
                    .is_new = true,
                    .key = IdempotencyKey{payment::Kind::authorize, "Key 6", "f\xff\x01"},
                    .reply = "{}"};
    const auto replayed = co_await copied.commit(std::move(repeated));
    EXPECT_TRUE(replayed && std::holds_alternative<Replayed>(*replayed));
  });
}

TEST_F(CopyTest, GoesOnWhereItWasInterrupted) {
  interrupt_copy(3);
  EXPECT_THAT([&] { PostgresStore store(url_); },
              ThrowsMessage<std::runtime_error>(HasSubstr("a copy into this database has not been finished")))
      << "no service may start over half of the data";
  const auto tables = copy();
  EXPECT_EQ(tables[0].copied_now, 0);
  EXPECT_EQ(tables[1].copied_now, transactions - 4'000);
  EXPECT_EQ(tables[1].rows, transactions);
  SqliteStore original(path_);
  PostgresStore copied(url_);
  EXPECT_EQ(contents(copied), contents(original));
}

TEST_F(CopyTest, SeesThatTheSourceChangedBetweenTwoRuns) {
  interrupt_copy(4);
  {
    SqliteStore store(path_);
    threads_.run(0, [&]() -> Task<void> {
      const auto claimed = co_await claim(store, transactions);
      EXPECT_THAT(claimed, ::testing::SizeIs(transactions / 2));
    });
  }
  EXPECT_THAT([&] { copy(); }, ThrowsMessage<std::runtime_error>(HasSubstr("begin again with --restart")));
  copy(true);
  SqliteStore original(path_);
  PostgresStore copied(url_);
  EXPECT_EQ(contents(copied), contents(original));
}

TEST_F(CopyTest, BeginsAgainOverAllThatACopyHasLeft) {
  const auto give_up = [](const CopiedTable& table) {
    if (table.name == "psp_events") throw std::runtime_error("interrupted");
  };
  EXPECT_THROW(copy_sqlite_to_postgres(path_, url_, {.restart = false, .on_progress = give_up}),
               std::runtime_error);
  for (const auto& table : copy(true)) EXPECT_EQ(table.copied_now, table.rows) << table.name;
}

TEST_F(CopyTest, RefusesADatabaseThatHoldsData) {
  {
    PostgresStore store(url_);
    threads_.run(0, [&]() -> Task<void> { co_await create(store, 1); });
  }
  EXPECT_THAT([&] { copy(); }, ThrowsMessage<std::runtime_error>(HasSubstr("has transactions already")));
  EXPECT_THAT([&] { copy(true); }, ThrowsMessage<std::runtime_error>(HasSubstr("has transactions already")))
      << "--restart drops what a copy has left, and nothing else";
}

TEST_F(CopyTest, TakesWhatThisVersionCannotReadOverAsItIs) {
  {
    sqlite::Database source(path_, sqlite::Durability::process, sqlite::Access::existing);
    source.execute(
        "UPDATE transactions SET currency = 'ZZZ' WHERE id = (SELECT min(id) FROM transactions WHERE status "
        "= 'queued');"
        "UPDATE transactions SET status = 'authorizing' WHERE id = (SELECT max(id) FROM transactions "
        "WHERE status = 'queued');"
        "UPDATE operations SET phase = 'resting' WHERE transaction_id = (SELECT min(transaction_id) FROM "
        "operations)");
  }
  EXPECT_EQ(copy()[1].rows, transactions);
  PostgresStore copied(url_);
  threads_.run(0, [&]() -> Task<void> {
    const auto claimed = co_await claim(copied, transactions);
    EXPECT_THAT(claimed, ::testing::SizeIs(transactions / 2 - 2)) << "all others";
  });
  EXPECT_EQ(copied.set_aside().count, 2U);
}

TEST_F(CopyTest, IsDoneOnce) {
  copy();
  EXPECT_THAT([&] { copy(); }, ThrowsMessage<std::runtime_error>(HasSubstr("has users already")));
}

TEST_F(CopyTest, NeedsASourceOfThisVersion) {
  path_ = folder_.file("old.db");
  {
    sqlite::Database source(path_, sqlite::Durability::process, sqlite::Access::create);
    migrate(source, newest_version - 1);
  }
  EXPECT_THAT([&] { copy(); }, ThrowsMessage<std::runtime_error>(HasSubstr("switchyard store migrate")));
}

TEST_F(CopyTest, NeedsASourceThatIsAStore) {
  path_ = folder_.file("none.db");
  EXPECT_THROW(copy(), sqlite::DatabaseError);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

}  // namespace
}  // namespace switchyard::store
