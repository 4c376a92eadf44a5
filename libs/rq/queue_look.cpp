#include "rq/queue_look.hpp"

#include "rq/job.hpp"
#include "rq/names.hpp"
#include "rq/scripts.hpp"

namespace switchyard::rq {

redis::ScriptCall look_at_queue() {
  redis::ScriptCall call(look_script(), {queue_key, queue_workers_key, intermediate_key, queues_key,
                                         started_key, finished_key, failed_key, workers_key});
  call.argument(our_python_version);
  for (const auto* type : {"list", "set", "list", "set", "zset", "zset", "zset", "set"}) call.argument(type);
  return call;
}

QueueLook read_look(const redis::Reply& reply) {
  QueueLook look;
  const auto& fields = reply.elements;
  if (fields.size() != 4) return look;
  look.wrong_key = fields[0].text;
  look.has_foreign_worker = fields[1].integer == 1;
  look.jobs = fields[2].integer;
  look.first_enqueued_at = parse_time(fields[3].text);
  return look;
}

}  // namespace switchyard::rq
