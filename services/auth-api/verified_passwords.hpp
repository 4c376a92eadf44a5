// Remembers which passwords were verified lately, without keeping them: as a BLAKE2b hash under a random key
// that never leaves this process.
//
// Bounded; safe to use from any thread.
#pragma once

#include <array>
#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "store/store.hpp"

namespace switchyard::auth {

class VerifiedPasswords {
 public:
  using Mac = std::array<unsigned char, 32>;
  using Instant = std::chrono::steady_clock::time_point;

  VerifiedPasswords();

  Mac mac(std::string_view username, std::string_view password) const;

  // The user, if this password was verified and the row was read within the last second.
  std::optional<store::User> find_fresh(const std::string& username, const Mac& mac, Instant now) const;
  // Whether this password was verified against this hash within the last minutes.
  bool is_verified(const std::string& username, const Mac& mac, const std::string& password_hash,
                   Instant now) const;

  // The password was verified just now.
  void remember(const store::User& user, const Mac& mac, Instant now);
  // The row was read again just now.
  void refresh(const store::User& user, Instant now);

 private:
  struct Entry {
    Mac mac{};
    store::User user;
    Instant fresh_until;
    Instant verified_until;
  };

  std::array<unsigned char, 32> key_{};
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace switchyard::auth
