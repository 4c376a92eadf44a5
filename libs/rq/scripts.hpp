// What has to be one step in Redis, as Lua. Each script says what its keys and arguments are.
//
// A job is known if its hash has `data`: a hash without it is the remains of one, and is nobody's job.
#pragma once

#include "redis/script.hpp"

namespace switchyard::rq {

// Enqueues the jobs that Redis does not know; gives how many.
// KEYS: queue, set of queues. ARGV: words of a job's fields, then for each job its id and these words.
const redis::Script& enqueue_script();

// Puts jobs into the queue again that are `queued` and in no list.
// KEYS: queue. ARGV: ids. Gives how many.
const redis::Script& push_script();

// Takes jobs, unless workers are suspended: {suspended, {id, data, status, created_at, result_ttl,
// failure_ttl, what it asks for that no worker of ours does: " Repeat Retry callbacks", "1" if a worker is
// written down as having begun it}...}. `data` is nil if the job is not known, or is too large (status: "too
// large"), or the key is no hash (status: "wrong type"), or the id is longer than any (status: "dropped").
// KEYS: queue, intermediate list, suspension. ARGV: how many, "LMOVE" or "LPOP", ids that were taken before.
const redis::Script& take_script();

// Marks jobs as started by a worker and takes them out of the intermediate list.
// KEYS: started, intermediate list. ARGV: time, worker, end of the registry's entry, ids.
const redis::Script& start_script();

// Moves jobs to where they ended.
// KEYS: started, finished, failed, intermediate list, worker. ARGV: time, now in seconds, then for each job
// its id, "finished" or "failed", time to live in seconds (negative: for ever), result or zlib of the reason,
// the same in base64.
const redis::Script& finish_script();

// Moves jobs that cannot be worked off to the failed registry, those without a hash, too.
// KEYS: intermediate list, failed. ARGV: time, end of the registry's entry, time to live, then for each job
// its id, the reason, zlib of the reason, the same in base64.
const redis::Script& reject_script();

// Puts taken jobs back to the front of the queue; with "LMOVE" only those that are still in the intermediate
// list. KEYS: intermediate list, queue. ARGV: "LMOVE" or "LPOP", as they were taken; ids, first of the queue
// last.
const redis::Script& give_back_script();

// What Redis knows of jobs: {known, status, started_at, last_heartbeat, timeout, worker_name,
// switchyard_worker, missed}... An id whose key is no hash is not known. ARGV: ids.
const redis::Script& inspect_script();

// What queue_look.hpp reads: {a key of another type or "", 1 if a foreign worker listens, jobs in the queue,
// when the first one was enqueued}. KEYS: queue, its set of workers, then those whose types are only looked
// at. ARGV: what our workers call their version of Python, the types of the keys.
const redis::Script& look_script();

// Holds the lock KEYS[1] for the owner ARGV[1], for ARGV[2] milliseconds from now; 0 if another one has it.
const redis::Script& lock_script();
// Gives the lock KEYS[1] up, if it is the owner's, ARGV[1].
const redis::Script& unlock_script();

}  // namespace switchyard::rq
