#include "core-api/merchant_limits.hpp"

#include <algorithm>

namespace switchyard::core {
namespace {

// What a bucket takes to fill: after that a merchant who has nothing under way is as good as a new one.
constexpr std::chrono::seconds bucket_time{1};

}  // namespace

std::expected<MerchantLimits::Turn, MerchantLimits::Refusal> MerchantLimits::enter(MerchantId merchant,
                                                                                   Clock::time_point now) {
  const auto capacity = static_cast<double>(settings_.per_second_max);
  auto& shard = shard_of(merchant);
  const std::lock_guard lock(shard.mutex);
  if (shard.merchants.size() >= shard.forget_at) forget_idle(shard, now);
  auto& known =
      shard.merchants.try_emplace(merchant.value, Merchant{{capacity, capacity, now}, now, 0}).first->second;
  if (known.under_way >= settings_.at_once_max) return std::unexpected(Refusal::too_many_at_once);
  known.seen = std::max(known.seen, now);
  if (settings_.per_second_max > 0 && !known.bucket.take(now)) return std::unexpected(Refusal::too_fast);
  ++known.under_way;
  return Turn(*this, merchant);
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
  --shard.merchants.at(merchant.value).under_way;
}

void MerchantLimits::forget_idle(Shard& shard, Clock::time_point now) {
  std::erase_if(shard.merchants, [now](const auto& entry) {
    const auto& merchant = entry.second;
    return merchant.under_way == 0 && now - merchant.seen >= bucket_time;
  });
  // So that the search pays for itself however many merchants there are.
  shard.forget_at = std::max<std::size_t>(64, 2 * shard.merchants.size());
}

}  // namespace switchyard::core
