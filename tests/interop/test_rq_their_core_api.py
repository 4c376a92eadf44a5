"""Python's core-api, our psp-connector: a job that any RQ has enqueued becomes a transaction, and is finished as RQ does."""

import uuid
import zlib

import pytest

from support import amounts, storage
from support.waiting import eventually

USER_ID = 41


@pytest.fixture
def peer(rq, own_redis, peer_of):
    return peer_of(rq, own_redis.url())


@pytest.fixture
def platform(start_fleet, own_redis):
    return start_fleet(REDIS_URL=own_redis.url(), QUEUE_SWEEP_SECONDS=1)


@pytest.fixture
def merchant(platform, merchant_of):
    return merchant_of(platform, user_id=USER_ID)


def test_the_job_becomes_a_transaction(peer, platform, merchant):
    identifier = peer.enqueue_transaction(USER_ID, 100, "USD")

    job = peer.wait_job(identifier, "finished")

    shown = merchant.wait_final(identifier)
    assert (shown["id"], shown["amount"], shown["currency"], shown["user_id"], shown["status"]) == (
        identifier, 100, "USD", USER_ID, "captured")
    assert [charge.reference for charge in storage.charges(platform.ledger)] == [identifier]
    assert 480 <= job["ttl"] <= 500 and job["exc_info"] is None
    assert job["ended_at"] and job["started_at"]
    assert job["result"] == "captured", "the transaction's status, for who asks"
    registries = peer.look("registries")
    assert registries["finished_ids"] == [identifier]
    assert (registries["queued"], registries["started"], registries["failed"]) == ([], {}, {})
    log = platform.connector_log()
    for text in (f"default: __main__.make_transaction(amount=100, currency='USD', user_id={USER_ID}) ({identifier})",
                 f"==> Making transaction with PSP: User ID: {USER_ID}, Amount: 100, Currency: USD",
                 f"default: Job OK ({identifier})", "Result is kept for 500 seconds"):
        assert text in log


def test_results_can_be_read_from_python(peer, platform):
    if not peer.rq.has_results_in_a_stream():
        pytest.skip(f"RQ {peer.rq.version} has results only as a field")
    job = peer.wait_job(peer.enqueue_transaction(), "finished")
    assert job["result_type"] == "SUCCESSFUL"


def test_finished_jobs_are_kept_for_500_seconds(peer, platform, own_redis):
    identifier = peer.enqueue_transaction()
    peer.wait_job(identifier, "finished")
    redis = own_redis.client()
    # 2.x keeps jobs by their id, too: only executions have a name of their own.
    score = redis.zscore("rq:finished:default", identifier)
    assert 480 <= score - redis.time()[0] <= 501


def test_a_decline_is_a_finished_job(peer, platform, merchant):
    """The function returned: the issuer's no is no error of the worker."""
    identifier = peer.enqueue_transaction(USER_ID, amounts.INSUFFICIENT_FUNDS, "USD")
    assert merchant.wait_final(identifier)["status"] == "declined"
    peer.wait_job(identifier, "finished")


def test_the_same_job_again_moves_no_money(peer, platform, merchant, own_redis):
    identifier = peer.enqueue_transaction(USER_ID, 100, "USD")
    peer.wait_job(identifier, "finished")
    redis = own_redis.client()
    redis.rpush("rq:queue:default", *[identifier] * 100)
    after = peer.enqueue_transaction(USER_ID, 200, "USD")
    peer.wait_job(after, "finished")
    assert redis.llen("rq:queue:default") == 0
    assert sorted(charge.reference for charge in storage.charges(platform.ledger)) == sorted([identifier, after])


def job_fails(peer, redis, identifier):
    """Waits until the job is failed as RQ fails jobs; the reason."""
    eventually(lambda: redis.zscore("rq:failed:default", identifier), f"{identifier} in the failed registry")
    assert redis.hget(f"rq:job:{identifier}", "status") == b"failed"
    kept = redis.zscore("rq:failed:default", identifier) - redis.time()[0]
    assert 31_530_000 <= kept <= 31_536_001
    assert identifier in peer.look("registries")["failed_ids"]
    return zlib.decompress(redis.hget(f"rq:job:{identifier}", "exc_info")).decode()


def test_a_job_for_another_function_fails_as_rq_fails_jobs(peer, platform, own_redis):
    [identifier] = peer.enqueue({"function": "__main__.something_else"})
    reason = job_fails(peer, own_redis.client(), identifier)
    assert "something_else" in reason or "make_transaction" in reason, reason
    assert peer.job(identifier)["exc_info"].strip() == reason.strip()
    good = peer.enqueue_transaction()
    peer.wait_job(good, "finished")


@pytest.mark.parametrize("line, in_reason", [
    ({"function": "os.system", "args": ["touch /tmp/switchyard-must-never-exist"]}, "function"),
    ({"function": "__main__.make_transaction", "kwargs": {"user_id": 1, "amount": 100}}, "currency"),
    ({"function": "__main__.make_transaction", "kwargs": {"user_id": 1, "amount": -5, "currency": "USD"}}, "mount"),
    ({"function": "__main__.make_transaction", "kwargs": {"user_id": 1, "amount": 1.5, "currency": "USD"}}, "mount"),
    ({"function": "__main__.make_transaction", "kwargs": {"user_id": 1, "amount": 10**30, "currency": "USD"}}, "64 bits"),
    ({"function": "__main__.make_transaction", "kwargs": {"user_id": 1, "amount": 100, "currency": "XYZ"}}, "urrency"),
    ({"function": "__main__.make_transaction", "kwargs": {"user_id": "x", "amount": 100, "currency": "USD"}}, "user"),
    ({"function": "__main__.make_transaction", "kwargs": {"user_id": 1, "amount": [], "currency": {}}}, ""),
], ids=["os.system", "no currency", "negative", "fraction", "too large", "no such currency",
        "user not a number", "wrong types"])
def test_a_job_that_is_none_of_ours_fails_with_a_reason(debian_rq, peer_of, platform, own_redis, line, in_reason):
    peer = peer_of(debian_rq, own_redis.url())
    [identifier] = peer.enqueue(line)
    reason = job_fails(peer, own_redis.client(), identifier)
    assert in_reason in reason, reason
    assert storage.charges(platform.ledger) == []
    good = peer.enqueue_transaction()
    peer.wait_job(good, "finished")


@pytest.mark.parametrize("data", [b"", b"rubbish", zlib.compress(b"rubbish"), zlib.compress(b"\x80\x05."),
                                  zlib.compress(b"\0" * 50_000_000), zlib.compress(b"\x80\x04" + b"(" * 100_000),
                                  zlib.compress(b"cos\nsystem\n(S'touch /tmp/switchyard-must-never-exist'\ntR."),
                                  None],
                         ids=["empty", "no zlib", "no pickle", "pickle of nothing", "bomb", "deep", "object", "missing"])
def test_garbage_for_data_fails_with_a_reason(debian_rq, peer_of, platform, own_redis, data):
    peer, redis = peer_of(debian_rq, own_redis.url()), own_redis.client()
    platform.psp_connectors[0].stop()
    identifier = peer.enqueue_transaction()
    if data is None:
        redis.hdel(f"rq:job:{identifier}", "data")
    else:
        redis.hset(f"rq:job:{identifier}", "data", data)
    platform.psp_connectors[0].start()
    eventually(lambda: redis.zscore("rq:failed:default", identifier), "the job in the failed registry")
    assert zlib.decompress(redis.hget(f"rq:job:{identifier}", "exc_info"))
    good = peer.enqueue_transaction()
    peer.wait_job(good, "finished")


def test_two_hundred_jobs_shared_with_a_python_worker(peer, start_fleet, own_redis, merchant_of):
    """Each job is done exactly once, by whichever of the two took it."""
    # Long enough that no job is compared while it waits for its worker.
    platform = start_fleet(REDIS_URL=own_redis.url(), QUEUE_SWEEP_SECONDS=5)
    merchant = merchant_of(platform, user_id=USER_ID)
    peer.start_worker()
    theirs = peer.enqueue(*({"user_id": USER_ID, "amount": number + 1, "currency": "USD"} for number in range(100)))
    ours = [merchant.created(number + 1, "EUR")["id"] for number in range(100)]
    for identifier in ours:
        assert merchant.wait_final(identifier, timeout_s=60)["status"] == "captured"
    redis = own_redis.client()
    eventually(lambda: all(redis.hget(f"rq:job:{identifier}", "status") == b"finished" for identifier in theirs),
               "every job of Python's to be finished")
    charges = peer.charges()
    by_python = sum(charges.values())
    charges.update(charge.reference for charge in storage.charges(platform.ledger))
    print(f"{by_python} by Python, {200 - by_python} by us")
    assert charges == {identifier: 1 for identifier in theirs + ours}


def test_ids_of_rqs_making_are_uuids(debian_rq, peer_of, own_redis):
    """What the connector may rely on: without `job_id` it is a UUID, version 4."""
    identifier = peer_of(debian_rq, own_redis.url()).enqueue_transaction()
    assert str(uuid.UUID(identifier)) == identifier


def test_a_job_with_an_id_that_is_no_uuid_is_not_lost(debian_rq, peer_of, platform, own_redis):
    """`enqueue(job_id=...)` takes any text. It is done, or it is failed with a reason; it does not just disappear."""
    peer, redis = peer_of(debian_rq, own_redis.url()), own_redis.client()
    identifier = peer.enqueue_transaction(job_id="order 17/ü")
    status = eventually(lambda: (s := redis.hget(f"rq:job:{identifier}", "status")) in (b"finished", b"failed") and s,
                        "the job to be finished or failed")
    if status == b"failed":
        assert b"UUID" in zlib.decompress(redis.hget(f"rq:job:{identifier}", "exc_info"))
