"""The Python side of the queue by itself: what other tests take for RQ's behaviour is RQ's behaviour."""

import pytest

from support.rq_peer import AMOUNT_THAT_FAILS
from support.waiting import eventually


@pytest.fixture
def peer(rq, own_redis, peer_of):
    return peer_of(rq, own_redis.url())


def test_python_to_python(peer, own_redis):
    good, bad = peer.enqueue({"user_id": 1, "amount": 100, "currency": "USD"},
                             {"user_id": 2, "amount": AMOUNT_THAT_FAILS, "currency": "EUR"})
    assert peer.look("registries")["queued"] == [good, bad]
    worker = peer.start_worker()

    finished, failed = peer.wait_job(good, "finished"), peer.wait_job(bad, "failed")

    assert peer.charges() == {good: 1}
    assert "==> Making transaction with PSP: User ID: 1, Amount: 100, Currency: USD" in worker.log()
    assert finished["function"] == "__main__.make_transaction"
    assert finished["description"] == "__main__.make_transaction(amount=100, currency='USD', user_id=1)"
    assert finished["result"] is None and 490 <= finished["ttl"] <= 500
    assert "the PSP is on fire" in failed["exc_info"]
    registries = peer.look("registries")
    assert (registries["finished_ids"], registries["failed_ids"], registries["started_ids"]) == ([good], [bad], [])
    [seen] = peer.look("workers")
    assert (seen["state"], seen["queues"], seen["pid"]) == ("idle", ["default"], worker.process.pid)
    assert own_redis.client().sismember("rq:workers", f"rq:worker:{seen['name']}")


def test_command_line(peer):
    worker = peer.start_worker()
    assert "1 workers, " in peer.command_line("info")
    peer.command_line("suspend")
    job = peer.enqueue_transaction()
    peer.command_line("resume")
    peer.wait_job(job, "finished")
    [seen] = peer.look("workers")
    peer.shut_down(seen["name"])
    assert worker.wait_exit() == 0
    eventually(lambda: peer.look("workers") == [], "the worker to be gone")
