"""Payments at Adyen, as psp-simulator plays it: what it answers, what it says later by its webhook, and its book."""

from urllib.parse import parse_qs, urlsplit

import pytest

from support.http_client import Client
from support.ports import free_port
from support.waiting import eventually

BACK = "https://shop.example/back"
HMAC_KEY = "00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF"


@pytest.fixture
def http_port():
    return free_port()


@pytest.fixture
def psp(start_psp_simulator, http_port):
    return start_psp_simulator(PSP_SIMULATOR_ADYEN_WEBHOOK_URL=f"http://127.0.0.1:{http_port}/psp/adyen_eu/events",
                               PSP_SIMULATOR_ADYEN_HMAC_KEY=HMAC_KEY)


@pytest.fixture
def start_server(start_switchyard, psp, http_port, tmp_path):
    routing_file = tmp_path / "routing.toml"
    routing_file.write_text('[psp.adyen_eu]\nadapter = "adyen"\nmerchant_account = "SwitchyardECOM"\napi_key_env = "ADYEN_KEY"\n'
                            f'hmac_key_env = "ADYEN_HMAC"\nbase_url = "{psp.url}/v71"\n[[rule]]\npsp = "adyen_eu"\n')

    def start(**settings):
        return start_switchyard(ROUTING_FILE=routing_file, ADYEN_KEY="AQE-hunter2", ADYEN_HMAC=HMAC_KEY, HTTP_PORT=http_port,
                                PSP_TIMEOUT_SECONDS=5, LEASE_SECONDS=6, **settings)
    return start


@pytest.fixture
def server(start_server):
    return start_server()


@pytest.fixture
def payer(server, merchant_of):
    return merchant_of(server)


def created(payer, card="M5N7TQ4TG5PFWR50", amount=1250, **more):
    method = {"storedPaymentMethodId": card, "shopperReference": "shopper-1"}
    return payer.created(amount, "EUR", payment_method={"adyen": method}, **more)


def came_back(psp, transaction):
    """The customer goes where they are sent, and what their browser brings back."""
    url = transaction["next_action"]["url"]
    assert url.startswith(psp.url)
    with Client(psp.endpoint) as customer:
        reply = customer.get(url.removeprefix(psp.url))
    assert reply.status in (302, 303) and reply.header("Location").startswith(BACK)
    return {name: values[0] for name, values in parse_qs(urlsplit(reply.header("Location")).query).items()}


def test_taken_and_given_back_in_parts(psp, payer):
    paid = payer.wait_for_status(created(payer)["id"], "captured")
    payer.asked(paid["id"], "refund", amount=250)
    payer.wait_for_status(paid["id"], "partially_refunded")
    payer.asked(paid["id"], "refund")
    assert payer.wait_for_status(paid["id"], "refunded")["refunded_amount"] == 1250
    assert len(psp.charges(paid["id"])) == 1


def test_held_and_captured_in_part_or_voided(psp, payer):
    held = payer.wait_for_status(created(payer, capture="manual")["id"], "authorized")
    payer.asked(held["id"], "capture", amount=1000)
    assert payer.wait_for_status(held["id"], "captured")["captured_amount"] == 1000
    voided = payer.wait_for_status(created(payer, capture="manual")["id"], "authorized")
    payer.asked(voided["id"], "void")
    assert payer.wait_for_status(voided["id"], "voided")["captured_amount"] == 0


def test_a_hold_that_runs_out_is_voided(psp, payer):
    psp.play({"behaviour": "taken_back", "kind": "authorize", "delay_ms": 1000, "requests": 1})
    over = payer.wait_for_status(created(payer, capture="manual")["id"], "voided")
    assert (over["authorized_amount"], over["captured_amount"]) == (1250, 0)
    assert over["operations"][0]["status"] == "succeeded" and "EXPIRE" in over["reason"], over
    assert payer.ask(over["id"], "capture").json()["transaction_status"] == "voided"


def test_with_a_key_of_the_merchants_too(payer):
    """The PSP then knows the payment by a name that is derived from the key: events find it by Adyen's."""
    paid = payer.wait_for_status(created(payer, key="order-17")["id"], "captured")
    payer.asked(paid["id"], "refund", key="refund-17")
    payer.wait_for_status(paid["id"], "refunded")


def test_a_refund_that_bounces_lowers_the_total_and_is_for_a_person(payer):
    paid = payer.wait_for_status(created(payer, "refund_failed")["id"], "captured")
    payer.asked(paid["id"], "refund", amount=250)
    bounced = payer.wait_for_status(paid["id"], "manual_review")
    assert (bounced["captured_amount"], bounced["refunded_amount"]) == (1250, 0)
    assert "REFUND_FAILED" in str(bounced["operations"][1]["reason"])


def test_the_customer_acts_and_what_they_bring_back_finishes_it(psp, payer):
    asked = payer.wait_for_status(created(payer, "authentication_required", return_url=BACK)["id"], "action_required")
    details = came_back(psp, asked)
    assert "redirectResult" in details
    assert payer.ask(asked["id"], "confirm", details=details).status == 200
    paid = payer.wait_for_status(asked["id"], "captured")
    assert "next_action" not in paid and len(psp.charges(paid["id"])) == 1


def test_a_customer_who_never_comes_has_the_payment_cancelled(psp, start_server, merchant_of):
    payer = merchant_of(start_server(CUSTOMER_TIMEOUT_SECONDS=2))
    asked = created(payer, "authentication_required", return_url=BACK)
    declined = payer.wait_for_status(asked["id"], "declined")
    assert "authentication_required" in str(declined["operations"][0]["reason"])
    assert declined["captured_amount"] == 0 and "next_action" not in declined


def test_without_a_way_back_nothing_is_left_open(psp, payer):
    """Adyen is told that the customer is not there, and refuses."""
    declined = payer.wait_for_status(created(payer, "authentication_required")["id"], "declined")
    assert declined["operations"][0]["reason"]["kind"] == "customer_action" and declined["captured_amount"] == 0


def test_a_lost_answer_is_learned_and_charged_once(psp, payer):
    psp.play({"behaviour": "reset_after_charge", "requests": 1})
    paid = payer.wait_for_status(created(payer)["id"], "captured", timeout_s=60)
    assert len(psp.charges(paid["id"])) == 1


@pytest.mark.parametrize("key", [None, "order-18"])
def test_what_nothing_could_be_learned_of_is_cancelled_by_our_name_for_it(psp, start_server, merchant_of, key):
    """Every answer is lost, and so is the event that would tell: Adyen is asked to let go of whatever there is."""
    rules = [{"behaviour": "error_kept_after_charge", "kind": "authorize"}, {"behaviour": "event_lost", "kind": "authorize"}]
    psp.play(*rules)
    payer = merchant_of(start_server(LOOK_UPS_MAX=1))
    declined = payer.wait_for_status(created(payer, capture="manual", key=key)["id"], "declined")
    assert declined["operations"][0]["reason"]["code"] == "cancelled" and declined["authorized_amount"] == 0
    assert list(psp.money().values()) == [(0, 0, 1250)], "it is open at the PSP"


def test_events_that_come_doubled_late_and_out_of_order_are_harmless(psp, payer):
    rules = [{"behaviour": "event_doubled"}, {"behaviour": "event_reordered", "delay_ms": 300}]
    psp.play(*rules, seed=7)
    for _ in range(5):
        paid = payer.wait_for_status(created(payer)["id"], "captured")
        payer.asked(paid["id"], "refund")
        assert payer.wait_for_status(paid["id"], "refunded")["refunded_amount"] == 1250
        [charge] = psp.charges(paid["id"])
        assert (charge["captured"], charge["refunded"]) == (1250, 1250)


def test_what_was_said_while_we_were_away_is_heard_later(psp, server, payer):
    paid = payer.wait_for_status(created(payer)["id"], "captured")
    rules = [{"behaviour": "event_late", "delay_ms": 1500}]
    psp.play(*rules)
    payer.asked(paid["id"], "refund")
    eventually(lambda: psp.charges(paid["id"])[0]["refunded"] == 1250, "the refund to be booked")
    server.kill()
    payer.close()
    server.start()
    assert payer.wait_for_status(paid["id"], "refunded")["refunded_amount"] == 1250


def test_nothing_of_a_secret_is_shown(server, payer):
    payer.wait_for_status(created(payer)["id"], "captured")
    assert "hunter2" not in server.program.log() and HMAC_KEY not in server.program.log()
