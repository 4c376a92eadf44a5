// How much of what all merchants share one merchant may take: transactions a second, and requests at once.
//
// Per process. Safe to use from any thread; merchants do not wait for each other, but for a few instructions.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <expected>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "base/id.hpp"
#include "base/token_bucket.hpp"

namespace switchyard::core {

class MerchantLimits {
 public:
  using Clock = std::chrono::steady_clock;

  struct Settings {
    // A token bucket that holds one second's worth. 0: no bound.
    std::int64_t per_second_max = 0;
    std::int64_t at_once_max = 0;
  };

  enum class Refusal { too_fast, too_many_at_once };

  // Counts as a request under way until it goes. The limits outlive it.
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

  // A refused request takes nothing.
  std::expected<Turn, Refusal> enter(MerchantId merchant, Clock::time_point now);

  const Settings& settings() const { return settings_; }
  // Merchants that are remembered: those of the last second, and at most as many again.
  std::size_t size();

 private:
  struct Merchant {
    TokenBucket bucket;
    Clock::time_point seen;
    std::int64_t under_way;
  };
  struct Shard {
    std::mutex mutex;
    std::unordered_map<std::int64_t, Merchant> merchants;
    std::size_t forget_at = 64;
  };

  Shard& shard_of(MerchantId merchant) {
    return shards_[static_cast<std::uint64_t>(merchant.value) % shards_.size()];
  }
  void leave(MerchantId merchant);
  static void forget_idle(Shard& shard, Clock::time_point now);

  const Settings settings_;
  std::array<Shard, 64> shards_;
};

}  // namespace switchyard::core
