// A look at the queue in Redis, in one step and without a write: whether our keys are what they should be,
// who else works on it, and how long the first job has been waiting.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "redis/script.hpp"

namespace switchyard::rq {

struct QueueLook {
  // A key of RQ's that is of another type, in words; empty if there is none.
  std::string wrong_key;
  // A worker that is not Switchyard's listens on the queue.
  bool has_foreign_worker = false;
  std::int64_t jobs = 0;
  // When the first job in the queue was enqueued, if it says so.
  std::optional<Timestamp> first_enqueued_at;
};

redis::ScriptCall look_at_queue();
QueueLook read_look(const redis::Reply& reply);

}  // namespace switchyard::rq
