// What only the store in PostgreSQL must withstand; store_test.cpp holds what every store promises.
#include "store/postgres/postgres_store.hpp"

#include <charconv>
#include <future>
#include <map>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <gmock/gmock.h>

#include "base/testing.hpp"
#include "postgres/testing.hpp"
#include "store/postgres/due.hpp"
#include "store/postgres/psp_events.hpp"
#include "store/postgres/schema.hpp"

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
          .created_at = start,
          .updated_at = start};
}

Change creation(const payment::Transaction& transaction = new_transaction()) {
  return {.state = {transaction, {}}, .is_new = true};
}
Change creation_with_key(const std::string& key) {
  return {.state = {new_transaction(), {}},
          .is_new = true,
          .key = IdempotencyKey{payment::Kind::authorize, key, "f"},
          .reply = "{}"};
}

const payment::RetryPolicy policy;
const payment::OneAccount psp{"psp",
                              [](const payment::State&, const payment::Operation&) { return "request"; }};

Decide claim_at(Timestamp now) {
  return [now](payment::State state) { return Decided{payment::claim(std::move(state), psp, now, policy)}; };
}
// One of a refund.
PspEvent event_that_is_due() {
  return {.account = "psp",
          .notice = {.event = "evt_1", .type = "refund"},
          .received_at = start,
          .due_at = start};
}
// Of very many events and payments two are of interest.
void fill_events_and_operations(const std::string& url) {
  testing::postgres_execute(url, R"(
INSERT INTO psp_events
SELECT 'psp', 'evt_' || n, 'refund', '', '', '', '', '', 'ignored', '', 0, '', '', '', '', now(),
  CASE WHEN n = 1 THEN now() END, 0, ''
FROM generate_series(1, 20000) n)");
  testing::postgres_execute(url, R"(
INSERT INTO operations
SELECT 1, gen_random_uuid(), 1, 'authorize', 100, true, 'succeeded', 'psp', 'key', '', 1, 1, 0,
  CASE WHEN n = 1 THEN 'pi_1' ELSE 'sim_' || n END, '', '', '', false, '', '', '', NULL, now(), now(), now(), ''
FROM generate_series(1, 20000) n)");
  testing::postgres_execute(url, "ANALYZE psp_events, operations");
}
DueWork due_by(Timestamp time, std::size_t limit = 1) {
  return {.by = time, .ahead = time + std::chrono::hours(1), .limit = limit};
}
payment::Step captured(const payment::Step& claimed) {
  const payment::Succeeded succeeded{"ref", claimed.operation().amount};
  return payment::answered(claimed, succeeded, psp, start, policy);
}

// A tenth of it.
Task<Result<std::vector<Taken>>> refund_with_key(Store& store, TransactionId id, std::string key) {
  NamedWork work{{{merchant, id, IdempotencyKey{payment::Kind::refund, std::move(key), "f"}}}};
  Decide decide = [](payment::State state) -> std::expected<Decided, payment::Refusal> {
    const payment::Request wanted{.amount_minor = 10, .psp_key = {}, .reference = {}, .note = {}};
    auto requested = payment::request(std::move(state), wanted, start);
    if (!requested) return std::unexpected(requested.error());
    return Decided{.step = {std::move(*requested)}, .reply = "first"};
  };
  return store.take(std::move(work), std::move(decide));
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

// What somebody has done and not committed, so that everything that wants the same waits.
class OpenTransaction {
 public:
  OpenTransaction(const std::string& url, const std::string& sql) {
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

  void commit() {
    thread_.run(0, [&]() -> Task<void> {
      std::vector<postgres::Statement> statements;
      statements.emplace_back("COMMIT");
      const auto done = co_await connection_->run(std::move(statements), deadline());
      EXPECT_TRUE(done);
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
      found = counted->front()[0].integer(0);
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
  Result<Committed> commit(const Change& change) {
    return run([&]() -> Task<Result<Committed>> { return store_->commit(change); });
  }
  std::vector<payment::Step> take_due(Store& store, Timestamp now, std::size_t limit = 1) {
    const auto taken = run(
        [&]() -> Task<Result<std::vector<Taken>>> { return store.take(due_by(now, limit), claim_at(now)); });
    EXPECT_TRUE(taken) << taken.error().detail;
    std::vector<payment::Step> steps;
    for (const auto& one : *taken) steps.push_back(std::get<Decided>(one).step);
    return steps;
  }
  payment::Step create_and_claim(const payment::Transaction& transaction = new_transaction()) {
    EXPECT_TRUE(commit(creation(transaction)));
    return take_due(*store_, start).at(0);
  }
  TransactionId create_and_capture() {
    const auto claimed = create_and_claim();
    EXPECT_TRUE(commit({.state = captured(claimed).state}));
    return claimed.state.transaction.id;
  }
  payment::State found(TransactionId id, Store& store) {
    const auto state =
        run([&]() -> Task<Result<payment::State>> { return store.find_transaction(merchant, id); });
    EXPECT_TRUE(state) << state.error().detail;
    return *state;
  }
  payment::State found(TransactionId id) { return found(id, *store_); }
  // Empty, as a program of this version of the schema made it.
  std::string old_database(int version) {
    const auto url = testing::postgres_schema_url(fmt::format("{}_{}", schema_, version));
    run([&]() -> Task<void> {
      const auto deadline = std::chrono::steady_clock::now() + seconds(30);
      const auto connection = co_await postgres::Connection::connect(threads_.executor(0), url, deadline);
      static_cast<void>(co_await migrate(**connection, version));
    });
    return url;
  }
  std::size_t stored() {
    return run([&]() -> Task<std::size_t> {
      const TransactionFilter filter{.limit = 100};
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
      for (int row = 0; row < done->back().size(); ++row) lines.emplace_back(done->back()[row].text(0));
      co_return lines;
    });
  }
  std::string explained(const std::string& sql) {
    const auto explain = "EXPLAIN " + sql;
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
    const auto change = creation();
    proxy_->lose_next_answer();
    const auto created = commit(change);
    EXPECT_TRUE(proxy_->has_lost_it());
    ASSERT_TRUE(created);
    EXPECT_TRUE(std::holds_alternative<Done>(*created));
    EXPECT_EQ(stored(), static_cast<std::size_t>(i));
    EXPECT_TRUE(std::holds_alternative<Stale>(*commit(change))) << "of another request, it is there already";
  }
}

TEST_F(PostgresStoreTest, ACommitWithAKeyWhoseAnswerIsLostIsTheFirstUseOfTheKey) {
  proxy_->lose_next_answer();
  const auto first = commit(creation_with_key("k"));
  EXPECT_TRUE(proxy_->has_lost_it());
  ASSERT_TRUE(first);
  EXPECT_TRUE(std::holds_alternative<Done>(*first)) << "not a replay of itself";
  const auto again = commit(creation_with_key("k"));
  ASSERT_TRUE(again);
  EXPECT_TRUE(std::holds_alternative<Replayed>(*again));
  EXPECT_EQ(stored(), 1U);
}

// A job of an outside queue, that another process has stored and claimed first, or not.
TEST_F(PostgresStoreTest, ANewClaimWhoseAnswerIsLostIsItsOwnOrSomebodyElses) {
  for (const bool is_anothers : {false, true}) {
    const payment::State queued{new_transaction(), {}};
    const auto theirs = payment::claim(queued, psp, start, policy);
    const auto ours = payment::claim(queued, psp, start + milliseconds(1), policy);
    if (is_anothers) {
      EXPECT_TRUE(std::holds_alternative<Done>(*commit({.state = theirs.state, .is_new = true})));
    }
    proxy_->lose_next_answer();
    const auto committed = commit({.state = ours.state, .is_new = true});
    EXPECT_TRUE(proxy_->has_lost_it());
    ASSERT_TRUE(committed);
    EXPECT_EQ(std::holds_alternative<Stale>(*committed), is_anothers);
    const auto state = found(queued.transaction.id);
    EXPECT_THAT(state.operations, SizeIs(1));
    EXPECT_EQ(state.transaction.updated_at, is_anothers ? start : start + milliseconds(1));
  }
}

TEST_F(PostgresStoreTest, OfManyWhoClaimOneNewTransactionAtOnceOneHasIt) {
  const payment::State queued{new_transaction(), {}};
  const Change claimed{.state = payment::claim(queued, psp, start, policy).state, .is_new = true};
  std::vector<std::future<Result<Committed>>> all;
  for (int i = 0; i < 10; ++i) {
    const auto claim = [&]() -> Task<Result<Committed>> { return store_->commit(claimed); };
    all.push_back(asio::co_spawn(threads_.executor(0), claim, asio::use_future));
  }
  EXPECT_EQ(std::ranges::count_if(all, [](auto& one) { return std::holds_alternative<Done>(*one.get()); }),
            1);
}

TEST_F(PostgresStoreTest, AnAnswerWhoseCommitIsNotAnsweredIsSavedOnce) {
  const auto claimed = create_and_claim();
  proxy_->lose_next_answer();
  const auto committed = commit({.state = captured(claimed).state});
  EXPECT_TRUE(proxy_->has_lost_it());
  ASSERT_TRUE(committed);
  EXPECT_TRUE(std::holds_alternative<Done>(*committed));
  const auto state = found(claimed.state.transaction.id);
  EXPECT_EQ(state.transaction.status, payment::Status::captured);
  EXPECT_EQ(state.transaction.version, 1);
  ASSERT_THAT(state.operations, SizeIs(1));
  EXPECT_EQ(state.operations[0].phase, payment::Phase::succeeded);
}

TEST_F(PostgresStoreTest, AClaimWhoseAnswerIsLostIsTakenUpAfterItsLease) {
  ASSERT_TRUE(commit(creation()));
  // First the answer with the rows, then the one to the commit.
  for (const int let_through : {0, 1}) {
    EXPECT_TRUE(run([&]() -> Task<Result<void>> { return store_->check_writable(start); }));
    proxy_->lose_next_answer(let_through);
    const auto lost = run(
        [&]() -> Task<Result<std::vector<Taken>>> { return store_->take(due_by(start), claim_at(start)); });
    ASSERT_FALSE(lost);
    EXPECT_EQ(lost.error().code,
              let_through == 0 ? ErrorCode::store_unavailable : ErrorCode::store_outcome_unknown);
    EXPECT_TRUE(proxy_->has_lost_it());
  }
  EXPECT_THAT(take_due(*store_, start), SizeIs(0)) << "the second claim was committed";
  const auto claimed = take_due(*store_, start + policy.lease);
  ASSERT_THAT(claimed, SizeIs(1));
  EXPECT_EQ(claimed[0].action, payment::Action::look_up);
}

// Whether it was done is not known, so it is not done again; who asks again with the key is told.
TEST_F(PostgresStoreTest, ATakeWhoseAnswerIsLostIsFoundByItsKey) {
  const auto id = create_and_capture();
  const auto refund = [&] {
    return run([&]() -> Task<Result<std::vector<Taken>>> { return refund_with_key(*store_, id, "k"); });
  };
  proxy_->lose_next_answer(1);
  const auto lost = refund();
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, ErrorCode::store_outcome_unknown);
  const auto again = refund();
  ASSERT_TRUE(again);
  EXPECT_EQ(std::get<Replayed>(again->at(0)).reply, "first");
  EXPECT_THAT(found(id).operations, SizeIs(2));
}

// The transaction and its operations are of one moment.
TEST_F(PostgresStoreTest, ATransactionIsReadAsAWholeWhileOperationsAreAskedFor) {
  const auto id = create_and_capture();
  const auto refund_all = [&]() -> Task<void> {
    for (int i = 0; i < 10; ++i) {
      const auto refunded = co_await refund_with_key(*store_, id, fmt::format("k{}", i));
      EXPECT_TRUE(refunded);
    }
  };
  auto refunding = asio::co_spawn(threads_.executor(0), refund_all, asio::use_future);
  const auto is_done = [&] { return refunding.wait_for(seconds(0)) == std::future_status::ready; };
  for (bool more = true; more;) {
    more = !is_done();
    const auto state = found(id);
    EXPECT_EQ(state.operations.size(), static_cast<std::size_t>(state.transaction.operation_count));
  }
  EXPECT_THAT(found(id).operations, SizeIs(11));
}

// Between the look for the key and the commit.
TEST_F(PostgresStoreTest, AKeyThatAnotherProcessUsesAtTheSameTimeIsReplayed) {
  const auto id = create_and_capture();
  OpenTransaction theirs(url_,
                         "INSERT INTO idempotency_keys (merchant_id, kind, key, request_fingerprint, "
                         "transaction_id, reply, created_at) "
                         "VALUES (1, 'refund', 'k', 'f', gen_random_uuid(), 'theirs', now())");
  const auto refund = [&]() -> Task<Result<std::vector<Taken>>> { return refund_with_key(*store_, id, "k"); };
  auto refunded = asio::co_spawn(threads_.executor(0), refund, asio::use_future);
  theirs.wait_for_waiters(1);
  theirs.commit();
  const auto taken = refunded.get();
  ASSERT_TRUE(taken) << taken.error().detail;
  EXPECT_EQ(std::get<Replayed>(taken->at(0)).reply, "theirs");
  EXPECT_THAT(found(id).operations, SizeIs(1));
}

TEST_F(PostgresStoreTest, RefundsThatSeveralProcessesAskForAtOnceAreNoMoreThanThereIs) {
  const auto id = create_and_capture();
  PostgresStore second(url_);
  PostgresStore third(url_);
  std::vector<std::future<Result<std::vector<Taken>>>> asked;
  for (int i = 0; i < 60; ++i) {
    auto& store = i % 3 == 0 ? *store_ : i % 3 == 1 ? second : third;
    const auto refund = [&store, id, i]() -> Task<Result<std::vector<Taken>>> {
      return refund_with_key(store, id, fmt::format("k{}", i));
    };
    asked.push_back(asio::co_spawn(threads_.executor(0), refund, asio::use_future));
  }
  int refused = 0;
  for (auto& one : asked) {
    const auto taken = one.get();
    ASSERT_TRUE(taken) << taken.error().detail;
    const auto* refusal = std::get_if<payment::Refusal>(&taken->at(0));
    if (refusal == nullptr) {
      EXPECT_TRUE(std::holds_alternative<Decided>(taken->at(0)));
      continue;
    }
    EXPECT_EQ(refusal->why, payment::Refusal::Why::over_what_is_left);
    ++refused;
  }
  EXPECT_EQ(refused, 50);
  EXPECT_THAT(found(id).operations, SizeIs(11));
  EXPECT_THAT(lines_of(postgres::Statement("SELECT key::text FROM idempotency_keys")), SizeIs(10))
      << "a key whose request was refused is free";
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
  const auto claimed = create_and_claim();
  EXPECT_TRUE(run([&]() -> Task<Result<User>> {
    return store_->add_user({.id = {}, .username = "alice", .password_hash = "h"}, start);
  }));
  const Change answer{.state = captured(claimed).state};
  const OpenTransaction lock(
      url_, "LOCK TABLE users, login_failures, transactions, idempotency_keys IN ACCESS EXCLUSIVE MODE");
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
  begin([&] { return store_->commit(creation()); });
  begin([&] { return store_->commit(creation_with_key("k")); });
  begin([&] { return store_->commit(answer); });
  begin([&] { return store_->add_user({.id = {}, .username = "becky", .password_hash = "h"}, start); });
  begin([&] { return store_->set_user_enabled("alice", false); });
  begin([&] { return store_->record_login_failure({"s"}, start, seconds(1)); });
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
    const TransactionFilter filter{.limit = 10};
    const auto page = co_await store_->list_transactions(who, filter);
    co_return page.has_value();
  };
  std::vector<std::future<bool>> lists;
  {
    const OpenTransaction lock(url_, "LOCK TABLE transactions IN ACCESS EXCLUSIVE MODE");
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
        const TransactionFilter filter{.limit = 10};
        return store.list_transactions({i % 3}, filter);
      });
      if (i % 4 == 0) begin([&] { return store.find_user("alice"); });
      if (i % 4 == 1) begin([&] { return store.commit(creation()); });
      if (i % 4 == 2) begin([&] { return store.check_writable(start); });
    }
    for (auto& one : done) EXPECT_EQ(one.get(), "done") << limit;
  }
}

TEST_F(PostgresStoreTest, ColumnsThatAreAlteredWhileItRunsChangeNothing) {
  for (const char* type : {"varchar(1000)", "text"}) {
    const auto claimed = create_and_claim();
    EXPECT_THAT(found(claimed.state.transaction.id).operations, SizeIs(1));
    EXPECT_TRUE(commit({.state = captured(claimed).state}));
    testing::postgres_execute(url_,
                              fmt::format("ALTER TABLE transactions ALTER COLUMN reason TYPE {}", type));
    testing::postgres_execute(url_, "ALTER TABLE transactions ALTER COLUMN amount_minor TYPE numeric");
    testing::postgres_execute(url_, "ALTER TABLE operations ALTER COLUMN number TYPE int");
  }
  EXPECT_EQ(stored(), 2U);
}

// Its transaction is left where it is refused.
TEST_F(PostgresStoreTest, AReadThatIsRefusedLeavesNoConnectionBehindThatRefusesAll) {
  const auto claimed = create_and_claim();
  testing::postgres_execute(url_, "ALTER TABLE operations RENAME TO elsewhere");
  for (int i = 0; i < 10; ++i) {
    const auto refused = run([&]() -> Task<Result<payment::State>> {
      return store_->find_transaction(merchant, claimed.state.transaction.id);
    });
    EXPECT_EQ(refused.error().code, ErrorCode::store_unavailable);
  }
  testing::postgres_execute(url_, "ALTER TABLE elsewhere RENAME TO operations");
  EXPECT_TRUE(commit(creation()));
  EXPECT_EQ(stored(), 2U);
  EXPECT_THAT(found(claimed.state.transaction.id).operations, SizeIs(1));
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

// A payment as programs of before version 4 left it.
struct OldPayment {
  std::string status;
  // Of the attempts, in their order.
  std::vector<std::string> attempts;
  std::string reason;
  // What it is now.
  std::vector<std::string> phases;
  std::optional<payment::Action> when_claimed{};
  std::int64_t authorized = 0;
  std::int64_t captured = 0;
  std::int64_t refunded = 0;
  std::string capture_method = "automatic";
};

const std::vector<OldPayment> old_payments{
    {"queued", {}, "", {}, payment::Action::send},
    {"processing", {"started"}, "", {"sent"}, payment::Action::look_up},
    {"processing", {"not_sent"}, "connection refused", {"requested"}, payment::Action::send},
    {"processing", {"not_sent", "started"}, "", {"failed", "sent"}, payment::Action::look_up},
    {"processing", {"not_sent", "not_sent"}, "refused", {"failed", "requested"}, payment::Action::send},
    {"unknown", {"unknown"}, "timeout", {"unknown"}, payment::Action::look_up},
    {"unknown", {"not_sent", "unknown"}, "timeout", {"failed", "unknown"}, payment::Action::look_up},
    {"manual_review", {"unknown"}, "timeout", {"manual_review"}},
    {"declined", {"declined"}, "51", {"declined"}},
    {"declined", {"not_sent", "declined"}, "05", {"failed", "declined"}},
    {"failed", {"not_sent", "not_sent", "not_sent"}, "refused", {"failed", "failed", "failed"}},
    {"failed", {"failed"}, "Traceback", {"failed"}},
    {"captured", {"approved"}, "", {"succeeded"}, {}, 100, 100},
    {"captured", {"failed", "approved"}, "", {"failed", "succeeded"}, {}, 100, 100},
    {"authorized", {"approved"}, "", {"succeeded"}, {}, 100, 0, 0, "manual"},
    {"voided", {"approved"}, "", {"succeeded"}, {}, 100, 0, 0, "manual"},
    {"partially_refunded", {"approved"}, "", {"succeeded"}, {}, 100, 100, 40},
    {"refunded", {"approved"}, "", {"succeeded"}, {}, 100, 100, 100},
};

std::string old_request(TransactionId id, const std::string& capture_method) {
  return fmt::format(R"({{"reference":"{}","amount":100,"currency":"USD","capture_method":"{}"}})",
                     id.value.to_string(), capture_method);
}

void store_old_payment(const std::string& url, TransactionId id, const OldPayment& old) {
  const bool is_open = old.status == "queued" || old.status == "processing" || old.status == "unknown";
  const auto time = "'2023-11-14 22:13:20+00'";
  testing::postgres_execute(
      url,
      fmt::format("INSERT INTO transactions VALUES (1, '{}', 100, 'USD', '{}', '{}', {}, {}, {}, {}, {}, {}, "
                  "'{}', {}, {})",
                  id.value.to_string(), old.capture_method, old.status, old.authorized, old.captured,
                  old.refunded, old.attempts.empty() ? 0 : 7, old.attempts.size(), is_open ? time : "NULL",
                  old.reason, time, time));
  for (std::size_t i = 0; i < old.attempts.size(); ++i) {
    const auto& status = old.attempts[i];
    const bool is_resolved = status != "started" && status != "unknown";
    testing::postgres_execute(
        url, fmt::format("INSERT INTO attempts VALUES (1, '{}', {}, 'psp', 'key-{}', "
                         "sha256(convert_to('{}', 'UTF8')), '{}', 2, 'ref', '{}', {}, {})",
                         id.value.to_string(), i + 1, i + 1, old_request(id, old.capture_method), status,
                         status == "approved" || status == "started" ? "" : old.reason, time,
                         is_resolved ? time : "NULL"));
  }
}

// Every state that a payment could be in.
TEST_F(PostgresStoreTest, AttemptsOfADatabaseOfVersion3AreOperations) {
  const auto url = old_database(3);
  std::map<TransactionId, const OldPayment*> stored;
  for (const auto& old : old_payments) {
    const TransactionId id{Uuid::generate()};
    store_old_payment(url, id, old);
    stored.emplace(id, &old);
  }
  testing::postgres_execute(
      url, "INSERT INTO idempotency_keys VALUES (1, 'k', 'f', gen_random_uuid(), '{}', now())");
  PostgresStore migrated(url);
  EXPECT_EQ(migrated.made_anew(), "");
  EXPECT_THAT(migrated.installation(), ::testing::MatchesRegex("[0-9a-f]{32}"));
  for (const auto& [id, old] : stored) {
    SCOPED_TRACE(fmt::format("{} {}", old->status, fmt::join(old->attempts, ", ")));
    // One that is not sound is not found.
    const auto state = found(id, migrated);
    EXPECT_EQ(payment::why_broken(state), std::nullopt);
    EXPECT_EQ(to_string(state.transaction.status), old->status);
    EXPECT_EQ(state.transaction.held_minor, old->status == "authorized" ? 100 : 0);
    EXPECT_EQ(state.transaction.reason, old->reason);
    std::vector<std::string> phases;
    for (const auto& operation : state.operations) {
      phases.emplace_back(to_string(operation.phase));
      const bool is_last = operation.number == state.transaction.operation_count;
      EXPECT_EQ(operation.request, old_request(id, old->capture_method));
      EXPECT_EQ(operation.idempotency_key, fmt::format("key-{}", operation.number));
      EXPECT_EQ(operation.claims, is_last ? 7 : 1);
      EXPECT_EQ(operation.sends, is_last ? operation.number : 1);
      EXPECT_EQ(operation.ended_at.has_value(), !is_open(operation.phase));
    }
    EXPECT_EQ(phases, old->phases);
    if (old->status == "declined") {
      const auto& reason = state.operations.back().reason;
      EXPECT_EQ(reason.code, old->reason);
      EXPECT_EQ(reason.kind,
                old->reason == "51" ? payment::ReasonKind::soft_decline : payment::ReasonKind::hard_decline);
    }
  }
  std::map<TransactionId, payment::Action> actions;
  for (const auto& step : take_due(migrated, start, 100)) actions[step.state.transaction.id] = step.action;
  for (const auto& [id, old] : stored) {
    EXPECT_EQ(actions.contains(id), old->when_claimed.has_value()) << old->status;
    if (old->when_claimed) {
      EXPECT_EQ(actions[id], *old->when_claimed) << old->status;
    }
  }
  const auto replayed =
      run([&]() -> Task<Result<Committed>> { return migrated.commit(creation_with_key("k")); });
  EXPECT_TRUE(std::holds_alternative<Replayed>(*replayed));
}

// Its programs did not write down what they sent, so it is never sent again.
TEST_F(PostgresStoreTest, AnAttemptOfAStillOlderProgramHasNoRequest) {
  const auto url = old_database(3);
  const TransactionId id{Uuid::generate()};
  store_old_payment(url, id, {"unknown", {"unknown"}, "timeout", {"unknown"}});
  testing::postgres_execute(url, "UPDATE attempts SET request_fingerprint = 'another'");
  PostgresStore migrated(url);
  EXPECT_EQ(found(id, migrated).operations.at(0).request, "");
}

TEST_F(PostgresStoreTest, ADatabaseOfAnyOlderVersionIsBroughtToThisOne) {
  for (const int version : {1, 2, 3}) {
    const auto url = old_database(version);
    const TransactionId id{Uuid::generate()};
    store_old_payment(url, id, old_payments.front());
    PostgresStore migrated(url);
    const auto claimed = take_due(migrated, start, 10);
    ASSERT_THAT(claimed, SizeIs(1));
    EXPECT_EQ(claimed[0].state.transaction.id, id);
    const auto seen = run([&]() -> Task<Result<bool>> { return migrated.has_seen_foreign_worker(); });
    EXPECT_EQ(seen, false);
    EXPECT_EQ(PostgresStore(url).installation(), migrated.installation());
  }
}

// Servers of that version may run, and could not go on over a newer schema.
TEST_F(PostgresStoreTest, OnlyThoseWhoMigrateChangeTheSchemaOfADatabase) {
  const auto url = old_database(3);
  const auto empty = testing::postgres_schema_url(schema_ + "_empty");
  for (const auto opening : {Opening::read_only, Opening::existing, Opening::create}) {
    EXPECT_THAT([&] { PostgresStore store(url, opening); },
                ThrowsMessage<std::runtime_error>(AllOf(
                    HasSubstr("schema version 3"), HasSubstr("needs version"), HasSubstr("store migrate"))));
    if (opening == Opening::create) continue;
    EXPECT_THAT([&] { PostgresStore store(empty, opening); },
                ThrowsMessage<std::runtime_error>(AllOf(HasSubstr("no tables"), HasSubstr("DATABASE_URL"))));
  }
  EXPECT_NE(PostgresStore(empty, Opening::create).made_anew(), "");
  for (const auto opening : {Opening::read_only, Opening::existing, Opening::create}) {
    EXPECT_EQ(PostgresStore(empty, opening).made_anew(), "");
  }
}

// While an outside queue holds very many queued ones, all of them due.
TEST_F(PostgresStoreTest, WhatHasBeenStartedIsFoundWithoutPassingOverWhatIsQueued) {
  const auto fill = [this](const char* status, const char* next_action_at, int count) {
    testing::postgres_execute(url_, fmt::format(R"(
INSERT INTO transactions (
  merchant_id, id, amount_minor, currency, capture_method, status, authorized_minor, captured_minor,
  refunded_minor, version, operation_count, next_action_at, reason, created_at, updated_at)
SELECT 1, gen_random_uuid(), 100, 'USD', 'automatic', '{}', 0, 0, 0, 0, 0, {}, '', now(), now()
FROM generate_series(1, {}) n)",
                                                status, next_action_at, count));
  };
  fill("queued", "now() - interval '1 hour' + n * interval '1 ms'", 20'000);
  fill("unknown", "now() + n * interval '1 s'", 100);
  testing::postgres_execute(url_, "ANALYZE transactions");
  for (const auto* sql : {&lock_started.due, &lock_started.ahead}) {
    const auto plan = explained(*sql);
    EXPECT_THAT(plan, HasSubstr("transactions_started")) << plan;
    EXPECT_THAT(plan, Not(HasSubstr("Seq Scan on transactions"))) << plan;
    EXPECT_THAT(plan, Not(HasSubstr("transactions_due"))) << plan;
  }
  for (const auto* sql : {&lock_all.due, &lock_all.ahead, &lock_queued.due}) {
    const auto plan = explained(*sql);
    EXPECT_THAT(plan, HasSubstr("Index Scan using transactions_due")) << plan;
    EXPECT_THAT(plan, Not(HasSubstr("Sort"))) << plan;
  }
}

// With very many that are over, and before the server has counted any.
TEST_F(PostgresStoreTest, EventsAndTheirPaymentsAreFoundByAnIndexEach) {
  for (const bool is_counted : {false, true}) {
    if (is_counted) fill_events_and_operations(url_);
    const auto plan = explained(lock_due_psp_events);
    if (is_counted) {
      EXPECT_THAT(plan, HasSubstr("Index Scan using psp_events_due")) << plan;
      EXPECT_THAT(plan, Not(HasSubstr("Sort"))) << plan;
    }
    const auto explain = "EXPLAIN " + owners_of_psp_payments;
    postgres::Column accounts(postgres::Type::text);
    postgres::Column references(postgres::Type::text);
    postgres::Column keys(postgres::Type::text);
    for (const char* reference : {"pi_1", "pi_2"}) {
      accounts.add(std::string_view("psp"));
      references.add(std::string_view(reference));
      keys.add(std::string_view("key"));
    }
    std::string plan_of_owners;
    for (const auto& line : lines_of(postgres::Statement(explain, accounts, references, keys))) {
      plan_of_owners += line + "\n";
    }
    EXPECT_THAT(plan_of_owners,
                AllOf(HasSubstr("operations_by_psp_reference"), HasSubstr("operations_by_key")))
        << plan_of_owners;
  }
  const auto in_index = lines_of(postgres::Statement(
      "SELECT reltuples::bigint::text FROM pg_class WHERE oid = 'operations_by_psp_reference'::regclass"));
  EXPECT_EQ(in_index.at(0), "1") << "the simulated PSP's are not in it";
}

TEST_F(PostgresStoreTest, ADatabaseOfTheVersionBeforeEventsKeepsThemFromNowOn) {
  const auto url = old_database(5);
  testing::postgres_execute(url, R"(
INSERT INTO operations
SELECT 1, gen_random_uuid(), 1, 'authorize', 100, true, 'succeeded', 'psp', 'key', '', 1, 1, 0, reference, '',
  '', '', false, '', '', '', NULL, now(), now(), now(), ''
FROM unnest(ARRAY['pi_1', 'sim_1']) AS r (reference))");
  PostgresStore migrated(url);
  run([&]() -> Task<void> {
    std::vector<PspPayment> payments{{"psp", "pi_1"}, {"psp", "sim_1"}};
    const auto owners = co_await migrated.find_psp_payments(std::move(payments));
    EXPECT_TRUE(owners->at(0) && owners->at(0)->merchant == merchant);
    EXPECT_FALSE(owners->at(1));
    PspEvents events(1, event_that_is_due());
    const auto added = co_await migrated.add_psp_events(std::move(events));
    EXPECT_TRUE(added);
    const auto taken = co_await migrated.take_psp_events(start, start + seconds(30), 10);
    EXPECT_THAT(*taken, SizeIs(1));
  });
}

TEST_F(PostgresStoreTest, EventsWhoseCommitIsNotAnsweredAreStoredAndEndedOnce) {
  run([&]() -> Task<void> {
    PspEvents events(1, event_that_is_due());
    proxy_->lose_next_answer();
    const auto added = co_await store_->add_psp_events(std::move(events));
    EXPECT_TRUE(added && proxy_->has_lost_it());
    auto taken = co_await store_->take_psp_events(start, start + seconds(30), 10);
    EXPECT_THAT(*taken, SizeIs(1));
    taken->at(0).due_at.reset();
    proxy_->lose_next_answer();
    const auto ended = co_await store_->end_psp_events(*taken);
    EXPECT_TRUE(ended && proxy_->has_lost_it());
    const auto none = co_await store_->take_psp_events(start + seconds(60), start + seconds(90), 10);
    EXPECT_THAT(*none, SizeIs(0));
  });
}

// The worker is not told of it, and it is due again.
TEST_F(PostgresStoreTest, AnEventWhoseTakeIsNotAnsweredIsTakenAfterItsLease) {
  run([&]() -> Task<void> {
    PspEvents events(1, event_that_is_due());
    const auto added = co_await store_->add_psp_events(std::move(events));
    EXPECT_TRUE(added);
    proxy_->lose_next_answer(1);
    const auto lost = co_await store_->take_psp_events(start, start + seconds(30), 10);
    EXPECT_TRUE(proxy_->has_lost_it());
    EXPECT_FALSE(lost);
    const auto again = co_await store_->take_psp_events(start + seconds(30), start + seconds(60), 10);
    EXPECT_EQ(again->at(0).tries, 2);
  });
}

// Otherwise polling ten times a second would fill the server's log.
TEST_F(PostgresStoreTest, ATakeOfNoEventsWritesNothing) {
  const auto take = [&]() -> Task<void> {
    const auto none = co_await store_->take_psp_events(start, start + seconds(30), 10);
    EXPECT_THAT(*none, SizeIs(0));
  };
  run(take);
  const auto next = [&] {
    return lines_of(postgres::Statement("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")).at(0);
  };
  // Other tests use the same server.
  for (int tries = 0; tries < 100; ++tries) {
    const auto first = next();
    run(take);
    if (next() == first) return;
  }
  ADD_FAILURE() << "each of them took a transaction's number";
}

TEST_F(PostgresStoreTest, SaysWhatTheServersClockSays) {
  const auto began = SystemClock().now();
  const auto workload = run([&] { return store_->measure_workload(); });
  ASSERT_TRUE(workload && workload->now) << "the same machine's, here";
  EXPECT_GE(*workload->now, began - seconds(1));
  EXPECT_LE(*workload->now, SystemClock().now() + seconds(1));
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
    const auto created = co_await store.commit(creation());
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
       {"users", "login_failures", "transactions", "operations", "idempotency_keys", "psp_events"}) {
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

TEST_F(PostgresStoreTest, WordsOfAPspThatAreNoTextDoNotKeepAnAnswerFromBeingSaved) {
  const auto claimed = create_and_claim();
  const payment::Declined declined{{"51", {}, payment::ReasonKind::soft_decline}, "ref", {}};
  auto state = payment::answered(claimed, declined, psp, start, policy).state;
  // The state machine makes such words printable; the store does not count on it.
  state.transaction.reason = std::string("5\0001", 3);
  state.operations[0].psp_reference = "\xff\xfe";
  EXPECT_TRUE(commit({.state = std::move(state)}));
  const auto saved = found(claimed.state.transaction.id);
  EXPECT_EQ(saved.transaction.reason, "5?1");
  EXPECT_EQ(saved.operations.at(0).psp_reference, "??");
}

}  // namespace
}  // namespace switchyard::store
