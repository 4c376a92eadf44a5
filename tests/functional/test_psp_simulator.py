"""psp-simulator by itself: charges, idempotency, each way it breaks, scripts, and a ledger that survives kill -9."""

import http.client
import json
import socket
import time

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
    assert psp.charges(REFERENCE) == [body] and psp.counts() == {REFERENCE: (1, 1)}


@pytest.mark.quick
@pytest.mark.parametrize("amount, code, kind", [(amounts.INSUFFICIENT_FUNDS, "51", "soft"),
                                                (amounts.ISSUER_DECLINE, "91", "soft"),
                                                (amounts.SUSPECTED_FRAUD, "59", "hard")])
def test_declines(psp, amount, code, kind):
    body = charge(psp, amount).json()
    assert (body["status"], body["code"], body["decline_kind"]) == ("declined", code, kind)
    assert psp.charges(REFERENCE) == [body] and psp.counts() == {REFERENCE: (1, 0)}


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
                 "/charges/counts?after=a%20b", "/charges?reference=a&refrence=a", "/charges/counts?limits=1"):
        assert_problem(psp.ask("GET", path), 422)


def test_metrics_count_the_charges(psp):
    charge(psp)
    charge(psp)
    charge(psp, amounts.SUSPECTED_FRAUD, "other")
    with Client(psp.metrics) as client:
        text = client.get("/metrics").body.decode()
    assert 'switchyard_psp_simulator_charges_total{outcome="approved"} 1' in text
    assert 'switchyard_psp_simulator_charges_total{outcome="declined"} 1' in text


# ---- breaking

def end_of(psp, amount=100, reference=REFERENCE, patience_s=60):
    """How a charge ends for the client: a status, "reset", "closed", "time-out" or "garbage"."""
    try:
        reply = charge(psp, amount, reference, timeout_s=patience_s)
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
           "garbage_before_charge": ("garbage", 0), "garbage_after_charge": ("garbage", 1)}


@pytest.mark.quick
@pytest.mark.parametrize("behaviour", BY_NAME)
def test_breaks_by_script(psp, behaviour):
    end, charges = BY_NAME[behaviour]
    psp.play({"behaviour": behaviour, "requests": 1})
    assert end_of(psp, patience_s=1 if end == "time-out" else 60) == end
    assert len(psp.charges(REFERENCE)) == charges
    assert end_of(psp) == (200 if charges else 201), "the rule was for one request"


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
    psp.play({"behaviour": "slow", "requests": 3, "delay_ms": 1})
    charge(psp)
    assert psp.ask("GET", "/script").json() == {"rules": [{"behaviour": "slow", "requests": 2, "delay_ms": 1}],
                                                "seed": 0}


@pytest.mark.parametrize("script, named", [
    ({}, "rules"), ({"rules": {}}, "rules"), ({"rules": [], "x": 1}, "x"), ({"rules": [1]}, "rules[0]"),
    ({"rules": [{"behaviour": "explode"}]}, "time_out_after_charge"),
    ({"rules": [{"behaviour": "approve"}, {"requests": 1}]}, "rules[1]"),
    ({"rules": [{"behaviour": "approve", "requests": 0}]}, "requests"),
    ({"rules": [{"behaviour": "approve", "probability": 2}]}, "probability"),
    ({"rules": [{"behaviour": "approve", "delay_ms": 1}]}, "delay_ms"),
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
    psp.kill()
    psp.start()
    assert psp.counts() == expected
    assert charge(psp, reference="reference-0").status == 200


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
