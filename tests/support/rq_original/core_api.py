"""The enqueueing half of the core-api that Switchyard replaces, as a program.

Standard input has a JSON object a line, standard output the id of the job made of it. Mostly the line is {"user_id", "amount",
"currency"}; {"function", "args", "kwargs"} makes any other job, {"options"} adds arguments of `enqueue`. "json" writes it with
RQ's JSONSerializer, "rate_limit" is the key and the concurrency of RQ 3's."""

import json
import os
import sys

import redis
import rq
from rq.serializers import JSONSerializer


# RQ refuses a function of `__main__` that it is given as an object; the name stands for the one in the psp-connector.
MAKE_TRANSACTION = "__main__.make_transaction"


def enqueue(queues, line):
    options = line.pop("options", {})
    queue = queues["json" in line]
    if "rate_limit" in line:
        options["rate_limit"] = rq.RateLimit(*line["rate_limit"])
    if "function" in line:
        return queue.enqueue(line["function"], args=tuple(line.get("args", ())), kwargs=line.get("kwargs", {}), **options)
    return queue.enqueue(MAKE_TRANSACTION, user_id=line["user_id"], amount=line["amount"], currency=line["currency"],
                         **options)


if __name__ == "__main__":
    connection = redis.Redis.from_url(os.environ["REDIS_URL"])
    queues = [rq.Queue("default", connection=connection),
              rq.Queue("default", connection=connection, serializer=JSONSerializer)]
    for text in sys.stdin:
        print(enqueue(queues, json.loads(text)).id, flush=True)
