// Threads that hash passwords, so that no I/O thread ever does: one Argon2id takes tens of milliseconds.
//
// The threads run at a lower priority than everything else, and only so many hashes may wait: a flood of
// first logins slows logins down, not other routes. Clients take turns, so whoever has much verified waits
// for themselves, and where there is no more room, the client who has most waiting loses its newest. What has
// waited too long is refused unhashed: its client gives up sooner or later, and those behind it would, too.
//
// Safe to use from any io thread; those outlive the pool.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/thread_pool.hpp>

#include "base/completion.hpp"
#include "base/error.hpp"
#include "base/task.hpp"
#include "base/turn_line.hpp"

namespace switchyard::auth {

class PasswordPool {
 public:
  struct Limits {
    // How many wait for their turn, and for how long.
    std::size_t waiting;
    std::chrono::milliseconds wait;
  };

  PasswordPool(std::size_t threads, Limits limits)
      : wait_max_(limits.wait),
        pool_(threads),
        line_({.of_one_asker = limits.waiting, .in_all = limits.waiting}) {}
  ~PasswordPool() { pool_.join(); }

  struct Verdict {
    // The password is the one of the hash.
    bool right = false;
    // If it is and the hash was made at less than today's cost: a hash of today's.
    std::string better_hash = {};
  };

  // `client`: whose turn this takes. Completes on the caller's thread. Error: overloaded.
  Task<Result<Verdict>> verify(asio::ip::address client, std::string hash, std::string password);

 private:
  struct Verification : Completion {
    Verification(asio::io_context& home, std::string given_hash, std::string given_password)
        : Completion(home), hash(std::move(given_hash)), password(std::move(given_password)) {}

    std::string hash;
    std::string password;
    const std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
    Result<Verdict> result = Verdict();
  };
  template <class Handler>
  struct TypedVerification;

  void submit(const asio::ip::address& client, std::unique_ptr<Verification> verification);
  std::unique_ptr<Verification> next();
  void work_off_one();

  const std::chrono::milliseconds wait_max_;
  asio::thread_pool pool_;
  std::mutex mutex_;
  TurnLine<std::unique_ptr<Verification>, asio::ip::address> line_;
};

}  // namespace switchyard::auth
