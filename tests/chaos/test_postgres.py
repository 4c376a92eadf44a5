"""PostgreSQL killed, stopped, cut off, and shared by many processes: what was acknowledged is there, and once in effect.

KILL_ROUNDS sets the number of kills of the slow run (20), TEST_SEED repeats a run's choices."""

import os
import random
import socket
import subprocess
import threading
import time
from collections import Counter
from contextlib import ExitStack, closing

import pytest

from support import postgres_server, storage
from support.bookkeeping import assert_balanced, wait_until_all_final
from support.concurrency import at_once
from support.fleet import Fleet
from support.http_client import Client, once
from support.load import Load
from support.merchants import Merchant, login
from support.ports import free_port
from support.problems import assert_problem
from support.programs import development_settings, run_to_exit
from support.raw_http import RawConnection
from support.recovery import describe, seconds_until_acknowledged
from support.waiting import PATIENCE, eventually

psycopg2 = pytest.importorskip("psycopg2")

ROUNDS = int(os.environ.get("KILL_ROUNDS", "20"))
# What the service must not exceed after the server accepts connections again.
RESUMES_WITHIN_S = 2.0


def plain(rng):
    return rng.randrange(1, 100_000)


def charges_of(fleet):
    return Counter(charge.reference for charge in storage.charged_transactions(fleet.database, fleet.ledger, "approved"))


def execute(url, statement, parameters=()):
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else None


def finish(load, fleet):
    """The load ends, its client sends again what was not taken, and the books must balance."""
    eventually(lambda: not load.waiting(), "every request to be acknowledged in the end", timeout_s=60)
    load.end()
    wait_until_all_final(fleet.database)
    stored = assert_balanced(load, fleet.database, charges_of(fleet))
    assert {row.status for row in stored.values()} == {"captured"}
    assert set(load.refused) <= {409, 503}, load.refused


def kill_rounds(server, fleet, seed, rounds):
    rng, resumed = random.Random(seed), []
    load = Load(fleet, seed, workers=6, amount=plain, persistent=True).begin()
    for number in range(rounds):
        before = len(load.acknowledged)
        eventually(lambda: len(load.acknowledged) >= before + 50, f"load in round {number}", timeout_s=60)
        time.sleep(rng.uniform(0.0, 0.4))  # the random moment is what is tested
        server.kill9()
        time.sleep(rng.uniform(0.0, 0.3))  # for how long the server is away
        server.start()
        resumed.append(seconds_until_acknowledged(fleet))
        print(f"round {number}: acknowledged again {resumed[-1]:.2f} s after the server accepted connections")
    load.no_more()
    finish(load, fleet)
    print(f"service resumes after the server: {describe(resumed)}")
    assert max(resumed) <= RESUMES_WITHIN_S * PATIENCE


@pytest.mark.parametrize("rounds", [3, pytest.param(ROUNDS, marks=pytest.mark.slow)], ids=["a few", "many"])
def test_killed_and_restarted_under_load(own_postgres, start_fleet, seed, rounds):
    fleet = start_fleet(DATABASE_URL=own_postgres.url(), core_apis=2, psp_connectors=2)
    kill_rounds(own_postgres, fleet, seed, rounds)


def test_a_server_that_hangs_gives_503_in_time(own_postgres, start_fleet, merchant_of):
    """SIGSTOP: connections stay open and no answer comes, as when the network to a machine is gone."""
    fleet = start_fleet(DATABASE_URL=own_postgres.url())
    merchant = merchant_of(fleet)
    merchant.wait_final(merchant.created()["id"])
    own_postgres.pause()
    said = []
    try:
        for attempt in range(2):
            started = time.monotonic()
            reply = merchant.create(100, "USD", key="while it hangs")
            seconds = time.monotonic() - started
            print(f"refused after {seconds:.2f} s")
            assert reply.status in (409, 503) if attempt else reply.status == 503
            said.append(reply.json()["error"])
            assert seconds < 12 * PATIENCE
            assert_problem(reply, reply.status)
        assert int(merchant.create(key="other").header("Retry-After")) >= 1
        eventually(lambda: once(fleet.core, "GET", "/health").status == 503, "health to tell", timeout_s=60)
        with Client(fleet.core) as client:
            assert client.get("/nothing-here").status == 404, "what needs no store is answered"
    finally:
        own_postgres.resume()
    reply = eventually(lambda: (r := merchant.create(100, "USD", key="while it hangs")).status == 200 and r,
                       "recovery")
    # Where the connection was yet to be made, nothing was sent.
    assert "Outcome unknown" in said or (set(said) == {"Store unavailable"} and reply.header("Idempotency-Replayed") is None), said
    identifier = reply.json()["id"]
    merchant.wait_final(identifier)
    assert [row.id for row in storage.transactions(fleet.database, merchant.user_id)].count(identifier) == 1
    assert charges_of(fleet)[identifier] == 1
    eventually(lambda: once(fleet.core, "GET", "/health").status == 200, "health to pass again")


def test_nothing_was_done_where_nothing_was_sent(own_postgres, start_fleet, merchant_of):
    fleet = start_fleet(DATABASE_URL=own_postgres.url())
    merchant = merchant_of(fleet)
    merchant.wait_final(merchant.created()["id"])
    own_postgres.stop()
    reply = merchant.create(100, "USD", key="while it is away")
    assert (reply.status, reply.json()["error"]) == (503, "Store unavailable"), reply.body
    own_postgres.start()
    reply = eventually(lambda: (r := merchant.create(100, "USD", key="while it is away")).status == 200 and r, "recovery")
    assert reply.header("Idempotency-Replayed") is None


def test_a_right_that_was_revoked_fails_the_health_check(own_postgres, start_switchyard, tmp_path):
    url = own_postgres.url()
    execute(url, "CREATE ROLE bounded LOGIN PASSWORD 'bounded'")
    execute(url, "GRANT ALL ON SCHEMA public TO bounded")
    done = run_to_exit("switchyard", ["store", "migrate"], development_settings(tmp_path, DATABASE_URL=url), tmp_path)
    assert done.returncode == 0, done.stderr
    execute(url, "GRANT ALL ON ALL TABLES IN SCHEMA public TO bounded")
    server = start_switchyard(DATABASE_URL=own_postgres.url(user="bounded", password="bounded"))
    for table in ("transactions", "users", "login_failures"):
        execute(url, f"REVOKE INSERT ON {table} FROM bounded")
        for endpoint in (server.auth, server.core):
            eventually(lambda: once(endpoint, "GET", "/health").status == 503, "health to tell")
        execute(url, f"GRANT INSERT ON {table} TO bounded")
        for endpoint in (server.auth, server.core):
            eventually(lambda: once(endpoint, "GET", "/health").status == 200, "health to pass again")
    eventually(lambda: "may not use the table transactions" in server.program.log(), "the log to say which")


def test_a_role_with_few_connections_is_lived_with(own_postgres, start_fleet, seed):
    """Three processes share five, so that each has to wait for what others have, and none may be left without."""
    execute(own_postgres.url(), "CREATE ROLE few LOGIN PASSWORD 'few' CONNECTION LIMIT 5")
    execute(own_postgres.url(), "GRANT ALL ON SCHEMA public TO few")
    fleet = start_fleet(DATABASE_URL=own_postgres.url(user="few", password="few"))
    load = Load(fleet, seed, workers=12, amount=plain, persistent=True).begin()
    eventually(lambda: len(load.acknowledged) >= 500, "load", timeout_s=120)
    load.no_more()
    execute(own_postgres.url(), "ALTER ROLE few CONNECTION LIMIT 50")  # for the test itself, which counts over this role
    finish(load, fleet)
    assert not load.refused, load.refused


def test_reads_of_one_merchant_that_hang_hold_up_nobody_else(postgres_url, start_switchyard, merchant_of):
    """One merchant's reads hang in the database; logins and payments go on beside them, in the same process."""
    at_once = 4  # half of the connections
    server = start_switchyard(DATABASE_URL=postgres_url)
    greedy, other = merchant_of(server), merchant_of(server)
    identifier = greedy.created()["id"]
    greedy.wait_final(identifier)
    request = (f"GET {server.core.prefix}/transaction/{identifier} HTTP/1.1\r\nHost: x\r\n"
               f"Authorization: Bearer {greedy.token}\r\n\r\n").encode()
    with closing(psycopg2.connect(postgres_url)) as lock, lock.cursor() as cursor, ExitStack() as stack:
        cursor.execute("LOCK TABLE operations IN ACCESS EXCLUSIVE MODE")

        def hanging():
            cursor.execute("SELECT count(*) FROM pg_locks WHERE relation = 'operations'::regclass AND NOT granted")
            return cursor.fetchone()[0]

        for _ in range(300):
            assert stack.enter_context(RawConnection(server.core)).send(request)
        eventually(lambda: hanging() >= at_once, "reads to hang")
        for _ in range(3):
            assert login(server)
            assert other.created()["id"]
        lock.rollback()
    assert other.wait_final(other.created()["id"])["status"] == "captured"
    assert greedy.wait_final(identifier)


def test_columns_altered_under_load(own_postgres, start_fleet, seed):
    """What was planned for the old type is planned again, also where the type is not ours."""
    fleet = start_fleet(DATABASE_URL=own_postgres.url())
    load = Load(fleet, seed, workers=4, amount=plain, persistent=True).begin()
    eventually(lambda: len(load.acknowledged) >= 50, "load")
    for column in ("transactions ALTER reason TYPE varchar(500)", "transactions ALTER currency TYPE char(3)",
                   "transactions ALTER amount_minor TYPE numeric", "operations ALTER number TYPE int",
                   "idempotency_keys ALTER reply TYPE varchar(5000)", "users ALTER username TYPE varchar(300)"):
        execute(own_postgres.url(), f"ALTER TABLE {column}")
        before = len(load.acknowledged)
        eventually(lambda: len(load.acknowledged) >= before + 50, f"load after {column}")
    load.no_more()
    finish(load, fleet)
    assert not load.refused, load.refused


def test_connections_cut_under_load(own_postgres, start_fleet, seed):
    fleet = start_fleet(DATABASE_URL=own_postgres.url(), core_apis=2, psp_connectors=2)
    load = Load(fleet, seed, workers=6, amount=plain, persistent=True).begin()
    for _ in range(20):
        before = len(load.acknowledged)
        eventually(lambda: len(load.acknowledged) >= before + 20, "load", timeout_s=60)
        execute(own_postgres.url(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                                    "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'")
    load.no_more()
    finish(load, fleet)
    assert fleet.alive()


def test_restarted_gracefully_under_load(own_postgres, start_fleet, seed):
    """A minor upgrade: the server ends every session and comes back."""
    fleet = start_fleet(DATABASE_URL=own_postgres.url())
    load = Load(fleet, seed, workers=4, amount=plain, persistent=True).begin()
    eventually(lambda: len(load.acknowledged) >= 50, "load")
    own_postgres.stop()
    own_postgres.start()
    seconds_until_acknowledged(fleet)
    load.no_more()
    finish(load, fleet)


def test_programs_started_before_the_server_wait_for_it(own_postgres, tmp_path):
    """As after a power cut, when everything starts at once. Each waits up to 15 s."""
    own_postgres.kill9()
    fleet = Fleet(tmp_path, DATABASE_URL=own_postgres.url())
    try:
        fleet.begin()
        time.sleep(1)  # all are up and find nobody
        own_postgres.start()
        fleet.wait_healthy()
    finally:
        assert [program.stop() for program in fleet.programs] == [0] * 3


def test_a_server_that_dies_while_programs_start(own_postgres, tmp_path, seed):
    """Each start makes or reads the schema; a connection lost in the middle of it is no reason to give up."""
    rng = random.Random(seed)
    for number in range(6):
        (tmp_path / str(number)).mkdir()
        fleet = Fleet(tmp_path / str(number), core_apis=2, DATABASE_URL=own_postgres.url())
        try:
            fleet.begin()
            time.sleep(rng.uniform(0.0, 0.25))  # the random moment is what is tested
            own_postgres.kill9()
            own_postgres.start()
            fleet.wait_healthy()
        finally:
            assert [program.stop() for program in fleet.programs] == [0] * 4


class Recovering:
    """Listens on a port and tells whoever connects that it is starting up, as PostgreSQL does while it recovers."""

    def __init__(self, port):
        self._listener = socket.create_server(("127.0.0.1", port))
        self._ended = threading.Event()
        self._listener.settimeout(0.1)
        self.refused = 0
        self._thread = threading.Thread(target=self._refuse)
        self._thread.start()

    def _refuse(self):
        fields = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"
        while not self._ended.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(5)
                while (first := connection.recv(4096))[4:8] in (b"\x04\xd2\x16\x2f", b"\x04\xd2\x16\x30"):
                    connection.sendall(b"N")  # no TLS, no GSSAPI
                if first:
                    connection.sendall(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)
                    self.refused += 1
        self._listener.close()

    def close(self):
        self._ended.set()
        self._thread.join()


@pytest.mark.slow
def test_a_server_that_recovers_for_longer_than_one_takes_to_start_is_waited_for(own_postgres, tmp_path):
    own_postgres.kill9()
    recovering = Recovering(own_postgres.port)
    fleet = Fleet(tmp_path, DATABASE_URL=own_postgres.url())
    try:
        began = time.monotonic()
        fleet.begin()
        eventually(lambda: time.monotonic() - began > 17, "the time in which one starts to be over")
        assert recovering.refused >= 17, "they did not ask again"
        assert all(program.alive() for program in fleet.programs)
        recovering.close()
        own_postgres.start()
        fleet.wait_healthy()
    finally:
        recovering.close()
        assert [program.stop() for program in fleet.programs] == [0] * 3


def test_ten_processes_start_at_once_on_an_empty_database(postgres_url, tmp_path):
    fleet = Fleet(tmp_path, auth_apis=3, core_apis=4, psp_connectors=3, DATABASE_URL=postgres_url)
    try:
        fleet.begin().wait_healthy(timeout_s=60)
        merchant = Merchant(fleet)
        merchant.wait_final(merchant.created()["id"])
        users = execute(postgres_url, "SELECT count(*) FROM users")
        assert users == [(3,)], "the demo users were imported more than once, or not at all"
        merchant.close()
    finally:
        codes = [program.stop() for program in fleet.programs]
    assert codes == [0] * 10
    for program in fleet.programs:
        program.assert_log_is_clean()


def test_the_defaults_are_enough(postgres_url, tmp_path):
    """Nothing but the URL says where anything is; the simulated PSP's ledger finds its folder."""
    fleet = Fleet(tmp_path, DATABASE_URL=postgres_url, PSP_SIMULATOR_LEDGER=None)
    try:
        merchant = Merchant(fleet.start())
        assert merchant.wait_final(merchant.created()["id"])["status"] == "captured"
        merchant.close()
    finally:
        assert fleet.stop() == 0


# ---- many processes, one database


@pytest.fixture
def many(start_fleet, postgres_url):
    return start_fleet(DATABASE_URL=postgres_url, auth_apis=3, core_apis=3, psp_connectors=3,
                       LOGIN_FAILURES_PER_USER=10)


def test_a_merchant_may_ask_any_of_them(many, merchant_of):
    merchant = merchant_of(many)
    clients = [Client(endpoint) for endpoint in many.cores]
    created = []
    for number in range(60):
        reply = clients[number % 3].post("/transaction", {"amount": number + 1, "currency": "USD"},
                                         headers=merchant.authorization)
        assert reply.status == 200
        created.append(reply.json()["id"])
        shown = clients[(number + 1) % 3].get(f"/transaction/{created[-1]}", merchant.authorization)
        assert (shown.status, shown.json()["amount"]) == (200, number + 1), "not seen by the next process"
    for identifier in created:
        assert merchant.wait_final(identifier)["status"] == "captured"
    lists = [[item["id"] for item in client.get("/transaction?limit=100", merchant.authorization).json()["items"]]
             for client in clients]
    assert lists[0] == lists[1] == lists[2] == created[::-1]
    assert charges_of(many) == {identifier: 1 for identifier in created}
    for client in clients:
        client.close()


def test_one_key_a_hundred_times_at_once_on_three_processes(many, merchant_of):
    merchant = merchant_of(many)

    def request(client, number):
        return client.post("/transaction", {"amount": 100, "currency": "USD"},
                           headers={**merchant.authorization, "Idempotency-Key": "order-1"})

    replies = at_once(many.cores, 100, request)
    statuses = Counter(reply.status for reply in replies)
    assert set(statuses) <= {200, 409} and statuses[200] >= 1, statuses
    taken = [reply for reply in replies if reply.status == 200]
    assert len({reply.json()["id"] for reply in taken}) == 1
    assert len([reply for reply in taken if reply.header("Idempotency-Replayed") is None]) == 1
    assert len(storage.transactions(many.database, merchant.user_id)) == 1
    for endpoint in many.cores:
        with Client(endpoint) as client:
            reply = client.post("/transaction", {"amount": 101, "currency": "USD"},
                                headers={**merchant.authorization, "Idempotency-Key": "order-1"})
            assert_problem(reply, 422)
            assert request(client, 0).body == taken[0].body
    identifier = taken[0].json()["id"]
    merchant.wait_final(identifier)
    assert charges_of(many)[identifier] == 1


def test_different_keys_at_once_are_different_transactions(many, merchant_of):
    merchant = merchant_of(many)

    def request(client, number):
        return client.post("/transaction", {"amount": 100, "currency": "USD"},
                           headers={**merchant.authorization, "Idempotency-Key": f"order-{number}"})

    replies = at_once(many.cores, 60, request)
    assert {reply.status for reply in replies} == {200}
    assert len({reply.json()["id"] for reply in replies}) == 60


def test_logins_are_throttled_across_processes(many):
    clients = [Client(endpoint) for endpoint in many.auths]
    statuses = [clients[number % 3].post("/token", {"username": "alice", "password": "wrong"}).status
                for number in range(15)]
    assert statuses == [401] * 10 + [429] * 5
    for client in clients:
        assert client.post("/token", {"username": "alice", "password": "password"}).status == 429
        assert client.post("/token", {"username": "becky", "password": "password"}).status == 200
        client.close()


def test_three_connectors_share_the_work_and_one_may_die(many, seed):
    load = Load(many, seed, workers=6, amount=plain, persistent=True, limit=100_000).begin()
    for program in many.psp_connectors[:2]:
        before = len(load.acknowledged)
        eventually(lambda: len(load.acknowledged) >= before + 100, "load")
        program.kill()
    load.no_more()
    finish(load, many)
    logs = [program.log().count("==> Making transaction") for program in many.psp_connectors]
    print(f"charges by connector: {logs}")
    assert min(logs) > 0, "a connector got nothing to do"
    for program in many.psp_connectors[:2]:
        program.start()


# ---- errors at start


def start_fails(tmp_path, database_url, secret, program="core-api"):
    """The one line that says why, which never holds the password."""
    settings = development_settings(tmp_path, HTTP_PORT=free_port(), METRICS_PORT=free_port(),
                                    DATABASE_URL=database_url)
    started = time.monotonic()
    done = run_to_exit(program, [], settings, tmp_path, timeout_s=60)
    assert time.monotonic() - started < 30 * PATIENCE
    output = done.stdout + done.stderr
    assert done.returncode in (1, 2), f"{done.returncode}: {output}"
    lines = [line for line in output.splitlines() if line.strip()]
    assert len(lines) == 1, lines
    assert secret not in output
    return lines[0]


@pytest.mark.parametrize("program", ["auth-api", "core-api", "psp-connector", "psp-events"])
def test_a_wrong_password_is_a_clear_error(shared_postgres, tmp_path, program):
    line = start_fails(tmp_path, shared_postgres.url(password="wr0ng-s3cret"), "wr0ng-s3cret", program)
    assert "password authentication failed" in line


def test_an_unknown_database_is_a_clear_error(shared_postgres, tmp_path):
    line = start_fails(tmp_path, shared_postgres.url("not_there"), shared_postgres.password)
    assert "not_there" in line


def test_an_unknown_user_is_a_clear_error(shared_postgres, tmp_path):
    line = start_fails(tmp_path, shared_postgres.url(user="nobody_here"), shared_postgres.password)
    assert "nobody_here" in line


def test_no_server_is_a_clear_error(tmp_path):
    port = free_port()
    line = start_fails(tmp_path, f"postgresql://switchyard:s3cret-word@127.0.0.1:{port}/switchyard", "s3cret-word")
    assert str(port) in line


def test_tls_that_the_server_does_not_offer_is_a_clear_error(shared_postgres, tmp_path):
    line = start_fails(tmp_path, shared_postgres.url(sslmode="require"), shared_postgres.password)
    assert "SSL" in line or "TLS" in line


@pytest.mark.parametrize("url", ["postgresql://u:s3cret@127.0.0.1:notaport/db", "postgresql://u:s3cret@[::1/db",
                                 "postgresql://u:s3cret@127.0.0.1:5432/db?nonsense=1",
                                 "postgresql://u:s3cret%zz@127.0.0.1:5432/db", "postgresql://u:%s3cret@127.0.0.1/db"])
def test_a_malformed_url_names_the_variable(tmp_path, url):
    """libpq's own words quote what it could not read."""
    assert "DATABASE_URL" in start_fails(tmp_path, url, "s3cret")


def test_a_database_of_a_newer_version_is_a_clear_error(postgres_url, shared_postgres, tmp_path):
    fleet = Fleet(tmp_path, auth_apis=0, psp_connectors=0, DATABASE_URL=postgres_url)
    try:
        fleet.start()
    finally:
        assert fleet.stop() == 0
    execute(postgres_url, "UPDATE switchyard_schema SET version = 999")
    line = start_fails(tmp_path, postgres_url, shared_postgres.password)
    assert "999" in line and "newer" in line


def warns_of(row, endpoint):
    health = once(endpoint, "GET", "/health")
    [check] = health.json()["checks"]["store:rows"]
    return health.status == 200 and check["status"] == "warn" and row in check["output"]


@pytest.mark.parametrize("damage", ["status = 'authorizing'", "currency = 'ZZZ'"])
def test_a_row_that_cannot_be_read_stops_nobody(postgres_url, tmp_path, merchant_of, damage):
    """As test_store_faults.py has it for SQLite."""
    fleet = Fleet(tmp_path, psp_connectors=0, DATABASE_URL=postgres_url)
    connectors = Fleet(tmp_path, auth_apis=0, core_apis=0, DATABASE_URL=postgres_url)
    try:
        merchant = merchant_of(fleet.start())
        broken, good = merchant.created(1)["id"], merchant.created(2)["id"]
        execute(postgres_url, f"UPDATE transactions SET {damage} WHERE id = %s", [broken])
        connectors.start()
        assert merchant.wait_final(good)["status"] == "captured"
        assert [item["id"] for item in merchant.page()["items"]] == [good]
        assert_problem(merchant.get(f"/transaction/{broken}"), 500, "Transaction set aside")
        assert merchant.wait_final(merchant.created(3)["id"])["status"] == "captured", "and goes on"
        for endpoint in (fleet.core, connectors.metrics[0]):
            eventually(lambda: warns_of(broken, endpoint), f"{endpoint.url('/health')} to warn of the row")
        metrics = once(connectors.metrics[0], "GET", "/metrics").body.decode()
        assert "\nswitchyard_set_aside_transactions 1" in metrics
        assert not storage.charges(fleet.ledger, broken)
    finally:
        assert max(connectors.stop(), fleet.stop()) == 0


def test_a_database_of_another_program_is_left_alone(postgres_url, shared_postgres, tmp_path):
    execute(postgres_url, "CREATE TABLE transactions (theirs text); INSERT INTO transactions VALUES ('precious')")
    start_fails(tmp_path, postgres_url, shared_postgres.password)
    assert execute(postgres_url, "SELECT theirs FROM transactions") == [("precious",)]


def test_the_servers_binaries_are_of_a_version_we_support():
    if postgres_server.BINARIES is None:
        pytest.skip(postgres_server.why_not_here())
    text = subprocess.run([postgres_server.BINARIES / "postgres", "--version"], capture_output=True, text=True).stdout
    assert int(text.split()[2].split(".")[0]) >= 15, text
