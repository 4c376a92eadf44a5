// Jobs that a worker failed that is not ours, and that its operator may have tried again (`rq requeue`).
//
// They stand in a hash in Redis beside their jobs, by id with their merchant, for as long as the jobs do:
// what Redis loses of it it loses of the jobs, too. Belongs to the thread of its client.
#pragma once

#include <string>
#include <vector>

#include "base/id.hpp"
#include "redis/client.hpp"

namespace switchyard::rq {

class ForeignFailures {
 public:
  struct Job {
    MerchantId merchant;
    TransactionId id;
  };

  // The client outlives it.
  explicit ForeignFailures(redis::Client& client) : client_(client) {}

  // Before the transaction is settled as failed: what is noted in vain is forgotten with its job.
  Task<Result<void>> note(Job job, redis::Deadline deadline);

  // Looks at the next thousand, round and round: those that a worker that is not ours has finished since.
  // They come again until forget() is told.
  Task<Result<std::vector<Job>>> finished(redis::Deadline deadline);
  Task<Result<void>> forget(const std::vector<Job>& jobs, redis::Deadline deadline);

 private:
  Task<Result<std::vector<Job>>> next_page(std::vector<std::string>& wrong, redis::Deadline deadline);

  redis::Client& client_;
  std::string cursor_ = "0";
};

}  // namespace switchyard::rq
