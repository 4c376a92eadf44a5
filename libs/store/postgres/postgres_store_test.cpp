// What only the store in PostgreSQL must withstand; store_test.cpp holds what every store promises.
#include "store/postgres/postgres_store.hpp"

#include <charconv>
#include <future>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <gmock/gmock.h>

#include "base/testing.hpp"
#include "postgres/testing.hpp"
#include "store/postgres/due.hpp"

namespace switchyard::store {
namespace {

using asio::ip::tcp;
using std::chrono::milliseconds;
using std::chrono::seconds;
using switchyard::testing::TempDir;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::ThrowsMessage;

constexpr Timestamp start{milliseconds(1'700'000'000'000)};
constexpr MerchantId merchant{1};

payment::Transaction new_transaction() {
  return {.id = {Uuid::generate()},
          .merchant_id = merchant,
          .amount = Money(100, *Currency::parse("USD")),
          .next_action_at = start,
          .reason = {},
          .created_at = start,
          .updated_at = start};
}

// Stands between the store and the server, and can lose an answer after the server has given it.
class LossyProxy {
 public:
  explicit LossyProxy(std::uint16_t server_port) : server_port_(server_port) {
    tasks_.emplace(thread_.executor(0));
    thread_.run(0, [this]() -> Task<void> {
      acceptor_.emplace(thread_.executor(0), tcp::endpoint(asio::ip::address_v4::loopback(), 0));
      tasks_->spawn([this] { return accept(); });
      co_return;
    });
  }
  ~LossyProxy() {
    thread_.run(0, [this]() -> Task<void> {
      acceptor_->close();
      for (auto& pair : pairs_) pair->close();
      co_await tasks_->join_until(std::chrono::steady_clock::time_point::max());
    });
  }

  std::uint16_t port() const { return acceptor_->local_endpoint().port(); }

  // The next request, or a later one, reaches the server; its answer gets lost, and the connection with it.
  void lose_next_answer(int but_not_the_first = 0) {
    answers_let_through_ = but_not_the_first;
    lose_next_answer_ = true;
  }
  bool has_lost_it() const { return !lose_next_answer_; }
  void refuse_connections(bool refuse) { refuse_ = refuse; }
  void cut_all() {
    thread_.run(0, [this]() -> Task<void> {
      for (auto& pair : pairs_) pair->close();
      co_return;
    });
  }

 private:
  using Socket = asio::basic_stream_socket<tcp, Executor>;
  struct Pair {
    explicit Pair(Executor executor) : client(executor), server(executor) {}
    void close() {
      boost::system::error_code ignored;
      client.close(ignored);
      server.close(ignored);
    }
    Socket client;
    Socket server;
    bool asked_since_armed = false;
  };

  Task<void> accept() {
    for (;;) {
      auto pair = std::make_shared<Pair>(thread_.executor(0));
      const auto [error] = co_await acceptor_->async_accept(pair->client, use_tuple);
      if (error) co_return;
      if (refuse_) continue;
      pairs_.push_back(pair);
      tasks_->spawn([this, pair] { return serve(pair); });
    }
  }
  Task<void> serve(std::shared_ptr<Pair> pair) {
    const tcp::endpoint server(asio::ip::address_v4::loopback(), server_port_);
    const auto [error] = co_await pair->server.async_connect(server, use_tuple);
    if (error) co_return pair->close();
    tasks_->spawn([this, pair] { return answer(pair); });
    std::array<char, 65536> buffer;
    for (;;) {
      const auto [failed, size] = co_await pair->client.async_read_some(asio::buffer(buffer), use_tuple);
      if (failed) co_return pair->close();
      pair->asked_since_armed = lose_next_answer_;
      const auto [unsent, sent] =
          co_await asio::async_write(pair->server, asio::buffer(buffer, size), use_tuple);
      if (unsent) co_return pair->close();
    }
  }
  Task<void> answer(std::shared_ptr<Pair> pair) {
    std::array<char, 65536> buffer;
    for (;;) {
      const auto [failed, size] = co_await pair->server.async_read_some(asio::buffer(buffer), use_tuple);
      if (failed) co_return pair->close();
      const bool armed = pair->asked_since_armed && lose_next_answer_;
      if (armed && answers_let_through_-- == 0) {
        lose_next_answer_ = false;
        co_return pair->close();
      }
      const auto [unsent, sent] =
          co_await asio::async_write(pair->client, asio::buffer(buffer, size), use_tuple);
      if (unsent) co_return pair->close();
    }
  }

  const std::uint16_t server_port_;
  IoThreads thread_{1};
  std::optional<TaskGroup> tasks_;
  std::optional<asio::basic_socket_acceptor<tcp, Executor>> acceptor_;
  std::vector<std::shared_ptr<Pair>> pairs_;
  std::atomic<bool> lose_next_answer_ = false;
  std::atomic<int> answers_let_through_ = 0;
  std::atomic<bool> refuse_ = false;
};

// Tables that somebody has locked, so that everything that wants them waits.
class TableLock {
 public:
  TableLock(const std::string& url, const std::string& tables) {
    const auto sql = fmt::format("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", tables);
    thread_.run(0, [&]() -> Task<void> {
      auto made = co_await postgres::Connection::connect(thread_.executor(0), url, deadline());
      connection_ = std::move(*made);
      std::vector<postgres::Statement> statements;
      statements.emplace_back("BEGIN");
      statements.emplace_back("SET LOCAL idle_in_transaction_session_timeout = 0");
      statements.emplace_back(sql.c_str());
      const auto locked = co_await connection_->run(std::move(statements), deadline());
      if (!locked) throw std::runtime_error(locked.error().message);
    });
  }

  std::int64_t waiters() const {
    std::int64_t found = 0;
    thread_.run(0, [&]() -> Task<void> {
      std::vector<postgres::Statement> statements;
      statements.emplace_back(
          "SELECT count(*) FROM pg_locks l WHERE NOT l.granted AND pg_backend_pid() = ANY "
          "(pg_blocking_pids(l.pid))");
      const auto counted = co_await connection_->run(std::move(statements), deadline());
      found = counted->front().integer(0, 0);
    });
    return found;
  }
  void wait_for_waiters(int count) const {
    EXPECT_TRUE(switchyard::testing::eventually([&] { return waiters() >= count; })) << waiters();
  }

 private:
  static postgres::Deadline deadline() { return std::chrono::steady_clock::now() + seconds(30); }

  mutable IoThreads thread_{1};
  std::unique_ptr<postgres::Connection> connection_;
};

class PostgresStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto reason = testing::why_no_postgres(); !reason.empty()) GTEST_SKIP() << reason;
    schema_ = std::filesystem::path(folder_.file("")).parent_path().filename().string();
    std::ranges::transform(schema_, schema_.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    url_ = testing::postgres_schema_url(schema_);
    const auto colon = url_.rfind(':', url_.find('/', url_.find('@')));
    std::uint16_t port = 0;
    std::from_chars(url_.data() + colon + 1, url_.data() + url_.size(), port);
    proxy_.emplace(port);
    auto through_proxy = url_;
    through_proxy.replace(colon + 1, std::to_string(port).size(), std::to_string(proxy_->port()));
    // Without TLS, which answers in several steps.
    store_.emplace(through_proxy + "&sslmode=disable");
  }

  template <class Operation>
  auto run(Operation operation) {
    using Result = typename std::invoke_result_t<Operation&>::value_type;
    if constexpr (std::is_void_v<Result>) {
      threads_.run(0, std::move(operation));
    } else {
      std::optional<Result> result;
      threads_.run(0, [&]() -> Task<void> { result.emplace(co_await operation()); });
      return std::move(*result);
    }
  }
  std::size_t stored() {
    return run([&]() -> Task<std::size_t> {
      const TransactionFilter filter{.status = {}, .currency = {}, .before = {}, .limit = 100};
      const auto page = co_await store_->list_transactions(merchant, filter);
      co_return page->items.size();
    });
  }

  // The first column of what the server answers, as text.
  std::vector<std::string> lines_of(postgres::Statement statement) {
    return run([&]() -> Task<std::vector<std::string>> {
      const auto deadline = std::chrono::steady_clock::now() + seconds(30);
      auto connection = co_await postgres::Connection::connect(threads_.executor(0), url_, deadline);
      std::vector<postgres::Statement> statements{std::move(statement)};
      const auto done = co_await (*connection)->run(std::move(statements), deadline);
      if (!done) throw std::runtime_error(done.error().message);
      std::vector<std::string> lines;
      for (int row = 0; row < done->back().size(); ++row) lines.emplace_back(done->back().bytes(row, 0));
      co_return lines;
    });
  }
  std::string explained(const char* sql) {
    const auto explain = std::string("EXPLAIN ") + sql;
    postgres::Statement statement(explain.c_str());
    statement.bind(std::chrono::floor<milliseconds>(std::chrono::system_clock::now()))
        .bind(std::int64_t{256});
    std::string plan;
    for (const auto& line : lines_of(std::move(statement))) plan += line + "\n";
    return plan;
  }

  TempDir folder_;
  std::string schema_;
  std::string url_;
  IoThreads threads_{1};
  std::optional<LossyProxy> proxy_;
  std::optional<PostgresStore> store_;
};

TEST_F(PostgresStoreTest, ACommitWhoseAnswerIsLostIsFoundAndNotMadeTwice) {
  for (int i = 1; i <= 5; ++i) {
    proxy_->lose_next_answer();
    const auto created = run(
        [&]() -> Task<Result<CreateResult>> { return store_->create_transaction({new_transaction(), {}}); });
    EXPECT_TRUE(proxy_->has_lost_it());
    ASSERT_TRUE(created);
    EXPECT_TRUE(std::holds_alternative<Created>(*created));
    EXPECT_EQ(stored(), static_cast<std::size_t>(i));
  }
}

TEST_F(PostgresStoreTest, ACommitWithAKeyWhoseAnswerIsLostIsTheFirstUseOfTheKey) {
  const auto create = [this] {
    return run([&]() -> Task<Result<CreateResult>> {
      return store_->create_transaction({new_transaction(), IdempotencyKey{"k", "f", "{}"}});
    });
  };
  proxy_->lose_next_answer();
  const auto first = create();
  EXPECT_TRUE(proxy_->has_lost_it());
  ASSERT_TRUE(first);
  EXPECT_TRUE(std::holds_alternative<Created>(*first)) << "not a replay of itself";
  const auto again = create();
  ASSERT_TRUE(again);
  EXPECT_TRUE(std::holds_alternative<Replayed>(*again));
  EXPECT_EQ(stored(), 1U);
}

TEST_F(PostgresStoreTest, AnOutcomeWhoseAnswerIsLostIsSavedOnce) {
  payment::RetryPolicy policy;
  const auto transaction = new_transaction();
  const auto claimed = run([&]() -> Task<payment::Transition> {
    const NewTransaction wanted{transaction, {}};
    const auto created = co_await store_->create_transaction(wanted);
    EXPECT_TRUE(created);
    auto transitions = co_await store_->claim_due("psp", start, 1, policy, Due::all);
    co_return transitions->at(0);
  });
  const auto captured = payment::apply(claimed.state, payment::Approved{"ref"}, start, policy);
  proxy_->lose_next_answer();
  EXPECT_TRUE(run([&]() -> Task<Result<void>> { return store_->save_outcome(captured.state); }));
  EXPECT_TRUE(proxy_->has_lost_it());
  const auto found = run([&]() -> Task<Result<TransactionWithAttempts>> {
    return store_->find_transaction(merchant, transaction.id);
  });
  EXPECT_EQ(found->transaction.status, payment::Status::captured);
  EXPECT_EQ(found->transaction.epoch, 1);
  EXPECT_THAT(found->attempts, SizeIs(1));
}

TEST_F(PostgresStoreTest, AClaimWhoseAnswerIsLostIsTakenUpAfterItsLease) {
  payment::RetryPolicy policy;
  run([&]() -> Task<void> {
    const NewTransaction wanted{new_transaction(), {}};
    const auto created = co_await store_->create_transaction(wanted);
    EXPECT_TRUE(created);
    // First the answer with the rows, then the one to the commit.
    for (const int let_through : {0, 1}) {
      const auto connected = co_await store_->check_writable(start);
      EXPECT_TRUE(connected);
      proxy_->lose_next_answer(let_through);
      const auto lost = co_await store_->claim_due("psp", start, 1, policy, Due::all);
      EXPECT_FALSE(lost);
      EXPECT_EQ(lost.error().code,
                let_through == 0 ? ErrorCode::store_unavailable : ErrorCode::store_outcome_unknown);
      EXPECT_TRUE(proxy_->has_lost_it());
    }
    const auto too_early = co_await store_->claim_due("psp", start, 1, policy, Due::all);
    EXPECT_THAT(*too_early, SizeIs(0)) << "the second claim was committed";
    const auto claimed = co_await store_->claim_due("psp", start + policy.lease, 1, policy, Due::all);
    EXPECT_THAT(*claimed, SizeIs(1));
    EXPECT_EQ(claimed->at(0).action, payment::Action::look_up);
  });
}

TEST_F(PostgresStoreTest, GoesOnWhenTheServerIsBack) {
  run([&]() -> Task<void> {
    const auto writable = co_await store_->check_writable(start);
    EXPECT_TRUE(writable);
  });
  proxy_->refuse_connections(true);
  proxy_->lose_next_answer();
  const auto while_away = run([&]() -> Task<Result<void>> { return store_->check_writable(start); });
  ASSERT_FALSE(while_away);
  EXPECT_EQ(while_away.error().code, ErrorCode::store_outcome_unknown) << "the first try may have been done";
  const auto not_sent = run([&]() -> Task<Result<void>> { return store_->check_writable(start); });
  ASSERT_FALSE(not_sent);
  EXPECT_EQ(not_sent.error().code, ErrorCode::store_unavailable) << "nothing was sent";
  proxy_->refuse_connections(false);
  EXPECT_TRUE(run([&]() -> Task<Result<void>> { return store_->check_writable(start); }));
}

// All are sent, wait for a lock, and lose their connections; none of them is known to be done, and none not
// to be.
TEST_F(PostgresStoreTest, WhatWasSentAndNotAnsweredIsNotKnown) {
  payment::RetryPolicy policy;
  const auto claimed = run([&]() -> Task<payment::Transition> {
    const NewTransaction wanted{new_transaction(), {}};
    const auto created = co_await store_->create_transaction(wanted);
    EXPECT_TRUE(created);
    NewUser user{.id = {}, .username = "alice", .password_hash = "h"};
    const auto added = co_await store_->add_user(std::move(user), start);
    EXPECT_TRUE(added);
    auto transitions = co_await store_->claim_due("psp", start, 1, policy, Due::all);
    co_return transitions->at(0);
  });
  const auto captured = payment::apply(claimed.state, payment::Approved{"ref"}, start, policy).state;
  const TableLock lock(url_, "users, login_failures, transactions, idempotency_keys");
  const auto code = [](const auto& result) {
    return result ? std::string("done") : std::string(to_string(result.error().code));
  };
  std::vector<std::future<std::string>> codes;
  const auto begin = [&](auto operation) {
    const auto one = [operation, code]() -> Task<std::string> {
      const auto result = co_await operation();
      co_return code(result);
    };
    codes.push_back(asio::co_spawn(threads_.executor(0), one, asio::use_future));
  };
  begin([&] { return store_->create_transaction({new_transaction(), {}}); });
  begin([&] { return store_->create_transaction({new_transaction(), IdempotencyKey{"k", "f", "{}"}}); });
  begin([&] { return store_->save_outcome(captured); });
  begin([&] { return store_->add_user({.id = {}, .username = "becky", .password_hash = "h"}, start); });
  begin([&] { return store_->set_user_enabled("alice", false); });
  begin([&] { return store_->record_login_failure({"s"}, start, seconds(1)); });
  begin([&] { return store_->lease_queued(start, start + seconds(1), 1); });
  begin([&] { return store_->find_user("alice"); });
  lock.wait_for_waiters(static_cast<int>(codes.size()));
  proxy_->refuse_connections(true);
  proxy_->cut_all();
  const auto read = codes.back().get();
  codes.pop_back();
  EXPECT_EQ(read, "store_unavailable") << "what only reads cannot be done";
  for (auto& one : codes) EXPECT_EQ(one.get(), "store_outcome_unknown");
}

TEST_F(PostgresStoreTest, ListsThatHangLeaveConnectionsToLoginsAndWrites) {
  const auto list_of = [this](MerchantId who) -> Task<bool> {
    const TransactionFilter filter{.status = {}, .currency = {}, .before = {}, .limit = 10};
    const auto page = co_await store_->list_transactions(who, filter);
    co_return page.has_value();
  };
  std::vector<std::future<bool>> lists;
  {
    const TableLock lock(url_, "transactions");
    for (int i = 0; i < 100; ++i) {
      lists.push_back(asio::co_spawn(
          threads_.executor(0), [list_of]() -> Task<bool> { return list_of(merchant); }, asio::use_future));
    }
    lock.wait_for_waiters(4);
    EXPECT_TRUE(run([&]() -> Task<Result<std::optional<User>>> { return store_->find_user("alice"); }));
    EXPECT_TRUE(run([&]() -> Task<Result<void>> { return store_->check_writable(start); }));
    EXPECT_TRUE(run([&]() -> Task<Result<User>> {
      return store_->add_user({.id = {}, .username = "becky", .password_hash = "h"}, start);
    }));
    EXPECT_LE(lock.waiters(), 4) << "half of the connections";
  }
  EXPECT_TRUE(run([&]() -> Task<bool> { return list_of({2}); }));
  // Some of them may have waited for too long.
  for (auto& list : lists) list.wait();
}

TEST_F(PostgresStoreTest, WithOneOrTwoConnectionsNobodyIsLeftWithout) {
  for (const int limit : {1, 2, 3}) {
    const auto role = fmt::format("{}_{}", schema_, limit);
    const auto few = testing::postgres_role(url_, role, fmt::format("CONNECTION LIMIT {}", limit));
    testing::postgres_execute(url_, fmt::format("GRANT USAGE ON SCHEMA \"{}\" TO \"{}\"", schema_, role));
    testing::postgres_execute(
        url_, fmt::format("GRANT ALL ON ALL TABLES IN SCHEMA \"{}\" TO \"{}\"", schema_, role));
    PostgresStore store(few);
    std::vector<std::future<std::string>> done;
    // Where the machine is slow, one that has waited its time asks again, as a client does.
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    const auto begin = [&](auto operation) {
      const auto one = [operation, patience]() -> Task<std::string> {
        for (;;) {
          const auto result = co_await operation();
          if (result) co_return "done";
          if (std::chrono::steady_clock::now() > patience) co_return result.error().detail;
        }
      };
      done.push_back(asio::co_spawn(threads_.executor(0), one, asio::use_future));
    };
    for (int i = 0; i < 40; ++i) {
      begin([&, i] {
        const TransactionFilter filter{.status = {}, .currency = {}, .before = {}, .limit = 10};
        return store.list_transactions({i % 3}, filter);
      });
      if (i % 4 == 0) begin([&] { return store.find_user("alice"); });
      if (i % 4 == 1) begin([&] { return store.create_transaction({new_transaction(), {}}); });
      if (i % 4 == 2) begin([&] { return store.check_writable(start); });
    }
    for (auto& one : done) EXPECT_EQ(one.get(), "done") << limit;
  }
}

TEST_F(PostgresStoreTest, ColumnsThatAreAlteredWhileItRunsChangeNothing) {
  payment::RetryPolicy policy;
  for (const char* type : {"varchar(1000)", "text"}) {
    run([&]() -> Task<void> {
      const auto transaction = new_transaction();
      const NewTransaction wanted{transaction, {}};
      const auto created = co_await store_->create_transaction(wanted);
      EXPECT_TRUE(created);
      const auto found = co_await store_->find_transaction(merchant, transaction.id);
      EXPECT_TRUE(found);
      const auto claimed = co_await store_->claim_due("psp", start, 1, policy, Due::all);
      EXPECT_TRUE(claimed);
      auto captured = payment::apply(claimed->at(0).state, payment::Approved{"ref"}, start, policy).state;
      const auto saved = co_await store_->save_outcome(std::move(captured));
      EXPECT_TRUE(saved);
    });
    testing::postgres_execute(url_,
                              fmt::format("ALTER TABLE transactions ALTER COLUMN reason TYPE {}", type));
    testing::postgres_execute(url_, "ALTER TABLE transactions ALTER COLUMN amount_minor TYPE numeric");
    testing::postgres_execute(url_, "ALTER TABLE attempts ALTER COLUMN number TYPE int");
  }
  EXPECT_EQ(stored(), 2U);
}

TEST_F(PostgresStoreTest, ManyProcessesMayStartAtOnceOverAnEmptyDatabase) {
  const auto empty = testing::postgres_schema_url(
      std::filesystem::path(folder_.file("")).parent_path().filename().string() + "-empty");
  std::vector<std::future<void>> starting;
  for (int i = 0; i < 10; ++i) {
    starting.push_back(std::async(std::launch::async, [&empty] { const PostgresStore store(empty); }));
  }
  for (auto& one : starting) EXPECT_NO_THROW(one.get());
}

TEST_F(PostgresStoreTest, ADatabaseOfAnOlderVersionIsBroughtToThisOneWithAllThatIsInIt) {
  for (const int version : {1, 2}) {
    const auto transaction = new_transaction();
    const auto created =
        run([&]() -> Task<Result<CreateResult>> { return store_->create_transaction({transaction, {}}); });
    ASSERT_TRUE(created);
    testing::postgres_execute(url_, fmt::format("DELETE FROM switchyard_schema WHERE version > {}", version));
    testing::postgres_execute(url_, "DROP INDEX transactions_started");
    if (version == 1) {
      testing::postgres_execute(url_, "DROP INDEX transactions_by_id, transactions_in_review");
      testing::postgres_execute(url_, "DROP TABLE foreign_workers");
    }
    PostgresStore migrated(url_);
    EXPECT_EQ(migrated.made_anew(), "");
    const auto claimed = run([&]() -> Task<Result<std::vector<payment::Transition>>> {
      return migrated.claim_due("psp", start, 10, payment::RetryPolicy(), Due::all);
    });
    ASSERT_TRUE(claimed);
    ASSERT_THAT(*claimed, SizeIs(1));
    EXPECT_EQ(claimed->at(0).state.transaction.id, transaction.id);
    const auto seen = run([&]() -> Task<Result<bool>> { return migrated.has_seen_foreign_worker(); });
    EXPECT_EQ(seen, false);
    EXPECT_THAT(lines_of(postgres::Statement("SELECT indexname::text FROM pg_indexes WHERE indexname = "
                                             "'transactions_started' AND schemaname = current_schema()")),
                SizeIs(1));
  }
}

// While an outside queue holds very many queued ones, all of them due.
TEST_F(PostgresStoreTest, WhatHasBeenStartedIsFoundWithoutPassingOverWhatIsQueued) {
  testing::postgres_execute(
      url_,
      "INSERT INTO transactions SELECT 1, gen_random_uuid(), 100, 'USD', 'automatic', 'queued', 0, 0, 0, 0, "
      "0, "
      "now() - interval '1 hour' + n * interval '1 ms', '', now(), now() FROM generate_series(1, 20000) n");
  testing::postgres_execute(url_,
                            "INSERT INTO transactions SELECT 1, gen_random_uuid(), 100, 'USD', 'automatic', "
                            "'unknown', 0, 0, 0, 1, 1, "
                            "now() + n * interval '1 s', '', now(), now() FROM generate_series(1, 100) n");
  testing::postgres_execute(url_, "ANALYZE transactions");
  for (const auto* sql : {lock_started.due, lock_started.ahead}) {
    const auto plan = explained(sql);
    EXPECT_THAT(plan, HasSubstr("transactions_started")) << plan;
    EXPECT_THAT(plan, Not(HasSubstr("Seq Scan on transactions"))) << plan;
    EXPECT_THAT(plan, Not(HasSubstr("transactions_due"))) << plan;
  }
  for (const auto* sql : {lock_all.due, lock_all.ahead}) {
    const auto plan = explained(sql);
    EXPECT_THAT(plan, HasSubstr("Index Scan using transactions_due")) << plan;
    EXPECT_THAT(plan, Not(HasSubstr("Sort"))) << plan;
  }
}

TEST_F(PostgresStoreTest, ADatabaseOfANewerVersionIsRefused) {
  IoThreads thread(1);
  thread.run(0, [&]() -> Task<void> {
    const auto deadline = std::chrono::steady_clock::now() + seconds(30);
    auto connection = co_await postgres::Connection::connect(thread.executor(0), url_, deadline);
    std::vector<postgres::Statement> statements{
        postgres::Statement("INSERT INTO switchyard_schema VALUES (99)")};
    const auto done = co_await (*connection)->run(std::move(statements), deadline);
    EXPECT_TRUE(done);
  });
  EXPECT_THAT(
      [&] { PostgresStore store(url_); },
      ThrowsMessage<std::runtime_error>(AllOf(HasSubstr("schema version 99"), HasSubstr("newer program"))));
}

TEST_F(PostgresStoreTest, ARoleThatMayNotCreateAnythingServesFromTheTablesOfAnother) {
  const auto schema = schema_;
  const auto role = schema + "_user";
  const auto theirs = testing::postgres_role(url_, role, "");
  const auto grant = [&](const std::string& what) {
    testing::postgres_execute(url_, fmt::format("GRANT {} TO \"{}\"", what, role));
  };
  grant(fmt::format("USAGE ON SCHEMA \"{}\"", schema));
  const auto open = [&] { PostgresStore store(theirs); };
  EXPECT_THAT(open, ThrowsMessage<std::runtime_error>(AllOf(HasSubstr("switchyard_schema"),
                                                            HasSubstr("GRANT SELECT ON"), HasSubstr(role))));
  grant(fmt::format("SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA \"{}\"", schema));
  EXPECT_THAT(open, ThrowsMessage<std::runtime_error>(
                        HasSubstr("GRANT SELECT, INSERT, UPDATE, DELETE ON login_failures")));
  grant("DELETE ON login_failures");
  PostgresStore store(theirs);
  run([&]() -> Task<void> {
    const NewTransaction wanted{new_transaction(), {}};
    const auto created = co_await store.create_transaction(wanted);
    EXPECT_TRUE(created);
    const auto writable = co_await store.check_writable(start);
    EXPECT_TRUE(writable);
  });
}

TEST_F(PostgresStoreTest, ShowsThatTheRoleMayNotWriteATable) {
  const auto role = schema_ + "_user";
  const auto theirs = testing::postgres_role(url_, role, "");
  testing::postgres_execute(url_, fmt::format("GRANT USAGE ON SCHEMA \"{}\" TO \"{}\"", schema_, role));
  testing::postgres_execute(url_,
                            fmt::format("GRANT ALL ON ALL TABLES IN SCHEMA \"{}\" TO \"{}\"", schema_, role));
  PostgresStore store(theirs);
  const auto check = [&] { return run([&]() -> Task<Result<void>> { return store.check_writable(start); }); };
  for (const std::string table :
       {"users", "login_failures", "transactions", "attempts", "idempotency_keys"}) {
    EXPECT_TRUE(check()) << table;
    testing::postgres_execute(url_, fmt::format("REVOKE INSERT ON {} FROM \"{}\"", table, role));
    const auto checked = check();
    ASSERT_FALSE(checked) << table;
    EXPECT_EQ(checked.error().code, ErrorCode::store_unavailable);
    EXPECT_THAT(checked.error().detail, AllOf(HasSubstr("the table " + table), HasSubstr("GRANT")));
    testing::postgres_execute(url_, fmt::format("GRANT INSERT ON {} TO \"{}\"", table, role));
  }
}

TEST_F(PostgresStoreTest, ARoleThatMayNotCreateWhatIsMissingIsToldWhoMay) {
  const auto empty = schema_ + "_empty";
  const auto theirs = testing::postgres_role(testing::postgres_schema_url(empty), empty + "_user", "");
  testing::postgres_execute(url_, fmt::format("GRANT USAGE ON SCHEMA \"{0}\" TO \"{0}_user\"", empty));
  EXPECT_THAT([&] { PostgresStore store(theirs); },
              ThrowsMessage<std::runtime_error>(
                  AllOf(HasSubstr("switchyard store migrate"), HasSubstr("GRANT USAGE, CREATE"))));
}

TEST_F(PostgresStoreTest, ADatabaseThatIsNotUtf8IsRefusedWithTheRemedy) {
  for (const std::string encoding : {"SQL_ASCII", "LATIN1"}) {
    auto name = schema_ + "_" + encoding;
    std::ranges::transform(name, name.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const auto url = testing::left_by_postgres("url");
    testing::postgres_execute(
        url,
        fmt::format("CREATE DATABASE \"{}\" ENCODING '{}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'",
                    name, encoding));
    auto theirs = url;
    theirs.replace(theirs.rfind('/') + 1, std::string::npos, name);
    EXPECT_THAT([&] { PostgresStore store(theirs); },
                ThrowsMessage<std::runtime_error>(
                    AllOf(HasSubstr(encoding), HasSubstr("ENCODING 'UTF8'"), HasSubstr("template0"))));
  }
}

TEST_F(PostgresStoreTest, AWrongPasswordIsToldAtOnceAndNotRepeated) {
  auto wrong = url_;
  const auto begin = wrong.find(':', sizeof("postgresql://")) + 1;
  wrong.replace(begin, wrong.find('@') - begin, "hunter2");
  EXPECT_THAT([&] { PostgresStore store(wrong); },
              ThrowsMessage<std::runtime_error>(
                  AllOf(HasSubstr("PGPASSWORD"), HasSubstr("percent-decoded"), Not(HasSubstr("hunter2")))));
}

TEST_F(PostgresStoreTest, WordsOfAPspThatAreNoTextDoNotKeepAnOutcomeFromBeingSaved) {
  payment::RetryPolicy policy;
  const auto transaction = new_transaction();
  run([&]() -> Task<void> {
    const NewTransaction wanted{transaction, {}};
    const auto created = co_await store_->create_transaction(wanted);
    EXPECT_TRUE(created);
    const auto claimed = co_await store_->claim_due("psp", start, 1, policy, Due::all);
    const payment::Declined declined{"51", payment::DeclineKind::hard, "ref"};
    auto state = payment::apply(claimed->at(0).state, declined, start, policy).state;
    // The state machine makes such words printable; the store does not count on it.
    state.transaction.reason = std::string("5\0001", 3);
    state.attempt->psp_reference = "\xff\xfe";
    const auto saved = co_await store_->save_outcome(std::move(state));
    EXPECT_TRUE(saved);
    const auto found = co_await store_->find_transaction(merchant, transaction.id);
    EXPECT_EQ(found->transaction.reason, "5?1");
    EXPECT_EQ(found->attempts.at(0).psp_reference, "??");
  });
}

}  // namespace
}  // namespace switchyard::store
