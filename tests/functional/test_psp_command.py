"""`switchyard psp list`: the accounts, their breakers as the connector has them, and how they fared by what is stored."""

import json
import random
import re
import sqlite3
import time
import uuid
from contextlib import closing

import pytest

from support.http_client import once
from support.ports import free_port
from support.programs import development_settings, run_to_exit
from support.waiting import eventually

A_THEN_B = '[[rule]]\npsp = "a"\nfallback = "b"\n'
STORE = ("DATABASE_URL", "METRICS_PORT", "ROUTING_FILE")


@pytest.fixture
def psp(tmp_path):
    def run(*arguments, **overrides):
        return run_to_exit("switchyard", ["psp", *map(str, arguments)], development_settings(tmp_path, **overrides), tmp_path)
    return run


@pytest.fixture
def routing_file(tmp_path):
    def write(text):
        path = tmp_path / "routing.toml"
        path.write_text(text)
        return path
    return write


def succeeded(done):
    assert (done.returncode, done.stderr) == (0, ""), f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def refused(done):
    assert (done.returncode, done.stdout) == (2, ""), f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stderr


def of_server(server):
    return {name: server.settings[name] for name in STORE if name in server.settings}


def listed(psp, *arguments, **settings):
    """What it tells, and its accounts by name."""
    told = json.loads(succeeded(psp("list", "--json", *arguments, **settings)))
    return told, {account["name"]: account for account in told["accounts"]}


def counts(account):
    return {name: account[name] for name in ("succeeded", "declined", "unknown", "failed", "open") if account[name]}


def two_accounts(a, b):
    return "".join(f'[psp.{name}]\nadapter = "simulator"\nbase_url = "{url}"\n' for name, url in (("a", a), ("b", b)))


def test_an_account_that_is_away_shows_by_its_breaker_and_its_last_error(start_switchyard, start_psp_simulator, merchant_of, psp, routing_file):
    away = f"http://127.0.0.1:{free_port()}"
    server = start_switchyard(ROUTING_FILE=routing_file(two_accounts(away, start_psp_simulator().url) + A_THEN_B))
    merchant = merchant_of(server)
    for _ in range(6):
        assert merchant.wait_final(merchant.created(100)["id"])["status"] == "captured"
    settings = of_server(server)

    def breaker_of_a():
        return listed(psp, **settings)[1]["a"]["breaker"]
    eventually(lambda: breaker_of_a() in ("open", "half_open"), "the breaker to show")
    told, accounts = listed(psp, **settings)
    assert told["payments"] == 6 and told["elsewhere"] == 0 and told["cut_off_at"] is None and told["breaker_unknown"] is None
    a, b = accounts["a"], accounts["b"]
    assert a["attempts"] >= 5 and counts(a) == {"failed": a["attempts"]}
    assert counts(b) == {"succeeded": 6} and b["breaker"] == "closed" and b["last_error"] is None
    assert a["last_error"]["text"].startswith("failed") and a["last_error"]["at"] > told["since"]
    text = succeeded(psp("list", **settings))
    lines = text.splitlines()
    assert lines[0].split() == ["ACCOUNT", "ADAPTER", "SECRETS", "BREAKER", "ATTEMPTS", "SUCCEEDED", "DECLINED", "UNKNOWN", "FAILED", "LAST", "ERROR"]
    assert re.match(rf"a +simulator +complete +(open|half open) +{a['attempts']} +0% +0% +0% +100%  \S+Z failed", lines[1]), text
    assert re.match(r"b +simulator +complete +closed +6 +100% +0% +0% +0%  -$", lines[2]), text
    assert lines[3].startswith("rates: of 6 payments, all that were made since ") and len(lines) == 4
    assert server.stop() == 0
    told, accounts = listed(psp, **settings)
    assert told["breaker_unknown"] == f"no connector answers at http://127.0.0.1:{settings['METRICS_PORT']}/metrics"
    assert accounts["a"]["breaker"] is None and counts(accounts["a"]) == counts(a), "what is stored is known all the same"
    assert re.search(r"^a .* unknown .*failed", succeeded(psp("list", **settings)), re.MULTILINE)
    assert "METRICS_PORT is not set" in listed(psp, **{**settings, "METRICS_PORT": None})[0]["breaker_unknown"]


def test_without_a_routing_file_there_is_the_simulator_without_a_breaker(start_switchyard, merchant_of, psp):
    server = start_switchyard()
    merchant = merchant_of(server)
    merchant.wait_final(merchant.created(100)["id"])
    told, accounts = listed(psp, **of_server(server))
    assert list(accounts) == ["simulator"] and counts(accounts["simulator"]) == {"succeeded": 1}
    assert accounts["simulator"]["complete"] and accounts["simulator"]["breaker"] == "none" and told["breaker_unknown"] is None


def test_a_simulator_beside_the_connector_is_named_as_its_payments_name_it(start_switchyard, start_psp_simulator, merchant_of, psp):
    url = start_psp_simulator().url
    server = start_switchyard(PSP_URL=url)
    merchant = merchant_of(server)
    merchant.wait_final(merchant.created(100)["id"])
    told, accounts = listed(psp, PSP_URL=url, **of_server(server))
    assert list(accounts) == ["psp-simulator"] and counts(accounts["psp-simulator"]) == {"succeeded": 1} and told["elsewhere"] == 0


def test_what_answers_there_and_is_no_such_connector_is_not_taken_for_one(start_switchyard, start_psp_simulator, psp, routing_file):
    server, other = start_switchyard(), start_psp_simulator()
    path = routing_file(two_accounts("http://127.0.0.1:1", "http://127.0.0.1:2") + A_THEN_B)
    eventually(lambda: "switchyard_psp_breaker_open" in once(server.metrics, "GET", "/metrics").body.decode(), "the gauge")
    told, accounts = listed(psp, "--file", path, **of_server(server))
    assert told["breaker_unknown"] == "the connector that answers has no a, b" and accounts["a"]["breaker"] is None
    told, accounts = listed(psp, "--file", path, **{**of_server(server), "METRICS_PORT": other.metrics.port})
    assert told["breaker_unknown"].endswith(f":{other.metrics.port}/metrics is no connector") and accounts["a"]["breaker"] is None


def test_secrets_that_are_missing_are_named_and_those_that_are_there_are_not_shown(psp, routing_file, stored):
    path = routing_file('[psp.s]\nadapter = "stripe"\nsecret_key_env = "KEY_OF_S"\n[[rule]]\npsp = "s"\n')
    account = listed(psp, ROUTING_FILE=path, **stored.settings)[1]["s"]
    assert not account["complete"] and "KEY_OF_S is not set" in account["missing"]
    text = succeeded(psp("list", ROUTING_FILE=path, **stored.settings))
    assert re.search(r"^s +stripe +MISSING ", text, re.MULTILINE) and re.search(r"^s: KEY_OF_S is not set", text, re.MULTILINE)
    text = succeeded(psp("list", "--json", ROUTING_FILE=path, KEY_OF_S="sk_test_hunter2", **stored.settings))
    assert json.loads(text)["accounts"][0]["complete"] and "hunter2" not in text


def test_a_broken_file_is_named_by_line(psp, routing_file):
    path = routing_file('[psp.a]\nadapter = "paypal"\n[[rule]]\npsp = "a"\n')
    assert refused(psp("list", ROUTING_FILE=path)).startswith(f"{path}:2:11: there is no adapter 'paypal'")
    assert refused(psp("list", "--json", "--file", path)).startswith(f"{path}:2:11: ")
    assert "No such file" in refused(psp("list", "--file", "/nowhere/routing.toml"))


@pytest.mark.parametrize("arguments, said", [
    ([], "subcommand"), (["lst"], "lst"), (["list", "a"], "a"), (["list", "--since", "1w"], "--since"), (["list", "--since="], "--since"),
    (["list", "--since", "9999-01-01"], "in the future"), (["list", "--file", ""], "--file"),
])
def test_a_wrong_command_line(psp, arguments, said):
    assert said in refused(psp(*arguments))


def test_it_needs_a_store_and_makes_none(psp, tmp_path):
    done = psp("list")
    assert done.returncode == 1 and "there is no store" in done.stderr
    assert not list(tmp_path.glob("*.db"))


# ---- over what is stored

class Stored:
    """A store with copies of one payment."""

    def __init__(self, database, template):
        self.database = database
        self.template = uuid.UUID(template).bytes
        self.random = random.Random(4711)
        self.settings = {"DATABASE_URL": f"sqlite:{database}"}

    def add(self, count, minutes_ago=1, merchants=3, **changes):
        made_at = int((time.time() - minutes_ago * 60) * 1000)
        ids = [((made_at << 80) | (7 << 76) | self.random.getrandbits(64)).to_bytes(16, "big") for _ in range(count)]
        with closing(sqlite3.connect(self.database, timeout=30)) as connection, connection:
            for table, key in (("transactions", "id"), ("operations", "transaction_id")):
                names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
                row = dict(zip(names, connection.execute(f"SELECT * FROM {table} WHERE {key} = ?", [self.template]).fetchone(), strict=True))
                row |= {"ended_at_ms": made_at} if table == "operations" else {"created_at_ms": made_at}
                row |= {name: value for name, value in changes.items() if name in names}
                places = ", ".join(f":{name}" for name in names)
                connection.executemany(f"INSERT INTO {table} VALUES ({places})",
                                       [{**row, key: identifier, "merchant_id": number % merchants} for number, identifier in enumerate(ids)])


@pytest.fixture
def stored(start_switchyard, merchant_of):
    server = start_switchyard()
    merchant = merchant_of(server)
    identifier = merchant.created(2500)["id"]
    merchant.wait_for_status(identifier, "captured")
    assert server.stop() == 0
    store = Stored(server.database, identifier)
    with closing(sqlite3.connect(store.database)) as connection, connection:
        for table, key in (("transactions", "id"), ("operations", "transaction_id")):
            connection.execute(f"UPDATE {table} SET {key} = ?", [bytes(6) + store.template[6:]])
    store.template = bytes(6) + store.template[6:]
    return store


def test_rates_are_of_the_time_that_is_asked_for(psp, stored):
    stored.add(30, minutes_ago=10, psp="simulator")
    stored.add(9, minutes_ago=5, psp="simulator", phase="declined", reason_kind="soft_decline")
    stored.add(1, minutes_ago=4, psp="simulator", phase="unknown", reason="no answer\x1b[2J in time")
    stored.add(20, minutes_ago=90, psp="simulator")
    stored.add(7, minutes_ago=3, psp="left_long_ago")
    stored.add(2, minutes_ago=2, psp="", phase="requested")
    told, accounts = listed(psp, **stored.settings)
    assert counts(accounts["simulator"]) == {"succeeded": 30, "declined": 9, "unknown": 1}
    assert (told["payments"], told["elsewhere"]) == (49, 7)
    assert counts(listed(psp, "--since", "2h", **stored.settings)[1]["simulator"])["succeeded"] == 50
    assert counts(listed(psp, "--since", "6m", **stored.settings)[1]["simulator"]) == {"declined": 9, "unknown": 1}
    text = succeeded(psp("list", **stored.settings))
    assert re.search(r"^simulator .* 40 +75\.0% +22\.5% +2\.5% +0%  \S+Z unknown: no answer \[2J in time$", text, re.MULTILINE), text
    assert "7 attempts were at accounts that are not in the list" in text


def test_of_very_many_the_newest_are_looked_at_and_that_is_said(psp, stored):
    stored.add(500, minutes_ago=30, psp="simulator", phase="failed")
    stored.add(9_000, minutes_ago=20, psp="simulator")
    stored.add(2_000, minutes_ago=10, psp="simulator", phase="declined")
    told, accounts = listed(psp, **stored.settings)
    assert told["payments"] == 10_000 and counts(accounts["simulator"]) == {"succeeded": 8_000, "declined": 2_000}
    assert told["since"] < told["cut_off_at"]
    text = succeeded(psp("list", **stored.settings))
    assert f"rates: of the newest 10000 payments, made since {told['cut_off_at']}; there are more since " in text


def test_what_cannot_be_read_is_left_out_and_said(psp, stored):
    stored.add(3, psp="simulator")
    stored.add(2, psp="simulator", phase="sublimated")
    done = psp("list", **stored.settings)
    assert done.returncode == 1 and re.search(r"^simulator .* 3 +100%", done.stdout, re.MULTILINE)
    assert "left out were 2" in done.stderr and "sublimated" in done.stderr


def test_in_postgresql(start_switchyard, merchant_of, psp, postgres_url):
    server = start_switchyard(DATABASE_URL=postgres_url)
    for user_id in (1, 2):
        merchant = merchant_of(server, user_id=user_id)
        merchant.wait_final(merchant.created(100)["id"])
    told, accounts = listed(psp, **of_server(server))
    assert told["payments"] == 2 and counts(accounts["simulator"]) == {"succeeded": 2}
