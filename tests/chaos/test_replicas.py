"""Replicas of core-api that leave and come back in turn, behind a router: no request fails."""

import threading

import pytest

from support import storage, tokens
from support.balancer import Balancer
from support.fleet import Fleet
from support.programs import SECRET
from support.waiting import eventually

DRAIN_SECONDS = 3  # longer than the balancer's interval, also on a busy machine
MERCHANTS = 4


@pytest.fixture
def replicas(tmp_path):
    """Two of core-api over one store."""
    fleet = Fleet(tmp_path, auth_apis=0, core_apis=2, psp_connectors=0, DRAIN_SECONDS=DRAIN_SECONDS).start()
    yield fleet
    for program in fleet.programs:
        program.kill()


@pytest.fixture
def balancer(replicas):
    balancer = Balancer(replicas.cores)
    yield balancer
    balancer.close()


class Merchants:
    """Pay through the balancer until told to stop."""

    def __init__(self, balancer):
        self._balancer, self._stop = balancer, threading.Event()
        self._threads = [threading.Thread(target=self._pay, args=(number + 1,)) for number in range(MERCHANTS)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _pay(self, merchant):
        token = tokens.mint(SECRET, user_id=merchant)
        number = 0
        while not self._stop.wait(0.02):
            number += 1
            self._balancer.post("/transaction", {"amount": 100, "currency": "USD", "token": token},
                                {"Idempotency-Key": f"{merchant}-{number}"})


def test_replicas_restart_in_turn_and_no_request_fails(replicas, balancer):
    paid = balancer.statuses
    with Merchants(balancer):
        for program, endpoint in 2 * list(zip(replicas.core_apis, replicas.cores)):
            before = paid[200]
            eventually(lambda: paid[200] >= before + 50, "payments before")
            assert program.stop() == 0
            before = paid[200]
            eventually(lambda: paid[200] >= before + 50, "payments meanwhile")
            program.start()
            eventually(lambda: endpoint in balancer.up(), "the router to know that it is back")
    assert set(paid) == {200}, paid
    stored = storage.transactions(replicas.database)
    assert len(stored) == paid[200], "each payment once"
    print(f"{paid[200]} payments over four restarts, none failed")
