"""The command line: what people type, what scripts parse, and what never stands on a command line."""

import csv
import io
import json
import os
import re
import resource
import signal
import sqlite3
import subprocess
import uuid
from contextlib import closing

import pytest

from support import amounts, storage, tokens
from support.http_client import Client
from support.merchants import login
from support.ports import free_port
from support.processes import inherited_environment
from support.programs import SECRET, binary, development_settings, run_to_exit


@pytest.fixture
def command(start_switchyard):
    """Runs `switchyard ...` in the environment of a running server."""
    return command_beside(start_switchyard())


def command_beside(server):
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
@pytest.mark.parametrize("arguments", [[], ["user"], ["user", "add"], ["token"], ["transaction"], ["serve"], ["doctor"], ["demo"],
    *[["transaction", name] for name in ("create", "capture", "void", "refund", "resolve", "why", "export")],
    *[["store", name] for name in ("copy", "backup", "restore")]])
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
    assert (shown["id"], shown["status"], len(shown["operations"])) == (identifier, "captured", 1)
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


# ---- operations

def created(command, *options, user="alice"):
    """The JSON of a new transaction, with what became of it."""
    return json.loads(succeeded(command("--json", "transaction", "create", "--user", user, "--currency", "EUR", "--wait", 20,
                                        *options)))


def operate(command, kind, identifier, *options):
    return json.loads(succeeded(command("--json", "transaction", kind, identifier, "--user", "alice", "--wait", 20, *options)))


@pytest.mark.quick
def test_hold_capture_and_refund(command):
    held = created(command, "--amount", 100, "--capture", "manual", "--reference", "order-4711", "--description", "shoes")
    assert (held["status"], held["authorized_amount"], held["captured_amount"]) == ("authorized", 100, 0)
    assert (held["reference"], held["description"]) == ("order-4711", "shoes")
    captured = operate(command, "capture", held["id"], "--amount", 60)
    assert (captured["status"], captured["captured_amount"]) == ("captured", 60)
    refunded = operate(command, "refund", held["id"], "--amount", 20, "--reference", "return-17", "--reason", "too small")
    assert (refunded["status"], refunded["refunded_amount"]) == ("partially_refunded", 20)
    assert operate(command, "refund", held["id"])["status"] == "refunded", "without an amount it is all that is left"

    shown = json.loads(succeeded(command("--json", "transaction", "show", held["id"], "--user", "alice")))
    assert [(one["kind"], one["amount"], one["status"]) for one in shown["operations"]] == [
        ("authorize", 100, "succeeded"), ("capture", 60, "succeeded"), ("refund", 20, "succeeded"), ("refund", 40, "succeeded")]
    assert (shown["operations"][2]["reference"], shown["operations"][2]["note"]) == ("return-17", "too small")
    text = succeeded(command("transaction", "show", held["id"], "--user", "alice"))
    assert "order-4711" in text and re.search(r"operation 2: capture 0.60 EUR at \S+: succeeded", text), text
    found = succeeded(command("transaction", "list", "--user", "alice", "--reference", "order-4711"))
    assert held["id"] in found
    assert succeeded(command("transaction", "list", "--user", "alice", "--reference", "order-4712")) == ""


def test_void_gives_back_what_is_held(command):
    held = created(command, "--amount", 100, "--capture", "manual")
    assert operate(command, "void", held["id"])["status"] == "voided"
    assert "not possible" in failed(command("transaction", "capture", held["id"], "--user", "alice"))


def test_a_capture_may_keep_the_rest_of_the_hold(command):
    held = created(command, "--amount", 100, "--capture", "manual")
    for expected in (30, 60):
        assert operate(command, "capture", held["id"], "--amount", 30, "--keep-hold")["captured_amount"] == expected
    assert operate(command, "capture", held["id"])["captured_amount"] == 100


@pytest.mark.parametrize("option", ["--key", "--idempotency-key"])
def test_an_operation_with_a_key_is_done_once(command, option):
    taken = created(command, "--amount", 100)
    for _ in range(2):
        operate(command, "refund", taken["id"], "--amount", 30, option, "return-17")
    shown = json.loads(succeeded(command("--json", "transaction", "show", taken["id"], "--user", "alice")))
    assert shown["refunded_amount"] == 30
    failed(command("transaction", "refund", taken["id"], "--user", "alice", "--amount", 31, option, "return-17"))


@pytest.mark.quick
def test_operations_that_are_refused(command):
    taken = created(command, "--amount", 100)
    arguments = ["transaction", "refund", taken["id"], "--user"]
    message = failed(command(*arguments, "alice", "--amount", 101))
    assert message.startswith("switchyard: 422 ") and re.search(r": 1\.00 [A-Z]{3} is left to refund", message)
    message = failed(command("transaction", "capture", taken["id"], "--user", "alice"))
    assert message.startswith("switchyard: 409 ") and "refund" in message, "it says what is possible"
    message = failed(command("transaction", "void", taken["id"], "--user", "alice"))
    assert message.startswith("switchyard: 409 ")
    assert failed(command(*arguments, "becky", "--amount", 1)).startswith("switchyard: 404 "), "another merchant's"
    for amount in ("0", "-1", "1.5", "all"):
        assert failed(command(*arguments, "alice", "--amount", amount)).startswith("switchyard: 422 ")
    assert command(*arguments, "alice").returncode == 0


@pytest.mark.parametrize("kind", ["capture", "void", "refund"])
def test_an_operation_on_no_transaction(command, kind):
    nowhere = "0190a000-0000-7000-8000-000000000000"
    assert failed(command("transaction", kind, nowhere, "--user", "alice")).startswith("switchyard: 404 ")
    assert command("transaction", kind, nowhere).returncode == 2, "whose?"
    assert command("transaction", kind, "--user", "alice").returncode == 2


@pytest.mark.parametrize("identifier", ["nonsense", "../token", "{0190a000-0000-7000-8000-000000000000}", ""])
@pytest.mark.parametrize("verb, options", [
    *[(verb, ["--user", "alice"]) for verb in ("show", "watch", "capture", "void", "refund")], ("why", []),
    ("resolve", ["--operation", "1", "--succeeded", "--note", "x"])])
def test_what_is_no_transaction_id_is_a_wrong_command_line(offline, verb, options, identifier):
    done = offline("transaction", verb, identifier, *options)
    assert done.returncode == 2 and "not a transaction id" in failed(done)


@pytest.mark.parametrize("arguments, range_", [
    (["transaction", "list", "--user", "alice", "--limit"], "1 to 100"), (["demo", "--timeout"], "1 to 86400"),
    (["transaction", "watch", "0190a000-0000-7000-8000-000000000000", "--user", "alice", "--timeout"], "1 to 86400"),
    (["transaction", "void", "0190a000-0000-7000-8000-000000000000", "--user", "alice", "--wait"], "1 to 30")])
def test_a_number_that_is_none_is_told_what_would_be_right(offline, arguments, range_):
    for number in ("0", "-1", "1e1", "1.5", "soon", "", "99999999999999999999"):
        done = offline(*arguments, number)
        assert done.returncode == 2 and f"must be a whole number from {range_}" in failed(done)


@pytest.mark.quick
@pytest.mark.parametrize("verb, amount, status", [("capture", amounts.INSUFFICIENT_FUNDS, "declined"),
                                                  ("refund", amounts.SUSPECTED_FRAUD, "declined"),
                                                  ("refund", amounts.NETWORK_ERROR_BEFORE_SENDING, "failed")])
def test_an_operation_that_was_not_done_is_a_failure_of_the_command(command, verb, amount, status):
    """What the transaction is does not say it: it is what it was before."""
    identifier = created(command, "--amount", 1_000_000, *(["--capture", "manual"] if verb == "capture" else []))["id"]
    arguments = ["transaction", verb, identifier, "--user", "alice", "--wait", 20, "--amount", amount]
    for number, json_flag in ((2, []), (3, ["--json"])):
        done = command(*json_flag, *arguments, "--key", f"try-{number}")
        assert done.returncode == 1 and done.stdout.count("\n") == 1 and identifier in done.stdout
        assert re.search(rf"^switchyard: operation {number}: {verb} \S+ EUR at \S+: {status}  \(.+\)$", done.stderr, re.M), done.stderr
        if json_flag:
            assert json.loads(done.stdout)["operation"] == f"{identifier}-{number}"
        assert command(*arguments, "--key", f"try-{number}").returncode == 1, "a replay says the same"


@pytest.mark.quick
def test_money_that_moved_is_told_also_where_it_cannot_be_printed(command):
    identifier = created(command, "--amount", 100)["id"]

    def into(output, *arguments):
        line = " ".join([str(binary("switchyard")), "transaction", *map(str, arguments), output])
        return subprocess.run(["bash", "-c", line], cwd=command.server.program.folder, capture_output=True, text=True,
                              env={**inherited_environment(), **command.server.settings}, timeout=60)

    for number, output in enumerate((">/dev/full", "| true", ">/dev/full"), 2):
        wait = ["--wait", 10] if number == 4 else []
        said = into(output, "refund", identifier, "--user", "alice", "--amount", 1, "--key", f"return-{number}", *wait).stderr
        assert "standard output cannot be written" in said and f"operation {identifier}-{number}" in said, said
        assert f"Idempotency-Key return-{number}" in said and "do not send it again" in said
    [line] = into(">/dev/full", "create", "--user", "alice", "--amount", 7, "--currency", "EUR").stderr.splitlines()
    [row] = [row for row in storage.transactions(command.server.database) if row.id != identifier]
    assert f"the payment was accepted: transaction {row.id};" in line
    succeeded(command("transaction", "watch", row.id, "--user", "alice"))
    put_into_review(command.server.database, row.id)
    said = into(">/dev/full", "resolve", row.id, "--operation", 1, "--did-not-happen", "--note", "x").stderr
    assert f"operation 1 of transaction {row.id} was ended" in said


@pytest.mark.parametrize("kind, option, value", [
    ("refund", "--amount", ""), ("refund", "--reason", " "), ("refund", "--reference", ""), ("refund", "--idempotency-key", ""),
    ("refund", "--idempotency-key", "a\r\nX: 1"), ("refund", "--wait", "0"), ("refund", "--wait", "31"), ("refund", "--wait", "soon"),
    ("capture", "--amount", ""), ("capture", "--wait", "-1"), ("void", "--idempotency-key", "\x7f"), ("void", "--amount", "1"),
])
def test_an_option_that_is_none_moves_no_money(command, kind, option, value):
    taken = created(command, "--amount", 100)
    done = command("transaction", kind, taken["id"], "--user", "alice", option, value)
    assert done.returncode == 2 and option in failed(done)
    shown = json.loads(succeeded(command("--json", "transaction", "show", taken["id"], "--user", "alice")))
    assert len(shown["operations"]) == 1


# ---- manual_review, and why

REASON = "the PSP answered 500"


def execute(database, statement, *parameters):
    with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        assert connection.execute(statement, parameters).rowcount == 1


def put_into_review(database, identifier):
    """As if the PSP had never said what became of its authorization."""
    key = uuid.UUID(identifier).bytes
    execute(database, "UPDATE operations SET phase = 'manual_review', reason = ?, reason_kind = 'unknown', psp_reference = '', "
                      "look_ups = 4, ended_at_ms = NULL WHERE transaction_id = ?", REASON, key)
    execute(database, "UPDATE transactions SET status = 'manual_review', reason = ?, authorized_minor = 0, captured_minor = 0 "
                      "WHERE id = ?", REASON, key)


@pytest.fixture
def in_review(command):
    """The id of a transaction of alice that a person must decide about."""
    identifier = created(command, "--amount", 2500)["id"]
    put_into_review(command.server.database, identifier)
    return identifier


@pytest.mark.quick
def test_resolve_with_what_the_psp_did(command, in_review):
    text = succeeded(command("transaction", "resolve", in_review, "--operation", 1, "--succeeded", "--psp-reference", "ch_17",
                             "--note", "seen in its book, Dora"))
    assert re.search(rf"^{in_review}  captured  ", text) and "operation 1: authorize 25.00 EUR" in text
    shown = json.loads(succeeded(command("--json", "transaction", "show", in_review, "--user", "alice")))
    [operation] = shown["operations"]
    assert (shown["status"], shown["captured_amount"]) == ("captured", 2500)
    assert (operation["status"], operation["psp_reference"]) == ("succeeded", "ch_17")
    assert operation["ended_at"] and "Dora" not in json.dumps(shown), "the merchant is not told who looked, and where"
    assert "a person ended it: seen in its book, Dora" in succeeded(command("transaction", "why", in_review))


def test_resolve_with_what_did_not_happen_and_without_a_server(command, in_review):
    assert command.server.stop() == 0
    resolved = json.loads(succeeded(command("--json", "transaction", "resolve", in_review, "--operation", 1,
                                            "--did-not-happen", "--note", "they have no such charge")))
    assert (resolved["status"], resolved["captured_amount"]) == ("failed", 0)
    assert resolved["operations"][0]["status"] == "failed"
    assert "they have no such charge" in succeeded(command("transaction", "why", in_review))


@pytest.mark.quick
def test_resolve_is_done_once(command, in_review):
    arguments = ["transaction", "resolve", in_review, "--operation", 1, "--note", "asked them"]
    succeeded(command(*arguments, "--succeeded", "--psp-reference", "ch_17"))
    for answer in ("--succeeded", "--did-not-happen"):
        message = failed(command(*arguments, answer))
        assert "operation 1 is succeeded" in message and "manual_review" in message and "can be corrected" in message
    assert json.loads(succeeded(command("--json", "transaction", "show", in_review, "--user", "alice")))["captured_amount"] == 2500


def test_resolve_leaves_the_merchants_reason_and_may_correct_the_name_of_what_succeeded(command):
    identifier = created(command, "--amount", 100)["id"]
    operate(command, "refund", identifier, "--amount", 10, "--reason", "too small")
    arguments = ["transaction", "resolve", identifier, "--note", "asked them", "--succeeded"]
    succeeded(command(*arguments, "--operation", 2, "--psp-reference", "re_17"))
    shown = json.loads(succeeded(command("--json", "transaction", "show", identifier, "--user", "alice")))
    assert (shown["refunded_amount"], shown["operations"][1]["psp_reference"]) == (10, "re_17")
    assert shown["operations"][1]["note"] == "too small"
    story = succeeded(command("transaction", "why", identifier))
    assert "the merchant's reason: too small" in story and "a person ended it: asked them" in story


def test_a_payment_that_came_about_needs_its_name_at_the_psp(command, in_review):
    """Nothing more could be asked of it."""
    arguments = ["transaction", "resolve", in_review, "--operation", 1, "--note", "asked them"]
    assert "--psp-reference is needed" in failed(command(*arguments, "--succeeded"))
    assert json.loads(succeeded(command("--json", *arguments, "--did-not-happen")))["status"] == "failed"


def test_resolve_of_what_is_not_there(command, in_review):
    rest = ["--succeeded", "--note", "asked them"]
    nowhere = "0190a000-0000-7000-8000-000000000000"
    assert f"no transaction {nowhere}" in failed(command("transaction", "resolve", nowhere, "--operation", 1, *rest))
    message = failed(command("transaction", "resolve", in_review, "--operation", 2, *rest))
    assert "no operation 2" in message and "it has 1" in message


def test_resolve_that_the_totals_leave_no_room_for(command):
    """What was given back twice was taken once: a person must look at the PSP again."""
    identifier = created(command, "--amount", 100)["id"]
    operate(command, "refund", identifier)
    key, database = uuid.UUID(identifier).bytes, command.server.database
    columns = [row[1] for row in storage.query(database, "PRAGMA table_info(operations)")]
    values = {"number": "3", "phase": "'manual_review'", "ended_at_ms": "NULL", "idempotency_key": "'another'"}
    execute(database, f"INSERT INTO operations ({', '.join(columns)}) SELECT "
                      f"{', '.join(values.get(column, column) for column in columns)} FROM operations "
                      "WHERE transaction_id = ? AND number = 2", key)
    execute(database, "UPDATE transactions SET status = 'manual_review', operation_count = 3 WHERE id = ?", key)
    arguments = ["transaction", "resolve", identifier, "--operation", 3, "--note", "asked them"]
    message = failed(command(*arguments, "--succeeded"))
    assert "no room" in message and "refund of 1.00 EUR" in message and "1.00 EUR refunded" in message
    assert json.loads(succeeded(command("--json", *arguments, "--did-not-happen")))["status"] == "refunded"


@pytest.mark.parametrize("options, said", [
    (["--note", "x"], "--succeeded"), (["--note", "x", "--succeeded", "--did-not-happen"], "only one"),
    (["--succeeded"], "--note"), (["--succeeded", "--note", ""], "blank"), (["--succeeded", "--note", " \t"], "--note"),
    (["--succeeded", "--note", "x" * 256], "255"), (["--succeeded", "--note", "two\nlines"], "control"),
    (["--succeeded", "--note", "card 4111 1111 1111 1111"], "card number"),
    (["--succeeded", "--note", "x", "--psp-reference", ""], "--psp-reference"),
    (["--succeeded", "--note", "x", "--psp-reference", "ch 17"], "visible ASCII"),
    (["--succeeded", "--note", "x", "--psp-reference", "chä"], "visible ASCII"),
    *[(["--succeeded", "--note", "x", "--operation", number], "--operation: must be a whole number from 1")
      for number in ("0", "-1", "one", "1.5", "0x1", "99999999999999999999")],
])
def test_resolve_with_options_that_say_nothing_changes_nothing(command, in_review, options, said):
    number = [] if "--operation" in options else ["--operation", 1]
    done = command("transaction", "resolve", in_review, *number, *options)
    assert done.returncode == 2 and said in failed(done) and "4111" not in done.stderr
    assert storage.transactions(command.server.database)[0].status == "manual_review"


@pytest.mark.quick
def test_why_tells_the_story_of_a_payment(command):
    identifier = created(command, "--amount", 2500, "--reference", "order-4711")["id"]
    operate(command, "refund", identifier, "--amount", 500, "--reference", "return-17")
    story = succeeded(command("transaction", "why", identifier))
    for part in (f"Transaction {identifier}: 25.00 EUR, partially_refunded", "accepted from alice (user_id 1)", "order-4711",
                 "Operation 1: authorize of 25.00 EUR, succeeded", "first sent to simulator", "sent once in all",
                 "its key at the PSP: ", "rule: it is over: 25.00 EUR was taken",
                 "Operation 2: refund of 5.00 EUR, succeeded", "return-17", "captured 25.00 EUR, refunded 5.00 EUR",
                 "next: nothing, unless the merchant asks for an operation"):
        assert part in story, story
    assert re.search(r"^  20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z  accepted", story, re.MULTILINE), story


def test_why_of_a_decline(command):
    identifier = created(command, "--amount", amounts.INSUFFICIENT_FUNDS)["id"]
    story = succeeded(command("transaction", "why", identifier))
    assert "code 51" in story and "soft decline" in story and "a decline is a result" in story


@pytest.mark.quick
def test_why_of_a_review_has_the_command_that_ends_it(command, in_review):
    story = succeeded(command("transaction", "why", in_review))
    assert REASON in story and "looked up at the PSP: 4 times" in story and "until a person decides" in story
    [arguments] = re.findall(r"switchyard (transaction resolve .*)$", story, re.MULTILINE)
    assert arguments == f"transaction resolve {in_review} --operation 1 (--succeeded | --did-not-happen) --note TEXT"


def test_why_of_what_no_connector_takes(offline, three_services, merchant_of):
    assert three_services.psp_connector.stop() == 0
    identifier = merchant_of(three_services, user_id=2).created(100)["id"]
    story = succeeded(offline("transaction", "why", identifier, DATABASE_URL=f"sqlite:{three_services.database}"))
    assert "accepted from becky (user_id 2)" in story and "nothing was sent to a PSP yet" in story
    assert "see: switchyard doctor" in story


def test_why_as_json_and_without_a_server(command):
    identifier = created(command, "--amount", 2500)["id"]
    assert command.server.stop() == 0
    told = json.loads(succeeded(command("--json", "transaction", "why", identifier)))
    assert (told["id"], told["status"]) == (identifier, "captured")
    assert told["story"] == succeeded(command("transaction", "why", identifier)).splitlines()


def test_why_of_what_is_not_there(command):
    nowhere = "0190a000-0000-7000-8000-000000000000"
    assert f"no transaction {nowhere}" in failed(command("transaction", "why", nowhere))
    assert command("transaction", "why").returncode == 2


def test_why_of_a_row_that_cannot_be_read_says_what_is_wrong_with_it(command):
    identifier = created(command, "--amount", 2500)["id"]
    execute(command.server.database, "UPDATE transactions SET currency = 'ZZZ' WHERE id = ?", uuid.UUID(identifier).bytes)
    assert "ZZZ" in failed(command("transaction", "why", identifier))
    message = failed(command("transaction", "resolve", identifier, "--operation", 1, "--succeeded", "--note", "x"))
    assert "ZZZ" in message


# ---- export

EVER = ["--from", "2000-01-01", "--to", "2100-01-01"]


def exported(command, *options):
    """The rows as dictionaries."""
    text = succeeded(command("transaction", "export", "--format", "csv", *options))
    return list(csv.DictReader(io.StringIO(text, newline="")))


def exported_lines(command, *options):
    return [json.loads(line) for line in succeeded(command("transaction", "export", "--format", "jsonl", *options)).splitlines()]


@pytest.mark.quick
def test_export_has_each_transaction_once_user_by_user_and_the_newest_first(command):
    ids = {user: [created(command, "--amount", amount, user=user)["id"] for amount in (1, 2)] for user in ("becky", "alice")}
    expected = [*reversed(ids["alice"]), *reversed(ids["becky"])]
    rows = exported(command, *EVER)
    assert [row["id"] for row in rows] == expected
    assert [line["id"] for line in exported_lines(command, *EVER)] == expected
    first = exported_lines(command, *EVER, "--user", "becky")
    assert [line["id"] for line in first] == expected[2:]
    for name in ("amount", "currency", "user_id", "status", "authorized_amount", "captured_amount", "refunded_amount",
                 "created_at", "updated_at"):
        assert rows[2][name] == str(first[0][name])
    assert exported(command, *EVER, "--user-id", 2) == rows[2:]
    assert exported(command, *EVER, "--user-id", 77) == []


def test_export_has_also_the_merchants_that_are_no_users_here(command, merchant_of):
    """A token is of whoever has the secret: all that there is must be in the books."""
    ids = [merchant_of(command.server, user_id=user_id).created(5)["id"] for user_id in (2**63 - 1, 77)]
    ids.append(created(command, "--amount", 1)["id"])
    assert [row["id"] for row in exported(command, *EVER)] == ids[::-1]


def test_export_of_times_that_nothing_is_stored_of(command):
    identifier = created(command, "--amount", 1)["id"]
    for start, end in (("0000-01-01", "0000-01-02"), ("1960-01-01", "1970-01-01"), ("9999-12-31T23:59:59Z", "9999-12-31T23:59:60Z")):
        assert exported(command, "--from", start, "--to", end) == []
    assert [row["id"] for row in exported(command, "--from", "0000-01-01", "--to", "9999-12-31")] == [identifier]
    done = command("transaction", "export", "--format", "csv", "--from", "1960-01-02", "--to", "1960-01-01")
    assert done.returncode == 2 and "before --to" in failed(done)


def test_export_is_csv_of_rfc_4180_without_formulas(command):
    texts = ["=1+1", "+1", "-1", "@x", "'quoted", 'say "hi", and go', "plain"]
    for text in texts:
        created(command, "--amount", 1, f"--reference={text}")
    text = succeeded(command("transaction", "export", "--format", "csv", *EVER))
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["reference"] for row in rows] == [*reversed(["'" + text for text in texts[:5]] + texts[5:])]
    done = run_bytes(command, "transaction", "export", "--format", "csv", *EVER)
    assert done.count(b"\r\n") == len(texts) + 1 and done.endswith(b"\r\n")
    assert [line["reference"] for line in exported_lines(command, *EVER)] == [*reversed(texts)], "JSON has them as they are"


def run_bytes(command, *arguments):
    """Standard output with its line breaks as they are."""
    return subprocess.run([binary("switchyard"), *arguments], env={**inherited_environment(), **command.server.settings},
                          cwd=command.server.program.folder, capture_output=True, check=True, timeout=60).stdout


def test_export_takes_what_was_created_from_the_first_moment_and_before_the_last(command):
    times = [created(command, "--amount", amount)["created_at"] for amount in (1, 2, 3)]
    assert times == sorted(set(times))
    assert [row["created_at"] for row in exported(command, "--from", times[0], "--to", times[2])] == [times[1], times[0]]
    assert exported(command, "--from", "2000-01-01", "--to", times[0]) == []
    assert succeeded(command("transaction", "export", "--format", "jsonl", "--from", "2000-01-01", "--to", "2000-01-02")) == ""


def test_export_of_more_than_a_page_and_without_a_server(command):
    identifier = created(command, "--amount", 1)["id"]
    assert command.server.stop() == 0
    count = 2_500
    with closing(sqlite3.connect(command.server.database)) as connection, connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(transactions)")]
        selected = ", ".join("?" if column == "id" else column for column in columns)
        connection.executemany(f"INSERT INTO transactions SELECT {selected} FROM transactions WHERE id = ?",
                               [(uuid.uuid4().bytes, uuid.UUID(identifier).bytes) for _ in range(count)])
    rows = exported(command, *EVER)
    assert len({row["id"] for row in rows}) == len(rows) == count + 1


def test_export_says_that_it_is_not_complete(command):
    broken, good = [created(command, "--amount", 1)["id"] for _ in range(2)]
    execute(command.server.database, "UPDATE transactions SET currency = 'ZZZ' WHERE id = ?", uuid.UUID(broken).bytes)
    done = command("transaction", "export", "--format", "jsonl", *EVER)
    assert done.returncode == 1 and "not complete" in done.stderr and broken in done.stderr
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [good]


@pytest.mark.parametrize("options, said", [
    (["--from", "yesterday", "--to", "2026-01-01", "--format", "csv"], "--from"),
    (["--from", "2026-02-30", "--to", "2026-03-01", "--format", "csv"], "--from"),
    (["--from", "2026-01-01", "--to", "2026-01-02T00:00:00", "--format", "csv"], "--to"),
    (["--from", "2026-01-02", "--to", "2026-01-02", "--format", "csv"], "before --to"),
    (["--from", "2026-01-02", "--to", "2026-01-01", "--format", "csv"], "before --to"),
    (["--from", "2026-01-01", "--format", "csv"], "--to"), (["--to", "2026-01-01", "--format", "csv"], "--from"),
    ([*EVER], "--format"), ([*EVER, "--format", "xml"], "--format"), ([*EVER, "--format", "csv", "--user", ""], "--user"),
    ([*EVER, "--format", "csv", "--user", "alice", "--user-id", "1"], "--user"),
])
def test_export_of_what_is_no_time_prints_nothing(offline, tmp_path, options, said):
    done = offline("transaction", "export", *options)
    assert done.returncode == 2 and said in failed(done)
    assert not list(tmp_path.glob("*.db"))


def test_export_of_an_unknown_user(command):
    done = command("transaction", "export", "--format", "jsonl", *EVER, "--user", "nobody")
    assert "no user 'nobody'" in failed(done)


@pytest.mark.parametrize("output", ["csv", "jsonl"])
def test_export_to_a_full_disk_is_a_failure(command, output):
    created(command, "--amount", 1)
    with open("/dev/full", "w") as full:
        done = subprocess.run([binary("switchyard"), "transaction", "export", *EVER, "--format", output], text=True,
                              env={**inherited_environment(), **command.server.settings}, stdout=full,
                              cwd=command.server.program.folder, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 1 and "standard output" in done.stderr and "space" in done.stderr


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


ONLY_READ = [["user", "list"], ["token", "alice"], ["transaction", "list", "--user", "alice"],
             ["transaction", "why", "01a203e7-cd8f-7925-813d-9190694d7e2c"],
             ["transaction", "export", "--from", "2026-01-01", "--to", "2027-01-01", "--format", "csv"]]
CHANGE_WHAT_IS_THERE = [["user", "enable", "alice"], ["user", "passwd", "alice"],
                        ["transaction", "resolve", "01a203e7-cd8f-7925-813d-9190694d7e2c", "--operation", "1",
                         "--succeeded", "--note", "x"]]


@pytest.mark.parametrize("arguments", [*ONLY_READ, *CHANGE_WHAT_IS_THERE], ids=" ".join)
def test_a_store_that_is_not_there_is_named_and_not_made(offline, tmp_path, arguments):
    done = offline(*arguments, DATABASE_URL=f"sqlite:{tmp_path}/mistyped/store.db")
    message = failed(done)
    assert done.returncode == 1 and f"{tmp_path}/mistyped/store.db" in message and "DATABASE_URL" in message
    assert not (tmp_path / "mistyped").exists()


@pytest.mark.parametrize("arguments", [*ONLY_READ, *CHANGE_WHAT_IS_THERE, ["user", "add", "dora"]], ids=" ".join)
def test_a_store_of_an_older_schema_is_left_to_those_who_migrate(offline, tmp_path, arguments):
    """A server of that version may run over it, and could not go on."""
    succeeded(offline("store", "migrate"))
    store = tmp_path / "switchyard.db"
    with closing(sqlite3.connect(store)) as database:
        database.execute("PRAGMA user_version = 4")
    done = offline(*arguments, stdin="correct horse battery\n")
    message = failed(done)
    assert done.returncode == 1 and "schema version 4" in message and "switchyard store migrate" in message
    assert storage.query(store, "PRAGMA user_version") == [(4,)]


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


# ---- over PostgreSQL

def test_what_works_on_the_store_itself_does_so_in_postgresql(start_switchyard, postgres_url):
    import psycopg2  # not installed where no test needs PostgreSQL
    command = command_beside(start_switchyard(DATABASE_URL=postgres_url))
    identifier = created(command, "--amount", 2500, "--reference", "=order")["id"]
    with closing(psycopg2.connect(postgres_url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("UPDATE operations SET phase = 'manual_review', reason = %s, reason_kind = 'unknown', ended_at = NULL "
                       "WHERE transaction_id = %s", (REASON, identifier))
        cursor.execute("UPDATE transactions SET status = 'manual_review', reason = %s, authorized_minor = 0, captured_minor = 0 "
                       "WHERE id = %s", (REASON, identifier))
    story = succeeded(command("transaction", "why", identifier))
    assert REASON in story and f"transaction resolve {identifier} --operation 1" in story
    arguments = ["transaction", "resolve", identifier, "--operation", 1, "--note", "asked them"]
    assert json.loads(succeeded(command("--json", *arguments, "--succeeded")))["status"] == "captured"
    assert "operation 1 is succeeded" in failed(command(*arguments, "--did-not-happen"))
    assert [row["reference"] for row in exported(command, *EVER)] == ["'=order"]
    assert [line["captured_amount"] for line in exported_lines(command, *EVER, "--user", "alice")] == [2500]
    nowhere = "0190a000-0000-7000-8000-000000000000"
    assert f"no transaction {nowhere}" in failed(command("transaction", "why", nowhere))


# ---- backup

@pytest.mark.quick
def test_backup_while_the_server_runs_and_restore(command, tmp_path):
    server, backup = command.server, tmp_path / "backup.db"
    kept = created(command, "--amount", 1)["id"]
    text = succeeded(command("store", "backup", backup))
    assert str(backup) in text and "1 transactions and 3 users" in text and "checked" in text
    assert backup.stat().st_mode & 0o777 == 0o600
    lost = created(command, "--amount", 2)["id"]
    assert server.stop() == 0

    text = succeeded(command("store", "restore", backup))
    assert "1 transactions and 3 users" in text and "Idempotency-Key" in text
    [before] = re.findall(r"kept as (\S+)$", text, re.MULTILINE)
    assert {row.id for row in storage.transactions(before)} == {kept, lost}
    server.start()
    assert [row.id for row in storage.transactions(server.database)] == [kept]
    assert json.loads(succeeded(command("--json", "transaction", "show", kept, "--user", "alice")))["status"] == "captured"
    assert created(command, "--amount", 3)["status"] == "captured", "and it goes on"


def test_restore_where_a_link_names_a_store_that_is_gone(command, offline, tmp_path):
    backup, link, place = tmp_path / "backup.db", tmp_path / "link.db", tmp_path / "gone" / "store.db"
    created(command, "--amount", 1)
    succeeded(command("store", "backup", backup))
    link.symlink_to("gone/store.db")
    succeeded(offline("store", "restore", backup, DATABASE_URL=f"sqlite:{link}"))
    assert link.is_symlink() and len(storage.transactions(place)) == 1
    place.unlink()
    link.unlink()
    link.symlink_to(link)
    failed = offline("store", "restore", backup, DATABASE_URL=f"sqlite:{link}")
    assert failed.returncode == 1 and "leads nowhere" in failed.stderr


@pytest.mark.parametrize("key, said", [((), "without a --key the same command would be another"),
                                       (("--key", "order-17"), "the same command with the same --key tells")])
def test_of_what_a_server_did_not_answer_it_is_said_that_it_may_be_done(command, key, said):
    paid = created(command, "--amount", 100)["id"]
    os.kill(command.server.program.process.pid, signal.SIGSTOP)
    try:
        done = command("transaction", "refund", paid, "--amount", 10, "--user", "alice", *key)
    finally:
        os.kill(command.server.program.process.pid, signal.SIGCONT)
    assert done.returncode == 1 and "whether it was done is not known" in done.stderr and said in done.stderr, done.stderr
    assert command.server.stop() == 0
    gone = command("transaction", "refund", paid, "--amount", 10, "--user", "alice", *key)
    assert gone.returncode == 1 and "nothing was done" in gone.stderr, gone.stderr


def test_after_restoring_an_older_backup_the_same_keys_charge_once(command, tmp_path):
    server, backup = command.server, tmp_path / "backup.db"
    succeeded(command("store", "backup", backup))
    arguments = ["--amount", 4711, "--key", "order-4711"]
    first = created(command, *arguments)
    operate(command, "refund", first["id"], "--amount", 11, "--key", "return-17")
    assert server.stop() == 0
    succeeded(command("store", "restore", backup))
    server.start()
    again = created(command, *arguments)
    assert again["id"] != first["id"] and again["status"] == "captured"
    assert [charge.amount for charge in storage.charges(server.ledger) if charge.amount == 4711] == [4711]
    assert operate(command, "refund", again["id"], "--amount", 11, "--key", "return-17")["refunded_amount"] == 11


def test_backup_and_restore_as_json(command, tmp_path):
    server, backup = command.server, tmp_path / "backup.db"
    done = json.loads(succeeded(command("--json", "store", "backup", backup)))
    assert (done["backup"], done["users"], done["transactions"]) == (str(backup), 3, 0) and done["schema_version"] > 0
    assert server.stop() == 0
    done = json.loads(succeeded(command("--json", "store", "restore", backup)))
    assert (done["restored"], done["users"]) == (str(server.database), 3) and os.path.exists(done["kept"])
    os.unlink(server.database)
    assert "kept" not in json.loads(succeeded(command("--json", "store", "restore", backup)))


def test_backups_under_load_are_whole(command, merchant_of, tmp_path):
    merchant = merchant_of(command.server)
    for number in range(5):
        acknowledged = {merchant.created(1)["id"] for _ in range(20)}
        backup = tmp_path / f"backup-{number}.db"
        succeeded(command("store", "backup", backup))
        assert acknowledged <= {row.id for row in storage.transactions(backup)}
        assert storage.query(backup, "PRAGMA integrity_check") == [("ok",)]
    assert command.server.alive()


@pytest.mark.quick
def test_backup_overwrites_nothing(command, tmp_path):
    letter = tmp_path / "letter"
    letter.write_text("Dear Sir or Madam")
    message = failed(command("store", "backup", letter))
    assert str(letter) in message and "not overwritten" in message and letter.read_text() == "Dear Sir or Madam"
    assert "not overwritten" in failed(command("store", "backup", command.server.database))
    succeeded(command("user", "list"))


def test_backup_that_cannot_be_made(offline, tmp_path):
    message = failed(offline("store", "backup", tmp_path / "backup.db"))
    assert "there is no store" in message and "DATABASE_URL" in message
    succeeded(offline("store", "migrate"))
    message = failed(offline("store", "backup", tmp_path / "missing" / "backup.db"))
    assert "missing/backup.db" in message and "No such file or directory" in message
    assert offline("store", "backup").returncode == 2
    assert [file.name for file in tmp_path.iterdir() if "backup" in file.name] == []


def test_a_backup_that_there_is_no_room_for_leaves_nothing(offline, tmp_path):
    succeeded(offline("store", "migrate"))

    def with_little_room():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))

    backup = tmp_path / "backup.db"
    done = subprocess.run([binary("switchyard"), "store", "backup", backup], cwd=tmp_path, capture_output=True, text=True,
                          env={**inherited_environment(), **development_settings(tmp_path)}, preexec_fn=with_little_room,
                          timeout=60)
    assert done.returncode == 1 and f"copied to {backup}" in failed(done)
    assert [file.name for file in tmp_path.iterdir() if "backup" in file.name] == []


@pytest.mark.quick
def test_restore_beside_a_running_server_is_refused(command, tmp_path):
    backup = tmp_path / "backup.db"
    succeeded(command("store", "backup", backup))
    identifier = created(command, "--amount", 1)["id"]
    message = failed(command("store", "restore", backup))
    assert f"process {command.server.program.process.pid} has" in message and "stop" in message
    assert [row.id for row in storage.transactions(command.server.database)] == [identifier]
    assert created(command, "--amount", 2)["status"] == "captured"


@pytest.mark.parametrize("content, said", [(None, "no such file"), (b"", "is empty"), (b"Dear Sir or Madam, " * 100, "not a database")])
def test_restore_of_what_is_no_backup_leaves_the_store(offline, tmp_path, content, said):
    succeeded(offline("user", "add", "dora", stdin="correct horse battery\n"))
    backup = tmp_path / "backup.db"
    if content is not None:
        backup.write_bytes(content)
    message = failed(offline("store", "restore", backup))
    assert str(backup) in message and said in message
    assert "dora" in succeeded(offline("user", "list"))
    assert not [file.name for file in tmp_path.iterdir() if "unfinished" in file.name or "before-restore" in file.name]


def test_restore_of_a_damaged_backup_leaves_the_store(offline, tmp_path):
    succeeded(offline("user", "add", "dora", stdin="correct horse battery\n"))
    backup = tmp_path / "backup.db"
    succeeded(offline("store", "backup", backup))
    damaged = bytearray(backup.read_bytes())
    damaged[4096:] = b"x" * len(damaged[4096:])
    backup.write_bytes(damaged)
    assert str(backup) in failed(offline("store", "restore", backup))
    assert "dora" in succeeded(offline("user", "list"))


@pytest.mark.parametrize("verb, program", [("backup", "pg_dump --format=custom"), ("restore", "pg_restore ")])
def test_backup_of_postgresql_is_done_by_its_own_programs(offline, tmp_path, verb, program):
    done = offline("store", verb, tmp_path / "backup", DATABASE_URL="postgresql://switchyard:hunter2secret@127.0.0.1/switchyard")
    message = failed(done)
    assert done.returncode == 2 and program in message and str(tmp_path / "backup") in message
    assert "hunter2secret" not in message and '"$DATABASE_URL"' in message


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_store_that_root_restores_belongs_to_whom_it_belonged(offline, tmp_path):
    succeeded(offline("store", "migrate"))
    store = tmp_path / "switchyard.db"
    os.chown(store, 12345, 12346)
    succeeded(offline("store", "backup", tmp_path / "backup.db"))
    succeeded(offline("store", "restore", tmp_path / "backup.db"))
    assert (store.stat().st_uid, store.stat().st_gid, store.stat().st_mode & 0o777) == (12345, 12346, 0o600)
