"""The enqueueing half of the core-api that Switchyard replaces, as a program.

Standard input has a JSON object a line, standard output the id of the job made of it. Mostly the line is {"user_id", "amount",
"currency"}; {"function", "args", "kwargs"} makes any other job, {"options"} adds arguments of `enqueue`."""

import json
import os
import sys

import redis
import rq


# RQ refuses a function of `__main__` that it is given as an object; the name stands for the one in the psp-connector.
MAKE_TRANSACTION = "__main__.make_transaction"


def enqueue(queue, line):
    options = line.pop("options", {})
    if "function" in line:
        return queue.enqueue(line["function"], args=tuple(line.get("args", ())), kwargs=line.get("kwargs", {}), **options)
    return queue.enqueue(MAKE_TRANSACTION, user_id=line["user_id"], amount=line["amount"], currency=line["currency"],
                         **options)


if __name__ == "__main__":
    default = rq.Queue("default", connection=redis.Redis.from_url(os.environ["REDIS_URL"]))
    for text in sys.stdin:
        print(enqueue(default, json.loads(text)).id, flush=True)
