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

Task<Result<bool>> PasswordPool::verify(std::string hash, std::string password) {
  if (waiting_.fetch_add(1) >= waiting_max_) {
    waiting_.fetch_sub(1);
    co_return fail(ErrorCode::overloaded, "too many logins are being verified");
  }
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void(Result<bool>)>(
      [this](auto handler, std::string given_hash, std::string given_password) {
        asio::post(pool_, [this, handler = std::move(handler), given_hash = std::move(given_hash),
                           given_password = std::move(given_password)]() mutable {
          lower_priority_once();
          const bool right = token::verify_password(given_hash, given_password);
          waiting_.fetch_sub(1);
          const auto executor = asio::get_associated_executor(handler);
          asio::post(executor, [handler = std::move(handler), right]() mutable {
            std::move(handler)(Result<bool>(right));
          });
        });
      },
      use_task, std::move(hash), std::move(password));
}

}  // namespace switchyard::auth
