// Looks after jobs that a worker took or began and then let go of: it died, or Redis was away when it was
// done.
//
// What stays in the intermediate list goes back into the queue, if the store knows nothing of it or has it
// queued; else the registries are brought in step with the store. What began in the hands of a worker that is
// not ours is not touched: RQ's workers and the sweep deal with it.
#pragma once

#include <chrono>
#include <string>
#include <unordered_map>
#include <vector>

#include "redis/client.hpp"
#include "rq/books.hpp"
#include "store/store.hpp"

namespace switchyard::rq {

class Janitor {
 public:
  // `patience`: how long a job may be in the intermediate list.
  Janitor(redis::Client& client, store::Store& store, const Clock& clock,
          std::chrono::milliseconds patience = std::chrono::seconds(60));

  // One look; gives how many jobs were put back or brought in step.
  Task<Result<std::size_t>> look();

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;

  struct Chores {
    std::vector<std::string> give_back;
    std::vector<std::string> drop;
    std::vector<std::string> still_open;
    std::vector<EndedJob> finish;
    std::vector<RejectedJob> reject;
  };

  Task<Result<std::vector<std::string>>> left_in_the_middle();
  Task<Result<std::vector<std::string>>> expired_entries();
  Task<Result<void>> look_at(std::string id, bool begun, Chores& chores);
  Task<Result<void>> do_chores(const Chores& chores);
  Task<Result<void>> clean_registries();

  redis::Client& client_;
  store::Store& store_;
  const Clock& clock_;
  const std::chrono::milliseconds patience_;
  std::unordered_map<std::string, SteadyTime> first_seen_;
};

}  // namespace switchyard::rq
