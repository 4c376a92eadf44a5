"""Payments at Stripe, as psp-simulator plays it, from a merchant's request to Stripe's book."""

import pytest

from support.http_client import Client
from support.ports import free_port
from support.problems import assert_problem

BACK = "https://shop.example/back"


WEBHOOK_SECRET = "whsec_switchyardTest0123456789abcdef"


@pytest.fixture
def http_port():
    return free_port()


@pytest.fixture
def psp(start_psp_simulator, http_port):
    return start_psp_simulator(PSP_SIMULATOR_STRIPE_WEBHOOK_URL=f"http://127.0.0.1:{http_port}/psp/stripe_eu/events",
                               PSP_SIMULATOR_STRIPE_WEBHOOK_SECRET=WEBHOOK_SECRET)


@pytest.fixture
def start_server(start_switchyard, psp, http_port, tmp_path):
    routing_file = tmp_path / "routing.toml"
    routing_file.write_text(f'[psp.stripe_eu]\nadapter = "stripe"\nsecret_key_env = "STRIPE_KEY"\nbase_url = "{psp.url}"\n'
                            'webhook_secret_env = "STRIPE_WEBHOOK"\n[[rule]]\npsp = "stripe_eu"\n')

    def start(**settings):
        return start_switchyard(ROUTING_FILE=routing_file, STRIPE_KEY="sk_test_hunter2", STRIPE_WEBHOOK=WEBHOOK_SECRET,
                                HTTP_PORT=http_port, PSP_TIMEOUT_SECONDS=5, LEASE_SECONDS=6, **settings)
    return start


@pytest.fixture
def server(start_server):
    return start_server()


@pytest.fixture
def payer(server, merchant_of):
    return merchant_of(server)


def created(payer, card="pm_card_visa", amount=1250, **more):
    return payer.created(amount, "EUR", payment_method={"stripe": card}, **more)


def money(psp, transaction):
    """captured, refunded, voided of all its charges"""
    return [sum(column) for column in zip(*[(charge["captured"], charge["refunded"], charge["voided"])
                                            for charge in psp.charges(transaction["id"])], strict=True)]


def test_taken_and_given_back_in_parts(psp, payer):
    paid = payer.wait_for_status(created(payer)["id"], "captured")
    assert [operation["psp"] for operation in paid["operations"]] == ["stripe_eu"]
    assert paid["operations"][0]["psp_reference"].startswith("pi_")
    payer.asked(paid["id"], "refund", amount=250)
    payer.wait_for_status(paid["id"], "partially_refunded")
    payer.asked(paid["id"], "refund")
    refunded = payer.wait_for_status(paid["id"], "refunded")
    assert refunded["refunded_amount"] == 1250 and "next_action" not in refunded
    assert len(psp.charges(paid["id"])) == 1


def test_held_and_captured_in_part_or_voided(psp, payer):
    held = payer.wait_for_status(created(payer, capture="manual")["id"], "authorized")
    payer.asked(held["id"], "capture", amount=1000)
    captured = payer.wait_for_status(held["id"], "captured")
    assert captured["captured_amount"] == 1000
    voided = payer.wait_for_status(created(payer, capture="manual")["id"], "authorized")
    payer.asked(voided["id"], "void")
    assert payer.wait_for_status(voided["id"], "voided")["captured_amount"] == 0


@pytest.mark.parametrize("card, kind", [("pm_card_chargeDeclinedInsufficientFunds", "soft_decline"),
                                        ("pm_card_chargeDeclinedStolenCard", "hard_decline")])
def test_a_card_that_is_declined(payer, card, kind):
    declined = payer.wait_for_status(created(payer, card)["id"], "declined")
    assert declined["operations"][0]["reason"]["kind"] == kind and declined["captured_amount"] == 0


def test_without_a_way_back_a_customer_who_would_have_to_act_is_a_decline(payer):
    declined = payer.wait_for_status(created(payer, "pm_card_authenticationRequired")["id"], "declined")
    assert "authentication_required" in str(declined["operations"][0]["reason"])


def test_the_customer_acts_and_is_back(psp, payer):
    asked = payer.wait_for_status(created(payer, "pm_card_authenticationRequired", return_url=BACK)["id"], "action_required")
    url = asked["next_action"]["url"]
    assert url.startswith(psp.url) and psp.charges(asked["id"]) == []
    with Client(psp.endpoint) as customer:
        reply = customer.get(url.removeprefix(psp.url))
    assert reply.status in (302, 303) and reply.header("Location").startswith(BACK)
    confirmed = payer.ask(asked["id"], "confirm")
    # Nobody needs to confirm: the connector, which asks from time to time, may have been quicker.
    assert confirmed.status == 200 or confirmed.json().get("transaction_status") == "captured", confirmed.body
    paid = payer.wait_for_status(asked["id"], "captured")
    assert "next_action" not in paid and len(psp.charges(paid["id"])) == 1


def test_a_customer_who_never_comes_has_the_payment_ended(psp, start_server, merchant_of):
    payer = merchant_of(start_server(CUSTOMER_TIMEOUT_SECONDS=2))
    asked = payer.wait_for_status(created(payer, "pm_card_authenticationRequired", return_url=BACK)["id"], "action_required")
    declined = payer.wait_for_status(asked["id"], "declined")
    [operation] = declined["operations"]
    assert operation["reason"]["kind"] == "customer_action" and "next_action" not in declined
    reply = psp.ask("GET", f"/v1/payment_intents/{operation['psp_reference']}", headers={"Authorization": "Bearer sk_test_1"})
    assert reply.json()["status"] == "canceled", "it is open at the PSP"


def test_a_refund_that_fails_later_lowers_the_total_and_is_for_a_person(payer):
    paid = payer.wait_for_status(created(payer, "pm_card_refundFail")["id"], "captured")
    payer.asked(paid["id"], "refund", amount=250)
    failed = payer.wait_for_status(paid["id"], "manual_review")
    assert (failed["captured_amount"], failed["refunded_amount"]) == (1250, 0)
    assert "refund" in str(failed["operations"][1]["reason"])


def taken_back_later(psp, kind):
    psp.play({"behaviour": "taken_back", "kind": kind, "delay_ms": 1000, "requests": 1})


def test_a_payment_that_fails_later_is_for_a_person(psp, payer):
    """What failed may be an older try than what is known: by itself the event lowers nothing."""
    taken_back_later(psp, "authorize")
    failed = payer.wait_for_status(created(payer)["id"], "manual_review")
    assert failed["captured_amount"] == 1250
    assert "payment_intent.payment_failed" in str(failed["operations"][0]["reason"])
    assert_problem(payer.ask(failed["id"], "refund"), 409, "Not possible in this state")


@pytest.mark.parametrize("amount", [400, 1250])
def test_a_capture_that_fails_later_is_for_a_person(psp, payer, amount):
    held = payer.wait_for_status(created(payer, capture="manual")["id"], "authorized")
    taken_back_later(psp, "capture")
    payer.asked(held["id"], "capture", amount=amount)
    failed = payer.wait_for_status(held["id"], "manual_review")
    assert (failed["authorized_amount"], failed["captured_amount"]) == (1250, amount)
    assert "payment_intent.payment_failed" in str(failed["operations"])


def cancel_at_stripe(psp, held):
    intent = held["operations"][0]["psp_reference"]
    reply = psp.ask("POST", f"/v1/payment_intents/{intent}/cancel", headers={"Authorization": "Bearer sk_test_hunter2"})
    assert reply.status == 200, reply.body


def is_over(payer, held, why):
    """It is voided, for that reason, and nothing can be captured."""
    over = payer.wait_for_status(held["id"], "voided")
    assert (over["authorized_amount"], over["captured_amount"]) == (1250, 0)
    assert over["operations"][0]["status"] == "succeeded" and why in over["reason"], over
    refused = payer.ask(held["id"], "capture")
    assert_problem(refused, 409, "Not possible in this state")
    assert refused.json()["transaction_status"] == "voided"


def test_a_hold_that_somebody_ends_at_the_psp_is_voided(psp, payer):
    held = payer.wait_for_status(created(payer, capture="manual")["id"], "authorized")
    cancel_at_stripe(psp, held)
    is_over(payer, held, "payment_intent.canceled")


def test_a_hold_that_runs_out_is_voided(psp, payer):
    taken_back_later(psp, "authorize")
    held = created(payer, capture="manual")
    is_over(payer, held, "stripe_eu ")


def test_a_capture_that_comes_too_late_ends_the_hold(psp, payer):
    """Where no event says so."""
    psp.play({"behaviour": "event_lost"})
    held = payer.wait_for_status(created(payer, capture="manual")["id"], "authorized")
    cancel_at_stripe(psp, held)
    payer.asked(held["id"], "capture")
    is_over(payer, held, "canceled")
    assert [one["status"] for one in payer.show(held["id"])["operations"]] == ["succeeded", "declined"]


def test_a_payment_without_a_token_is_not_sent(psp, payer):
    failed = payer.wait_for_status(payer.created(100, "EUR")["id"], "failed")
    assert "payment_method" in failed["reason"] and psp.counts() == {}


def test_nothing_of_a_secret_is_shown(server, payer):
    payer.wait_for_status(created(payer)["id"], "captured")
    payer.wait_for_status(created(payer, "pm_card_chargeDeclined")["id"], "declined")
    assert "hunter2" not in server.program.log()


def test_a_lost_answer_is_learned_and_charged_once(psp, payer):
    psp.play({"behaviour": "reset_after_charge", "requests": 1})
    paid = payer.wait_for_status(created(payer)["id"], "captured", timeout_s=60)
    assert len(psp.charges(paid["id"])) == 1
    assert paid["operations"][0]["look_ups"] > 0
