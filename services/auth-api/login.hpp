// Decides whether a username and a password belong together.
//
// One answer and one cost in time for an unknown user and a wrong password. Failures are counted in the
// store, per user and per address, so the bound holds across processes and restarts. A password that was
// verified is remembered for a while as a keyed hash (key: random, of this process), so that Argon2id runs
// once per user and period; the user's row is read again each second, so a disabled user or a new password
// counts from then on.
//
// Safe to use from any thread.
#pragma once

#include <chrono>
#include <expected>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <variant>

#include "auth-api/password_pool.hpp"
#include "auth-api/verified_passwords.hpp"
#include "base/clock.hpp"
#include "store/store.hpp"

namespace switchyard::auth {

struct InvalidCredentials {};
struct TooManyFailures {
  std::chrono::seconds retry_after;
};
using LoginRefusal = std::variant<InvalidCredentials, TooManyFailures, Error>;

// Under which the failures of a user or an address are counted. A hash: what people type into the wrong
// field, a password say, must not stand in the store. `kind` is "user" or "address".
std::string failure_subject(std::string_view kind, std::string_view name);

struct LoginLimits {
  std::int64_t failures_per_user = 10;
  std::int64_t failures_per_address = 100;
  std::chrono::milliseconds window{300'000};
};

class Login {
 public:
  // `refuse_demo_passwords`: in production nobody gets in with the password of the demo users.
  Login(store::Store& store, PasswordPool& passwords, const Clock& clock, LoginLimits limits,
        bool refuse_demo_passwords);

  Task<std::expected<store::User, LoginRefusal>> attempt(std::string username, std::string password,
                                                         std::string address);

 private:
  // Counts the passwords that are being tried for one user, as if they had failed already: or a thousand
  // guesses at once would pass the bound before the first failure is written. Many logins with one password
  // are no guesses.
  class Pending {
   public:
    Pending(Login& login, const std::string& username, const VerifiedPasswords::Mac& mac);
    ~Pending();
    Pending(const Pending&) = delete;
    Pending& operator=(const Pending&) = delete;
    std::int64_t other_passwords() const { return other_passwords_; }

   private:
    Login& login_;
    std::string username_;
    VerifiedPasswords::Mac mac_;
    std::int64_t other_passwords_ = 0;
  };

  Task<std::expected<store::User, LoginRefusal>> verify(std::string username, std::string password,
                                                        std::string address);
  Task<std::expected<void, LoginRefusal>> check_failures(std::vector<std::string> subjects,
                                                         std::int64_t pending);

  store::Store& store_;
  PasswordPool& passwords_;
  const Clock& clock_;
  const LoginLimits limits_;
  const bool refuse_demo_passwords_;
  VerifiedPasswords verified_;
  std::mutex mutex_;
  std::unordered_map<std::string, std::map<VerifiedPasswords::Mac, std::int64_t>> pending_;
};

}  // namespace switchyard::auth
