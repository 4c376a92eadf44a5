#include "routing/draws.hpp"

#include "base/assert.hpp"

namespace switchyard::routing {
namespace {

constexpr std::uint64_t golden_gamma = 0x9e37'79b9'7f4a'7c15;

// A total fits the bits that are shifted out of a number.
static_assert(static_cast<std::int64_t>(accounts_max) * weight_max < (std::int64_t{1} << 27));

std::uint64_t mix(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58'476d'1ce4'e5b9;
  value = (value ^ (value >> 27)) * 0x94d0'49bb'1331'11eb;
  return value ^ (value >> 31);
}

std::uint64_t big_endian(std::span<const std::uint8_t> bytes) {
  std::uint64_t number = 0;
  for (const auto byte : bytes) number = (number << 8) | byte;
  return number;
}

}  // namespace

std::uint64_t draw_number(TransactionId id, std::uint32_t round) {
  const std::span<const std::uint8_t> bytes(id.value.bytes);
  const auto low = big_endian(bytes.subspan(8));
  return mix(mix(low + (std::uint64_t{round} + 1) * golden_gamma) ^ big_endian(bytes.first(8)));
}

Draws::Draws(TransactionId id, std::span<const Weighted> shares) : id_(id), shares_(shares) {
  SWITCHYARD_ASSERT(shares.size() <= accounts_max);
  for (const auto& share : shares) total_ += share.weight;
}

std::optional<Drawn> Draws::next() {
  if (total_ == 0) return std::nullopt;
  const auto scaled = (draw_number(id_, round_++) >> 27) * static_cast<std::uint64_t>(total_);
  const auto position = static_cast<std::int64_t>(scaled >> 37);
  std::int64_t end = 0;
  for (std::size_t i = 0; i < shares_.size(); ++i) {
    if (drawn_.test(i)) continue;
    end += shares_[i].weight;
    if (position >= end) continue;
    drawn_.set(i);
    const Drawn drawn{.account = shares_[i].account, .position = position, .total = total_};
    total_ -= shares_[i].weight;
    return drawn;
  }
  SWITCHYARD_ASSERT(false);
  return std::nullopt;
}

}  // namespace switchyard::routing
