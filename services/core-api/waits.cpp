#include "core-api/waits.hpp"

namespace switchyard::core {

std::optional<Waits::Place> Waits::enter(MerchantId merchant) {
  if (stopping_) return std::nullopt;
  const std::lock_guard lock(mutex_);
  const auto known = by_merchant_.find(merchant.value);
  const auto has = known == by_merchant_.end() ? 0 : known->second;
  if (has >= most_ - taken_) return std::nullopt;
  ++taken_;
  ++by_merchant_[merchant.value];
  return Place(*this, merchant);
}

void Waits::leave(MerchantId merchant) {
  const std::lock_guard lock(mutex_);
  --taken_;
  const auto known = by_merchant_.find(merchant.value);
  if (--known->second == 0) by_merchant_.erase(known);
}

}  // namespace switchyard::core
