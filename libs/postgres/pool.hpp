// A bounded set of connections to one database: made when needed, kept, and replaced when lost.
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

  // Waits for a free connection, and tries again and again to reach the server, until the deadline.
  Task<Outcome<Lease>> acquire(Deadline deadline);
  // Closes what is idle.
  void close() { idle_.clear(); }

 private:
  Task<bool> wait_for_turn(Deadline deadline);
  Task<Outcome<std::unique_ptr<Connection>>> connect_patiently(Deadline deadline);
  void give_back(std::unique_ptr<Connection> connection);
  void free_slot();

  Executor executor_;
  const std::string url_;
  const std::size_t size_max_;
  std::size_t in_use_ = 0;
  std::vector<std::unique_ptr<Connection>> idle_;
  std::deque<Event*> waiting_;
};

}  // namespace switchyard::postgres
