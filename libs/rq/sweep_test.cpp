#include "rq/sweep.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/io_threads.hpp"
#include "base/testing.hpp"
#include "redis/testing.hpp"
#include "rq/enqueuer.hpp"
#include "rq/job.hpp"
#include "rq/names.hpp"
#include "rq/redis_queue.hpp"
#include "rq/zlib.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace switchyard::rq {
namespace {

using payment::Status;
using std::chrono::milliseconds;
using std::chrono::seconds;
using switchyard::testing::eventually;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAreArray;

constexpr MerchantId merchant{7};

class SweepTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SWITCHYARD_SKIP_WITHOUT_REDIS();
    server_.emplace();
    client_.emplace(threads_.executor(0), redis::parse_url(server_->url()));
    sweep_.emplace(settings_, threads_.executor(0), *client_, store_, metrics_, log_, clock_);
    threads_.run(0, [this]() -> Task<void> {
      client_->start();
      co_return;
    });
    ASSERT_TRUE(becomes_ready());
  }
  ~SweepTest() override {
    if (client_) threads_.run(0, [this] { return client_->stop(); });
  }

  bool becomes_ready() {
    return eventually(
        [this] { return threads_.run(0, [this]() -> Task<bool> { co_return client_->is_ready(); }); });
  }
  bool turn() {
    return threads_.run(0, [this] { return sweep_->take_turn(); });
  }
  // A turn of a new sweep, which tidies up at once.
  void tidy() {
    sweep_.emplace(settings_, threads_.executor(0), *client_, store_, metrics_, log_, clock_);
    server_->command({"DEL", "switchyard:sweep"});
    EXPECT_TRUE(turn());
  }
  // The first turn compares everything; from then on, only what is due.
  void settle_in() { EXPECT_TRUE(turn()); }
  // Until all that was compared is due again; a comparison of everything allows for clocks that disagree.
  void let_time_pass() { clock_.advance(settings_.delay + seconds(6)); }

  payment::Transaction create(std::int64_t amount = 100) {
    const auto now = clock_.now();
    payment::Transaction transaction{.id = {Uuid::generate()},
                                     .merchant_id = merchant,
                                     .amount = Money(amount, *Currency::parse("USD")),
                                     .next_action_at = now,
                                     .created_at = now,
                                     .updated_at = now};
    const store::Change created{.state = {transaction, {}}, .is_new = true};
    EXPECT_TRUE(helper_.run(0, [&] { return store_.commit(created); }));
    return transaction;
  }
  std::vector<payment::Transaction> create_many(int count) {
    std::vector<payment::Transaction> created;
    helper_.run(0, [&]() -> Task<void> {
      const auto create_one = [&](int) -> Task<void> {
        const auto now = clock_.now();
        payment::Transaction transaction{.id = {Uuid::generate()},
                                         .merchant_id = merchant,
                                         .amount = Money(100, *Currency::parse("USD")),
                                         .next_action_at = now,
                                         .created_at = now,
                                         .updated_at = now};
        created.push_back(transaction);
        store::Change change{.state = {std::move(transaction), {}}, .is_new = true};
        const auto committed = co_await store_.commit(std::move(change));
        EXPECT_TRUE(committed);
      };
      co_await switchyard::testing::many_at_once(helper_.executor(0), count, create_one);
    });
    return created;
  }
  std::int64_t enqueue(const payment::Transaction& transaction) {
    return threads_.run(0, [&]() -> Task<std::int64_t> {
      std::vector<payment::Transaction> one{transaction};
      const auto deadline = std::chrono::steady_clock::now() + seconds(5);
      const auto added = co_await rq::enqueue(*client_, std::move(one), clock_.now(), deadline);
      co_return added.value_or(-1);
    });
  }
  payment::State find(const payment::Transaction& transaction) {
    std::optional<payment::State> found;
    helper_.run(0, [&]() -> Task<void> {
      auto result = co_await store_.find_transaction(merchant, transaction.id);
      if (result) found.emplace(std::move(*result));
    });
    return std::move(found).value();
  }
  Status status(const payment::Transaction& transaction) { return find(transaction).transaction.status; }

  // By a newer version, or by hand.
  void make_unreadable(const payment::Transaction& transaction) const {
    auto hex = id(transaction);
    std::erase(hex, '-');
    sqlite::Database(folder_.file("store.db"), sqlite::Durability::process, sqlite::Access::existing)
        .execute(fmt::format("UPDATE transactions SET status = 'authorizing' WHERE id = x'{}'", hex).c_str());
  }

  static std::string id(const payment::Transaction& transaction) { return transaction.id.value.to_string(); }
  std::vector<std::string> list(std::string_view key) const {
    std::vector<std::string> ids;
    for (const auto& element : server_->command({"LRANGE", key, "0", "-1"}).elements)
      ids.push_back(element.text);
    return ids;
  }
  std::vector<std::string> registry(std::string_view key) const {
    std::vector<std::string> ids;
    for (const auto& element : server_->command({"ZRANGE", key, "0", "-1"}).elements)
      ids.push_back(element.text);
    return ids;
  }
  std::string field(const payment::Transaction& transaction, std::string_view name) const {
    return server_->command({"HGET", job_key(id(transaction)), name}).text;
  }
  void set(const payment::Transaction& transaction, std::string_view name, std::string_view value) const {
    server_->command({"HSET", job_key(id(transaction)), name, value});
  }
  // As a worker of Python's RQ leaves it.
  void begin_in_python(const payment::Transaction& transaction, seconds entry = seconds(240)) const {
    const auto until = clock_.now() + entry;
    server_->command({"LREM", queue_key, "1", id(transaction)});
    set(transaction, "status", "started");
    set(transaction, "started_at", format_time(clock_.now()));
    set(transaction, "worker_name", "python");
    server_->command({"ZADD", started_key,
                      std::to_string(std::chrono::floor<seconds>(until).time_since_epoch().count()),
                      id(transaction)});
  }
  void fail_in_python(const payment::Transaction& transaction, std::string_view exc_info) const {
    begin_in_python(transaction);
    set(transaction, "status", "failed");
    set(transaction, "exc_info", deflate_stored(exc_info));
  }

  testing::TempDir folder_;
  testing::ManualClock clock_;
  IoThreads threads_{1};
  IoThreads helper_{1};
  store::SqliteStore store_{folder_.file("store.db")};
  telemetry::Metrics metrics_;
  Log log_{LogFormat::text, LogLevel::error};
  SweepSettings settings_{seconds(30)};
  std::optional<redis::testing::Server> server_;
  std::optional<redis::Client> client_;
  std::optional<Sweep> sweep_;
};

// --- Enqueueing --------------------------------------------------------------------------------

TEST_F(SweepTest, EnqueuesExactlyWhatRqDoes) {
  const auto transaction = create();
  EXPECT_EQ(enqueue(transaction), 1);
  EXPECT_THAT(list(queue_key), ElementsAre(id(transaction)));
  EXPECT_TRUE(server_->command({"SISMEMBER", queues_key, queue_key}).integer == 1);
  EXPECT_EQ(field(transaction, "status"), "queued");
  EXPECT_EQ(server_->command({"HLEN", job_key(id(transaction))}).integer, 13);
  EXPECT_EQ(server_->command({"TTL", job_key(id(transaction))}).integer, -1);
}

TEST_F(SweepTest, AJobIsEnqueuedOnceWhoeverAsks) {
  const auto transaction = create();
  EXPECT_EQ(enqueue(transaction), 1);
  EXPECT_EQ(enqueue(transaction), 0);
  settle_in();
  EXPECT_THAT(list(queue_key), SizeIs(1));
}

TEST_F(SweepTest, ARowThatCannotBeReadStopsNobody) {
  const auto broken = create();
  const auto good = create();
  make_unreadable(broken);
  let_time_pass();
  EXPECT_TRUE(turn());
  EXPECT_THAT(list(queue_key), ElementsAre(id(good)));
}

TEST_F(SweepTest, WhatIsLeftOfAJobIsReplaced) {
  const auto transaction = create();
  server_->command({"HSET", job_key(id(transaction)), "last_heartbeat", "x"});
  EXPECT_EQ(enqueue(transaction), 1);
  const auto other = create();
  server_->command({"SET", job_key(id(other)), "no hash"});
  EXPECT_EQ(enqueue(other), 1);
  EXPECT_EQ(field(other, "status"), "queued");
}

TEST_F(SweepTest, AQueueOfTheWrongTypeLeavesNothingBehind) {
  server_->command({"SET", queue_key, "no list"});
  const auto transaction = create();
  EXPECT_EQ(enqueue(transaction), -1);
  EXPECT_EQ(server_->command({"EXISTS", job_key(id(transaction))}).integer, 0);
  EXPECT_FALSE(turn());
  EXPECT_EQ(status(transaction), Status::queued);
  server_->command({"DEL", queue_key});
  let_time_pass();
  EXPECT_TRUE(turn());
  EXPECT_THAT(list(queue_key), ElementsAre(id(transaction)));
}

TEST_F(SweepTest, AFullRedisIsTriedAgain) {
  server_->command({"CONFIG", "SET", "maxmemory", "1"});
  const auto transaction = create();
  EXPECT_EQ(enqueue(transaction), -1);
  EXPECT_FALSE(turn());
  server_->command({"CONFIG", "SET", "maxmemory", "0"});
  let_time_pass();
  EXPECT_TRUE(turn());
  EXPECT_THAT(list(queue_key), ElementsAre(id(transaction)));
}

// --- What Redis lost ---------------------------------------------------------------------------

TEST_F(SweepTest, WhatWasNeverEnqueuedIsEnqueuedWhenItIsDue) {
  settle_in();
  const auto transaction = create();
  EXPECT_TRUE(turn());
  EXPECT_THAT(list(queue_key), IsEmpty()) << "whoever made it enqueues it";
  let_time_pass();
  EXPECT_TRUE(turn());
  EXPECT_THAT(list(queue_key), ElementsAre(id(transaction)));
}

TEST_F(SweepTest, AnEmptiedRedisIsFilledAtOnce) {
  settle_in();
  const auto created = create_many(2'500);
  std::vector<std::string> ids;
  for (const auto& transaction : created) {
    enqueue(transaction);
    ids.push_back(id(transaction));
  }
  server_->command({"FLUSHALL"});
  EXPECT_TRUE(turn());
  EXPECT_THAT(list(queue_key), UnorderedElementsAreArray(ids));
  EXPECT_TRUE(turn());
  EXPECT_THAT(list(queue_key), SizeIs(2'500)) << "once";
}

TEST_F(SweepTest, AnotherRedisIsFilledAtOnce) {
  const auto transaction = create();
  settle_in();
  EXPECT_THAT(list(queue_key), SizeIs(1));
  clock_.advance(seconds(1));
  // Without a file to start from: as a replica that has become the master, without what it had not got.
  server_->stop();
  server_->start();
  server_->command({"SET", "switchyard:redis", "the run before"});
  ASSERT_TRUE(becomes_ready());
  EXPECT_TRUE(eventually([this] { return turn(); }));
  EXPECT_THAT(list(queue_key), ElementsAre(id(transaction)));
}

TEST_F(SweepTest, AJobThatIsInNoListTwiceIsPushedAgain) {
  const auto transaction = create();
  settle_in();
  server_->command({"DEL", queue_key});
  let_time_pass();
  EXPECT_TRUE(turn());
  EXPECT_THAT(list(queue_key), IsEmpty()) << "a worker may have it in its hands";
  let_time_pass();
  EXPECT_TRUE(turn());
  EXPECT_THAT(list(queue_key), ElementsAre(id(transaction)));
  EXPECT_EQ(server_->command({"HLEN", job_key(id(transaction))}).integer, 13) << "no note is left";
}

TEST_F(SweepTest, AJobThatWaitsInAListIsLeft) {
  const auto waiting = create();
  const auto taken = create();
  settle_in();
  server_->command({"LREM", queue_key, "1", id(taken)});
  server_->command({"RPUSH", intermediate_key, id(taken)});
  for (int i = 0; i < 3; ++i) {
    let_time_pass();
    EXPECT_TRUE(turn());
  }
  EXPECT_THAT(list(queue_key), ElementsAre(id(waiting)));
  EXPECT_THAT(list(intermediate_key), ElementsAre(id(taken)));
}

TEST_F(SweepTest, ALongListIsReadWhole) {
  const auto first = create();
  const auto created = create_many(10'500);
  const auto last = create();
  settle_in();
  EXPECT_THAT(list(queue_key), SizeIs(10'502));
  for (int i = 0; i < 8; ++i) {
    let_time_pass();
    EXPECT_TRUE(turn());
  }
  EXPECT_THAT(list(queue_key), SizeIs(10'502)) << "none was taken for lost";
}

// --- Workers that are not ours -----------------------------------------------------------------

TEST_F(SweepTest, WhatAnotherWorkerFinishedIsCaptured) {
  const auto transaction = create();
  settle_in();
  begin_in_python(transaction);
  set(transaction, "status", "finished");
  let_time_pass();
  EXPECT_TRUE(turn());
  const auto found = find(transaction);
  EXPECT_EQ(found.transaction.status, Status::captured);
  EXPECT_EQ(found.transaction.captured_minor, 100);
  ASSERT_THAT(found.operations, SizeIs(1));
  EXPECT_EQ(found.operations[0].psp, "rq-worker");
  EXPECT_THAT(list(queue_key), IsEmpty());
}

TEST_F(SweepTest, WhatAnotherWorkerFailedIsFailedWithItsReason) {
  const auto transaction = create();
  settle_in();
  fail_in_python(transaction, "Traceback (most recent call last):\n  ...\nValueError: no such currency\n");
  let_time_pass();
  EXPECT_TRUE(turn());
  EXPECT_EQ(status(transaction), Status::failed);
  EXPECT_EQ(find(transaction).transaction.reason, "ValueError: no such currency");
}

TEST_F(SweepTest, WhatAnotherWorkerFailedAndFinishedWhenItWasTriedAgainIsCaptured) {
  const auto requeued = create();
  const auto left = create();
  settle_in();
  fail_in_python(requeued, "ValueError: not today");
  fail_in_python(left, "ValueError: never");
  let_time_pass();
  EXPECT_TRUE(turn());
  ASSERT_EQ(status(requeued), Status::failed);
  // `rq requeue`, and a worker takes it.
  begin_in_python(requeued);
  tidy();
  EXPECT_EQ(status(requeued), Status::failed) << "not ended yet";
  set(requeued, "status", "finished");
  tidy();
  const auto found = find(requeued);
  EXPECT_EQ(found.transaction.status, Status::captured);
  EXPECT_THAT(found.operations, SizeIs(2));
  EXPECT_EQ(status(left), Status::failed);
  EXPECT_EQ(server_->command({"HLEN", "switchyard:foreign-failures"}).integer, 1) << "that one may come yet";
  server_->command({"DEL", job_key(id(left))});
  tidy();
  EXPECT_EQ(server_->command({"HLEN", "switchyard:foreign-failures"}).integer, 0) << "gone with its job";
}

TEST_F(SweepTest, WhatIsNoNoteOfAFailureStopsNothing) {
  const auto transaction = create();
  settle_in();
  fail_in_python(transaction, "ValueError: no");
  server_->command({"HSET", "switchyard:foreign-failures", "not an id", "7"});
  server_->command({"HSET", "switchyard:foreign-failures", id(create()), "nobody"});
  let_time_pass();
  tidy();
  EXPECT_EQ(status(transaction), Status::failed);
  EXPECT_EQ(server_->command({"HLEN", "switchyard:foreign-failures"}).integer, 1);
}

TEST_F(SweepTest, TheReasonMayStandInTheResults) {
  const auto transaction = create();
  settle_in();
  begin_in_python(transaction);
  set(transaction, "status", "failed");
  server_->command({"XADD", "rq:results:" + id(transaction), "*", "type", "2", "exc_string",
                    base64(deflate_stored("KeyError: 'psp'"))});
  let_time_pass();
  EXPECT_TRUE(turn());
  EXPECT_EQ(find(transaction).transaction.reason, "KeyError: 'psp'");
}

TEST_F(SweepTest, AKilledWorkHorseIsForAPerson) {
  const auto transaction = create();
  settle_in();
  fail_in_python(transaction, "Work-horse terminated unexpectedly; waitpid returned 9 (signal 9); ");
  let_time_pass();
  EXPECT_TRUE(turn());
  EXPECT_EQ(status(transaction), Status::manual_review);
}

TEST_F(SweepTest, WhatAnotherWorkerIsDoingIsLeftAlone) {
  const auto transaction = create();
  settle_in();
  begin_in_python(transaction);
  let_time_pass();
  EXPECT_TRUE(turn());
  EXPECT_EQ(status(transaction), Status::queued);
  EXPECT_THAT(list(queue_key), IsEmpty());
  // Then it dies: its entry runs out.
  clock_.advance(seconds(300));
  EXPECT_TRUE(turn());
  EXPECT_EQ(status(transaction), Status::manual_review);
  EXPECT_THAT(list(queue_key), IsEmpty()) << "money may have moved";
}

TEST_F(SweepTest, KnowsTheEntriesOfRq2) {
  const auto transaction = create();
  settle_in();
  begin_in_python(transaction, seconds(-1));
  const auto until = std::chrono::floor<seconds>(clock_.now() + seconds(600)).time_since_epoch().count();
  server_->command({"ZADD", started_key, std::to_string(until), id(transaction) + ":0123456789abcdef"});
  let_time_pass();
  EXPECT_TRUE(turn());
  EXPECT_EQ(status(transaction), Status::queued);
}

TEST_F(SweepTest, AStoreThatWasPutBackStartsOursAnew) {
  const auto transaction = create();
  settle_in();
  begin_in_python(transaction);
  set(transaction, "status", "finished");
  set(transaction, "worker_name", "ours");
  set(transaction, "switchyard_worker", "ours");
  let_time_pass();
  EXPECT_TRUE(turn());
  EXPECT_EQ(status(transaction), Status::queued);
  EXPECT_THAT(list(queue_key), ElementsAre(id(transaction))) << "the PSP knows its key";
  EXPECT_EQ(field(transaction, "status"), "queued");
}

// --- Several at once, and failures -------------------------------------------------------------

TEST_F(SweepTest, OneSweepsAtATime) {
  Sweep other(settings_, threads_.executor(0), *client_, store_, metrics_, log_, clock_);
  const auto other_turn = [&] { return threads_.run(0, [&] { return other.take_turn(); }); };
  EXPECT_TRUE(turn());
  EXPECT_FALSE(other_turn());
  EXPECT_TRUE(turn());
  server_->command({"DEL", "switchyard:sweep"});
  EXPECT_TRUE(other_turn());
  EXPECT_FALSE(turn());
}

TEST_F(SweepTest, NothingIsDoneWithoutRedis) {
  const auto transaction = create();
  server_->stop();
  EXPECT_FALSE(turn());
  let_time_pass();
  EXPECT_FALSE(turn());
  EXPECT_EQ(status(transaction), Status::queued);
  server_->start();
  ASSERT_TRUE(becomes_ready());
  EXPECT_TRUE(eventually([this] { return turn(); }));
  EXPECT_THAT(list(queue_key), ElementsAre(id(transaction)));
}

// --- What it says of Redis ---------------------------------------------------------------------

TEST_F(SweepTest, SaysWhatCannotBeDone) {
  settle_in();
  EXPECT_EQ(sweep_->trouble(), "");
  server_->command({"SET", queue_key, "text"});
  turn();
  EXPECT_THAT(sweep_->trouble(), HasSubstr("rq:queue:default is a string, and should be a list"));
  EXPECT_THAT(metrics_.text(), HasSubstr(R"(switchyard_queue_trouble{what="keys"} 1)"));
  server_->command({"DEL", queue_key});
  server_->command({"SET", workers_key, "text"});
  EXPECT_TRUE(turn()) << "nothing else depends on it";
  EXPECT_THAT(sweep_->trouble(), HasSubstr("rq:workers is a string, and should be a set"));
  server_->command({"DEL", workers_key});
  server_->command({"CONFIG", "SET", "maxmemory", "1"});
  turn();
  EXPECT_THAT(sweep_->trouble(), HasSubstr("OOM"));
  server_->command({"CONFIG", "SET", "maxmemory", "0"});
  EXPECT_TRUE(turn());
  EXPECT_EQ(sweep_->trouble(), "");
  EXPECT_THAT(metrics_.text(), HasSubstr(R"(switchyard_queue_trouble{what="keys"} 0)"));
}

TEST_F(SweepTest, WorksWhereInfoIsNotAllowed) {
  server_->command({"ACL", "SETUSER", "default", "-info"});
  const auto transaction = create();
  let_time_pass();
  EXPECT_TRUE(turn());
  EXPECT_THAT(list(queue_key), ElementsAre(id(transaction)));
  EXPECT_EQ(sweep_->trouble(), "");
}

TEST_F(SweepTest, MeasuresTheQueue) {
  enqueue(create());
  enqueue(create());
  clock_.advance(seconds(7));
  EXPECT_TRUE(turn());
  EXPECT_THAT(metrics_.text(), HasSubstr("switchyard_queue_jobs 2"));
  EXPECT_THAT(metrics_.text(), HasSubstr("switchyard_queue_oldest_job_age_seconds 7"));
}

TEST_F(SweepTest, AWorkerThatIsNotOursIsNotedForGood) {
  const auto noted = [this] {
    return helper_.run(0, [&] { return store_.has_seen_foreign_worker(); }).value();
  };
  const auto worker = [this](const std::string& name, std::string_view python) {
    const auto key = worker_key(name);
    server_->command({"HSET", key, "birth", "2026-11-22T18:00:00.000000Z", "python_version", python});
    server_->command({"SADD", queue_workers_key, key});
  };
  worker("ours", our_python_version);
  server_->command({"SADD", queue_workers_key, worker_key("dead")});
  EXPECT_TRUE(turn());
  EXPECT_FALSE(noted());
  worker("python", "3.11.2 (main)");
  EXPECT_TRUE(turn());
  EXPECT_TRUE(noted());
}

// --- The janitor -------------------------------------------------------------------------------

class JanitorTest : public SweepTest {
 protected:
  std::size_t look() {
    return threads_.run(0, [this]() -> Task<std::size_t> {
      const auto jobs = co_await janitor().look();
      EXPECT_TRUE(jobs) << (jobs ? "" : jobs.error().detail);
      co_return jobs.value_or(0);
    });
  }
  Janitor& janitor() {
    if (!janitor_) janitor_.emplace(*client_, store_, clock_, milliseconds(0));
    return *janitor_;
  }
  // A worker of ours has taken it.
  void take(const payment::Transaction& transaction) const {
    server_->command({"LREM", queue_key, "1", id(transaction)});
    server_->command({"RPUSH", intermediate_key, id(transaction)});
  }
  void begin(const payment::Transaction& transaction, seconds entry) const {
    begin_in_python(transaction, entry);
    set(transaction, "worker_name", "ours");
    set(transaction, "switchyard_worker", "ours");
  }
  void claim(const payment::Transaction& transaction) {
    helper_.run(0, [&]() -> Task<void> {
      store::Work one = store::NamedWork{{{.merchant = transaction.merchant_id, .id = transaction.id}}};
      store::Decide decide = [this, now = clock_.now()](
                                 payment::State state) -> std::expected<store::Decided, payment::Refusal> {
        return store::Decided{.step =
                                  payment::claim(std::move(state), some_psp_, now, payment::RetryPolicy())};
      };
      auto claimed = co_await store_.take(std::move(one), std::move(decide));
      claimed_ = std::get<store::Decided>(std::move(claimed->front())).step;
    });
  }
  void capture() {
    const payment::Answer succeeded = payment::Succeeded{"ref", claimed_->operation().amount};
    claimed_ =
        payment::answered(*std::move(claimed_), succeeded, some_psp_, clock_.now(), payment::RetryPolicy());
    save();
  }
  // A merchant asks for a refund, which is under way.
  void begin_refund(const payment::Transaction& transaction) {
    helper_.run(0, [&]() -> Task<void> {
      store::Work one = store::NamedWork{{{.merchant = transaction.merchant_id, .id = transaction.id}}};
      store::Decide decide =
          [now = clock_.now()](payment::State state) -> std::expected<store::Decided, payment::Refusal> {
        payment::Request wanted;
        wanted.amount_minor = 30;
        return store::Decided{
            .step = {payment::request(std::move(state), wanted, now).value(), payment::Action::none, 1}};
      };
      const auto taken = co_await store_.take(std::move(one), std::move(decide));
      EXPECT_TRUE(taken);
    });
  }
  void save() {
    const store::Change change{.state = claimed_->state};
    EXPECT_TRUE(helper_.run(0, [&] { return store_.commit(change); }));
  }

  std::optional<Janitor> janitor_;
  const payment::OneAccount some_psp_{"psp", [](const auto&, const auto&) { return "{}"; }};
  std::optional<payment::Step> claimed_;
};

TEST_F(JanitorTest, WhatNobodyClaimedGoesBack) {
  const auto transaction = create();
  enqueue(transaction);
  take(transaction);
  EXPECT_EQ(look(), 1U);
  EXPECT_THAT(list(queue_key), ElementsAre(id(transaction)));
  EXPECT_THAT(list(intermediate_key), IsEmpty());
}

TEST_F(JanitorTest, AJobWhoseTransactionCannotBeReadStopsNobody) {
  const auto broken = create();
  const auto good = create();
  for (const auto& transaction : {broken, good}) {
    enqueue(transaction);
    take(transaction);
  }
  make_unreadable(broken);
  EXPECT_EQ(look(), 2U);
  EXPECT_THAT(list(queue_key), ElementsAre(id(good)));
  EXPECT_THAT(list(intermediate_key), IsEmpty());
}

TEST_F(JanitorTest, AJobOfAnotherProgramGoesBackAlthoughTheStoreDoesNotKnowIt) {
  auto transaction = create();
  transaction.id = {Uuid::generate()};
  enqueue(transaction);
  take(transaction);
  EXPECT_EQ(look(), 1U);
  EXPECT_THAT(list(queue_key), ElementsAre(id(transaction)));
}

TEST_F(JanitorTest, HasPatience) {
  janitor_.emplace(*client_, store_, clock_, seconds(60));
  const auto transaction = create();
  enqueue(transaction);
  take(transaction);
  EXPECT_EQ(look(), 0U);
  EXPECT_EQ(look(), 0U);
  EXPECT_THAT(list(intermediate_key), SizeIs(1));
}

TEST_F(JanitorTest, WhatIsBeingWorkedOnIsNotDoubled) {
  const auto transaction = create();
  enqueue(transaction);
  take(transaction);
  claim(transaction);
  look();
  EXPECT_THAT(list(queue_key), IsEmpty());
  EXPECT_THAT(list(intermediate_key), IsEmpty());
}

TEST_F(JanitorTest, WhatEndedWhileRedisWasAwayIsFinished) {
  const auto taken = create();
  enqueue(taken);
  take(taken);
  claim(taken);
  capture();
  EXPECT_EQ(look(), 1U);
  EXPECT_THAT(list(intermediate_key), IsEmpty());
  EXPECT_THAT(registry(finished_key), ElementsAre(id(taken)));
  EXPECT_EQ(field(taken, "status"), "finished");

  const auto begun = create();
  enqueue(begun);
  begin(begun, seconds(-1));
  claim(begun);
  capture();
  EXPECT_EQ(look(), 1U);
  EXPECT_THAT(registry(started_key), IsEmpty());
  EXPECT_EQ(field(begun, "status"), "finished");
}

TEST_F(JanitorTest, AJobHasEndedThoughARefundIsUnderWay) {
  const auto transaction = create();
  enqueue(transaction);
  begin(transaction, seconds(-1));
  claim(transaction);
  capture();
  begin_refund(transaction);
  ASSERT_EQ(status(transaction), Status::processing);
  EXPECT_EQ(look(), 1U);
  EXPECT_THAT(registry(started_key), IsEmpty());
  EXPECT_THAT(registry(finished_key), ElementsAre(id(transaction)));
  EXPECT_EQ(field(transaction, "result"), pickle_text("captured"));
}

TEST_F(JanitorTest, AnOpenOutcomeKeepsItsEntry) {
  const auto transaction = create();
  enqueue(transaction);
  begin(transaction, seconds(-1));
  claim(transaction);
  look();
  EXPECT_THAT(registry(started_key), ElementsAre(id(transaction)));
  EXPECT_EQ(field(transaction, "status"), "started");
  EXPECT_EQ(look(), 0U) << "its entry lasts longer now";
}

TEST_F(JanitorTest, WhatAnotherWorkerBeganIsNotTouched) {
  const auto transaction = create();
  enqueue(transaction);
  begin_in_python(transaction, seconds(-1));
  EXPECT_EQ(look(), 0U);
  EXPECT_EQ(field(transaction, "status"), "started");
  EXPECT_THAT(registry(started_key), ElementsAre(id(transaction)));
}

TEST_F(JanitorTest, GarbageIsCleared) {
  server_->command({"RPUSH", intermediate_key, "no job"});
  server_->command({"RPUSH", intermediate_key, "unreadable"});
  server_->command({"HSET", job_key("unreadable"), "data", "garbage", "status", "queued"});
  EXPECT_EQ(look(), 2U);
  EXPECT_THAT(list(intermediate_key), IsEmpty());
  EXPECT_THAT(registry(failed_key), ElementsAre("unreadable"));
}

TEST_F(JanitorTest, EntriesThatAreOverLeaveTheRegistries) {
  server_->command({"ZADD", finished_key, "1", "old"});
  server_->command({"ZADD", finished_key, "99999999999", "new"});
  look();
  EXPECT_THAT(registry(finished_key), ElementsAre("new"));
}

// --- The whole queue of a process --------------------------------------------------------------

TEST_F(SweepTest, TheQueueOfAProcessEnqueuesAndRecovers) {
  IoThreads queue_threads(1);
  RedisQueue queue({redis::parse_url(server_->url()), settings_}, queue_threads, store_, metrics_, log_,
                   clock_);
  EXPECT_THAT(queue.trouble(), HasSubstr("not connected"));
  queue.start();
  EXPECT_TRUE(eventually([&] { return queue.trouble().empty(); }));
  const auto transaction = create();
  queue.enqueue(transaction);
  EXPECT_TRUE(eventually([&] { return list(queue_key).size() == 1; }));
  server_->stop();
  EXPECT_TRUE(eventually([&] { return !queue.trouble().empty(); }));
  queue.enqueue(create());
  clock_.advance(seconds(1));
  server_->start();
  EXPECT_TRUE(eventually([&] { return queue.trouble().empty(); }));
  EXPECT_TRUE(eventually([&] { return list(queue_key).size() == 2; })) << "the sweep brings both";
  queue.stop();
}

TEST(RedisSettingsTest, AreReadFromTheEnvironment) {
  Environment environment;
  EXPECT_FALSE(read_redis_settings(environment));
  environment.set("REDIS_URL", "redis://127.0.0.1:1/2");
  EXPECT_EQ(read_redis_settings(environment)->url.database, 2);
  EXPECT_EQ(read_redis_settings(environment)->sweep.delay, seconds(30));
  environment.set("QUEUE_SWEEP_SECONDS", "0");
  EXPECT_THROW(read_redis_settings(environment), ConfigError);
  environment.set("QUEUE_SWEEP_SECONDS", "5");
  EXPECT_EQ(read_redis_settings(environment)->sweep.delay, seconds(5));
  environment.set("REDIS_URL", "http://127.0.0.1");
  EXPECT_THROW(read_redis_settings(environment), ConfigError);
}

}  // namespace
}  // namespace switchyard::rq
