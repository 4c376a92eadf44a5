"""How long a platform takes to be itself again after a fault, as a merchant sees it."""

import http.client
import statistics
import time

from support import amounts
from support.merchants import Merchant
from support.waiting import NeverHappened, PATIENCE


def _kept_trying(attempt, deadline, what):
    while True:
        try:
            result = attempt()
            if result:
                return result
        except (OSError, http.client.HTTPException):
            pass
        if time.monotonic() > deadline:
            raise NeverHappened(f"waited in vain for {what}")
        time.sleep(0.005)


def seconds_until_acknowledged(server, timeout_s=60.0):
    """Until a new payment gets its 200."""
    began = time.monotonic()
    probe = _Probe(server)
    _kept_trying(lambda: probe.acknowledged(), began + timeout_s * PATIENCE, "a payment to be acknowledged")
    probe.close()
    return time.monotonic() - began


def seconds_until_processed(server, timeout_s=60.0):
    """Until a new payment has been acknowledged and has become final."""
    began = time.monotonic()
    deadline = began + timeout_s * PATIENCE
    probe = _Probe(server)
    _kept_trying(probe.acknowledged, deadline, "a payment to be acknowledged")
    _kept_trying(probe.final, deadline, "a payment to become final")
    probe.close()
    return time.monotonic() - began


class _Probe:
    """One payment, sent under one key until it is taken."""

    def __init__(self, server):
        self._merchant = Merchant(server)
        self._key = f"probe of {self._merchant.user_id}"
        self._id = None

    def acknowledged(self):
        reply = self._merchant.create(100, "USD", key=self._key)
        if reply.status == 200:
            self._id = reply.json()["id"]
        return self._id

    def final(self):
        reply = self._merchant.get(f"/transaction/{self._id}")
        return reply.status == 200 and reply.json()["status"] in amounts.FINAL_STATUSES

    def close(self):
        self._merchant.close()


def describe(seconds):
    return f"max {max(seconds):.2f} s, median {statistics.median(seconds):.2f} s of {len(seconds)}"
