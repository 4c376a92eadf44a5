"""Python's core-api, our psp-connector: a job that any RQ has enqueued becomes a transaction, and is finished as RQ does."""

import re
import uuid
import zlib

import pytest

from support import amounts, storage
from support.waiting import eventually

USER_ID = 2  # becky


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
    ({"user_id": 1, "amount": 0, "currency": "USD"}, "not positive"),
    ({"user_id": 1, "amount": True, "currency": "USD"}, "whole number"),
    ({"user_id": 1, "amount": 10**12 + 1, "currency": "USD"}, "MAX_AMOUNT"),
    ({"user_id": 99, "amount": 100, "currency": "USD"}, "names no user"),
    ({"user_id": 3, "amount": 100, "currency": "USD"}, "disabled"),
    ({"user_id": 1, "amount": 100, "currency": "BGN"}, "urrency"),
], ids=["os.system", "no currency", "negative", "fraction", "too large", "no such currency",
        "user not a number", "wrong types", "zero", "a truth", "above the limit", "unknown user", "disabled user",
        "withdrawn currency"])
def test_a_job_that_is_none_of_ours_fails_with_a_reason(debian_rq, peer_of, platform, own_redis, line, in_reason):
    peer = peer_of(debian_rq, own_redis.url())
    [identifier] = peer.enqueue(line)
    reason = job_fails(peer, own_redis.client(), identifier)
    assert in_reason in reason, reason
    assert storage.charges(platform.ledger) == []
    good = peer.enqueue_transaction()
    peer.wait_job(good, "finished")


def test_a_job_with_the_id_of_another_merchants_transaction_moves_no_money(debian_rq, peer_of, platform, own_redis,
                                                                           merchant_of):
    peer, redis = peer_of(debian_rq, own_redis.url()), own_redis.client()
    alice, becky = merchant_of(platform, user_id=1), merchant_of(platform, user_id=2)
    identifier = alice.created(100, "USD")["id"]
    alice.wait_final(identifier)
    eventually(lambda: redis.hget(f"rq:job:{identifier}", "status") == b"finished", "alice's job to be finished")
    redis.delete(f"rq:job:{identifier}")
    assert peer.enqueue_transaction(2, 777, "EUR", job_id=identifier) == identifier
    assert "another merchant" in job_fails(peer, redis, identifier)
    assert becky.get(f"/transaction/{identifier}").status == 404
    assert [(charge.amount, charge.currency) for charge in storage.charges(platform.ledger)] == [(100, "USD")]


def test_jobs_are_refused_by_the_store_in_postgres_as_well(debian_rq, peer_of, start_fleet, own_redis, postgres_url,
                                                           merchant_of):
    platform = start_fleet(DATABASE_URL=postgres_url, REDIS_URL=own_redis.url(), QUEUE_SWEEP_SECONDS=1)
    peer, redis, alice = peer_of(debian_rq, own_redis.url()), own_redis.client(), merchant_of(platform, user_id=1)
    stored = alice.created(100, "USD")["id"]
    alice.wait_final(stored)
    eventually(lambda: redis.hget(f"rq:job:{stored}", "status") == b"finished", "alice's job to be finished")
    redis.delete(f"rq:job:{stored}")
    platform.psp_connectors[0].stop()
    refused = {peer.enqueue_transaction(2, 777, "EUR", job_id=stored): "another merchant",
               peer.enqueue_transaction(99): "names no user", peer.enqueue_transaction(3): "disabled",
               peer.enqueue_transaction(1, 10**12 + 1): "MAX_AMOUNT"}
    good = [peer.enqueue_transaction(2), peer.enqueue_transaction(1, 10**12)]
    platform.psp_connectors[0].start()
    for identifier in good:
        peer.wait_job(identifier, "finished")
    for identifier, reason in refused.items():
        assert reason in job_fails(peer, redis, identifier)
    assert sorted(charge.reference for charge in storage.charges(platform.ledger)) == sorted([stored, *good])


@pytest.mark.parametrize("created_at", ["0000-01-01T00:00:00Z", "9999-12-31T23:59:60.999999Z", "0001-01-01T00:00:00Z",
                                        "9999-12-31T23:59:59.999999Z", "-0001-01-01T00:00:00Z", "", "yesterday"])
def test_a_job_made_at_any_time_is_shown_and_done(debian_rq, peer_of, platform, own_redis, merchant, created_at):
    """Whatever it says, nothing can be made before there was Switchyard, or later than now."""
    peer, redis = peer_of(debian_rq, own_redis.url()), own_redis.client()
    platform.psp_connectors[0].stop()
    identifier = peer.enqueue_transaction(USER_ID, 100, "USD")
    redis.hset(f"rq:job:{identifier}", "created_at", created_at)
    platform.psp_connectors[0].start()
    shown = merchant.wait_final(identifier)
    assert "2011-11-01" <= shown["created_at"] <= shown["updated_at"]
    # Not by RQ, which cannot read such a time itself.
    eventually(lambda: redis.hget(f"rq:job:{identifier}", "status") == b"finished", "the job to be finished")


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


def test_a_job_that_others_depend_on_releases_them(peer, platform, own_redis):
    platform.psp_connectors[0].stop()
    first, second = peer.enqueue_transaction(), peer.enqueue_transaction()
    of_one = peer.enqueue_transaction(depends_on=first)
    of_both = peer.enqueue_transaction(depends_on=[first, second]) if peer.rq.version >= (1, 11) else second
    refused = peer.enqueue_transaction(99)
    of_the_refused = peer.enqueue_transaction(depends_on=refused)
    platform.psp_connectors[0].start()
    for identifier in (of_one, of_both):
        peer.wait_job(identifier, "finished")
    job_fails(peer, own_redis.client(), refused)
    assert peer.job(of_the_refused)["status"] == "deferred"
    assert own_redis.client().zrange("rq:deferred:default", 0, -1) == [of_the_refused.encode()]


def test_the_slot_of_a_rate_limit_is_handed_on(peer, platform):
    if peer.rq.version < (3,):
        pytest.skip(f"RQ {peer.rq.version} has no rate limits")
    identifiers = peer.enqueue(*({"user_id": 1, "amount": 100 + number, "currency": "USD", "rate_limit": ["a psp", 1]}
                                 for number in range(5)))
    for identifier in identifiers:
        peer.wait_job(identifier, "finished")


def test_a_job_in_json_has_a_result_in_json(peer, platform, own_redis):
    [identifier] = peer.enqueue({"user_id": 1, "amount": 100, "currency": "USD", "json": True})
    redis = own_redis.client()
    eventually(lambda: redis.hget(f"rq:job:{identifier}", "status") == b"finished", "the job to be finished")
    assert redis.hget(f"rq:job:{identifier}", "result") == b'"captured"'


@pytest.mark.parametrize("status", ["failed", "deferred", "scheduled", "weird"])
def test_a_job_in_the_queue_that_nobody_began_is_done_whatever_its_status(debian_rq, peer_of, platform, own_redis,
                                                                          merchant, status):
    """As RQ's worker does, which asks for none."""
    peer, redis = peer_of(debian_rq, own_redis.url()), own_redis.client()
    platform.psp_connectors[0].stop()
    identifier = peer.enqueue_transaction(USER_ID, 100, "USD")
    redis.hset(f"rq:job:{identifier}", "status", status)
    platform.psp_connectors[0].start()
    assert merchant.wait_final(identifier)["status"] == "captured"
    peer.wait_job(identifier, "finished")


@pytest.mark.parametrize("status", ["started", "finished", "failed", "stopped", "canceled"])
def test_a_job_in_the_queue_that_another_worker_began_is_left_and_named(debian_rq, peer_of, platform, own_redis, status):
    """It may have been charged."""
    peer, redis = peer_of(debian_rq, own_redis.url()), own_redis.client()
    platform.psp_connectors[0].stop()
    identifier = peer.enqueue_transaction()
    redis.hset(f"rq:job:{identifier}", mapping={"status": status, "started_at": "2026-01-01T00:00:00.000000Z",
                                                "worker_name": "theirs"})
    platform.psp_connectors[0].start()
    eventually(lambda: re.search(f"{identifier}: its status is {status}", platform.connector_log()), "the log to name it")
    assert redis.hget(f"rq:job:{identifier}", "status") == status.encode()
    if status in ("failed", "stopped"):
        eventually(lambda: redis.zscore("rq:failed:default", identifier), "the job in the failed registry")
    assert storage.charges(platform.ledger) == []


def test_an_id_without_a_job_is_named(platform, own_redis):
    identifier = str(uuid.uuid4())
    own_redis.client().rpush("rq:queue:default", identifier)
    eventually(lambda: re.search(f"{identifier}: Redis has no job", platform.connector_log()), "the log to name it")


def test_what_no_worker_of_ours_does_is_said(debian_rq, peer_of, platform, own_redis):
    peer, redis = peer_of(debian_rq, own_redis.url()), own_redis.client()
    platform.psp_connectors[0].stop()
    identifier = peer.enqueue_transaction()
    redis.hset(f"rq:job:{identifier}", mapping={"success_callback_name": "__main__.done", "retries_left": "3"})
    platform.psp_connectors[0].start()
    peer.wait_job(identifier, "finished")
    assert "A job asks for Retry callbacks, which this worker does not do" in platform.connector_log()


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
