// Jobs of RQ as claims on transactions of the store, which decides who works on what: a job may be doubled,
// late, or unknown to the store.
//
// A job is its transaction's authorization. What merchants ask for later never goes through Redis.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "rq/workbench.hpp"

namespace switchyard::rq {

// What became of a job that was to be claimed.
struct ClaimedJob {
  // The transaction as it is now; as the job tells it if the store does not have it, or cannot read it.
  payment::Step step;
  // Claimed for us and stored: to be begun. Otherwise somebody else is at it, or was, and there may be no
  // operation.
  bool is_ours = false;
  // Why it was not taken into the store; empty otherwise.
  std::string refusal{};
};

struct JobClaims {
  std::vector<ClaimedJob> jobs;
  // Those that the store could not be asked about, and why not of one of them: they may be tried again.
  std::vector<payment::Transaction> left;
  std::optional<Error> error;
};

// Claims the transactions of `jobs`, due or not. One that is `queued` is claimed; one that the store does not
// know is stored, as the job tells it and claimed; any other is not ours, nor is the second of two jobs for
// one transaction.
//
// A job that the store does not know is refused if its id is another merchant's, if its user is unknown or
// disabled, if its currency was withdrawn, or if its amount is above `amount_max`. What is stored was checked
// when it was accepted.
//
// On the thread of `executor`; what it is given outlives it.
Task<JobClaims> claim_jobs(Executor executor, store::Store& store, const Workbench& bench,
                           std::vector<payment::Transaction> jobs, Timestamp now, std::int64_t amount_max);

}  // namespace switchyard::rq
