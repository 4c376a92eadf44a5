#include "auth-api/verified_passwords.hpp"

#include <sodium.h>

#include "base/assert.hpp"

namespace switchyard::auth {
namespace {

constexpr std::chrono::seconds row_fresh{1};
constexpr std::chrono::minutes verification_valid{5};
constexpr std::size_t entries_max = 10'000;

bool same(const VerifiedPasswords::Mac& left, const VerifiedPasswords::Mac& right) {
  return sodium_memcmp(left.data(), right.data(), left.size()) == 0;
}

}  // namespace

VerifiedPasswords::VerifiedPasswords() {
  SWITCHYARD_ASSERT(sodium_init() >= 0);
  randombytes_buf(key_.data(), key_.size());
}

VerifiedPasswords::Mac VerifiedPasswords::mac(std::string_view username, std::string_view password) const {
  crypto_generichash_state state;
  crypto_generichash_init(&state, key_.data(), key_.size(), std::tuple_size_v<Mac>);
  const auto update = [&state](std::string_view bytes) {
    // The length in front keeps ("ab", "c") and ("a", "bc") apart.
    const std::uint64_t size = bytes.size();
    crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(&size), sizeof(size));
    crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  };
  update(username);
  update(password);
  Mac mac;
  crypto_generichash_final(&state, mac.data(), mac.size());
  return mac;
}

std::optional<store::User> VerifiedPasswords::find_fresh(const std::string& username, const Mac& mac,
                                                         Instant now) const {
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(username);
  if (entry == entries_.end() || now >= entry->second.fresh_until || !same(entry->second.mac, mac)) {
    return std::nullopt;
  }
  return entry->second.user;
}

bool VerifiedPasswords::is_verified(const std::string& username, const Mac& mac,
                                    const std::string& password_hash, Instant now) const {
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(username);
  return entry != entries_.end() && now < entry->second.verified_until && same(entry->second.mac, mac) &&
         entry->second.user.password_hash == password_hash;
}

void VerifiedPasswords::remember(const store::User& user, const Mac& mac, Instant now) {
  const std::lock_guard lock(mutex_);
  if (entries_.size() >= entries_max && !entries_.contains(user.username)) {
    std::erase_if(entries_, [now](const auto& entry) { return now >= entry.second.fresh_until; });
    if (entries_.size() >= entries_max) entries_.erase(entries_.begin());
  }
  entries_[user.username] = {mac, user, now + row_fresh, now + verification_valid};
}

void VerifiedPasswords::refresh(const store::User& user, Instant now) {
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(user.username);
  if (entry == entries_.end()) return;
  entry->second.user = user;
  entry->second.fresh_until = std::min(now + row_fresh, entry->second.verified_until);
}

}  // namespace switchyard::auth
