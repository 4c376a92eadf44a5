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

End = namedtuple("End", "status charges approved attempts")
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
               len(transaction["attempts"]))


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
    assert found["status"] == "failed" and len(found["attempts"]) == 3


def test_a_psp_that_comes_up_later_is_used(start_three_services, start_psp_simulator, merchant_of, tmp_path):
    psp = PspSimulator(tmp_path)
    server = start_three_services(PSP_URL=psp.url)
    merchant = merchant_of(server)
    identifier = merchant.created(100)["id"]
    eventually(lambda: merchant.show(identifier)["attempts"], "the first attempt")
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
        return storage.query(server.database, "SELECT max(look_ups) FROM attempts")[0][0] >= 2
    eventually(looked_up_in_vain, "a look-up while it is gone")
    assert merchant.show(identifier)["status"] == "unknown", "neither failed nor sent under another key"
    psp.start()
    assert end_of(merchant, psp, identifier) == End("captured", 1, approved, 1)


# ---- what goes over the wire

class RecordingPsp:
    """Drops the first charge request of each connection's key without an answer, and remembers all bytes."""

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
                self.reply(200, {"items": [], "more": False})

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                key = self.headers["Idempotency-Key"]
                recorder.posts.append((key, body))
                if len(recorder.posts) == 1:
                    self.close_connection = True
                    return
                self.reply(201, {**json.loads(body), "id": "ch_1", "idempotency_key": key, "status": "approved"})

        self.server = ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def test_an_unknown_outcome_is_looked_up_then_resent_with_identical_bytes_and_key(start_three_services, merchant_of):
    with RecordingPsp() as psp:
        server = start_three_services(PSP_URL=f"{psp.url}/")
        merchant = merchant_of(server)
        identifier = merchant.created(4711, "EUR")["id"]
        found = merchant.wait_final(identifier)
    assert found["status"] == "captured" and len(found["attempts"]) == 1
    body = f'{{"reference":"{identifier}","amount":4711,"currency":"EUR","capture_method":"automatic"}}'.encode()
    assert psp.posts == [(f"{identifier}-1", body)] * 2
    assert psp.look_ups == [f"/charges?reference={identifier}"]
