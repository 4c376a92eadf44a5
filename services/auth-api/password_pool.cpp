#include "auth-api/password_pool.hpp"

#include <boost/asio/post.hpp>
#include <sys/resource.h>
#include <unistd.h>

#include "token/password.hpp"

namespace switchyard::auth {
namespace {

constexpr int niceness = 10;

// On Linux the priority belongs to the thread.
void lower_priority_once() {
  thread_local const bool lowered = ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), niceness) == 0;
  static_cast<void>(lowered);
}

}  // namespace

template <class Handler>
struct PasswordPool::TypedVerification final : Verification {
  TypedVerification(Handler given_handler, std::string hash, std::string password)
      : Verification(home_of(given_handler), std::move(hash), std::move(password)),
        handler(std::move(given_handler)) {}
  void complete() override { std::move(handler)(std::move(result)); }

  Handler handler;
};

Task<Result<PasswordPool::Verdict>> PasswordPool::verify(asio::ip::address client, std::string hash,
                                                         std::string password) {
  return asio::async_initiate<const asio::use_awaitable_t<Executor>, void(Result<Verdict>)>(
      [this, client](auto handler, std::string given_hash, std::string given_password) {
        submit(client, std::make_unique<TypedVerification<decltype(handler)>>(
                           std::move(handler), std::move(given_hash), std::move(given_password)));
      },
      use_task, std::move(hash), std::move(password));
}

void PasswordPool::submit(const asio::ip::address& client, std::unique_ptr<Verification> verification) {
  std::unique_ptr<Verification> refused;
  {
    const std::lock_guard lock(mutex_);
    if (line_.why_no_room(client) != nullptr) {
      if (auto newest = line_.take_newest_of_longest(client)) refused = std::move(*newest);
    }
    if (line_.why_no_room(client) != nullptr) {
      refused = std::move(verification);
    } else {
      line_.push(client, std::move(verification));
      // Each takes the next in turn, which is seldom the one it was posted for.
      asio::post(pool_, [this] { work_off_one(); });
    }
  }
  if (!refused) return;
  refused->result = fail(ErrorCode::overloaded, "too many logins are being verified");
  complete_at_home(std::move(refused));
}

std::unique_ptr<PasswordPool::Verification> PasswordPool::next() {
  const std::lock_guard lock(mutex_);
  return line_.empty() ? nullptr : line_.pop();
}

void PasswordPool::work_off_one() {
  lower_priority_once();
  auto verification = next();
  // What this was posted for lost its place.
  if (!verification) return;
  if (std::chrono::steady_clock::now() - verification->began > wait_max_) {
    verification->result = fail(ErrorCode::overloaded, "logins come faster than they are verified");
    complete_at_home(std::move(verification));
    return;
  }
  Verdict verdict{.right = token::verify_password(verification->hash, verification->password)};
  if (verdict.right && token::needs_rehash(verification->hash))
    verdict.better_hash = token::hash_password(verification->password).value_or("");
  verification->result = std::move(verdict);
  complete_at_home(std::move(verification));
}

}  // namespace switchyard::auth
