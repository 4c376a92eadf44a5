"""The command line: what people type, what scripts parse, and what never stands on a command line."""

import json
import os
import re
import sqlite3
import uuid

import pytest

from support import amounts, storage, tokens
from support.http_client import Client
from support.merchants import login
from support.ports import free_port
from support.programs import SECRET, development_settings, run_to_exit


@pytest.fixture
def command(start_switchyard):
    """Runs `switchyard ...` in the environment of a running server."""
    server = start_switchyard()

    def run(*arguments, stdin="", **overrides):
        settings = {**server.settings, **{name: str(value) for name, value in overrides.items()}}
        return run_to_exit("switchyard", [str(argument) for argument in arguments], settings, server.program.folder,
                           stdin)

    run.server = server
    return run


@pytest.fixture
def offline(tmp_path):
    """The same without a server."""
    def run(*arguments, stdin="", **overrides):
        settings = development_settings(tmp_path, **{"HTTP_PORT": free_port(), "METRICS_PORT": free_port(),
                                                     **overrides})
        return run_to_exit("switchyard", [str(argument) for argument in arguments], settings, tmp_path, stdin)
    return run


def succeeded(done):
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def failed(done):
    """One line on stderr, nothing on stdout, and a positive exit code."""
    assert done.returncode > 0, done.stdout
    assert done.stdout == "", done.stdout
    assert done.stderr.strip(), "fails without a word"
    assert "terminate called" not in done.stderr and "what():" not in done.stderr
    return done.stderr


# ---- help

@pytest.mark.quick
def test_unknown_command(offline):
    done = offline("transactions")
    assert done.returncode == 2
    assert failed(done) == "switchyard: there is no command 'transactions'; see: switchyard --help\n"


@pytest.mark.quick
@pytest.mark.parametrize("arguments", [[], ["user"], ["user", "add"], ["token"], ["transaction"], ["transaction",
    "create"], ["serve"], ["doctor"], ["demo"]])
def test_help_has_an_example(offline, arguments):
    text = succeeded(offline(*arguments, "--help"))
    assert re.search(r"^ +.*\bswitchyard [-a-z]", text, re.MULTILINE), text


def test_help_needs_no_configuration(offline):
    assert "serve" in succeeded(offline("--help", JWT_SECRET=None, DATABASE_URL=None))


def test_version(offline):
    assert succeeded(offline("--version")).strip()


@pytest.mark.parametrize("arguments", [["nonsense"], ["user", "nonsense"], ["user", "add"], ["transaction", "create"],
                                       ["--nonsense"],
                                       ["transaction", "show", "--user", "alice"], ["token"],
                                       ["token", "alice", "extra"]])
def test_wrong_usage_is_told_on_stderr(offline, arguments):
    failed(offline(*arguments))


# ---- users

@pytest.mark.quick
def test_user_add_list_disable_enable(command):
    succeeded(command("user", "add", "dora", stdin="correct horse battery\n"))
    token = login(command.server, "dora", "correct horse battery")
    claims = json.loads(tokens.parts(token)[1])
    assert claims["enabled"] is True and claims["user_id"] > 3
    assert "dora" in succeeded(command("user", "list"))

    def listed_as_enabled():
        users = json.loads(succeeded(command("--json", "user", "list")))
        return {user["username"]: user["enabled"] for user in users}["dora"]

    succeeded(command("user", "disable", "dora"))
    assert listed_as_enabled() is False
    succeeded(command("user", "enable", "dora"))
    assert listed_as_enabled() is True


@pytest.mark.quick
def test_user_list_as_json(command):
    users = json.loads(succeeded(command("--json", "user", "list")))
    assert {(user["id"], user["username"], user["enabled"]) for user in users} == {(1, "alice", True),
        (2, "becky", True), (3, "charlie", False)}
    assert not any("password" in name or "hash" in name for user in users for name in user)


def test_json_flag_may_stand_at_the_end(command):
    assert json.loads(succeeded(command("user", "list", "--json")))


def test_user_passwd(command):
    succeeded(command("user", "passwd", "becky", stdin="a new password of becky"))
    login(command.server, "becky", "a new password of becky")
    with Client(command.server.auth) as client:
        assert client.post("/token", {"username": "becky", "password": "password"}).status == 401


@pytest.mark.quick
@pytest.mark.parametrize("arguments", [("enable", "nobody"), ("disable", "nobody"), ("passwd", "nobody")])
def test_unknown_user(command, arguments):
    assert "no user" in failed(command("user", *arguments, stdin="some password\n"))


def test_adding_a_user_twice(command):
    assert "user" in failed(command("user", "add", "alice", stdin="some password\n"))


@pytest.mark.parametrize("name, problem", [("dora ", "blank"), ("dora\u200b", "U+200B"), ("do\u0301ra", "normal form C"),
                                           ("\u202earod", "U+202E"), ("🏦", "U+1F3E6"), ("d" * 257, "256 bytes")])
def test_a_name_that_looks_like_another_is_refused(command, name, problem):
    assert problem in failed(command("user", "add", name, stdin="correct horse battery\n"))


def test_a_user_of_an_older_version_with_such_a_name_can_be_listed_and_disabled(command):
    with sqlite3.connect(command.server.database) as store:
        store.execute("UPDATE users SET username = 'becky\u200b' WHERE username = 'becky'")
    store.close()
    succeeded(command("user", "disable", "becky\u200b"))
    users = json.loads(succeeded(command("--json", "user", "list")))
    assert [user["enabled"] for user in users if user["username"] == "becky\u200b"] == [False]


@pytest.mark.parametrize("password", ["", "\n"])
def test_an_empty_password_is_refused(command, password):
    failed(command("user", "add", "dora", stdin=password))
    assert "dora" not in succeeded(command("user", "list"))


@pytest.mark.parametrize("password", ["a", "seven 7", "é" * 7])
@pytest.mark.parametrize("arguments", [("add", "dora"), ("passwd", "becky")])
def test_a_short_password_is_refused(command, arguments, password):
    assert "fewer than 8 characters" in failed(command("user", *arguments, stdin=password + "\n"))


@pytest.mark.quick
def test_passwords_are_never_taken_from_the_command_line(command):
    """Every user of the machine can read argv."""
    failed(command("user", "add", "dora", "correct horse battery", stdin="another one entirely\n"))
    failed(command("user", "add", "dora", "--password", "correct horse battery", stdin="another one entirely\n"))
    for subcommand in ("add", "passwd"):
        assert "--password" not in succeeded(command("user", subcommand, "--help"))


def test_users_can_be_managed_without_a_server(offline):
    succeeded(offline("user", "add", "dora", stdin="correct horse battery\n"))
    assert "dora" in [user["username"] for user in json.loads(succeeded(offline("--json", "user", "list")))]


# ---- tokens

@pytest.mark.quick
def test_token_is_printed_alone_so_that_a_shell_can_use_it(command):
    token = succeeded(command("token", "alice"))
    assert token == token.strip() + "\n"
    header, payload, _ = tokens.parts(token.strip())
    assert token.strip() == tokens.sign(header, payload, SECRET)
    claims = json.loads(payload)
    assert (claims["user_id"], claims["username"], claims["enabled"]) == (1, "alice", True)
    assert json.loads(succeeded(command("--json", "token", "alice")))["token"].count(".") == 2


def test_token_of_an_unknown_user(command):
    assert "nobody" in failed(command("token", "nobody"))


# ---- transactions

@pytest.mark.quick
def test_transaction_create_show_list_watch(command):
    created = json.loads(succeeded(command("--json", "transaction", "create", "--user", "alice", "--amount", 123,
                                           "--currency", "EUR")))
    assert (created["amount"], created["currency"], created["user_id"]) == (123, "EUR", 1)
    identifier = created["id"]
    assert uuid.UUID(identifier).version == 7

    watched = succeeded(command("transaction", "watch", identifier, "--user", "alice"))
    assert "captured" in watched
    shown = json.loads(succeeded(command("--json", "transaction", "show", identifier, "--user", "alice")))
    assert (shown["id"], shown["status"], len(shown["attempts"])) == (identifier, "captured", 1)
    assert identifier in succeeded(command("transaction", "show", identifier, "--user", "alice"))

    listed = json.loads(succeeded(command("--json", "transaction", "list", "--user", "alice")))
    items = listed["items"] if isinstance(listed, dict) else listed
    assert [item["id"] for item in items] == [identifier]
    assert identifier in succeeded(command("transaction", "list", "--user", "alice"))


def test_transaction_create_with_an_idempotency_key(command):
    arguments = ["--json", "transaction", "create", "--user", "alice", "--amount", 5, "--currency", "USD",
                 "--idempotency-key", "cli-1"]
    assert json.loads(succeeded(command(*arguments)))["id"] == json.loads(succeeded(command(*arguments)))["id"]
    arguments[arguments.index(5)] = 6
    failed(command(*arguments))


@pytest.mark.quick
@pytest.mark.parametrize("option, value", [
    ("--idempotency-key", "a\r\nContent-Length: 2\r\n\r\n{}GET /smuggled HTTP/1.1\r\nHost: x"), ("--idempotency-key", "a\x7f"),
    ("--idempotency-key", ""), ("--idempotency-key", " "), ("--token", "t\r\nX-Other: 1"), ("--token", ""), ("--user", ""),
    ("--url", "http://127.0.0.1/ HTTP/1.1\r\nX-Other: 1"), ("--url", ""),
])
def test_an_option_that_would_make_another_request_sends_nothing(command, option, value):
    """An empty one is a variable of a script that was not set, and a payment without its key can be made twice."""
    user = [] if option in ("--token", "--user") else ["--user", "alice"]
    done = command("transaction", "create", *user, "--amount", 5, "--currency", "USD", option, value)
    assert done.returncode == 2 and option in failed(done) and "smuggled" not in done.stderr
    assert storage.transactions(command.server.database) == []


@pytest.mark.parametrize("option, value, said", [
    ("--status", "captured&currency=EUR", "status"), ("--currency", "US&limit=1", "currency"),
    ("--cursor", "a b", "cursor"), ("--cursor", "a#b", "cursor"),
])
def test_a_filter_reaches_the_server_as_it_is(command, option, value, said):
    message = failed(command("transaction", "list", "--user", "alice", option, value))
    assert said in message and "running" not in message and "once" not in message
    for empty in ("", " "):
        assert command("transaction", "list", "--user", "alice", option, empty).returncode == 2


@pytest.mark.parametrize("amount, status", [(amounts.SUSPECTED_FRAUD, "declined"), (amounts.ANSWER_LOST, "captured")])
def test_watch_ends_with_the_final_state(command, amount, status):
    created = json.loads(succeeded(command("--json", "transaction", "create", "--user", "becky", "--amount", amount,
                                           "--currency", "USD")))
    assert status in command("transaction", "watch", created["id"], "--user", "becky").stdout


@pytest.mark.quick
@pytest.mark.parametrize("arguments", [
    ["transaction", "create", "--user", "alice", "--amount", "-1", "--currency", "USD"],
    ["transaction", "create", "--user", "alice", "--amount", "1.5", "--currency", "USD"],
    ["transaction", "create", "--user", "alice", "--amount", "100", "--currency", "XYZ"],
    ["transaction", "create", "--user", "charlie", "--amount", "100", "--currency", "USD"],
    ["transaction", "create", "--user", "nobody", "--amount", "100", "--currency", "USD"],
    ["transaction", "show", "0190a000-0000-7000-8000-000000000000", "--user", "alice"],
    ["transaction", "show", "nonsense", "--user", "alice"],
    ["transaction", "watch", "0190a000-0000-7000-8000-000000000000", "--user", "alice"],
])
def test_refusals_have_an_exit_code_and_a_message(command, arguments):
    failed(command(*arguments))


def test_a_server_that_does_not_answer_is_named(command):
    port = free_port()
    assert str(port) in failed(command("transaction", "list", "--user", "alice", HTTP_PORT=port))


def test_url_option_reaches_another_server(command, offline):
    """core-api as a program of its own has no prefix; --url says where it is."""
    url = command.server.core.url("")
    done = command("--json", "transaction", "list", "--user", "alice", "--url", url, HTTP_PORT=free_port())
    assert json.loads(succeeded(done)) is not None


# ---- configuration of the command line

def test_env_file_is_read(offline, tmp_path):
    env_file = tmp_path / "other.env"
    env_file.write_text(f'# a comment\n\nJWT_SECRET={SECRET}\nDATABASE_URL="sqlite:{tmp_path}/other.db"\n')
    done = offline("--env-file", env_file, "user", "add", "dora", stdin="correct horse battery\n", JWT_SECRET=None,
                   DATABASE_URL=None)
    succeeded(done)
    assert (tmp_path / "other.db").exists()


def test_missing_env_file_is_named(offline, tmp_path):
    assert "nothing.env" in failed(offline("--env-file", tmp_path / "nothing.env", "user", "list"))


@pytest.mark.parametrize("path, said", [("/", "cannot be read: Is a directory"), ("/proc/self/mem", "cannot be read"),
                                        ("/dev/zero", "is larger than 1 MiB")])
def test_an_env_file_that_cannot_be_read_is_not_taken_as_empty(offline, tmp_path, path, said):
    done = offline("--env-file", path, "user", "list")
    assert done.returncode == 2 and f"{path} {said}" in failed(done)
    assert not list(tmp_path.glob("*.db"))


def test_of_a_name_given_twice_in_an_env_file_the_last_one_counts_as_for_systemd(offline, tmp_path):
    env_file = tmp_path / "other.env"
    env_file.write_text(f"DATABASE_URL=sqlite:{tmp_path}/first.db\nDATABASE_URL=sqlite:{tmp_path}/last.db\n")
    succeeded(offline("--env-file", env_file, "store", "migrate", DATABASE_URL=None))
    assert (tmp_path / "last.db").exists() and not (tmp_path / "first.db").exists()


@pytest.mark.parametrize("line, said", [("export JWT_SECRET={}", "export"), ("JWT_SECRET='{}' # ours", "closing quote"),
                                        ('JWT_SECRET="{}', "not closed")])
def test_a_line_of_an_env_file_that_systemd_reads_in_another_way_is_refused(offline, tmp_path, line, said):
    env_file = tmp_path / "other.env"
    env_file.write_text(f"LOG_FORMAT=text\n{line.format(SECRET)}\n")
    done = offline("--env-file", env_file, "user", "list", JWT_SECRET=None)
    assert done.returncode == 2 and "line 2" in failed(done) and said in done.stderr and SECRET not in done.stderr


def test_a_secret_that_is_missing_because_its_name_is_misspelt(offline, tmp_path):
    env_file = tmp_path / "other.env"
    env_file.write_text(f"JWT_SECERT={SECRET}\n")
    done = offline("--env-file", env_file, "serve", JWT_SECRET=None)
    message = failed(done)
    assert done.returncode == 2 and "JWT_SECRET is not set" in message and "JWT_SECERT" in message and SECRET not in message


@pytest.mark.parametrize("url", ["sqlite::memory:", "sqlite:file:x?mode=memory", "postgresql://u:x%00@127.0.0.1/db",
                                 "sqlite:" + 300 * "x"])
def test_a_database_url_that_names_no_store_is_said_to_be_what_is_wrong(offline, tmp_path, url):
    for arguments in (["user", "list"], ["doctor"]):
        done = offline(*arguments, DATABASE_URL=url)
        assert done.returncode > 0 and "DATABASE_URL" in done.stdout + done.stderr
        assert "no such table" not in done.stderr and "filesystem error" not in done.stderr
    assert not [file for file in tmp_path.iterdir() if ":" in file.name], "a store that nobody meant"


def test_configuration_errors_have_exit_code_2(offline):
    done = offline("user", "list", DATABASE_URL="nonsense")
    assert done.returncode == 2 and "DATABASE_URL" in done.stderr


# ---- doctor

@pytest.mark.quick
def test_doctor_of_a_healthy_set_up(offline):
    text = succeeded(offline("doctor")).lower()
    for subject in ("configuration", "store", "port", "clock", "disk"):
        assert subject in text, f"doctor does not mention {subject}"


def test_doctor_beside_a_running_server(command):
    """The port is in use by the very server the doctor examines; that is health, not illness."""
    succeeded(command("doctor"))


def test_doctor_as_json(offline):
    report = json.loads(succeeded(offline("doctor", "--json")))
    text = json.dumps(report).lower()
    assert all(subject in text for subject in ("configuration", "store", "port", "clock", "disk"))


@pytest.mark.quick
@pytest.mark.parametrize("overrides, named", [({"JWT_SECRET": "short"}, "JWT_SECRET"),
                                              ({"DATABASE_URL": "sqlite:/dev/null/x.db"}, "/dev/null"),
                                              ({"HTTP_PORT": "abc"}, "HTTP_PORT")])
def test_doctor_finds_what_is_wrong(offline, overrides, named):
    done = offline("doctor", **overrides)
    assert done.returncode > 0 and named in done.stdout + done.stderr


def test_doctor_asks_the_psp_at_psp_url(offline, start_psp_simulator):
    assert "psp-simulator answers" in succeeded(offline("doctor", PSP_URL=start_psp_simulator().url))


def test_doctor_finds_no_psp_and_prints_no_password(offline):
    done = offline("doctor", PSP_URL=f"http://user:hunter2secret@127.0.0.1:{free_port()}/")
    assert done.returncode > 0 and "PSP_URL" in done.stdout and "hunter2secret" not in done.stdout + done.stderr


def test_doctor_prints_no_secret(offline):
    done = offline("doctor")
    assert SECRET not in done.stdout + done.stderr


# ---- store

def test_store_migrate_makes_the_store_ready(offline, tmp_path):
    store = tmp_path / "new.db"
    for _ in range(2):  # the second time there is nothing to do
        assert succeeded(offline("store", "migrate", DATABASE_URL=f"sqlite:{store}")) == \
            "The store has the schema of this version.\n"
    assert json.loads(succeeded(offline("--json", "store", "migrate", DATABASE_URL=f"sqlite:{store}"))) == \
        {"migrated": True}
    assert "0 users" in offline("doctor", DATABASE_URL=f"sqlite:{store}").stdout


def test_store_migrate_refuses_what_is_no_store(offline, tmp_path):
    (tmp_path / "letter.db").write_text("Dear Sir or Madam, " * 100)
    message = failed(offline("store", "migrate", DATABASE_URL=f"sqlite:{tmp_path}/letter.db"))
    assert "letter.db" in message and "DATABASE_URL" in message


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_store_that_root_makes_belongs_to_the_owner_of_its_folder(tmp_path):
    """`user add` before the service's first start: the service, which is not root, must be able to write it."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, 12346)
    settings = development_settings(folder)
    done = run_to_exit("switchyard", ["user", "add", "dora"], settings, tmp_path, stdin_text="a long password\n")
    assert done.returncode == 0, done.stderr
    [file] = folder.glob("switchyard.db*")
    assert (file.stat().st_uid, file.stat().st_gid, file.stat().st_mode & 0o777) == (12345, 12346, 0o600)
    assert "ok" in run_to_exit("switchyard", ["doctor"], settings, tmp_path).stdout
