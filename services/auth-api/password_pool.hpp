// Threads that hash passwords, so that no I/O thread ever does: one Argon2id takes tens of milliseconds.
//
// The threads run at a lower priority than everything else, and only so many hashes may wait: a flood of
// first logins slows logins down, not other routes. Clients take turns, so whoever has much verified waits
// for themselves, and where there is no more room, the client who has most waiting loses its newest.
//
// Safe to use from any io thread; those outlive the pool.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/thread_pool.hpp>

#include "base/completion.hpp"
#include "base/error.hpp"
#include "base/task.hpp"

namespace switchyard::auth {

class PasswordPool {
 public:
  PasswordPool(std::size_t threads, std::size_t waiting_max) : pool_(threads), waiting_max_(waiting_max) {}
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
    Result<Verdict> result = Verdict();
  };
  template <class Handler>
  struct TypedVerification;
  using Queue = std::deque<std::unique_ptr<Verification>>;

  void submit(const asio::ip::address& client, std::unique_ptr<Verification> verification);
  std::unique_ptr<Verification> make_room_for(const asio::ip::address& client);
  std::unique_ptr<Verification> next();
  void work_off_one();

  asio::thread_pool pool_;
  const std::size_t waiting_max_;
  std::mutex mutex_;
  // Only clients with something waiting have a queue, and each stands once in the line.
  std::map<asio::ip::address, Queue> queues_;
  std::deque<asio::ip::address> line_;
  std::size_t waiting_ = 0;
};

}  // namespace switchyard::auth
