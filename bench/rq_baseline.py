#!/usr/bin/python3
"""Jobs a second of Python RQ's SimpleWorker and of our psp-connector: the same jobs, in one run, in turn.

usage: bench/rq_baseline.py [--jobs N] [--rounds N] [--bin DIR] [--store sqlite|postgresql] [--rq VERSION]

Both take jobs that Python's RQ has enqueued from a Redis of this script's own, which keeps nothing on disk. SimpleWorker is
RQ's fastest: it does not fork per job. Its function only prints its line, as the original psp-connector does; our connector
also stores each transaction durably and has it charged by the built-in simulated PSP. The rate is counted from the first
job that is finished to the last, so that neither pays for its start. Nothing else should run on the machine."""

import argparse
import contextlib
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
WANTED_RATIO = 50
FINISHED = "rq:finished:default"

# Runs with the Python of the RQ under test; enqueues in batches, which every RQ from 1.10 on can.
ENQUEUE = """
import os, sys, redis, rq
queue = rq.Queue("default", connection=redis.Redis.from_url(os.environ["REDIS_URL"]))
left = int(sys.argv[1])
while left > 0:
    batch = min(left, 1000)
    queue.enqueue_many([rq.Queue.prepare_data("__main__.make_transaction",
                                              kwargs={"user_id": 1, "amount": 100, "currency": "USD"})
                        for _ in range(batch)])
    left -= batch
"""


def enqueue(rq, redis, jobs):
    subprocess.run([rq.python, "-c", ENQUEUE, str(jobs)], check=True, env={**os.environ, "REDIS_URL": redis.url()})
    with redis.client() as client:
        assert client.llen("rq:queue:default") == jobs


def rate_of(worker, redis, jobs, limit_s=900.0):
    """Starts the worker and measures it from its first finished job to its last."""
    with redis.client() as client:
        worker.start()
        first = None
        began = time.monotonic()
        while (done := client.zcard(FINISHED)) < jobs:
            if first is None and done:
                first = (time.monotonic(), done)
            if not worker.alive() or time.monotonic() - began > limit_s:
                raise SystemExit(f"{worker.name} stopped at {done} of {jobs} jobs:\n{worker.log()[-2000:]}")
            time.sleep(0.005)
        ended = time.monotonic()
    worker.stop()
    if first is None:
        raise SystemExit(f"{jobs} jobs are too few to measure")
    return (jobs - first[1]) / (ended - first[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bin", default=str(ROOT / "build" / "release" / "bin"))
    parser.add_argument("--store", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--rq", default="debian", help="debian (1.13), 1.10, 1.16 or 2")
    options = parser.parse_args()
    os.environ["SWITCHYARD_BIN"] = options.bin

    # After SWITCHYARD_BIN is set, which these read when they are loaded.
    from support import rq_versions
    from support.fleet import Fleet
    from support.postgres_server import PostgresServer
    from support.redis_server import RedisServer
    from support.rq_peer import PythonWorker

    rq = rq_versions.find(options.rq)
    print(f"RQ {'.'.join(map(str, rq.version))}, {options.jobs} jobs, store: {options.store}, {os.cpu_count()} cores")
    theirs, ours = [], []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory(prefix="switchyard-rq-bench-") as name, contextlib.ExitStack() as stack:
            folder = pathlib.Path(name)
            redis = stack.enter_context(RedisServer())
            settings = {"REDIS_URL": redis.url(), "MAX_BACKLOG": 10 * options.jobs}
            if options.store == "postgresql":
                settings["DATABASE_URL"] = stack.enter_context(PostgresServer.create()).url()
            enqueue(rq, redis, options.jobs)
            worker = PythonWorker(rq, redis.url(), None, folder)
            theirs.append(rate_of(worker, redis, options.jobs))
            with redis.client() as client:
                client.flushall()
            enqueue(rq, redis, options.jobs)
            # core-api makes the schema and is gone again, so that it takes no part.
            fleet = Fleet(folder, auth_apis=0, **settings)
            for program in fleet.core_apis:
                program.start()
            fleet.psp_connectors, connectors = [], fleet.psp_connectors
            fleet.wait_healthy()
            fleet.stop()
            ours.append(rate_of(connectors[0], redis, options.jobs))
            print(f"SimpleWorker {theirs[-1]:8.0f} jobs/s   psp-connector {ours[-1]:8.0f} jobs/s   "
                  f"ratio {ours[-1] / theirs[-1]:.1f}")
    ratio = statistics.median(o / t for o, t in zip(ours, theirs, strict=True))
    print(f"median ratio {ratio:.1f}, wanted >= {WANTED_RATIO}: {'reached' if ratio >= WANTED_RATIO else 'missed'}")
    return 0 if ratio >= WANTED_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
