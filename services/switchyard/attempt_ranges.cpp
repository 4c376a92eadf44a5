#include "switchyard/attempt_ranges.hpp"

#include <algorithm>
#include <numeric>

namespace switchyard::cli {
namespace {

constexpr int byte_bits = 8;

// Its first half, which holds the time, as a number.
std::uint64_t high_half(TransactionId id) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < sizeof(number); ++i) number = (number << byte_bits) | id.value.bytes[i];
  return number;
}

TransactionId with_high_half(std::uint64_t number, std::uint8_t other_bytes) {
  TransactionId id;
  id.value.bytes.fill(other_bytes);
  for (std::size_t i = sizeof(number); i-- > 0; number >>= byte_bits) {
    id.value.bytes[i] = static_cast<std::uint8_t>(number);
  }
  return id;
}

constexpr std::uint8_t least_byte = 0x00;
constexpr std::uint8_t last_byte = 0xff;

}  // namespace

TransactionId first_id_at(Timestamp time) {
  const auto ms = std::max<std::int64_t>(time.time_since_epoch().count(), 0);
  return with_high_half(static_cast<std::uint64_t>(ms) << 16, least_byte);
}

Timestamp time_of(TransactionId id) {
  return Timestamp(std::chrono::milliseconds(high_half(id) >> 16));
}

std::optional<std::pair<store::AttemptRange, store::AttemptRange>> split(const store::AttemptRange& range) {
  const auto first = high_half(range.first);
  const auto last = high_half(range.last);
  if (first >= last) return std::nullopt;
  const auto middle = std::midpoint(first, last);
  return std::pair{store::AttemptRange{range.merchant, range.first, with_high_half(middle, last_byte)},
                   store::AttemptRange{range.merchant, with_high_half(middle + 1, least_byte), range.last}};
}

std::optional<store::AttemptRange> AttemptRanges::take(const NextMerchant& next_merchant) {
  std::unique_lock lock(mutex_);
  while (!is_stopped_) {
    if (!ranges_.empty() || find_merchant(next_merchant)) {
      const auto range = ranges_.front();
      ranges_.pop_front();
      ++under_way_;
      return range;
    }
    if (under_way_ == 0) break;
    ++idle_;
    changed_.wait(lock);
    --idle_;
  }
  return std::nullopt;
}

bool AttemptRanges::find_merchant(const NextMerchant& next_merchant) {
  if (!least_) return false;
  const auto merchant = next_merchant({*least_});
  const bool is_last = !merchant || merchant->value == std::numeric_limits<std::int64_t>::max();
  least_ = is_last ? std::nullopt : std::optional(merchant->value + 1);
  if (merchant) ranges_.push_back({*merchant, first_, with_high_half(~std::uint64_t{0}, last_byte)});
  return merchant.has_value();
}

store::AttemptRange AttemptRanges::share(const store::AttemptRange& left) {
  const std::lock_guard lock(mutex_);
  if (idle_ <= ranges_.size()) return left;
  const auto parts = split(left);
  if (!parts) return left;
  ranges_.push_back(parts->second);
  changed_.notify_one();
  return parts->first;
}

void AttemptRanges::done() {
  const std::lock_guard lock(mutex_);
  --under_way_;
  if (under_way_ == 0) changed_.notify_all();
}

void AttemptRanges::stop() {
  const std::lock_guard lock(mutex_);
  is_stopped_ = true;
  changed_.notify_all();
}

}  // namespace switchyard::cli
