"""kill -9 of any process at any moment: core-api, psp-connector, Redis, PostgreSQL. The PSP is a program of its own, whose
ledger says how often each payment was charged.

KILL_ROUNDS sets the number of kills (8; 100 in the slow run), TEST_SEED repeats a run's choices."""

import os
import random
import time
from collections import Counter, defaultdict

import pytest

from support import amounts
from support.bookkeeping import assert_balanced, wait_until_all_final
from support.load import Load
from support.recovery import describe, seconds_until_processed
from support.waiting import eventually

ROUNDS = int(os.environ.get("KILL_ROUNDS", "0"))


def mostly_plain(rng):
    """One in ten is declined, or charged with an answer that is lost or cannot be read."""
    special = (amounts.INSUFFICIENT_FUNDS, amounts.ERROR_AFTER_CHARGE, amounts.RESET_AFTER_CHARGE,
               amounts.GARBAGE_AFTER_CHARGE, amounts.ANSWER_LOST)
    return rng.choice(special) if rng.random() < 0.1 else rng.randrange(1, 100_000)


class Victim:
    """Something that can be killed and started again."""

    def __init__(self, kind, kill, start):
        self.kind, self.kill, self.start = kind, kill, start


def victims(fleet, postgres, redis):
    ours = [(program.name.rpartition("-")[0], program) for program in [*fleet.core_apis, *fleet.psp_connectors]]
    return [*(Victim(kind, program.kill, program.start) for kind, program in ours),
            Victim("Redis", redis.kill9, redis.start), Victim("PostgreSQL", postgres.kill9, postgres.start)]


@pytest.mark.parametrize("rounds", [ROUNDS or 8, pytest.param(ROUNDS or 100, marks=pytest.mark.slow)],
                         ids=["a few", "many"])
def test_kill_anything_at_any_moment(own_postgres, own_redis, start_psp_simulator, start_fleet, seed, rounds):
    psp = start_psp_simulator()
    fleet = start_fleet(DATABASE_URL=own_postgres.url(), REDIS_URL=own_redis.url(), QUEUE_SWEEP_SECONDS=1,
                        PSP_URL=psp.url, core_apis=2, psp_connectors=2, auth_apis=0)
    rng, recovered = random.Random(seed), defaultdict(list)
    candidates = victims(fleet, own_postgres, own_redis)
    kinds = sorted({victim.kind for victim in candidates})
    load = Load(fleet, seed, workers=6, amount=mostly_plain, persistent=True).begin()
    for number in range(rounds):
        before = len(load.acknowledged)
        eventually(lambda: len(load.acknowledged) >= before + 20, f"load in round {number}", timeout_s=60)
        time.sleep(rng.uniform(0.0, 0.4))  # the random moment is what is tested
        # Each kind in turn, and in one round of five two things at once.
        kind = kinds[number % len(kinds)]
        chosen = [rng.choice([victim for victim in candidates if victim.kind == kind])]
        if rng.random() < 0.2:
            chosen.append(rng.choice([victim for victim in candidates if victim is not chosen[0]]))
        for victim in chosen:
            victim.kill()
        time.sleep(rng.uniform(0.0, 0.3))  # for how long it is away
        for victim in sorted(chosen, key=lambda victim: victim.kind != "PostgreSQL"):
            victim.start()
        fleet.wait_healthy(timeout_s=60)
        seconds = seconds_until_processed(fleet)
        recovered[" and ".join(sorted(victim.kind for victim in chosen))].append(seconds)
    load.no_more()
    eventually(lambda: not load.waiting(), "every request to be acknowledged in the end", timeout_s=60)
    load.end()
    wait_until_all_final(fleet.database)

    for kind, seconds in sorted(recovered.items()):
        print(f"a payment is through again after the kill of {kind}: {describe(seconds)}")
    charges = Counter({reference: approved for reference, (_, approved) in psp.counts().items() if approved})
    stored = assert_balanced(load, fleet.database, charges)
    for row in stored.values():
        assert row.status == amounts.expected_status(row.amount), row
