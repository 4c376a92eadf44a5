"""Transactions that go to a PSP over HTTP (PSP_URL): each amount ends as it should, with one charge or none."""

import json
import threading
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from support import amounts, storage
from support.merchants import Merchant
from support.ports import free_port
from support.programs import PspSimulator, Switchyard, ThreeServices
from support.waiting import eventually

# Above the second that a slow answer takes; two look-ups are done after 1.5 seconds.
QUICK = {"PSP_TIMEOUT_SECONDS": 2, "LEASE_SECONDS": 3, "LOOK_UPS_MAX": 2}

End = namedtuple("End", "status charges approved operations")
CAPTURED = End("captured", 1, 1, 1)
DECLINED = End("declined", 1, 0, 1)
ENDS = {100: CAPTURED, amounts.INSUFFICIENT_FUNDS: DECLINED, amounts.ISSUER_DECLINE: DECLINED,
        amounts.SUSPECTED_FRAUD: DECLINED, amounts.ANSWER_LOST: CAPTURED, amounts.SLOW: CAPTURED,
        amounts.TIME_OUT_BEFORE_CHARGE: CAPTURED, amounts.ERROR_AFTER_CHARGE: CAPTURED,
        amounts.RESET_AFTER_CHARGE: CAPTURED, amounts.GARBAGE_AFTER_CHARGE: CAPTURED,
        # Somebody was reached each time, so nobody can say that nothing was sent; nothing was charged.
        amounts.NETWORK_ERROR_BEFORE_SENDING: End("manual_review", 0, 0, 1)}
SETTLED = {"captured", "declined", "failed", "manual_review"}


def end_of(merchant, psp, transaction_id):
    transaction = merchant.wait_for_status(transaction_id, *SETTLED)
    charges = psp.charges(transaction_id)
    return End(transaction["status"], len(charges), sum(charge["status"] == "approved" for charge in charges),
               len(transaction["operations"]))


@pytest.fixture(scope="module", params=["three programs", "switchyard serve"])
def ends(request, tmp_path_factory):
    """One transaction of each amount, all at once: {amount: End}."""
    folder = tmp_path_factory.mktemp("remote-psp")
    psp = PspSimulator(folder).start()
    kind = ThreeServices if request.param == "three programs" else Switchyard
    server = kind(folder, PSP_URL=psp.url, **QUICK)
    try:
        server.start()
        merchant = Merchant(server)
        created = {amount: merchant.created(amount)["id"] for amount in ENDS}
        ends = {amount: end_of(merchant, psp, identifier) for amount, identifier in created.items()}
        merchant.close()
        assert not server.ledger.exists(), "the simulated PSP of the process was opened, too"
        yield ends
    finally:
        codes = {program.name: program.stop() for program in [*server.programs, psp.program] if program.alive()}
    assert all(code == 0 for code in codes.values()), codes
    for program in [*server.programs, psp.program]:
        program.assert_log_is_clean()


@pytest.mark.quick
@pytest.mark.parametrize("amount", ENDS)
def test_each_amount_ends_as_it_should(ends, amount):
    assert ends[amount] == ENDS[amount]


def test_a_psp_that_is_not_there_was_never_reached(start_three_services, merchant_of, tmp_path):
    server = start_three_services(PSP_URL=f"http://127.0.0.1:{free_port()}")
    transaction = merchant_of(server).created(100)
    merchant = merchant_of(server, user_id=transaction["user_id"])
    found = merchant.wait_final(transaction["id"])
    [authorization] = found["operations"]
    assert found["status"] == "failed" and (authorization["status"], authorization["sends"]) == ("failed", 3)


def test_a_psp_that_comes_up_later_is_used(start_three_services, start_psp_simulator, merchant_of, tmp_path):
    psp = PspSimulator(tmp_path)
    server = start_three_services(PSP_URL=psp.url)
    merchant = merchant_of(server)
    identifier = merchant.created(100)["id"]
    eventually(lambda: merchant.show(identifier)["operations"][0]["sends"], "the first sending")
    try:
        psp.start()
        assert end_of(merchant, psp, identifier)[:3] == ("captured", 1, 1)
    finally:
        psp.stop()


@pytest.mark.parametrize("amount, approved", [(amounts.RESET_AFTER_CHARGE, 1), (amounts.TIME_OUT_BEFORE_CHARGE, 1)])
def test_a_psp_that_dies_meanwhile_is_looked_up_when_it_is_back(start_three_services, start_psp_simulator,
                                                                merchant_of, amount, approved):
    """Between the request and the look-up it is gone; its refusals then say nothing about the request."""
    psp = start_psp_simulator()
    server = start_three_services(PSP_URL=psp.url)
    merchant = merchant_of(server)
    identifier = merchant.created(amount)["id"]
    merchant.wait_for_status(identifier, "unknown")
    psp.kill()

    def looked_up_in_vain():
        return storage.query(server.database, "SELECT max(look_ups) FROM operations")[0][0] >= 2
    eventually(looked_up_in_vain, "a look-up while it is gone")
    assert merchant.show(identifier)["status"] == "unknown", "neither failed nor sent under another key"
    psp.start()
    assert end_of(merchant, psp, identifier) == End("captured", 1, approved, 1)


# ---- what merchants ask for afterwards

def operation_of(transaction, number):
    return transaction["operations"][number - 1]


def test_what_is_held_is_captured_given_back_and_counted_at_the_psp(start_three_services, start_psp_simulator, merchant_of):
    psp = start_psp_simulator()
    merchant = merchant_of(start_three_services(PSP_URL=psp.url))
    identifier = merchant.created(100, capture="manual")["id"]
    merchant.wait_for_status(identifier, "authorized")
    merchant.asked(identifier, "capture", amount=60, final=False)
    merchant.wait_for_status(identifier, "captured")
    assert psp.charges(identifier)[0]["held"] == 40
    for amount in (10, 20):
        merchant.asked(identifier, "refund", amount=amount)
    found = eventually(lambda: (shown := merchant.show(identifier))["refunded_amount"] == 30 and shown, "both refunds")
    assert [(operation["kind"], operation["amount"], operation["status"]) for operation in found["operations"]] == [
        ("authorize", 100, "succeeded"), ("capture", 60, "succeeded"), ("refund", 10, "succeeded"), ("refund", 20, "succeeded")]
    assert psp.money() == {identifier: (60, 30, 0)}


def test_a_void_gives_back_the_hold_at_the_psp(start_three_services, start_psp_simulator, merchant_of):
    psp = start_psp_simulator()
    merchant = merchant_of(start_three_services(PSP_URL=psp.url))
    identifier = merchant.created(100, capture="manual")["id"]
    merchant.wait_for_status(identifier, "authorized")
    merchant.asked(identifier, "void")
    merchant.wait_for_status(identifier, "voided")
    assert psp.money() == {identifier: (0, 0, 100)}


@pytest.mark.parametrize("behaviour", ["time_out_before_charge", "time_out_after_charge", "error_after_charge",
                                       "reset_before_charge", "reset_after_charge", "garbage_after_charge", "pending"])
def test_a_refund_whose_answer_is_lost_or_late_is_done_once(start_three_services, start_psp_simulator, merchant_of,
                                                            behaviour):
    psp = start_psp_simulator()
    psp.play({"behaviour": behaviour, "kind": "refund", "requests": 1})
    merchant = merchant_of(start_three_services(PSP_URL=psp.url, **QUICK))
    identifier = merchant.created(100)["id"]
    merchant.wait_for_status(identifier, "captured")
    merchant.asked(identifier, "refund", amount=30)
    found = merchant.wait_for_status(identifier, "partially_refunded", "manual_review")
    refund = operation_of(found, 2)
    assert (refund["status"], refund["sends"]) == ("succeeded", 2 if "before" in behaviour else 1)
    assert refund["look_ups"] > 0 and found["refunded_amount"] == 30
    assert psp.money() == {identifier: (100, 30, 0)}


def test_who_waits_for_a_refund_waits_for_that_one(start_three_services, start_psp_simulator, merchant_of):
    psp = start_psp_simulator()
    psp.play({"behaviour": "pending", "kind": "refund", "delay_ms": 15_000, "requests": 1})
    merchant = merchant_of(start_three_services(PSP_URL=psp.url, **QUICK))
    identifier = merchant.created(100)["id"]
    merchant.wait_for_status(identifier, "captured")
    merchant.asked(identifier, "refund", amount=30)
    eventually(lambda: operation_of(merchant.show(identifier), 2)["status"] == "pending", "the first refund to wait")
    reply = merchant.ask(identifier, "refund", headers={"Prefer": "wait=30"}, amount=20)
    assert reply.status == 200 and reply.json()["status"] == "processing", "the first one is under way"
    shown = merchant.show(identifier)
    assert [operation["status"] for operation in shown["operations"]] == ["succeeded", "pending", "succeeded"]


@pytest.mark.parametrize("behaviour, code, kind", [("soft_decline", "51", "soft_decline"), ("hard_decline", "59", "hard_decline"),
                                                   ("pending_then_declined", "59", "hard_decline")])
def test_a_refund_that_is_declined_moves_nothing(start_three_services, start_psp_simulator, merchant_of, behaviour, code,
                                                 kind):
    psp = start_psp_simulator()
    psp.play({"behaviour": behaviour, "kind": "refund"})
    merchant = merchant_of(start_three_services(PSP_URL=psp.url))
    identifier = merchant.created(100)["id"]
    merchant.wait_for_status(identifier, "captured")
    merchant.asked(identifier, "refund", amount=30)
    found = eventually(lambda: (shown := merchant.show(identifier)) and operation_of(shown, 2)["status"] == "declined"
                       and shown, "the refund to be declined")
    assert (operation_of(found, 2)["reason"]["code"], operation_of(found, 2)["reason"]["kind"]) == (code, kind)
    assert found["status"] == "captured" and found["refunded_amount"] == 0
    assert psp.money() == {identifier: (100, 0, 0)}


# ---- what goes over the wire

class FakePsp:
    """Answers a charge request as answered() of a subclass says (None: not at all), lists what listed() says, and remembers all bytes."""

    def __init__(self):
        self.posts = []  # of (idempotency key, body)
        self.look_ups = []
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def reply(self, status, value):
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                recorder.look_ups.append(self.path)
                self.reply(200, {"items": recorder.listed(), "more": False})

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                key = self.headers["Idempotency-Key"]
                recorder.posts.append((key, body))
                answer = recorder.answered({**json.loads(body), "id": "ch_1", "idempotency_key": key,
                                            "status": "approved"})
                if answer is None:
                    self.close_connection = True
                else:
                    self.reply(201, answer)

        self.server = ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class RecordingPsp(FakePsp):
    """Drops the first charge request without an answer and knows nothing of it."""

    def listed(self):
        return []

    def answered(self, charge):
        return charge if len(self.posts) > 1 else None


class LyingPsp(FakePsp):
    """Says `lie` of the charge, in its answer or in its list: then the answer never comes."""

    def __init__(self, where, lie):
        super().__init__()
        self.where, self.lie, self.charges = where, lie, []

    def listed(self):
        return self.charges

    def answered(self, charge):
        self.charges.append({**charge, **self.lie})
        return self.charges[-1] if self.where == "answer" else None


def test_an_unknown_outcome_is_looked_up_then_resent_with_identical_bytes_and_key(start_three_services, merchant_of):
    with RecordingPsp() as psp:
        server = start_three_services(PSP_URL=f"{psp.url}/")
        merchant = merchant_of(server)
        identifier = merchant.created(4711, "EUR")["id"]
        found = merchant.wait_final(identifier)
    [authorization] = found["operations"]
    assert found["status"] == "captured" and (authorization["sends"], authorization["look_ups"]) == (2, 1)
    body = f'{{"reference":"{identifier}","amount":4711,"currency":"EUR","capture_method":"automatic"}}'.encode()
    assert psp.posts == [(f"{merchant.user_id}-{identifier}-1", body)] * 2
    assert psp.look_ups == [f"/charges?reference={identifier}"]


CARD_NUMBER = "4111111111111111"


@pytest.mark.quick
@pytest.mark.parametrize("where", ["answer", "list"])
@pytest.mark.parametrize("lie, said", [
    ({"amount": 100, "currency": "USD"}, "speaks of 1.00 USD, where 1 JPY was asked for"),
    ({"currency": "USD"}, "speaks of 0.01 USD, where 1 JPY was asked for"),
    ({"currency": "jpy"}, "speaks of 1 jpy, where 1 JPY was asked for"),
    ({"amount": 1.5}, "speaks of 1.5E0 JPY, where 1 JPY was asked for"), ({"amount": -1}, "speaks of -1 JPY"),
    ({"amount": 2**63}, "speaks of 9223372036854775808 JPY"), ({"amount": 10**30}, "speaks of 1E30 JPY"),
    ({"reference": "another"}, "reference another"), ({"capture_method": "manual"}, "capture method manual"),
    ({"status": "declined", "code": "51", "decline_kind": "soft", "amount": 2}, "speaks of 2 JPY"),
    ({"status": "pending", "amount": 2}, "speaks of 2 JPY"),
    ({"currency": f"\x1b[31m {CARD_NUMBER} " + "x" * 100_000}, "[31m [card number] xx")])
def test_a_charge_that_is_not_the_one_asked_for_is_never_booked(start_three_services, merchant_of, where, lie, said):
    with LyingPsp(where, lie) as psp:
        server = start_three_services(PSP_URL=psp.url)
        merchant = merchant_of(server)
        identifier = merchant.created(1, "JPY")["id"]
        found = merchant.wait_for_status(identifier, *SETTLED)
    assert found["status"] == "manual_review"
    assert storage.query(server.database, "SELECT authorized_minor, captured_minor FROM transactions") == [(0, 0)]
    [authorization] = found["operations"]
    assert said in authorization["reason"]["message"]
    assert authorization["psp_reference"] == "ch_1"
    assert len(psp.posts) == 1, "nothing is sent again"
    assert all(len(text) <= 255 and text.isprintable()
               for text in (authorization["reason"]["message"], found["reason"]))


@pytest.mark.parametrize("lie", [{"amount": "1"}, {"amount": None}, {"currency": None}, {"status": "taken"}, {"id": None}])
def test_a_charge_that_cannot_be_read_is_asked_for_and_then_a_persons(start_three_services, merchant_of, lie):
    with LyingPsp("answer", lie) as psp:
        server = start_three_services(PSP_URL=psp.url, LOOK_UPS_MAX=2)
        merchant = merchant_of(server)
        found = merchant.wait_for_status(merchant.created(1, "JPY")["id"], *SETTLED)
    assert found["status"] == "manual_review" and len(psp.look_ups) == 2
    assert storage.query(server.database, "SELECT authorized_minor, captured_minor FROM transactions") == [(0, 0)]
    assert len(psp.posts) == 1, "nothing is sent again"


@pytest.mark.parametrize("lie", [{"id": f"ch {CARD_NUMBER}\n" + "x" * 100_000},
                                 {"status": "declined", "decline_kind": "hard",
                                  "code": f"\x00\u202e{CARD_NUMBER} " + "é" * 10_000}])
def test_texts_of_a_psp_are_bounded_printable_and_hold_no_card_number(start_three_services, merchant_of, lie):
    with LyingPsp("answer", lie) as psp:
        server = start_three_services(PSP_URL=psp.url)
        merchant = merchant_of(server)
        identifier = merchant.created(100)["id"]
        # By a name that cannot be kept as it is nothing more could be asked: that is for a person.
        found = merchant.wait_for_status(identifier, "manual_review" if "id" in lie else "declined")
    [authorization] = found["operations"]
    assert "id" not in lie or "psp_reference" not in authorization
    text = authorization["reason"]["message" if "id" in lie else "code"]
    assert "[card number]" in text and text.endswith("...") and text.isprintable()
    assert len(text.encode()) <= 255
    for kept in storage.query(server.database, "SELECT psp_reference || reason_code || reason FROM operations"):
        assert CARD_NUMBER not in kept[0]
