"""The servers that tests start: they come up, keep or lose what they should when killed, and leave nothing behind."""

import os
import subprocess
import time
from contextlib import closing

import pytest

from support import postgres_server
from support.processes import inherited_environment
from support.waiting import eventually

psycopg2 = pytest.importorskip("psycopg2")
redis = pytest.importorskip("redis")


def test_postgres_keeps_what_was_committed_when_it_is_killed(own_postgres):
    with closing(psycopg2.connect(own_postgres.url())) as connection:
        with connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE kept (x int); INSERT INTO kept VALUES (1)")
        cursor = connection.cursor()
        cursor.execute("INSERT INTO kept VALUES (2)")  # never committed
        own_postgres.kill9()
        with pytest.raises(psycopg2.OperationalError):
            cursor.execute("SELECT 1")
    own_postgres.start()
    with closing(psycopg2.connect(own_postgres.url())) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT x FROM kept")
        assert cursor.fetchall() == [(1,)]
        cursor.execute("SHOW fsync")
        assert cursor.fetchall() == [("on",)]


def test_postgres_paused_does_not_answer_and_goes_on(own_postgres):
    with closing(psycopg2.connect(own_postgres.url())) as connection, connection.cursor() as cursor:
        own_postgres.pause()
        started = time.monotonic()
        done = subprocess.run([postgres_server.BINARIES / "pg_isready", "-q", "-t", "1", "-h", "127.0.0.1", "-p",
                               str(own_postgres.port)], env=inherited_environment())
        assert done.returncode != 0 and time.monotonic() - started < 10
        own_postgres.resume()
        cursor.execute("SELECT 1")
        assert cursor.fetchall() == [(1,)]


def test_postgres_asks_for_the_password(shared_postgres):
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(shared_postgres.url(password="wrong"))


def test_each_test_has_a_database_of_its_own(postgres_url):
    with closing(psycopg2.connect(postgres_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert cursor.fetchall() == [(0,)]


def test_redis_forgets_or_keeps_as_it_is_told(start_redis):
    forgets, keeps = start_redis(), start_redis(appendonly="yes", password="secret: /@")
    for server in (forgets, keeps):
        server.client().set("key", "value")
        server.restart()
    assert forgets.client().get("key") is None
    assert keeps.client().get("key") == b"value"


def test_redis_by_tls_and_socket(start_redis):
    server = start_redis(password="secret: /@", tls=True)
    server.client(3).set("key", "value")
    authority = str(server.certificates.authority)
    assert redis.Redis.from_url(server.tls_url(3), ssl_ca_certs=authority).get("key") == b"value"
    assert redis.Redis.from_url(server.socket_url(3)).get("key") == b"value"
    with pytest.raises(redis.ConnectionError):
        redis.Redis.from_url(server.tls_url(3)).ping()


def test_sentinel_replaces_a_master_that_is_killed(sentinels):
    old = sentinels.master()
    old.client().set("key", "value")
    old.client().wait(2, 5000)
    old.kill9()
    new = sentinels.wait_for_failover(old)
    assert new.port != old.port and new.client().get("key") == b"value"


def test_one_postgres_for_the_unit_tests(tmp_path):
    if postgres_server.why_not_here():
        pytest.skip(postgres_server.why_not_here())
    script = os.path.join(os.path.dirname(postgres_server.__file__), "postgres_for_unit_tests.py")

    def run(word):
        subprocess.run(["/usr/bin/python3", script, word, tmp_path / "server"], check=True, timeout=120,
                       env=inherited_environment())

    run("start")
    url = (tmp_path / "server" / "url").read_text()
    run("start")
    assert (tmp_path / "server" / "url").read_text() == url
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        connection.cursor().execute("CREATE DATABASE of_a_test")
    run("stop")
    assert not (tmp_path / "server" / "url").exists()
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(url)
    run("stop")
    eventually(lambda: not list((tmp_path / "server").glob("home")), "nothing to be left")
