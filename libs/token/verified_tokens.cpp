#include "token/verified_tokens.hpp"

#include <cstring>
#include <utility>

#include <sodium.h>

#include "base/assert.hpp"

namespace switchyard::token {

VerifiedTokens::VerifiedTokens(Verify verify) : verify_(std::move(verify)), slots_(slots) {
  SWITCHYARD_ASSERT(sodium_init() >= 0);
  static_assert(std::tuple_size_v<decltype(key_)> == crypto_shorthash_siphashx24_KEYBYTES);
  randombytes_buf(key_.data(), key_.size());
}

std::expected<Claims, TokenError> VerifiedTokens::verify(std::string_view token, Timestamp now) const {
  const auto hash = hash_of(token);
  std::size_t number = 0;
  std::memcpy(&number, hash.data(), sizeof number);
  auto& slot = slots_[number % slots];
  auto& lock = locks_[number % locks_.size()];
  {
    const std::lock_guard guard(lock);
    if (slot.hash == hash && slot.verified_at <= now && now < slot.claims.expires_at) return slot.claims;
  }
  auto claims = verify_(token, now);
  if (claims) {
    const std::lock_guard guard(lock);
    slot = {hash, now, *claims};
  }
  return claims;
}

VerifiedTokens::Hash VerifiedTokens::hash_of(std::string_view token) const {
  Hash hash;
  const auto* bytes = reinterpret_cast<const unsigned char*>(token.data());
  static_assert(std::tuple_size_v<Hash> == crypto_shorthash_siphashx24_BYTES);
  SWITCHYARD_ASSERT(crypto_shorthash_siphashx24(hash.data(), bytes, token.size(), key_.data()) == 0);
  return hash;
}

}  // namespace switchyard::token
