"""`switchyard route`: what is wrong with a routing file, where a payment goes by it and why, and what would have gone elsewhere."""

import json
import os
import random
import sqlite3
import subprocess
import time
import uuid
from contextlib import closing

import pytest

from support.processes import inherited_environment
from support.programs import binary, development_settings, run_to_exit

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
READERS = {"check": ["check", "FILE"], "explain": ["explain", "--file", "FILE", *PAYMENT],
           "replay": ["replay", "FILE", "--since", "1d"]}


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


# ---- replay

TWO = '[psp.sim_a]\nadapter = "simulator"\n[psp.sim_b]\nadapter = "simulator"\n'
SHARED = TWO + "[[rule]]\npsp = { sim_a = 70, sim_b = 30 }\n"
MASK = 2**64 - 1


def mix(value):
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def first_draw(identifier, total):
    """As libs/routing/draws.hpp has it."""
    high, low = (int.from_bytes(identifier[start:start + 8], "big") for start in (0, 8))
    number = mix(mix((low + 0x9E3779B97F4A7C15) & MASK) ^ high)
    return ((number >> 27) * total) >> 37


class Stored:
    """A store with payments that went where SHARED sends them."""

    def __init__(self, database, template):
        self.database = database
        self.template = uuid.UUID(template).bytes
        self.random = random.Random(4711)
        self.settings = {"DATABASE_URL": f"sqlite:{database}"}

    def execute(self, statement, *parameters):
        with closing(sqlite3.connect(self.database, timeout=30)) as connection, connection:
            return connection.execute(statement, parameters).rowcount

    def add(self, count, days_ago=1, merchants=(1,), **changes):
        """Copies of the one that was made, and what else is to be so. Returns how many went to sim_b."""
        made_at = int((time.time() - days_ago * 86_400) * 1000)
        ids = [(((made_at + i) << 80) | (7 << 76) | self.random.getrandbits(64)).to_bytes(16, "big") for i in range(count)]
        to_b = [first_draw(identifier, 100) >= 70 for identifier in ids]
        with closing(sqlite3.connect(self.database, timeout=30)) as connection, connection:
            for table, key in (("transactions", "id"), ("operations", "transaction_id")):
                names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
                row = dict(zip(names, connection.execute(f"SELECT * FROM {table} WHERE {key} = ?", [self.template]).fetchone(), strict=True))
                rows = [{**row, key: identifier, "merchant_id": merchants[i % len(merchants)],
                         **({"created_at_ms": made_at + i} if table == "transactions" else {"psp": "sim_b" if to_b[i] else "sim_a"}),
                         **{name: value for name, value in changes.items() if name in names}} for i, identifier in enumerate(ids)]
                places = ", ".join(f":{name}" for name in names)
                connection.executemany(f"INSERT INTO {table} VALUES ({places})", rows)
        return sum(to_b)


@pytest.fixture
def stored(start_switchyard, merchant_of):
    server = start_switchyard()
    merchant = merchant_of(server)
    identifier = merchant.created(2500)["id"]
    merchant.wait_for_status(identifier, "captured")
    assert server.stop() == 0
    store = Stored(server.database, identifier)
    assert store.execute("UPDATE transactions SET created_at_ms = 0") == 1, "too old to be looked at"
    return store


def replayed(route, path, stored, since="90d"):
    return json.loads(succeeded(route("replay", path, "--since", since, "--json", **stored.settings)))


@pytest.mark.quick
def test_replay_of_an_unchanged_file_says_that_nothing_moves(route, routes, stored):
    to_b = stored.add(500)
    assert 100 < to_b < 200
    text = succeeded(route("replay", routes(SHARED), "--since", "90d", **stored.settings))
    assert text.splitlines()[1:] == ["500 payments looked at, 500 would go where they went", "nothing would go elsewhere"]
    told = replayed(route, routes(SHARED), stored)
    assert (told["looked_at"], told["stay"], told["moved"]["count"], told["by_account"]) == (500, 500, 0, [])


def test_replay_says_what_would_have_gone_elsewhere(route, routes, stored):
    to_b = stored.add(200, currency="EUR")
    soft = stored.add(100, days_ago=2, phase="declined", reason_kind="soft_decline", status="declined")
    hard = stored.add(100, days_ago=3, phase="declined", reason_kind="hard_decline", status="declined")
    path = routes(TWO + '[[rule]]\npsp = "sim_a"\n')
    told = replayed(route, path, stored)
    moved = {"count": to_b + soft + hard, "soft_declines": soft, "hard_declines": hard,
             "amounts": {"EUR": 2500 * to_b, "USD": 2500 * (soft + hard)}}
    assert told["moved"] == moved
    assert told["by_account"] == [{"from": "sim_b", "to": "sim_a", "why_none": None, **moved}]
    text = succeeded(route("replay", path, "--since", "90d", **stored.settings))
    assert f"  sim_b -> sim_a: {to_b + soft + hard} payments, {25 * to_b}.00 EUR, {25 * (soft + hard)}.00 USD; " \
           f"{soft} declined softly, {hard} hard" in text
    told = replayed(route, routes(TWO + '[[rule]]\nwhen.currency = "EUR"\npsp = { sim_a = 70, sim_b = 30 }\n'), stored)
    assert {(one["from"], one["to"], one["why_none"]): one["count"] for one in told["by_account"]} == {
        ("sim_a", None, "no rule matches"): 200 - soft - hard, ("sim_b", None, "no rule matches"): soft + hard}


def test_replay_looks_at_metadata_and_at_times(route, routes, stored):
    stored.add(50, metadata='{"channel":"web"}', psp="sim_a")
    stored.add(50, psp="sim_a")
    path = routes(TWO + '[[rule]]\nwhen.metadata.channel = "web"\npsp = "sim_b"\n[[rule]]\npsp = "sim_a"\n')
    assert replayed(route, path, stored)["moved"]["count"] == 50
    monday = 4 * 86_400_000
    stored.execute("UPDATE transactions SET created_at_ms = iif(metadata <> '', ?, ?)", monday, monday - 1)
    path = routes(TWO + '[[rule]]\nwhen.weekday = "mon"\npsp = "sim_b"\n[[rule]]\npsp = "sim_a"\n')
    assert [(one["from"], one["count"]) for one in replayed(route, path, stored, "1970-01-02")["by_account"]] == [
        ("sim_a", 50), ("simulator", 1)]


def test_replay_knows_who_has_a_payment_method_for_an_account(route, routes, stored):
    stored.add(20, payment_method='{"adyen":{}}', psp="sim_a")
    stored.add(10, psp="sim_a")
    path = routes(ACCOUNTS + '[[rule]]\npsp = "adyen_main"\n')
    assert [(one["from"], one["to"], one["why_none"], one["count"]) for one in replayed(route, path, stored)["by_account"]] == [
        ("sim_a", "adyen_main", None, 20), ("sim_a", None, "the merchant gave no payment_method for any account of the rule", 10)]


def test_replay_of_many_pages_and_merchants_looks_at_each_once(route, routes, stored):
    stored.add(30_000)
    stored.add(3_000, days_ago=2, merchants=[*range(2, 302), 2**63 - 1, -5])
    told = replayed(route, routes(SHARED), stored)
    assert (told["looked_at"], told["stay"]) == (33_000, 33_000)


def test_replay_takes_what_was_made_since_then(route, routes, stored):
    stored.add(10, days_ago=1)
    stored.add(20, days_ago=10)
    stored.add(40, days_ago=100)
    date = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 50 * 86_400))
    for since, count in (("12h", 0), ("2880m", 10), ("9d", 10), ("11d", 30), (date, 30), ("1971-01-01", 70), ("1000000d", 71)):
        assert replayed(route, routes(SHARED), stored, since)["looked_at"] == count, since


def test_replay_leaves_out_what_was_not_sent_and_says_what_it_cannot_read(route, routes, stored):
    stored.add(10)
    stored.add(3, days_ago=2, psp="")
    told = replayed(route, routes(SHARED), stored)
    assert (told["looked_at"], told["not_sent"], told["unreadable"]) == (10, 3, 0)
    stored.add(2, days_ago=3, currency="ZZZ")
    done = route("replay", routes(SHARED), "--since", "90d", **stored.settings)
    assert done.returncode == 1 and "10 payments looked at" in done.stdout and "3 payments sent nowhere yet" in done.stdout
    assert "not complete" in done.stderr and "left out were 2" in done.stderr and "ZZZ" in done.stderr


def test_replay_beside_a_running_server_and_in_postgresql(start_switchyard, merchant_of, route, routes, postgres_url):
    path = routes(TWO + '[psp.simulator]\nadapter = "simulator"\n[[rule]]\nwhen.merchant = 1\npsp = "simulator"\n[[rule]]\npsp = "sim_a"\n')
    for settings in ({}, {"DATABASE_URL": postgres_url}):
        server = start_switchyard(**settings)
        for user_id, amount in ((1, 100), (1, 250), (2, 300)):
            merchant = merchant_of(server, user_id=user_id)
            merchant.wait_final(merchant.created(amount)["id"])
        told = json.loads(succeeded(route("replay", path, "--since", "1d", "--json", DATABASE_URL=server.settings["DATABASE_URL"])))
        assert (told["looked_at"], told["stay"]) == (3, 2)
        assert [(one["from"], one["to"], one["amounts"]) for one in told["by_account"]] == [("simulator", "sim_a", {"USD": 300})]


@pytest.mark.parametrize("since", ["", "90", "d", "0d", "-1d", "1w", "yesterday", "2026-02-30", "9999-01-01"])
def test_replay_since_what_is_no_time_or_not_yet(route, routes, since):
    assert "--since" in refused(route("replay", routes(SHARED), f"--since={since}"))


def test_replay_needs_a_file_a_time_and_a_store(route, routes, tmp_path):
    assert "file" in refused(route("replay", "--since", "90d"))
    assert "--since" in refused(route("replay", routes(SHARED)))
    done = route("replay", routes(SHARED), "--since", "90d")
    assert done.returncode == 1 and "there is no store" in done.stderr
    assert not list(tmp_path.glob("*.db"))


def test_replay_to_a_full_disk_is_a_failure(routes, stored, tmp_path):
    stored.add(1)
    with open("/dev/full", "w") as full:
        done = subprocess.run([binary("switchyard"), "route", "replay", routes(SHARED), "--since", "90d"], text=True, stdout=full,
                              env={**inherited_environment(), **development_settings(tmp_path, **stored.settings)}, cwd=tmp_path,
                              stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 1 and "standard output" in done.stderr
