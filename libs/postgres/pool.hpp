// A bounded set of connections to one database: made when needed, kept while they are, and replaced when
// lost.
//
// Where the server gives fewer (CONNECTION LIMIT of the role, max_connections) the pool lives with what it
// gets: who finds no place waits for a connection that is there, one is left to other processes, and more are
// asked for again later.
//
// Belongs to the thread of its executor and outlives its leases.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "postgres/connection.hpp"

namespace switchyard::postgres {

class Pool {
 public:
  // A connection for as long as this lives; then it goes back, unless it has become unusable.
  class Lease {
   public:
    Lease(Pool& pool, std::unique_ptr<Connection> connection)
        : pool_(&pool), connection_(std::move(connection)) {}
    Lease(Lease&&) = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (connection_) pool_->give_back(std::move(connection_));
    }

    Connection& operator*() const { return *connection_; }
    Connection* operator->() const { return connection_.get(); }

   private:
    Pool* pool_;
    std::unique_ptr<Connection> connection_;
  };

  Pool(Executor executor, std::string url, std::size_t size_max);

  // Waits for a free connection, and tries again and again to reach the server, until the deadline. Failures:
  // busy if others had all connections until then, else unreachable.
  Task<Outcome<Lease>> acquire(Deadline deadline);

  // For users of one kind, who shall leave connections to the others: whether one more of them may take one
  // while they have `in_use`, so that they never have more than one of `parts` equal parts, but one at least.
  // Where they may not, the server is asked for one more from time to time.
  bool share_has_room(std::size_t in_use, std::size_t parts);

  // Closes what is idle.
  void close() { idle_.clear(); }

 private:
  struct Idle {
    std::unique_ptr<Connection> connection;
    Deadline since;
  };
  class Turn;
  struct Waiter;
  enum class Place { last, first };

  void want_more();
  Task<bool> wait_for_turn(Place place, Deadline deadline);
  Task<Outcome<std::unique_ptr<Connection>>> connect_patiently(Deadline deadline);
  std::unique_ptr<Connection> take_idle();
  Lease lend(std::unique_ptr<Connection> connection);
  void give_back(std::unique_ptr<Connection> connection);
  void close_what_nobody_needs();
  void end_turn();
  void adapt_to_full_server();

  Executor executor_;
  const std::string url_;
  const std::size_t size_max_;
  // At most `size_max_`: as many as the server has given.
  std::size_t size_;
  // When to ask for one more.
  Deadline grow_at_{};
  // Who has a connection, or makes one.
  std::size_t turns_ = 0;
  std::size_t lent_ = 0;
  // Used last stands last.
  std::vector<Idle> idle_;
  std::deque<Waiter*> waiting_;
};

}  // namespace switchyard::postgres
