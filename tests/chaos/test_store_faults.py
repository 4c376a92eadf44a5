"""Disk full, read-only, corrupt, foreign, or too new a file: a clear error, and never a false acknowledgement."""

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import time
import uuid
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from support import amounts, storage
from support.http_client import Endpoint, once
from support.load import Load
from support.merchants import Merchant
from support.ports import free_port
from support.problems import assert_problem
from support.programs import Switchyard, ThreeServices, development_settings, healthy, run_to_exit
from support.waiting import eventually


@pytest.fixture
def small_disk(tmp_path):
    """An 8 MiB tmpfs. Needs root and permission to mount."""
    folder = tmp_path / "small-disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True,
                             text=True)
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a tmpfs here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def remount(folder, *options):
    subprocess.run(["mount", "-o", ",".join(["remount", *options]), str(folder)], check=True, capture_output=True)


def fill(ballast):
    """Writes until the disk is full."""
    with open(ballast, "wb") as file:
        for size in (65536, 4096):
            try:
                while True:
                    os.write(file.fileno(), b"\0" * size)
            except OSError:
                pass


def start_fails(folder, **overrides):
    """Starts `serve` where it must refuse to; returns the one line that says why."""
    settings = development_settings(folder, HTTP_PORT=free_port(), METRICS_PORT=free_port(), **overrides)
    done = run_to_exit("switchyard", ["serve"], settings, folder)
    assert done.returncode > 0, f"exit code {done.returncode}"
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    assert len(lines) == 1, lines
    return lines[0]


@pytest.fixture
def used_database(start_switchyard):
    """The file of a server that has worked and stopped."""
    server = start_switchyard()
    merchant = Merchant(server, user_id=1)
    for number in range(100):
        merchant.created(number + 1)
    merchant.close()
    assert server.stop() == 0
    return server.database


@pytest.mark.quick
def test_full_disk_never_gives_a_false_200_and_recovers(small_disk, tmp_path, start_switchyard, seed):
    ballast = small_disk / "ballast"
    server = start_switchyard(DATABASE_URL=f"sqlite:{small_disk / 'switchyard.db'}",
                              PSP_SIMULATOR_LEDGER=tmp_path / "ledger.db")
    merchant = Merchant(server, user_id=1)
    with Load(server, f"{seed}/before", limit=300) as load:
        eventually(lambda: len(load.acknowledged) >= 100, "load before the disk is full")
    acknowledged = dict(load.acknowledged)

    fill(ballast)
    with Load(server, f"{seed}/full", limit=20_000) as load:
        eventually(lambda: sum(load.refused.values()) >= 50, "refusals on a full disk", timeout_s=60)
    assert server.alive(), "a full disk is no reason to die"
    assert set(load.refused) == {503}
    acknowledged |= load.acknowledged
    reply = merchant.create(100, "USD", key="refused while full")
    assert_problem(reply, 503)
    assert int(reply.header("Retry-After")) >= 1
    eventually(lambda: once(server.core, "GET", "/health").status == 503, "health to tell", timeout_s=30)
    assert once(server.core, "GET", "/health").json()["status"] == "fail"
    known = next(iter(acknowledged))
    assert Merchant(server, user_id=acknowledged[known].merchant_id).show(known)["id"] == known, "reading still works"

    ballast.unlink()
    reply = eventually(lambda: (r := merchant.create(100, "USD", key="refused while full")).status == 200 and r,
                       "recovery")
    assert reply.header("Idempotency-Replayed") is None, "the refused request had left something behind"
    acknowledged[reply.json()["id"]] = None
    eventually(lambda: once(server.core, "GET", "/health").status == 200, "health to pass again")
    merchant.close()
    server.kill()
    server.start()
    stored = {row.id: row for row in storage.transactions(server.database)}
    assert set(acknowledged) <= set(stored), "an acknowledged transaction is gone"
    for identifier, sent in acknowledged.items():
        assert sent is None or (sent.amount, sent.currency) == (stored[identifier].amount,
            stored[identifier].currency)
    refused_ids = set(stored) - set(acknowledged)
    assert len(refused_ids) <= len(load.unanswered), "a refused transaction was stored"
    # One that a PSP could never be reached with is for a person, if the disk could not take what the first try came to.
    for_a_person = f"status = 'manual_review' AND amount_minor = {amounts.NETWORK_ERROR_BEFORE_SENDING}"
    eventually(lambda: not storage.query(
        server.database, f"SELECT 1 FROM transactions WHERE status NOT IN ('captured','declined','failed') "
        f"AND NOT ({for_a_person}) LIMIT 1"), "every transaction to become final", timeout_s=60)
    approved = [charge.reference for charge in storage.charged_transactions(server.database, server.ledger, "approved")]
    assert len(approved) == len(set(approved)), "charged twice"
    assert set(approved) == {row.id for row in storage.transactions(server.database) if row.status == "captured"}
    assert server.stop() == 0


def test_start_on_a_full_disk_is_a_clear_error(small_disk):
    fill(small_disk / "ballast")
    line = start_fails(small_disk.parent, DATABASE_URL=f"sqlite:{small_disk / 'switchyard.db'}")
    assert str(small_disk / "switchyard.db") in line


@pytest.mark.quick
@pytest.mark.parametrize("fresh", [True, False], ids=["no file yet", "existing file"])
def test_read_only_file_system_is_a_clear_error(small_disk, tmp_path, fresh):
    settings = {"DATABASE_URL": f"sqlite:{small_disk / 'switchyard.db'}",
                "PSP_SIMULATOR_LEDGER": tmp_path / "ledger.db"}
    if not fresh:
        server = Switchyard(tmp_path, **settings).start()
        assert server.stop() == 0
    remount(small_disk, "ro")
    try:
        line = start_fails(tmp_path, **settings)
    finally:
        remount(small_disk, "rw")
    assert str(small_disk / "switchyard.db") in line


def _overwrite(path, offset, data):
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(data)


@pytest.mark.quick
@pytest.mark.parametrize("damage", ["schema page", "file header", "cut to one page", "cut in the middle of a page"])
def test_corrupt_file_is_a_clear_error_at_start(used_database, tmp_path, damage):
    if damage == "schema page":
        _overwrite(used_database, 100, os.urandom(3900))
    elif damage == "file header":
        _overwrite(used_database, 0, os.urandom(100))
    elif damage == "cut to one page":
        os.truncate(used_database, 4096)
    else:
        os.truncate(used_database, used_database.stat().st_size // 2 + 1000)
    assert str(used_database) in start_fails(tmp_path)


@pytest.mark.quick
@pytest.mark.parametrize("content", [b"this is no database at all\n" * 400, b'{"json": true}', os.urandom(20_000)],
                         ids=["text", "short", "noise"])
def test_file_that_is_no_database_is_a_clear_error(tmp_path, content):
    path = tmp_path / "switchyard.db"
    path.write_bytes(content)
    assert str(path) in start_fails(tmp_path)
    assert path.read_bytes() == content, "a file that is not ours was changed"


@pytest.mark.quick
def test_file_of_a_newer_schema_is_a_clear_error(used_database, tmp_path):
    with closing(sqlite3.connect(used_database)) as connection:
        connection.execute("PRAGMA user_version = 1000000")
    line = start_fails(tmp_path)
    assert str(used_database) in line and re.search(r"newer|version", line)
    assert storage.query(used_database, "PRAGMA user_version") == [(1000000,)]


@pytest.mark.quick
def test_database_of_another_program_is_a_clear_error(tmp_path):
    path = tmp_path / "switchyard.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE transactions (something_else TEXT)")
        connection.commit()
    assert str(path) in start_fails(tmp_path)


@pytest.mark.quick
@pytest.mark.parametrize("name", ["a file/switchyard.db", "a folder"])
def test_path_that_cannot_be_a_file_is_a_clear_error(tmp_path, name):
    (tmp_path / "a file").write_text("in the way")
    (tmp_path / "a folder").mkdir()
    line = start_fails(tmp_path, DATABASE_URL=f"sqlite:{tmp_path / name}")
    assert str(tmp_path / name.split("/")[0]) in line


def test_a_database_in_use_by_a_long_reader_still_takes_writes(start_switchyard):
    """A backup or a curious operator with sqlite3 must not stop payments."""
    server = start_switchyard()
    merchant = Merchant(server, user_id=1)
    merchant.created(1)
    with closing(sqlite3.connect(f"file:{server.database}?mode=ro", uri=True)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM transactions").fetchone() == (1,)
        for number in range(50):
            merchant.wait_final(merchant.created(number + 1)["id"])
        assert reader.execute("SELECT count(*) FROM transactions").fetchone() == (1,), "not a snapshot"
    merchant.close()


def test_a_writer_elsewhere_delays_but_loses_nothing(start_switchyard):
    """Somebody holds the write lock for a moment: replies come late or as 503, and each 200 is true."""
    server = start_switchyard()
    merchant = Merchant(server, user_id=1)
    acknowledged = [merchant.created(1)["id"]]
    with closing(sqlite3.connect(server.database, isolation_level=None, timeout=30)) as writer:
        with Load(server, "writer elsewhere", limit=1_000_000, merchants=(1,)) as load:
            writer.execute("BEGIN IMMEDIATE")
            locked_at = time.monotonic()
            eventually(lambda: load.refused or time.monotonic() - locked_at > 1, "the lock to be felt")
            writer.execute("COMMIT")
            before = len(load.acknowledged)
            eventually(lambda: len(load.acknowledged) > before, "acknowledgements after the lock")
    assert set(load.refused) <= {503}
    stored = {row.id for row in storage.transactions(server.database)}
    assert set(acknowledged) | set(load.acknowledged) <= stored
    merchant.close()


@pytest.mark.quick
def test_durability_settings_of_the_file(start_switchyard):
    """WAL is what the store promises to its readers; that each commit is synced is seen from outside below."""
    server = start_switchyard()
    assert storage.query(server.database, "PRAGMA journal_mode") == [("wal",)]
    assert storage.query(server.database, "PRAGMA integrity_check") == [("ok",)]


def test_every_acknowledgement_follows_a_sync(tmp_path, merchant_of):
    """Seen by strace: between request and reply core-api begins and ends an fsync or fdatasync of its write-ahead log.
    No connector runs, so each sync is that of the merchant's own commit."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    services = ThreeServices(tmp_path).start(without_connector=True)
    try:
        merchant = merchant_of(services)
        merchant.created(1)
        trace = trace_of(services.core_api.process.pid, tmp_path / "trace",
                         lambda: [merchant.created(number + 10) for number in range(5)])
    finally:
        assert services.stop() == 0
    events = list(sync_events(trace))
    assert events.count("request") == events.count("reply") == 5, events
    assert [event for event in events if event != "sync"] == ["request", "reply"] * 5, events
    assert "request reply" not in " ".join(events), f"a reply left before a sync: {events}"


def trace_of(pid, path, work):
    """The system calls of the process while `work` is done, one line each, with the names of the files."""
    calls = "trace=fsync,fdatasync,sendto,sendmsg,writev,write,recvfrom,recvmsg,read,readv"
    tracer = subprocess.Popen(["strace", "-f", "-y", "-s", "40", "-e", calls, "-o", str(path), "-p", str(pid)],
                              stderr=subprocess.PIPE, text=True)
    try:
        line = tracer.stderr.readline()
        if "attached" not in line:
            pytest.skip(f"strace cannot attach: {line.strip()}")
        work()
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.communicate(timeout=30)
    return path.read_text(errors="replace").splitlines()


def sync_events(trace):
    """"request", "reply", and "sync" for one that both began and succeeded since the last request."""
    begun = set()
    for line in trace:
        thread = line.split()[0]
        if "POST /transaction" in line:
            begun.clear()
            yield "request"
        elif "HTTP/1.1 200" in line:
            yield "reply"
        elif re.search(r" f(data)?sync\(.*-wal>", line):
            begun.add(thread)
        if re.search(r"f(data)?sync(\(|\b.* resumed).*= 0$", line) and thread in begun:
            begun.discard(thread)
            yield "sync"


@pytest.fixture
def core_api_alone(tmp_path, merchant_of):
    """core-api as the only process with the store open, and a merchant who has paid once."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    services = ThreeServices(tmp_path).start(without_connector=True)
    assert services.auth_api.stop() == 0
    merchant = merchant_of(services)
    merchant.created(1)
    yield services, merchant
    assert services.stop() == 0


@contextmanager
def failing_syncs(pid, which):
    """fdatasync fails in each thread of the process: `which` as strace's `when`."""
    command = ["strace", "-f", "-qq", "-e", "trace=fdatasync", "-e", f"inject=fdatasync:error=EIO:when={which}",
               "-o", "/dev/null", "-p", str(pid)]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        traced = f"TracerPid:\t{tracer.pid}"
        eventually(lambda: tracer.poll() is not None or all(
            traced in status.read_text() for status in Path(f"/proc/{pid}/task").glob("*/status")), "strace to attach")
        if tracer.poll() is not None:
            pytest.skip(f"strace cannot attach: {tracer.stderr.read().strip()}")
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.communicate(timeout=30)


def assert_charged_once(services, identifier, merchant):
    services.psp_connector.start()
    assert merchant.wait_final(identifier)["status"] == "captured"
    charges = storage.charges(services.ledger, storage.psp_reference(services.database, identifier))
    assert [charge.outcome for charge in charges] == ["approved"]


def test_a_commit_whose_sync_fails_is_not_said_to_be_nothing(core_api_alone):
    """The log holds the payment, and the next start finds it: so nobody was told that it does not exist."""
    services, merchant = core_api_alone
    with failing_syncs(services.core_api.process.pid, "1+"):
        reply = merchant.create(777, "USD", key="in doubt")
        assert_problem(reply, 503, "Outcome unknown")
        assert int(reply.header("Retry-After")) >= 1
        for number in range(3):
            assert_problem(merchant.create(800 + number, "USD"), 503, "Store unavailable")
        eventually(lambda: once(services.core, "GET", "/health").status == 503, "health to tell")
        assert merchant.page()["items"], "reading goes on"
        services.core_api.kill()
    services.core_api.start()
    eventually(lambda: healthy(services.core, services.core_api), "core-api to be back")
    merchant.close()  # the connection died with it
    assert sorted(row.amount for row in storage.transactions(services.database)) == [1, 777]
    again = merchant.create(777, "USD", key="in doubt")
    assert again.status == 200 and again.header("Idempotency-Replayed") == "true"
    assert_charged_once(services, again.json()["id"], merchant)


def test_after_one_sync_that_failed_the_file_is_opened_again_and_is_the_truth(core_api_alone):
    services, merchant = core_api_alone
    with failing_syncs(services.core_api.process.pid, "1"):
        assert_problem(merchant.create(777, "USD", key="in doubt"), 503, "Outcome unknown")
        again = merchant.create(777, "USD", key="in doubt")
        assert again.status == 200
    assert once(services.core, "GET", "/health").status == 200
    services.core_api.kill()
    services.core_api.start()
    eventually(lambda: healthy(services.core, services.core_api), "core-api to be back")
    merchant.close()  # the connection died with it
    assert sorted(row.amount for row in storage.transactions(services.database)) == [1, 777]
    assert_charged_once(services, again.json()["id"], merchant)


def _change(database, assignments, identifier):
    with closing(sqlite3.connect(database, timeout=30)) as connection:
        changed = connection.execute(f"UPDATE transactions SET {assignments} WHERE id = ?",
                                     [uuid.UUID(identifier).bytes])
        connection.commit()
        assert changed.rowcount == 1


def warns_of(row, endpoint):
    health = once(endpoint, "GET", "/health")
    [check] = health.json()["checks"]["store:rows"]
    return health.status == 200 and check["status"] == "warn" and row in check["output"]


@pytest.mark.quick
@pytest.mark.parametrize("damage", ["status = 'authorizing'", "currency = 'ZZZ'", "status = 'captured'"])
def test_a_row_that_cannot_be_read_stops_nobody(tmp_path, merchant_of, damage):
    """A newer version, a person or a bad disk wrote it, and it is due longer than all others."""
    services = ThreeServices(tmp_path).start(without_connector=True)
    merchant = merchant_of(services)
    broken, good = merchant.created(1)["id"], merchant.created(2)["id"]
    _change(services.database, damage, broken)
    services.psp_connector.start()
    assert merchant.wait_final(good)["status"] == "captured"
    assert [item["id"] for item in merchant.page()["items"]] == [good]
    assert_problem(merchant.get(f"/transaction/{broken}"), 500, "Transaction set aside")
    eventually(lambda: broken in services.connector_log(), "the connector to say which row it left alone")
    watched = Endpoint("127.0.0.1", int(services.psp_connector.settings["METRICS_PORT"]), "")
    for endpoint in (services.core, watched):
        eventually(lambda: warns_of(broken, endpoint), f"{endpoint.url('/health')} to warn of the row")
    assert "\nswitchyard_set_aside_transactions 1" in once(watched, "GET", "/metrics").body.decode()
    assert merchant.wait_final(merchant.created(3)["id"])["status"] == "captured", "and goes on"
    assert not storage.charges(services.ledger, broken)
    assert services.stop() == 0


def test_the_log_says_where_a_new_store_was_made(start_switchyard):
    server = start_switchyard()
    assert server.connector_log().count("a new, empty one was made") == 1 and str(server.database) in server.connector_log()
    assert server.stop() == 0
    server.start()
    assert server.stop() == 0
    assert server.connector_log().count("a new, empty one was made") == 1, "then it was there"


@pytest.mark.quick
def test_a_payment_in_a_currency_that_was_withdrawn_since_is_worked_off(tmp_path, merchant_of):
    services = ThreeServices(tmp_path).start(without_connector=True)
    merchant = merchant_of(services)
    identifier = merchant.created(1)["id"]
    _change(services.database, "currency = 'BGN'", identifier)
    services.psp_connector.start()
    assert merchant.wait_final(identifier)["currency"] == "BGN"
    assert merchant.create(1, "BGN").status == 422, "readable, and not accepted"
    assert services.stop() == 0


def test_what_a_clock_that_was_ahead_put_off_is_due_now(start_switchyard):
    server = start_switchyard(PSP_TIMEOUT_SECONDS=1)
    merchant = Merchant(server, user_id=1)
    identifier = merchant.created(1)["id"]
    merchant.wait_final(identifier)
    day_ms = 24 * 3600 * 1000
    with closing(sqlite3.connect(server.database, timeout=30)) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(transactions)")]
        values = {"id": "?", "status": "'queued'", "authorized_minor": "0", "captured_minor": "0", "version": "0",
                  "operation_count": "0", "next_action_at_ms": f"created_at_ms + {day_ms}"}
        later = uuid.uuid4()
        selected = ", ".join(values.get(column, column) for column in columns)
        connection.execute(f"INSERT INTO transactions ({', '.join(columns)}) SELECT {selected} FROM transactions",
                           [later.bytes])
        connection.commit()
    assert merchant.wait_final(str(later))["status"] == "captured"
    merchant.close()


@pytest.mark.parametrize("what", ["moved", "deleted", "replaced"])
def test_a_file_that_is_not_at_its_path_fails_the_health_check(start_switchyard, what):
    server = start_switchyard()
    merchant = Merchant(server, user_id=1)
    merchant.wait_final(merchant.created(1)["id"])
    merchant.close()
    aside = server.database.with_suffix(".aside")
    server.database.rename(aside)
    if what == "deleted":
        aside.unlink()
    elif what == "replaced":
        shutil.copy(aside, server.database)
    eventually(lambda: once(server.core, "GET", "/health").status == 503, "health to tell", timeout_s=30)
    eventually(lambda: f"{server.database}: was moved, deleted or replaced" in server.program.log(), "the log to say it")


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
@pytest.mark.parametrize("what", ["moved", "deleted", "replaced"])
def test_nothing_is_taken_into_a_file_that_is_not_at_its_path(start_switchyard, suffix, what):
    """Not even the first payment behind it: nobody who opens the store next would find it."""
    server = start_switchyard()
    merchant = Merchant(server, user_id=1)
    before = merchant.wait_final(merchant.created(1)["id"])
    file = Path(f"{server.database}{suffix}")
    aside = Path(f"{file}.aside")
    file.rename(aside)
    if what == "replaced":
        shutil.copy(aside, file)
    if what == "deleted":
        aside.unlink()
    refused = merchant.create(2, "USD")
    assert_problem(refused, 503)
    assert refused.json()["error"] == "Store unavailable", "it is certain that nothing was done"
    eventually(lambda: once(server.core, "GET", "/health").status == 503, "health to tell", timeout_s=30)
    eventually(lambda: f"{file}: was moved, deleted or replaced" in server.program.log(), "the log to say it")
    assert file.exists() == (what == "replaced"), "none is made in its place"
    if what == "moved":
        aside.rename(file)
        again = merchant.wait_final(merchant.created(3)["id"])
        assert {row.id for row in storage.transactions(server.database)} == {before["id"], again["id"]}
    merchant.close()


@pytest.mark.parametrize("table", ["transactions", "operations", "idempotency_keys", "psp_events", "users", "login_failures"])
def test_a_table_that_is_gone_fails_the_health_check(start_switchyard, table):
    server = start_switchyard()
    with closing(sqlite3.connect(server.database, timeout=30)) as connection:
        connection.execute(f"ALTER TABLE {table} RENAME TO gone")
    for endpoint in (server.auth, server.core):
        eventually(lambda: once(endpoint, "GET", "/health").status == 503, "health to tell")
    eventually(lambda: f"no such table: {table}" in server.program.log(), "the log to say which")
    with closing(sqlite3.connect(server.database, timeout=30)) as connection:
        connection.execute(f"ALTER TABLE gone RENAME TO {table}")
    for endpoint in (server.auth, server.core):
        eventually(lambda: once(endpoint, "GET", "/health").status == 200, "health to pass again")


def test_each_program_of_its_own_tells_that_the_file_is_gone(tmp_path, merchant_of):
    services = ThreeServices(tmp_path).start()
    connector = Endpoint("127.0.0.1", int(services.psp_connector.settings["METRICS_PORT"]), "")
    assert once(connector, "GET", "/health").status == 200
    aside = services.database.with_suffix(".aside")
    services.database.rename(aside)
    for endpoint in (services.auth, services.core, connector):
        eventually(lambda: once(endpoint, "GET", "/health").status == 503, "health to tell", timeout_s=30)
    assert merchant_of(services).create(1, "USD").status == 503
    aside.rename(services.database)
    for endpoint in (services.auth, services.core, connector):
        eventually(lambda: once(endpoint, "GET", "/health").status == 200, "health to pass again", timeout_s=30)
    merchant = merchant_of(services)
    merchant.wait_final(merchant.created(1)["id"])
    assert services.stop() == 0


def test_a_write_ahead_log_that_is_gone_fails_the_health_check(start_switchyard):
    server = start_switchyard()
    assert once(server.core, "GET", "/health").status == 200
    Path(f"{server.database}-wal").unlink()
    eventually(lambda: once(server.core, "GET", "/health").status == 503, "health to tell", timeout_s=30)
    eventually(lambda: f"{server.database}-wal: was moved, deleted or replaced" in server.program.log(), "the log to say it")


def test_the_simulated_psps_ledger_has_a_default_place(start_switchyard):
    server = start_switchyard(PSP_SIMULATOR_LEDGER=None)
    merchant = Merchant(server, user_id=1)
    identifier = merchant.wait_final(merchant.created(5)["id"])["id"]
    assert [charge.amount for charge in storage.charges(f"{server.database}.psp-simulator", identifier)] == [5]
    merchant.close()
