"""Redis is a hint: whatever becomes of it, accepting goes on, and each transaction is charged once and becomes final.

The store here is SQLite and the PSP the built-in simulation, so that only Redis can fail."""

import random
import signal
import time
from collections import Counter

import pytest

from support import storage
from support.bookkeeping import assert_balanced, wait_until_all_final
from support.http_client import once
from support.load import Load
from support.merchants import Merchant
from support.ports import free_port
from support.redis_server import RedisServer
from support.waiting import PATIENCE, eventually

QUEUE = "rq:queue:default"


def plain(rng):
    return rng.randrange(1, 100_000)


def load_of(fleet, seed, **arguments):
    return Load(fleet, seed, **{"workers": 4, "limit": 3_000, "amount": plain, **arguments})


def charges_of(fleet):
    return Counter(charge.reference for charge in storage.charged_transactions(fleet.database, fleet.ledger, "approved"))


def assert_the_queue_is_in_use(fleet, redis):
    """The fault is over: payments go through Redis again. The first may be taken from the store before that is known."""
    merchant = Merchant(fleet)
    created = []

    def one_went_through_redis():
        created.append(merchant.created()["id"])
        merchant.wait_final(created[-1])
        return any(redis.hget(f"rq:job:{identifier}", "status") == b"finished" for identifier in created)

    eventually(one_went_through_redis, "a job to go through Redis", interval_s=0.2)
    merchant.close()


def assert_nothing_happened(load, fleet):
    """Nothing was refused, all is final, each charged once."""
    assert load.acknowledged and not load.refused and not load.unanswered, (load.refused, load.unanswered)
    wait_until_all_final(fleet.database)
    stored = assert_balanced(load, fleet.database, charges_of(fleet))
    assert {row.status for row in stored.values()} == {"captured"}


@pytest.fixture
def start(start_fleet):
    def start(redis_url, **settings):
        return start_fleet(REDIS_URL=redis_url, QUEUE_SWEEP_SECONDS=1, **settings)
    return start


def stop_connectors(fleet):
    for program in fleet.psp_connectors:
        program.stop()


def start_connectors(fleet):
    for program in fleet.psp_connectors:
        program.start()


@pytest.mark.quick
def test_down_at_start_and_up_later(start, start_redis, seed):
    port = free_port()
    fleet = start(f"redis://127.0.0.1:{port}/0")
    assert once(fleet.core, "GET", "/health").status == 200, "a load balancer would take the service away"
    with load_of(fleet, seed) as load:
        eventually(lambda: len(load.acknowledged) >= 200, "load without Redis")
        server = start_redis(port=port)
        before = len(load.acknowledged)
        eventually(lambda: len(load.acknowledged) >= before + 200, "load with Redis")
    assert_nothing_happened(load, fleet)
    assert_the_queue_is_in_use(fleet, server.client())


@pytest.mark.quick
def test_killed_and_restarted_empty(start, own_redis, seed):
    fleet = start(own_redis.url(), core_apis=2, psp_connectors=2)
    rng = random.Random(seed)
    with load_of(fleet, seed) as load:
        for _ in range(3):
            time.sleep(rng.uniform(0.1, 0.5))  # the random moment is what is tested
            own_redis.kill9()
            before = len(load.acknowledged)
            eventually(lambda: len(load.acknowledged) >= before + 50, "load without Redis")
            own_redis.start()
    assert_nothing_happened(load, fleet)
    assert_the_queue_is_in_use(fleet, own_redis.client())


def test_stopped_answers_nobody_and_holds_nobody_up(start, own_redis, seed):
    """SIGSTOP: connections stay open and no answer comes, which is worse than a refused connection."""
    fleet = start(own_redis.url())
    with load_of(fleet, seed, limit=100_000) as load:
        eventually(lambda: len(load.acknowledged) >= 100, "load")
        own_redis.process.send_signal(signal.SIGSTOP)
        try:
            before = len(load.acknowledged)
            started = time.monotonic()
            eventually(lambda: len(load.acknowledged) >= before + 200, "load while Redis is stopped")
            assert time.monotonic() - started < 5 * PATIENCE
            assert once(fleet.core, "GET", "/health").status == 200
        finally:
            own_redis.process.send_signal(signal.SIGCONT)
    assert_nothing_happened(load, fleet)
    assert_the_queue_is_in_use(fleet, own_redis.client())


@pytest.mark.quick
def test_flushall_with_a_thousand_queued(start, own_redis, seed):
    fleet = start(own_redis.url())
    stop_connectors(fleet)
    with load_of(fleet, seed, limit=1_000) as load:
        eventually(lambda: len(load.acknowledged) >= 1_000, "a thousand transactions")
    redis = own_redis.client()
    eventually(lambda: redis.llen(QUEUE) > 0, "jobs in the queue")
    redis.flushall()
    start_connectors(fleet)
    assert_nothing_happened(load, fleet)


def test_flushall_under_load(start, own_redis, seed):
    fleet = start(own_redis.url(), core_apis=2, psp_connectors=2)
    redis, rng = own_redis.client(), random.Random(seed)
    with load_of(fleet, seed) as load:
        for _ in range(10):
            time.sleep(rng.uniform(0.02, 0.2))  # the random moment is what is tested
            redis.flushall()
    assert_nothing_happened(load, fleet)
    assert_the_queue_is_in_use(fleet, own_redis.client())


@pytest.mark.quick
def test_out_of_memory(start, own_redis, seed):
    fleet = start(own_redis.url())
    redis = own_redis.client()
    with load_of(fleet, seed) as load:
        eventually(lambda: len(load.acknowledged) >= 50, "load")
        redis.config_set("maxmemory", "1")  # every command that could need memory is refused from now on
        before = len(load.acknowledged)
        eventually(lambda: len(load.acknowledged) >= before + 200, "load while Redis is full")
        redis.config_set("maxmemory", "0")
    assert_nothing_happened(load, fleet)
    assert_the_queue_is_in_use(fleet, own_redis.client())


def test_read_only_replica(start, own_redis, seed):
    """What is left of a failover that nobody has told us of: a server that answers, and takes no writes."""
    fleet = start(own_redis.url())
    redis = own_redis.client()
    with load_of(fleet, seed) as load:
        eventually(lambda: len(load.acknowledged) >= 50, "load")
        redis.replicaof("127.0.0.1", free_port())
        before = len(load.acknowledged)
        eventually(lambda: len(load.acknowledged) >= before + 200, "load while Redis takes no writes")
        redis.replicaof("NO", "ONE")
    assert_nothing_happened(load, fleet)
    assert_the_queue_is_in_use(fleet, own_redis.client())


@pytest.mark.parametrize("key", [QUEUE, "rq:queues", "rq:workers", "rq:wip:default", "rq:finished:default",
                                 "rq:suspended"])
def test_a_key_of_another_type(start, own_redis, seed, key):
    redis = own_redis.client()
    if key == "rq:suspended":
        redis.lpush(key, "a list, where RQ has a number")
    else:
        redis.set(key, "a string, where RQ has a list or a set")
    fleet = start(own_redis.url())
    with load_of(fleet, seed, limit=300) as load:
        eventually(lambda: len(load.acknowledged) >= 300, "load")
    redis.delete(key)
    assert_nothing_happened(load, fleet)
    assert_the_queue_is_in_use(fleet, own_redis.client())


def test_every_job_doubled_a_hundred_times(start, own_redis, seed):
    fleet = start(own_redis.url(), psp_connectors=2)
    redis = own_redis.client()
    stop_connectors(fleet)
    with load_of(fleet, seed, limit=50) as load:
        eventually(lambda: len(load.acknowledged) >= 50, "load")
    for _ in range(100):
        identifiers = list(load.acknowledged)
        random.Random(seed).shuffle(identifiers)
        redis.rpush(QUEUE, *identifiers)
    start_connectors(fleet)
    assert_nothing_happened(load, fleet)
    eventually(lambda: redis.llen(QUEUE) == 0, "an empty queue")
    assert_nothing_happened(load, fleet)


GARBAGE = {
    "binary": bytes(range(256)),
    "empty": b"",
    "long": b"x" * 1_000_000,
    "a job that is gone": b"01234567-89ab-cdef-0123-456789abcdef",
    "line breaks": b"a\r\n*1\r\n$8\r\nFLUSHALL\r\n",
    "not UTF-8": b"\xff\xfe\xfd",
    "a hash of another type": b"of-another-type",
}


def test_garbage_in_the_list(start, own_redis, seed):
    redis = own_redis.client()
    fleet = start(own_redis.url(), psp_connectors=2)
    redis.set("rq:job:of-another-type", "a string")
    rng = random.Random(seed)
    with load_of(fleet, seed) as load:
        for _ in range(50):
            redis.lpush(QUEUE, rng.choice(list(GARBAGE.values())))
            redis.rpush(QUEUE, *rng.sample(list(GARBAGE.values()), 2))
    assert_nothing_happened(load, fleet)
    assert_the_queue_is_in_use(fleet, own_redis.client())
    eventually(lambda: redis.llen(QUEUE) == 0, "an empty queue")
    assert fleet.alive()


@pytest.mark.parametrize("kind", ["password", "database", "rediss", "unix"])
def test_every_form_of_the_url(start, start_redis, seed, kind):
    server = start_redis(password="pass word/@:%", tls=kind == "rediss")
    settings = {}
    if kind == "rediss":
        url = server.tls_url(database=2)
        settings["SSL_CERT_FILE"] = server.certificates.authority
    else:
        url = {"password": server.url(), "database": server.url(database=7),
               "unix": server.socket_url(database=3)}[kind]
    fleet = start(url, **settings)
    with load_of(fleet, seed, limit=200) as load:
        eventually(lambda: len(load.acknowledged) >= 200, "load")
    assert_nothing_happened(load, fleet)
    database = {"password": 0, "database": 7, "rediss": 2, "unix": 3}[kind]
    redis = server.client(database)
    assert redis.scard("rq:workers") == 1 and redis.sismember("rq:queues", QUEUE)
    for other in set(range(8)) - {database}:
        assert server.client(other).dbsize() == 0
    for program in fleet.programs:
        assert "pass word" not in program.log() and "pass%20word" not in program.log()


def test_a_wrong_password_is_a_redis_that_is_down(start, start_redis, seed):
    server = start_redis(password="right")
    fleet = start(server.url(password="wrong-password"))
    with load_of(fleet, seed, limit=300) as load:
        eventually(lambda: len(load.acknowledged) >= 300, "load")
    for program in fleet.programs:
        assert "wrong-password" not in program.log()
    server.client().config_set("requirepass", "wrong-password")
    server.password = "wrong-password"
    assert_nothing_happened(load, fleet)
    assert_the_queue_is_in_use(fleet, server.client())


def test_sentinel_failover(start, sentinels, seed):
    fleet = start(sentinels.url(), core_apis=2, psp_connectors=2)
    with load_of(fleet, seed, limit=100_000) as load:
        eventually(lambda: len(load.acknowledged) >= 200, "load")
        old = sentinels.master()
        old.kill9()
        new = sentinels.wait_for_failover(old)
        with new.client() as redis:
            eventually(lambda: redis.scard("rq:workers") >= 2 and redis.exists("rq:finished:default"),
                       "both connectors to be at work with the new master")
        old.start()  # comes back as a replica of the new one
        before = len(load.acknowledged)
        eventually(lambda: len(load.acknowledged) >= before + 200, "load after the failover")
    assert_nothing_happened(load, fleet)


def test_another_redis_in_its_place(start, own_redis, seed):
    """The machine is replaced: same address, nothing in it, and a worker that must register anew."""
    fleet = start(own_redis.url())
    eventually(lambda: own_redis.client().scard("rq:workers") == 1, "the worker to register")
    own_redis.kill9()
    with RedisServer(port=own_redis.port) as other:
        eventually(lambda: other.client().scard("rq:workers") == 1, "the worker to register again")
        with load_of(fleet, seed, limit=200) as load:
            eventually(lambda: len(load.acknowledged) >= 200, "load")
        assert_nothing_happened(load, fleet)


@pytest.mark.slow
def test_flushall_with_a_hundred_thousand_queued(start, own_redis, seed):
    """Prints how long it takes until all are in the queue again; bench/ has the figure of a quiet machine."""
    count = 100_000
    fleet = start(own_redis.url(), MAX_BACKLOG=2 * count)
    stop_connectors(fleet)
    redis = own_redis.client()
    with load_of(fleet, seed, workers=8, limit=count) as load:
        eventually(lambda: len(load.acknowledged) >= count, f"{count} transactions", timeout_s=300, interval_s=0.5)
    eventually(lambda: redis.llen(QUEUE) >= count, "all of them in the queue", timeout_s=60)
    redis.flushall()
    flushed = time.monotonic()
    eventually(lambda: redis.llen(QUEUE) >= count, "all of them in the queue again", timeout_s=120)
    print(f"{count} jobs in the queue again {time.monotonic() - flushed:.2f} s after FLUSHALL")
    start_connectors(fleet)
    started = time.monotonic()
    wait_until_all_final(fleet.database, timeout_s=300)
    print(f"all final {time.monotonic() - started:.2f} s after the connector was started")
    assert_nothing_happened(load, fleet)
