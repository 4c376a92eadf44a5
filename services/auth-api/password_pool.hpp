// Threads that hash passwords, so that no I/O thread ever does: one Argon2id takes tens of milliseconds.
//
// The threads run at a lower priority than everything else, and only so many hashes may wait: a flood of
// first logins slows logins down, not other routes.
#pragma once

#include <atomic>
#include <string>

#include <boost/asio/thread_pool.hpp>

#include "base/error.hpp"
#include "base/task.hpp"

namespace switchyard::auth {

class PasswordPool {
 public:
  PasswordPool(std::size_t threads, std::size_t waiting_max) : pool_(threads), waiting_max_(waiting_max) {}
  ~PasswordPool() { pool_.join(); }

  // Whether the password is the one of the hash. Completes on the caller's thread. Error: overloaded.
  Task<Result<bool>> verify(std::string hash, std::string password);

 private:
  asio::thread_pool pool_;
  const std::size_t waiting_max_;
  std::atomic<std::size_t> waiting_{0};
};

}  // namespace switchyard::auth
