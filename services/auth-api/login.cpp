#include "auth-api/login.hpp"

#include <array>

#include <fmt/format.h>
#include <sodium.h>

#include "auth-api/demo_password.hpp"
#include "token/password.hpp"

namespace switchyard::auth {

using std::chrono::steady_clock;

std::string failure_subject(std::string_view kind, std::string_view name) {
  std::array<unsigned char, 16> hash;
  crypto_generichash(hash.data(), hash.size(), reinterpret_cast<const unsigned char*>(name.data()),
                     name.size(), nullptr, 0);
  std::array<char, 2 * hash.size() + 1> hex;
  sodium_bin2hex(hex.data(), hex.size(), hash.data(), hash.size());
  return fmt::format("{}:{}", kind, hex.data());
}

Login::Login(store::Store& store, PasswordPool& passwords, const Clock& clock, LoginLimits limits,
             bool refuse_demo_passwords)
    : store_(store),
      passwords_(passwords),
      clock_(clock),
      limits_(limits),
      refuse_demo_passwords_(refuse_demo_passwords) {
  // The first unknown user must not cost twice: once for this hash, once for the verification against it.
  token::dummy_hash();
}

Login::Pending::Pending(Login& login, const std::string& username, const VerifiedPasswords::Mac& mac)
    : login_(login), username_(username), mac_(mac) {
  const std::lock_guard lock(login_.mutex_);
  auto& tried = login_.pending_[username_];
  ++tried[mac_];
  other_passwords_ = static_cast<std::int64_t>(tried.size()) - 1;
}

Login::Pending::~Pending() {
  const std::lock_guard lock(login_.mutex_);
  const auto tried = login_.pending_.find(username_);
  if (const auto count = tried->second.find(mac_); --count->second == 0) tried->second.erase(count);
  if (tried->second.empty()) login_.pending_.erase(tried);
}

Task<std::expected<store::User, LoginRefusal>> Login::attempt(std::string username, std::string password,
                                                              std::string address) {
  const auto now = steady_clock::now();
  const auto mac = verified_.mac(username, password);
  if (auto user = verified_.find_fresh(username, mac, now)) co_return std::move(*user);
  co_return co_await verify(std::move(username), std::move(password), std::move(address));
}

Task<std::expected<store::User, LoginRefusal>> Login::verify(std::string username, std::string password,
                                                             std::string address) {
  const auto mac = verified_.mac(username, password);
  const std::vector<std::string> subjects{failure_subject("user", username),
                                          failure_subject("address", address)};
  auto user = co_await store_.find_user(username);
  if (!user) co_return std::unexpected(user.error());

  const bool known =
      *user && verified_.is_verified(username, mac, (*user)->password_hash, steady_clock::now());
  const Pending pending(*this, username, mac);
  if (auto checked = co_await check_failures(subjects, known ? 0 : pending.other_passwords()); !checked) {
    co_return std::unexpected(checked.error());
  }
  if (known) {
    verified_.refresh(**user, steady_clock::now());
    co_return std::move(**user);
  }

  auto hash = *user ? (*user)->password_hash : std::string(token::dummy_hash());
  const auto right = co_await passwords_.verify(std::move(hash), password);
  if (!right) co_return std::unexpected(right.error());
  const bool refused = refuse_demo_passwords_ && is_demo_password(password);
  if (!*right || !*user || refused) {
    if (auto recorded = co_await store_.record_login_failure(subjects, clock_.now(), limits_.window);
        !recorded) {
      co_return std::unexpected(recorded.error());
    }
    co_return std::unexpected(InvalidCredentials{});
  }
  verified_.remember(**user, mac, steady_clock::now());
  co_return std::move(**user);
}

Task<std::expected<void, LoginRefusal>> Login::check_failures(std::vector<std::string> subjects,
                                                              std::int64_t pending) {
  const auto now = clock_.now();
  const auto failures = co_await store_.login_failures(std::move(subjects), now, limits_.window);
  if (!failures) co_return std::unexpected(failures.error());
  const auto& of_user = failures->at(0);
  const auto& of_address = failures->at(1);
  const auto wait = [now](const store::LoginFailures& window) {
    return TooManyFailures{std::chrono::ceil<std::chrono::seconds>(window.window_ends_at - now)};
  };
  if (of_user.count >= limits_.failures_per_user) co_return std::unexpected(wait(of_user));
  if (of_address.count >= limits_.failures_per_address) co_return std::unexpected(wait(of_address));
  if (of_user.count + pending >= limits_.failures_per_user) {
    co_return std::unexpected(TooManyFailures{std::chrono::seconds(1)});
  }
  co_return std::expected<void, LoginRefusal>{};
}

}  // namespace switchyard::auth
