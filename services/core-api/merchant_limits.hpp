// How much of what all merchants share one merchant may take: requests a second, and at once. A few of these
// are at work, the others wait for their turn: what a commit takes grows with what is at work, for everybody.
//
// Per process. Safe to use from any thread; merchants do not wait for each other, but for a few instructions.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <expected>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/event.hpp"
#include "base/id.hpp"
#include "base/task.hpp"
#include "base/token_bucket.hpp"

namespace switchyard::core {

class MerchantLimits {
 public:
  using Clock = std::chrono::steady_clock;

  struct Settings {
    // A token bucket that holds one second's worth. 0: no bound.
    std::int64_t per_second_max = 0;
    // At work and waiting.
    std::int64_t at_once_max = 0;
    // More costs other merchants time and gains nothing: 64 rows in a commit are as good as 256.
    std::int64_t at_work_max = 64;
  };

  enum class Refusal { too_fast, too_many_at_once };

  // Is at work until it goes. The limits outlive it.
  class Turn {
   public:
    Turn(MerchantLimits& limits, MerchantId merchant) : limits_(&limits), merchant_(merchant) {}
    Turn(Turn&& other) noexcept
        : limits_(std::exchange(other.limits_, nullptr)), merchant_(other.merchant_) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (limits_ != nullptr) limits_->leave(merchant_);
    }

   private:
    MerchantLimits* limits_;
    MerchantId merchant_;
  };

  explicit MerchantLimits(Settings settings) : settings_(settings) {}

  // Refused only for what is under way, and then it takes nothing; without a turn, wait_for_turn() is next.
  std::expected<std::optional<Turn>, Refusal> enter(MerchantId merchant, Clock::time_point now);
  // One of the merchant's second; too_fast if none is left.
  std::expected<void, Refusal> take_one(MerchantId merchant, Clock::time_point now);
  // In the order of the calls.
  Task<Turn> wait_for_turn(MerchantId merchant);

  const Settings& settings() const { return settings_; }
  // Merchants that are remembered: those of the last second, and at most as many again.
  std::size_t size();

 private:
  // On the thread of the coroutine that waits.
  struct Waiter {
    explicit Waiter(Executor home) : home(home), called(home) {}

    Executor home;
    Event called;
  };
  struct Merchant {
    std::int64_t at_once() const { return at_work + static_cast<std::int64_t>(waiting.size()); }

    TokenBucket bucket;
    Clock::time_point seen;
    std::int64_t at_work = 0;
    std::deque<Waiter*> waiting = {};
  };
  struct Shard {
    std::mutex mutex;
    std::unordered_map<std::int64_t, Merchant> merchants;
    std::size_t forget_at = 64;
  };

  Shard& shard_of(MerchantId merchant) {
    return shards_[static_cast<std::uint64_t>(merchant.value) % shards_.size()];
  }
  Merchant& merchant_in(Shard& shard, MerchantId merchant, Clock::time_point now) const;
  void leave(MerchantId merchant);
  static void forget_idle(Shard& shard, Clock::time_point now);

  const Settings settings_;
  std::array<Shard, 64> shards_;
};

}  // namespace switchyard::core
