#include "core-api/merchant_limits.hpp"

#include <algorithm>

#include <boost/asio/post.hpp>

namespace switchyard::core {
namespace {

// What a bucket takes to fill: after that a merchant who has nothing under way is as good as a new one.
constexpr std::chrono::seconds bucket_time{1};

}  // namespace

MerchantLimits::Merchant& MerchantLimits::merchant_in(Shard& shard, MerchantId merchant,
                                                      Clock::time_point now) const {
  const auto capacity = static_cast<double>(settings_.per_second_max);
  if (shard.merchants.size() >= shard.forget_at) forget_idle(shard, now);
  // A merchant that is known is found without making another, whose list takes memory.
  const auto known = shard.merchants.find(merchant.value);
  if (known != shard.merchants.end()) return known->second;
  return shard.merchants.try_emplace(merchant.value, Merchant{{capacity, capacity, now}, now}).first->second;
}

std::expected<std::optional<MerchantLimits::Turn>, MerchantLimits::Refusal> MerchantLimits::enter(
    MerchantId merchant, Clock::time_point now) {
  auto& shard = shard_of(merchant);
  const std::lock_guard lock(shard.mutex);
  auto& known = merchant_in(shard, merchant, now);
  if (known.at_once() >= settings_.at_once_max) return std::unexpected(Refusal::too_many_at_once);
  known.seen = std::max(known.seen, now);
  if (known.at_work >= settings_.at_work_max) return std::nullopt;
  ++known.at_work;
  return Turn(*this, merchant);
}

std::expected<void, MerchantLimits::Refusal> MerchantLimits::take_one(MerchantId merchant,
                                                                      Clock::time_point now) {
  if (settings_.per_second_max == 0) return {};
  auto& shard = shard_of(merchant);
  const std::lock_guard lock(shard.mutex);
  auto& known = merchant_in(shard, merchant, now);
  known.seen = std::max(known.seen, now);
  if (!known.bucket.take(now)) return std::unexpected(Refusal::too_fast);
  return {};
}

Task<MerchantLimits::Turn> MerchantLimits::wait_for_turn(MerchantId merchant) {
  Waiter waiter(co_await asio::this_coro::executor);
  bool waits = true;
  {
    auto& shard = shard_of(merchant);
    const std::lock_guard lock(shard.mutex);
    auto& known = merchant_in(shard, merchant, Clock::now());
    // A place may have become free since enter() looked.
    if (known.at_work < settings_.at_work_max) {
      ++known.at_work;
      waits = false;
    } else {
      known.waiting.push_back(&waiter);
    }
  }
  while (waits) {
    const bool called = co_await waiter.called.wait_until(Clock::time_point::max());
    waits = !called;
  }
  co_return Turn(*this, merchant);
}

std::size_t MerchantLimits::size() {
  std::size_t size = 0;
  for (auto& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    size += shard.merchants.size();
  }
  return size;
}

void MerchantLimits::leave(MerchantId merchant) {
  auto& shard = shard_of(merchant);
  const std::lock_guard lock(shard.mutex);
  auto& known = shard.merchants.at(merchant.value);
  if (known.waiting.empty()) {
    --known.at_work;
    return;
  }
  // The turn passes on.
  auto* next = known.waiting.front();
  known.waiting.pop_front();
  asio::post(next->home, [next] { next->called.set(); });
}

void MerchantLimits::forget_idle(Shard& shard, Clock::time_point now) {
  std::erase_if(shard.merchants, [now](const auto& entry) {
    const auto& merchant = entry.second;
    return merchant.at_once() == 0 && now - merchant.seen >= bucket_time;
  });
  // So that the search pays for itself however many merchants there are.
  shard.forget_at = std::max<std::size_t>(64, 2 * shard.merchants.size());
}

}  // namespace switchyard::core
