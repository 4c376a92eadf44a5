// For simulation_test.cpp: commits as store.hpp says, and looks at each commit for what must never be.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "payment/request.hpp"
#include "payment/state_machine.hpp"

namespace switchyard::payment::simulation {

// Of whom a change is.
enum class By { worker, merchant, person, psp, other_worker };

using Key = std::tuple<MerchantId, Kind, std::string>;

class StoreModel {
 public:
  // Where an operation stands, by the key that the PSP knows it by.
  struct Place {
    TransactionId id;
    std::int32_t number = 0;
  };

  // What came of what was taken, one of them.
  struct Taken {
    std::optional<Step> step;
    bool was_replayed = false;
    std::int32_t replayed_number = 0;
    std::optional<Refusal> refusal;
  };
  using Decide = std::function<std::expected<std::optional<Step>, Refusal>(State)>;

  // Told of what has become a person's to decide.
  std::function<void(TransactionId, std::int32_t)> notify_person;

  // The id under which it is stored: that of an earlier one where the key was used before.
  TransactionId create(State state, const std::optional<Key>& key) {
    if (const auto used = find_used(key)) return used->id;
    check_sound(state);
    const auto id = state.transaction.id;
    due_.emplace(*state.transaction.next_action_at, id);
    if (key) keys_.emplace(*key, Place{id, 1});
    for (const auto& operation : state.operations) note_operation(id, operation);
    EXPECT_TRUE(rows_.emplace(id, std::move(state)).second);
    return id;
  }

  // False: somebody has changed it since.
  bool commit(const State& state) {
    const auto& now = rows_.at(state.transaction.id);
    if (now.transaction.version != state.transaction.version) return false;
    write(state, By::worker);
    return true;
  }

  std::vector<Step> take_due(Timestamp by, Timestamp ahead, std::size_t limit,
                             const std::function<Step(State)>& decide) {
    std::vector<Step> taken;
    while (taken.size() < limit && !due_.empty()) {
      auto due = due_.begin();
      if (due->first > by) {
        due = std::prev(due_.end());
        if (due->first <= ahead) break;
      }
      const auto& before = rows_.at(due->second);
      const auto version = before.transaction.version;
      taken.push_back(decide(before));
      EXPECT_EQ(taken.back().state.transaction.version, version + 1);
      write(taken.back().state, By::worker);
    }
    return taken;
  }

  Taken take(TransactionId id, const std::optional<Key>& key, By by, const Decide& decide) {
    if (const auto used = find_used(key)) return {{}, true, used->number, {}};
    const auto& before = rows_.at(id);
    const auto version = before.transaction.version;
    auto decided = decide(before);
    if (!decided) return {{}, false, 0, decided.error()};
    if (!*decided) return {};
    EXPECT_EQ((*decided)->state.transaction.version, version + 1);
    write((*decided)->state, by);
    if (key) keys_.emplace(*key, Place{id, (*decided)->operation().number});
    return {std::move(*decided), false, 0, {}};
  }

  bool is_settled() const { return due_.empty(); }
  bool has(TransactionId id) const { return rows_.contains(id); }
  const State& at(TransactionId id) const { return rows_.at(id); }
  const std::map<TransactionId, State>& rows() const { return rows_; }
  std::optional<Place> find_operation(const std::string& psp_key) const {
    const auto known = operations_.find(psp_key);
    return known == operations_.end() ? std::nullopt : std::optional(known->second);
  }

 private:
  std::optional<Place> find_used(const std::optional<Key>& key) const {
    if (!key) return std::nullopt;
    const auto known = keys_.find(*key);
    return known == keys_.end() ? std::nullopt : std::optional(known->second);
  }

  void write(const State& state, By by) {
    const auto id = state.transaction.id;
    auto& row = rows_.at(id);
    SCOPED_TRACE(id.value.to_string());
    check_sound(state);
    check_change(row, state, by);
    if (row.transaction.next_action_at) due_.erase({*row.transaction.next_action_at, id});
    if (state.transaction.next_action_at) due_.emplace(*state.transaction.next_action_at, id);
    for (std::size_t i = 0; i < state.operations.size(); ++i) {
      const auto& after = state.operations[i];
      const bool is_new = i >= row.operations.size();
      if (is_new) note_operation(id, after);
      const bool was_in_review = !is_new && row.operations[i].phase == Phase::manual_review;
      if (after.phase == Phase::manual_review && !was_in_review) notify_person(id, after.number);
    }
    row = state;
  }

  void note_operation(TransactionId id, const Operation& operation) {
    EXPECT_TRUE(operations_.emplace(operation.idempotency_key, Place{id, operation.number}).second)
        << "two operations of one key";
  }

  static void check_sound(const State& state) {
    const auto& transaction = state.transaction;
    const auto why = why_broken(state);
    EXPECT_FALSE(why) << *why;
    if (state.operations.empty()) return;
    std::optional<Timestamp> first;
    for (const auto& operation : state.operations) {
      const bool must_be_due = is_unresolved(operation.phase) || operation.phase == Phase::pending ||
                               operation.phase == Phase::action_required;
      EXPECT_TRUE(operation.due_at || !must_be_due)
          << "nobody will ever look at operation " << operation.number;
      if (operation.due_at && (!first || *operation.due_at < *first)) first = operation.due_at;
    }
    EXPECT_EQ(transaction.next_action_at, first);
    check_turns(state);
    check_totals(state);
  }

  // One at a time, and nobody waits for one that is pending or a person's.
  static void check_turns(const State& state) {
    const auto with = [&state](Phase phase) {
      return std::ranges::count(state.operations, phase, &Operation::phase);
    };
    const auto unresolved = with(Phase::sent) + with(Phase::unknown);
    EXPECT_LE(unresolved, 1);
    bool is_next = unresolved == 0;
    for (const auto& operation : state.operations) {
      if (operation.phase != Phase::requested) continue;
      EXPECT_EQ(operation.due_at.has_value(), is_next) << "operation " << operation.number;
      is_next = false;
    }
  }

  // Added up anew from what has succeeded, with what is open.
  static void check_totals(const State& state) {
    std::int64_t authorized = 0;
    std::int64_t captured = 0;
    std::int64_t refunded = 0;
    std::int64_t captures_open = 0;
    std::int64_t refunds_open = 0;
    const auto& transaction = state.transaction;
    const bool captures_at_once = transaction.capture_method == CaptureMethod::automatic;
    for (const auto& operation : state.operations) {
      const auto amount = operation.amount.minor();
      const bool stays_booked =
          operation.phase == Phase::manual_review && operation.ended_at && !operation.taken_back;
      const bool counts = operation.phase == Phase::succeeded || stays_booked;
      const bool open = is_open(operation.phase) && !stays_booked;
      if (operation.kind == Kind::authorize && counts) authorized += amount;
      if (operation.kind == Kind::authorize && counts && captures_at_once) captured += amount;
      if (operation.kind == Kind::capture) (counts ? captured : captures_open) += counts || open ? amount : 0;
      if (operation.kind == Kind::refund) (counts ? refunded : refunds_open) += counts || open ? amount : 0;
    }
    EXPECT_EQ(transaction.authorized_minor, authorized);
    EXPECT_EQ(transaction.captured_minor, captured);
    EXPECT_EQ(transaction.refunded_minor, refunded);
    EXPECT_LE(captured + captures_open, authorized) << "more is asked for than is authorized";
    EXPECT_LE(refunded + refunds_open, captured) << "more is asked back than was captured";
  }

  static void check_change(const State& before, const State& after, By by) {
    EXPECT_GE(after.operations.size(), before.operations.size());
    for (std::size_t i = 0; i < before.operations.size(); ++i) {
      const auto& was = before.operations[i];
      const auto& is = after.operations.at(i);
      SCOPED_TRACE("operation " + std::to_string(was.number));
      EXPECT_EQ(is.idempotency_key, was.idempotency_key);
      EXPECT_EQ(is.kind, was.kind);
      EXPECT_EQ(is.amount, was.amount);
      // Only what no PSP knows may go to another one.
      const bool may_go_elsewhere =
          was.kind == Kind::authorize && (was.phase == Phase::requested || is.phase == Phase::requested);
      EXPECT_TRUE(is.psp == was.psp || was.psp.empty() || may_go_elsewhere) << was.psp << " and " << is.psp;
      EXPECT_TRUE(is.request == was.request || was.request.empty() || may_go_elsewhere)
          << "a resend is not identical";
      const bool is_taken_back = by == By::psp && was.phase == Phase::succeeded;
      const bool is_over = !is_open(was.phase) && !is_taken_back;
      // What a person looks at may be taken back, and they hear of that.
      auto told = was;
      told.taken_back = was.taken_back || is.taken_back;
      told.reason = is.reason;
      const bool is_told = by == By::psp && is == told;
      const bool is_a_persons = was.phase == Phase::manual_review && by != By::person && !is_told;
      EXPECT_TRUE(is == was || !(is_over || is_a_persons)) << "what was over, or is a person's, has changed";
    }
  }

  std::map<TransactionId, State> rows_;
  std::set<std::pair<Timestamp, TransactionId>> due_;
  std::map<Key, Place> keys_;
  std::map<std::string, Place> operations_;
};

}  // namespace switchyard::payment::simulation
