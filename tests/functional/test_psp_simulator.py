"""psp-simulator by itself: charges, what is done with them, idempotency, each way it breaks, results that come later, scripts,
and a ledger that survives kill -9."""

import http.client
import json
import socket
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from support import amounts
from support.http_client import Client
from support.ports import free_port
from support.problems import assert_problem
from support.programs import run_to_exit
from support.waiting import PATIENCE, eventually

REFERENCE = "01a203e2-74d4-7460-8b11-84d1617194c5"


@pytest.fixture
def psp(start_psp_simulator):
    return start_psp_simulator()


def request(amount=100, reference=REFERENCE, **more):
    return {"reference": reference, "amount": amount, "currency": "USD", "capture_method": "automatic", **more}


def charge(psp, amount=100, reference=REFERENCE, key=None, timeout_s=60):
    return psp.ask("POST", "/charges", request(amount, reference), {"Idempotency-Key": key or f"{reference}-1"},
                   timeout_s)


def operate(psp, kind, body, key, charge=f"sim_{REFERENCE}-1", timeout_s=60):
    return psp.ask("POST", f"/charges/{charge}/{kind}s", body, {"Idempotency-Key": key}, timeout_s)


def usd(amount, **more):
    return {"amount": amount, "currency": "USD", **more}


def hold(psp, amount=100):
    assert psp.ask("POST", "/charges", request(amount, capture_method="manual"),
                   {"Idempotency-Key": f"{REFERENCE}-1"}).status == 201


def totals(psp):
    """held, captured, refunded, voided"""
    [shown] = psp.charges(REFERENCE)
    return tuple(shown[name] for name in ("held", "captured", "refunded", "voided"))


# ---- charges

@pytest.mark.quick
def test_a_charge_is_made_once_and_shown(psp):
    first = charge(psp)
    assert first.status == 201
    body = first.json()
    assert body == {"id": f"sim_{REFERENCE}-1", "reference": REFERENCE, "idempotency_key": f"{REFERENCE}-1",
                    "amount": 100, "currency": "USD", "capture_method": "automatic", "status": "approved"}
    again = charge(psp)
    assert (again.status, again.header("Idempotency-Replayed"), again.json()) == (200, "true", body)
    assert psp.charges(REFERENCE) == [{**body, "held": 0, "captured": 100, "refunded": 0, "voided": 0,
                                       "operations": [], "operations_more": False}]
    assert psp.counts() == {REFERENCE: (1, 1)} and psp.money() == {REFERENCE: (100, 0, 0)}


@pytest.mark.quick
@pytest.mark.parametrize("amount, code, kind", [(amounts.INSUFFICIENT_FUNDS, "51", "soft"),
                                                (amounts.ISSUER_DECLINE, "91", "soft"),
                                                (amounts.SUSPECTED_FRAUD, "59", "hard")])
def test_declines(psp, amount, code, kind):
    body = charge(psp, amount).json()
    assert (body["status"], body["code"], body["decline_kind"]) == ("declined", code, kind)
    assert psp.charges(REFERENCE)[0].items() >= body.items() and totals(psp) == (0, 0, 0, 0)
    assert psp.counts() == {REFERENCE: (1, 0)}


@pytest.mark.quick
def test_a_key_with_another_request_is_refused(psp):
    charge(psp)
    for other in ({"amount": 101}, {"currency": "EUR"}, {"capture_method": "manual"}, {"reference": "other"}):
        reply = psp.ask("POST", "/charges", request(**other), {"Idempotency-Key": f"{REFERENCE}-1"})
        assert_problem(reply, 422)
    assert psp.counts() == {REFERENCE: (1, 1)}


def test_two_keys_are_two_charges(psp):
    charge(psp, key="key-1")
    charge(psp, key="key-2")
    assert [item["idempotency_key"] for item in psp.charges(REFERENCE)] == ["key-1", "key-2"]


def test_a_reference_without_charges_has_an_empty_list(psp):
    assert psp.charges("nothing") == []


def test_counts_come_in_pages(psp):
    for number in range(25):
        charge(psp, reference=f"reference-{number:02}")
    assert psp.counts(limit=10) == {f"reference-{number:02}": (1, 1) for number in range(25)}


@pytest.mark.parametrize("body", [{"reference": ""}, {"reference": "a b"}, {"reference": None}, {"amount": 0},
                                  {"amount": "100"}, {"amount": 1.5}, {"currency": "XXZ"}, {"capture_method": None}])
def test_a_malformed_request_is_refused_and_charges_nothing(psp, body):
    assert_problem(psp.ask("POST", "/charges", {**request(), **body}, {"Idempotency-Key": "key-1"}), 422)
    assert psp.counts() == {}


def test_a_request_without_a_sane_key_is_refused(psp):
    assert_problem(psp.ask("POST", "/charges", request()), 400)
    assert_problem(psp.ask("POST", "/charges", request(), {"Idempotency-Key": "a b"}), 400)


def test_queries_are_checked(psp):
    for path in ("/charges", "/charges?reference=a%20b", "/charges/counts?limit=0", "/charges/counts?limit=1001",
                 "/charges/counts?after=a%20b", "/charges?reference=a&refrence=a", "/charges/counts?limits=1",
                 "/operations", "/operations?idempotency_key=a%20b"):
        assert_problem(psp.ask("GET", path), 422)


def test_metrics_count_the_charges(psp):
    charge(psp)
    charge(psp)
    charge(psp, amounts.SUSPECTED_FRAUD, "other")
    with Client(psp.metrics) as client:
        text = client.get("/metrics").body.decode()
    assert 'switchyard_psp_simulator_charges_total{outcome="approved"} 1' in text
    assert 'switchyard_psp_simulator_charges_total{outcome="declined"} 1' in text


# ---- captures, voids and refunds

@pytest.mark.quick
def test_an_operation_is_done_once_and_shown(psp):
    charge(psp)
    first = operate(psp, "refund", usd(30), "key-2")
    assert first.status == 201
    body = first.json()
    assert body == {"id": "sim_key-2", "kind": "refund", "charge": f"sim_{REFERENCE}-1", "reference": REFERENCE,
                    "idempotency_key": "key-2", "amount": 30, "currency": "USD", "status": "succeeded"}
    again = operate(psp, "refund", usd(30), "key-2")
    assert (again.status, again.header("Idempotency-Replayed"), again.json()) == (200, "true", body)
    assert psp.operations("key-2") == [body] and psp.charges(REFERENCE)[0]["operations"] == [body]
    assert totals(psp) == (0, 100, 30, 0) and psp.money() == {REFERENCE: (100, 30, 0)}
    assert psp.operations("key-3") == []


@pytest.mark.quick
def test_what_is_held_is_captured_part_by_part_and_the_rest_released(psp):
    hold(psp)
    assert totals(psp) == (100, 0, 0, 0)
    assert operate(psp, "capture", usd(30, final=False), "key-2").status == 201
    assert totals(psp) == (70, 30, 0, 0)
    assert operate(psp, "capture", usd(20), "key-3").status == 201, "the last one, unless it says otherwise"
    assert totals(psp) == (0, 50, 0, 0)
    assert operate(psp, "refund", usd(50), "key-4").status == 201
    assert totals(psp) == (0, 50, 50, 0)


@pytest.mark.quick
def test_a_void_gives_back_what_is_held(psp):
    hold(psp)
    operate(psp, "capture", usd(30, final=False), "key-2")
    assert operate(psp, "void", {}, "key-3").json()["amount"] == 70
    assert operate(psp, "void", {}, "key-3").status == 200
    assert totals(psp) == (0, 30, 0, 70)


def refused(psp, kind, body, key):
    reply = operate(psp, kind, body, key)
    assert_problem(reply, 422)
    assert operate(psp, kind, body, key).json() == reply.json(), "under the same key the same again"
    return reply.json()["code"]


@pytest.mark.quick
def test_what_the_charge_does_not_allow_is_refused_with_a_code(psp):
    charge(psp)
    before = totals(psp)
    assert refused(psp, "refund", usd(101), "key-2") == "over_what_is_left"
    assert refused(psp, "capture", usd(1), "key-3") == "wrong_state"
    assert refused(psp, "void", {}, "key-4") == "wrong_state"
    assert totals(psp) == before
    [booked] = psp.operations("key-2")
    assert (booked["status"], booked["code"]) == ("declined", "over_what_is_left")


def test_of_a_hundred_refunds_at_once_ten_are_done(psp):
    charge(psp)
    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda number: operate(psp, "refund", usd(10), f"refund-{number}").status, range(100)))
    assert sorted(statuses) == [201] * 10 + [422] * 90
    assert totals(psp) == (0, 100, 100, 0)


@pytest.mark.quick
def test_an_operation_needs_its_charge_its_key_and_sane_members(psp):
    assert_problem(operate(psp, "refund", usd(1), "key-2"), 404)
    assert_problem(operate(psp, "refund", usd(1), "key-2", charge="nothing"), 404)
    charge(psp)
    for body in ({}, usd(0), usd("1"), usd(1.5), {"amount": 1}, {"amount": 1, "currency": "EUR"}, usd(1, final=True)):
        assert_problem(operate(psp, "refund", body, "key-2"), 422)
    assert_problem(operate(psp, "capture", usd(1, final=1), "key-2"), 422)
    assert_problem(psp.ask("POST", f"/charges/sim_{REFERENCE}-1/refunds", usd(1)), 400)
    assert psp.operations("key-2") == [] and totals(psp) == (0, 100, 0, 0)


def test_a_key_is_for_one_operation_only(psp):
    charge(psp)
    operate(psp, "refund", usd(30), "key-2")
    for kind, body in (("refund", usd(31)), ("capture", usd(30)), ("void", {})):
        reply = operate(psp, kind, body, "key-2")
        assert_problem(reply, 422)
        assert "code" not in reply.json()
    assert_problem(operate(psp, "refund", usd(1), f"{REFERENCE}-1"), 422)
    assert totals(psp) == (0, 100, 30, 0)


# ---- results that come later

def status_of(psp, key):
    [booked] = psp.operations(key)
    return booked["status"], booked.get("code")


@pytest.mark.quick
def test_results_come_later(psp):
    psp.play({"behaviour": "pending", "kind": "authorize", "delay_ms": 50},
             {"behaviour": "pending", "kind": "refund", "requests": 1, "delay_ms": 50},
             {"behaviour": "pending_then_declined", "kind": "refund", "delay_ms": 50})
    assert charge(psp).json()["status"] == "pending"
    eventually(lambda: psp.charges(REFERENCE)[0]["status"] == "approved", "the charge to be approved")
    assert totals(psp) == (0, 100, 0, 0)
    assert operate(psp, "refund", usd(30), "key-2").json()["status"] == "pending"
    assert operate(psp, "refund", usd(40), "key-3").json()["status"] == "pending"
    eventually(lambda: status_of(psp, "key-2") == ("succeeded", None), "the refund to succeed")
    eventually(lambda: status_of(psp, "key-3") == ("declined", "59"), "the other one to be declined")
    assert totals(psp) == (0, 100, 30, 0)


@pytest.mark.quick
def test_what_is_pending_counts_as_taken(psp):
    charge(psp)
    psp.play({"behaviour": "pending", "requests": 1, "delay_ms": 60_000})
    assert operate(psp, "refund", usd(60), "key-2").json()["status"] == "pending"
    assert refused(psp, "refund", usd(41), "key-3") == "over_what_is_left"
    assert operate(psp, "refund", usd(40), "key-4").status == 201
    assert totals(psp) == (0, 100, 40, 0)


@pytest.mark.quick
def test_results_are_taken_back(psp):
    charge(psp)
    psp.play({"behaviour": "taken_back", "delay_ms": 300})
    assert operate(psp, "refund", usd(30), "key-2").json()["status"] == "succeeded"
    assert psp.money() == {REFERENCE: (100, 30, 0)}
    eventually(lambda: status_of(psp, "key-2") == ("declined", "taken_back"), "the refund to be taken back")
    assert psp.money() == {REFERENCE: (100, 0, 0)}


def test_results_come_later_by_amount(psp):
    assert charge(psp, amounts.PENDING, "a").json()["status"] == "pending"
    assert charge(psp, amounts.PENDING_THEN_DECLINED, "b").json()["status"] == "pending"
    assert charge(psp, amounts.TAKEN_BACK, "c").json()["status"] == "approved"
    for reference, status in (("a", "approved"), ("b", "declined"), ("c", "declined")):
        eventually(lambda: psp.charges(reference)[0]["status"] == status, f"{reference} to be {status}")


# ---- breaking

def refund_30(psp, *_, timeout_s):
    return operate(psp, "refund", usd(30), "key-2", timeout_s=timeout_s)


def end_of(psp, amount=100, reference=REFERENCE, patience_s=60, send=charge):
    """How a request ends for the client: a status, "reset", "closed", "time-out" or "garbage"."""
    try:
        reply = send(psp, amount, reference, timeout_s=patience_s)
        reply.json()
        return reply.status
    except http.client.RemoteDisconnected:
        return "closed"
    except ConnectionResetError:
        return "reset"
    except TimeoutError:
        return "time-out"
    except ValueError:
        return "garbage"


BY_AMOUNT = {amounts.NETWORK_ERROR_BEFORE_SENDING: ("reset", 0), amounts.ANSWER_LOST: ("time-out", 1),
             amounts.SLOW: (201, 1), amounts.ERROR_AFTER_CHARGE: (500, 1), amounts.RESET_AFTER_CHARGE: ("reset", 1),
             amounts.GARBAGE_AFTER_CHARGE: ("garbage", 1)}


@pytest.mark.quick
@pytest.mark.parametrize("amount", BY_AMOUNT)
def test_breaks_by_amount(psp, amount):
    end, charges = BY_AMOUNT[amount]
    assert end_of(psp, amount, patience_s=1 if end == "time-out" else 60) == end
    assert len(psp.charges(REFERENCE)) == charges


def test_slow_is_late(psp):
    started = time.monotonic()
    assert end_of(psp, amounts.SLOW) == 201
    assert time.monotonic() - started >= 1


def test_a_time_out_before_the_charge_is_for_the_first_request_only(psp):
    assert end_of(psp, amounts.TIME_OUT_BEFORE_CHARGE, patience_s=1) == "time-out"
    assert psp.charges(REFERENCE) == []
    assert end_of(psp, amounts.TIME_OUT_BEFORE_CHARGE) == 201


BY_NAME = {"approve": (201, 1), "soft_decline": (201, 1), "hard_decline": (201, 1), "slow": (201, 1),
           "time_out_before_charge": ("time-out", 0), "time_out_after_charge": ("time-out", 1),
           "error_before_charge": (500, 0), "error_after_charge": (500, 1),
           "reset_before_charge": ("reset", 0), "reset_after_charge": ("reset", 1),
           "garbage_before_charge": ("garbage", 0), "garbage_after_charge": ("garbage", 1),
           "pending": (201, 1), "pending_then_declined": (201, 1), "taken_back": (201, 1),
           "error_kept_before_charge": (500, 0), "error_kept_after_charge": (500, 1), "transient_error": (503, 0),
           "in_use": (409, 0), "too_many_requests": (429, 0)}


@pytest.mark.quick
@pytest.mark.parametrize("behaviour", BY_NAME)
def test_breaks_by_script(psp, behaviour):
    end, charges = BY_NAME[behaviour]
    psp.play({"behaviour": behaviour, "requests": 1})
    assert end_of(psp, patience_s=1 if end == "time-out" else 60) == end
    assert len(psp.charges(REFERENCE)) == charges
    assert end_of(psp) == (200 if charges else 201), "the rule was for one request"


@pytest.mark.quick
@pytest.mark.parametrize("behaviour", BY_NAME)
def test_operations_break_by_script(psp, behaviour):
    charge(psp)
    end, operations = BY_NAME[behaviour]
    psp.play({"behaviour": behaviour, "requests": 1, "kind": "refund"})
    assert end_of(psp, patience_s=1 if end == "time-out" else 60, send=refund_30) == end
    assert len(psp.operations("key-2")) == operations
    assert end_of(psp, send=refund_30) == (200 if operations else 201), "the rule was for one request"
    if "decline" not in behaviour and behaviour != "pending":
        assert totals(psp)[2] == (0 if behaviour == "taken_back" and status_of(psp, "key-2")[0] == "declined" else 30)


def test_a_rule_is_for_its_kind_and_an_operation_has_its_charges_reference(psp):
    psp.play({"behaviour": "hard_decline", "kind": "capture"},
             {"behaviour": "error_before_charge", "kind": "refund", "reference": REFERENCE})
    hold(psp)
    assert operate(psp, "capture", usd(100), "key-2").json()["status"] == "declined"
    psp.play({"behaviour": "error_before_charge", "kind": "refund", "reference": REFERENCE},
             {"behaviour": "garbage_before_charge", "kind": "refund"})
    assert operate(psp, "capture", usd(100), "key-3").json()["status"] == "succeeded"
    assert operate(psp, "refund", usd(1), "key-4").status == 500


@pytest.mark.quick
def test_refunds_break_by_amount(psp):
    charge(psp, 10_000_000)
    for amount, (end, operations) in BY_AMOUNT.items():
        def refund(psp, *_, amount=amount, timeout_s):
            return operate(psp, "refund", usd(amount), f"key-{amount}", timeout_s=timeout_s)
        assert end_of(psp, patience_s=1 if end == "time-out" else 60, send=refund) == end
        assert len(psp.operations(f"key-{amount}")) == operations


def test_a_rule_for_a_reference_and_one_with_a_probability(psp):
    psp.play({"behaviour": "error_before_charge", "reference": "a"},
             {"behaviour": "garbage_before_charge", "probability": 0.5}, seed=7)
    assert [end_of(psp, reference="a") for _ in range(3)] == [500] * 3
    ends = [end_of(psp, reference=f"b-{number}") for number in range(60)]
    assert set(ends) == {"garbage", 201}
    psp.play({"behaviour": "error_before_charge", "reference": "a"},
             {"behaviour": "garbage_before_charge", "probability": 0.5}, seed=7)
    assert [end_of(psp, reference=f"c-{number}") for number in range(60)] == ends, "the seed repeats it"
    psp.behave()
    assert end_of(psp, reference="a") == 201


def test_the_script_is_shown_with_what_is_left(psp):
    psp.play({"behaviour": "slow", "kind": "authorize", "requests": 3, "delay_ms": 1})
    charge(psp)
    assert psp.ask("GET", "/script").json() == {
        "rules": [{"behaviour": "slow", "kind": "authorize", "requests": 2, "delay_ms": 1}], "seed": 0}


@pytest.mark.parametrize("script, named", [
    ({}, "rules"), ({"rules": {}}, "rules"), ({"rules": [], "x": 1}, "x"), ({"rules": [1]}, "rules[0]"),
    ({"rules": [{"behaviour": "explode"}]}, "time_out_after_charge"),
    ({"rules": [{"behaviour": "approve"}, {"requests": 1}]}, "rules[1]"),
    ({"rules": [{"behaviour": "approve", "requests": 0}]}, "requests"),
    ({"rules": [{"behaviour": "approve", "probability": 2}]}, "probability"),
    ({"rules": [{"behaviour": "approve", "delay_ms": 1}]}, "delay_ms"),
    ({"rules": [{"behaviour": "approve", "kind": "settle"}]}, "kind"),
    ({"rules": [{"behaviour": "approve"}] * 101}, "100"),
])
def test_a_malformed_script_is_refused_and_changes_nothing(psp, script, named):
    psp.play({"behaviour": "hard_decline"})
    reply = psp.ask("PUT", "/script", script)
    assert_problem(reply, 422)
    assert named in reply.json()["detail"]
    assert charge(psp).json()["status"] == "declined"


# ---- the program

def test_the_ledger_survives_kill_9(psp):
    expected = {}
    for number in range(20):
        reference = f"reference-{number}"
        assert charge(psp, reference=reference).status == 201
        expected[reference] = (1, 1)
    assert operate(psp, "refund", usd(30), "key-2", charge="sim_reference-0-1").status == 201
    psp.kill()
    psp.start()
    assert psp.counts() == expected
    assert psp.money()["reference-0"] == (100, 30, 0)
    assert charge(psp, reference="reference-0").status == 200
    assert operate(psp, "refund", usd(30), "key-2", charge="sim_reference-0-1").status == 200


LEDGER_OF_VERSION_0_1 = f"""
CREATE TABLE charges (
  reference TEXT NOT NULL, idempotency_key TEXT NOT NULL, amount_minor INTEGER NOT NULL, currency TEXT NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('approved', 'declined')), code TEXT NOT NULL, charged_at_ms INTEGER NOT NULL,
  capture_method TEXT NOT NULL DEFAULT 'automatic', request_fingerprint BLOB NOT NULL DEFAULT x'',
  PRIMARY KEY (reference, idempotency_key)) STRICT, WITHOUT ROWID;
CREATE TABLE postponed (idempotency_key TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX charges_by_key ON charges (idempotency_key);
INSERT INTO charges (reference, idempotency_key, amount_minor, currency, outcome, code, charged_at_ms) VALUES
  ('{REFERENCE}', '{REFERENCE}-1', 100, 'USD', 'approved', '', 1), ('declined', 'declined-1', 100, 'USD', 'declined', '59', 1);
"""


def test_a_ledger_of_version_0_1_is_taken_over(psp):
    psp.stop()
    for file in psp.ledger.parent.glob(f"{psp.ledger.name}*"):
        file.unlink()
    with closing(sqlite3.connect(psp.ledger)) as ledger:
        ledger.executescript(LEDGER_OF_VERSION_0_1)
    psp.start()
    assert psp.counts() == {REFERENCE: (1, 1), "declined": (1, 0)}
    assert charge(psp).status == 200
    assert operate(psp, "refund", usd(100), "key-2").status == 201
    assert psp.money() == {REFERENCE: (100, 100, 0), "declined": (0, 0, 0)}


@pytest.mark.quick
def test_stops_although_clients_wait_for_an_answer_that_never_comes(psp):
    psp.play({"behaviour": "time_out_after_charge"})
    with socket.create_connection(("127.0.0.1", psp.port)) as connection:
        body = json.dumps(request()).encode()
        connection.sendall(b"POST /charges HTTP/1.1\r\nHost: psp\r\nContent-Type: application/json\r\n"
                           b"Idempotency-Key: key-1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        eventually(lambda: psp.charges(REFERENCE), "the charge")
        started = time.monotonic()
        assert psp.stop() == 0
        assert time.monotonic() - started < 5 * PATIENCE


@pytest.mark.quick
@pytest.mark.parametrize("variable, value", [("HTTP_PORT", "abc"), ("HTTP_HOST", "nowhere"), ("LOG_FORMAT", "xml"),
                                             ("METRICS_PORT", "-1"), ("SHUTDOWN_SECONDS", "0")])
def test_checks_its_environment(tmp_path, variable, value):
    settings = {"HTTP_PORT": str(free_port()), "PSP_SIMULATOR_LEDGER": str(tmp_path / "psp.db"), variable: value}
    done = run_to_exit("psp-simulator", [], settings, tmp_path)
    assert done.returncode == 2 and variable in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_ledger_that_was_deleted_takes_no_charge(psp):
    assert charge(psp, reference="before").status == 201
    psp.ledger.unlink()
    assert_problem(charge(psp, reference="behind"), 503)
    eventually(lambda: psp.ask("GET", "/health").status == 503, "health to tell")
    eventually(lambda: f"{psp.ledger}: was moved, deleted or replaced" in psp.program.log(), "the log to say it")
    assert not psp.ledger.exists(), "it makes no other in its place"


def test_a_ledger_that_cannot_be_opened_is_a_clear_error(tmp_path):
    done = run_to_exit("psp-simulator", [], {"HTTP_PORT": str(free_port()), "PSP_SIMULATOR_LEDGER": "/dev/null/x"},
                       tmp_path)
    assert done.returncode == 1 and "/dev/null/x" in done.stderr and len(done.stderr.splitlines()) == 1


# ---- what other tests lean on

def test_the_amounts_of_the_tests_are_those_of_the_program():
    assert set(BY_AMOUNT) | {amounts.INSUFFICIENT_FUNDS, amounts.ISSUER_DECLINE, amounts.SUSPECTED_FRAUD,
                             amounts.TIME_OUT_BEFORE_CHARGE} == set(amounts.FINAL_STATUS)
