#include "auth-api/login.hpp"

#include <array>

#include <fmt/format.h>
#include <sodium.h>

#include "auth-api/demo_password.hpp"
#include "auth-api/username.hpp"
#include "http/admissions.hpp"
#include "token/password.hpp"

namespace switchyard::auth {

using std::chrono::steady_clock;

namespace {

constexpr std::chrono::hours place_valid{24 * 30};
// A name is slowed for failures that were verified, so as many names at once as there can be failures in a
// window, not as there are requests.
constexpr std::size_t slowed_tidied_at = 1'024;

TooManyFailures until(const store::LoginFailures& window, Timestamp now) {
  return {std::chrono::ceil<std::chrono::seconds>(window.window_ends_at - now)};
}

}  // namespace

std::string login_subject(std::string_view kind, std::string_view name) {
  std::array<unsigned char, 16> hash;
  crypto_generichash(hash.data(), hash.size(), reinterpret_cast<const unsigned char*>(name.data()),
                     name.size(), nullptr, 0);
  std::array<char, 2 * hash.size() + 1> hex;
  sodium_bin2hex(hex.data(), hex.size(), hash.data(), hash.size());
  return fmt::format("{}:{}", kind, hex.data());
}

std::string login_subject(std::string_view kind, std::string_view name, const asio::ip::address& client) {
  return login_subject(kind, fmt::format("{} {}", client.to_string(), name));
}

Login::Login(store::Users& users, PasswordPool& passwords, const Clock& clock, LoginLimits limits,
             bool refuse_demo_passwords)
    : users_(users),
      passwords_(passwords),
      clock_(clock),
      limits_(limits),
      refuse_demo_passwords_(refuse_demo_passwords) {
  // The first unknown user must not cost twice: once for this hash, once for the verification against it.
  token::dummy_hash();
}

Login::Pending::Pending(Login& login, const Guess& guess)
    : login_(login),
      subjects_{login_subject("at", guess.username, guess.client),
                login_subject("address", guess.client.to_string()), login_subject("user", guess.username)},
      mac_(guess.mac) {
  const std::lock_guard lock(login_.mutex_);
  beside_ = {begin(subjects_[0]), begin(subjects_[1]), begin(subjects_[2])};
}

std::int64_t Login::Pending::begin(const std::string& subject) {
  auto& tried = login_.pending_[subject];
  ++tried[mac_];
  return static_cast<std::int64_t>(tried.size()) - 1;
}

Login::Pending::~Pending() {
  const std::lock_guard lock(login_.mutex_);
  for (const auto& subject : subjects_) {
    const auto tried = login_.pending_.find(subject);
    if (const auto count = tried->second.find(mac_); --count->second == 0) tried->second.erase(count);
    if (tried->second.empty()) login_.pending_.erase(tried);
  }
}

Task<std::expected<store::User, LoginRefusal>> Login::attempt(std::string username, std::string password,
                                                              asio::ip::address address) {
  const auto mac = verified_.mac(username, password);
  const auto client = http::client_of(address);
  if (auto user = verified_.find_fresh(username, mac, client, steady_clock::now())) {
    co_return std::move(*user);
  }
  Guess guess{std::move(username), std::move(password), client, mac};
  co_return co_await verify(std::move(guess));
}

Task<std::expected<store::User, LoginRefusal>> Login::verify(Guess guess) {
  auto user = co_await users_.find_user(guess.username);
  if (!user) co_return std::unexpected(user.error());
  // A user of an older version, perhaps; one whose name looks like another's.
  if (!username_problem(guess.username).empty()) user->reset();
  if (*user && verified_.recognise(**user, guess.mac, guess.client, steady_clock::now())) {
    co_return std::move(**user);
  }

  const Pending pending(*this, guess);
  const auto place = login_subject("place", guess.username, guess.client);
  const auto is_place = co_await admit(pending.subjects(), place, pending.beside());
  if (!is_place) co_return std::unexpected(is_place.error());

  if (!*user || !verified_.is_verified(**user, guess.mac, steady_clock::now())) {
    auto hash = *user ? (*user)->password_hash : std::string(token::dummy_hash());
    const auto verdict = co_await passwords_.verify(guess.client, std::move(hash), guess.password);
    if (!verdict) co_return std::unexpected(verdict.error());
    const bool refused = refuse_demo_passwords_ && is_demo_password(guess.password);
    if (!verdict->right || !*user || refused) {
      if (auto recorded =
              co_await users_.record_login_failure(pending.subjects(), clock_.now(), limits_.window);
          !recorded) {
        co_return std::unexpected(recorded.error());
      }
      co_return std::unexpected(InvalidCredentials{});
    }
    if (!verdict->better_hash.empty()) {
      // Somebody may have set another password meanwhile, whose hash stays.
      const auto replaced =
          co_await users_.replace_password_hash(guess.username, (*user)->password_hash, verdict->better_hash);
      if (replaced && *replaced) (*user)->password_hash = verdict->better_hash;
    }
  }
  verified_.remember(**user, guess.mac, guess.client, steady_clock::now());
  // The password is right whether or not this can be written.
  if (!*is_place) {
    std::vector<std::string> places{place};
    static_cast<void>(co_await users_.record_login_failure(std::move(places), clock_.now(), place_valid));
  }
  co_return std::move(**user);
}

Task<std::expected<bool, LoginRefusal>> Login::admit(std::vector<std::string> subjects, std::string place,
                                                     Beside beside) {
  const auto now = clock_.now();
  const auto user = subjects.back();
  const auto failures = co_await users_.login_failures(std::move(subjects), now, limits_.window);
  if (!failures) co_return std::unexpected(failures.error());
  std::vector<std::string> places{std::move(place)};
  const auto logins = co_await users_.login_failures(std::move(places), now, place_valid);
  if (!logins) co_return std::unexpected(logins.error());
  const auto& at_client = failures->at(0);
  const auto& of_client = failures->at(1);
  const auto& of_user = failures->at(2);
  const bool is_place = logins->front().count > 0;

  if (at_client.count >= limits_.failures_per_user) co_return std::unexpected(until(at_client, now));
  if (of_client.count >= limits_.failures_per_address) co_return std::unexpected(until(of_client, now));
  if (at_client.count + beside.at_client >= limits_.failures_per_user ||
      of_client.count + beside.of_client >= limits_.failures_per_address) {
    co_return std::unexpected(TooManyFailures{std::chrono::seconds(1)});
  }
  if (!is_place && of_user.count + beside.of_user >= limits_.failures_per_user) {
    const auto wait = take_slow_turn(user, now);
    if (wait.count() > 0) {
      co_return std::unexpected(TooManyFailures{std::chrono::ceil<std::chrono::seconds>(wait)});
    }
  }
  co_return is_place;
}

std::chrono::milliseconds Login::take_slow_turn(const std::string& subject, Timestamp now) {
  const std::lock_guard lock(mutex_);
  if (slowed_.size() >= slowed_tidied_at) {
    std::erase_if(slowed_, [now](const auto& of_name) { return of_name.second <= now; });
  }
  auto& next = slowed_[subject];
  // Farther away than a turn: the clock was set back.
  if (next > now && next <= now + limits_.slow_interval) return next - now;
  next = now + limits_.slow_interval;
  return std::chrono::milliseconds(0);
}

}  // namespace switchyard::auth
