"""What the health of the connector and of the queue says, and what becomes of payments while Redis is away."""

import json
import re
import sqlite3
from contextlib import closing

import pytest

from support import storage
from support.http_client import once
from support.ports import free_port
from support.waiting import eventually


def health_of(endpoint):
    reply = once(endpoint, "GET", "/health")
    return reply.status, reply.json()


def output(endpoint, check):
    """What the check says if it is not all right."""
    found = health_of(endpoint)[1]["checks"].get(check, [{"status": "pass"}])[0]
    return None if found["status"] == "pass" else found["output"]


def metric(endpoint, series):
    lines = once(endpoint, "GET", "/metrics").body.decode().splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(series)), None)


@pytest.fixture
def fleet(start_fleet, own_redis):
    return start_fleet(REDIS_URL=own_redis.url(), QUEUE_SWEEP_SECONDS=1)


def connector(fleet):
    """Where psp-connector answers: its metrics' port."""
    return fleet.metrics[-1]


@pytest.mark.quick
def test_the_connector_has_a_health_of_its_own(fleet):
    status, body = health_of(connector(fleet))
    assert (status, body["status"]) == (200, "pass")
    assert {"connector:claims", "connector:work", "queue:redis"} <= set(body["checks"])
    eventually(lambda: metric(connector(fleet), "switchyard_last_claim_timestamp_seconds") > 1e9, "a claim")
    assert metric(connector(fleet), "switchyard_oldest_due_age_seconds") == 0
    assert metric(connector(fleet), "switchyard_manual_review_transactions") == 0


def test_serve_shows_its_connector(switchyard, merchant):
    # A payment that is sent, after whatever other tests did not send.
    merchant.wait_final(merchant.created(100)["id"])
    eventually(lambda: output(switchyard.core, "connector:psp") is None, "the PSP to be reached")
    eventually(lambda: output(switchyard.auth, "connector:psp") is None, "the PSP to be reached")
    for endpoint in (switchyard.auth, switchyard.core):
        status, body = health_of(endpoint)
        assert status == 200 and body["checks"]["connector:claims"][0]["status"] == "pass"
        [note] = body["checks"]["connector:psp"]
        assert note == {"status": "pass", "output": "The PSP is simulated: nothing is charged"}


def test_claims_that_fail_are_a_failure_of_the_connector_and_a_warning_in_serve(start_fleet, start_switchyard):
    fleet, serve = start_fleet(), start_switchyard()
    for database in {fleet.database, serve.database}:
        with closing(sqlite3.connect(database, timeout=30)) as connection:
            connection.execute("ALTER TABLE transactions RENAME TO transactions_gone")
    eventually(lambda: output(connector(fleet), "connector:claims"), "the connector's health to tell")
    assert health_of(connector(fleet))[0] == 503
    eventually(lambda: output(serve.core, "connector:claims"), "the health of serve to tell")
    assert "cannot be claimed" in output(serve.auth, "connector:claims")
    assert metric(connector(fleet), "switchyard_claim_failures_total") > 0


def test_a_store_that_was_moved_away_is_a_failure_of_the_connector(start_fleet):
    """It would find nothing due in a file that nobody else writes to."""
    fleet = start_fleet()
    assert health_of(connector(fleet))[1]["checks"]["store:writable"][0]["status"] == "pass"
    aside = fleet.database.with_suffix(".moved")
    fleet.database.rename(aside)
    eventually(lambda: output(connector(fleet), "store:writable"), "the connector's health to tell")
    assert health_of(connector(fleet))[0] == 503
    aside.rename(fleet.database)
    eventually(lambda: health_of(connector(fleet))[0] == 200, "health to pass again")


def test_a_suspended_worker_is_a_warning(fleet, own_redis, merchant_of):
    redis, merchant = own_redis.client(), merchant_of(fleet)
    redis.set("rq:suspended", 1)
    eventually(lambda: "suspended since 20" in (output(connector(fleet), "connector:queue") or ""), "health to tell")
    assert health_of(connector(fleet))[0] == 200
    assert metric(connector(fleet), 'switchyard_queue_trouble{what="suspended"}') == 1
    identifier = merchant.created(100)["id"]
    redis.delete("rq:suspended")
    merchant.wait_final(identifier)
    eventually(lambda: output(connector(fleet), "connector:queue") is None, "health to pass again")


def test_a_psp_that_cannot_be_reached_is_a_warning_until_a_call_is_sent(start_fleet, start_psp_simulator, merchant_of):
    psp = start_psp_simulator()
    fleet = start_fleet(PSP_URL=psp.url)
    merchant = merchant_of(fleet)
    psp.stop()
    assert merchant.wait_final(merchant.created(100)["id"])["status"] == "failed"
    words = r"the last \d+ calls of psp-simulator were not sent, since 20\d\d-"
    eventually(lambda: re.search(words, output(connector(fleet), "connector:psp") or ""), "health to tell")
    assert health_of(connector(fleet))[0] == 200
    psp.start()
    assert merchant.wait_final(merchant.created(100)["id"])["status"] == "captured"
    eventually(lambda: output(connector(fleet), "connector:psp") is None, "health to pass again")


def test_the_key_of_all_workers_of_another_type_is_said(fleet, own_redis):
    redis = own_redis.client()
    redis.delete("rq:workers")
    redis.set("rq:workers", "text")
    eventually(lambda: "rq:workers is a string" in (output(connector(fleet), "queue:redis") or ""), "health to tell")
    redis.delete("rq:workers")
    eventually(lambda: output(connector(fleet), "queue:redis") is None, "health to pass again")


TROUBLES = {
    "full": (["CONFIG SET maxmemory-policy noeviction", "CONFIG SET maxmemory 1"], ["CONFIG SET maxmemory 0"], "OOM"),
    "of another type": (["DEL rq:queue:default", "SET rq:queue:default text"], ["DEL rq:queue:default"],
                        "rq:queue:default is a string"),
    "read-only": (["REPLICAOF 127.0.0.1 1"], ["REPLICAOF NO ONE"], "replica"),
    "closed to our keys": (["ACL SETUSER default resetkeys ~other:*"], ["ACL SETUSER default allkeys"], "NOPERM|permission"),
    "without scripts": (["ACL SETUSER default -@scripting"], ["ACL SETUSER default +@scripting"], "NOPERM|permission"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_redis_that_takes_no_job_is_said_and_payments_are_taken_all_the_same(fleet, own_redis, merchant_of, trouble):
    begin, end, words = TROUBLES[trouble]
    redis, merchant = own_redis.client(), merchant_of(fleet)
    for command in begin:
        redis.execute_command(*command.split(" "))
    eventually(lambda: re.search(words, output(fleet.core, "queue:redis") or ""), "core-api's health to tell")
    assert health_of(fleet.core)[0] == 200, "payments are taken all the same"
    eventually(lambda: output(connector(fleet), "queue:redis"), "the connector's health to tell")
    assert 'switchyard_queue_trouble{' in once(fleet.metrics[1], "GET", "/metrics").body.decode()
    identifier = merchant.created(100)["id"]
    for command in end:
        redis.execute_command(*command.split(" "))
    merchant.wait_final(identifier)
    for endpoint in (fleet.core, connector(fleet)):
        eventually(lambda: output(endpoint, "queue:redis") is None, "health to pass again", timeout_s=60)


def test_without_info_the_queue_works(fleet, own_redis, merchant_of):
    own_redis.client().execute_command("ACL", "SETUSER", "default", "-info")
    merchant = merchant_of(fleet)
    merchant.wait_final(merchant.created(100)["id"])
    eventually(lambda: output(fleet.core, "queue:redis") is None, "nothing to be said of Redis")


@pytest.mark.quick
def test_redis_away_for_good_holds_up_no_payment(fleet, own_redis, merchant_of):
    merchant = merchant_of(fleet)
    merchant.wait_final(merchant.created(100)["id"])
    own_redis.stop()
    created = [merchant.created(100 + number)["id"] for number in range(20)]
    for identifier in created:
        assert merchant.wait_final(identifier)["status"] == "captured"
    own_redis.start()
    more = merchant.created(100)["id"]
    merchant.wait_final(more)
    charges = [charge.reference for charge in storage.charges(fleet.ledger)]
    assert len(charges) == len(set(charges)) == 22


def test_redis_that_never_was_there_holds_up_no_payment(start_fleet, merchant_of):
    fleet = start_fleet(REDIS_URL=f"redis://127.0.0.1:{free_port()}/0", QUEUE_SWEEP_SECONDS=1)
    merchant = merchant_of(fleet)
    assert merchant.wait_final(merchant.created(100)["id"])["status"] == "captured"


def test_with_a_worker_of_rq_payments_wait_for_redis_and_health_says_so(fleet, own_redis, merchant_of, debian_rq, peer_of):
    """It may hold any of them, and asks nobody before it charges."""
    peer, merchant = peer_of(debian_rq, own_redis.url()), merchant_of(fleet)
    peer.start_worker()
    merchant.wait_final(merchant.created(100)["id"])
    eventually(lambda: storage.query(fleet.database, "SELECT count(*) FROM foreign_workers") == [(1,)], "it to be noted")
    peer.stop_workers()
    own_redis.stop()
    identifier = merchant.created(100)["id"]

    def said_why():
        return "worker of another program" in (output(connector(fleet), "connector:queue") or "")
    eventually(said_why, "health to say why", timeout_s=60)
    assert merchant.show(identifier)["status"] == "queued"
    fleet.psp_connectors[0].stop()
    fleet.psp_connectors[0].start()
    fleet.wait_healthy()
    eventually(said_why, "a new process to know it, too", timeout_s=60)
    assert merchant.show(identifier)["status"] == "queued"
    assert json.loads(once(fleet.core, "GET", "/health").body)["status"] == "pass"
    own_redis.start()
    merchant.wait_final(identifier)
