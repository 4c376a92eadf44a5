// How a worker shows itself in Redis, as `rq info` reads it, and what it writes about its jobs. Nothing here
// talks to Redis.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "payment/operation.hpp"
#include "redis/commands.hpp"
#include "redis/script.hpp"

namespace switchyard::rq {

struct WorkerIdentity {
  // 32 hexadecimal digits.
  std::string name;
  std::string hostname;
  std::int64_t pid = 0;
  // Of its connection, with the port; "unknown" where there is none.
  std::string address;
  std::string version;
};

enum class WorkerState : std::uint8_t { started, suspended, busy, idle };
std::string_view to_string(WorkerState state);

// Each is one transaction of Redis.
redis::Commands birth(const WorkerIdentity& worker, Timestamp now);
// The first reply is 0 if Redis has forgotten the worker: then it needs another birth().
redis::Commands heartbeat(const std::string& name, WorkerState state, Timestamp now);
redis::Commands death(const std::string& name, Timestamp now);

// --- Jobs --------------------------------------------------------------------------------------

// `until`: when others may take the worker for dead.
redis::ScriptCall start(std::span<const std::string> ids, const std::string& worker, Timestamp now,
                        Timestamp until);

// How long a job is kept once it has ended: seconds, negative for ever, 0 not at all.
struct KeptFor {
  std::int64_t result_s;
  std::int64_t failure_s;
  // The job came in JSON, so its result goes back in JSON.
  bool in_json = false;
  KeptFor();
  // Of the job's hash; a field that is empty or no number counts as not there.
  KeptFor(std::string_view result_ttl, std::string_view failure_ttl);
};

struct EndedJob {
  std::string id;
  // Of outcome_of_job(): what job.return_value() gives.
  payment::Status status = payment::Status::captured;
  std::string reason;
  KeptFor kept_for;
};

// What the job of a transaction came to: its authorization, whatever has been asked for since. `authorized`,
// `captured` or `declined` is a job that was done; `failed`, and `manual_review`, one that failed. Nothing
// while it is not over.
std::optional<payment::Status> outcome_of_job(const payment::State& state);
// In the PSP's words; empty where it succeeded.
std::string reason_of_job(const payment::State& state);

// Ends jobs with an outcome.
redis::ScriptCall finish(std::span<const EndedJob> jobs, const std::string& worker, Timestamp now);

struct RejectedJob {
  std::string id;
  std::string reason;
};
redis::ScriptCall reject(std::span<const RejectedJob> jobs, Timestamp now);

// Standard base64 with padding (RFC 4648, 4).
std::string base64(std::string_view bytes);
// Empty if it is none.
std::string from_base64(std::string_view text);

}  // namespace switchyard::rq
