"""Adyen's own SDK for Python as a client of psp-simulator, and as the judge of its webhook's signatures."""

import copy

import pytest

from support import psp_sdks
from support.http_client import Client
from support.waiting import eventually

KEY = "00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF"
ACCOUNT = "SwitchyardECOM"
VISA = {"type": "scheme", "encryptedCardNumber": "test_4111111111111111", "encryptedExpiryMonth": "test_03",
        "encryptedExpiryYear": "test_2030", "encryptedSecurityCode": "test_737"}


@pytest.fixture(scope="module")
def adyen():
    psp_sdks.importable()
    import Adyen
    return Adyen


@pytest.fixture
def webhook():
    webhook = psp_sdks.Webhook()
    yield webhook
    webhook.close()


@pytest.fixture
def psp(start_psp_simulator, webhook):
    return start_psp_simulator(PSP_SIMULATOR_ADYEN_WEBHOOK_URL=webhook.url, PSP_SIMULATOR_ADYEN_HMAC_KEY=KEY)


class Checkout:
    """Checkout API v71; errors are the SDK's exceptions."""

    def __init__(self, adyen, psp, api_key="key"):
        checkout = adyen.Adyen(xapikey=api_key, platform="test").checkout
        self._payments, self._modifications = checkout.payments_api, checkout.modifications_api
        self._payments.baseUrl = self._modifications.baseUrl = f"{psp.url}/v71"

    def pay(self, key=None, **more):
        request = {"merchantAccount": ACCOUNT, "reference": "order_1", "amount": {"value": 2000, "currency": "EUR"},
                   "paymentMethod": VISA, "returnUrl": "https://shop.invalid/back", **more}
        return self._payments.payments(request, idempotency_key=key).message

    def hold(self, key=None, **more):
        return self.pay(key, additionalData={"manualCapture": "true"}, **more)["pspReference"]

    def details(self, result):
        return self._payments.payments_details({"details": {"redirectResult": result}}).message

    def capture(self, payment, value, key=None, reference="cap_1"):
        return self._modifications.capture_authorised_payment(self._body(reference, value), payment, idempotency_key=key).message

    def refund(self, payment, value, key=None, reference="ref_1"):
        return self._modifications.refund_captured_payment(self._body(reference, value), payment, idempotency_key=key).message

    def cancel(self, payment, reference="void_1"):
        return self._modifications.cancel_authorised_payment_by_psp_reference(self._body(reference), payment).message

    def cancel_by_reference(self, payment_reference):
        return self._modifications.cancel_authorised_payment(
            {**self._body("tc_1"), "paymentReference": payment_reference}).message

    @staticmethod
    def _body(reference, value=None):
        amount = {} if value is None else {"amount": {"value": value, "currency": "EUR"}}
        return {"merchantAccount": ACCOUNT, "reference": reference, **amount}


@pytest.fixture
def checkout(adyen, psp):
    return Checkout(adyen, psp)


def items(webhook):
    return [body["notificationItems"][0]["NotificationRequestItem"] for body in webhook.bodies]


def told(webhook, count):
    webhook.wait_for(count)
    return [(item["eventCode"], item["success"]) for item in items(webhook)]


# ---- Payments and modifications

@pytest.mark.quick
def test_a_payment_is_taken(psp, checkout, webhook):
    paid = checkout.pay()
    assert (paid["resultCode"], paid["merchantReference"], paid["amount"]) == (
        "Authorised", "order_1", {"value": 2000, "currency": "EUR"})
    assert psp.money() == {"order_1": (2000, 0, 0)} and psp.charges("order_1")[0]["psp"] == "adyen"
    assert told(webhook, 1) == [("AUTHORISATION", "true")]
    assert items(webhook)[0]["pspReference"] == paid["pspReference"]


@pytest.mark.quick
def test_a_hold_is_captured_in_part_and_refunded_in_parts(psp, checkout, webhook):
    payment = checkout.hold()
    captured = checkout.capture(payment, 1500)
    assert (captured["status"], captured["paymentPspReference"]) == ("received", payment)
    for value in (500, 300, 701):
        assert checkout.refund(payment, value)["status"] == "received"
    assert told(webhook, 5) == [("AUTHORISATION", "true"), ("CAPTURE", "true"), ("REFUND", "true"), ("REFUND", "true"),
                                ("REFUND", "false")]
    assert items(webhook)[1]["pspReference"] == captured["pspReference"]
    assert items(webhook)[1]["originalReference"] == payment and items(webhook)[4]["reason"]
    assert psp.money() == {"order_1": (1500, 800, 0)}


def test_a_hold_is_cancelled_by_either_name(psp, checkout, webhook):
    checkout.cancel(checkout.hold())
    held = checkout.hold(reference="order_2")
    assert checkout.cancel_by_reference("order_2")["paymentReference"] == "order_2"
    assert told(webhook, 4)[1::2] == [("CANCELLATION", "true"), ("TECHNICAL_CANCEL", "true")]
    assert items(webhook)[3]["originalReference"] == held
    assert psp.money() == {"order_1": (0, 0, 2000), "order_2": (0, 0, 2000)}


@pytest.mark.parametrize("number, name, code, result", [
    ("2", "DECLINED", "2", "Refused"), ("5", "BLOCK_CARD", "5", "Refused"), ("6", "CARD_EXPIRED", "6", "Refused"),
    ("12", "NOT_ENOUGH_BALANCE", "12", "Refused"), ("4", "ERROR", "4", "Error")])
def test_refusals_by_test_values(psp, checkout, webhook, number, name, code, result):
    by_number = checkout.pay(additionalData={"RequestedTestAcquirerResponseCode": number})
    by_name = checkout.pay(paymentMethod={**VISA, "holderName": name})
    for refused in (by_number, by_name):
        assert (refused["resultCode"], refused["refusalReasonCode"]) == (result, code)
    assert psp.counts() == {"order_1": (2, 0)}
    assert told(webhook, 2) == [("AUTHORISATION", "false")] * 2 and items(webhook)[0]["reason"] == by_number["refusalReason"]


def test_a_customer_is_sent_to_the_bank_and_comes_back(psp, checkout):
    asked = checkout.pay(paymentMethod={**VISA, "encryptedCardNumber": "test_4212345678901237"})
    assert asked["resultCode"] == "RedirectShopper" and psp.counts() == {}
    with Client(psp.endpoint) as browser:
        back = browser.request("GET", asked["action"]["url"].removeprefix(psp.url))
    result = back.header("Location").removeprefix("https://shop.invalid/back?redirectResult=")
    assert checkout.details(result)["resultCode"] == "Authorised" and psp.money() == {"order_1": (2000, 0, 0)}


# ---- Keys and errors

@pytest.mark.quick
def test_a_key_is_one_payment_and_one_answer(adyen, psp, checkout):
    assert checkout.hold("key-1") == checkout.hold("key-1")
    assert checkout.hold("key-2") != checkout.hold("key-3"), "a reference is no key"
    assert psp.counts() == {"order_1": (3, 3)}
    payment = checkout.hold(reference="order_2")
    assert checkout.capture(payment, 500, "key-4") == checkout.capture(payment, 500, "key-4")
    assert psp.money()["order_2"] == (500, 0, 0)
    with pytest.raises(adyen.AdyenAPIUnprocessableEntity):
        checkout.capture(payment, 501, "key-4")


@pytest.mark.parametrize("behaviour", ["error_after_charge", "reset_after_charge", "error_before_charge", "transient_error",
                                       "in_use", "too_many_requests"])
def test_the_same_key_again_after_a_fault_is_one_payment(adyen, psp, checkout, behaviour):
    psp.play({"behaviour": behaviour, "requests": 1})
    with pytest.raises(Exception):  # noqa: B017 - each client library breaks in its own way
        checkout.pay("key-1")
    assert checkout.pay("key-1")["resultCode"] == "Authorised" and psp.counts() == {"order_1": (1, 1)}


def test_headers_say_what_may_be_sent_again(psp):
    request = {"merchantAccount": ACCOUNT, "reference": "order_1", "amount": {"value": 2000, "currency": "EUR"},
               "paymentMethod": VISA, "returnUrl": "https://shop.invalid/"}
    headers = {"X-API-Key": "key", "Idempotency-Key": "key-1"}
    psp.play({"behaviour": "transient_error", "requests": 1})
    transient = psp.ask("POST", "/v71/payments", request, headers)
    assert transient.status == 503 and transient.header("transient-error") == "true"
    paid = psp.ask("POST", "/v71/payments", request, headers)
    assert (paid.status, paid.header("idempotency-key"), paid.header("transient-error")) == (200, "key-1", None)
    psp.play({"behaviour": "slow", "delay_ms": 60_000, "requests": 1})
    refused = psp.ask("POST", "/v71/payments", request, {**headers, "Idempotency-Key": "key-2", "X-API-Key": ""})
    assert (refused.status, refused.json()["errorCode"]) == (401, "000")


def test_what_is_wrong_is_refused_in_adyens_words(adyen, psp, checkout):
    for more, error, code in (({"amount": None}, adyen.AdyenAPIUnprocessableEntity, "100"),
                              ({"reference": ""}, adyen.AdyenAPIUnprocessableEntity, "130"),
                              ({"merchantAccount": ""}, adyen.AdyenAPIInvalidPermission, "901"),
                              ({"paymentMethod": {**VISA, "encryptedCardNumber": "test_4111111111111112"}},
                               adyen.AdyenAPIUnprocessableEntity, "101")):
        with pytest.raises(error) as refused:
            checkout.pay(**more)
        assert f"'errorCode': '{code}'" in str(refused.value)
    with pytest.raises(adyen.AdyenAPIUnprocessableEntity) as refused:
        checkout.capture("SYPSP00000000001", 1)
    assert "'167'" in str(refused.value) and psp.counts() == {}


# ---- Events

@pytest.mark.quick
def test_events_are_signed(adyen, checkout, webhook):
    payment = checkout.hold(reference="order:1\\a/b")
    checkout.capture(payment, 2000)
    told(webhook, 2)
    for body in webhook.bodies:
        assert adyen.util.is_valid_hmac_notification(body, KEY)
        changed = copy.deepcopy(body)
        changed["notificationItems"][0]["NotificationRequestItem"]["amount"]["value"] += 1
        assert not adyen.util.is_valid_hmac_notification(changed, KEY)


def test_captures_and_refunds_that_fail_after_all_are_told_of(psp, checkout, webhook):
    failing = checkout.hold(paymentMethod={**VISA, "holderName": "capture failed"})
    checkout.capture(failing, 2000)
    eventually(lambda: told(webhook, 3)[2] == ("CAPTURE_FAILED", "true"), "CAPTURE_FAILED")
    paid = checkout.pay(paymentMethod={**VISA, "holderName": "refund failed"}, reference="order_2")
    checkout.refund(paid["pspReference"], 700)
    assert told(webhook, 6)[3:] == [("AUTHORISATION", "true"), ("REFUND", "true"), ("REFUND_FAILED", "true")]
    assert psp.money() == {"order_1": (0, 0, 0), "order_2": (2000, 0, 0)}


def test_a_refused_event_holds_up_the_others_and_a_late_one_does_not(psp, checkout, webhook):
    webhook.answers = [500, 500]
    psp.play({"behaviour": "event_late", "delay_ms": 1000, "kind": "authorize", "requests": 1})
    payment = checkout.hold()
    checkout.capture(payment, 500)
    checkout.refund(payment, 500)
    assert told(webhook, 3) == [("CAPTURE", "true"), ("REFUND", "true"), ("AUTHORISATION", "true")]


def test_events_are_doubled_and_lost(psp, checkout, webhook):
    psp.play({"behaviour": "event_lost", "kind": "authorize"}, {"behaviour": "event_doubled", "kind": "capture"})
    checkout.capture(checkout.hold(), 500)
    assert told(webhook, 2) == [("CAPTURE", "true")] * 2
    assert items(webhook)[0]["pspReference"] == items(webhook)[1]["pspReference"]
