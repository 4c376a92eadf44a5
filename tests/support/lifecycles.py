"""Payments that live: held or taken at once, captured in parts, voided, given back, by merchants who never give up."""

import http.client
import json
import random
import threading
from collections import Counter

from support import tokens
from support.http_client import Client
from support.programs import SECRET

OPEN = {"queued", "processing", "unknown", "action_required"}


class Stopped(Exception):
    """The test is over."""


class Lifecycles:
    """Each worker leads one payment after another to its end, with a key for each request, and sends again what got no reply,
    a 503, or a 409 of a twin that is under way. What was acknowledged is in `created` and `operations`.

    `more`: what every payment says beside its amount. `one_capture`: at a PSP that releases what a capture leaves, so that the
    first one says that it is the last."""

    def __init__(self, server, seed, workers=6, amount_max=10_000, more=None, one_capture=False):
        self.created = {}  # transaction id -> amount
        self.operations = Counter()  # (transaction id, kind) -> how many were acknowledged
        self.refused = Counter()  # (kind, status) -> how many
        self._endpoints = getattr(server, "cores", None) or [server.core]
        self._seed, self._amount_max = seed, amount_max
        self._more, self._final_share = {"currency": "USD", **(more or {})}, 1.0 if one_capture else 0.4
        self._authorization = {"Authorization": f"Bearer {tokens.mint(SECRET, user_id=1)}"}
        self._lock = threading.Lock()
        self._no_more, self._stop = threading.Event(), threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(number,), daemon=True) for number in range(workers)]

    def begin(self):
        for thread in self._threads:
            thread.start()
        return self

    def acknowledged(self):
        with self._lock:
            return len(self.created) + sum(self.operations.values())

    def end(self, timeout_s):
        """No new payments; those that live are led to their end."""
        self._no_more.set()
        for thread in self._threads:
            thread.join(timeout_s)
        alive = sum(thread.is_alive() for thread in self._threads)
        self._stop.set()
        assert alive == 0, f"{alive} payments did not come to their end"

    def _work(self, number):
        rng = random.Random(f"{self._seed}/{number}")
        with Client(self._endpoints[number % len(self._endpoints)], timeout_s=60) as client:
            try:
                while not self._no_more.is_set():
                    self._live(rng, client)
            except Stopped:
                pass

    def _live(self, rng, client):
        amount = rng.randrange(10, self._amount_max)
        method = rng.choice(("manual", "manual", "automatic"))
        reply = self._send(client, "POST", "/transaction", rng, {"amount": amount, "capture": method, **self._more})
        identifier = reply["id"]
        with self._lock:
            self.created[identifier] = amount
        if self._settled(client, identifier)["status"] == "authorized":
            if rng.random() < 0.2:
                self._ask(client, rng, identifier, "void", {})
            else:
                first = rng.randrange(1, amount)
                self._ask(client, rng, identifier, "capture", {"amount": first, "final": rng.random() < self._final_share})
                if rng.random() < 0.7:  # beside the first one: the rest, a part of it, or nothing any more
                    rest = rng.choice(("capture", "void"))
                    self._ask(client, rng, identifier, rest, {"amount": rng.randrange(1, amount)} if rest == "capture" else {})
        if self._settled(client, identifier)["captured_amount"] > 0:
            for _ in range(rng.randrange(0, 4)):
                self._ask(client, rng, identifier, "refund", {"amount": rng.randrange(1, amount)})
        self._settled(client, identifier)

    def _ask(self, client, rng, identifier, kind, body):
        reply = self._send(client, "POST", f"/transaction/{identifier}/{kind}", rng, body)
        with self._lock:
            if reply is None:
                self.refused[kind] += 1
            else:
                self.operations[identifier, kind] += 1

    def _settled(self, client, identifier):
        while True:
            found = self._send(client, "GET", f"/transaction/{identifier}", None, None, {"Prefer": "wait=2"})
            if found["status"] not in OPEN:
                return found

    def _send(self, client, method, path, rng, body, headers=None):
        """The JSON of a 200; None if it was refused. Anything else is sent again, under the same key."""
        headers = {**self._authorization, **(headers or {})}
        if rng is not None:
            headers["Idempotency-Key"] = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=30))
        while not self._stop.is_set():
            try:
                reply = client.post(path, body, headers=headers) if method == "POST" else client.get(path, headers)
                content = json.loads(reply.body)
            except (OSError, http.client.HTTPException, ValueError):
                self._stop.wait(0.005)
                continue
            if reply.status == 200:
                return content
            # Too much, or too late; another 409 is that of a twin.
            if reply.status == 422 or "transaction_status" in content:
                return None
            self._stop.wait(0.02)
        raise Stopped
