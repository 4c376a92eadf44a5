"""What a router does in front of several replicas, in this process: asks their health, keeps idle connections, and tries
another replica only where no connection could be made."""

import threading
from collections import Counter

from support.http_client import Client

HEALTH_INTERVAL_S = 0.2


class Balancer:
    """`statuses` counts replies, and what a router would answer with 502 or 503."""

    def __init__(self, endpoints):
        self.statuses = Counter()
        self._endpoints = list(endpoints)
        self._up = set(self._endpoints)
        self._idle = {endpoint: [] for endpoint in self._endpoints}
        self._next = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._checks = [threading.Thread(target=self._check, args=(endpoint,)) for endpoint in self._endpoints]
        for thread in self._checks:
            thread.start()

    def up(self):
        with self._lock:
            return set(self._up)

    def close(self):
        self._stop.set()
        for thread in self._checks:
            thread.join()
        for clients in self._idle.values():
            for client in clients:
                client.close()

    def post(self, path, json, headers):
        """The status, which is counted as well."""
        for endpoint in self._in_turn():
            client, reused = self._connection(endpoint)
            try:
                reply = client.post(path, json, headers=headers)
            except ConnectionRefusedError:
                if not reused:
                    continue
                return self._count(502)
            except (OSError, ValueError, EOFError):
                return self._count(502)
            if reply.header("Connection") == "close":
                client.close()
            else:
                with self._lock:
                    self._idle[endpoint].append(client)
            return self._count(reply.status)
        return self._count(503)

    def _in_turn(self):
        with self._lock:
            self._next += 1
            start = self._next
            candidates = [endpoint for endpoint in self._endpoints if endpoint in self._up]
        return candidates[start % len(candidates):] + candidates[:start % len(candidates)] if candidates else []

    def _connection(self, endpoint):
        """An idle one if there is one, and whether it was used before."""
        with self._lock:
            if self._idle[endpoint]:
                return self._idle[endpoint].pop(), True
        return Client(endpoint, timeout_s=30), False

    def _count(self, status):
        with self._lock:
            self.statuses[status] += 1
        return status

    def _check(self, endpoint):
        while not self._stop.wait(HEALTH_INTERVAL_S):
            try:
                with Client(endpoint, timeout_s=5) as client:
                    passed = client.get("/health").status == 200
            except OSError:
                passed = False
            with self._lock:
                (self._up.add if passed else self._up.discard)(endpoint)
