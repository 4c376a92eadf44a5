"""Our psp-connector is a worker like any other to RQ's own tools: it can be seen, paused, told to stop, and it leaves."""

import re
import signal
import time

import pytest

from support import amounts
from support.waiting import eventually


@pytest.fixture
def peer(rq, own_redis, peer_of):
    return peer_of(rq, own_redis.url())


@pytest.fixture
def platform(start_fleet, own_redis):
    return start_fleet(REDIS_URL=own_redis.url(), QUEUE_SWEEP_SECONDS=1)


def our_worker(peer):
    return eventually(lambda: (found := peer.look("workers")) and found[0], "our worker to be seen")


def our_idle_worker(peer):
    return eventually(lambda: (found := our_worker(peer))["state"] == "idle" and found, "our worker to be idle")


def test_it_is_seen(peer, platform, own_redis):
    worker = our_idle_worker(peer)
    assert re.fullmatch("[0-9a-f]{32}", worker["name"])
    assert f"rq:worker:{worker['name']}" in platform.connector_log()
    assert worker["queues"] == ["default"]
    assert worker["pid"] == platform.psp_connectors[0].process.pid
    redis = own_redis.client()
    key = f"rq:worker:{worker['name']}".encode()
    assert redis.smembers("rq:workers") == redis.smembers("rq:workers:default") == {key}
    assert 0 < redis.ttl(key) <= 480
    assert {b"birth", b"last_heartbeat", b"queues", b"pid", b"hostname", b"version"} <= set(redis.hgetall(key))


def test_rq_info(peer, platform):
    worker = our_worker(peer)
    for number in range(3):
        peer.wait_job(peer.enqueue_transaction(amount=number + 1), "finished")
    text = peer.command_line("info")
    assert re.search(r"^default +\|?.*\b0", text, re.MULTILINE), text
    assert re.search(r"^1 workers, 1 queues$", text, re.MULTILINE), text
    assert worker["name"] in text
    by_queue = peer.command_line("info", "--by-queue")
    assert worker["name"] in by_queue or str(worker["pid"]) in by_queue, by_queue
    assert worker["name"] in peer.command_line("info", "--only-workers")


def test_jobs_are_counted(peer, platform):
    peer.wait_job(peer.enqueue_transaction(), "finished")
    peer.wait_job(peer.enqueue_transaction(amount=amounts.NETWORK_ERROR_BEFORE_SENDING), "failed")
    eventually(lambda: [(worker["successful"], worker["failed"]) for worker in peer.look("workers")] == [(1, 1)],
               "one job counted as done and one as failed", interval_s=0.2)


def test_suspend_and_resume(peer, platform, merchant_of):
    merchant = merchant_of(platform)
    our_worker(peer)
    peer.command_line("suspend")
    eventually(lambda: our_worker(peer)["state"] == "suspended", "the worker to be suspended", interval_s=0.2)
    theirs = peer.enqueue_transaction()
    ours = merchant.created(100, "USD")["id"]
    time.sleep(2.5)  # longer than two sweeps: nothing may happen
    assert peer.job(theirs)["status"] == "queued"
    assert merchant.show(ours)["status"] == "queued"
    peer.command_line("resume")
    peer.wait_job(theirs, "finished")
    merchant.wait_final(ours)


def test_the_shutdown_command(peer, platform):
    worker = our_worker(peer)
    peer.shut_down(worker["name"])
    connector = platform.psp_connectors[0]
    assert connector.wait_exit() == 0
    assert "Warm shut down requested" in connector.log()
    assert peer.look("workers") == []


def test_sigterm_is_a_warm_shutdown(peer, platform, own_redis):
    worker = our_worker(peer)
    connector = platform.psp_connectors[0]
    connector.send_signal(signal.SIGTERM)
    assert connector.wait_exit() == 0
    assert peer.look("workers") == []
    redis = own_redis.client()
    assert redis.smembers("rq:workers") == redis.smembers("rq:workers:default") == set()
    key = f"rq:worker:{worker['name']}"
    assert redis.hget(key, "death") and 0 < redis.ttl(key) <= 60
    log = connector.log()
    assert "Warm shut down requested" in log
    assert f"Unsubscribing from channel rq:pubsub:{worker['name']}" in log


def test_a_worker_that_was_killed_is_forgotten_and_replaced(peer, platform, own_redis):
    our_worker(peer)
    platform.psp_connectors[0].kill()
    platform.psp_connectors[0].start()
    peer.wait_job(peer.enqueue_transaction(), "finished")
    redis = own_redis.client()
    for key in redis.smembers("rq:workers"):
        assert 0 < redis.ttl(key) <= 480, "a worker's key must end by itself"
