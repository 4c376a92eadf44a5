"""Captures, voids and refunds, and what a merchant may say of a transaction: the contract row by row, over both stores."""

import contextlib
import sqlite3
import threading
import time
import uuid
from collections import Counter

import pytest

from support import amounts, storage, tokens
from support.concurrency import at_once
from support.http_client import Client
from support.problems import assert_problem
from support.programs import SECRET, ThreeServices
from support.waiting import PATIENCE, eventually

REPLAYED = "Idempotency-Replayed"
APPLIED = "Preference-Applied"
UNKNOWN_ID = "0190a000-0000-7000-8000-000000000000"
VERBS = ["capture", "void", "refund"]
VISA = "4111111111111111"
SUCCEEDS_LATER = 700001  # the simulated PSP takes it, and says so a second later

POSSIBLE, OVER = "Not possible in this state", "More than is left"


@pytest.fixture(params=["sqlite", "postgres"])
def server(request):
    if request.param == "sqlite":
        return request.getfixturevalue("switchyard")
    return request.getfixturevalue("start_switchyard")(DATABASE_URL=request.getfixturevalue("postgres_url"))


@pytest.fixture
def payer(server, merchant_of):
    """A merchant that no other test uses, over one store after the other."""
    return merchant_of(server)


@pytest.fixture(params=["sqlite", "postgres"])
def fleet(request, start_fleet):
    """Three core-apis over one store."""
    url = {} if request.param == "sqlite" else {"DATABASE_URL": request.getfixturevalue("postgres_url")}
    return start_fleet(core_apis=3, psp_connectors=2, **url)


def held(merchant, amount=100, **more):
    """A transaction whose money is held."""
    identifier = merchant.created(amount, capture="manual", **more)["id"]
    return merchant.wait_for_status(identifier, "authorized")


def taken(merchant, amount=100, **more):
    """A transaction whose money was taken."""
    return merchant.wait_for_status(merchant.created(amount, **more)["id"], "captured")


def totals(transaction):
    return tuple(transaction[f"{name}_amount"] for name in ("authorized", "captured", "refunded"))


def kinds(transaction):
    return [(operation["kind"], operation["amount"], operation["status"]) for operation in transaction["operations"]]


def book(server, transaction_id):
    """(captured, refunded, given back by a void) of all charges, as the PSP has them."""
    reference = storage.psp_reference(server.database, transaction_id)
    [row] = storage.query(server.ledger, "SELECT sum(captured_minor), sum(refunded_minor), sum(voided_minor) "
                                         "FROM charges WHERE reference = ?", (reference,))
    return row


# ---- what happens to the money

@pytest.mark.quick
def test_held_and_captured(payer):
    held_one = held(payer)
    assert totals(held_one) == (100, 0, 0)
    asked = payer.asked(held_one["id"], "capture")
    assert (asked["status"], totals(asked)) == ("processing", (100, 0, 0)), "asynchronous work shows in its status"
    assert "operations" not in asked and asked["operation"] == f"{held_one['id']}-2"
    captured = payer.wait_for_status(held_one["id"], "captured")
    assert totals(captured) == (100, 100, 0)
    assert kinds(captured) == [("authorize", 100, "succeeded"), ("capture", 100, "succeeded")]
    capture = captured["operations"][1]
    assert (capture["id"], capture["final"], capture["sends"]) == (f"{held_one['id']}-2", True, 1)
    assert capture["psp"] == captured["operations"][0]["psp"] and capture["ended_at"]
    assert book(payer.server, held_one["id"]) == (100, 0, 0)


def test_a_partial_capture_gives_the_rest_back(payer):
    identifier = held(payer)["id"]
    payer.asked(identifier, "capture", amount=60)
    captured = payer.wait_for_status(identifier, "captured")
    assert totals(captured) == (100, 60, 0)
    problem = assert_problem(payer.ask(identifier, "capture", amount=40), 409, POSSIBLE)
    assert problem["transaction_status"] == "captured" and problem["detail"].endswith("; possible: refund")
    assert book(payer.server, identifier)[:2] == (60, 0)


def test_several_captures_until_nothing_is_left(payer):
    identifier = held(payer)["id"]
    for amount, captured in ((60, 60), ("30", 90)):
        payer.asked(identifier, "capture", amount=amount, final=False)
        assert totals(payer.wait_for_status(identifier, "captured")) == (100, captured, 0)
    assert assert_problem(payer.ask(identifier, "capture", amount=11), 422, OVER)["left"] == 10
    payer.asked(identifier, "capture")
    captured = payer.wait_for_status(identifier, "captured")
    assert totals(captured) == (100, 100, 0)
    assert [operation.get("final") for operation in captured["operations"]] == [None, False, False, True]
    assert book(payer.server, identifier)[:2] == (100, 0)


@pytest.mark.quick
def test_held_and_voided(payer):
    identifier = held(payer)["id"]
    payer.asked(identifier, "void")
    voided = payer.wait_for_status(identifier, "voided")
    assert totals(voided) == (100, 0, 0)
    assert kinds(voided)[1] == ("void", 100, "succeeded")
    assert book(payer.server, identifier) == (0, 0, 100)


def test_what_a_capture_left_can_be_voided(payer):
    identifier = held(payer)["id"]
    payer.asked(identifier, "capture", amount=60, final=False)
    payer.wait_for_status(identifier, "captured")
    payer.asked(identifier, "void")
    voided = payer.wait_for_status(identifier, "captured")
    assert kinds(voided)[2] == ("void", 40, "succeeded")
    assert_problem(payer.ask(identifier, "capture"), 409, POSSIBLE)
    assert book(payer.server, identifier) == (60, 0, 40)


@pytest.mark.quick
def test_several_partial_refunds_until_nothing_is_left(payer):
    identifier = taken(payer)["id"]
    payer.asked(identifier, "refund", amount=30, reason="too small", reference="return 1")
    once = payer.wait_for_status(identifier, "partially_refunded")
    assert totals(once) == (100, 100, 30)
    assert (once["operations"][1]["note"], once["operations"][1]["reference"]) == ("too small", "return 1")
    payer.asked(identifier, "refund", amount="30")
    eventually(lambda: payer.show(identifier)["refunded_amount"] == 60, "the second refund")
    assert assert_problem(payer.ask(identifier, "refund", amount=41), 422, OVER)["left"] == 40
    payer.asked(identifier, "refund")
    refunded = payer.wait_for_status(identifier, "refunded")
    assert totals(refunded) == (100, 100, 100)
    assert [operation["amount"] for operation in refunded["operations"]] == [100, 30, 30, 40]
    problem = assert_problem(payer.ask(identifier, "refund"), 422, OVER)
    assert problem["left"] == 0 and problem["detail"].startswith("0.00 USD is left to refund")
    assert book(payer.server, identifier) == (100, 100, 0)


def test_more_than_is_left_counts_what_is_under_way(payer):
    identifier = taken(payer, 1_000_000)["id"]
    payer.asked(identifier, "refund", amount=SUCCEEDS_LATER)
    left = 1_000_000 - SUCCEEDS_LATER
    problem = assert_problem(payer.ask(identifier, "refund", amount=left + 1), 422, OVER)
    assert problem["left"] == left and f"{left / 100:.2f} USD is left" in problem["detail"]
    payer.asked(identifier, "refund", amount=left)
    assert totals(payer.wait_for_status(identifier, "refunded")) == (1_000_000,) * 3


def test_more_than_was_held_is_422(payer):
    identifier = held(payer)["id"]
    for amount in (101, 10**12, 2**63 - 1):
        assert assert_problem(payer.ask(identifier, "capture", amount=amount), 422, OVER)["left"] == 100
    assert kinds(payer.show(identifier)) == [("authorize", 100, "succeeded")], "a refusal leaves nothing behind"


@pytest.mark.parametrize("verb, amount", [("capture", amounts.INSUFFICIENT_FUNDS), ("refund", amounts.SUSPECTED_FRAUD)])
def test_a_declined_operation_leaves_the_money_where_it_is(payer, verb, amount):
    before = (held if verb == "capture" else taken)(payer, 1_000_000)
    payer.asked(before["id"], verb, amount=amount)
    after = payer.wait_for_status(before["id"], before["status"])
    assert totals(after) == totals(before)
    operation = after["operations"][1]
    assert operation["status"] == "declined"
    assert operation["reason"]["code"] and operation["reason"]["kind"] in ("soft_decline", "hard_decline")
    payer.asked(before["id"], verb)
    after = payer.wait_for_status(before["id"], "captured" if verb == "capture" else "refunded")
    assert kinds(after)[2] == (verb, 1_000_000, "succeeded")


# ---- what is not possible

def declined(merchant):
    return merchant.wait_for_status(merchant.created(amounts.SUSPECTED_FRAUD)["id"], "declined")


def failed(merchant):
    return merchant.wait_for_status(merchant.created(amounts.NETWORK_ERROR_BEFORE_SENDING)["id"], "failed")


def voided(merchant):
    identifier = held(merchant)["id"]
    merchant.asked(identifier, "void")
    return merchant.wait_for_status(identifier, "voided")


@pytest.mark.parametrize("prepare, verbs, possible", [
    (held, ["refund"], "; possible: capture, void"), (taken, ["capture", "void"], "; possible: refund"),
    (voided, VERBS, "nothing more"), (declined, VERBS, "nothing more"), (failed, VERBS, "nothing more")])
def test_what_the_state_does_not_allow_is_409(payer, prepare, verbs, possible):
    transaction = prepare(payer)
    for verb in verbs:
        problem = assert_problem(payer.ask(transaction["id"], verb), 409, POSSIBLE)
        assert problem["transaction_status"] == transaction["status"]
        assert verb in problem["detail"] and possible in problem["detail"]
    assert payer.show(transaction["id"]) == transaction


def test_nothing_can_be_asked_of_what_is_not_authorized_yet(tmp_path, merchant_of):
    services = ThreeServices(tmp_path).start(without_connector=True)
    try:
        merchant = merchant_of(services)
        created = merchant.created(capture="manual")
        identifier = created["id"]
        assert created["status"] == "processing", "what only holds money has its authorization from the start"
        for verb in VERBS:
            problem = assert_problem(merchant.ask(identifier, verb), 409, POSSIBLE)
            assert problem["transaction_status"] == "processing" and "wait until it is authorized" in problem["detail"]
        [authorization] = merchant.show(identifier)["operations"]
        assert (authorization["number"], authorization["kind"], authorization["status"]) == (1, "authorize", "requested")
        assert (authorization["sends"], "psp" in authorization) == (0, False)
    finally:
        assert services.stop() == 0


@pytest.mark.quick
@pytest.mark.parametrize("verb", VERBS)
def test_a_transaction_that_is_not_the_merchants_is_404(payer, merchant_of, verb):
    other = merchant_of(payer.server)
    mine = held(payer)
    problems = [assert_problem(other.ask(identifier, verb), 404, "Not found")
                for identifier in (mine["id"], UNKNOWN_ID, "x", "%00", UNKNOWN_ID + "0")]
    assert len({problem["detail"] for problem in problems}) == 1, "the reply tells that the id exists"
    assert payer.show(mine["id"]) == mine


# ---- requests

@pytest.mark.quick
@pytest.mark.parametrize("verb, body, error", [
    ("capture", {"amount": 0}, "Amount must be positive"), ("capture", {"amount": -1}, "Amount must be positive"),
    ("refund", {"amount": 1.5}, "Invalid amount"), ("refund", {"amount": "1.0"}, "Invalid amount"),
    ("refund", {"amount": None}, "Amount is blank"), ("refund", {"amount": ""}, "Amount is blank"),
    ("refund", {"amount": True}, "Invalid amount"), ("refund", {"amount": 2**63}, "Amount is too large"),
    ("refund", {"amount": "9" * 400}, "Amount is too large"), ("capture", {"final": "no"}, "Invalid final"),
    ("capture", {"currency": "USD"}, "Unknown member"), ("void", {"amount": 1}, "Unknown member"),
    ("refund", {"final": True}, "Unknown member"), ("refund", {"reference": ""}, "Invalid reference"),
    ("refund", {"reason": 7}, "Invalid reason"), ("refund", {"reason": "x" * 256}, "Invalid reason"),
    ("refund", {"reason": f"of {VISA}"}, "Card number not allowed")])
def test_what_is_wrong_with_a_request_is_422_and_named(merchant, verb, body, error):
    assert VISA not in assert_problem(merchant.ask(UNKNOWN_ID, verb, **body), 422, error)["detail"]


def test_a_request_is_read_like_any_other(merchant):
    path = f"/transaction/{UNKNOWN_ID}/refund"
    for body, status in ((b"{", 400), (b"[]", 400), (b" ", 400), (b'{"amount":1,"amount":2}', 400)):
        assert_problem(merchant.client.post(path, body=body, headers=merchant.authorization), status)
    text = {**merchant.authorization, "Content-Type": "text/plain"}
    assert_problem(merchant.client.post(path, body=b"{}", headers=text), 415)
    assert_problem(merchant.client.post(path + "?amount=1", {}, headers=merchant.authorization), 422,
                   "Unknown query parameter")
    assert_problem(merchant.client.post(path, {}), 401, "Token is blank")
    assert_problem(merchant.client.post(path, {"amount": -1}), 401, "Token is blank")
    assert_problem(merchant.client.post(path, {"token": merchant.token}, headers=merchant.authorization), 400, "Two tokens")
    assert_problem(merchant.ask(UNKNOWN_ID, "refund", key='"open'), 400, "Invalid idempotency key")
    assert_problem(merchant.ask(UNKNOWN_ID, "refund"), 404)


@pytest.mark.quick
def test_no_body_at_all_is_an_empty_object(merchant):
    identifier = held(merchant)["id"]
    reply = merchant.client.request("POST", f"/transaction/{identifier}/capture", headers=merchant.authorization)
    assert reply.status == 200, reply.body
    assert totals(merchant.wait_for_status(identifier, "captured")) == (100, 100, 0)
    assert_problem(merchant.client.request("POST", f"/transaction/{identifier}/refund"), 401, "Token is blank")


def test_the_token_may_come_in_the_body(merchant):
    identifier = held(merchant)["id"]
    reply = merchant.client.post(f"/transaction/{identifier}/void", {"token": merchant.token})
    assert (reply.status, reply.json()["id"]) == (200, identifier)


def test_a_user_who_was_disabled_is_403(merchant, merchant_of):
    disabled = merchant_of(merchant.server, user_id=merchant.user_id,
                           token=tokens.mint(SECRET, user_id=merchant.user_id, enabled=False))
    identifier = taken(merchant)["id"]
    first = merchant.ask(identifier, "refund", key="before", amount=10)
    assert_problem(disabled.ask(identifier, "refund"), 403, "User not enabled for transactions")
    assert_problem(disabled.ask(identifier, "refund", key="after"), 403, "User not enabled for transactions")
    again = disabled.ask(identifier, "refund", key="before", amount=10)
    assert (again.status, again.body, again.header(REPLAYED)) == (200, first.body, "true")


def test_a_full_backlog_is_503_and_nothing_is_done(tmp_path, merchant_of):
    small = ThreeServices(tmp_path, MAX_BACKLOG=20).start()
    try:
        merchant = merchant_of(small)
        identifier = taken(merchant)["id"]
        first = merchant.ask(identifier, "refund", key="before", amount=10)
        merchant.wait_for_status(identifier, "partially_refunded")
        assert small.psp_connector.stop() == 0
        full = eventually(lambda: next((r for _ in range(30) if (r := merchant.create()).status == 503), None), "no room")
        assert_problem(full, 503, "Backlog is full")
        before = merchant.show(identifier)
        refused = merchant.ask(identifier, "refund", key="after", amount=10)
        assert_problem(refused, 503, "Backlog is full")
        assert int(refused.header("Retry-After")) >= 1
        assert merchant.ask(identifier, "refund", key="before", amount=10).body == first.body
        assert merchant.show(identifier) == before
        small.psp_connector.start()
        again = eventually(lambda: (r := merchant.ask(identifier, "refund", key="after", amount=10)).status == 200 and r,
                           "the backlog to drain")
        assert again.header(REPLAYED) is None
    finally:
        assert small.stop() == 0


# ---- Idempotency-Key

def prepared(merchant, verb):
    return (taken if verb == "refund" else held)(merchant)["id"]


@pytest.mark.quick
@pytest.mark.parametrize("verb", VERBS)
def test_a_key_is_answered_with_its_first_reply(payer, verb):
    identifier = prepared(payer, verb)
    body = {} if verb == "void" else {"amount": 40}
    first = payer.ask(identifier, verb, key="one", **body)
    assert (first.status, first.header(REPLAYED)) == (200, None)
    payer.wait_for_status(identifier, {"capture": "captured", "void": "voided", "refund": "partially_refunded"}[verb])
    for spelt in (body, {name: str(value) for name, value in body.items()}):
        again = payer.ask(identifier, verb, key='"one"', **spelt)
        assert (again.status, again.body, again.header(REPLAYED)) == (200, first.body, "true")
    assert len(payer.show(identifier)["operations"]) == 2

    if body:
        assert_problem(payer.ask(identifier, verb, key="one", amount=41), 422, "Idempotency key reused with a different body")
    other = prepared(payer, verb)
    assert_problem(payer.ask(other, verb, key="one", **body), 422, "Idempotency key reused with a different body")
    assert len(payer.show(other)["operations"]) == 1


def test_a_key_is_of_one_merchant_and_one_kind(payer, merchant_of):
    identifier = payer.created(100, capture="manual", key="same")["id"]
    payer.wait_for_status(identifier, "authorized")
    assert payer.ask(identifier, "capture", key="same", amount=60).header(REPLAYED) is None
    payer.wait_for_status(identifier, "captured")
    assert payer.ask(identifier, "refund", key="same").header(REPLAYED) is None
    assert totals(payer.wait_for_status(identifier, "refunded")) == (100, 60, 60)
    other = merchant_of(payer.server)
    theirs = other.created(100, key="same")["id"]
    assert theirs != identifier
    other.wait_for_status(theirs, "captured")
    assert other.ask(theirs, "refund", key="same").header(REPLAYED) is None
    assert totals(other.wait_for_status(theirs, "refunded")) == (100, 100, 100)


def test_what_was_refused_is_not_remembered(payer):
    identifier = held(payer)["id"]
    assert_problem(payer.ask(identifier, "capture", key="one", amount=101), 422, OVER)
    assert_problem(payer.ask(identifier, "capture", key="one", amount=-1), 422)
    assert_problem(payer.ask(identifier, "refund", key="one"), 409, POSSIBLE)
    assert_problem(payer.ask(UNKNOWN_ID, "capture", key="one"), 404)
    assert payer.ask(identifier, "capture", key="one", amount=100).header(REPLAYED) is None
    payer.wait_for_status(identifier, "captured")
    assert payer.ask(identifier, "refund", key="one", amount=100).header(REPLAYED) is None


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_a_replay_does_not_mind_what_became_of_limits(request, start_switchyard, merchant_of, store):
    url = {} if store == "sqlite" else {"DATABASE_URL": request.getfixturevalue("postgres_url")}
    server = start_switchyard(MAX_AMOUNT=1000, **url)
    merchant = merchant_of(server, user_id=1)
    firsts = {}
    for verb in VERBS:
        identifier = (taken if verb == "refund" else held)(merchant, 1000, key=f"for {verb}")["id"]
        body = {} if verb == "void" else {"amount": 900}
        firsts[verb] = identifier, body, merchant.ask(identifier, verb, key="one", **body)
        assert firsts[verb][2].status == 200
    merchant.close()
    assert server.stop() == 0
    merchant = merchant_of(start_switchyard(MAX_AMOUNT=10, **url), user_id=1)
    for verb, (identifier, body, first) in firsts.items():
        again = merchant.ask(identifier, verb, key="one", **body)
        assert (again.status, again.body, again.header(REPLAYED)) == (200, first.body, "true")
    assert_problem(merchant.create(1000), 422, "Amount is too large")
    identifier = firsts["refund"][0]
    merchant.wait_for_status(identifier, "partially_refunded")
    assert merchant.ask(identifier, "refund", amount=100).status == 200, "MAX_AMOUNT is for new transactions"


def test_a_replay_does_not_mind_the_rate_which_counts_all_that_moves_money(start_switchyard, merchant_of):
    merchant = merchant_of(start_switchyard(MERCHANT_RATE=1))
    created = eventually(lambda: (r := merchant.create(100, key="one")).status == 200 and r, "the payment")
    identifier = created.json()["id"]
    merchant.wait_for_status(identifier, "captured")
    refunded = eventually(lambda: (r := merchant.ask(identifier, "refund", key="one", amount=1)).status == 200 and r, "the refund")
    seen = []
    for _ in range(10):
        seen.append(merchant.ask(identifier, "refund", key="two", amount=1))
        again = merchant.create(100, key="one")
        assert (again.status, again.body, again.header(REPLAYED)) == (200, created.body, "true")
        again = merchant.ask(identifier, "refund", key="one", amount=1)
        assert (again.status, again.body, again.header(REPLAYED)) == (200, refunded.body, "true")
    limited = [reply for reply in seen if reply.status != 200]
    assert limited and "captures, voids and refunds a second" in assert_problem(limited[0], 429, "Too many transactions")["detail"]


def test_a_payment_whose_name_at_the_psp_looks_like_a_card_number_is_like_any_other(server, merchant_of):
    """The name is made of the merchant's id here; it is kept byte for byte."""
    merchant = merchant_of(server, user_id=int(VISA))
    transaction = held(merchant, key="x")
    assert VISA in transaction["operations"][0]["psp_reference"]
    identifier = transaction["id"]
    merchant.asked(identifier, "capture", amount=60)
    assert totals(merchant.wait_for_status(identifier, "captured")) == (100, 60, 0)
    merchant.asked(identifier, "refund", amount=10)
    assert totals(merchant.wait_for_status(identifier, "partially_refunded")) == (100, 60, 10)
    assert book(server, identifier)[:2] == (60, 10)


def test_a_key_at_once_is_one_operation(payer):
    identifier = taken(payer)["id"]
    headers = {**payer.authorization, "Idempotency-Key": "one"}
    replies = at_once(payer.server.core, 30, lambda client, _: client.post(
        f"/transaction/{identifier}/refund", {"amount": 10}, headers=headers))
    accepted = [reply for reply in replies if reply.status == 200]
    assert {reply.status for reply in replies} <= {200, 409} and len({reply.body for reply in accepted}) == 1
    assert [reply.header(REPLAYED) for reply in accepted].count(None) == 1
    for reply in replies:
        if reply.status == 409:
            assert_problem(reply, 409, "Request with this idempotency key is in progress")
    assert totals(payer.wait_for_status(identifier, "partially_refunded")) == (100, 100, 10)


# ---- at once

def test_a_hundred_refunds_of_ten_at_once_on_a_capture_of_a_hundred(fleet, merchant_of):
    merchant = merchant_of(fleet)
    identifier = taken(merchant)["id"]
    replies = at_once(fleet.cores, 100, lambda client, _: client.post(
        f"/transaction/{identifier}/refund", {"amount": 10}, headers=merchant.authorization))
    assert Counter(reply.status for reply in replies) == {200: 10, 422: 90}
    for reply in replies:
        if reply.status == 422:
            assert assert_problem(reply, 422, OVER)["left"] < 10
    refunded = merchant.wait_for_status(identifier, "refunded")
    assert totals(refunded) == (100, 100, 100) and len(refunded["operations"]) == 11
    assert book(fleet, identifier) == (100, 100, 0)


def test_two_captures_at_once(fleet, merchant_of):
    merchant = merchant_of(fleet)
    for _ in range(5):
        identifier = held(merchant)["id"]
        replies = at_once(fleet.cores, 3, lambda client, _: client.post(
            f"/transaction/{identifier}/capture", {"amount": 60}, headers=merchant.authorization))
        statuses = [reply.status for reply in replies]
        assert statuses.count(200) == 1 and set(statuses) <= {200, 409, 422}, statuses
        captured = merchant.wait_for_status(identifier, "captured")
        assert totals(captured) == (100, 60, 0)
        assert book(fleet, identifier)[:2] == (60, 0)


def test_a_capture_beside_a_void(fleet, merchant_of):
    merchant = merchant_of(fleet)
    for _ in range(5):
        identifier = held(merchant)["id"]
        replies = at_once(fleet.cores, 2, lambda client, number: client.post(
            f"/transaction/{identifier}/{VERBS[number]}", {}, headers=merchant.authorization))
        statuses = [reply.status for reply in replies]
        assert statuses.count(200) == 1 and set(statuses) <= {200, 409, 422}, statuses
        done = merchant.wait_for_status(identifier, "captured", "voided")
        assert done["status"] == ("captured" if statuses[0] == 200 else "voided")
        assert book(fleet, identifier) == ((100, 0, 0) if statuses[0] == 200 else (0, 0, 100))


# ---- Prefer: wait

@pytest.mark.quick
def test_a_wait_ends_with_the_result(payer):
    created = payer.post({"amount": 100, "currency": "USD", "capture": "manual"}, headers={"Prefer": "wait=20"})
    assert (created.status, created.json()["status"], created.header(APPLIED)) == (200, "authorized", "wait=20")
    assert created.header("Location") and "operations" not in created.json()
    identifier = created.json()["id"]
    captured = payer.ask(identifier, "capture", headers={"Prefer": "respond-async, wait=20"})
    assert (captured.json()["status"], totals(captured.json())) == ("captured", (100, 100, 0))
    payer.asked(identifier, "refund", amount=10)
    shown = payer.get(f"/transaction/{identifier}", {"Prefer": "wait=20"})
    assert (shown.json()["status"], shown.header(APPLIED)) == ("partially_refunded", "wait=20")
    assert kinds(shown.json())[2] == ("refund", 10, "succeeded")


@pytest.mark.quick
@pytest.mark.parametrize("preference, applied", [("wait=31", "wait=30"), ("wait=99999999999999999999", "wait=30"),
                                                 ("wait=0", None), ("wait=-1", None), ("wait=x", None), ("wait", None),
                                                 ("wait=1.5", None), ("respond-async", None), ('a="wait=5', None), ("", None)])
def test_a_preference_is_bounded_or_ignored(merchant, preference, applied):
    identifier = taken(merchant)["id"]
    reply = merchant.get(f"/transaction/{identifier}", {"Prefer": preference})
    assert (reply.status, reply.header(APPLIED)) == (200, applied)


def test_a_replay_waits_for_nothing(merchant):
    first = merchant.create(key="one")
    again = merchant.post({"amount": 100, "currency": "USD"}, headers={"Idempotency-Key": "one", "Prefer": "wait=30"})
    assert (again.body, again.header(REPLAYED), again.header(APPLIED)) == (first.body, "true", None)


@pytest.fixture
def without_connector(tmp_path):
    """Where nothing that is asked for ever happens; one request of a merchant at once."""
    services = ThreeServices(tmp_path, MERCHANT_REQUESTS=1).start(without_connector=True)
    yield services
    if services.alive() or any(program.alive() for program in services.programs):
        for program in services.programs:
            if program.alive():
                assert program.stop() == 0


def test_a_wait_ends_when_its_time_is_up(without_connector, merchant_of):
    merchant = merchant_of(without_connector)
    started = time.monotonic()
    created = merchant.post({"amount": 100, "currency": "USD"}, headers={"Prefer": "wait=1"})
    assert 1 <= time.monotonic() - started < 10 * PATIENCE
    assert (created.json()["status"], created.header(APPLIED)) == ("queued", "wait=1")
    shown = merchant.get(f"/transaction/{created.json()['id']}", {"Prefer": "wait=1"})
    assert (shown.json()["status"], shown.header(APPLIED)) == ("queued", "wait=1")


class Waiting:
    """One request that waits, on a connection and a thread of its own."""

    def __init__(self, merchant, seconds):
        self.reply = None
        self._merchant, self._headers = merchant, {**merchant.authorization, "Prefer": f"wait={seconds}"}
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def _send(self):
        with Client(self._merchant.server.core) as client:
            self.reply = client.post("/transaction", {"amount": 77, "currency": "USD"}, headers=self._headers)

    def join(self):
        self._thread.join(timeout=60)
        return self.reply


def test_who_waits_keeps_nobody_out_and_a_stop_ends_it(without_connector, merchant_of):
    """A merchant may have one request at once here; those that only wait are none."""
    merchant, waiting = merchant_of(without_connector), []
    for number in range(1, 4):
        waiting.append(Waiting(merchant, 30))
        eventually(lambda: len(merchant.walk()) == 2 * number - 1, "it to be stored")
        eventually(lambda: merchant.create().status == 200, "room for another request")
    started = time.monotonic()
    assert without_connector.core_api.stop() == 0
    replies = [request.join() for request in waiting]
    assert time.monotonic() - started < 15 * PATIENCE
    assert [(reply.status, reply.json()["status"]) for reply in replies] == [(200, "queued")] * 3


def test_too_many_that_wait_are_answered_at_once(without_connector, merchant_of):
    """Nobody is refused for it, and nobody else's waits are in the way."""
    merchant, other = merchant_of(without_connector), merchant_of(without_connector)
    identifier = eventually(lambda: (r := merchant.create()).status == 200 and r, "a transaction").json()["id"]
    theirs = other.created()["id"]
    def show(client, number):
        asking, wanted = (other, theirs) if number == 0 else (merchant, identifier)
        return client.get(f"/transaction/{wanted}", {**asking.authorization, "Prefer": "wait=5"})
    replies = at_once(without_connector.core, 300, show)
    assert {reply.status for reply in replies} == {200}
    applied = Counter(reply.header(APPLIED) for reply in replies)
    assert applied["wait=5"] >= 100 and applied[None] >= 40, applied
    assert replies[0].header(APPLIED) == "wait=5"


# ---- what a merchant says of a transaction

@pytest.mark.quick
def test_the_merchants_own_is_shown_as_it_was_sent(payer):
    own = {"reference": "order \"7\" ü", "description": "two chairs, 🪑", "metadata": {"zeta": "1", "alpha": "", "ü": "\\"}}
    created = payer.created(100, **own)
    shown = payer.wait_final(created["id"])
    [item] = payer.walk()
    for transaction in (created, shown, item):
        assert {name: transaction[name] for name in own} == own
        assert list(transaction["metadata"]) == ["zeta", "alpha", "ü"]
    plain = payer.created(100)
    assert set(plain).isdisjoint(own)


@pytest.mark.quick
@pytest.mark.parametrize("member, value, said", [
    ("capture", "later", "automatic"), ("capture", None, "manual"), ("capture", True, "manual"),
    ("reference", "", "1 to 255"), ("reference", "x" * 256, "it has 256"), ("reference", "ü" * 256, "it has 256"),
    ("reference", 7, "not a string"), ("reference", None, "leave it out"), ("reference", "a\nb", "control character"),
    ("description", "x" * 256, "at most 255"), ("description", "\x7f", "control character"),
    ("description", "\u0085", "control character"), ("metadata", "x", "not an object"), ("metadata", None, "not an object"),
    ("metadata", {str(number): "x" for number in range(51)}, "it has 51"), ("metadata", {"x" * 41: "x"}, "it has 41"),
    ("metadata", {"": "x"}, "it is empty"), ("metadata", {"a": "x" * 501}, "it has 501"), ("metadata", {"a": 1}, '"a"'),
    ("metadata", {"a": {"b": "c"}}, "not a string"), ("metadata", {"a": "\0"}, "control character")])
def test_what_is_wrong_with_the_merchants_own_is_422_and_named(merchant, member, value, said):
    problem = assert_problem(merchant.create(100, **{member: value}), 422, f"Invalid {member}")
    assert said in problem["detail"]
    assert merchant.walk() == []


def test_bounds_are_of_characters_and_not_of_bytes(payer):
    own = {"reference": "🪑" * 255, "description": "ü" * 255,
           "metadata": {chr(0x4E00 + number) * 10: "€" * 100 for number in range(50)}}
    assert payer.created(100, **own)["metadata"] == own["metadata"]
    assert payer.created(100, metadata={"ü" * 40: "€" * 500})["metadata"] == {"ü" * 40: "€" * 500}


# ---- filters

@pytest.mark.quick
def test_a_list_by_reference(payer):
    first = payer.created(1, reference="order 7/ü")["id"]
    payer.created(2, reference="order 8")
    payer.created(3)
    second = payer.created(4, reference="order 7/ü")["id"]
    assert [item["id"] for item in payer.walk(reference="order 7/ü")] == [second, first]
    assert [item["id"] for item in payer.walk(reference="order 7/ü", limit=1)] == [second, first]
    assert payer.walk(reference="order 7") == payer.walk(reference=str(uuid.uuid4())) == []
    assert payer.walk(reference="order 8", currency="EUR") == []


@pytest.mark.quick
def test_a_list_by_time(payer):
    made = []
    for amount in (1, 2, 3):
        made.append(payer.created(amount))
        eventually(lambda: time.time() > unix_time(made[-1]["created_at"]) + 0.002, "the next millisecond")
    times = [item["created_at"] for item in made]
    identifiers = [item["id"] for item in made]
    assert [item["id"] for item in payer.walk(created_from=times[1])] == identifiers[:0:-1]
    assert [item["id"] for item in payer.walk(created_to=times[1])] == identifiers[:1]
    assert [item["id"] for item in payer.walk(created_from=times[1], created_to=times[2])] == [identifiers[1]]
    zoned = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(unix_time(times[2]) + 3601)) + "+01:00"
    assert len(payer.walk(created_to=zoned)) == 3 and payer.walk(created_from=zoned) == []
    assert payer.walk(created_to="1900-01-01T00:00:00Z") == [] and len(payer.walk(created_from="0001-01-01T00:00:00Z")) == 3


def unix_time(text):
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    return time.mktime(time.strptime(seconds + " UTC", "%Y-%m-%dT%H:%M:%S %Z")) - time.timezone + float(f"0.{fraction}")


@pytest.mark.quick
@pytest.mark.parametrize("query, error, said", [
    ("created_from=2026-01-31", "Invalid created_from", "2026-01-31T08:00:00Z"),
    ("created_from=2026-01-31T08:00:00", "Invalid created_from", "zone"),
    ("created_to=2026-02-30T08:00:00Z", "Invalid created_to", "RFC 3339"),
    ("created_to=2026-01-31T08:00:00+01:00", "Invalid created_to", "%2B"), ("created_to=", "Invalid created_to", "zone"),
    ("reference=", "Invalid reference", "1 to 255"), ("reference=a%00", "Invalid reference", "control character"),
    ("reference=%FF", "Invalid reference", "UTF-8"), (f"reference={VISA}", "Card number not allowed", "card"),
    ("attention=false", "Invalid attention", "true"), ("attention=", "Invalid attention", "true"),
    ("status=pending", "Invalid status", "captured"), ("referense=7", "Unknown query parameter", '"reference"')])
def test_a_filter_that_is_none_is_422(merchant, query, error, said):
    problem = assert_problem(merchant.get("/transaction?" + query), 422, error)
    assert said in problem["detail"] and VISA not in problem["detail"]


def test_a_list_of_what_needs_attention(start_switchyard, merchant_of):
    server = start_switchyard()
    merchant = merchant_of(server, user_id=1)
    wanted = taken(merchant)["id"]
    taken(merchant)
    merchant.close()
    assert server.stop() == 0
    with contextlib.closing(sqlite3.connect(server.database)) as database, database:
        for statement in ("UPDATE operations SET phase = 'manual_review' WHERE transaction_id = ?",
                          "UPDATE transactions SET status = 'manual_review' WHERE id = ?"):
            assert database.execute(statement, (uuid.UUID(wanted).bytes,)).rowcount == 1
    merchant = merchant_of(start_switchyard(), user_id=1)
    assert [item["id"] for item in merchant.walk(attention="true")] == [wanted]
    assert [item["id"] for item in merchant.walk(attention="true", status="manual_review")] == [wanted]
    assert merchant.page(attention="true", status="captured") == {"items": [], "next_cursor": None}
    assert merchant.walk(status="action_required") == []
    problem = assert_problem(merchant.ask(wanted, "refund"), 409, POSSIBLE)
    assert problem["transaction_status"] == "manual_review" and "a person" in problem["detail"]


# --- What waits for its PSP ---------------------------------------------------------------------


def test_who_is_back_has_the_psp_asked_at_once(payer):
    identifier = payer.created(SUCCEEDS_LATER)["id"]
    payer.wait_for_status(identifier, "processing")

    # Not before it was sent, and perhaps not any more.
    eventually(lambda: payer.ask(identifier, "confirm").status == 200 or payer.show(identifier)["status"] == "captured",
               "the PSP to be asked")
    payer.wait_for_status(identifier, "captured")
    assert_problem(payer.ask(identifier, "confirm"), 409, POSSIBLE)
    assert_problem(payer.ask(UNKNOWN_ID, "confirm"), 404, "Not found")
    assert_problem(payer.ask(identifier, "confirm", amount=1), 422, "Unknown member")
