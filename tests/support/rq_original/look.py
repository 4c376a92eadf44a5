"""What a Python program sees through RQ's own interface, as JSON on standard output.

    look.py job ID...       status, result, error and kept-for seconds of jobs
    look.py registries      the ids in queue, started, finished and failed
    look.py workers         name, state, queues and counts of the workers
    look.py shutdown NAME   tells a worker to stop
"""

import json
import os
import sys

import redis
import rq
from rq.command import send_shutdown_command
from rq.job import Job
from rq.registry import FailedJobRegistry, FinishedJobRegistry, StartedJobRegistry


def job(identifier):
    found = Job.fetch(identifier, connection=connection)
    facts = {"status": found.get_status(), "function": found.func_name, "args": list(found.args), "kwargs": found.kwargs,
             "description": found.description, "origin": found.origin, "timeout": found.timeout,
             "worker_name": getattr(found, "worker_name", None), "ttl": connection.ttl(found.key)}
    for name in ("created_at", "enqueued_at", "started_at", "ended_at"):
        value = getattr(found, name)
        facts[name] = None if value is None else value.isoformat()
    if hasattr(found, "return_value") and callable(found.return_value):
        facts["result"] = found.return_value()
        latest = found.latest_result()
        facts["result_type"] = None if latest is None else latest.type.name
        facts["exc_info"] = None if latest is None else latest.exc_string
    else:
        facts["result"] = found.result
    # 2.x keeps the error with the result only; before 1.12 it is in the job only.
    facts["exc_info"] = facts.get("exc_info") or getattr(found, "exc_info", None)
    return facts


def registries():
    queue = rq.Queue("default", connection=connection)
    facts = {"queued": queue.get_job_ids()}
    for name, registry in (("started", StartedJobRegistry), ("finished", FinishedJobRegistry),
                           ("failed", FailedJobRegistry)):
        one = registry("default", connection=connection)
        # The set itself: asking the registry for its ids cleans it up first.
        facts[name] = {member.decode(): score for member, score in connection.zrange(one.key, 0, -1, withscores=True)}
        facts[f"{name}_ids"] = one.get_job_ids()
    return facts


def workers():
    return [{"name": one.name, "state": one.get_state(), "queues": one.queue_names(), "pid": one.pid,
             "hostname": one.hostname, "version": one.version, "python_version": one.python_version,
             "successful": one.successful_job_count, "failed": one.failed_job_count,
             "current_job": one.get_current_job_id(), "birth": str(one.birth_date),
             "last_heartbeat": str(one.last_heartbeat)}
            for one in rq.Worker.all(connection=connection)]


if __name__ == "__main__":
    connection = redis.Redis.from_url(os.environ["REDIS_URL"])
    command, arguments = sys.argv[1], sys.argv[2:]
    if command == "job":
        print(json.dumps([job(identifier) for identifier in arguments], default=repr))
    elif command == "registries":
        print(json.dumps(registries()))
    elif command == "workers":
        print(json.dumps(workers(), default=repr))
    elif command == "shutdown":
        send_shutdown_command(connection, arguments[0])
