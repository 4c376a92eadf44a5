// Strong ids: a TransactionId cannot be passed where a UserId is meant.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace switchyard {

// 128 bits in network order, so that the order of bytes is the order of time for version 7 (RFC 9562, 5.7).
struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  // A new version 7 UUID: 48 bits of milliseconds, 12 bits of the millisecond's fraction (RFC 9562, 6.2,
  // method 3), 62 random bits. Safe to call from any thread.
  static Uuid generate();

  // The canonical form only: 36 characters, hexadecimal in either case, four hyphens.
  static std::optional<Uuid> parse(std::string_view text);

  std::string to_string() const;

  friend auto operator<=>(const Uuid&, const Uuid&) = default;
};

template <class Tag, class Value>
struct StrongId {
  Value value{};

  friend auto operator<=>(const StrongId&, const StrongId&) = default;
};

using TransactionId = StrongId<struct TransactionTag, Uuid>;
using UserId = StrongId<struct UserTag, std::int64_t>;

// Each user is one merchant account: the user_id of a token owns the transactions made with it.
using MerchantId = UserId;

// `size` random bytes of the kernel's generator as lower-case hexadecimal.
std::string random_hex(std::size_t size);

}  // namespace switchyard
