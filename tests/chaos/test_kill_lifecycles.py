"""kill -9 of any process at any moment while payments live: held, captured in parts, voided, given back. The PSP is a program
of its own, whose book says what each of them came to.

KILL_ROUNDS sets the number of kills (8; 100 in the slow run), TEST_SEED repeats a run's choices."""

import os
import random
import time
from collections import Counter

import pytest

from support import storage
from support.lifecycles import OPEN, Lifecycles
from support.waiting import PATIENCE, eventually

ROUNDS = int(os.environ.get("KILL_ROUNDS", "0"))
# One in ten requests to the PSP meets one of these, whatever it asks for.
FAULTS = [{"behaviour": name, "probability": 0.02} for name in (
    "reset_before_charge", "reset_after_charge", "error_after_charge", "garbage_after_charge", "time_out_after_charge")]


def still_open(database):
    marks = ", ".join(f"'{status}'" for status in sorted(OPEN))
    [(count,)] = storage.query(database, f"SELECT count(*) FROM transactions WHERE status IN ({marks})")
    return count


def stored_operations(database):
    """(transaction id, kind) -> the phases of those operations."""
    found = {}
    for identifier, kind, phase in storage.query(database, "SELECT transaction_id, kind, phase FROM operations"):
        found.setdefault((storage.text_id(identifier), kind), []).append(phase)
    return found


def stored_money(database):
    """transaction id -> (status, captured, refunded)."""
    rows = storage.query(database, "SELECT id, status, captured_minor, refunded_minor FROM transactions")
    return {storage.text_id(row[0]): row[1:] for row in rows}


def kill_rounds(fleet, others, load, rng, rounds):
    ours = [*fleet.core_apis, *fleet.psp_connectors]
    for number in range(rounds):
        before = load.acknowledged()
        eventually(lambda: load.acknowledged() >= before + 20, f"load in round {number}", timeout_s=60)
        time.sleep(rng.uniform(0.0, 0.3))  # the random moment is what is tested
        chosen = rng.sample([*((program.kill, program.start) for program in ours), *others], rng.choice((1, 1, 1, 2)))
        for kill, _ in chosen:
            kill()
        time.sleep(rng.uniform(0.0, 0.2))  # for how long it is away
        for _, start in chosen:
            start()
        fleet.wait_healthy(timeout_s=60)


def assert_books_agree(load, database, psp):
    stored, money = stored_money(database), storage.by_transaction(database, psp.money())
    phases = stored_operations(database)
    print(f"{len(load.created)} payments and {sum(load.operations.values())} operations acknowledged, refused: "
          f"{dict(load.refused)}, {Counter(status for status, *_ in stored.values())}, "
          f"{Counter((kind, phase) for (_, kind), each in phases.items() for phase in each)}")
    assert set(load.created) == set(stored), "acknowledged payments are gone, or there are others"
    for (identifier, kind), count in load.operations.items():
        assert len(phases.get((identifier, kind), [])) == count, f"{kind} of {identifier}: acknowledged {count} times"
    for identifier, (status, captured, refunded) in stored.items():
        assert status != "manual_review", f"{identifier} is for a person, though the PSP can be asked for everything"
        psp_captured, psp_refunded, psp_voided = money.get(identifier, (0, 0, 0))
        assert (captured, refunded) == (psp_captured, psp_refunded), f"{identifier}: {status}"
        assert (psp_voided > 0) == ("succeeded" in phases.get((identifier, "void"), [])), f"{identifier}: {status}"
        assert captured + psp_voided <= load.created[identifier] and refunded <= captured, identifier


@pytest.mark.parametrize("rounds", [ROUNDS or 8, pytest.param(ROUNDS or 100, marks=pytest.mark.slow)],
                         ids=["a few", "many"])
def test_every_operation_has_one_effect_whatever_is_killed(own_postgres, own_redis, start_psp_simulator, start_fleet, seed,
                                                           rounds):
    psp = start_psp_simulator()
    psp.play(*FAULTS)
    fleet = start_fleet(DATABASE_URL=own_postgres.url(), REDIS_URL=own_redis.url(), QUEUE_SWEEP_SECONDS=1, PSP_URL=psp.url,
                        core_apis=2, psp_connectors=2, auth_apis=0)
    load = Lifecycles(fleet, seed).begin()
    others = [(own_postgres.kill9, own_postgres.start), (own_redis.kill9, own_redis.start)]
    kill_rounds(fleet, others, load, random.Random(seed), rounds)
    load.end(timeout_s=60 * PATIENCE)
    eventually(lambda: still_open(fleet.database) == 0, "every payment to be settled", timeout_s=60)
    assert_books_agree(load, fleet.database, psp)
