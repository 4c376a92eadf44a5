// Remembers tokens that were verified lately, so that one that comes again, as a merchant's does with each
// request for an hour, costs a hash and a comparison. A token is kept, with what it says, as its hash under a
// random key that never leaves this process: SipHash-2-4 with 128 bits, a pseudorandom function, so that
// nobody without the key can make another token that passes for it.
//
// What is remembered is never more than what Jwt::verify() would say now: only what it let in is kept, and
// that counts from the time it was let in until the token expires.
//
// Bounded: a token takes the place of another one whose hash falls on the same slot, which is then verified
// again. Safe to use from any thread.
#pragma once

#include <array>
#include <cstddef>
#include <expected>
#include <functional>
#include <mutex>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "token/claims.hpp"
#include "token/token_error.hpp"

namespace switchyard::token {

class VerifiedTokens {
 public:
  using Verify =
      std::move_only_function<std::expected<Claims, TokenError>(std::string_view token, Timestamp now) const>;

  static constexpr std::size_t slots = 4096;

  // `verify`: Jwt::verify(). From any thread.
  explicit VerifiedTokens(Verify verify);

  std::expected<Claims, TokenError> verify(std::string_view token, Timestamp now) const;

 private:
  using Hash = std::array<unsigned char, 16>;
  // Empty: verified_at is later than any time.
  struct Slot {
    Hash hash{};
    Timestamp verified_at = Timestamp::max();
    Claims claims;
  };

  Hash hash_of(std::string_view token) const;

  Verify verify_;
  std::array<unsigned char, 16> key_{};
  // One for each so many slots.
  mutable std::array<std::mutex, 64> locks_;
  mutable std::vector<Slot> slots_;
};

}  // namespace switchyard::token
