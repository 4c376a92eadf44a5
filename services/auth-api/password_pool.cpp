#include "auth-api/password_pool.hpp"

#include <algorithm>

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
    if (waiting_ >= waiting_max_) refused = make_room_for(client);
    if (waiting_ >= waiting_max_) {
      refused = std::move(verification);
    } else {
      auto& queue = queues_[client];
      if (queue.empty()) line_.push_back(client);
      queue.push_back(std::move(verification));
      ++waiting_;
      // Each takes the next in turn, which is seldom the one it was posted for.
      asio::post(pool_, [this] { work_off_one(); });
    }
  }
  if (!refused) return;
  refused->result = fail(ErrorCode::overloaded, "too many logins are being verified");
  complete_at_home(std::move(refused));
}

// Under the lock. The newest of the client who has most waiting; null if that is `client`, or would be.
std::unique_ptr<PasswordPool::Verification> PasswordPool::make_room_for(const asio::ip::address& client) {
  const auto longest =
      std::ranges::max_element(queues_, {}, [](const auto& of_client) { return of_client.second.size(); });
  if (longest == queues_.end()) return nullptr;
  const auto own = queues_.find(client);
  const auto own_size = own == queues_.end() ? 0 : own->second.size();
  if (longest->second.size() <= own_size + 1) return nullptr;
  auto newest = std::move(longest->second.back());
  // Never its last: it has more than one.
  longest->second.pop_back();
  --waiting_;
  return newest;
}

std::unique_ptr<PasswordPool::Verification> PasswordPool::next() {
  const std::lock_guard lock(mutex_);
  if (line_.empty()) return nullptr;
  const auto client = line_.front();
  line_.pop_front();
  const auto queue = queues_.find(client);
  auto verification = std::move(queue->second.front());
  queue->second.pop_front();
  --waiting_;
  if (queue->second.empty()) {
    queues_.erase(queue);
  } else {
    line_.push_back(client);
  }
  return verification;
}

void PasswordPool::work_off_one() {
  lower_priority_once();
  auto verification = next();
  // What this was posted for lost its place.
  if (!verification) return;
  Verdict verdict{.right = token::verify_password(verification->hash, verification->password)};
  if (verdict.right && token::needs_rehash(verification->hash))
    verdict.better_hash = token::hash_password(verification->password).value_or("");
  verification->result = std::move(verdict);
  complete_at_home(std::move(verification));
}

}  // namespace switchyard::auth
