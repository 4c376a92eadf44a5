// Weights: the accounts of a rule in the order in which a transaction is drawn for them.
//
// A draw is a function of the transaction's id and of how many there were before it, so that it can be
// repeated at any time and on any machine:
//
//   high, low  the id's first and last 8 bytes, each as a big-endian number
//   number   = mix(mix(low + (round + 1) * 0x9e3779b97f4a7c15) ^ high), round from 0
//   mix        of SplitMix64 (Steele, Lea and Flood, 2014), all modulo 2^64
//   position = ((number >> 27) * total) >> 37, total: the weights of all accounts not drawn yet
//
// The account is the one in whose share the position falls, shares laid side by side in the order of the
// file. It is then left out, and the next round draws among the others. So the first account that can take a
// payment is chosen with the share of its weight among those that can, and one whose breaker opens moves no
// payment but its own. Test vectors freeze it: another mix would send a payment elsewhere when it is looked
// at again.
#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <span>

#include "base/id.hpp"
#include "routing/routes.hpp"

namespace switchyard::routing {

std::uint64_t draw_number(TransactionId id, std::uint32_t round);

struct Drawn {
  std::size_t account = 0;
  // 0 <= position < total.
  std::int64_t position = 0;
  std::int64_t total = 1;
};

// `shares` must outlive it.
class Draws {
 public:
  Draws(TransactionId id, std::span<const Weighted> shares);

  // Each account once; then nothing.
  std::optional<Drawn> next();

 private:
  const TransactionId id_;
  const std::span<const Weighted> shares_;
  std::bitset<accounts_max> drawn_;
  std::int64_t total_ = 0;
  std::uint32_t round_ = 0;
};

}  // namespace switchyard::routing
