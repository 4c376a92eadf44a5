// Remembers which passwords were verified lately, and for which clients, without keeping them: as a BLAKE2b
// hash under a random key that never leaves this process.
//
// A comparison with what is remembered costs next to nothing, so it must not become a way to guess quickly.
// It lets in only at a place, a client (http::client_of) where this password was verified; and there, once
// ten different wrong passwords in a row were compared, one more each six seconds. Beyond that nobody is
// recognised until the ration is back: each login is then decided as that of a stranger. Whoever shares a
// merchant's address, and guesses in a flood, gets that far and no farther. A wrong password that somebody
// keeps sending, as a program with an old one does, is one guess.
//
// A password is forgotten when nobody has used it for five minutes. Bounded; safe to use from any thread.
#pragma once

#include <array>
#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <boost/asio/ip/address.hpp>

#include "store/users.hpp"

namespace switchyard::auth {

class VerifiedPasswords {
 public:
  using Mac = std::array<unsigned char, 32>;
  using Instant = std::chrono::steady_clock::time_point;
  using Client = boost::asio::ip::address;

  static constexpr std::int64_t wrong_guesses_max = 10;
  static constexpr std::chrono::seconds wrong_guess_interval{6};

  VerifiedPasswords();

  Mac mac(std::string_view username, std::string_view password) const;

  // The user, if this password was verified for this client and the row was read within the last second.
  std::optional<store::User> find_fresh(const std::string& username, const Mac& mac, const Client& client,
                                        Instant now);
  // Whether this password was verified against the user's hash, and for this client. The row was read just
  // now; if so, it is kept.
  bool recognise(const store::User& user, const Mac& mac, const Client& client, Instant now);
  // Whether it was verified against that hash for anybody. Says nothing to a guesser only if the guess is
  // bounded as one that is hashed.
  bool is_verified(const store::User& user, const Mac& mac, Instant now) const;

  // The password was verified just now.
  void remember(const store::User& user, const Mac& mac, const Client& client, Instant now);

 private:
  struct Place {
    Client client;
    // The wrong guesses compared lately, as the time that must pass until all are forgotten.
    Instant wrong_until{};
    Mac last_wrong{};
  };
  struct Entry {
    Mac mac{};
    store::User user;
    Instant fresh_until;
    Instant verified_until;
    // Oldest first.
    std::vector<Place> places;
  };

  static bool passes(Entry& entry, const Mac& mac, const Client& client, Instant now);

  std::array<unsigned char, 32> key_{};
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace switchyard::auth
