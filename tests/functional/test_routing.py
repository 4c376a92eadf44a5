"""ROUTING_FILE from outside: several PSPs, where payments go, and where when one of them fails."""

import random
import re
import time
from collections import Counter

import pytest

from support import amounts
from support.http_client import once
from support.programs import development_settings, run_to_exit
from support.waiting import eventually

RULE_FOR_B = '[[rule]]\npsp = "b"\n'


@pytest.fixture
def psps(start_psp_simulator, tmp_path):
    """{name: psp-simulator}, each with a book of its own."""
    started = {}
    for name in "ab":
        folder = tmp_path / name
        folder.mkdir()
        started[name] = start_psp_simulator(folder)
    return started


@pytest.fixture
def routing_file(tmp_path):
    return tmp_path / "routing.toml"


def accounts(psps):
    return "".join(f'[psp.{name}]\nadapter = "simulator"\nbase_url = "{psp.url}"\n' for name, psp in psps.items())


def first_a_then_b(psps):
    return accounts(psps) + '[[rule]]\npsp = "a"\nfallback = "b"\n'


@pytest.fixture
def routed(start_switchyard, psps, routing_file, merchant_of):
    routing_file.write_text(first_a_then_b(psps))
    server = start_switchyard(ROUTING_FILE=routing_file)
    server.merchant = merchant_of(server)
    return server


def psps_of(transaction):
    return [operation["psp"] for operation in transaction["operations"]]


def charges(psps, transaction):
    """How many charges each PSP has of it."""
    return {name: len(psp.charges(transaction["id"])) for name, psp in psps.items()}


def test_a_payment_goes_to_the_account_of_its_rule(routed, psps):
    paid = routed.merchant.wait_final(routed.merchant.created(100)["id"])
    assert paid["status"] == "captured" and psps_of(paid) == ["a"]
    assert charges(psps, paid) == {"a": 1, "b": 0}


def test_a_soft_decline_is_tried_at_the_next_account_once(routed, psps):
    declined = routed.merchant.wait_final(routed.merchant.created(amounts.INSUFFICIENT_FUNDS)["id"])
    assert declined["status"] == "declined" and psps_of(declined) == ["a", "b"]
    assert charges(psps, declined) == {"a": 1, "b": 1}


def test_a_hard_decline_is_not(routed, psps):
    declined = routed.merchant.wait_final(routed.merchant.created(amounts.ISSUER_DECLINE)["id"])
    assert declined["status"] == "declined"
    kinds = [operation["reason"]["kind"] for operation in declined["operations"]]
    assert (kinds == ["hard_decline"]) == (len(kinds) == 1)


def test_while_one_psp_is_away_payments_go_to_the_other(routed, psps):
    psps["a"].stop()
    paid = routed.merchant.wait_final(routed.merchant.created(100)["id"])
    assert paid["status"] == "captured" and psps_of(paid) == ["a", "b"]
    assert [operation["status"] for operation in paid["operations"]] == ["failed", "succeeded"]
    refunded = routed.merchant.asked(paid["id"], "refund")
    refunded = routed.merchant.wait_for_status(refunded["id"], "refunded")
    assert psps_of(refunded) == ["a", "b", "b"]
    psps["a"].start()
    assert charges(psps, paid) == {"a": 0, "b": 1}


@pytest.mark.parametrize("amount", [amounts.ANSWER_LOST, amounts.RESET_AFTER_CHARGE, amounts.GARBAGE_AFTER_CHARGE,
                                    amounts.TIME_OUT_BEFORE_CHARGE])
def test_what_may_have_been_charged_goes_nowhere_else(routed, psps, amount):
    paid = routed.merchant.wait_final(routed.merchant.created(amount)["id"], timeout_s=60)
    assert paid["status"] == "captured" and psps_of(paid) == ["a"]
    assert charges(psps, paid) == {"a": 1, "b": 0}


def test_new_rules_are_followed_and_wrong_ones_are_not(routed, psps, routing_file):
    def psp_of_a_payment():
        return psps_of(routed.merchant.wait_final(routed.merchant.created(100)["id"]))

    def routing_check():
        return once(routed.core, "GET", "/health").json()["checks"]["connector:routing"][0]

    assert routing_check()["status"] == "pass"
    routing_file.write_text(accounts(psps) + RULE_FOR_B)
    eventually(lambda: psp_of_a_payment() == ["b"], "the new rule to be followed")
    routing_file.write_text(accounts(psps) + '[[rule]]\npsp = "c"\n')
    eventually(lambda: routing_check()["status"] == "warn", "health to tell")
    output = routing_check()["output"]
    assert str(routing_file) in output and "line 8" in output and "hunter" not in output
    assert re.search(r"^switchyard_routing_file_refused 1$", once(routed.metrics, "GET", "/metrics").body.decode(), re.MULTILINE)
    assert psp_of_a_payment() == ["b"]
    routing_file.write_text(first_a_then_b(psps))
    eventually(lambda: routing_check()["status"] == "pass", "health to pass again")
    assert psp_of_a_payment() == ["a"]


def test_payments_do_not_go_by_a_file_that_events_are_not_taken_by(start_switchyard, psps, routing_file, merchant_of):
    routing_file.write_text(first_a_then_b(psps))
    server = start_switchyard(ROUTING_FILE=routing_file, STRIPE_KEY="sk_test_1")
    merchant = merchant_of(server)
    routing_file.write_text(accounts(psps) + '[psp.c]\nadapter = "stripe"\nsecret_key_env = "STRIPE_KEY"\n'
                            'webhook_secret_env = "NOT_SET"\n' + RULE_FOR_B)
    eventually(lambda: once(server.core, "GET", "/health").json()["checks"]["connector:routing"][0]["status"] == "warn",
               "health to tell")
    assert "NOT_SET is not set" in once(server.core, "GET", "/health").json()["checks"]["connector:routing"][0]["output"]
    assert psps_of(merchant.wait_final(merchant.created(100)["id"])) == ["a"]


def start_fails(tmp_path, text=None):
    """The one line of a start that ends with 2."""
    path = tmp_path / "routing.toml"
    if text is not None:
        path.write_text(text)
    done = run_to_exit("switchyard", ["serve"], development_settings(tmp_path, ROUTING_FILE=path), tmp_path)
    assert done.returncode == 2, done.stderr
    [line] = done.stderr.splitlines()
    return line


@pytest.mark.parametrize("text, words", [
    ('[psp.a]\nadapter = "paypal"\n[[rule]]\npsp = "a"\n', ["line 2", "adapter"]),
    ('[psp.a]\nadapter = "simulator"\n[[rule]]\npsp = { a = 0 }\n', ["line 4"]),
    ('[psp.a]\nadapter = "simulator"\n[[rule]]\nwhen = { currency = "XYZ" }\npsp = "a"\n', ["line 4", "XYZ"]),
    ('[psp.a]\nadapter = "simulator"\n[[rule]]\npsp = "a"\nfallback = "a"\n', ["line 5"]),
    ('[psp.a]\nadapter = "stripe"\n[[rule]]\npsp = "a"\n', ["secret_key_env"]),
    ("not toml", ["line 1"]),
    ("", ["there is no account"]),
])
def test_a_wrong_file_stops_the_start_with_one_line(tmp_path, text, words):
    line = start_fails(tmp_path, text)
    assert all(word in line for word in ["ROUTING_FILE", *words]), line


def test_a_secret_that_is_missing_is_named(tmp_path):
    text = '[psp.a]\nadapter = "stripe"\nsecret_key_env = "STRIPE_KEY_OF_A"\n[[rule]]\npsp = "a"\n'
    assert "STRIPE_KEY_OF_A is not set" in start_fails(tmp_path, text)


def test_a_file_that_is_not_there_stops_the_start(tmp_path):
    line = start_fails(tmp_path)
    assert "ROUTING_FILE" in line and "routing.toml" in line and "No such file" in line


def test_nothing_is_charged_twice_while_psps_and_workers_come_and_go(start_fleet, psps, routing_file, merchant_of):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    routing_file.write_text(accounts(psps) + '[[rule]]\npsp = { a = 1, b = 1 }\n')
    fleet = start_fleet(psp_connectors=2, ROUTING_FILE=routing_file, LEASE_SECONDS=2, PSP_TIMEOUT_SECONDS=1)
    merchant = merchant_of(fleet)
    faults = [100, amounts.INSUFFICIENT_FUNDS, amounts.ANSWER_LOST, amounts.RESET_AFTER_CHARGE,
              amounts.GARBAGE_AFTER_CHARGE, amounts.NETWORK_ERROR_BEFORE_SENDING]
    made = []
    for _ in range(8):
        made += [merchant.created(dice.choice(faults))["id"] for _ in range(10)]
        victim = dice.choice([*psps.values(), *fleet.psp_connectors])
        victim.kill()
        time.sleep(dice.random() / 4)
        victim.start()
    ended = [merchant.wait_for_status(identifier, "captured", "declined", "failed", "manual_review", timeout_s=60)
             for identifier in made]
    approved = Counter()
    for psp in psps.values():
        for reference, (_, count) in psp.counts().items():
            approved[reference] += count
    for transaction in ended:
        wanted = {"captured": [1], "declined": [0], "failed": [0], "manual_review": [0, 1]}[transaction["status"]]
        assert approved[transaction["id"]] in wanted, transaction
    assert {"captured", "declined"} <= {transaction["status"] for transaction in ended}
    assert {"a", "b"} <= {psp for transaction in ended for psp in psps_of(transaction)}
