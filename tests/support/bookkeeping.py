"""The books balance: what was acknowledged is stored, each transaction was charged as often as its state says, all are final.

What every test of faults ends with."""

from collections import Counter

from support import storage
from support.waiting import eventually

FINAL = {"captured", "declined", "failed", "manual_review"}


def wait_until_all_final(database, timeout_s=90.0):
    eventually(lambda: storage.open_transactions(database) == 0, "every transaction to become final", timeout_s,
               interval_s=0.1)


def histogram(stored, charges_of):
    """{(status, charges): how many}, printed."""
    counts = Counter((row.status, charges_of[row.id]) for row in stored.values())
    print("charges per transaction:")
    for (status, charges), count in sorted(counts.items()):
        print(f"  {status:14} {charges} charge(s): {count}")
    return counts


def assert_balanced(load, database, charges_of):
    """`charges_of` counts the approved charges of each reference at the PSP. All are final already."""
    charges_of = storage.by_transaction(database, charges_of)
    stored = {row.id: row for row in storage.transactions(database)}
    print(f"{len(load.acknowledged)} acknowledged, {len(stored)} stored, {sum(charges_of.values())} charges, "
          f"refused: {dict(load.refused)}")
    histogram(stored, charges_of)
    lost = set(load.acknowledged) - set(stored)
    assert not lost, f"{len(lost)} acknowledged transactions are gone: {sorted(lost)[:3]}"
    doubled = {key: ids for key, ids in load.ids_of.items() if len(ids) > 1}
    assert not doubled, f"one key made several transactions: {list(doubled.items())[:3]}"
    for identifier, sent in load.acknowledged.items():
        row = stored[identifier]
        assert (row.merchant_id, row.amount, row.currency) == (sent.merchant_id, sent.amount, sent.currency)
    twice = {reference: count for reference, count in charges_of.items() if count > 1}
    assert not twice, f"charged more than once: {list(twice.items())[:3]}"
    captured = {identifier for identifier, row in stored.items() if row.status == "captured"}
    charged = set(charges_of)
    assert charged - captured == set(), "charged but not captured"
    assert captured - charged == set(), "captured but not charged"
    assert {row.status for row in stored.values()} <= FINAL
    return stored
