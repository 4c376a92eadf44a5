#include <map>

#include <gmock/gmock.h>

#include "base/io_threads.hpp"
#include "base/testing.hpp"
#include "psp-connector/rq_workbench.hpp"
#include "redis/testing.hpp"
#include "rq/enqueuer.hpp"
#include "rq/job.hpp"
#include "rq/names.hpp"
#include "rq/scripts.hpp"
#include "rq/worker.hpp"
#include "rq/zlib.hpp"
#include "sqlite/database.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace switchyard::connector {
namespace {

using payment::Status;
using std::chrono::milliseconds;
using std::chrono::seconds;
using switchyard::testing::eventually;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr MerchantId merchant_of_jobs{7};
constexpr std::int64_t declined_amount = 51;
constexpr std::int64_t unreachable_amount = 99;
constexpr std::int64_t lost_amount = 98;

// Counts what it is asked to charge; goes by the amount.
class CountingPsp final : public psp::Adapter {
 public:
  std::string_view name() const override { return "counting"; }

  psp::Capabilities capabilities() const override { return psp::everything; }
  std::expected<std::string, payment::Rejected> encode(const payment::State&,
                                                       const payment::Operation&) const override {
    return "{}";
  }
  Task<payment::Answer> send(const payment::Step& step, psp::Deadline) override {
    const auto amount = step.operation().amount;
    {
      const std::lock_guard lock(mutex_);
      ++requests_[payment::psp_reference(step.state.transaction)];
    }
    while (held) {
      SteadyTimer pause(co_await asio::this_coro::executor, milliseconds(1));
      co_await pause.async_wait(use_task);
    }
    if (amount.minor() == declined_amount) {
      co_return payment::Declined{.reason = {.code = "51"}, .psp_reference = {}, .amount = {}};
    }
    if (amount.minor() == unreachable_amount) co_return payment::NotSent{"connection refused"};
    if (amount.minor() == lost_amount) co_return payment::OutcomeUnknown{"the answer was lost"};
    co_return payment::Succeeded{"ref", amount};
  }
  Task<payment::Found> look_up(const payment::Step& step, Timestamp, psp::Deadline) override {
    co_return payment::Succeeded{"found", step.operation().amount};
  }

  int requests(const std::string& reference) {
    const std::lock_guard lock(mutex_);
    return requests_[reference];
  }
  int most_requests() {
    const std::lock_guard lock(mutex_);
    int most = 0;
    for (const auto& [reference, count] : requests_) most = std::max(most, count);
    return most;
  }

  std::atomic<bool> held = false;

 private:
  std::mutex mutex_;
  std::map<std::string, int> requests_;
};

// A worker with its connector, as ConnectorThread has them.
class Worker {
 public:
  Worker(const std::string& url, store::Store& store, psp::Adapter& psp, Log& log, const Clock& clock,
         const Settings& settings)
      : psps_(psp), connector_(settings, threads_.executor(0), store, psps_, wake_up_, metrics_, log, clock) {
    const rq::WorkerSettings of_worker{.url = redis::parse_url(url),
                                       .lease = settings.policy.lease,
                                       .amount_max = settings.amount_max,
                                       .take_over_after = settings.take_over_after};
    worker_.emplace(of_worker, threads_.executor(0), store, workbench_of(connector_), metrics_, log, clock,
                    [this] { ++shutdowns; });
    running_ = asio::co_spawn(threads_.executor(0), [this] { return connector_.run(); }, asio::use_future);
    taking_ = asio::co_spawn(threads_.executor(0), [this] { return worker_->run(); }, asio::use_future);
  }
  ~Worker() { stop(); }

  void stop() {
    if (!running_.valid()) return;
    asio::post(threads_.executor(0), [this] { worker_->stop(); });
    taking_.get();
    asio::post(threads_.executor(0), [this] { connector_.stop(); });
    running_.get();
    threads_.run(0, [this] { return worker_->sign_off(); });
  }
  void wake_up() { wake_up_.notify(); }
  const std::string& name() const { return connector_.worker_name(); }
  std::string metrics() const { return metrics_.text(); }
  // What health says of the queue; empty if nothing.
  std::string queue_health() const {
    for (const auto& check : connector_.monitor().checks(false)) {
      if (check.name == "connector:queue") return check.output;
    }
    return {};
  }

  std::atomic<int> shutdowns = 0;

 private:
  IoThreads threads_{1};
  telemetry::Metrics metrics_;
  WakeUp wake_up_{threads_.executor(0)};
  Psps psps_;
  Connector connector_;
  std::optional<rq::Worker> worker_;
  std::future<void> running_;
  std::future<void> taking_;
};

class RqWorkerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SWITCHYARD_SKIP_WITHOUT_REDIS();
    server_.emplace();
    add_user(merchant_of_jobs, "merchant");
  }
  void add_user(MerchantId id, const std::string& name, bool enabled = true) {
    const store::NewUser user{.id = id, .username = name, .password_hash = "h", .enabled = enabled};
    EXPECT_TRUE(helper_.run(0, [&] { return store_.add_user(user, clock_.now()); }));
  }
  std::string refusal(const std::string& id) const {
    return rq::inflate(field(id, "exc_info"), 1'000).value_or("?");
  }
  ~RqWorkerTest() override {
    psp_.held = false;
    workers_.clear();
  }

  Worker& start() {
    return *workers_.emplace_back(
        std::make_unique<Worker>(server_->url(), store_, psp_, log_, clock_, settings_));
  }

  payment::Transaction transaction_of(std::int64_t amount = 100) {
    const auto now = clock_.now();
    return {.id = {Uuid::generate()},
            .merchant_id = merchant_of_jobs,
            .amount = Money(amount, *Currency::parse("USD")),
            .next_action_at = now,
            .created_at = now,
            .updated_at = now};
  }
  // As core-api does it: the store first, then the queue.
  std::string create(std::int64_t amount = 100) {
    const auto transaction = transaction_of(amount);
    const store::Change created{.state = {transaction, {}}, .is_new = true};
    EXPECT_TRUE(helper_.run(0, [&] { return store_.commit(created); }));
    return enqueue(transaction);
  }
  // As the original core-api does it: only the queue.
  std::string enqueue(const payment::Transaction& transaction) const {
    redis::Commands hset;
    const auto fields = rq::enqueued_fields(transaction, clock_.now());
    const auto id = transaction.id.value.to_string();
    hset.begin(2 + 2 * fields.size()).word("HSET").word(rq::job_key(id));
    for (const auto& [name, value] : fields) hset.word(name).word(value);
    server_->command(hset);
    server_->command({"SADD", rq::queues_key, rq::queue_key});
    server_->command({"RPUSH", rq::queue_key, id});
    return id;
  }

  // As a merchant asks for it.
  void request_refund(const std::string& id, std::int64_t amount) {
    helper_.run(0, [&]() -> Task<void> {
      store::Work one = store::NamedWork{{{.merchant = merchant_of_jobs, .id = {*Uuid::parse(id)}}}};
      store::Decide decide = [amount, now = clock_.now()](
                                 payment::State state) -> std::expected<store::Decided, payment::Refusal> {
        payment::Request wanted;
        wanted.amount_minor = amount;
        return store::Decided{
            .step = {payment::request(std::move(state), wanted, now).value(), payment::Action::none, 1}};
      };
      const auto taken = co_await store_.take(std::move(one), std::move(decide));
      EXPECT_TRUE(taken);
    });
  }
  void change_file(const char* sql) const {
    sqlite::Database(folder_.file("store.db"), sqlite::Durability::process, sqlite::Access::existing)
        .execute(sql);
  }
  std::optional<payment::State> find(const std::string& id) {
    std::optional<payment::State> found;
    helper_.run(0, [&]() -> Task<void> {
      auto result = co_await store_.find_transaction(merchant_of_jobs, TransactionId{*Uuid::parse(id)});
      if (result) found.emplace(std::move(*result));
    });
    return found;
  }
  bool comes_to(const std::string& id, Status wanted) {
    return eventually([&] {
      const auto found = find(id);
      return found && found->transaction.status == wanted;
    });
  }
  std::string field(const std::string& id, std::string_view name) const {
    return server_->command({"HGET", rq::job_key(id), name}).text;
  }
  bool becomes(const std::string& id, std::string_view status) const {
    return eventually([&] { return field(id, "status") == status; });
  }
  std::int64_t length(std::string_view list) const { return server_->command({"LLEN", list}).integer; }
  bool runs_empty() const {
    return eventually([this] { return length(rq::queue_key) == 0 && length(rq::intermediate_key) == 0; });
  }
  std::vector<std::string> registry(std::string_view key) const {
    std::vector<std::string> ids;
    for (const auto& element : server_->command({"ZRANGE", key, "0", "-1"}).elements)
      ids.push_back(element.text);
    return ids;
  }
  std::int64_t score(std::string_view key, const std::string& id) const {
    return std::stoll(server_->command({"ZSCORE", key, id}).text);
  }

  testing::TempDir folder_;
  testing::ManualClock clock_;
  IoThreads helper_{1};
  std::optional<redis::testing::Server> server_;
  Log log_{LogFormat::text, LogLevel::error};
  Settings settings_;
  CountingPsp psp_;
  // The threads of a worker outlive it, but not the store: nothing is on its way when a worker has stopped.
  store::SqliteStore store_{folder_.file("store.db")};
  std::vector<std::unique_ptr<Worker>> workers_;
};

// --- Jobs --------------------------------------------------------------------------------------

TEST_F(RqWorkerTest, WorksOffWhatCoreApiEnqueued) {
  start();
  const auto id = create();
  EXPECT_TRUE(comes_to(id, Status::captured));
  EXPECT_TRUE(becomes(id, "finished"));
  EXPECT_TRUE(runs_empty());
  EXPECT_THAT(registry(rq::finished_key), ElementsAre(id));
  EXPECT_THAT(registry(rq::started_key), IsEmpty());
  const auto now_s = std::chrono::floor<seconds>(clock_.now()).time_since_epoch().count();
  EXPECT_EQ(score(rq::finished_key, id), now_s + 500);
  EXPECT_THAT(server_->command({"TTL", rq::job_key(id)}).integer,
              ::testing::AllOf(::testing::Gt(490), ::testing::Le(500)));
  EXPECT_EQ(field(id, "result"), rq::pickle_text("captured"));
  const auto results = server_->command({"XRANGE", "rq:results:" + id, "-", "+"});
  ASSERT_THAT(results.elements, SizeIs(1));
  const auto& fields = results.elements[0].elements.at(1).elements;
  EXPECT_EQ(fields.at(1).text, "1");
  EXPECT_EQ(fields.at(3).text, rq::base64(rq::pickle_text("captured")));
  EXPECT_EQ(psp_.requests(id), 1);
}

TEST_F(RqWorkerTest, AJobThatTheStoreDoesNotKnowBecomesATransaction) {
  start();
  const auto id = enqueue(transaction_of(1234));
  EXPECT_TRUE(comes_to(id, Status::captured));
  EXPECT_EQ(find(id)->transaction.amount.minor(), 1234);
  EXPECT_TRUE(becomes(id, "finished"));
}

TEST_F(RqWorkerTest, WhileItWorksTheJobIsStarted) {
  psp_.held = true;
  const auto& worker = start();
  const auto id = create();
  EXPECT_TRUE(becomes(id, "started"));
  EXPECT_EQ(field(id, "worker_name"), worker.name());
  EXPECT_THAT(registry(rq::started_key), ElementsAre(id));
  const auto now_s = std::chrono::floor<seconds>(clock_.now()).time_since_epoch().count();
  EXPECT_EQ(score(rq::started_key, id), now_s + 15 + 60) << "the lease and a minute";
  EXPECT_EQ(length(rq::intermediate_key), 0);
  EXPECT_TRUE(eventually(
      [&] { return server_->command({"HGET", rq::worker_key(worker.name()), "state"}).is("busy"); }));
  psp_.held = false;
  EXPECT_TRUE(becomes(id, "finished"));
  EXPECT_TRUE(eventually(
      [&] { return server_->command({"HGET", rq::worker_key(worker.name()), "state"}).is("idle"); }));
  EXPECT_EQ(server_->command({"HGET", rq::worker_key(worker.name()), "successful_job_count"}).text, "1");
}

TEST_F(RqWorkerTest, ADeclineIsAJobThatWasDone) {
  start();
  const auto id = create(declined_amount);
  EXPECT_TRUE(becomes(id, "finished"));
  EXPECT_EQ(field(id, "result"), rq::pickle_text("declined"));
}

TEST_F(RqWorkerTest, WhatNeverReachedThePspFails) {
  settings_.policy.sends_max = 1;
  start();
  const auto id = create(unreachable_amount);
  EXPECT_TRUE(becomes(id, "failed"));
  EXPECT_THAT(registry(rq::failed_key), ElementsAre(id));
  EXPECT_EQ(rq::inflate(field(id, "exc_info"), 1'000).value_or("?"), "failed: connection refused");
}

TEST_F(RqWorkerTest, AnUnknownOutcomeStaysStartedUntilItIsKnown) {
  auto& worker = start();
  const auto id = create(lost_amount);
  EXPECT_TRUE(comes_to(id, Status::unknown));
  EXPECT_TRUE(becomes(id, "started"));
  clock_.advance(seconds(1));
  worker.wake_up();
  EXPECT_TRUE(comes_to(id, Status::captured));
  EXPECT_TRUE(becomes(id, "finished"));
  EXPECT_EQ(psp_.requests(id), 1);
}

TEST_F(RqWorkerTest, KeepsAResultAsLongAsTheJobSays) {
  start();
  const auto kept = transaction_of();
  const auto dropped = transaction_of();
  server_->command({"HSET", rq::job_key(kept.id.value.to_string()), "result_ttl", "-1"});
  server_->command({"HSET", rq::job_key(dropped.id.value.to_string()), "result_ttl", "0"});
  const auto kept_id = enqueue(kept);
  const auto dropped_id = enqueue(dropped);
  EXPECT_TRUE(becomes(kept_id, "finished"));
  EXPECT_EQ(server_->command({"TTL", rq::job_key(kept_id)}).integer, -1);
  EXPECT_TRUE(eventually([&] { return server_->command({"EXISTS", rq::job_key(dropped_id)}).integer == 0; }));
}

TEST_F(RqWorkerTest, WorksOffManyOnceEach) {
  std::vector<std::string> ids;
  for (int i = 0; i < 2'000; ++i) ids.push_back(enqueue(transaction_of()));
  start();
  EXPECT_TRUE(runs_empty());
  EXPECT_TRUE(eventually([&] { return server_->command({"ZCARD", rq::finished_key}).integer == 2'000; }));
  for (const auto& id : ids) EXPECT_EQ(psp_.requests(id), 1);
}

// --- Jobs that are refused -----------------------------------------------------------------------

TEST_F(RqWorkerTest, AJobWithAnotherMerchantsIdMovesNoMoney) {
  constexpr MerchantId thief{8};
  add_user(thief, "thief");
  const auto stored = transaction_of(100);
  const store::Change created{.state = {stored, {}}, .is_new = true};
  EXPECT_TRUE(helper_.run(0, [&] { return store_.commit(created); }));
  auto job = stored;
  job.merchant_id = thief;
  job.amount = Money(777, *Currency::parse("EUR"));
  const auto id = enqueue(job);
  start();
  EXPECT_TRUE(becomes(id, "failed"));
  EXPECT_THAT(refusal(id), HasSubstr("another merchant"));
  EXPECT_THAT(registry(rq::failed_key), ElementsAre(id));
  EXPECT_TRUE(runs_empty());
  EXPECT_EQ(find(id)->transaction.status, Status::queued);
  EXPECT_EQ(psp_.requests(id), 0);
  helper_.run(0, [&]() -> Task<void> {
    const auto of_thief = co_await store_.find_transaction(thief, stored.id);
    EXPECT_FALSE(of_thief);
  });
}

TEST_F(RqWorkerTest, AJobThatIsNotAcceptedFailsWithItsReasonAndTheOthersAreDone) {
  add_user({8}, "disabled", false);
  auto disabled = transaction_of();
  disabled.merchant_id = {8};
  auto unknown = transaction_of();
  unknown.merchant_id = {9};
  const auto too_large = transaction_of(settings_.amount_max + 1);
  auto withdrawn = transaction_of();
  withdrawn.amount = Money(100, *Currency::parse_stored("BGN"));
  const std::vector<std::pair<std::string, const char*>> refused{{enqueue(disabled), "disabled"},
                                                                 {enqueue(unknown), "names no user"},
                                                                 {enqueue(too_large), "MAX_AMOUNT"},
                                                                 {enqueue(withdrawn), "was withdrawn"}};
  const auto good = enqueue(transaction_of(settings_.amount_max));
  const auto& worker = start();
  EXPECT_TRUE(comes_to(good, Status::captured));
  for (const auto& [id, reason] : refused) {
    EXPECT_TRUE(becomes(id, "failed")) << reason;
    EXPECT_THAT(refusal(id), HasSubstr(reason));
    EXPECT_EQ(psp_.requests(id), 0);
  }
  EXPECT_THAT(worker.metrics(), HasSubstr("switchyard_queue_jobs_rejected_total 4"));
}

// --- Redis away for good ---------------------------------------------------------------------------

TEST_F(RqWorkerTest, WhatIsQueuedIsTakenFromTheStoreOnceRedisHasBeenAwayForLong) {
  settings_.take_over_after = milliseconds(0);
  start();
  EXPECT_TRUE(comes_to(create(), Status::captured));
  server_->stop();
  const auto waiting = transaction_of();
  const store::Change created{.state = {waiting, {}}, .is_new = true};
  EXPECT_TRUE(helper_.run(0, [&] { return store_.commit(created); }));
  const auto id = waiting.id.value.to_string();
  EXPECT_TRUE(comes_to(id, Status::captured));
  EXPECT_EQ(psp_.requests(id), 1);
}

TEST_F(RqWorkerTest, WithAForeignWorkerWhatIsQueuedWaitsForRedis) {
  settings_.take_over_after = milliseconds(0);
  EXPECT_TRUE(helper_.run(0, [&] { return store_.note_foreign_worker(clock_.now()); }));
  const auto waiting = transaction_of();
  const store::Change created{.state = {waiting, {}}, .is_new = true};
  EXPECT_TRUE(helper_.run(0, [&] { return store_.commit(created); }));
  const auto& worker = start();
  server_->stop();
  EXPECT_TRUE(eventually([&] {
    return worker.metrics().find(R"(switchyard_queue_trouble{what="waiting"} 1)") != std::string::npos;
  }));
  EXPECT_EQ(find(waiting.id.value.to_string())->transaction.status, Status::queued);
  server_->start();
  enqueue(waiting);
  EXPECT_TRUE(comes_to(waiting.id.value.to_string(), Status::captured));
}

// --- Doubled, late and foreign -----------------------------------------------------------------

TEST_F(RqWorkerTest, AJobDoubledAHundredTimesIsChargedOnce) {
  const auto id = create();
  for (int i = 0; i < 100; ++i) server_->command({"RPUSH", rq::queue_key, id});
  start();
  EXPECT_TRUE(comes_to(id, Status::captured));
  for (int i = 0; i < 100; ++i) server_->command({"RPUSH", rq::queue_key, id});
  EXPECT_TRUE(runs_empty());
  EXPECT_TRUE(becomes(id, "finished"));
  EXPECT_EQ(psp_.requests(id), 1);
}

TEST_F(RqWorkerTest, TwinsNeverChargeTwice) {
  start();
  start();
  std::vector<std::string> ids;
  for (int i = 0; i < 300; ++i) {
    ids.push_back(enqueue(transaction_of()));
    server_->command({"RPUSH", rq::queue_key, ids.back()});
    server_->command({"LPUSH", rq::queue_key, ids.back()});
  }
  EXPECT_TRUE(runs_empty());
  for (const auto& id : ids) EXPECT_TRUE(comes_to(id, Status::captured));
  EXPECT_EQ(psp_.most_requests(), 1);
}

TEST_F(RqWorkerTest, WhatAnotherWorkerBeganOrEndedIsNotBegunAgain) {
  for (const auto* status : {"started", "finished", "failed", "stopped", "canceled"}) {
    const auto id = create();
    server_->command({"HSET", rq::job_key(id), "status", status, "worker_name", "python"});
  }
  start();
  EXPECT_TRUE(runs_empty());
  EXPECT_EQ(psp_.most_requests(), 0) << "the sweep finds out what came of them";
}

TEST_F(RqWorkerTest, WhatNobodyBeganIsWorkedOffWhateverItsStatusSays) {
  std::vector<std::string> ids;
  for (const auto* status : {"failed", "deferred", "scheduled", "weird"}) {
    ids.push_back(enqueue(transaction_of()));
    server_->command({"HSET", rq::job_key(ids.back()), "status", status});
  }
  start();
  for (const auto& id : ids) {
    EXPECT_TRUE(comes_to(id, Status::captured));
    EXPECT_TRUE(becomes(id, "finished"));
    EXPECT_EQ(psp_.requests(id), 1);
  }
}

TEST_F(RqWorkerTest, WhatIsLeftAsItIsIsLoggedAndFailedJobsAreAmongTheFailed) {
  // Taken as one batch, in this order: the first one is named.
  const auto failed = enqueue(transaction_of());
  server_->command({"HSET", rq::job_key(failed), "status", "failed", "started_at", "x", "worker_name", "p"});
  const auto finished = enqueue(transaction_of());
  server_->command({"HSET", rq::job_key(finished), "status", "finished"});
  const auto forgotten = Uuid::generate().to_string();
  server_->command({"SET", rq::job_key("wrong"), "no hash"});
  server_->command({"RPUSH", rq::queue_key, forgotten, "wrong"});
  testing::CapturedStdout printed;
  Log log(LogFormat::text, LogLevel::warning);
  {
    Worker worker(server_->url(), store_, psp_, log, clock_, settings_);
    EXPECT_TRUE(eventually(
        [&] { return worker.metrics().find("switchyard_queue_jobs_left_total 4") != std::string::npos; }));
    EXPECT_TRUE(runs_empty());
  }
  ASSERT_TRUE(log.drain(seconds(30)));
  EXPECT_THAT(printed.text(), HasSubstr("4 jobs in the queue were left as they are"));
  EXPECT_THAT(printed.text(), HasSubstr("its status is failed"));
  EXPECT_THAT(printed.text(), HasSubstr(failed));
  EXPECT_THAT(registry(rq::failed_key), ElementsAre(failed));
  EXPECT_EQ(field(failed, "status"), "failed");
  EXPECT_EQ(field(finished, "status"), "finished");
  EXPECT_EQ(psp_.most_requests(), 0);
}

TEST_F(RqWorkerTest, GarbageGoesToTheFailedRegistryWithItsReason) {
  const auto call_of_another = [&](std::string_view id) {
    server_->command(
        {"HSET", rq::job_key(id), "status", "queued", "data", R"(["os.system",null,["true"],{}])"});
    server_->command({"RPUSH", rq::queue_key, id});
  };
  const auto known = Uuid::generate().to_string();
  const auto forgotten = Uuid::generate().to_string();
  call_of_another(known);
  server_->command({"RPUSH", rq::queue_key, "garbage\nid", forgotten, std::string(300, 'x')});
  server_->command({"SET", rq::job_key("wrong"), "no hash"});
  server_->command({"RPUSH", rq::queue_key, "wrong"});
  server_->command({"HSET", rq::job_key("large"), "status", "queued", "data", std::string(100'000, 'x')});
  server_->command({"RPUSH", rq::queue_key, "large"});
  start();
  const auto good = create();
  EXPECT_TRUE(comes_to(good, Status::captured));
  EXPECT_TRUE(runs_empty());
  EXPECT_TRUE(eventually([&] { return registry(rq::failed_key).size() == 3; }));
  EXPECT_THAT(registry(rq::failed_key), UnorderedElementsAre(known, "garbage\nid", "large"));
  EXPECT_THAT(rq::inflate(field(known, "exc_info"), 1'000).value_or("?"), HasSubstr("another function"));
  EXPECT_THAT(rq::inflate(field("large", "exc_info"), 1'000).value_or("?"), HasSubstr("too large"));
  EXPECT_EQ(field("garbage\nid", "status"), "failed");
  EXPECT_THAT(workers_.front()->metrics(), HasSubstr("switchyard_queue_jobs_rejected_total 3"));
}

TEST_F(RqWorkerTest, AJobWhoseTransactionCannotBeReadIsLeftAsItIs) {
  const auto broken = create();
  change_file("UPDATE transactions SET status = 'authorizing'");
  start();
  const auto good = create();
  EXPECT_TRUE(comes_to(good, Status::captured));
  EXPECT_TRUE(runs_empty());
  EXPECT_EQ(field(broken, "status"), "queued");
  EXPECT_EQ(psp_.requests(broken), 0);
}

TEST_F(RqWorkerTest, AStoreThatIsAwayForAMomentIsWaitedFor) {
  const auto stored = create();
  const auto unknown = enqueue(transaction_of());
  change_file("ALTER TABLE transactions RENAME TO transactions_gone");
  const auto& worker = start();
  EXPECT_TRUE(eventually([&] {
    return worker.metrics().find(R"(switchyard_queue_trouble{what="claim"} 1)") != std::string::npos;
  }));
  change_file("ALTER TABLE transactions_gone RENAME TO transactions");
  for (const auto& id : {stored, unknown}) {
    EXPECT_TRUE(comes_to(id, Status::captured));
    EXPECT_EQ(psp_.requests(id), 1);
  }
  EXPECT_TRUE(eventually([&] { return worker.queue_health().empty(); }));
}

// --- What is asked for after the authorization -----------------------------------------------------

TEST_F(RqWorkerTest, ARefundIsNoJob) {
  auto& worker = start();
  const auto id = create();
  EXPECT_TRUE(becomes(id, "finished"));
  server_->command({"DEL", rq::job_key(id), "rq:results:" + id});
  server_->command({"DEL", rq::finished_key});
  request_refund(id, 30);
  worker.wake_up();
  EXPECT_TRUE(comes_to(id, Status::partially_refunded));
  // Behind the books of the refund, if there were any.
  EXPECT_TRUE(becomes(create(), "finished"));
  EXPECT_EQ(server_->command({"EXISTS", rq::job_key(id), "rq:results:" + id}).integer, 0);
  EXPECT_THAT(registry(rq::finished_key), SizeIs(1));
}

TEST_F(RqWorkerTest, ALateJobOfARefundedTransactionCameToWhatItsAuthorizationDid) {
  auto& worker = start();
  const auto id = create();
  EXPECT_TRUE(becomes(id, "finished"));
  request_refund(id, 100);
  worker.wake_up();
  EXPECT_TRUE(comes_to(id, Status::refunded));
  server_->command({"HSET", rq::job_key(id), "status", "queued"});
  server_->command({"RPUSH", rq::queue_key, id});
  EXPECT_TRUE(becomes(id, "finished"));
  EXPECT_EQ(field(id, "result"), rq::pickle_text("captured"));
}

// --- The worker as others see it ---------------------------------------------------------------

TEST_F(RqWorkerTest, IsRegisteredWhileItWorks) {
  auto& worker = start();
  const auto key = rq::worker_key(worker.name());
  EXPECT_TRUE(eventually([&] { return server_->command({"SISMEMBER", rq::workers_key, key}).integer == 1; }));
  EXPECT_EQ(server_->command({"SISMEMBER", rq::queue_workers_key, key}).integer, 1);
  EXPECT_EQ(server_->command({"HGET", key, "queues"}).text, "default");
  EXPECT_EQ(server_->command({"HGET", key, "pid"}).text, std::to_string(::getpid()));
  EXPECT_THAT(server_->command({"HGET", key, "ip_address"}).text, HasSubstr("127.0.0.1:"));
  EXPECT_GT(server_->command({"TTL", key}).integer, 400);
  worker.stop();
  EXPECT_EQ(server_->command({"SCARD", rq::workers_key}).integer, 0);
  EXPECT_EQ(server_->command({"SCARD", rq::queue_workers_key}).integer, 0);
  EXPECT_FALSE(server_->command({"HGET", key, "death"}).text.empty());
}

TEST_F(RqWorkerTest, RegistersAgainAfterRedisWasEmptied) {
  auto& worker = start();
  const auto key = rq::worker_key(worker.name());
  EXPECT_TRUE(eventually([&] { return server_->command({"SISMEMBER", rq::workers_key, key}).integer == 1; }));
  server_->command({"FLUSHALL"});
  EXPECT_TRUE(eventually([&] { return server_->command({"SISMEMBER", rq::workers_key, key}).integer == 1; }));
}

TEST_F(RqWorkerTest, TakesNothingWhileSuspended) {
  server_->command({"SET", rq::suspended_key, "1"});
  auto& worker = start();
  const auto key = rq::worker_key(worker.name());
  const auto id = create();
  EXPECT_TRUE(eventually([&] { return server_->command({"HGET", key, "state"}).is("suspended"); }));
  EXPECT_EQ(length(rq::queue_key), 1);
  EXPECT_EQ(psp_.requests(id), 0);
  EXPECT_THAT(worker.metrics(), HasSubstr(R"(switchyard_queue_trouble{what="suspended"} 1)"));
  EXPECT_THAT(worker.queue_health(),
              HasSubstr("suspended since " + rq::format_time(clock_.now()) + ": no job is taken"));
  server_->command({"DEL", rq::suspended_key});
  EXPECT_TRUE(comes_to(id, Status::captured));
  EXPECT_EQ(worker.queue_health(), "");
}

TEST_F(RqWorkerTest, ListensToItsChannel) {
  auto& worker = start();
  const auto channel = rq::worker_channel(worker.name());
  EXPECT_TRUE(eventually([&] { return server_->command({"PUBLISH", channel, "not json"}).integer == 1; }));
  server_->command({"PUBLISH", channel, R"({"command":"kill-horse"})"});
  server_->command({"PUBLISH", channel, R"({"command":7})"});
  EXPECT_EQ(worker.shutdowns, 0);
  server_->command({"PUBLISH", channel, R"({"command":"shutdown"})"});
  EXPECT_TRUE(eventually([&] { return worker.shutdowns == 1; }));
}

// --- Redis comes and goes ----------------------------------------------------------------------

TEST_F(RqWorkerTest, StartsWithoutRedis) {
  server_->stop();
  auto& worker = start();
  server_->start();
  const auto id = create();
  EXPECT_TRUE(comes_to(id, Status::captured));
  worker.stop();
}

TEST_F(RqWorkerTest, WritesItsBooksWhenRedisIsBack) {
  psp_.held = true;
  start();
  const auto id = create();
  EXPECT_TRUE(becomes(id, "started"));
  server_->freeze();
  psp_.held = false;
  EXPECT_TRUE(comes_to(id, Status::captured)) << "the store needs no Redis";
  server_->thaw();
  EXPECT_TRUE(becomes(id, "finished"));
}

TEST_F(RqWorkerTest, GoesOnAfterRedisWasKilled) {
  start();
  EXPECT_TRUE(comes_to(create(), Status::captured));
  server_->stop();
  server_->start();
  EXPECT_TRUE(comes_to(create(), Status::captured));
  EXPECT_EQ(psp_.most_requests(), 1);
}

TEST_F(RqWorkerTest, AQueueOfTheWrongTypeIsWaitedFor) {
  server_->command({"SET", rq::queue_key, "no list"});
  start();
  server_->command({"DEL", rq::queue_key});
  EXPECT_TRUE(comes_to(create(), Status::captured));
}

TEST_F(RqWorkerTest, AFullRedisIsWorkedOff) {
  std::vector<std::string> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(create());
  server_->command({"CONFIG", "SET", "maxmemory", "1"});
  start();
  for (const auto& id : ids) {
    EXPECT_TRUE(comes_to(id, Status::captured));
    EXPECT_TRUE(becomes(id, "finished"));
  }
  EXPECT_EQ(psp_.most_requests(), 1);
  server_->command({"CONFIG", "SET", "maxmemory", "0"});
  const auto id = create();
  EXPECT_TRUE(becomes(id, "finished"));
}

TEST_F(RqWorkerTest, StopsWithoutRedis) {
  auto& worker = start();
  const auto id = create();
  EXPECT_TRUE(comes_to(id, Status::captured));
  server_->stop();
  worker.stop();
}

TEST_F(RqWorkerTest, WithoutRedis62TakesWithoutTheIntermediateList) {
  // The script's other way; the server here is newer.
  const auto id = create();
  redis::Client client(helper_.executor(0), redis::parse_url(server_->url()));
  helper_.run(0, [&]() -> Task<void> {
    client.start();
    co_return;
  });
  EXPECT_TRUE(
      eventually([&] { return helper_.run(0, [&]() -> Task<bool> { co_return client.is_ready(); }); }));
  helper_.run(0, [&]() -> Task<void> {
    redis::ScriptCall take(rq::take_script(), {rq::queue_key, rq::intermediate_key, rq::suspended_key});
    take.argument(10).argument("LPOP");
    const auto reply = co_await take.run(client, std::chrono::steady_clock::now() + seconds(5));
    EXPECT_EQ(reply->elements.at(1).elements.at(0).elements.at(0).text, id);
    co_await client.stop();
  });
  EXPECT_EQ(length(rq::queue_key), 0);
  EXPECT_EQ(length(rq::intermediate_key), 0);
}

}  // namespace
}  // namespace switchyard::connector
