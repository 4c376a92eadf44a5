"""Stripe's own SDK for Python as a client of psp-simulator, and as the judge of its webhook's signatures."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import psp_sdks
from support.http_client import Client
from support.waiting import eventually

SECRET = "whsec_simulated0123456789abcdef0123456789"
CARD = {"amount": 2000, "currency": "eur", "confirm": True, "payment_method": "pm_card_visa",
        "payment_method_types": ["card"]}


@pytest.fixture(scope="module")
def stripe():
    psp_sdks.importable()
    import stripe
    return stripe


@pytest.fixture
def webhook():
    webhook = psp_sdks.Webhook()
    yield webhook
    webhook.close()


@pytest.fixture
def psp(start_psp_simulator, webhook):
    return start_psp_simulator(PSP_SIMULATOR_STRIPE_WEBHOOK_URL=webhook.url, PSP_SIMULATOR_STRIPE_WEBHOOK_SECRET=SECRET)


def client_of(stripe, psp, key="sk_test_simulated", retries=0):
    return stripe.StripeClient(key, base_addresses={"api": psp.url}, max_network_retries=retries).v1


@pytest.fixture
def client(stripe, psp):
    return client_of(stripe, psp)


def pay(client, key=None, **more):
    return client.payment_intents.create({**CARD, **more}, {"idempotency_key": key} if key else None)


def money(psp, intent):
    """captured, refunded, voided in the PSP's book"""
    return psp.money()[intent.id]


# ---- Payments

@pytest.mark.quick
def test_a_payment_is_taken_and_read_again(psp, client):
    paid = pay(client, expand=["latest_charge"])
    assert (paid.status, paid.amount_received, paid.latest_charge.captured) == ("succeeded", 2000, True)
    assert paid.latest_charge.payment_method_details.card.last4 == "4242"
    assert client.payment_intents.retrieve(paid.id).status == "succeeded"
    assert money(psp, paid) == (2000, 0, 0) and psp.counts() == {paid.id: (1, 1)}
    [charge] = psp.charges(paid.id)
    assert (charge["psp"], charge["id"]) == ("stripe", paid.latest_charge.id)


@pytest.mark.quick
def test_steps_one_by_one(psp, client):
    made = client.payment_intents.create({"amount": 1000, "currency": "usd", "capture_method": "manual",
                                          "metadata": {"order": "7", "switchyard_reference": "ours"}})
    assert made.status == "requires_payment_method" and psp.counts() == {}
    confirmed = client.payment_intents.confirm(made.id, {"payment_method": "pm_card_mastercard"})
    assert (confirmed.status, confirmed.amount_capturable) == ("requires_capture", 1000)
    captured = client.payment_intents.capture(made.id, {"amount_to_capture": 600})
    assert (captured.status, captured.amount_received, captured.amount_capturable) == ("succeeded", 600, 0)
    assert captured.metadata["order"] == "7" and psp.money() == {"ours": (600, 0, 0)}


def test_a_hold_is_canceled(psp, client):
    held = pay(client, capture_method="manual")
    canceled = client.payment_intents.cancel(held.id, {"cancellation_reason": "abandoned"})
    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")
    assert money(psp, held) == (0, 0, 2000)


def test_refunds_in_parts_and_not_more_than_there_is(stripe, psp, client):
    paid = pay(client)
    parts = [client.refunds.create({"payment_intent": paid.id, "amount": amount}) for amount in (500, 700)]
    assert [part.status for part in parts] == ["succeeded"] * 2
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.refunds.create({"payment_intent": paid.id, "amount": 801})
    assert refused.value.param == "amount"
    listed = client.refunds.list({"payment_intent": paid.id})
    assert [refund.id for refund in listed.auto_paging_iter()] == [part.id for part in reversed(parts)]
    assert client.refunds.retrieve(parts[0].id).amount == 500
    assert money(psp, paid) == (2000, 1200, 0)


@pytest.mark.parametrize("method, code, decline_code", [
    ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
    ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
    ("pm_card_chargeDeclinedLostCard", "card_declined", "lost_card"),
    ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
    ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
    ("pm_card_chargeDeclinedProcessingError", "processing_error", None)])
def test_declines_by_test_cards(stripe, psp, client, method, code, decline_code):
    with pytest.raises(stripe.CardError) as declined:
        pay(client, payment_method=method)
    error = declined.value
    assert (error.http_status, error.code) == (402, code)
    assert getattr(error.error, "decline_code", None) == decline_code
    assert error.error.payment_intent.status == "requires_payment_method"
    assert psp.counts() == {error.error.payment_intent.id: (1, 0)}


def test_a_customer_is_asked_and_comes_back(stripe, psp, client):
    asked = pay(client, payment_method="pm_card_threeDSecure2Required", return_url="https://shop.invalid/back?order=1")
    assert asked.status == "requires_action" and psp.counts() == {}
    url = asked.next_action.redirect_to_url.url
    assert url.startswith(psp.url)
    with Client(psp.endpoint) as browser:
        back = browser.request("GET", url.removeprefix(psp.url))
    assert back.status == 303 and back.header("Location").startswith("https://shop.invalid/back?order=1&payment_intent=")
    assert client.payment_intents.retrieve(asked.id).status == "succeeded" and money(psp, asked) == (2000, 0, 0)
    with pytest.raises(stripe.CardError) as declined:
        pay(client, payment_method="pm_card_authenticationRequired", error_on_requires_action=True)
    assert declined.value.code == "authentication_required"


def test_lists_and_the_search(client):
    paid = [pay(client, metadata={"batch": "a", "number": str(number)}) for number in range(5)]
    shown = list(client.payment_intents.list({"limit": 2}).auto_paging_iter())
    assert [one.id for one in shown] == [one.id for one in reversed(paid)]
    found = eventually(lambda: client.payment_intents.search({"query": "metadata['number']:'3' AND metadata['batch']:'a'"}).data,
                       "the search to know of it")
    assert [one.id for one in found] == [paid[3].id]
    assert [charge.payment_intent for charge in client.charges.list({"payment_intent": paid[0].id}).data] == [paid[0].id]


# ---- Keys and errors

@pytest.mark.quick
def test_a_key_is_one_charge_and_one_answer(stripe, psp, client):
    first, again = pay(client, "key-1"), pay(client, "key-1")
    assert first.id == again.id and again.last_response.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.last_response.headers
    assert psp.counts() == {first.id: (1, 1)}
    with pytest.raises(stripe.IdempotencyError):
        pay(client, "key-1", amount=2001)
    with pytest.raises(stripe.CardError) as declined:
        pay(client, "key-2", payment_method="pm_card_chargeDeclined")
    with pytest.raises(stripe.CardError) as replayed:
        pay(client, "key-2", payment_method="pm_card_chargeDeclined")
    assert declined.value.error.charge == replayed.value.error.charge


def test_a_key_in_use_is_409_until_the_first_answer_is_there(stripe, psp, client):
    psp.play({"behaviour": "slow", "requests": 1, "delay_ms": 1500})
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(pay, client, "key-1")
        eventually(lambda: psp.counts(), "the charge to be booked")
        with pytest.raises(stripe.APIError) as conflict:
            pay(client, "key-1")
        assert (conflict.value.http_status, conflict.value.error.code) == (409, "idempotency_key_in_use")
        assert pay(client_of(stripe, psp, retries=5), "key-1").id == slow.result().id, "the SDK waits and asks again"


@pytest.mark.parametrize("behaviour", ["error_after_charge", "reset_after_charge", "error_before_charge", "reset_before_charge",
                                       "transient_error", "in_use"])
def test_the_sdk_sends_again_and_there_is_one_charge(stripe, psp, behaviour):
    psp.play({"behaviour": behaviour, "requests": 1})
    paid = pay(client_of(stripe, psp, retries=3), "key-1")
    assert paid.status == "succeeded" and psp.counts() == {paid.id: (1, 1)}


def test_a_rate_limit_and_an_error_that_is_kept(stripe, psp, client):
    psp.play({"behaviour": "too_many_requests", "requests": 1}, {"behaviour": "error_kept_after_charge", "requests": 1})
    with pytest.raises(stripe.RateLimitError):
        pay(client, "key-1")
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            pay(client, "key-1")
    [listed] = client.payment_intents.list().data
    assert listed.status == "succeeded" and psp.counts() == {listed.id: (1, 1)}


def test_what_is_wrong_is_refused_in_stripes_words(stripe, psp, client):
    with pytest.raises(stripe.AuthenticationError):
        pay(client_of(stripe, psp, "sk_live_real"))
    for parameters, code in (({"amount": 0}, "parameter_invalid_integer"), ({"payment_method": "pm_none"}, "resource_missing"),
                             ({"colour": "red"}, "parameter_unknown")):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            pay(client, **parameters)
        assert refused.value.code == code
    with pytest.raises(stripe.InvalidRequestError) as unknown:
        client.payment_intents.retrieve("pi_none")
    assert (unknown.value.http_status, unknown.value.code) == (404, "resource_missing")


def test_charges_and_keys_survive_a_kill(start_psp_simulator, stripe, psp, client):
    first = pay(client, "key-1")
    psp.kill()
    again = start_psp_simulator()
    assert pay(client_of(stripe, again), "key-1").id == first.id and again.counts() == {first.id: (1, 1)}


# ---- Events

def verified(stripe, request):
    headers, body = request
    return stripe.Webhook.construct_event(body, headers["Stripe-Signature"], SECRET)


@pytest.mark.quick
def test_events_are_signed_and_say_which_request_led_to_them(stripe, client, webhook):
    paid = pay(client, "key-1")
    events = [verified(stripe, request) for request in webhook.wait_for(3)]
    assert [event.type for event in events] == ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]
    assert events[2].data.object.id == paid.id and events[2].request.idempotency_key == "key-1"
    assert [event.id for event in client.events.list().data] == [event.id for event in reversed(events)]
    headers, body = webhook.requests[0]
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body + b" ", headers["Stripe-Signature"], SECRET)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body, headers["Stripe-Signature"], SECRET + "x")


def test_a_refund_that_fails_later_is_told_of(stripe, psp, client, webhook):
    paid = pay(client, payment_method="pm_card_refundFail")
    refunded = client.refunds.create({"payment_intent": paid.id, "amount": 300})
    assert refunded.status == "succeeded" and money(psp, paid) == (2000, 300, 0)
    eventually(lambda: "refund.failed" in [body["type"] for body in webhook.bodies], "refund.failed")
    assert client.refunds.retrieve(refunded.id).status == "failed" and money(psp, paid) == (2000, 0, 0)


def test_events_are_sent_again_doubled_and_in_another_order(stripe, psp, client, webhook):
    webhook.answers = [500, 503]
    psp.play({"behaviour": "event_reordered", "requests": 1}, {"behaviour": "event_doubled", "requests": 1})
    pay(client)
    types = [verified(stripe, request).type for request in webhook.wait_for(4)]
    assert sorted(types) == sorted(["payment_intent.created", "charge.succeeded", "charge.succeeded",
                                    "payment_intent.succeeded"])
    assert types.index("payment_intent.created") != 0 and webhook.answers == []


def test_an_event_comes_late(psp, client, webhook):
    psp.play({"behaviour": "event_late", "delay_ms": 700, "requests": 1})
    started = time.monotonic()
    pay(client)
    webhook.wait_for(3)
    assert webhook.bodies[-1]["type"] == "payment_intent.created" and time.monotonic() - started >= 0.7
