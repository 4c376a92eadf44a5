#include "rq/scripts.hpp"

#include <string>
#include <string_view>

namespace switchyard::rq {
namespace {

// What RQ's worker does behind a job that has ended: the slot of its rate limit (RQ 3) goes to those that
// wait for one, and jobs that depend on it and on nothing else that is open go into their queues. By pcall:
// keys of another type must not keep jobs from ending.
constexpr std::string_view after_end = R"(
    local function hand_on_slot(key, id, time, now)
      local limit = redis.call('HMGET', key, 'rate_limit_key', 'rate_limit_concurrency')
      local most = tonumber(limit[2] or '')
      if not limit[1] or not most then return end
      local allowed, held = 'rq:rl:' .. limit[1] .. ':allowed', 'rq:rl:' .. limit[1] .. ':rate_limited'
      redis.pcall('ZREM', allowed, id)
      while true do
        local taken = redis.pcall('ZCARD', allowed)
        if type(taken) ~= 'number' or taken >= most then return end
        local first = redis.pcall('ZPOPMIN', held)
        if not first[1] then return end
        local waiting = 'rq:job:' .. first[1]
        local fields = redis.pcall('HMGET', waiting, 'origin', 'status', 'enqueue_at_front')
        if fields[1] and fields[2] == 'rate_limited' then
          redis.pcall('ZADD', allowed, now, first[1])
          redis.pcall(fields[3] == '1' and 'LPUSH' or 'RPUSH', 'rq:queue:' .. fields[1], first[1])
          redis.pcall('HSET', waiting, 'status', 'queued', 'enqueued_at', time)
        end
      end
    end
    local function may_begin(key, id, outcome)
      local fields = redis.pcall('HMGET', key, 'status', 'allow_dependency_failures')
      if fields[1] ~= 'deferred' then return false end
      local function is_enough(status)
        return status == 'finished' or (status == 'failed' and fields[2] == '1')
      end
      if not is_enough(outcome) then return false end
      for _, other in ipairs(redis.pcall('SMEMBERS', key .. ':dependencies')) do
        if other ~= id and not is_enough(redis.pcall('HGET', 'rq:job:' .. other, 'status')) then return false end
      end
      return true
    end
    local function after_end(id, outcome, time, now)
      local key = 'rq:job:' .. id
      hand_on_slot(key, id, time, now)
      for _, dependent in ipairs(redis.pcall('SMEMBERS', key .. ':dependents')) do
        local waiting = 'rq:job:' .. dependent
        if may_begin(waiting, id, outcome) then
          local queue = redis.call('HGET', waiting, 'origin') or 'default'
          redis.pcall('ZREM', 'rq:deferred:' .. queue, dependent)
          redis.pcall('HSET', waiting, 'status', 'queued', 'enqueued_at', time)
          redis.pcall('RPUSH', 'rq:queue:' .. queue, dependent)
          redis.pcall('SADD', 'rq:queues', 'rq:queue:' .. queue)
          redis.pcall('SREM', key .. ':dependents', dependent)
        end
      end
    end
)";

}  // namespace

const redis::Script& enqueue_script() {
  // RPUSH first: where the queue's key is no list it fails before anything of the job is there.
  static const redis::Script script(R"(
    local width = tonumber(ARGV[1]) + 1
    local added = 0
    for at = 2, #ARGV, width do
      local id = ARGV[at]
      local key = 'rq:job:' .. id
      if redis.pcall('HEXISTS', key, 'data') ~= 1 then
        redis.call('RPUSH', KEYS[1], id)
        redis.call('DEL', key)
        redis.call('HSET', key, unpack(ARGV, at + 1, at + width - 1))
        added = added + 1
      end
    end
    if added > 0 then redis.call('SADD', KEYS[2], KEYS[1]) end
    return added
  )");
  return script;
}

const redis::Script& push_script() {
  static const redis::Script script(R"(
    local pushed = 0
    for _, id in ipairs(ARGV) do
      local key = 'rq:job:' .. id
      if redis.call('HGET', key, 'status') == 'queued' then
        redis.call('RPUSH', KEYS[1], id)
        redis.call('HDEL', key, 'switchyard_missed')
        pushed = pushed + 1
      end
    end
    return pushed
  )");
  return script;
}

const redis::Script& take_script() {
  // RPUSH first: a full Redis refuses it before anything is taken out of the queue.
  static const redis::Script script(R"(
    local jobs = {}
    local function add(id)
      local key = 'rq:job:' .. id
      local size = redis.pcall('HSTRLEN', key, 'data')
      if type(size) == 'table' then
        jobs[#jobs + 1] = {id, false, 'wrong type'}
      elseif size > 65536 then
        jobs[#jobs + 1] = {id, false, 'too large'}
      else
        local fields = redis.call('HMGET', key, 'data', 'status', 'created_at', 'result_ttl', 'failure_ttl',
                                  'success_callback_name', 'failure_callback_name', 'stopped_callback_name',
                                  'retries_left', 'repeats_left', 'started_at', 'worker_name')
        local worker = table.remove(fields, 12)
        local started_at = table.remove(fields, 11)
        local wishes, asked = {'callbacks', 'callbacks', 'callbacks', 'Retry', 'Repeat'}, ''
        for i = 10, 6, -1 do
          local wish = table.remove(fields, i)
          if wish and wish ~= '' and not string.find(asked, wishes[i - 5]) then
            asked = asked .. ' ' .. wishes[i - 5]
          end
        end
        for i, field in ipairs(fields) do
          if i > 1 and field and #field > 64 then fields[i] = false end
        end
        fields[6] = asked
        fields[7] = ((started_at and started_at ~= '') or (worker and worker ~= '')) and '1' or ''
        table.insert(fields, 1, id)
        jobs[#jobs + 1] = fields
      end
    end
    for i = 3, #ARGV do add(ARGV[i]) end
    if redis.call('EXISTS', KEYS[3]) == 1 then return {1, jobs} end
    local most = tonumber(ARGV[1])
    if most < 1 then return {0, jobs} end
    local listed, taken = redis.call('LRANGE', KEYS[1], 0, most - 1), {}
    if #listed == 0 then return {0, jobs} end
    for _, id in ipairs(listed) do
      if #id > 255 then
        jobs[#jobs + 1] = {string.sub(id, 1, 255), false, 'dropped'}
      else
        taken[#taken + 1] = id
      end
    end
    if ARGV[2] == 'LMOVE' and #taken > 0 then redis.call('RPUSH', KEYS[2], unpack(taken)) end
    redis.call('LTRIM', KEYS[1], #listed, -1)
    for _, id in ipairs(taken) do add(id) end
    return {0, jobs}
  )");
  return script;
}

const redis::Script& start_script() {
  static const redis::Script script(R"(
    local registered = {}
    for i = 4, #ARGV do
      local id = ARGV[i]
      local key = 'rq:job:' .. id
      redis.call('LREM', KEYS[2], 1, id)
      if redis.pcall('HEXISTS', key, 'data') == 1 then
        redis.call('HSET', key, 'status', 'started', 'started_at', ARGV[1], 'last_heartbeat', ARGV[1],
                   'worker_name', ARGV[2], 'switchyard_worker', ARGV[2])
        registered[#registered + 1] = ARGV[3]
        registered[#registered + 1] = id
      end
    end
    if #registered > 0 then redis.call('ZADD', KEYS[1], unpack(registered)) end
    return 0
  )");
  return script;
}

const redis::Script& finish_script() {
  // XADD by pcall: Redis has streams from 5.0 on. A full Redis lets a script go on that has begun with what
  // it does not refuse, so what has ended is written, too, and goes when its time to live ends.
  static const std::string source = std::string(after_end) + R"(
    local now = tonumber(ARGV[2])
    local counts = {finished = 0, failed = 0}
    local ids, finished, failed = {}, {}, {}
    for at = 3, #ARGV, 5 do ids[#ids + 1] = ARGV[at] end
    if redis.call('ZREM', KEYS[1], unpack(ids)) < #ids then
      -- Not all of them were written down as begun, which is what takes them out of the intermediate list.
      for _, id in ipairs(ids) do redis.call('LREM', KEYS[4], 1, id) end
    end
    for at = 3, #ARGV, 5 do
      local id, outcome, ttl = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
      local key, results = 'rq:job:' .. id, 'rq:results:' .. id
      counts[outcome] = counts[outcome] + 1
      if redis.pcall('HEXISTS', key, 'data') == 1 then
        after_end(id, outcome, ARGV[1], now)
        if ttl == 0 then
          redis.call('DEL', key, results)
        else
          local registry = outcome == 'finished' and finished or failed
          registry[#registry + 1] = ttl < 0 and '+inf' or now + ttl
          registry[#registry + 1] = id
          if outcome == 'finished' then
            redis.call('HSET', key, 'status', 'finished', 'ended_at', ARGV[1], 'last_heartbeat', ARGV[1],
                       'result', ARGV[at + 3])
            redis.pcall('XADD', results, 'MAXLEN', '10', '*', 'type', '1', 'return_value', ARGV[at + 4])
          else
            redis.call('HSET', key, 'status', 'failed', 'ended_at', ARGV[1], 'last_heartbeat', ARGV[1],
                       'exc_info', ARGV[at + 3])
            redis.pcall('XADD', results, 'MAXLEN', '10', '*', 'type', '2', 'exc_string', ARGV[at + 4])
          end
          if ttl > 0 then
            redis.call('EXPIRE', key, ttl)
            redis.pcall('EXPIRE', results, ttl)
          else
            redis.call('PERSIST', key)
          end
        end
      end
    end
    if #finished > 0 then
      redis.call('ZREM', KEYS[3], unpack(ids))
      redis.call('ZADD', KEYS[2], unpack(finished))
    end
    if #failed > 0 then redis.call('ZADD', KEYS[3], unpack(failed)) end
    if redis.call('EXISTS', KEYS[5]) == 1 then
      if counts.finished > 0 then redis.call('HINCRBY', KEYS[5], 'successful_job_count', counts.finished) end
      if counts.failed > 0 then redis.call('HINCRBY', KEYS[5], 'failed_job_count', counts.failed) end
    end
    return 0
  )";
  static const redis::Script script(source);
  return script;
}

const redis::Script& reject_script() {
  static const std::string source = std::string(after_end) + R"(
    for at = 4, #ARGV, 4 do
      local id = ARGV[at]
      local key, results = 'rq:job:' .. id, 'rq:results:' .. id
      redis.call('LREM', KEYS[1], 1, id)
      if type(redis.pcall('HEXISTS', key, 'data')) ~= 'table' then
        for field, value in pairs({data = '', created_at = ARGV[1], origin = 'default', description = 'unknown job'}) do
          redis.call('HSETNX', key, field, value)
        end
        after_end(id, 'failed', ARGV[1], tonumber(ARGV[2]) - tonumber(ARGV[3]))
        redis.call('HSET', key, 'status', 'failed', 'ended_at', ARGV[1], 'exc_info', ARGV[at + 2])
        redis.call('ZADD', KEYS[2], ARGV[2], id)
        redis.pcall('XADD', results, 'MAXLEN', '10', '*', 'type', '2', 'exc_string', ARGV[at + 3])
        redis.call('EXPIRE', key, ARGV[3])
        redis.pcall('EXPIRE', results, ARGV[3])
      end
    end
    return 0
  )";
  static const redis::Script script(source);
  return script;
}

const redis::Script& give_back_script() {
  static const redis::Script script(R"(
    local given = 0
    for i = 2, #ARGV do
      if redis.call('LREM', KEYS[1], 1, ARGV[i]) == 1 or ARGV[1] == 'LPOP' then
        redis.call('LPUSH', KEYS[2], ARGV[i])
        given = given + 1
      end
    end
    return given
  )");
  return script;
}

const redis::Script& inspect_script() {
  static const redis::Script script(R"(
    local jobs = {}
    for i, id in ipairs(ARGV) do
      local key = 'rq:job:' .. id
      if redis.pcall('HEXISTS', key, 'data') == 1 then
        local fields = redis.call('HMGET', key, 'status', 'started_at', 'last_heartbeat', 'timeout', 'worker_name',
                                  'switchyard_worker', 'switchyard_missed')
        table.insert(fields, 1, 1)
        jobs[i] = fields
      else
        jobs[i] = {0}
      end
    end
    return jobs
  )");
  return script;
}

const redis::Script& look_script() {
  // At most so many workers are looked at: each of them is a hash of its own.
  static const redis::Script script(R"(
    local wrong, right = '', {}
    for i, key in ipairs(KEYS) do
      local kind = redis.call('TYPE', key).ok
      right[i] = kind == 'none' or kind == ARGV[i + 1]
      if wrong == '' and not right[i] then
        wrong = key .. ' is a ' .. kind .. ', and should be a ' .. ARGV[i + 1]
      end
    end
    local foreign = 0
    for _, worker in ipairs(right[2] and redis.call('SRANDMEMBER', KEYS[2], 1000) or {}) do
      local fields = redis.pcall('HMGET', worker, 'birth', 'python_version')
      if fields[1] and fields[2] ~= ARGV[1] then foreign = 1 end
    end
    local since, first = '', right[1] and redis.call('LINDEX', KEYS[1], 0)
    if first and #first < 256 then
      local time = redis.pcall('HGET', 'rq:job:' .. first, 'enqueued_at')
      if type(time) == 'string' and #time < 64 then since = time end
    end
    return {wrong, foreign, right[1] and redis.call('LLEN', KEYS[1]) or 0, since}
  )");
  return script;
}

const redis::Script& lock_script() {
  static const redis::Script script(R"(
    local owner = redis.call('GET', KEYS[1])
    if owner and owner ~= ARGV[1] then return 0 end
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
    return 1
  )");
  return script;
}

const redis::Script& unlock_script() {
  static const redis::Script script(R"(
    if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
    return 0
  )");
  return script;
}

}  // namespace switchyard::rq
