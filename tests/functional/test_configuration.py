"""Twelve-factor configuration: a wrong value stops the start with exit code 2 and one line that names the variable."""

import json
import os
import re
import signal
import socket

import pytest

from support.http_client import Client
from support.merchants import login
from support.ports import free_port
from support.problems import assert_problem
from support.programs import SECRET, Program, Switchyard, development_settings, run_to_exit
from support.waiting import PATIENCE

PROGRAMS = {"switchyard": ["serve"], "auth-api": [], "core-api": [], "psp-connector": [], "psp-events": []}


def run(folder, program="switchyard", **overrides):
    settings = development_settings(folder, **{"HTTP_PORT": free_port(), "METRICS_PORT": free_port(), **overrides})
    return run_to_exit(program, PROGRAMS[program], settings, folder, timeout_s=20)


def refused(folder, program="switchyard", **overrides):
    """The one line printed by a start that must fail because of the configuration."""
    done = run(folder, program, **overrides)
    output = done.stdout + done.stderr
    assert done.returncode == 2, f"exit code {done.returncode}: {output}"
    lines = [line for line in output.splitlines() if line.strip()]
    assert len(lines) == 1, lines
    assert not lines[0].startswith("{") or json.loads(lines[0])
    return lines[0]


def names_an_example(line):
    return re.search(r"example|e\.g\.|such as|openssl rand|like ", line, re.IGNORECASE)


@pytest.mark.quick
@pytest.mark.parametrize("program", ["switchyard", "auth-api", "core-api"])
def test_missing_secret(tmp_path, program):
    line = refused(tmp_path, program, JWT_SECRET=None)
    assert "JWT_SECRET" in line and names_an_example(line)


@pytest.mark.quick
@pytest.mark.parametrize("variable", ["JWT_SECRET", "JWT_SECRET_PREVIOUS"])
@pytest.mark.parametrize("secret", ["Wq7Zs", "Kx9" + "v" * 28], ids=["short", "31 bytes"])
def test_short_secret_says_how_to_make_one_and_does_not_print_it(tmp_path, variable, secret):
    line = refused(tmp_path, **{variable: secret})
    assert variable in line and names_an_example(line) and "32" in line
    assert secret not in line


def test_empty_secret_is_a_missing_one(tmp_path):
    assert "JWT_SECRET" in refused(tmp_path, JWT_SECRET="")


NUMBERS = ("TOKEN_TTL_SECONDS", "MAX_AMOUNT", "MAX_BODY_BYTES", "MAX_BACKLOG", "SHUTDOWN_SECONDS", "LEASE_SECONDS",
           "LOGIN_FAILURES_PER_USER", "LOGIN_FAILURES_PER_ADDRESS", "REQUEST_TIMEOUT_SECONDS", "MAX_CONNECTIONS",
           "MAX_CONNECTIONS_PER_ADDRESS", "MAX_BUFFERED_BYTES")
MALFORMED = [(variable, value) for variables, values in [
    (("HTTP_PORT",), ("abc", "-1", "65536", "99999999999999999999", "80a", "8080 ", "1.5", "0x50")),
    (("METRICS_PORT",), ("abc", "-1", "65536")),
    (("TRUSTED_PROXIES",), ("router", "10.0.0.0/33", "10.0.0.1/8", "0.0.0.0/0")),
    (("HTTP_HOST",), ("not a host", "999.1.1.1")),
    (("DATABASE_URL",), ("sqlite:", "mysql://localhost/x", "/tmp/x.db", "sqlite", "nonsense:x")),
    (("SWITCHYARD_ENV",), ("prod", "Development", "test")),
    (("LOG_FORMAT",), ("xml", "JSON ")),
    (("LOG_LEVEL",), ("loud", "9")),
    (("USERS_FILE",), ("/no/such/users.json",)),
    (("PSP_URL",), ("psp", "127.0.0.1:5000", "ftp://127.0.0.1/", "http://", "http://127.0.0.1:x", "http://a b/",
                    "http://127.0.0.1/?a=b")),
    (NUMBERS, ("abc", "-1", "0", "1.5", "99999999999999999999999")),
] for variable in variables for value in values]


@pytest.mark.parametrize("variable, value", MALFORMED, ids=[f"{name}={value}" for name, value in MALFORMED])
def test_malformed_value(tmp_path, variable, value):
    line = refused(tmp_path, **{variable: value})
    assert variable in line and names_an_example(line)


@pytest.mark.quick
@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("variable, value", [("DATABASE_URL", "mysql://localhost/x"), ("METRICS_PORT", "abc"),
                                             ("LOG_FORMAT", "xml")])
def test_every_program_checks_its_environment(tmp_path, program, variable, value):
    line = refused(tmp_path, program, **{variable: value})
    assert variable in line and names_an_example(line)


def test_a_password_in_a_database_url_is_not_printed(tmp_path):
    line = refused(tmp_path, DATABASE_URL="mysql://switchyard:hunter2secret@db/x")
    assert "hunter2secret" not in line and "DATABASE_URL" in line


@pytest.mark.quick
@pytest.mark.parametrize("program", ["switchyard", "psp-connector"])
def test_a_password_in_a_psp_url_is_not_printed(tmp_path, program):
    line = refused(tmp_path, program, PSP_URL="ftp://switchyard:hunter2secret@psp.example/")
    assert "hunter2secret" not in line and "PSP_URL" in line and names_an_example(line)


A_USER = {"id": 1, "username": "anna", "password": "a password of anna", "enabled": True}


@pytest.mark.parametrize("content", [
    "", "{", "[1]", "{}", json.dumps(A_USER), '[{"id": 1}]', json.dumps([{**A_USER, "id": "1"}]),
    json.dumps([{name: value for name, value in A_USER.items() if name != "enabled"}]),
    json.dumps([A_USER, {**A_USER, "username": "berta"}]), json.dumps([A_USER, {**A_USER, "id": 2}]),
    json.dumps([{**A_USER, "username": "4111111111111111"}]), json.dumps([{**A_USER, "password": 10 * " "}]),
    json.dumps([{**A_USER, "enbaled": False}]),
], ids=["empty", "no JSON", "no users", "no list", "a user alone", "members missing", "id a string", "enabled missing",
        "id twice", "username twice", "a card number", "a blank password", "a misspelt member"])
def test_malformed_users_file_is_named(tmp_path, content):
    users = tmp_path / "users.json"
    users.write_text(content)
    done = run(tmp_path, USERS_FILE=users)
    assert done.returncode > 0 and ("USERS_FILE" in done.stderr or str(users) in done.stderr)


def test_a_users_file_without_an_end_is_refused(tmp_path):
    assert "larger than 16 MiB" in refused(tmp_path, USERS_FILE="/dev/zero")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_signal_during_the_start_ends_it_at_once(tmp_path, program, number):
    """Nothing has been accepted yet, and the database that it waits for may never answer."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60 * PATIENCE)
        url = f"postgresql://u@127.0.0.1:{silent.getsockname()[1]}/db?sslmode=disable"
        settings = development_settings(tmp_path, DATABASE_URL=url, HTTP_PORT=free_port(), METRICS_PORT=free_port())
        starting = Program(program, PROGRAMS[program], settings, tmp_path).start()
        connection, _ = silent.accept()
        with connection:
            assert starting.stop(number) == -number


@pytest.mark.quick
def test_production_refuses_demo_passwords(tmp_path):
    done = run(tmp_path, SWITCHYARD_ENV="production")
    assert done.returncode > 0
    output = done.stdout + done.stderr
    assert len(output.strip().splitlines()) == 1 and re.search("demo|password", output)


@pytest.mark.parametrize("mode", ["development", "production"])
def test_a_short_password_of_a_users_file_is_refused(tmp_path, mode):
    users = tmp_path / "users.json"
    users.write_text(json.dumps([{**A_USER, "password": "a"}]))
    done = run(tmp_path, SWITCHYARD_ENV=mode, USERS_FILE=users)
    assert done.returncode > 0 and "entry 1" in done.stderr and "fewer than 8 characters" in done.stderr


def test_production_refuses_demo_passwords_of_an_existing_database(start_switchyard):
    """Development first, then the same file in production: nobody gets in with a demo password that way."""
    server = start_switchyard()
    login(server, "alice")
    server.stop()
    server = start_switchyard(SWITCHYARD_ENV="production", USERS_FILE=None)
    with Client(server.auth) as client:
        for username in ("alice", "becky", "charlie"):
            assert_problem(client.post("/token", {"username": username, "password": "password"}), 401)


def test_production_starts_with_real_passwords(tmp_path):
    users = tmp_path / "users.json"
    users.write_text(json.dumps([{"id": 1, "username": "alice", "password": "Tz4-not-a-demo-password",
                                  "enabled": True}]))
    server = Switchyard(tmp_path, SWITCHYARD_ENV="production", USERS_FILE=users).start()
    login(server, "alice", "Tz4-not-a-demo-password")
    assert server.stop() == 0


def test_a_simulator_with_a_webhook_that_cannot_listen_says_so(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = {"HTTP_PORT": str(taken.getsockname()[1]), "PSP_SIMULATOR_LEDGER": str(tmp_path / "ledger.db"),
                    "PSP_SIMULATOR_STRIPE_WEBHOOK_URL": f"http://127.0.0.1:{free_port()}/psp/a/events",
                    "PSP_SIMULATOR_STRIPE_WEBHOOK_SECRET": "whsec_0123456789abcdef"}
        done = run_to_exit("psp-simulator", [], settings, tmp_path)
    assert done.returncode == 1 and "in use" in done.stderr, done.stderr


@pytest.mark.quick
@pytest.mark.parametrize("variable", ["HTTP_PORT", "METRICS_PORT"])
def test_port_in_use_is_a_clear_error(tmp_path, variable):
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        done = run(tmp_path, **{variable: port})
    assert_names_the_port(done, port)


def assert_names_the_port(done, port):
    assert done.returncode > 0
    [line] = done.stderr.splitlines()
    assert str(port) in line and "in use" in line


@pytest.mark.quick
def test_a_second_server_on_the_same_port_is_a_clear_error(switchyard, tmp_path):
    """SO_REUSEPORT would let it share the port in silence, with another database."""
    for variable, port in (("HTTP_PORT", switchyard.port), ("METRICS_PORT", switchyard.metrics_port)):
        assert_names_the_port(run(tmp_path, **{variable: port}), port)


@pytest.mark.quick
def test_a_restart_on_the_same_port_at_once_works(start_switchyard, merchant_of):
    """Connections in TIME_WAIT must not keep the port busy."""
    server = start_switchyard()
    for _ in range(3):
        merchant = merchant_of(server, user_id=1)
        assert merchant.create().status == 200
        assert server.stop() == 0
        server.start()
        merchant.close()


def test_defaults_are_enough(tmp_path):
    """JWT_SECRET and DATABASE_URL are all a development set-up needs beside its ports."""
    server = Switchyard(tmp_path, LEASE_SECONDS=None, LOGIN_FAILURES_PER_USER=None, LOGIN_FAILURES_PER_ADDRESS=None,
                        LOG_FORMAT=None,
                        PSP_SIMULATOR_LEDGER=None)
    server.start()
    assert server.stop() == 0


@pytest.mark.quick
@pytest.mark.parametrize("level", ["debug", "info"])
def test_no_secret_is_logged(start_switchyard, merchant_of, level):
    """The fixture checks every log for the secret and for tokens; this run gives them every reason to appear."""
    server = start_switchyard(LOG_LEVEL=level, JWT_SECRET_PREVIOUS="an older secret, 32 bytes and more, 0123456789")
    token = login(server)
    merchant = merchant_of(server, user_id=1, token=token)
    merchant.create()
    merchant.client.post("/transaction", {"amount": 1, "currency": "USD", "token": token + "x"})
    merchant.get(f"/transaction?token={token}")
    merchant.get(f"/{token}")
    log = server.program.log()
    assert SECRET not in log and "an older secret" not in log and token not in log


def test_binds_to_loopback_by_default(tmp_path):
    server = Switchyard(tmp_path, HTTP_HOST=None).start()
    listening = [line.split() for line in open("/proc/net/tcp").readlines()[1:]]
    addresses = {fields[1].split(":")[0] for fields in listening
                 if fields[3] == "0A" and int(fields[1].split(":")[1], 16) in (server.port, server.metrics_port)}
    assert server.stop() == 0
    assert addresses == {"0100007F"}


@pytest.mark.quick
@pytest.mark.parametrize("made_by_hand", [False, True])
def test_what_the_server_creates_is_for_its_owner_only(tmp_path, made_by_hand):
    """Whatever the shell's umask is, and whoever made the empty file: the store holds the hashes of passwords."""
    server = Switchyard(tmp_path)
    before = os.umask(0)
    try:
        if made_by_hand:
            server.database.touch(0o644)
        server.start()
        login(server)
    finally:
        os.umask(before)
    made = [file for file in tmp_path.iterdir() if file != server.program.log_path]
    assert {file.name for file in made} >= {"switchyard.db", "switchyard.db-wal", "switchyard.db-shm", "ledger.db"}
    assert {oct(file.stat().st_mode & 0o777) for file in made} == {"0o600"}, made
    assert server.stop() == 0
