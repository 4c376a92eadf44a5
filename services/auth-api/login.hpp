// Decides whether a username and a password belong together.
//
// One answer and one cost in time, one Argon2id, for an unknown user, a name that nobody may have
// (username.hpp) and a wrong password. The user's row is
// read again each second, so a disabled user or a new password counts from then on.
//
// What bounds guessing must not stop payments, and what lets payments through must be no way to guess. A
// client is an IPv4 address or an IPv6 /64 (http::client_of).
// - Hard: failures of one client, and of one name at one client, are 429 until their window ends.
// - Slow: failures of one name at all clients. Past the bound, clients where its password was never verified
//   have one guess each few seconds between them (in each process), so whoever fails on purpose, from
//   however many addresses, gains little; the owner at a new address waits for a turn, not for the window.
// - Places: a client where the name's password was verified, within 30 days, is not slowed by what others do.
// - Remembered: a password that this process has verified for this client lets in whatever has failed, there
//   too, and costs no Argon2id. VerifiedPasswords says why that is no way to guess.
// Guesses under way count as failed, or a thousand at once would pass the bounds before the first failure is
// written; many logins with one password are no guesses. Failures and places are in the store, so they hold
// across processes and restarts.
//
// A hash of less than today's cost is replaced when its password was verified.
//
// Safe to use from any io thread.
#pragma once

#include <chrono>
#include <expected>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include <boost/asio/ip/address.hpp>

#include "auth-api/password_pool.hpp"
#include "auth-api/verified_passwords.hpp"
#include "base/clock.hpp"
#include "store/users.hpp"

namespace switchyard::auth {

struct InvalidCredentials {};
struct TooManyFailures {
  std::chrono::seconds retry_after;
};
using LoginRefusal = std::variant<InvalidCredentials, TooManyFailures, Error>;

// Under which something is counted: what is counted, and of whom. A hash: what people type into the wrong
// field, a password say, must not stand in the store.
std::string login_subject(std::string_view kind, std::string_view name);
// The subject of a name at a client.
std::string login_subject(std::string_view kind, std::string_view name, const asio::ip::address& client);

struct LoginLimits {
  // Of one name: at one client hard, at all clients before they are slowed.
  std::int64_t failures_per_user = 10;
  std::int64_t failures_per_address = 100;
  std::chrono::milliseconds window{300'000};
  // Between two guesses at a name that is slowed.
  std::chrono::milliseconds slow_interval{6'000};
};

class Login {
 public:
  // `refuse_demo_passwords`: in production nobody gets in with the password of the demo users.
  Login(store::Users& users, PasswordPool& passwords, const Clock& clock, LoginLimits limits,
        bool refuse_demo_passwords);

  // `address`: where the client is.
  Task<std::expected<store::User, LoginRefusal>> attempt(std::string username, std::string password,
                                                         asio::ip::address address);

 private:
  struct Guess {
    std::string username;
    std::string password;
    asio::ip::address client;
    VerifiedPasswords::Mac mac;
  };

  // Passwords that are being tried beside this one, each counted once.
  struct Beside {
    std::int64_t at_client = 0;
    std::int64_t of_client = 0;
    std::int64_t of_user = 0;
  };

  // What a guess is counted under, and among those under way while it lives.
  class Pending {
   public:
    Pending(Login& login, const Guess& guess);
    ~Pending();
    Pending(const Pending&) = delete;
    Pending& operator=(const Pending&) = delete;

    // Of the name at the client, of the client, of the name.
    const std::vector<std::string>& subjects() const { return subjects_; }
    Beside beside() const { return beside_; }

   private:
    std::int64_t begin(const std::string& subject);

    Login& login_;
    const std::vector<std::string> subjects_;
    const VerifiedPasswords::Mac mac_;
    Beside beside_;
  };

  Task<std::expected<store::User, LoginRefusal>> verify(Guess guess);
  // Of a guess that may be made: whether its client is a place.
  Task<std::expected<bool, LoginRefusal>> admit(std::vector<std::string> subjects, std::string place,
                                                Beside beside);
  // Zero if a guess at this slowed name may be made now, which takes the turn; else the time until then.
  std::chrono::milliseconds take_slow_turn(const std::string& subject, Timestamp now);

  store::Users& users_;
  PasswordPool& passwords_;
  const Clock& clock_;
  const LoginLimits limits_;
  const bool refuse_demo_passwords_;
  VerifiedPasswords verified_;
  std::mutex mutex_;
  // By subject.
  std::unordered_map<std::string, std::map<VerifiedPasswords::Mac, std::int64_t>> pending_;
  // By subject: when the next guess may be made. Those whose time has come go when there are many.
  std::unordered_map<std::string, Timestamp> slowed_;
};

}  // namespace switchyard::auth
