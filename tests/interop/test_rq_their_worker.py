"""Our core-api, Python's worker: jobs that we enqueue are jobs to every RQ, and what becomes of them is read back."""

import pickle
import re
import zlib

import pytest

from support import storage
from support.rq_peer import AMOUNT_THAT_FAILS
from support.waiting import eventually

TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
TIMES = (b"created_at", b"enqueued_at")


@pytest.fixture
def peer(rq, own_redis, peer_of):
    return peer_of(rq, own_redis.url())


@pytest.fixture
def core_api(start_fleet, own_redis):
    """auth-api and core-api of ours without a psp-connector: Python is the only worker."""
    return start_fleet(psp_connectors=0, REDIS_URL=own_redis.url(), QUEUE_SWEEP_SECONDS=1)


def test_python_makes_the_transaction(core_api, merchant_of, peer):
    merchant = merchant_of(core_api)
    worker = peer.start_worker()
    transaction = merchant.created(4321, "EUR")

    settled = merchant.wait_final(transaction["id"])

    assert settled["status"] == "captured"
    assert storage.psps_of(core_api.database, transaction["id"]) == ["rq-worker"]
    assert peer.charges() == {transaction["id"]: 1}
    text = f"User ID: {merchant.user_id}, Amount: 4321, Currency: EUR"
    assert f"==> Making transaction with PSP: {text}" in worker.log()
    assert f"default: __main__.make_transaction(amount=4321, currency='EUR', user_id={merchant.user_id}) " \
           f"({transaction['id']})" in worker.log()
    assert peer.job(transaction["id"])["status"] == "finished"


def test_a_payment_that_is_only_held_is_not_theirs(core_api, merchant_of, peer, own_redis, start_fleet):
    """A job cannot say "hold only": their worker would charge it."""
    merchant = merchant_of(core_api)
    peer.start_worker()
    held = merchant.created(4321, "EUR", capture="manual")["id"]
    taken = [merchant.created(4321, "EUR")["id"] for _ in range(2)]
    assert [merchant.wait_final(identifier)["status"] for identifier in taken] == ["captured", "captured"]
    registries = peer.look("registries")
    assert held not in registries["queued"] and peer.charges() == {identifier: 1 for identifier in taken}
    assert merchant.show(held)["status"] == "processing"

    start_fleet(auth_apis=0, core_apis=0, REDIS_URL=own_redis.url(), QUEUE_SWEEP_SECONDS=1)
    merchant.wait_for_status(held, "authorized")
    assert storage.psps_of(core_api.database, held) == ["simulator"]
    assert peer.charges() == {identifier: 1 for identifier in taken}


def test_a_job_that_fails_in_python_is_a_failed_transaction(core_api, merchant_of, peer):
    merchant = merchant_of(core_api)
    peer.start_worker()
    transaction = merchant.created(AMOUNT_THAT_FAILS, "EUR")
    assert merchant.wait_final(transaction["id"])["status"] == "failed"
    assert storage.psps_of(core_api.database, transaction["id"]) == ["rq-worker"]
    assert "the PSP is on fire" in peer.job(transaction["id"])["exc_info"]
    assert peer.look("registries")["failed_ids"] == [transaction["id"]]


def test_a_job_that_is_requeued_and_succeeds_is_captured(core_api, merchant_of, peer):
    """`rq requeue`: what failed in Python is tried again there, and what the merchant is shown follows."""
    merchant = merchant_of(core_api)
    broken = peer.start_worker()
    transaction = merchant.created(AMOUNT_THAT_FAILS, "EUR")["id"]
    other = merchant.created(AMOUNT_THAT_FAILS, "EUR")["id"]
    assert [merchant.wait_final(identifier)["status"] for identifier in (transaction, other)] == ["failed", "failed"]
    broken.stop()

    peer.start_worker(amount_that_fails=0)
    peer.command_line("requeue", "--queue", "default", transaction)
    peer.wait_job(transaction, "finished")
    merchant.wait_for_status(transaction, "captured")
    assert storage.psps_of(core_api.database, transaction) == ["rq-worker", "rq-worker"]
    assert peer.charges() == {transaction: 1}
    assert merchant.show(other)["status"] == "failed", "nobody tried that again"


def test_python_reads_our_job(core_api, merchant_of, peer):
    merchant = merchant_of(core_api)
    identifier = merchant.created(100, "USD")["id"]
    job = eventually(lambda: identifier in peer.look("registries")["queued"] and peer.job(identifier), "the job")
    assert (job["status"], job["function"], job["origin"]) == ("queued", "__main__.make_transaction", "default")
    assert (job["args"], job["kwargs"]) == ([], {"user_id": merchant.user_id, "amount": 100, "currency": "USD"})
    assert job["timeout"] == 180 and job["ttl"] == -1
    assert job["created_at"] and job["enqueued_at"]
    assert "default" in peer.command_line("info", "--only-queues")


def test_job_hash_is_what_python_writes(core_api, merchant_of, peer, own_redis):
    """Field by field, the pickle byte for byte; only times and ids differ."""
    merchant = merchant_of(core_api)
    ours_id = merchant.created(100, "USD")["id"]
    redis = own_redis.client()
    ours = eventually(lambda: redis.hgetall(f"rq:job:{ours_id}"), "our job")
    theirs_id = peer.enqueue_transaction(merchant.user_id, 100, "USD")
    theirs = redis.hgetall(f"rq:job:{theirs_id}")

    for name in TIMES:
        assert TIME.fullmatch(theirs.pop(name)) and TIME.fullmatch(ours.pop(name)), name
    our_pickle, their_pickle = (zlib.decompress(job.pop(b"data")) for job in (ours, theirs))
    assert our_pickle == their_pickle
    assert pickle.loads(our_pickle) == (
        "__main__.make_transaction", None, (), {"user_id": merchant.user_id, "amount": 100, "currency": "USD"})
    # Empty fields came one by one with RQ's versions; a reader takes a missing one for an empty one.
    assert {name: value for name, value in ours.items() if value} == {
        name: value for name, value in theirs.items() if value}
    assert set(ours) <= set(theirs) | {b"stopped_callback_name", b"group_id"}
    assert redis.ttl(f"rq:job:{ours_id}") == redis.ttl(f"rq:job:{theirs_id}") == -1
    assert redis.lrange("rq:queue:default", 0, -1) == [ours_id.encode(), theirs_id.encode()]
    assert redis.smembers("rq:queues") == {b"rq:queue:default"}


@pytest.mark.parametrize("amount", [1, 255, 256, 65_535, 65_536, 2**31 - 1, 2**31, 10**12])
def test_pickles_of_every_size_of_number(debian_rq, peer_of, core_api, merchant_of, own_redis, amount):
    merchant, peer, redis = merchant_of(core_api), peer_of(debian_rq, own_redis.url()), own_redis.client()
    ours_id = merchant.created(amount, "JPY")["id"]
    ours = eventually(lambda: redis.hgetall(f"rq:job:{ours_id}"), "our job")
    theirs = redis.hgetall(f"rq:job:{peer.enqueue_transaction(merchant.user_id, amount, 'JPY')}")
    assert zlib.decompress(ours[b"data"]) == zlib.decompress(theirs[b"data"])
    assert ours[b"description"] == theirs[b"description"]


def test_fifty_transactions_one_charge_each(core_api, merchant_of, peer):
    merchant = merchant_of(core_api)
    peer.start_worker()
    identifiers = [merchant.created(number + 1, "JPY")["id"] for number in range(50)]
    for identifier in identifiers:
        assert merchant.wait_final(identifier)["status"] == "captured"
    assert peer.charges() == {identifier: 1 for identifier in identifiers}


def test_a_job_that_waits_through_sweeps_runs_once(core_api, merchant_of, debian_rq, peer_of, own_redis):
    """The worker comes when the sweep has long been looking: nothing may be in the queue twice, nor run twice."""
    merchant, peer, redis = merchant_of(core_api), peer_of(debian_rq, own_redis.url()), own_redis.client()
    identifier = merchant.created(100, "USD")["id"]
    began = redis.time()[0]
    eventually(lambda: redis.time()[0] - began >= 4, "three sweeps", interval_s=0.2)
    assert redis.lrange("rq:queue:default", 0, -1) == [identifier.encode()]
    peer.start_worker()
    merchant.wait_final(identifier)
    eventually(lambda: redis.llen("rq:queue:default") == 0, "an empty queue")
    assert peer.charges() == {identifier: 1}
