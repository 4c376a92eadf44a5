"""psp-events: the webhooks of PSPs, over the real program and both stores. Signatures are made in Python."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import exposition, storage
from support.http_client import Client, once
from support.problems import assert_problem
from support.programs import PspEvents, run_to_exit
from support.psp_webhooks import adyen_item, adyen_request, stripe_event, stripe_signature
from support.raw_http import RawConnection
from support.waiting import eventually

SECRET, SECRET_BEFORE = "whsec_of_today_hunter2", "whsec_of_yesterday_hunter2"
KEY, KEY_BEFORE = "00112233445566778899aabbccddeeff" * 2, "ffeeddccbbaa99887766554433221100" * 2
ROUTING = """
[psp.shop]
adapter = "stripe"
secret_key_env = "SHOP_KEY"
webhook_secret_env = "SHOP_SECRET"
webhook_secret_previous_env = "SHOP_SECRET_BEFORE"
[psp.mute]
adapter = "stripe"
secret_key_env = "SHOP_KEY"
[psp.market]
adapter = "adyen"
api_key_env = "MARKET_KEY"
merchant_account = "SwitchyardECOM"
hmac_key_env = "MARKET_HMAC"
hmac_key_previous_env = "MARKET_HMAC_BEFORE"
[psp.sim]
adapter = "simulator"
[[rule]]
psp = "sim"
"""
# Neither SHOP_KEY nor MARKET_KEY: nothing is asked of a PSP here.
VARIABLES = {"SHOP_SECRET": SECRET, "SHOP_SECRET_BEFORE": SECRET_BEFORE, "MARKET_HMAC": KEY, "MARKET_HMAC_BEFORE": KEY_BEFORE}

STRIPE_PAYMENT = "amount=2000&currency=eur&confirm=true&payment_method=pm_card_visa&payment_method_types[]=card"
ADYEN_PAYMENT = {
    "merchantAccount": "SwitchyardECOM", "reference": "pay_1", "amount": {"value": 2000, "currency": "EUR"},
    "returnUrl": "https://shop.example/back",
    "paymentMethod": {"type": "scheme", "encryptedCardNumber": "test_4111111111111111", "encryptedExpiryMonth": "test_03",
                      "encryptedExpiryYear": "test_2030", "encryptedSecurityCode": "test_737"}}


@pytest.fixture
def routing_file(tmp_path):
    path = tmp_path / "routing.toml"
    path.write_text(ROUTING)
    return path


@pytest.fixture
def start_events(start_psp_events, routing_file):
    def start(**overrides):
        return start_psp_events(**{"ROUTING_FILE": routing_file, **VARIABLES, **overrides})
    return start


@pytest.fixture(params=["sqlite", "postgres"])
def either_store(request, start_events):
    """psp-events over each of the two."""
    if request.param == "sqlite":
        return start_events()
    return start_events(DATABASE_URL=request.getfixturevalue("postgres_url"))


@pytest.fixture
def events(start_events):
    return start_events()


def post(server, account, body, headers=None):
    return once(server.endpoint, "POST", f"/{account}/events", body, headers or {})


def from_stripe(server, body, *secrets, account="shop", **options):
    signature = stripe_signature(body, *(secrets or (SECRET,)), **options)
    return post(server, account, body, {"Stripe-Signature": signature, "Content-Type": "application/json; charset=utf-8"})


def stored(server):
    """{account: its events, in order}."""
    rows = storage.query(server.database, "SELECT account, event FROM psp_events ORDER BY account, event")
    return {account: [event for one, event in rows if one == account] for account, _ in rows}


def counted(server, account, result):
    families = exposition.parse(once(server.metrics, "GET", "/metrics").body.decode())
    return exposition.total(families, "switchyard_psp_events_total", account=account, result=result)


# ---- What is stored

def test_an_event_of_stripe_that_comes_again_is_answered_again_and_stored_once(either_store):
    body = stripe_event("evt_1")
    for at in (None, None, time.time() - 200):
        reply = from_stripe(either_store, body, at=at)
        assert (reply.status, reply.body) == (200, b"[accepted]")
    assert stored(either_store) == {"shop": ["evt_1"]}
    assert counted(either_store, "shop", "stored") == 3


def test_the_same_event_at_once_is_stored_once(either_store):
    body = stripe_event("evt_1")
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: from_stripe(either_store, body).status, range(24)))
    assert replies == [200] * 24
    assert stored(either_store) == {"shop": ["evt_1"]}


def test_events_of_adyen_are_stored_once_each(either_store):
    body = adyen_request(adyen_item("SYPSP00000000002", KEY), adyen_item("SYPSP00000000003", KEY, code="NEW_ONE"))
    for _ in range(2):
        assert (post(either_store, "market", body).status, post(either_store, "market", body).body) == (200, b"[accepted]")
    assert stored(either_store) == {"market": ["SYPSP00000000002:CAPTURE:true", "SYPSP00000000003:NEW_ONE:true"]}
    rows = storage.query(either_store.database, "SELECT event, result FROM psp_events ORDER BY event")
    assert [result for _, result in rows] == ["", "of no consequence"]


def test_an_event_is_believed_under_the_secret_of_yesterday(events):
    assert from_stripe(events, stripe_event("evt_1"), SECRET_BEFORE).status == 200
    assert from_stripe(events, stripe_event("evt_2"), "whsec_of_tomorrow", SECRET).status == 200
    assert post(events, "market", adyen_request(adyen_item("SYPSP00000000002", KEY_BEFORE))).status == 200
    assert stored(events) == {"market": ["SYPSP00000000002:CAPTURE:true"], "shop": ["evt_1", "evt_2"]}


def test_the_raw_bytes_are_what_is_signed(events):
    body = stripe_event("evt_1").replace(b": ", b" :\n\t ") + b"\r\n "
    assert json.loads(body) and from_stripe(events, body).status == 200
    again = json.dumps(json.loads(body)).encode()
    signature = stripe_signature(body, SECRET)
    assert_problem(post(events, "shop", again, {"Stripe-Signature": signature}), 401)


def test_two_accounts_have_events_of_their_own(start_events, routing_file):
    routing_file.write_text(ROUTING.replace("[psp.sim]", '[psp.shop2]\nadapter = "stripe"\nsecret_key_env = "SHOP_KEY"\n'
                                                         'webhook_secret_env = "SHOP2_SECRET"\n[psp.sim]'))
    server = start_events(SHOP2_SECRET="whsec_of_the_second")
    body = stripe_event("evt_1")
    assert_problem(from_stripe(server, body, SECRET, account="shop2"), 401)
    assert_problem(from_stripe(server, body, "whsec_of_the_second"), 401)
    assert from_stripe(server, body).status == from_stripe(server, body, "whsec_of_the_second", account="shop2").status == 200
    assert stored(server) == {"shop": ["evt_1"], "shop2": ["evt_1"]}


# ---- What is refused

def test_what_is_not_signed_by_the_account_is_401_and_not_stored(either_store):
    body = stripe_event("evt_1")
    for headers in ({}, {"Stripe-Signature": ""}, {"Stripe-Signature": "x" * 5000},
                    {"Stripe-Signature": stripe_signature(body, "whsec_other")},
                    {"Stripe-Signature": stripe_signature(body, SECRET, at=time.time() - 400)},
                    {"Stripe-Signature": stripe_signature(body, SECRET, at=time.time() + 400)},
                    {"Stripe-Signature": stripe_signature(body, SECRET).replace("v1=", "v0=")}):
        problem = assert_problem(post(either_store, "shop", body, headers), 401, "Signature refused")
        assert "hunter2" not in json.dumps(problem)
    forged = adyen_item("SYPSP00000000002", KEY)
    forged["NotificationRequestItem"]["success"] = "false"
    nobody = adyen_item("SYPSP00000000003", KEY)
    del nobody["NotificationRequestItem"]["additionalData"]
    for item in (forged, nobody, adyen_item("SYPSP00000000004", "ab" * 32)):
        for items in ([item], [adyen_item("SYPSP00000000005", KEY), item]):
            assert_problem(post(either_store, "market", adyen_request(*items)), 401)
    assert stored(either_store) == {}
    assert counted(either_store, "shop", "refused_signature") == 7
    assert counted(either_store, "market", "refused_signature") == 6


@pytest.mark.parametrize("body", [b"", b"<html><body>502</body></html>", b"null", b"[]", b"{}", b'{"id":', b"\xff\xfe{}",
                                  b"[" * 50_000, b'{"id":"evt_1","object":"event","type":7}'])
def test_what_is_signed_and_cannot_be_read_is_400(events, body):
    assert_problem(from_stripe(events, body), 400, "Event cannot be read")
    assert_problem(post(events, "market", body), 400, "Event cannot be read")
    assert stored(events) == {}


def test_an_event_of_another_merchant_account_or_environment_is_400(events):
    other = adyen_request(adyen_item("SYPSP00000000002", KEY, account="OtherECOM"))
    assert "another merchant account" in assert_problem(post(events, "market", other), 400)["detail"]
    live = adyen_request(adyen_item("SYPSP00000000002", KEY), live="true")
    assert "environment" in assert_problem(post(events, "market", live), 400)["detail"]
    assert stored(events) == {}


def test_what_is_too_large_is_413(events):
    body = stripe_event("evt_1")
    padded = body + b" " * (262_144 - len(body))
    assert from_stripe(events, padded).status == 200
    assert_problem(from_stripe(events, padded + b" "), 413)
    with RawConnection(events.endpoint) as connection:
        connection.send(b"POST /shop/events HTTP/1.1\r\nHost: a\r\nContent-Length: 10485760\r\n\r\n" + b"x" * 10_000)
        assert_problem(connection.read_reply(), 413)


def test_what_is_no_account_that_takes_events_is_404(events):
    body = stripe_event("evt_1")
    assert "no account of this name" in assert_problem(from_stripe(events, body, account="nobody"), 404)["detail"]
    for account in ("sim", "mute"):
        assert "takes no events" in assert_problem(from_stripe(events, body, account=account), 404)["detail"]
    for path in ("/shop", "/shop/events/", "/events", "//events", "/shop%2Fevents", "/psp/shop/events"):
        assert_problem(once(events.endpoint, "POST", path, body), 404)
    assert stored(events) == {}


def test_without_a_routing_file_each_request_is_404_and_says_why(start_events):
    server = start_events(ROUTING_FILE=None)
    problem = assert_problem(from_stripe(server, stripe_event("evt_1")), 404)
    assert "ROUTING_FILE is not set" in problem["detail"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_another_method_is_405(events, method):
    reply = once(events.endpoint, method, "/shop/events")
    assert_problem(reply, 405)
    assert reply.header("Allow") == "POST, OPTIONS"


def test_the_log_says_which_account_and_why_and_nothing_of_the_sender_s(events):
    from_stripe(events, stripe_event("evt_secret_words"), "whsec_other")
    from_stripe(events, stripe_event("evt_secret_words"), account="4111111111111111")
    log = eventually(lambda: "refused with 404" in events.program.log() and events.program.log(), "both lines")
    assert "An event for the account shop was refused with 401: " in log
    assert "An event for no account was refused with 404: " in log
    for word in ("hunter2", "whsec", "secret_words", "4111", KEY):
        assert word not in log


def test_strangers_make_no_series_and_few_lines(events):
    def series():
        families = exposition.parse(once(events.metrics, "GET", "/metrics").body.decode())
        return sum(len(samples) for _, samples in families.values())
    once(events.endpoint, "POST", "/stranger/events", b"{}")
    before = series()
    with Client(events.endpoint) as client:
        for number in range(400):
            assert client.post(f"/stranger{number}/events", body=b"{}").status == 404
    assert series() <= before + 5
    assert counted(events, "", "unknown_account") == 401
    assert events.program.log().count("was refused with 404") < 300


# ---- The store is away

def test_while_postgresql_is_away_it_is_503_and_is_stored_when_it_comes_again(own_postgres, start_events):
    server = start_events(DATABASE_URL=own_postgres.url())
    own_postgres.kill9()
    reply = from_stripe(server, stripe_event("evt_1"))
    assert_problem(reply, 503)
    assert int(reply.header("Retry-After")) > 0
    assert once(server.endpoint, "GET", "/health").status == 503
    own_postgres.start()
    eventually(lambda: from_stripe(server, stripe_event("evt_1")).status == 200, "the event to be stored")
    assert stored(server) == {"shop": ["evt_1"]}


def test_while_the_file_is_away_it_is_503_and_is_stored_when_it_comes_again(events):
    away = events.database.with_suffix(".away")
    events.database.rename(away)
    assert_problem(from_stripe(events, stripe_event("evt_1")), 503)
    away.rename(events.database)
    eventually(lambda: from_stripe(events, stripe_event("evt_1")).status == 200, "the event to be stored")
    assert stored(events) == {"shop": ["evt_1"]}


def test_what_was_answered_200_is_there_after_a_kill(either_store):
    names = [f"evt_{number:03}" for number in range(30)]
    for name in names:
        assert from_stripe(either_store, stripe_event(name)).status == 200
    either_store.kill()
    assert stored(either_store) == {"shop": names}


def test_one_account_s_flood_leaves_room_for_the_others(own_postgres, start_events):
    """While the store does not answer, 128 of an account wait for it; another one's still come in."""
    server = start_events(DATABASE_URL=own_postgres.url())
    names = [f"evt_{number:03}" for number in range(200)]
    own_postgres.pause()
    with ThreadPoolExecutor(len(names) + 1) as pool:
        flood = [pool.submit(from_stripe, server, stripe_event(name)) for name in names]
        eventually(lambda: sum(one.done() for one in flood) >= len(names) - 128, "the flood to be refused")
        other = pool.submit(post, server, "market", adyen_request(adyen_item("SYPSP00000000002", KEY)))
        own_postgres.resume()
        replies = [one.result() for one in flood]
        assert "Too many" not in other.result().body.decode()
    refused = [reply for reply in replies if reply.status == 503 and reply.json()["error"] == "Too many events at once"]
    assert len(refused) >= len(names) - 128
    assert all(int(reply.header("Retry-After")) > 0 for reply in refused)
    for name in names:
        eventually(lambda name=name: from_stripe(server, stripe_event(name)).status == 200, f"{name} to be stored")
    assert stored(server)["shop"] == names


# ---- The routing file

def routing_health(server):
    [check] = once(server.endpoint, "GET", "/health").json()["checks"]["events:routing"]
    return check["status"], check.get("output", "")


def test_a_new_routing_file_counts_without_a_restart_and_a_wrong_one_keeps_the_old(events, routing_file):
    routing_file.write_text(ROUTING.replace("[psp.shop]", "[psp.store]"))
    eventually(lambda: from_stripe(events, stripe_event("evt_1"), account="store").status == 200, "the new account")
    assert_problem(from_stripe(events, stripe_event("evt_1")), 404)
    assert routing_health(events) == ("pass", "")

    routing_file.write_text(ROUTING.replace('adapter = "stripe"', 'adapter = "strype"', 1))
    status, output = eventually(lambda: routing_health(events)[0] == "warn" and routing_health(events), "health to warn")
    assert status == "warn" and "line 3" in output
    assert from_stripe(events, stripe_event("evt_2"), account="store").status == 200
    assert "events are taken for the accounts from before" in events.program.log()

    routing_file.write_text(ROUTING.replace("SHOP_SECRET_BEFORE", "NOT_SET"))
    eventually(lambda: "NOT_SET is not set" in routing_health(events)[1], "health to name the variable")

    routing_file.write_text(ROUTING)
    eventually(lambda: from_stripe(events, stripe_event("evt_3")).status == 200, "the first account to be back")
    assert routing_health(events) == ("pass", "")


@pytest.mark.parametrize("overrides, words", [
    ({"SHOP_SECRET": None}, "SHOP_SECRET is not set"), ({"SHOP_SECRET": "hunter2"}, "no secret of a webhook"),
    ({"MARKET_HMAC": "hunter2"}, "64 hexadecimal digits"), ({"ROUTING_FILE": "/nowhere.toml"}, "/nowhere.toml"),
])
def test_a_wrong_account_stops_the_start(tmp_path, routing_file, overrides, words):
    server = PspEvents(tmp_path, **{"ROUTING_FILE": routing_file, **VARIABLES, **overrides})
    done = run_to_exit("psp-events", [], server.program.settings, tmp_path)
    assert done.returncode == 2 and words in done.stderr and "hunter2" not in done.stdout + done.stderr


# ---- In one process with the rest

def test_serve_takes_events_beside_everything_else(start_switchyard, routing_file):
    routing_file.write_text(ROUTING[:ROUTING.index("[psp.market]")] + ROUTING[ROUTING.index("[psp.sim]"):])
    server = start_switchyard(ROUTING_FILE=routing_file, SHOP_KEY="sk_test_1", **VARIABLES)
    body = stripe_event("evt_1", kind="customer.created")
    signature = {"Stripe-Signature": stripe_signature(body, SECRET)}
    assert once(server.root, "POST", "/psp/shop/events", body, signature).status == 200
    assert_problem(once(server.root, "POST", "/psp/shop/events", body), 401)
    assert once(server.root, "GET", "/psp/health").status == 200
    assert [row for row in storage.query(server.database, "SELECT event FROM psp_events")] == [("evt_1",)]


def test_an_event_of_the_other_mode_is_of_no_consequence_where_the_key_is_known(start_events):
    server = start_events(SHOP_KEY="sk_test_1")
    assert from_stripe(server, stripe_event("evt_1", livemode=True)).status == 200
    assert from_stripe(server, stripe_event("evt_2")).status == 200
    rows = storage.query(server.database, "SELECT event, result FROM psp_events ORDER BY event")
    assert rows == [("evt_1", "of no consequence"), ("evt_2", "")]


# ---- From a PSP of ours

def test_events_of_the_psp_simulator_are_believed_and_stored(start_events, start_psp_simulator):
    """Stripe and Adyen, as psp-simulator plays and signs them."""
    server = start_events()
    simulator = start_psp_simulator(
        PSP_SIMULATOR_STRIPE_WEBHOOK_URL=server.endpoint.url("/shop/events"), PSP_SIMULATOR_STRIPE_WEBHOOK_SECRET=SECRET,
        PSP_SIMULATOR_ADYEN_WEBHOOK_URL=server.endpoint.url("/market/events"), PSP_SIMULATOR_ADYEN_HMAC_KEY=KEY)
    form = {"Authorization": "Bearer sk_test_1", "Content-Type": "application/x-www-form-urlencoded"}
    paid = once(simulator.endpoint, "POST", "/v1/payment_intents", STRIPE_PAYMENT, form)
    assert paid.status == 200, paid
    paid = simulator.ask("POST", "/v71/payments", ADYEN_PAYMENT, {"X-API-Key": "key"})
    assert paid.status == 200 and paid.json()["resultCode"] == "Authorised", paid
    eventually(lambda: set(stored(server)) == {"shop", "market"}, "an event of each")
    assert all(event.startswith("evt_") for event in stored(server)["shop"])
    assert f"{paid.json()['pspReference']}:AUTHORISATION:true" in stored(server)["market"]
    for account in ("shop", "market"):
        assert counted(server, account, "refused_signature") == counted(server, account, "unreadable") == 0
