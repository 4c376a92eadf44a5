// Drives the state machine through hours of faults: workers that die, stall past their lease and come back
// late, a network that loses, delays and refuses, a PSP that is only idempotent by key. What must hold
// whatever happens: one charge at most, a settled state in the end, and no captured money that the PSP did
// not take.
//
// Everything comes from one seed, which is printed; SIMULATION_SEED=<n> runs that simulation again.
#include <algorithm>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "payment/state_machine.hpp"

namespace switchyard::payment {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int transactions = 5'000;
constexpr int worker_count = 5;
constexpr Timestamp began{milliseconds(1'700'000'000'000)};
const RetryPolicy policy;

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  bool happens(int percent) { return between(1, 100) <= percent; }
  std::int64_t between(std::int64_t least, std::int64_t most) {
    return std::uniform_int_distribution<std::int64_t>(least, most)(engine_);
  }
  milliseconds time_between(milliseconds least, milliseconds most) {
    return milliseconds(between(least.count(), most.count()));
  }
  Uuid uuid() {
    Uuid uuid;
    for (auto& byte : uuid.bytes) byte = static_cast<std::uint8_t>(between(0, 255));
    return uuid;
  }

 private:
  std::mt19937_64 engine_;
};

// The clock and what happens next.
class Timeline {
 public:
  Timestamp now() const { return now_; }
  void after(milliseconds delay, std::function<void()> what) {
    events_.emplace(now_ + delay, std::move(what));
  }

  void run() {
    while (!events_.empty()) {
      auto event = events_.extract(events_.begin());
      now_ = event.key();
      ASSERT_LT(now_, began + std::chrono::days(30)) << "the simulation does not come to an end";
      event.mapped()();
    }
  }

 private:
  Timestamp now_ = began;
  // In the order of insertion for the same time.
  std::multimap<Timestamp, std::function<void()>> events_;
};

// Idempotent by key, and nothing else: two keys are two charges.
class Psp {
 public:
  explicit Psp(Random& random) : random_(random) {}

  Outcome authorize(const Transaction& transaction, const std::string& key) {
    const auto bytes = request_bytes(transaction);
    const auto [charge, is_new] = book_.try_emplace(key);
    if (is_new) {
      charge->second = {bytes, !random_.happens(15), random_.happens(50)};
      auto& counts = by_transaction_[transaction.id];
      ++(charge->second.approved ? counts.approved : counts.declined);
    } else {
      ++resends_seen;
    }
    EXPECT_EQ(charge->second.bytes, bytes) << "another request under a used key";
    return outcome_of(charge->second, key);
  }

  Event look_up(const std::string& key) const {
    const auto charge = book_.find(key);
    if (charge == book_.end()) return NoSuchCharge{};
    return std::visit([](auto outcome) { return Event(outcome); }, outcome_of(charge->second, key));
  }

  int approved(TransactionId id) const { return counts(id).approved; }
  int declined(TransactionId id) const { return counts(id).declined; }

  int resends_seen = 0;

 private:
  struct Charge {
    std::string bytes;
    bool approved = false;
    bool soft = false;
  };
  struct Counts {
    int approved = 0;
    int declined = 0;
  };

  static Outcome outcome_of(const Charge& charge, const std::string& key) {
    if (charge.approved) return Approved{"psp-" + key};
    return Declined{"51", charge.soft ? DeclineKind::soft : DeclineKind::hard, "psp-" + key};
  }

  Counts counts(TransactionId id) const {
    const auto found = by_transaction_.find(id);
    return found == by_transaction_.end() ? Counts{} : found->second;
  }

  Random& random_;
  std::map<std::string, Charge> book_;
  std::map<TransactionId, Counts> by_transaction_;
};

// Commits as the stores do: claims raise the epoch, outcomes are compared with it.
class StoreModel {
 public:
  struct Row {
    Transaction transaction;
    std::vector<Attempt> attempts;
  };

  void create(Transaction transaction) {
    due_.emplace(*transaction.next_action_at, transaction.id);
    const auto id = transaction.id;
    rows_.emplace(id, Row{std::move(transaction), {}});
  }

  std::vector<Transition> claim_due(Timestamp now, std::size_t limit) {
    std::vector<Transition> claimed;
    while (claimed.size() < limit && !due_.empty() && due_.begin()->first <= now) {
      const auto& row = rows_.at(due_.begin()->second);
      State state{row.transaction, std::nullopt};
      if (!row.attempts.empty()) state.attempt = row.attempts.back();
      claimed.push_back(apply(std::move(state), Claimed{"psp"}, now, policy));
      EXPECT_NE(claimed.back().action, Action::none);
      EXPECT_EQ(claimed.back().state.transaction.epoch, row.transaction.epoch + 1);
      commit(claimed.back().state);
    }
    return claimed;
  }

  // False: stale, nothing changed.
  bool save_outcome(const State& state) {
    if (rows_.at(state.transaction.id).transaction.epoch != state.transaction.epoch) return false;
    commit(state);
    return true;
  }

  bool all_settled() const { return due_.empty(); }
  const std::map<TransactionId, Row>& rows() const { return rows_; }

 private:
  void commit(const State& state) {
    assert_invariants(state.transaction);
    auto& row = rows_.at(state.transaction.id);
    EXPECT_TRUE(row.transaction.next_action_at) << "a settled transaction changed";
    due_.erase({*row.transaction.next_action_at, row.transaction.id});
    row.transaction = state.transaction;
    if (row.transaction.next_action_at) due_.emplace(*row.transaction.next_action_at, row.transaction.id);
    commit_attempt(row, *state.attempt);
  }

  static void commit_attempt(Row& row, const Attempt& attempt) {
    const auto number = static_cast<std::size_t>(attempt.number);
    if (number > row.attempts.size()) {
      EXPECT_EQ(number, row.attempts.size() + 1);
      if (!row.attempts.empty()) {
        EXPECT_EQ(row.attempts.back().status, AttemptStatus::not_sent)
            << "a second attempt while the first one may have been charged";
      }
      row.attempts.push_back(attempt);
    } else {
      auto& known = row.attempts.at(number - 1);
      EXPECT_EQ(number, row.attempts.size());
      EXPECT_EQ(known.idempotency_key, attempt.idempotency_key);
      EXPECT_EQ(known.request_fingerprint, attempt.request_fingerprint);
      known = attempt;
    }
  }

  std::map<TransactionId, Row> rows_;
  std::set<std::pair<Timestamp, TransactionId>> due_;
};

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed) : random_(seed), psp_(random_), workers_(worker_count) {}

  void run() {
    for (int i = 0; i < transactions; ++i) {
      timeline_.after(random_.time_between(seconds(0), seconds(1800)), [this] { create_transaction(); });
    }
    for (auto& worker : workers_) poll(worker);
    timeline_.run();
  }

  void check() const {
    ASSERT_EQ(store_.rows().size(), static_cast<std::size_t>(transactions));
    for (const auto& [id, row] : store_.rows()) {
      SCOPED_TRACE(id.value.to_string() + " " + std::string(to_string(row.transaction.status)));
      check_one(row.transaction);
    }
  }

  // A simulation in which nothing goes wrong proves nothing.
  void check_that_it_was_hard() const {
    const std::map<std::string, int> wanted{
        {"outcomes that came too late", stale_},
        {"deaths of workers", deaths_},
        {"look-ups", look_ups_},
        {"look-ups that found nothing", nothing_found_},
        {"requests that arrived twice", psp_.resends_seen},
        {"requests that arrived late", late_arrivals_},
        {"outcomes that were not saved", unsaved_},
        {"captured", count(Status::captured)},
        {"authorized", count(Status::authorized)},
        {"declined", count(Status::declined)},
        {"failed", count(Status::failed)},
        {"manual_review", count(Status::manual_review)},
    };
    for (const auto& [what, times] : wanted) EXPECT_GT(times, 0) << what;
  }

 private:
  struct Worker {
    // Raised by its death: what an earlier life left behind does nothing any more.
    int life = 0;
  };

  void create_transaction() {
    const TransactionId id{random_.uuid()};
    // A few whose every answer is lost, for the end of the road.
    if (random_.happens(1)) unanswered_.insert(id);
    store_.create({.id = id,
                   .merchant_id = {random_.between(1, 20)},
                   .amount = Money(random_.between(1, 100'000), *Currency::parse("USD")),
                   .capture_method = random_.happens(50) ? CaptureMethod::automatic : CaptureMethod::manual,
                   .next_action_at = timeline_.now(),
                   .reason = {},
                   .created_at = timeline_.now(),
                   .updated_at = timeline_.now()});
    ++created_;
  }

  void poll(Worker& worker) {
    const auto limit = static_cast<std::size_t>(random_.between(1, 16));
    for (auto& claimed : store_.claim_due(timeline_.now(), limit)) {
      if (dies_now(worker)) break;
      call_psp(worker, worker.life, std::move(claimed));
    }
    if (created_ == transactions && store_.all_settled()) return;
    timeline_.after(random_.time_between(milliseconds(20), milliseconds(400)),
                    [this, &worker] { poll(worker); });
  }

  bool dies_now(Worker& worker) {
    if (random_.between(1, 400) > 1) return false;
    ++worker.life;
    ++deaths_;
    return true;
  }

  void call_psp(Worker& worker, int life, Transition transition) {
    auto answered_after = random_.time_between(milliseconds(5), milliseconds(3000));
    // The whole process stands still, past its lease and back.
    if (random_.happens(3)) answered_after += random_.time_between(policy.lease, policy.lease * 4);
    if (transition.action == Action::look_up) {
      look_up(worker, life, std::move(transition), answered_after);
    } else {
      authorize(worker, life, std::move(transition), answered_after);
    }
  }

  void authorize(Worker& worker, int life, Transition transition, milliseconds answered_after) {
    const auto transaction = transition.state.transaction;
    const auto key = transition.state.attempt->idempotency_key;
    const auto dice = unanswered_.contains(transaction.id) ? 90 : random_.between(1, 100);
    if (dice <= 20) {
      answer(worker, life, std::move(transition), NotSent{"connection refused"}, answered_after);
    } else if (dice <= 30) {
      answer(worker, life, std::move(transition), OutcomeUnknown{"lost on the way"}, answered_after);
    } else if (dice <= 40) {
      const auto arrives_after = random_.time_between(seconds(0), seconds(120));
      timeline_.after(arrives_after, [this, transaction, key] {
        ++late_arrivals_;
        psp_.authorize(transaction, key);
      });
      answer(worker, life, std::move(transition), OutcomeUnknown{"time-out"}, answered_after);
    } else {
      const bool answer_arrives = dice <= 80;
      timeline_.after(answered_after / 2, [this, &worker, life, transition = std::move(transition),
                                           transaction, key, answer_arrives, answered_after] {
        const auto outcome = psp_.authorize(transaction, key);
        auto event = std::visit([](auto value) { return Event(value); }, outcome);
        if (!answer_arrives) event = OutcomeUnknown{"the answer was lost"};
        answer(worker, life, transition, event, answered_after / 2);
      });
    }
  }

  void look_up(Worker& worker, int life, Transition transition, milliseconds answered_after) {
    ++look_ups_;
    if (unanswered_.contains(transition.state.transaction.id) || random_.happens(20)) {
      answer(worker, life, std::move(transition), OutcomeUnknown{"HTTP 502"}, answered_after);
    } else if (random_.happens(10)) {
      answer(worker, life, std::move(transition), NotSent{"connection refused"}, answered_after);
    } else {
      timeline_.after(answered_after / 2,
                      [this, &worker, life, transition = std::move(transition), answered_after] {
                        const auto found = psp_.look_up(transition.state.attempt->idempotency_key);
                        if (std::holds_alternative<NoSuchCharge>(found)) ++nothing_found_;
                        answer(worker, life, transition, found, answered_after / 2);
                      });
    }
  }

  void answer(Worker& worker, int life, Transition transition, const Event& event, milliseconds after) {
    timeline_.after(after, [this, &worker, life, transition = std::move(transition), event] {
      if (worker.life != life || dies_now(worker)) return;
      auto next = apply(transition.state, event, timeline_.now(), policy);
      if (next.action != Action::none) return call_psp(worker, life, std::move(next));
      save(next.state);
    });
  }

  void save(const State& state) {
    if (random_.happens(2)) {
      ++unsaved_;
    } else if (!store_.save_outcome(state)) {
      ++stale_;
    }
  }

  void check_one(const Transaction& transaction) const {
    const auto approved = psp_.approved(transaction.id);
    const auto declined = psp_.declined(transaction.id);
    EXPECT_LE(approved + declined, 1) << "charged twice";
    EXPECT_EQ(transaction.next_action_at, std::nullopt);
    switch (transaction.status) {
      case Status::captured:
        EXPECT_EQ(approved, 1);
        EXPECT_EQ(transaction.capture_method, CaptureMethod::automatic);
        EXPECT_EQ(transaction.captured_minor, transaction.amount.minor());
        break;
      case Status::authorized:
        EXPECT_EQ(approved, 1);
        EXPECT_EQ(transaction.capture_method, CaptureMethod::manual);
        EXPECT_EQ(transaction.authorized_minor, transaction.amount.minor());
        EXPECT_EQ(transaction.captured_minor, 0);
        break;
      case Status::declined:
        EXPECT_EQ(declined, 1);
        EXPECT_EQ(transaction.authorized_minor, 0);
        break;
      case Status::failed:
        EXPECT_EQ(approved + declined, 0) << "it was said to have never been sent";
        EXPECT_EQ(transaction.authorized_minor, 0);
        break;
      case Status::manual_review:
        EXPECT_EQ(transaction.authorized_minor, 0) << "nobody knows, so nothing is claimed";
        break;
      default:
        ADD_FAILURE() << "not settled";
    }
  }

  int count(Status status) const {
    return static_cast<int>(std::ranges::count_if(
        store_.rows(), [status](const auto& row) { return row.second.transaction.status == status; }));
  }

  Random random_;
  Timeline timeline_;
  Psp psp_;
  StoreModel store_;
  std::vector<Worker> workers_;
  std::set<TransactionId> unanswered_;
  int created_ = 0;
  int deaths_ = 0;
  int look_ups_ = 0;
  int nothing_found_ = 0;
  int late_arrivals_ = 0;
  int stale_ = 0;
  int unsaved_ = 0;
};

std::uint64_t choose_seed() {
  if (const char* given = std::getenv("SIMULATION_SEED")) return std::strtoull(given, nullptr, 10);
  return std::random_device()();
}

TEST(Simulation, ChargesOnceAtMostAndSettlesEveryTransaction) {
  const auto seed = choose_seed();
  std::cout << "SIMULATION_SEED=" << seed << std::endl;
  SCOPED_TRACE("SIMULATION_SEED=" + std::to_string(seed));
  Simulation simulation(seed);
  simulation.run();
  if (HasFatalFailure()) return;
  simulation.check();
  simulation.check_that_it_was_hard();
}

}  // namespace
}  // namespace switchyard::payment
