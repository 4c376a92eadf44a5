#include "store/sqlite/schema.hpp"

#include <fstream>
#include <iterator>
#include <list>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sqlite3.h>

#include "base/io_threads.hpp"
#include "base/testing.hpp"
#include "store/sqlite/due.hpp"
#include "store/sqlite/psp_events.hpp"
#include "store/sqlite/rows.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace switchyard::store {
namespace {

using sqlite::Access;
using sqlite::Database;
using sqlite::DatabaseError;
using sqlite::Durability;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

Timestamp at_ms(std::int64_t ms) {
  return Timestamp(std::chrono::milliseconds(ms));
}

class SchemaTest : public ::testing::Test {
 protected:
  Database open() const { return Database(path_, Durability::process, Access::create); }

  // What the operator is told; empty if the file was taken.
  std::string refusal(const std::string& path) const {
    try {
      SqliteStore store(path);
    } catch (const DatabaseError& error) {
      return error.what();
    }
    return "";
  }
  std::string refusal() const { return refusal(path_); }

  static std::string content(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::string plan_of(Database& database, const std::string& sql) {
    explained_.push_back("EXPLAIN QUERY PLAN " + sql);
    auto row = database.query(explained_.back().c_str());
    std::string plan;
    while (row.step()) plan += std::string(row.text(3)) + "\n";
    return plan;
  }

  testing::TempDir folder_;
  const std::string path_ = folder_.file("store.db");
  // A statement is known by the address of its text.
  std::list<std::string> explained_;
};

TEST_F(SchemaTest, AFreshFileGetsTheSchemaAndItsMark) {
  auto database = open();
  migrate(database);
  EXPECT_EQ(database.integer("PRAGMA application_id"), 0x53575944);
  EXPECT_GE(database.integer("PRAGMA user_version"), 1);
  EXPECT_EQ(database.integer("SELECT count(*) FROM transactions"), 0);
  EXPECT_FALSE(database.in_transaction());
}

TEST_F(SchemaTest, AFileOfThisVersionIsLeftAsItIs) {
  auto database = open();
  migrate(database);
  database.execute("INSERT INTO users VALUES (1, 'alice', 'h', 1, 0)");
  const auto version = database.integer("PRAGMA user_version");
  migrate(database);
  EXPECT_EQ(database.integer("PRAGMA user_version"), version);
  EXPECT_EQ(database.integer("SELECT count(*) FROM users"), 1);
}

TEST_F(SchemaTest, AFileOfANewerVersionIsRefused) {
  {
    auto database = open();
    migrate(database);
    database.execute("PRAGMA user_version = 1000");
  }
  EXPECT_THAT(refusal(), AllOf(StartsWith(path_), HasSubstr("version 1000"), HasSubstr("newer program")));
  auto database = open();
  EXPECT_EQ(database.integer("PRAGMA user_version"), 1000) << "an older program changes nothing";
}

TEST_F(SchemaTest, AFileOfAnotherProgramIsRefused) {
  for (const char* made_by_another : {
           "PRAGMA application_id = 7; PRAGMA user_version = 1; CREATE TABLE transactions (a)",
           "PRAGMA application_id = 7",
           "CREATE TABLE notes (a)",                           // without a mark of its own
           "PRAGMA user_version = 1; CREATE TABLE notes (a)",  // with our version's number
       }) {
    const testing::TempDir folder;
    const auto path = folder.file("other.db");
    Database(path, Durability::process, Access::create).execute(made_by_another);
    EXPECT_THAT(refusal(path),
                AllOf(StartsWith(path), HasSubstr("another program"), HasSubstr("DATABASE_URL")))
        << made_by_another;
    Database database(path, Durability::process, Access::existing);
    EXPECT_EQ(database.integer("SELECT count(*) FROM sqlite_schema WHERE name = 'users'"), 0)
        << made_by_another;
  }
}

TEST_F(SchemaTest, AFileOfAnotherProgramIsNotChanged) {
  // SQLite is configured before it is first used.
  const sqlite::Database ours(folder_.file("ours.db"), sqlite::Durability::synced, sqlite::Access::create);
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &other), SQLITE_OK);
  sqlite3_exec(other, "CREATE TABLE notes (a)", nullptr, nullptr, nullptr);
  sqlite3_close(other);
  const auto before = content(path_);
  EXPECT_THAT(refusal(), HasSubstr("another program"));
  EXPECT_TRUE(content(path_) == before);
}

TEST_F(SchemaTest, LookingAtAFileChangesNothing) {
  {
    auto database = open();
    migrate(database);
  }
  const auto before = content(path_);
  {
    Database look(path_, Durability::synced, Access::read_only);
    EXPECT_GE(require_known_schema(look), 1);
  }
  EXPECT_TRUE(content(path_) == before);
}

// What is left after a SIGKILL: the file, and the log that was not copied back into it.
TEST_F(SchemaTest, AFileWhoseProcessDiedIsTakenOverWithAllThatWasCommitted) {
  const SqliteStore running(path_);
  auto writer = open();
  writer.execute("INSERT INTO users VALUES (1, 'alice', 'h', 1, 0)");
  const auto left_behind = folder_.file("left-behind.db");
  std::filesystem::copy_file(path_, left_behind);
  std::filesystem::copy_file(path_ + "-wal", left_behind + "-wal");

  EXPECT_EQ(refusal(left_behind), "");
  Database database(left_behind, Durability::process, Access::existing);
  EXPECT_EQ(database.integer("SELECT count(*) FROM users WHERE username = 'alice'"), 1);
}

TEST_F(SchemaTest, WhatIsNoDatabaseIsRefusedAndNotChanged) {
  const std::string text(10'000, 'x');
  std::ofstream(path_) << text;
  EXPECT_THAT(refusal(), AllOf(StartsWith(path_), HasSubstr("not a database")));
  EXPECT_EQ(content(path_), text);
}

TEST_F(SchemaTest, ADamagedFileIsRefused) {
  {
    auto database = open();
    migrate(database);
  }
  std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(100);
  file << std::string(4000, '\xff');
  file.close();
  EXPECT_THAT(refusal(), StartsWith(path_));
}

TEST_F(SchemaTest, TheFolderIsMadeWhereItIsMissing) {
  const auto path = folder_.file("a/b/store.db");
  EXPECT_EQ(refusal(path), "");
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(SchemaTest, APathThatCannotBeHadIsNamed) {
  std::ofstream(folder_.file("file")) << "x";
  EXPECT_THAT(refusal(folder_.file("file/store.db")),
              AllOf(StartsWith(folder_.file("file")), HasSubstr("DATABASE_URL")));
  EXPECT_THAT(refusal(folder_.file("")), AllOf(StartsWith(folder_.file("")), HasSubstr("DATABASE_URL")))
      << "a folder is no file";
}

TEST_F(SchemaTest, ManyProcessesMayStartAtOnce) {
  for (int round = 0; round < 25; ++round) {
    const auto path = folder_.file("round" + std::to_string(round) + ".db");
    std::vector<std::string> refusals(4);
    {
      std::vector<std::jthread> programs;
      for (auto& told : refusals) programs.emplace_back([&] { told = refusal(path); });
    }
    for (const auto& told : refusals) EXPECT_EQ(told, "");
  }
}

TEST_F(SchemaTest, AFileThatHasLostWhatPspsKnowItByIsRefused) {
  EXPECT_EQ(refusal(), "");
  open().execute("DELETE FROM installation");
  EXPECT_THAT(refusal(), AllOf(StartsWith(path_), HasSubstr("installation"), HasSubstr("backup")));
}

TEST_F(SchemaTest, DueWorkIsFoundByAWalkOfOneIndexFromItsStart) {
  auto database = open();
  migrate(database);
  const auto plan_of = [&](const char* sql) { return this->plan_of(database, sql); };
  for (const auto& queries : {queued_due, started_due, all_due}) {
    for (const auto& sql : {queries.due, queries.ahead}) {
      const auto plan = plan_of(sql.c_str());
      EXPECT_THAT(plan, Not(HasSubstr("SCAN"))) << sql;
      EXPECT_THAT(plan, Not(HasSubstr("TEMP B-TREE"))) << sql;
    }
  }
  EXPECT_THAT(plan_of(queued_due.due.c_str()),
              HasSubstr("SEARCH transactions USING COVERING INDEX transactions_queued"));
  EXPECT_THAT(plan_of(started_due.due.c_str()),
              HasSubstr("SEARCH transactions USING COVERING INDEX transactions_started"))
      << "no queued row is passed over";
  for (const auto* sql : {backlog_count, backlog_by_merchant}) {
    EXPECT_THAT(plan_of(sql), AllOf(HasSubstr("COVERING INDEX transactions_queued"),
                                    HasSubstr("COVERING INDEX transactions_started")))
        << sql << ": reads no row";
  }
  EXPECT_THAT(plan_of(oldest_queued),
              AllOf(HasSubstr("INDEX transactions_queued"), Not(HasSubstr("B-TREE"))));
  EXPECT_THAT(plan_of(oldest_started),
              AllOf(HasSubstr("INDEX transactions_started"), Not(HasSubstr("B-TREE"))));
}

TEST_F(SchemaTest, ListsAreAWalkOfOneIndexFromItsEnd) {
  auto database = open();
  migrate(database);
  EXPECT_THAT(plan_of(database, select_newest_first(false)),
              AllOf(HasSubstr("SEARCH transactions USING PRIMARY KEY (merchant_id=? AND id<?)"),
                    Not(HasSubstr("B-TREE"))));
  EXPECT_THAT(
      plan_of(database, select_newest_first(true)),
      AllOf(HasSubstr("USING INDEX transactions_by_reference (merchant_id=? AND reference=? AND id<?)"),
            Not(HasSubstr("B-TREE"))));
}

TEST_F(SchemaTest, EventsAndTheirPaymentsAreFoundByAWalkOfOneIndexEach) {
  auto database = open();
  migrate(database);
  EXPECT_THAT(plan_of(database, due_psp_events),
              AllOf(HasSubstr("SEARCH psp_events USING INDEX psp_events_due"), Not(HasSubstr("B-TREE"))));
  EXPECT_THAT(plan_of(database, any_due_psp_event),
              HasSubstr("SEARCH psp_events USING COVERING INDEX psp_events_due"));
  EXPECT_THAT(plan_of(database, owner_of_psp_payment),
              AllOf(HasSubstr("SEARCH operations USING INDEX operations_by_psp_reference (psp_reference=?)"),
                    HasSubstr("SEARCH operations USING INDEX operations_by_key (idempotency_key=?)"),
                    Not(HasSubstr("SCAN operations"))));
}

TEST_F(SchemaTest, AFileOfTheVersionBeforeEventsKeepsThemFromNowOn) {
  {
    auto database = open();
    migrate(database, 6);
    for (const auto* reference : {"pi_1", "sim_1"}) {
      database.execute(
          fmt::format(
              "INSERT INTO operations VALUES (1, randomblob(16), 1, 'authorize', 100, 1, 'succeeded', "
              "'psp', 'key', '', 1, 1, 0, '{}', '', '', '', 0, '', '', '', NULL, 0, 0, 0, '')",
              reference)
              .c_str());
    }
  }
  IoThreads threads(1);
  SqliteStore store(path_);
  threads.run(0, [&]() -> Task<void> {
    std::vector<PspPayment> payments{{"psp", "pi_1"}, {"psp", "sim_1"}};
    const auto owners = co_await store.find_psp_payments(std::move(payments));
    EXPECT_TRUE(owners->at(0) && owners->at(0)->merchant == MerchantId{1});
    EXPECT_FALSE(owners->at(1));
    PspEvent event{.account = "psp", .notice = {.event = "evt_1", .type = "refund"}, .received_at = at_ms(1)};
    event.due_at = at_ms(1);
    PspEvents events(1, event);
    const auto added = co_await store.add_psp_events(std::move(events));
    EXPECT_TRUE(added);
    const auto taken = co_await store.take_psp_events(at_ms(1), at_ms(1000), 10);
    EXPECT_THAT(*taken, ::testing::SizeIs(1));
  });
}

// It is done ten times a second: not while somebody else writes, and nothing that a disk must take.
TEST_F(SchemaTest, ATakeOfNoEventsWritesNothing) {
  IoThreads threads(1);
  SqliteStore store(path_);
  auto writer = open();
  writer.execute("BEGIN IMMEDIATE");
  threads.run(0, [&]() -> Task<void> {
    const auto taken = co_await store.take_psp_events(at_ms(1), at_ms(1000), 10);
    EXPECT_TRUE(taken && taken->empty());
  });
  writer.execute("ROLLBACK");
}

std::string schema_of(Database& database) {
  auto row =
      database.query("SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema ORDER BY 1");
  std::string schema;
  while (row.step()) schema += std::string(row.text(0)) + "\n";
  return schema;
}

TEST_F(SchemaTest, AFileOfAnyOlderVersionGetsTheSchemaOfANewOne) {
  auto fresh = open();
  EXPECT_EQ(migrate(fresh), 0);
  for (std::int64_t version = 1; version < newest_version; ++version) {
    Database database(folder_.file(fmt::format("version{}.db", version)), Durability::process,
                      Access::create);
    EXPECT_EQ(migrate(database, version), 0);
    EXPECT_EQ(database.integer("PRAGMA user_version"), version);
    EXPECT_EQ(migrate(database), version);
    EXPECT_EQ(database.integer("PRAGMA user_version"), newest_version);
    EXPECT_EQ(schema_of(database), schema_of(fresh));
    EXPECT_EQ(database.integer("SELECT count(*) FROM installation"), 1);
  }
}

// --- What programs before version 5 have left ---------------------------------------------------

struct OldAttempt {
  std::string status;
  std::string psp = "simulator";
  int look_ups = 0;
  std::string reason{};
  std::string psp_reference{};
};
struct OldTransaction {
  std::string status;
  int epoch = 0;
  std::vector<OldAttempt> attempts{};
  std::string reason{};
  std::string capture_method = "automatic";
  // What each attempt has become: phase, claims, sends, look-ups, code, reason and its kind.
  std::vector<std::string> operations{};
  payment::Action next = payment::Action::none;
};

std::vector<OldTransaction> old_transactions() {
  using payment::Action;
  const OldAttempt refused{.status = "not_sent", .reason = "refused"};
  const OldAttempt approved{.status = "approved", .psp_reference = "ref"};
  const std::string failed = "failed 1 1 0 '' 'refused' unknown";
  return {
      {.status = "queued", .next = Action::send},
      {.status = "processing",
       .epoch = 1,
       .attempts = {{"started"}},
       .operations = {"sent 1 1 0 '' '' "},
       .next = Action::look_up},
      {.status = "processing",
       .epoch = 1,
       .attempts = {refused},
       .reason = "refused",
       .operations = {"requested 1 1 0 '' 'refused' unknown"},
       .next = Action::send},
      {.status = "processing",
       .epoch = 2,
       .attempts = {refused, refused},
       .reason = "refused",
       .operations = {failed, "requested 2 2 0 '' 'refused' unknown"},
       .next = Action::send},
      {.status = "processing",
       .epoch = 3,
       .attempts = {refused, refused, {"started"}},
       .reason = "refused",
       .operations = {failed, failed, "sent 3 3 0 '' '' "},
       .next = Action::look_up},
      {.status = "unknown",
       .epoch = 4,
       .attempts = {{.status = "unknown", .look_ups = 3, .reason = "time-out"}},
       .reason = "time-out",
       .operations = {"unknown 4 1 3 '' 'time-out' unknown"},
       .next = Action::look_up},
      {.status = "unknown",
       .epoch = 5,
       .attempts = {refused, {.status = "unknown", .look_ups = 1, .reason = "time-out"}},
       .reason = "time-out",
       .operations = {failed, "unknown 5 2 1 '' 'time-out' unknown"},
       .next = Action::look_up},
      {.status = "captured", .epoch = 1, .attempts = {approved}, .operations = {"succeeded 1 1 0 '' '' "}},
      {.status = "captured",
       .epoch = 3,
       .attempts = {refused, approved},
       .operations = {failed, "succeeded 3 2 0 '' '' "}},
      {.status = "authorized",
       .epoch = 1,
       .attempts = {approved},
       .capture_method = "manual",
       .operations = {"succeeded 1 1 0 '' '' "}},
      {.status = "declined",
       .epoch = 1,
       .attempts = {{.status = "declined", .reason = "51", .psp_reference = "ref"}},
       .reason = "51",
       .operations = {"declined 1 1 0 '51' '' soft_decline"}},
      {.status = "declined",
       .epoch = 2,
       .attempts = {{.status = "declined", .reason = "59", .psp_reference = "ref"}},
       .reason = "59",
       .operations = {"declined 2 1 0 '59' '' hard_decline"}},
      {.status = "failed",
       .epoch = 3,
       .attempts = {refused, refused, refused},
       .reason = "refused",
       .operations = {failed, failed, "failed 3 3 0 '' 'refused' unknown"}},
      {.status = "failed",
       .epoch = 1,
       .attempts = {{.status = "failed", .psp = "rq-worker", .reason = "ValueError"}},
       .reason = "ValueError",
       .operations = {"failed 1 1 0 '' 'ValueError' unknown"}},
      {.status = "captured",
       .epoch = 2,
       .attempts = {{.status = "failed", .psp = "rq-worker", .reason = "ValueError"},
                    {.status = "approved", .psp = "rq-worker"}},
       .operations = {"failed 1 1 0 '' 'ValueError' unknown", "succeeded 2 2 0 '' '' "}},
      {.status = "manual_review",
       .epoch = 13,
       .attempts = {{.status = "unknown", .look_ups = 12, .reason = "time-out"}},
       .reason = "time-out",
       .operations = {"manual_review 13 1 12 '' 'time-out' unknown"}},
      {.status = "manual_review",
       .epoch = 2,
       .attempts = {{.status = "unknown", .psp = "rq-worker"}},
       .reason = "the request would not be identical",
       .operations = {"manual_review 2 1 0 '' '' "}},
  };
}

bool was_open(const std::string& status) {
  return status == "queued" || status == "processing" || status == "unknown";
}

TransactionId old_id(std::size_t number) {
  TransactionId id;
  id.value.bytes[0] = 0xab;
  id.value.bytes[15] = static_cast<std::uint8_t>(number);
  return id;
}

// With a user and, of each transaction, the key that it was created with.
void fill_as_before_version_5(Database& database) {
  database.execute("INSERT INTO users VALUES (1, 'alice', 'h', 1, 0)");
  std::size_t number = 0;
  for (const auto& old : old_transactions()) {
    const auto id = fmt::format("x'ab{:030x}'", ++number);
    const int authorized = old.status == "captured" || old.status == "authorized" ? 100 : 0;
    const int captured = old.status == "captured" ? 100 : 0;
    const auto due = was_open(old.status) ? std::to_string(number) : "NULL";
    database.execute(fmt::format("INSERT INTO transactions VALUES (1, {}, 100, 'USD', '{}', '{}', {}, {}, 0, "
                                 "{}, {}, {}, '{}', 1000, 3000)",
                                 id, old.capture_method, old.status, authorized, captured, old.epoch,
                                 old.attempts.size(), due, old.reason)
                         .c_str());
    database.execute(
        fmt::format("INSERT INTO idempotency_keys VALUES (1, 'key {}', x'0a', {}, 'reply', 7)", number, id)
            .c_str());
    int attempt_number = 0;
    for (const auto& attempt : old.attempts) {
      const auto ended = attempt.status == "started" || attempt.status == "unknown" ? "NULL" : "2500";
      database.execute(fmt::format("INSERT INTO attempts VALUES (1, {0}, {1}, '{2}', '1-id-{1}', x'00', "
                                   "'{3}', {4}, '{5}', '{6}', 2000, {7})",
                                   id, ++attempt_number, attempt.psp, attempt.status, attempt.look_ups,
                                   attempt.psp_reference, attempt.reason, ended)
                           .c_str());
    }
  }
}

std::string words_of(const payment::Operation& operation) {
  return fmt::format("{} {} {} {} '{}' '{}' {}", to_string(operation.phase), operation.claims,
                     operation.sends, operation.look_ups, operation.reason.code, operation.reason.message,
                     to_string(operation.reason.kind));
}

class OldFileTest : public ::testing::TestWithParam<std::int64_t> {
 protected:
  OldFileTest() {
    Database database(path_, Durability::process, Access::create);
    migrate(database, GetParam());
    fill_as_before_version_5(database);
  }

  // The store of today over that file.
  void open() { store_.emplace(path_); }

  template <class T, class Operation>
  T run(Operation operation) {
    std::optional<T> result;
    threads_.run(0, [&]() -> Task<void> { result.emplace(co_await operation()); });
    return std::move(*result);
  }
  payment::State find(std::size_t number) {
    auto state = run<Result<payment::State>>([&] { return store_->find_transaction({1}, old_id(number)); });
    EXPECT_TRUE(state) << "transaction " << number << ": " << state.error().detail;
    return std::move(*state);
  }
  std::vector<Taken> take(const Work& work, const Decide& decide) {
    return *run<Result<std::vector<Taken>>>([&] { return store_->take(work, decide); });
  }

  testing::TempDir folder_;
  const std::string path_ = folder_.file("store.db");
  IoThreads threads_{1};
  std::optional<SqliteStore> store_;
};

TEST_P(OldFileTest, EachTransactionIsSoundAndKeepsWhatItWas) {
  open();
  std::size_t number = 0;
  for (const auto& old : old_transactions()) {
    const auto state = find(++number);
    const auto& transaction = state.transaction;
    EXPECT_EQ(payment::why_broken(state), std::nullopt) << number;
    EXPECT_EQ(to_string(transaction.status), old.status) << number;
    EXPECT_EQ(transaction.version, old.epoch);
    EXPECT_EQ(transaction.reason, old.reason);
    EXPECT_EQ(transaction.held_minor, old.status == "authorized" ? 100 : 0);
    EXPECT_EQ(transaction.created_at, at_ms(1000));
    EXPECT_EQ(transaction.updated_at, at_ms(3000));
    std::vector<std::string> operations;
    for (const auto& operation : state.operations) operations.push_back(words_of(operation));
    EXPECT_EQ(operations, old.operations) << number;
  }
  EXPECT_EQ(store_->set_aside().count, 0U);
}

TEST_P(OldFileTest, EachAttemptIsAnAuthorization) {
  open();
  std::size_t number = 0;
  for (const auto& old : old_transactions()) {
    const auto state = find(++number);
    for (std::size_t i = 0; i < state.operations.size(); ++i) {
      const auto& operation = state.operations[i];
      const bool is_last = i + 1 == state.operations.size();
      EXPECT_EQ(operation.kind, payment::Kind::authorize);
      EXPECT_EQ(operation.amount, state.transaction.amount);
      EXPECT_TRUE(operation.is_final);
      EXPECT_EQ(operation.psp, old.attempts[i].psp);
      EXPECT_EQ(operation.psp_reference, old.attempts[i].psp_reference);
      EXPECT_EQ(operation.idempotency_key, fmt::format("1-id-{}", i + 1));
      EXPECT_EQ(operation.request,
                fmt::format(R"({{"reference":"{}","amount":100,"currency":"USD","capture_method":"{}"}})",
                            old_id(number).value.to_string(), old.capture_method))
          << "a resend is identical";
      EXPECT_EQ(operation.requested_at, at_ms(2000));
      EXPECT_EQ(operation.sent_at, at_ms(2000));
      EXPECT_EQ(operation.ended_at.has_value(), !is_open(operation.phase)) << number;
      EXPECT_EQ(operation.due_at, is_last ? state.transaction.next_action_at : std::nullopt) << number;
    }
  }
}

TEST_P(OldFileTest, WhatIsOpenIsTakenUpWhereItWas) {
  open();
  const Timestamp now = at_ms(1'000'000);
  const payment::OneAccount psp{"simulator",
                                [](const auto&, const auto&) { return std::string("new bytes"); }};
  const DueWork due{now, now + std::chrono::hours(1), 100};
  const auto taken = take(due, [&](payment::State state) {
    return Decided{payment::claim(std::move(state), psp, now, payment::RetryPolicy())};
  });
  std::vector<payment::Action> actions(old_transactions().size(), payment::Action::none);
  for (const auto& one : taken) {
    const auto& step = std::get<Decided>(one).step;
    const auto number = step.state.transaction.id.value.bytes[15];
    actions.at(number - 1U) = step.action;
    EXPECT_EQ(step.operation().number, std::max<std::int32_t>(1, step.state.transaction.operation_count));
    EXPECT_EQ(step.operation().request == "new bytes", number == 1) << "only the queued one is written anew";
    EXPECT_EQ(find(number).operations, step.state.operations);
  }
  std::vector<payment::Action> expected;
  for (const auto& old : old_transactions()) expected.push_back(old.next);
  EXPECT_EQ(actions, expected);
}

TEST_P(OldFileTest, APersonCanEndWhatWaitedForOne) {
  open();
  std::size_t number = 0;
  for (const auto& old : old_transactions()) {
    ++number;
    if (old.status != "manual_review") continue;
    const NamedWork work{{{{1}, old_id(number)}}};
    take(work, [](payment::State state) {
      auto ended = payment::resolve(std::move(state), 1, {true, "ref", "asked the PSP"}, at_ms(9000));
      SWITCHYARD_ASSERT(ended.has_value());
      return Decided{{std::move(*ended)}};
    });
    EXPECT_EQ(find(number).transaction.status, payment::Status::captured);
  }
}

TEST_P(OldFileTest, KeysAnswerAsTheyDidAndUsersAreThere) {
  open();
  for (std::size_t number = 1; number <= old_transactions().size(); ++number) {
    const IdempotencyKey key{payment::Kind::authorize, fmt::format("key {}", number), "\n"};
    const auto reply = run<Result<std::optional<Replayed>>>([&] { return store_->find_reply({1}, key); });
    ASSERT_TRUE(reply && *reply) << number;
    EXPECT_EQ((*reply)->id, old_id(number));
    EXPECT_EQ((*reply)->reply, "reply");
  }
  const auto user = run<Result<std::optional<User>>>([&] { return store_->find_user("alice"); });
  EXPECT_TRUE(user && *user);
}

INSTANTIATE_TEST_SUITE_P(Each, OldFileTest, ::testing::Values(1, 2, 3, 4),
                         [](const auto& version) { return fmt::format("version{}", version.param); });

TEST_F(SchemaTest, TheSchemaItselfKeepsMoneyWithinItsBounds) {
  auto database = open();
  migrate(database);
  const auto insert = [&database](const std::string& amounts) {
    database.execute(
        ("INSERT INTO transactions (merchant_id, id, amount_minor, currency, capture_method, status, "
         "authorized_minor, captured_minor, refunded_minor, version, operation_count, reason, "
         "created_at_ms, updated_at_ms) VALUES (1, randomblob(16), " +
         amounts + ", 'USD', 'automatic', 'captured', 100, 90, 0, 1, 1, '', 0, 0)")
            .c_str());
  };
  insert("100");
  EXPECT_THROW(insert("99"), DatabaseError) << "authorized more than the amount";
  EXPECT_THROW(insert("0"), DatabaseError);
  EXPECT_THROW(database.execute("UPDATE transactions SET captured_minor = 101"), DatabaseError);
  EXPECT_THROW(database.execute("UPDATE transactions SET refunded_minor = 91"), DatabaseError);
  EXPECT_THROW(database.execute("UPDATE transactions SET refunded_minor = -1"), DatabaseError);
  EXPECT_THROW(database.execute("UPDATE transactions SET held_minor = 11"), DatabaseError);
  EXPECT_THROW(database.execute("UPDATE transactions SET held_minor = -1"), DatabaseError);
  database.execute("UPDATE transactions SET refunded_minor = 90, held_minor = 10");
}

}  // namespace
}  // namespace switchyard::store
