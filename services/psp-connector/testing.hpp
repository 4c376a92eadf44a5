// For unit tests only: a PSP that answers as it is told, and a connector over a store, with what else works
// on the store.
#pragma once

#include <algorithm>
#include <atomic>
#include <deque>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/io_threads.hpp"
#include "base/testing.hpp"
#include "psp-connector/connector.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace switchyard::connector {

inline constexpr MerchantId merchant{7};

inline const auto usd = *Currency::parse("USD");

inline Money dollars(std::int64_t minor) {
  return {minor, usd};
}
inline payment::Succeeded succeeded(std::string reference, std::int64_t minor = 100) {
  return {std::move(reference), dollars(minor)};
}
inline payment::Declined declined(std::string code, payment::ReasonKind kind) {
  return {.reason = {std::move(code), {}, kind}, .psp_reference = "psp-ref", .amount = {}};
}

// What a PSP was asked for.
struct Sent {
  explicit Sent(const payment::Step& step)
      : reference(payment::psp_reference(step.state.transaction)), operation(step.operation()) {}

  std::string reference;
  payment::Operation operation;
};

// Refused before it is sent.
inline const Money cannot_be_done = dollars(77);

// Answers as the test wrote it down, and does what it said nothing about.
class ScriptedPsp final : public psp::Adapter {
 public:
  explicit ScriptedPsp(std::string name = "scripted") : name_(std::move(name)) {}

  std::string_view name() const override { return name_; }
  psp::Capabilities capabilities() const override { return psp::everything; }
  std::expected<std::string, payment::Rejected> encode(const payment::State& state,
                                                       const payment::Operation& operation) const override {
    if (operation.amount == cannot_be_done) return std::unexpected(payment::Rejected{"it cannot do that"});
    return std::string(to_string(operation.kind)) + " for " + payment::psp_reference(state.transaction);
  }

  Task<payment::Answer> send(const payment::Step& step, psp::Deadline deadline) override {
    requests.emplace_back(step);
    deadlines.push_back(deadline);
    if (on_send) on_send(requests.back());
    ++calls;
    ++under_way;
    most_under_way = std::max(most_under_way.load(), under_way.load());
    while (held) {
      SteadyTimer pause(co_await asio::this_coro::executor, std::chrono::milliseconds(1));
      co_await pause.async_wait(use_task);
    }
    --under_way;
    if (answers.empty()) co_return payment::Succeeded{"psp-ref", step.operation().amount};
    auto answer = answers.front();
    answers.pop_front();
    co_return answer;
  }

  Task<payment::Found> look_up(const payment::Step& step, Timestamp now, psp::Deadline deadline) override {
    look_up_deadlines.push_back(deadline);
    look_up_times.push_back(now);
    looked_up.push_back(payment::psp_reference(step.state.transaction) + " " +
                        step.operation().idempotency_key);
    ++calls;
    while (look_ups_held) {
      SteadyTimer pause(co_await asio::this_coro::executor, std::chrono::milliseconds(1));
      co_await pause.async_wait(use_task);
    }
    if (found.empty()) co_return payment::Succeeded{"psp-ref", step.operation().amount};
    auto result = found.front();
    found.pop_front();
    co_return result;
  }

  // Written before the connector starts, or on its thread.
  std::deque<payment::Answer> answers;
  std::deque<payment::Found> found;
  std::function<void(const Sent&)> on_send;

  // Read when the connector has ended, or on its thread.
  std::vector<Sent> requests;
  std::vector<psp::Deadline> deadlines;
  std::vector<psp::Deadline> look_up_deadlines;
  std::vector<Timestamp> look_up_times;
  std::vector<std::string> looked_up;

  std::atomic<int> calls = 0;
  std::atomic<int> under_way = 0;
  std::atomic<int> most_under_way = 0;
  std::atomic<bool> held = false;
  std::atomic<bool> look_ups_held = false;

 private:
  const std::string name_;
};

class ConnectorTest : public ::testing::Test {
 protected:
  ~ConnectorTest() override {
    psp_.held = false;
    psp_.look_ups_held = false;
    if (running_.valid()) stop();
  }

  void start() {
    connector_.emplace(settings_, threads_.executor(0), store_, psps_, wake_up_, metrics_, log(), clock_);
    running_ = asio::co_spawn(threads_.executor(0), [this] { return connector_->run(); }, asio::use_future);
  }
  // A claim that began before is ahead of whatever is stored after this.
  void ask_to_stop() {
    asio::post(threads_.executor(0), asio::use_future([this] { connector_->stop(); })).get();
  }
  void stop() {
    ask_to_stop();
    running_.get();
    connector_.reset();
    EXPECT_TRUE(log().drain(std::chrono::seconds(30)));
  }

  Log& log() {
    if (!log_) log_.emplace(LogFormat::text, LogLevel::error);
    return *log_;
  }

  TransactionId create(std::int64_t amount = 100,
                       payment::CaptureMethod method = payment::CaptureMethod::automatic,
                       std::string_view currency = "USD") {
    const TransactionId id{Uuid::generate()};
    const auto now = clock_.now();
    const store::Change created{.state = {{.id = id,
                                           .merchant_id = merchant,
                                           .amount = Money(amount, *Currency::parse(currency)),
                                           .capture_method = method,
                                           .next_action_at = now,
                                           .created_at = now,
                                           .updated_at = now},
                                          {}},
                                .is_new = true};
    EXPECT_TRUE(helper_.run(0, [&] { return store_.commit(created); }));
    wake_up_.notify();
    return id;
  }
  // As a merchant asks for it.
  void request(TransactionId id, payment::Kind kind, std::optional<std::int64_t> amount = std::nullopt,
               bool is_final = true) {
    payment::Request wanted;
    wanted.kind = kind;
    wanted.amount_minor = amount;
    wanted.is_final = is_final;
    helper_.run(0, [&]() -> Task<void> {
      store::Work one = store::NamedWork{{{.merchant = merchant, .id = id}}};
      store::Decide decide = [wanted, now = clock_.now()](
                                 payment::State state) -> std::expected<store::Decided, payment::Refusal> {
        auto requested = payment::request(std::move(state), wanted, now);
        if (!requested) return std::unexpected(requested.error());
        const auto index = requested->operations.size() - 1;
        return store::Decided{.step = {std::move(*requested), payment::Action::none, index}};
      };
      const auto taken = co_await store_.take(std::move(one), std::move(decide));
      EXPECT_TRUE(taken && std::holds_alternative<store::Decided>(taken->front()));
    });
    wake_up_.notify();
  }
  // As another worker: what is due now, by the scripted PSP.
  std::vector<payment::Step> claim_elsewhere() {
    std::vector<payment::Step> claimed;
    helper_.run(0, [&]() -> Task<void> {
      store::Work due = store::DueWork{.by = clock_.now(), .ahead = clock_.now() + std::chrono::hours(1)};
      store::Decide decide = [this, now = clock_.now()](
                                 payment::State state) -> std::expected<store::Decided, payment::Refusal> {
        const payment::OneAccount psp{"scripted", [this](const auto& whole, const auto& operation) {
                                        return psp_.encode(whole, operation);
                                      }};
        return store::Decided{.step = payment::claim(std::move(state), psp, now, settings_.policy)};
      };
      auto taken = co_await store_.take(std::move(due), std::move(decide));
      EXPECT_TRUE(taken);
      for (auto& one : *taken) claimed.push_back(std::get<store::Decided>(std::move(one)).step);
    });
    return claimed;
  }
  void save_elsewhere(const payment::Step& step) {
    const store::Change change{.state = step.state};
    const auto committed = helper_.run(0, [&] { return store_.commit(change); });
    EXPECT_TRUE(committed && std::holds_alternative<store::Done>(*committed));
  }

  payment::State find(TransactionId id) {
    std::optional<payment::State> found;
    helper_.run(0, [&]() -> Task<void> {
      auto result = co_await store_.find_transaction(merchant, id);
      if (result) found.emplace(std::move(*result));
    });
    return std::move(found).value();
  }
  payment::Status status(TransactionId id) { return find(id).transaction.status; }
  bool comes_to(TransactionId id, payment::Status wanted) {
    return testing::eventually([&] { return status(id) == wanted; });
  }
  // Nothing is claimed and not saved yet. A connector on a thread of its own cannot be asked.
  bool is_idle() {
    if (!connector_) return true;
    return asio::post(threads_.executor(0), asio::use_future([this] { return connector_->is_idle(); })).get();
  }
  // Lets the time pass until the next action of the transaction is due, until it has the status.
  bool comes_to_in_time(TransactionId id, payment::Status wanted) {
    return testing::eventually([&] {
      const auto before = find(id);
      const bool idle = is_idle();
      const auto [transaction, operations] = find(id);
      const bool is_under_way =
          !idle || transaction.version != before.transaction.version ||
          std::ranges::count(operations, payment::Phase::sent, &payment::Operation::phase) > 0;
      const auto next = transaction.next_action_at;
      if (!is_under_way && next && *next > clock_.now()) {
        clock_.advance(*next - clock_.now());
        wake_up_.notify();
      }
      return transaction.status == wanted;
    });
  }
  bool counts(std::string_view series) {
    return testing::eventually([&] { return metrics_.text().find(series) != std::string::npos; });
  }

  // Straight from the file, whatever the store says. (In connector_test.cpp.)
  std::int64_t in_file(const char* sql) const;
  void change_file(const char* sql) const;

  testing::TempDir folder_;
  const std::string path_ = folder_.file("store.db");
  testing::ManualClock clock_;
  // Outlive the store, which posts to them.
  IoThreads threads_{1};
  IoThreads helper_{1};
  store::SqliteStore store_{path_};
  ScriptedPsp psp_;
  Psps psps_{psp_};
  telemetry::Metrics metrics_;
  std::optional<Log> log_;
  Settings settings_;
  WakeUp wake_up_{threads_.executor(0)};
  std::optional<Connector> connector_;
  std::future<void> running_;
};

}  // namespace switchyard::connector
