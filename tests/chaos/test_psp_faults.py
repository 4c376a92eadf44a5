"""The PSP breaks at random and is killed, the connector is killed as well: charges are counted at the PSP itself.

Everything is settled in the end; what is captured was charged exactly once, all else not at all. TEST_SEED repeats the
choices, PSP_KILL_ROUNDS sets the number of kills."""

import os
import random
import time
from collections import Counter

import pytest

from support import amounts, storage
from support.load import Load
from support.waiting import eventually

ROUNDS = int(os.environ.get("PSP_KILL_ROUNDS", "30"))
FAULTS = ["time_out_before_charge", "time_out_after_charge", "error_before_charge", "error_after_charge",
          "reset_before_charge", "reset_after_charge", "garbage_before_charge", "garbage_after_charge"]


def random_faults(rng):
    """Half of the requests break, each in one of eight ways."""
    rules = [{"behaviour": fault, "probability": 0.08} for fault in FAULTS]
    rng.shuffle(rules)
    return rules


def plain_or_declined(rng):
    return amounts.SUSPECTED_FRAUD if rng.random() < 0.1 else rng.randrange(1, 100_000)


def unsettled(database):
    [(count,)] = storage.query(database, "SELECT count(*) FROM transactions WHERE next_action_at_ms IS NOT NULL")
    return count


def assert_charges_match(server, psp, acknowledged):
    stored = {row.id: row for row in storage.transactions(server.database)}
    counts = storage.by_transaction(server.database, psp.counts())
    histogram = Counter((row.status, *counts.get(row.id, (0, 0))) for row in stored.values())
    print("status, charges, approved:")
    for key, count in sorted(histogram.items()):
        print(f"  {key}: {count}")
    assert set(acknowledged) <= set(stored) and set(counts) <= set(stored)
    allowed = {("captured", 1, 1), ("declined", 1, 0), ("failed", 0, 0)}
    wrong = {row.id: (row.status, *counts.get(row.id, (0, 0))) for row in stored.values()
             if (row.status, *counts.get(row.id, (0, 0))) not in allowed}
    assert not wrong, wrong
    return histogram


@pytest.fixture
def fleet(start_psp_simulator, start_three_services):
    """A PSP and the three programs, with as many look-ups as it takes."""
    psp = start_psp_simulator()
    return psp, start_three_services(PSP_URL=psp.url, LOOK_UPS_MAX=100)


def test_each_fault_at_random_and_one_charge_each(fleet, seed):
    psp, server = fleet
    psp.play(*random_faults(random.Random(seed)), seed=int(seed, 16) % 2**31)
    with Load(server, seed, workers=2, limit=400, amount=plain_or_declined) as load:
        eventually(lambda: len(load.acknowledged) >= 400, "the load")
    assert not load.refused and not load.unanswered
    eventually(lambda: unsettled(server.database) < 200, "half of it to be settled while the PSP breaks", 60)
    psp.behave()
    eventually(lambda: unsettled(server.database) == 0, "everything to be settled", 120, interval_s=0.2)
    histogram = assert_charges_match(server, psp, load.acknowledged)
    assert {status for status, _, _ in histogram} == {"captured", "declined"}, "whoever was reached is not 'failed'"


@pytest.mark.slow
def test_kills_of_the_psp_and_of_the_connector(fleet, seed):
    psp, server = fleet
    rng = random.Random(seed)
    acknowledged = {}
    for number in range(ROUNDS):
        psp.play(*random_faults(rng), seed=rng.randrange(2**31))
        victims = rng.choice([[psp], [server.psp_connector], [psp, server.psp_connector]])
        with Load(server, f"{seed}/{number}", workers=2, limit=2_000, amount=plain_or_declined) as load:
            time.sleep(rng.uniform(0.05, 0.6))  # the random moment is what is tested
            for victim in victims:
                victim.kill()
            time.sleep(rng.uniform(0, 0.3))  # and so is the time for which it is gone
            for victim in victims:
                victim.start()
        assert not load.refused and not load.unanswered
        acknowledged |= load.acknowledged
    psp.behave()
    eventually(lambda: unsettled(server.database) == 0, "everything to be settled", 180, interval_s=0.5)
    assert_charges_match(server, psp, acknowledged)
