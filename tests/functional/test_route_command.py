"""`switchyard route`: what is wrong with a routing file, where a payment goes by it and why, and what would have gone elsewhere."""

import json
import os
import sqlite3
import uuid
from contextlib import closing

import pytest

from support.programs import development_settings, run_to_exit

ACCOUNTS = """\
[psp.sim_a]
adapter = "simulator"
[psp.sim_b]
adapter = "simulator"
[psp.adyen_main]
adapter = "adyen"
api_key_env = "ADYEN_API_KEY"
merchant_account = "AcmeECOM"
hmac_key_env = "ADYEN_HMAC_KEY"
"""
RULES = """\
[[rule]]
name = "large"
when = { currency = ["EUR", "SEK"], amount = { min = 500_00 }, metadata = { channel = "web" } }
psp = "sim_b"
[[rule]]
when.payment_method = "adyen"
psp = "adyen_main"
[[rule]]
name = "rest"
psp = { sim_a = 70, sim_b = 30 }
"""


# The commands that read such a file.
PAYMENT = ["--amount", "1000", "--currency", "USD", "--merchant", "7"]
READERS = {"check": ["check", "FILE"], "explain": ["explain", "--file", "FILE", *PAYMENT]}


@pytest.fixture
def routes(tmp_path):
    """Writes a routing file and gives its path."""
    def write(text=ACCOUNTS + RULES):
        path = tmp_path / "routes.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path
    return write


@pytest.fixture
def route(tmp_path):
    def run(*arguments, **overrides):
        return run_to_exit("switchyard", ["route", *map(str, arguments)], development_settings(tmp_path, **overrides), tmp_path)
    return run


def succeeded(done):
    assert (done.returncode, done.stderr) == (0, ""), f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def refused(done):
    """Exit code 2, nothing on standard output."""
    assert (done.returncode, done.stdout) == (2, ""), f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "terminate called" not in done.stderr and "what():" not in done.stderr
    return done.stderr


def with_file(command, path):
    return [path if word == "FILE" else word for word in command]


# ---- what is wrong with the file

@pytest.mark.quick
def test_check_of_a_good_file_says_what_it_does(route, routes):
    path = routes()
    assert succeeded(route("check", path)).splitlines() == [
        "account sim_a (line 1): simulator", "account sim_b (line 3): simulator", "account adyen_main (line 5): adyen",
        "rule 'large' (line 10): currency is EUR or SEK; amount is 50000 or more; metadata's 'channel' is 'web' -> sim_b",
        "rule 2 (line 14): payment_method for adyen -> adyen_main",
        "rule 'rest' (line 17): everything -> sim_a 70, sim_b 30",
        f"{path}: 3 accounts, 3 rules, nothing is wrong"]
    told = json.loads(succeeded(route("check", path, "--json")))
    assert told["ok"] and not told["warnings"]
    assert [account["name"] for account in told["accounts"]] == ["sim_a", "sim_b", "adyen_main"]
    assert told["rules"][2] == {"number": 3, "name": "rest", "line": 17, "when": "", "psp": {"sim_a": 70, "sim_b": 30}, "fallback": []}


def test_check_warns_of_what_was_hardly_meant(route, routes):
    path = routes(ACCOUNTS + '[[rule]]\nwhen.merchant = [7, 8]\npsp = "sim_a"\n[[rule]]\nwhen.merchant = 7\npsp = "sim_b"\n')
    warnings = [line for line in succeeded(route("check", path)).splitlines() if "warning" in line]
    for line, said in ((5, "no rule names account 'adyen_main'"), (13, "rule 2 never matches: rule 1 in line 10"), (13, "goes nowhere")):
        assert any(warning.startswith(f"{path}:{line}: warning: ") and said in warning for warning in warnings), warnings
    assert len(json.loads(succeeded(route("check", path, "--json")))["warnings"]) == len(warnings) == 3


BAD = {
    "no TOML": ("[psp", ["1:5"]),
    "binary": (b"\x7fELF\x00\x01\xff\xfe", ["1:1"]),
    "no UTF-8": (ACCOUNTS.encode() + b"# \xff\n", ["10:3"]),
    "empty": ("", ["1:1: there is no account", "1:1: there is no rule"]),
    "an unknown currency": (ACCOUNTS + '[[rule]]\nwhen.currency = "EURO"\npsp = "sim_a"\n', ["11:17: unknown currency 'EURO'"]),
    "an unknown account": (ACCOUNTS + '[[rule]]\npsp = "sim_c"\n', ["11:7: there is no account 'sim_c'"]),
    "a weight of 0": (ACCOUNTS + "[[rule]]\npsp = { sim_a = 0, sim_b = 0 }\n", ["11:17: the weight of 'sim_a' is 0", "11:28: the weight"]),
    "an account twice": (ACCOUNTS + '[[rule]]\npsp = "sim_a"\nfallback = ["sim_b", "sim_a"]\n', ["12:22: "]),
    "a fallback to itself": (ACCOUNTS + '[[rule]]\npsp = "sim_a"\nfallback = "sim_a"\n', ["12:12: "]),
    "a missing setting": ('[psp.a]\nadapter = "stripe"\n[[rule]]\npsp = "a"\n', ["1:6: account 'a' has no secret_key_env"]),
    "an unknown member": (ACCOUNTS + '[[rule]]\nwhen.curency = "EUR"\npsp = "sim_a"\n', ["11:6: unknown member 'curency' of when"]),
    "a rule behind one that takes all": (ACCOUNTS + '[[rule]]\npsp = "sim_a"\n[[rule]]\npsp = "sim_b"\n', ["12:1: rule 2"]),
    "several at once": ('[psp.a]\nadapter = "strip"\n[[rule]]\npsp = "b"\n', ["2:11: there is no adapter 'strip'", "4:7: there is no"]),
}


@pytest.mark.parametrize("text, said", BAD.values(), ids=BAD)
def test_what_is_wrong_is_said_with_its_place_and_what_would_be_right(route, routes, text, said):
    path = routes(text)
    for command in READERS.values():
        lines = refused(route(*with_file(command, path))).splitlines()
        for place in said:
            assert any(line.startswith(f"{path}:{place}") for line in lines), lines
        assert all(line.startswith(f"{path}:") and "; " in line for line in lines), lines
    done = route("check", path, "--json")
    findings = json.loads(done.stdout)["findings"]
    assert done.returncode == 2 and len(findings) == len(lines)
    assert [f"{path}:{one['line']}:{one['column']}: {one['wrong']}; {one['right']}" for one in findings] == lines


def test_a_secret_in_the_file_is_not_repeated(route, routes):
    path = routes('[psp.a]\nadapter = "stripe"\nsecret_key_env = "sk_live_4711abcdef"\n[[rule]]\npsp = "a"\n')
    assert "4711" not in refused(route("check", path)) + route("check", path, "--json").stdout


@pytest.mark.parametrize("command", READERS.values(), ids=READERS)
def test_what_cannot_be_read_is_named(route, routes, tmp_path, command):
    def said_of(path):
        return refused(route(*with_file(command, path)))
    missing = tmp_path / "missing.toml"
    assert f"{missing} cannot be read: No such file" in said_of(missing)
    assert f"{tmp_path} cannot be read: Is a directory" in said_of(tmp_path)
    large = routes(b"#" * 10_000_000)
    assert f"{large} is larger than 1 MiB" in said_of(large)
    assert "/dev/zero is larger than 1 MiB" in said_of("/dev/zero")
    if os.geteuid() != 0:
        closed = routes()
        closed.chmod(0)
        assert f"{closed} cannot be read: Permission denied" in said_of(closed)


@pytest.mark.parametrize("arguments, said", [
    ([], "subcommand"), (["check"], "file"), (["check", ""], "file"), (["check", "a", "b"], "b"), (["chek", "a"], "chek"),
])
def test_a_wrong_command_line(route, arguments, said):
    assert said in refused(route(*arguments))


# ---- explain

ID = "01a203e7-cd8f-7925-813d-9190694d7e2c"


@pytest.mark.quick
def test_explain_tells_which_rule_takes_a_payment_and_why(route, routes):
    path = routes()
    lines = succeeded(route("explain", "--file", path, "--amount", 60000, "--currency", "SEK", "--merchant", 7, "--metadata", "channel=web",
                            "--metadata", "tier=gold=1", "--at", "2026-11-22T15:37:32Z", "--id", ID)).splitlines()
    assert lines == [f"payment {ID}: 600.00 SEK of merchant 7", "made at 2026-11-22T15:37:32.000Z, sun 15:37 UTC",
                     "payment_method: none; metadata: 'channel' = 'web', 'tier' = 'gold=1'",
                     "rule 'large' (line 10) matches; 2 behind it are not looked at", "weights: sim_b 1",
                     "draw 1 is 0 of 1, sim_b: can take it", "goes to sim_b, by weight"]
    assert "goes to adyen_main" in succeeded(route("explain", "--file", path, *PAYMENT, "--payment-method", "adyen"))
    told = json.loads(succeeded(route("explain", *PAYMENT, "--id", ID, "--json", ROUTING_FILE=path)))
    assert (told["id"], told["account"], told["rule"]["name"]) == (ID, "sim_b", "rest")
    assert told["lines"][-1] == "goes to sim_b, by weight" and "went" not in told


def test_explain_draws_as_the_id_says(route, routes):
    path = routes()
    by_id = [succeeded(route("explain", "--file", path, *PAYMENT, "--id", ID, "--at", "2026-01-01")) for _ in range(2)]
    assert by_id[0] == by_id[1] and "made up" not in by_id[0]
    assert "the id is made up" in succeeded(route("explain", "--file", path, *PAYMENT))


def test_explain_of_what_goes_nowhere_and_without_a_file(route, routes):
    path = routes(ACCOUNTS + '[[rule]]\nwhen.currency = "EUR"\npsp = "sim_a"\n')
    assert "goes nowhere: no rule matches" in succeeded(route("explain", "--file", path, *PAYMENT))
    told = json.loads(succeeded(route("explain", "--file", path, *PAYMENT, "--json")))
    assert (told["account"], told["rule"], told["why_none"]) == (None, None, "no rule matches")
    assert "goes to simulator" in succeeded(route("explain", *PAYMENT))


@pytest.mark.parametrize("arguments, said", [
    ([], "needs --amount"), (["--amount", "1", "--currency", "EUR"], "--merchant"), ([*PAYMENT, "--amount", "0"], "--amount"),
    (["--amount", "-1", "--currency", "EUR", "--merchant", "7"], "--amount"), (["--amount", "1.5"], "--amount"),
    (["--currency", "eur"], "--currency"), (["--currency", "XXX"], "--currency"), (["--merchant", "alice"], "--merchant"),
    ([*PAYMENT, "--payment-method", "paypal"], "paypal"), ([*PAYMENT, "--metadata", "channel"], "NAME=VALUE"),
    ([*PAYMENT, "--metadata", "=x"], "NAME=VALUE"), ([*PAYMENT, "--metadata", "a=1", "--metadata", "a=2"], "'a' twice"),
    ([*PAYMENT, "--at", "noon"], "--at"), ([*PAYMENT, "--id", "7"], "--id"), ([*PAYMENT, ID], "excludes"), (["7"], "UUID"),
    ([*PAYMENT, "--file", ""], "--file"),
])
def test_explain_of_what_is_no_payment(route, arguments, said):
    assert said in refused(route("explain", *arguments))


def test_explain_of_a_stored_transaction_has_where_it_went(start_switchyard, merchant_of, route, routes):
    server = start_switchyard()
    merchant = merchant_of(server)
    identifier = merchant.created(2500, metadata={"channel": "web"})["id"]
    merchant.wait_for_status(identifier, "captured")
    path = routes('[psp.simulator]\nadapter = "simulator"\n[psp.other]\nadapter = "simulator"\n'
                  '[[rule]]\nname = "web"\nwhen.metadata.channel = "web"\npsp = "simulator"\n[[rule]]\npsp = "other"\n')
    settings = {"DATABASE_URL": f"sqlite:{server.database}"}
    text = succeeded(route("explain", "--file", path, identifier, **settings))
    for part in (f"payment {identifier}: 25.00 ", "rule 'web' (line 5) matches", "goes to simulator, by weight",
                 "in fact: operation 1 went to simulator, succeeded", "it went where these rules send it"):
        assert part in text, text
    told = json.loads(succeeded(route("explain", "--file", path, identifier, "--json", **settings)))
    assert told["went_as_said"] and told["went"] == [{"operation": 1, "account": "simulator", "phase": "succeeded", "reason_kind": ""}]
    assert server.stop() == 0
    with closing(sqlite3.connect(server.database)) as connection, connection:
        connection.execute("UPDATE operations SET psp = 'other' WHERE transaction_id = ?", [uuid.UUID(identifier).bytes])
    assert "it went elsewhere: the rules were others" in succeeded(route("explain", "--file", path, identifier, **settings))
    assert "there is no account other in this file" in succeeded(route("explain", identifier, **settings)), "nor where there is no file"
    done = route("explain", "--file", path, ID, **settings)
    assert done.returncode == 1 and f"no transaction {ID}" in done.stderr
