#include "core-api/backlog.hpp"

namespace switchyard::core {
namespace {

// Who is not among these has so little waiting that it does not matter.
constexpr std::size_t merchants_max = 1000;
constexpr std::int64_t times_what_is_left = 4;

}  // namespace

Backlog::Backlog(store::Store& store, telemetry::Metrics& metrics, std::int64_t most)
    : store_(store),
      gauge_(metrics.gauge("switchyard_backlog_transactions", "Transactions that still need work.")),
      most_(most) {}

bool Backlog::has_room_for(MerchantId merchant) const {
  const auto left = most_ - size();
  if (left <= 0) return false;
  if (!is_shared()) return true;
  const std::lock_guard lock(mutex_);
  const auto found = by_merchant_.find(merchant.value);
  return found == by_merchant_.end() || found->second < times_what_is_left * left;
}

void Backlog::add_one(MerchantId merchant) {
  ++accepted_since_;
  if (!is_shared()) return;
  const std::lock_guard lock(mutex_);
  ++by_merchant_[merchant.value];
}

Task<Result<void>> Backlog::measure() {
  const auto counted = co_await store_.count_backlog(most_);
  if (!counted) co_return std::unexpected(counted.error());
  std::unordered_map<std::int64_t, std::int64_t> by_merchant;
  if (*counted > most_ / 2) {
    const auto shares = co_await store_.largest_backlogs(most_, merchants_max);
    if (!shares) co_return std::unexpected(shares.error());
    for (const auto& [merchant, count] : *shares) by_merchant.emplace(merchant.value, count);
  }
  measured_ = *counted;
  accepted_since_ = 0;
  gauge_.Set(static_cast<double>(*counted));
  const std::lock_guard lock(mutex_);
  by_merchant_ = std::move(by_merchant);
  co_return Result<void>{};
}

}  // namespace switchyard::core
