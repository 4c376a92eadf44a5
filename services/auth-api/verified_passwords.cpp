#include "auth-api/verified_passwords.hpp"

#include <algorithm>

#include <sodium.h>

#include "base/assert.hpp"

namespace switchyard::auth {
namespace {

constexpr std::chrono::seconds row_fresh{1};
constexpr std::chrono::minutes verification_valid{5};
constexpr std::size_t entries_max = 10'000;
// Of one user.
constexpr std::size_t places_max = 64;

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

// Under the lock.
bool VerifiedPasswords::passes(Entry& entry, const Mac& mac, const Client& client, Instant now) {
  const auto place = std::ranges::find(entry.places, client, &Place::client);
  if (place == entry.places.end()) return false;
  if (place->wrong_until > now + (wrong_guesses_max - 1) * wrong_guess_interval) return false;
  if (same(entry.mac, mac)) return true;
  if (!same(place->last_wrong, mac)) {
    place->last_wrong = mac;
    place->wrong_until = std::max(place->wrong_until, now) + wrong_guess_interval;
  }
  return false;
}

std::optional<store::User> VerifiedPasswords::find_fresh(const std::string& username, const Mac& mac,
                                                         const Client& client, Instant now) {
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(username);
  if (entry == entries_.end() || now >= entry->second.fresh_until) return std::nullopt;
  if (!passes(entry->second, mac, client, now)) return std::nullopt;
  return entry->second.user;
}

bool VerifiedPasswords::recognise(const store::User& user, const Mac& mac, const Client& client,
                                  Instant now) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(user.username);
  if (found == entries_.end()) return false;
  auto& entry = found->second;
  if (now >= entry.verified_until || entry.user.password_hash != user.password_hash) return false;
  if (!passes(entry, mac, client, now)) return false;
  entry.user = user;
  entry.fresh_until = now + row_fresh;
  entry.verified_until = now + verification_valid;
  return true;
}

bool VerifiedPasswords::is_verified(const store::User& user, const Mac& mac, Instant now) const {
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(user.username);
  return entry != entries_.end() && now < entry->second.verified_until && same(entry->second.mac, mac) &&
         entry->second.user.password_hash == user.password_hash;
}

void VerifiedPasswords::remember(const store::User& user, const Mac& mac, const Client& client, Instant now) {
  const std::lock_guard lock(mutex_);
  if (entries_.size() >= entries_max && !entries_.contains(user.username)) {
    std::erase_if(entries_, [now](const auto& entry) { return now >= entry.second.fresh_until; });
    if (entries_.size() >= entries_max) entries_.erase(entries_.begin());
  }
  auto& entry = entries_[user.username];
  // The places of another password are none of this one.
  if (!same(entry.mac, mac)) entry.places.clear();
  auto& places = entry.places;
  if (std::ranges::find(places, client, &Place::client) == places.end()) {
    if (places.size() >= places_max) places.erase(places.begin());
    places.push_back({.client = client});
  }
  entry.mac = mac;
  entry.user = user;
  entry.fresh_until = now + row_fresh;
  entry.verified_until = now + verification_valid;
}

}  // namespace switchyard::auth
