"""The psp-connector that Switchyard replaces, as a program: an RQ worker whose jobs are `__main__.make_transaction`.

It is started with the Python of the RQ under test, so it uses nothing but that RQ. Each charge is a line in the file that
CHARGES_FILE names, if it is set: job id, user, amount, currency. Environment, besides: REDIS_URL, WORKER (Worker or
SimpleWorker)."""

import os
import sys
import time

import redis
import rq

# Amounts by which a test tells the function what to do.
FAILS = int(os.environ.get("AMOUNT_THAT_FAILS", "0"))
TAKES_A_SECOND = int(os.environ.get("AMOUNT_THAT_TAKES_A_SECOND", "0"))


def make_transaction(user_id, amount, currency):
    if amount == FAILS:
        raise RuntimeError("the PSP is on fire")
    if amount == TAKES_A_SECOND:
        time.sleep(1)
    print(f"==> Making transaction with PSP: User ID: {user_id}, Amount: {amount}, Currency: {currency}", flush=True)
    if "CHARGES_FILE" in os.environ:
        count_charge(user_id, amount, currency)


def count_charge(user_id, amount, currency):
    line = f"{rq.get_current_job().id} {user_id} {amount} {currency}\n"
    charges = os.open(os.environ["CHARGES_FILE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(charges, line.encode())
    os.close(charges)


if __name__ == "__main__":
    connection = redis.Redis.from_url(os.environ["REDIS_URL"])
    worker_class = getattr(rq, os.environ.get("WORKER", "SimpleWorker"))
    worker = worker_class([rq.Queue("default", connection=connection)], connection=connection)
    worker.work(burst="--burst" in sys.argv[1:], logging_level="INFO")
