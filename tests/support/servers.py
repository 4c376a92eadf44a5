"""Fixtures for servers that a test starts itself, and for the Python side of a queue."""

import itertools
import subprocess

import pytest

from support import postgres_server, redis_server, rq_versions
from support.postgres_server import PostgresServer
from support.processes import inherited_environment
from support.redis_server import RedisServer, SentinelGroup
from support.rq_peer import RqPeer

_database_number = itertools.count(1)


def _skip_without(module):
    reason = module.why_not_here()
    if reason is not None:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def shared_postgres():
    """For tests that leave the server alone; each takes a database of its own from `postgres_url`."""
    _skip_without(postgres_server)
    with PostgresServer.create() as server:
        yield server


@pytest.fixture
def postgres_url(shared_postgres):
    """An empty database."""
    database = f"test_{next(_database_number)}"
    subprocess.run([postgres_server.BINARIES / "createdb", "--maintenance-db", shared_postgres.url(), database],
                   check=True, env=inherited_environment())
    return shared_postgres.url(database)


@pytest.fixture
def own_postgres():
    """A server that the test may kill, stop and start again."""
    _skip_without(postgres_server)
    with PostgresServer.create() as server:
        yield server


@pytest.fixture
def start_redis():
    """Starts Redis servers with settings of the test's own."""
    _skip_without(redis_server)
    servers = []

    def start(**settings):
        servers.append(RedisServer(**settings))
        return servers[-1].start()

    yield start
    for server in servers:
        server.kill9()
        server.remove()


@pytest.fixture
def own_redis(start_redis):
    """An empty server that the test may kill, stop and start again."""
    return start_redis()


@pytest.fixture
def sentinels():
    _skip_without(redis_server)
    with SentinelGroup(replicas=2, password="sentinel-test") as group:
        yield group


@pytest.fixture(scope="session")
def find_rq():
    """RQ by the name of its version; a version that this machine cannot have is asked for once only."""
    found = {}

    def find(name):
        if name not in found:
            try:
                found[name] = rq_versions.find(name)
            except rq_versions.NotHere as reason:
                found[name] = str(reason)
        if isinstance(found[name], str):
            pytest.skip(f"RQ {name}: {found[name]}")
        return found[name]

    return find


@pytest.fixture(params=rq_versions.VERSIONS, ids=lambda name: f"rq-{name}")
def rq(request, find_rq):
    """Every version of RQ in turn."""
    return find_rq(request.param)


@pytest.fixture
def debian_rq(find_rq):
    return find_rq(rq_versions.DEBIAN)


@pytest.fixture
def peer_of(tmp_path):
    """The Python side of a queue at this URL."""
    peers = []

    def make(rq, redis_url):
        peers.append(RqPeer(rq, redis_url, tmp_path))
        return peers[-1]

    yield make
    for peer in peers:
        peer.stop_workers()
