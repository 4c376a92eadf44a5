"""kill -9 under load, again and again: nothing acknowledged is lost, nothing is charged twice, everything becomes final.

KILL_ROUNDS sets the number of kills (50), TEST_SEED repeats a run's choices.

One kind of payment ends with a person: one whose worker was killed between intent and outcome, and whose resends then
never reach the PSP. Nobody can know whether the first send did, so it is looked up with growing delays and then goes to
`manual_review`. The load has such payments on purpose; they must not be charged, and be the only ones that end there.
LOOK_UPS_MAX (support/programs.py) makes that a matter of seconds instead of minutes."""

import os
import random
import signal
import time
from collections import Counter

import pytest

from support import amounts, storage
from support.load import Load
from support.merchants import Merchant
from support.ports import free_port
from support.programs import Program
from support.waiting import eventually

ROUNDS = int(os.environ.get("KILL_ROUNDS", "50"))


def start_interrupted(server, rng):
    """One round in ten is killed while it still starts; then it starts properly."""
    if rng.random() < 0.1:
        server.program.start()
        time.sleep(rng.uniform(0, 0.3))  # the random moment is what is tested
        server.kill()
    server.start()


def may_be(status, amount):
    return status == amounts.expected_status(amount) or (
        amount == amounts.NETWORK_ERROR_BEFORE_SENDING and status == "manual_review")


def print_histogram(stored, charges_of):
    histogram = Counter((row.status, charges_of[row.id]) for row in stored.values())
    print("charges per transaction:")
    for (status, charges), count in sorted(histogram.items()):
        print(f"  {status:10} {charges} charge(s): {count}")


@pytest.mark.slow
@pytest.mark.parametrize("psp_is", ["in the process", "a program"])
def test_kill_under_load(start_switchyard, start_psp_simulator, psp_is, seed):
    """With the PSP in the process that is killed, and with one that lives on and counts for itself."""
    rng = random.Random(seed)
    psp = start_psp_simulator() if psp_is == "a program" else None
    server = start_switchyard(PSP_URL=psp.url if psp else None)
    server.kill()
    acknowledged, unanswered, keys = {}, [], {}

    for number in range(ROUNDS):
        start_interrupted(server, rng)
        load = Load(server, f"{seed}/{number}", workers=4, retry=unanswered).begin()
        time.sleep(rng.uniform(0.02, 0.8))  # the random moment is what is tested
        server.kill()
        load.end()
        assert not load.refused, f"round {number}: {load.refused}"
        for identifier, sent in load.acknowledged.items():
            assert keys.setdefault(sent.key,
                                   identifier) == identifier, "a retry across a kill made a second transaction"
        acknowledged |= load.acknowledged
        unanswered = load.unanswered
        server.program.log_path.unlink()

    server.start()
    merchants = {user_id: Merchant(server, user_id=user_id) for user_id in (1, 2)}
    for sent in unanswered:
        identifier = merchants[sent.merchant_id].created(sent.amount, sent.currency, key=sent.key)["id"]
        assert keys.setdefault(sent.key, identifier) == identifier
        acknowledged[identifier] = sent
    eventually(lambda: storage.open_transactions(server.database) == 0, "every transaction to become final", timeout_s=90,
               interval_s=0.2)

    stored = {row.id: row for row in storage.transactions(server.database)}
    charges = storage.charged_transactions(server.database, psp.ledger if psp else server.ledger)
    charges_of = Counter(charge.reference for charge in charges)
    if psp:
        counts = storage.by_transaction(server.database, psp.counts())
        assert {identifier: count for identifier, (count, _) in counts.items()} == charges_of
        assert not server.ledger.exists()
    print(f"{ROUNDS} kills, {len(acknowledged)} acknowledged, {len(stored)} stored, {len(charges)} charges")
    print_histogram(stored, charges_of)

    lost = set(acknowledged) - set(stored)
    assert not lost, f"{len(lost)} acknowledged transactions are gone"
    for identifier, sent in acknowledged.items():
        row = stored[identifier]
        assert (row.merchant_id, row.amount, row.currency) == (sent.merchant_id, sent.amount, sent.currency)
        assert may_be(row.status, row.amount), f"{identifier} of {row.amount} is {row.status}"

    twice = {reference: count for reference, count in charges_of.items() if count > 1}
    assert not twice, f"charged more than once: {twice}"
    assert set(charges_of) <= set(stored), "charged without a transaction"
    for charge in charges:
        row = stored[charge.reference]
        assert (charge.amount, charge.currency) == (row.amount, row.currency)
    approved = {charge.reference for charge in charges if charge.outcome == "approved"}
    captured = {identifier for identifier, row in stored.items() if row.status == "captured"}
    assert approved - captured == set(), "charged but not captured"
    assert captured - approved == set(), "captured but not charged"

    for identifier in rng.sample(sorted(acknowledged), min(50, len(acknowledged))):
        sent = acknowledged[identifier]
        shown = merchants[sent.merchant_id].show(identifier)
        assert (shown["amount"], shown["currency"], shown["status"]) == (sent.amount, sent.currency,
            stored[identifier].status)
    for merchant in merchants.values():
        merchant.close()
    assert storage.query(server.database, "PRAGMA integrity_check") == [("ok",)]


def pause_outside_a_commit(program, database):
    """Stops the program when it does not hold SQLite's write lock, which a stopped process keeps."""
    def paused():
        program.send_signal(signal.SIGSTOP)
        if storage.is_writable(database):
            return True
        program.send_signal(signal.SIGCONT)
        return False
    eventually(paused, "a moment outside a commit")


def test_a_worker_that_wakes_up_late_changes_nothing(three_services, merchant_of, tmp_path, seed):
    """Stopped for longer than its lease, as a virtual machine is when it moves: another worker takes over meanwhile,
    and what the late one then reports is dropped."""
    late = three_services.psp_connector
    with Load(three_services, seed, workers=2, limit=5_000) as load:
        eventually(lambda: len(load.acknowledged) >= 100, "load")
        pause_outside_a_commit(late, three_services.database)
        eventually(lambda: len(load.acknowledged) >= 300, "more load")
    (tmp_path / "second").mkdir()
    settings = {**late.settings, "METRICS_PORT": str(free_port())}
    second = Program("psp-connector", [], settings, tmp_path / "second").start()
    eventually(lambda: storage.open_transactions(three_services.database) == 0, "the second worker to finish everything", 60)
    final = storage.transactions(three_services.database)
    late.send_signal(signal.SIGCONT)
    merchant = merchant_of(three_services)
    for _ in range(20):
        merchant.wait_final(merchant.created()["id"])
    assert late.stop() == 0 and second.stop() == 0
    charges_of = Counter(charge.reference for charge in storage.charges(three_services.ledger))
    assert max(charges_of.values()) == 1
    now = {row.id: row for row in storage.transactions(three_services.database)}
    changed = [(row, now[row.id]) for row in final if now[row.id] != row]
    assert not changed, "a final state changed"


@pytest.mark.slow
def test_kill_of_the_connector_alone(three_services, merchant_of, seed):
    """core-api goes on acknowledging; the next connector takes up what the dead one held, and charges nothing again."""
    rng = random.Random(seed)
    merchant = merchant_of(three_services)
    connector = three_services.psp_connector
    with Load(three_services, seed, workers=2, limit=20_000) as load:
        for _ in range(min(ROUNDS, 15)):
            time.sleep(rng.uniform(0.02, 0.4))  # the random moment is what is tested
            connector.kill()
            connector.start()
    assert not load.refused and not load.unanswered
    eventually(lambda: storage.open_transactions(three_services.database) == 0, "every transaction to become final",
               timeout_s=90, interval_s=0.2)
    stored = {row.id: row for row in storage.transactions(three_services.database)}
    charges_of = Counter(charge.reference for charge in storage.charged_transactions(three_services.database,
                                                                                           three_services.ledger))
    print_histogram(stored, charges_of)
    assert set(load.acknowledged) <= set(stored)
    assert max(charges_of.values()) == 1
    assert all(may_be(row.status, row.amount) for row in stored.values())
    assert merchant.create().status == 200
