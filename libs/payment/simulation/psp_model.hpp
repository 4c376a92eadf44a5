// For simulation_test.cpp: a PSP with its book. It does once what comes under one key, while it keeps the
// key, and takes every key for another wish: so what it has done twice, or more than it was given, was asked
// for by the switch.
#pragma once

#include <cstdio>
#include <map>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "payment/answer.hpp"
#include "payment/operation.hpp"
#include "payment/simulation/timeline.hpp"

namespace switchyard::payment::simulation {

inline const Currency usd = *Currency::parse("USD");

// What is sent. The charge is the PSP's name of it; an authorization has none and carries our reference.
inline std::string encode_for_model(const State& state, const Operation& operation) {
  const auto* authorization = find_authorization(state);
  return fmt::format(
      "{} {} {} {} {}", static_cast<int>(operation.kind), operation.amount.minor(),
      operation.is_final ? 1 : 0, state.transaction.capture_method == CaptureMethod::automatic ? 1 : 0,
      operation.kind == Kind::authorize ? psp_reference(state.transaction) : authorization->psp_reference);
}

class PspModel {
 public:
  enum class Result { pending, succeeded, declined };
  struct Effect {
    Kind kind = Kind::authorize;
    std::string bytes;
    std::string charge;
    std::int64_t amount = 0;
    // Of a hold: what else was let go.
    std::int64_t released = 0;
    bool is_final = true;
    bool is_automatic = true;
    bool needs_customer = false;
    Result result = Result::pending;
    bool taken_back = false;
    // It was taken back by mistake, and soon will not be any more.
    bool will_be_put_back = false;
    // Another amount than the one that was asked for.
    bool is_wrong = false;
    bool is_before_restore = false;
    Timestamp ended_at{};

    bool happened() const { return result == Result::succeeded && !taken_back; }
  };
  struct Charge {
    bool is_automatic = true;
    // The hold is gone: what fails later does not bring it back.
    bool is_closed = false;
    // By itself.
    bool has_run_out = false;
    std::int64_t authorized = 0;
    std::int64_t held = 0;
    std::int64_t captured = 0;
    std::int64_t refunded = 0;
    std::int64_t refunds_under_way = 0;
    // There may be less than the switch knows.
    bool is_short = false;
  };

  // Forgets a key so long after what came under it was over; its book stays.
  PspModel(Random& random, Timeline& timeline, milliseconds key_held_for)
      : random_(random), timeline_(timeline), key_held_for_(key_held_for) {}

  // Told of what has been taken back, and of holds that have run out, by the key.
  std::function<void(const std::string&)> notify;

  // What a request that arrives is answered. Perhaps it was sent before the store was restored.
  Answer receive(const std::string& key, const std::string& bytes, bool is_of_before = false) {
    const auto known = book_.find(key);
    if (known != book_.end()) {
      EXPECT_FALSE(is_forgotten(known->second)) << "it is done a second time: " << bytes;
      ++resends_seen;
      if (known->second.bytes == bytes) return tell(key, known->second);
      EXPECT_TRUE(was_restored) << "another request under a used key: " << known->second.bytes << " and "
                                << bytes;
      return Contradicted{"the key was used for another request", {}};
    }
    if (random_.happens(15)) return Rejected{"not allowed for this account"};
    auto& effect = book_.emplace(key, read(key, bytes)).first->second;
    effect.is_before_restore = is_of_before;
    begin(key, effect);
    return tell(key, effect);
  }

  Found look_up(const std::string& key) {
    const auto known = book_.find(key);
    if (known == book_.end()) return NoSuchOperation{};
    if (is_forgotten(known->second)) {
      ++forgotten_seen;
      return NoSuchOperation{};
    }
    return std::visit(Widen{}, tell(key, known->second));
  }

  void forgets_nothing_when_the_store_does() {
    was_restored = true;
    for (auto& [key, effect] : book_) effect.is_before_restore = true;
    for (auto& [id, charge] : charges_) charge.is_short = true;
  }

  const Effect* find(const std::string& key) const {
    const auto known = book_.find(key);
    return known == book_.end() ? nullptr : &known->second;
  }
  const Charge* find_charge(const std::string& id) const {
    const auto known = charges_.find(id);
    return known == charges_.end() ? nullptr : &known->second;
  }
  const std::map<std::string, Effect>& book() const { return book_; }

  bool was_restored = false;
  int resends_seen = 0;
  int forgotten_seen = 0;
  int taken_back = 0;
  int put_back = 0;
  int holds_run_out = 0;
  int refused_for_want_of_money = 0;

 private:
  struct Widen {
    Found operator()(Succeeded answer) const { return answer; }
    Found operator()(Declined answer) const { return answer; }
    Found operator()(Pending answer) const { return answer; }
    Found operator()(ActionRequired answer) const { return answer; }
    Found operator()(const auto&) const { return OutcomeUnknown{"not in the book"}; }
  };

  bool is_forgotten(const Effect& effect) const {
    return effect.result != Result::pending && timeline_.now() - effect.ended_at > key_held_for_;
  }

  static Effect read(const std::string& key, const std::string& bytes) {
    int kind = 0;
    int is_final = 0;
    int is_automatic = 0;
    long long amount = 0;
    std::array<char, 256> name{};
    const auto fields = std::sscanf(bytes.c_str(), "%d %lld %d %d %255s", &kind, &amount, &is_final,
                                    &is_automatic, name.data());
    EXPECT_EQ(fields, 5) << bytes;
    Effect effect{.bytes = bytes, .charge = name.data()};
    effect.kind = static_cast<Kind>(kind);
    if (effect.kind == Kind::authorize) effect.charge = "ch-" + key;
    effect.amount = amount;
    effect.is_final = is_final == 1;
    effect.is_automatic = is_automatic == 1;
    return effect;
  }

  void begin(const std::string& key, Effect& effect) {
    if (effect.kind == Kind::authorize) {
      charges_[effect.charge].is_automatic = effect.is_automatic;
    }
    auto& charge = charges_.at(effect.charge);
    if (random_.happens(5) && effect.amount > 1 && effect.kind != Kind::void_) {
      --effect.amount;
      effect.is_wrong = true;
    }
    effect.ended_at = timeline_.now();
    if (random_.happens(120)) {
      effect.result = Result::declined;
    } else if (!reserve(charge, effect)) {
      EXPECT_TRUE(charge.is_short || charge.has_run_out)
          << "the PSP was asked for more than there is: " << effect.bytes;
      ++refused_for_want_of_money;
      effect.result = Result::declined;
    } else if (random_.happens(150)) {
      effect.needs_customer = effect.kind == Kind::authorize && random_.happens(300);
      // Some never end.
      if (random_.happens(10)) return;
      const auto longest = random_.happens(50) ? std::chrono::hours(8) : std::chrono::minutes(40);
      timeline_.after(random_.time_between(milliseconds(500), longest),
                      [this, key] { finish(key, random_.happens(750)); });
    } else {
      finish(key, true);
    }
  }

  // Puts aside what it will move. False: there is not so much.
  static bool reserve(Charge& charge, Effect& effect) {
    if (effect.kind == Kind::refund) {
      if (effect.amount > charge.captured - charge.refunded - charge.refunds_under_way) return false;
      charge.refunds_under_way += effect.amount;
    } else if (effect.kind == Kind::capture) {
      if (effect.amount > charge.held) return false;
      charge.held -= effect.amount;
      if (effect.is_final) effect.released = std::exchange(charge.held, 0);
    } else if (effect.kind == Kind::void_) {
      if (charge.has_run_out) return true;
      if (charge.held == 0) return false;
      effect.amount = effect.released = std::exchange(charge.held, 0);
    }
    return true;
  }

  void finish(const std::string& key, bool succeeds) {
    auto& effect = book_.at(key);
    auto& charge = charges_.at(effect.charge);
    effect.result = succeeds ? Result::succeeded : Result::declined;
    effect.ended_at = timeline_.now();
    if (effect.kind == Kind::refund) charge.refunds_under_way -= effect.amount;
    if (succeeds) {
      move(charge, effect, 1);
    } else if (!charge.is_closed && effect.kind != Kind::refund) {
      charge.held += effect.released + (effect.kind == Kind::capture ? effect.amount : 0);
    }
    check(charge);
    if (!succeeds || effect.kind == Kind::void_ || !random_.happens(120)) return;
    const bool is_a_hold = effect.kind == Kind::authorize && !charge.is_automatic;
    timeline_.after(random_.time_between(milliseconds(500), std::chrono::minutes(30)),
                    [this, key, is_a_hold] { is_a_hold ? end_hold(key) : take_back(key); });
  }

  void end_hold(const std::string& key) {
    auto& charge = charges_.at(book_.at(key).charge);
    if (charge.held == 0) return;
    ++holds_run_out;
    charge.held = 0;
    charge.is_closed = charge.has_run_out = true;
    notify(key);
  }

  static void move(Charge& charge, const Effect& effect, std::int64_t times) {
    const auto amount = times * effect.amount;
    if (effect.kind == Kind::authorize) {
      charge.authorized += amount;
      (charge.is_automatic ? charge.captured : charge.held) += amount;
    } else if (effect.kind == Kind::capture) {
      charge.captured += amount;
    } else if (effect.kind == Kind::refund) {
      charge.refunded += amount;
    }
    const bool releases = effect.kind == Kind::void_ || (effect.kind == Kind::capture && effect.is_final);
    if (!releases || times < 0) return;
    charge.is_closed = true;
    charge.held = 0;
  }

  void take_back(const std::string& key) {
    auto& effect = book_.at(key);
    auto& charge = charges_.at(effect.charge);
    const auto kept = charge.captured - charge.refunded - charge.refunds_under_way;
    if (effect.kind != Kind::refund && effect.amount > kept) return;
    ++taken_back;
    move(charge, effect, -1);
    check(charge);
    if (effect.kind != Kind::refund) charge.is_short = true;
    effect.taken_back = true;
    notify(key);
    if (!random_.happens(300)) return;
    effect.will_be_put_back = true;
    timeline_.after(random_.time_between(milliseconds(500), std::chrono::minutes(5)), [this, key] {
      auto& mistaken = book_.at(key);
      mistaken.will_be_put_back = false;
      put_back_again(mistaken);
    });
  }

  void put_back_again(Effect& effect) {
    auto& charge = charges_.at(effect.charge);
    const auto kept = charge.captured - charge.refunded - charge.refunds_under_way;
    if (effect.kind == Kind::refund && effect.amount > kept) return;
    ++put_back;
    move(charge, effect, 1);
    check(charge);
    effect.taken_back = false;
  }

  static void check(const Charge& charge) {
    EXPECT_GE(charge.refunded, 0);
    EXPECT_LE(charge.refunded + charge.refunds_under_way, charge.captured);
    EXPECT_GE(charge.held, 0);
    EXPECT_LE(charge.captured + charge.held, charge.authorized);
  }

  Answer tell(const std::string& key, const Effect& effect) {
    const auto reference = effect.kind == Kind::authorize ? effect.charge : "op-" + key;
    auto amount = Money(effect.amount, usd);
    // A lie, as a proxy or another version of the PSP may tell it. The book is right.
    if (!effect.is_wrong && random_.happens(4))
      amount = random_.happens(500) ? Money(effect.amount + 1, usd) : Money(effect.amount, jpy_);
    if (effect.result == Result::pending || effect.will_be_put_back) {
      if (effect.needs_customer) return ActionRequired{reference, amount};
      return Pending{reference, amount};
    }
    if (effect.happened()) return Succeeded{reference, amount};
    return Declined{{"51", "", ReasonKind::soft_decline},
                    reference,
                    std::nullopt,
                    effect.kind == Kind::capture && charges_.at(effect.charge).has_run_out};
  }

  const Currency jpy_ = *Currency::parse("JPY");
  Random& random_;
  Timeline& timeline_;
  const milliseconds key_held_for_;
  std::map<std::string, Effect> book_;
  std::map<std::string, Charge> charges_;
};

}  // namespace switchyard::payment::simulation
