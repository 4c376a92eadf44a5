// What Redis says about the job of a transaction that is still queued in the store, and what follows from it.
// No I/O.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "redis/reply.hpp"

namespace switchyard::rq {

struct JobState {
  // Its hash is there and has a payload.
  bool known = false;
  std::string status;
  std::optional<Timestamp> started_at;
  std::optional<Timestamp> last_heartbeat;
  std::string timeout;
  std::string worker_name;
  // The name of the worker of ours that started it last; a worker that is not ours leaves it as it was.
  std::string switchyard_worker;
  // It was in no list when the sweep looked before.
  bool missed = false;

  bool is_ours() const { return !switchyard_worker.empty() && switchyard_worker == worker_name; }
};

// One element of inspect_script()'s reply.
JobState read_job_state(const redis::Reply& reply);

enum class Verdict {
  leave,        // somebody works on it, or will
  enqueue,      // Redis has lost it
  look_for,     // it should be in a list
  start_anew,   // the store knows nothing of what our worker did: it was put back to an older state
  captured,     // another worker has finished it
  failed,       // another worker says that it failed; its reason is in the hash
  out_of_hand,  // another worker began it and died or was stopped: nobody knows whether money moved
};

// `registered_until`: the end of its entry in the registry of started jobs, if it has one.
Verdict judge(const JobState& job, std::optional<Timestamp> registered_until, Timestamp now);

// Whether a job that stands in the queue is begun, whatever its status says. RQ's worker asks nothing and
// begins each; ours each that is `queued`, and of the others those that provably nobody has begun or called
// off: to begin what another worker charged would charge it twice. `somebody_began`: the hash names a worker
// or a start.
bool may_be_begun(std::string_view status, bool somebody_began);

// Whether a stack trace or message tells of a worker that was killed in the middle, and so of nothing.
bool tells_of_a_killed_worker(std::string_view exc_info);

// For people: the last line of a stack trace, cut to a sensible length, without card numbers.
std::string last_line(std::string_view exc_info);

}  // namespace switchyard::rq
