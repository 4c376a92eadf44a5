"""Sends transactions from a few threads until told to stop, and remembers what the server acknowledged."""

import http.client
import json
import random
import string
import threading
from collections import Counter
from dataclasses import dataclass

from support import amounts, tokens
from support.http_client import Client
from support.programs import SECRET
from support.waiting import PATIENCE


@dataclass(frozen=True)
class Sent:
    merchant_id: int
    amount: int
    currency: str
    key: str


def mostly_plain(rng):
    """Amounts of which one in ten makes the PSP decline, fail or lose its answer."""
    special = (amounts.INSUFFICIENT_FUNDS, amounts.ISSUER_DECLINE, amounts.SUSPECTED_FRAUD,
               amounts.NETWORK_ERROR_BEFORE_SENDING, amounts.ANSWER_LOST)
    return rng.choice(special) if rng.random() < 0.1 else rng.randrange(1, 100_000)


class Load:
    """Bounded by `limit` requests. A request that got no reply is in `unanswered`: it may or may not have been taken.

    With `persistent` it is a client that never gives up: what got no reply, a 503, or a 409 is sent again with its key,
    so that in the end every key has its transaction. It sends the less the slower the build is: its connectors would not keep
    up, and the queue would grow for as long as the test takes. A server with several `cores` gets the load on all of them."""

    def __init__(self, server, seed, workers=4, limit=200_000, amount=mostly_plain, merchants=(1, 2), retry=(),
                 persistent=False):
        self.server = server
        self.acknowledged = {}  # transaction id -> Sent
        self.unanswered = []
        self.refused = Counter()  # status -> how many
        self.ids_of = {}  # key -> the ids it was acknowledged with
        self._under_way = 0
        self._endpoints = getattr(server, "cores", None) or [server.core]
        self._persistent = persistent
        self._pause_s = 0.02 * (PATIENCE - 1) if persistent else 0
        self._limit = limit
        self._amount = amount
        self._merchants = merchants
        self._tokens = {merchant: tokens.mint(SECRET, user_id=merchant) for merchant in merchants}
        self._retry = list(retry)
        self._seed = seed
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._count = 0
        self._threads = [threading.Thread(target=self._work, args=(number,),
                                          daemon=True) for number in range(workers)]

    def begin(self):
        for thread in self._threads:
            thread.start()
        return self

    def no_more(self):
        """No new requests; those that were not taken are still sent again."""
        with self._lock:
            self._limit = 0

    def waiting(self):
        """How many requests are under way or will be sent again."""
        with self._lock:
            return self._under_way + len(self._retry)

    def end(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=120)
            assert not thread.is_alive(), "a load thread hangs"
        return self

    def __enter__(self):
        return self.begin()

    def __exit__(self, *_):
        self.end()

    def _next(self, rng):
        """What to send next; None if there is nothing at the moment."""
        with self._lock:
            if self._retry:
                self._under_way += 1
                return self._retry.pop(0)
            self._count += 1
            if self._count > self._limit:
                if not self._persistent:
                    self._stop.set()
                return None
            self._under_way += 1
        return Sent(rng.choice(self._merchants), self._amount(rng), rng.choice(("USD", "EUR", "JPY", "KWD")),
                    "".join(rng.choices(string.ascii_lowercase, k=30)))

    def _work(self, number):
        rng = random.Random(f"{self._seed}/{number}")
        with Client(self._endpoints[number % len(self._endpoints)], timeout_s=60) as client:
            while not self._stop.is_set():
                sent = self._next(rng)
                if sent is None:
                    self._stop.wait(0.01)
                    continue
                pause_s = self._send(client, sent)
                if pause_s:
                    self._stop.wait(pause_s)
        with self._lock:
            self.unanswered += self._retry
            self._retry = []

    def _send(self, client, sent):
        """Sends it and notes what came of it; how long to wait before the next."""
        try:
            reply = client.post("/transaction", {"amount": sent.amount, "currency": sent.currency}, headers={
                "Authorization": f"Bearer {self._tokens[sent.merchant_id]}", "Idempotency-Key": sent.key})
            body = json.loads(reply.body)
        except (OSError, http.client.HTTPException, ValueError):
            reply = None
        with self._lock:
            self._under_way -= 1
            if reply is None:
                (self._retry if self._persistent else self.unanswered).append(sent)
                return 0.005
            if reply.status == 200:
                self.acknowledged[body["id"]] = sent
                self.ids_of.setdefault(sent.key, set()).add(body["id"])
                return self._pause_s
            self.refused[reply.status] += 1
            if not self._persistent:
                return 0
            self._retry.append(sent)
            return 0.02
