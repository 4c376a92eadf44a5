"""core-api's tables of the contract, row by row."""

import json
import re
import time
import urllib.parse
import uuid
from datetime import datetime, timedelta, UTC

import pytest

from support import amounts, exposition
from support.concurrency import at_once
from support.http_client import Client, once
from support.load import Load
from support.problems import assert_problem
from support.programs import ThreeServices
from support.waiting import eventually

MAX_AMOUNT = 10**12
UNKNOWN_ID = "0190a000-0000-7000-8000-000000000000"


# ---- POST /transaction: 200

@pytest.mark.quick
def test_created_transaction(merchant):
    before = datetime.now(UTC) - timedelta(seconds=1)
    reply = merchant.create(100, "USD")
    assert reply.status == 200 and reply.media_type == "application/json"
    transaction = reply.json()
    assert list(transaction)[:5] == ["amount", "currency", "user_id", "id", "status"]
    assert {name: transaction[name] for name in ("amount", "currency", "user_id", "status")} == {
        "amount": 100, "currency": "USD", "user_id": merchant.user_id, "status": "queued"}
    created_at = datetime.fromisoformat(transaction["created_at"].replace("Z", "+00:00"))
    assert before <= created_at <= datetime.now(UTC) + timedelta(seconds=1)


@pytest.mark.quick
def test_id_is_a_uuid_of_version_7_that_location_points_at(merchant):
    before_ms = int(time.time() * 1000)
    reply = merchant.create()
    identifier = uuid.UUID(reply.json()["id"])
    assert identifier.version == 7 and identifier.variant == uuid.RFC_4122
    assert before_ms - 5 <= identifier.int >> 80 <= int(time.time() * 1000) + 5
    # A relative reference (RFC 9110, 10.2.2), so that it is right behind a router that strips a prefix, too.
    path = urllib.parse.urljoin(merchant.server.core.prefix + "/transaction", reply.header("Location"))
    shown = once(merchant.server.root, "GET", path, headers=merchant.authorization)
    assert (shown.status, shown.json()["id"]) == (200, str(identifier))


@pytest.mark.quick
@pytest.mark.parametrize("amount", [1, 100, "1", "100", MAX_AMOUNT, str(MAX_AMOUNT)])
def test_amount_as_integer_and_as_string(merchant, amount):
    transaction = merchant.created(amount)
    assert transaction["amount"] == int(amount) and type(transaction["amount"]) is int
    assert merchant.show(transaction["id"])["amount"] == int(amount)


@pytest.mark.parametrize("currency", ["USD", "EUR", "GBP", "JPY", "KWD", "BHD", "CLF", "CHF", "INR", "XOF"])
def test_currencies_of_iso_4217(merchant, currency):
    assert merchant.created(100, currency)["currency"] == currency


@pytest.mark.quick
@pytest.mark.parametrize("more, said", [({"curency": "EUR"}, 'perhaps "currency" was meant'), ({"Amount": 5}, '"amount"'),
                                        ({"comment": "for the window cleaner"}, '"comment"'), ({"next_action": {}}, "next_action"),
                                        ({"x" * 5000: 1}, "known are: amount, currency, token")])
def test_members_that_are_not_known_are_422_and_named(merchant, more, said):
    problem = assert_problem(merchant.create(100, "USD", **more), 422, "Unknown member")
    assert said in problem["detail"] and len(problem["detail"]) < 300
    assert merchant.walk() == []


def test_order_and_white_space_of_the_body_do_not_matter(merchant):
    assert merchant.post(body=b' {\n "currency" : "EUR" ,\t"amount":5 }\r\n').status == 200


def test_large_amounts_are_exact(start_switchyard, merchant_of):
    """To the last digit; money must never pass through a float of 32 bits or a text with an exponent."""
    merchant = merchant_of(start_switchyard(MAX_AMOUNT=10**15))
    for amount in (10**15 - 1, "999999999999997", 10**15):
        transaction = merchant.created(amount)
        assert merchant.wait_final(transaction["id"])["amount"] == transaction["amount"] == int(amount)


# ---- POST /transaction: amounts that are refused

@pytest.mark.quick
@pytest.mark.parametrize("amount", [
    pytest.param(amount, id=repr(amount)) for amount in [
        0, -1, -100, MAX_AMOUNT + 1, 2**63, 2**64, 10**30, 1.5, 100.0, 0.1, "0", "-1", "+1", "1.5", "100.0", "1e2",
        "1E2", "0x64", "１００", "100 ", " 100", "1 000", "1,000", "1_000", "abc", "", " ", "NaN", "Infinity", "null",
        "100USD", str(MAX_AMOUNT + 1), "9" * 400, True, False, None, [], [100], {}, {"value": 100}]])
def test_amount_that_is_no_whole_positive_number_below_the_limit_is_422(merchant, amount):
    problem = assert_problem(merchant.create(amount), 422)
    assert "amount" in (problem["error"] + problem["detail"]).lower()


@pytest.mark.parametrize("text", ["1e2", "1E2", "100.0", "1.0e2", "1e400", "-1e400", "1e-5",
                                  "100000000000000000000000000000000", "-0", "-0.0"])
def test_amount_spelt_as_anything_but_an_integer_is_refused(merchant, text):
    reply = merchant.post(body=f'{{"amount":{text},"currency":"USD"}}'.encode())
    assert reply.status in (400, 422)
    assert_problem(reply, reply.status)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "0x10", "01", "+1", ".5", "1.", "1_000"])
def test_amount_that_is_no_json_is_400(merchant, text):
    assert_problem(merchant.post(body=f'{{"amount":{text},"currency":"USD"}}'.encode()), 400)


def test_missing_amount_is_422_and_says_which(merchant):
    assert "amount" in assert_problem(merchant.post({"currency": "USD"}), 422)["error"].lower()


def test_limit_of_the_amount_is_configurable(start_switchyard, merchant_of):
    merchant = merchant_of(start_switchyard(MAX_AMOUNT=500))
    assert merchant.create(500).status == 200
    assert_problem(merchant.create(501), 422)
    assert_problem(merchant.create("501"), 422)


def test_an_amount_given_twice_is_not_guessed_at(merchant):
    reply = merchant.post(body=b'{"amount":100,"amount":200,"currency":"USD"}')
    assert reply.status in (400, 422)


# ---- POST /transaction: currencies that are refused

@pytest.mark.quick
@pytest.mark.parametrize("body", [{}, {"currency": ""}, {"currency": None}, {"currency": "  "}])
def test_missing_currency_is_422(merchant, body):
    assert_problem(merchant.post({"amount": 100, **body}), 422, "Currency is blank")


@pytest.mark.quick
@pytest.mark.parametrize("currency", ["US", "USDX", "XYZ", "ABC", "usd", "Usd", "U$D", "840", "US ", " USD", "USD ",
                                      "ＵＳＤ", "USD\0", "DEM", "€", "A" * 10_000])
def test_currency_outside_iso_4217_is_422(merchant, currency):
    assert_problem(merchant.create(100, currency), 422, "Invalid currency code")


@pytest.mark.parametrize("currency", [840, 1.5, True, [], ["USD"], {}, {"code": "USD"}])
def test_currency_of_another_type_is_422(merchant, currency):
    assert_problem(merchant.create(100, currency), 422)


def test_a_bad_token_is_said_before_a_bad_body(merchant):
    """Nobody without a token learns what core-api thinks of a body."""
    with Client(merchant.server.core) as client:
        assert_problem(client.post("/transaction", {"amount": -1, "currency": "XYZ"}), 401, "Token is blank")


# ---- not JSON, content type, size, method, path

@pytest.mark.quick
@pytest.mark.parametrize("body", [b"", b" ", b"{", b"}", b"amount=100&currency=USD", b'{"amount":100',
                                  b'{"amount":100,}', b"{'amount':100}",
                                  b'{"amount":100,"currency":"USD"}{}', b'{"amount":100,"currency":"USD"} x',
                                  b'{"amount":100,"currency":"US\xff"}',
                                  b'{"amount":100,"currency":"\\ud800"}', b"\xef\xbb\xbf", b"\0",
                                  b'{"amount":100 /* x */,"currency":"USD"}'])
def test_not_json_is_400(merchant, body):
    assert_problem(merchant.post(body=body), 400)


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"x"', b'[{"amount":100,"currency":"USD"}]'])
def test_json_that_is_no_object_is_a_client_error(merchant, body):
    reply = merchant.post(body=body)
    assert reply.status in (400, 422)
    assert_problem(reply, reply.status)


@pytest.mark.quick
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity, gzip"])
def test_a_content_encoding_is_415_and_says_what_is_accepted(merchant, coding):
    reply = merchant.post({"amount": 100, "currency": "USD"}, headers={"Content-Encoding": coding})
    assert_problem(reply, 415)
    assert reply.header("Accept-Encoding") == "identity"
    assert merchant.post({"amount": 100, "currency": "USD"}, headers={"Content-Encoding": "identity"}).status == 200


@pytest.mark.quick
@pytest.mark.parametrize("extra, bound", [
    ({f"m{number}": 1 for number in range(65)}, "64 members"), ([0] * 1001, "1000 members and array elements"),
    ([[{"a": 1}] * 10] * 100, "1000 members and array elements"),
], ids=["one object", "one array", "in all"])
def test_json_of_too_many_values_is_413_and_says_how_many(merchant, extra, bound):
    """Names that collide in a hash cost the square of their number: the number is bounded before a table is built."""
    problem = assert_problem(merchant.post({"amount": 100, "currency": "USD", "extra": extra}), 413)
    assert bound in problem["detail"]


@pytest.mark.quick
@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml",
                                        "application/jsonx", "json", ""])
def test_wrong_content_type_is_415(merchant, media_type):
    reply = merchant.post({"amount": 100, "currency": "USD"}, headers={"Content-Type": media_type})
    assert_problem(reply, 415)


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "application/json;charset=UTF-8",
                                        "APPLICATION/JSON"])
def test_spellings_of_the_content_type(merchant, media_type):
    assert merchant.post({"amount": 100, "currency": "USD"}, headers={"Content-Type": media_type}).status == 200


@pytest.mark.quick
def test_too_large_is_413_and_the_limit_itself_is_not(merchant):
    def body(size):
        text = b'{"amount":100,"currency":"USD"'
        return text + b" " * (size - len(text) - 1) + b"}"
    assert merchant.post(body=body(65536)).status == 200
    assert_problem(merchant.post(body=body(65537)), 413)


def test_limit_of_the_body_is_configurable(start_switchyard, merchant_of):
    merchant = merchant_of(start_switchyard(MAX_BODY_BYTES=2000))
    assert_problem(merchant.create(100, "USD", padding="x" * 2000), 413)
    assert merchant.create().status == 200


@pytest.mark.quick
@pytest.mark.parametrize("method, path, allowed", [
    ("PUT", "/transaction", {"GET", "POST"}), ("DELETE", "/transaction", {"GET", "POST"}),
    ("PATCH", "/transaction", {"GET", "POST"}),
    ("POST", f"/transaction/{UNKNOWN_ID}", {"GET"}), ("DELETE", f"/transaction/{UNKNOWN_ID}", {"GET"}),
    ("POST", "/health", {"GET"}), ("DELETE", "/openapi.json", {"GET"}),
    ("GET", f"/transaction/{UNKNOWN_ID}/capture", {"POST"}), ("PUT", f"/transaction/{UNKNOWN_ID}/void", {"POST"}),
    ("DELETE", f"/transaction/{UNKNOWN_ID}/refund", {"POST"}),
])
def test_wrong_method_is_405_with_allow(merchant, method, path, allowed):
    reply = merchant.client.request(method, path, headers=merchant.authorization)
    assert_problem(reply, 405)
    assert allowed <= {name.strip() for name in reply.header("Allow").split(",")} <= allowed | {"HEAD", "OPTIONS"}


@pytest.mark.quick
@pytest.mark.parametrize("path, allowed", [("/transaction", "POST, GET, HEAD, OPTIONS"), ("/health", "GET, HEAD, OPTIONS"),
                                           (f"/transaction/{UNKNOWN_ID}", "GET, HEAD, OPTIONS"),
                                           (f"/transaction/{UNKNOWN_ID}/refund", "POST, OPTIONS")])
def test_options_says_what_is_allowed(switchyard, path, allowed):
    reply = once(switchyard.core, "OPTIONS", path)
    assert reply.status == 204 and reply.body == b""
    assert set(reply.header("Allow").split(", ")) == set(allowed.split(", "))
    assert reply.header("Content-Length") is None


@pytest.mark.quick
@pytest.mark.parametrize("path", ["/", "/transactions", "/transaction/x/y", "/Transaction", "/token", "/metrics",
                                  "/favicon.ico", "/transaction/x/y/z", f"/transaction/{UNKNOWN_ID}/settle",
                                  f"/transaction/{UNKNOWN_ID}/capture/"])
def test_unknown_path_is_404(merchant, path):
    assert_problem(merchant.get(path), 404)


@pytest.mark.parametrize("path", ["/", "/auth", "/transaction", "/nothing/here", "/health", "/metrics",
                                  "/authx/token"])
def test_paths_outside_the_two_prefixes_are_404(switchyard, path):
    """Of the router itself: only /auth/ and /transaction/ lead anywhere (/health may exist for the whole process)."""
    reply = once(switchyard.root, "GET", path)
    if path == "/health" and reply.status == 200:
        return
    assert_problem(reply, 404)


@pytest.mark.quick
@pytest.mark.parametrize("path", ["/health", "/openapi.json", "/transaction"])
def test_head_is_get_without_a_body(merchant, path):
    head = merchant.client.request("HEAD", path, headers=merchant.authorization)
    get = merchant.get(path)
    assert (head.status, head.body, head.media_type) == (200, b"", get.media_type)
    assert int(head.header("Content-Length")) == len(get.body)


# ---- GET /transaction/{id}

@pytest.mark.quick
def test_show_has_the_operations(merchant):
    created = merchant.created(250, "EUR")
    transaction = merchant.wait_final(created["id"])
    assert {name: transaction[name] for name in ("amount", "currency", "user_id", "id", "created_at")} == {
        name: created[name] for name in ("amount", "currency", "user_id", "id", "created_at")}
    assert transaction["status"] == "captured"
    [authorization] = transaction["operations"]
    assert {name: authorization[name] for name in ("id", "number", "kind", "amount", "status", "sends", "look_ups")} == {
        "id": f"{created['id']}-1", "number": 1, "kind": "authorize", "amount": 250, "status": "succeeded", "sends": 1,
        "look_ups": 0}
    assert authorization["psp"] and authorization["psp_reference"]
    assert authorization["requested_at"] <= authorization["sent_at"] <= authorization["ended_at"]
    assert set(authorization).isdisjoint({"idempotency_key", "request", "final", "reason", "note", "reference"})


@pytest.mark.quick
def test_transaction_of_another_merchant_is_404(merchant, merchant_of):
    other = merchant_of(merchant.server)
    mine = merchant.created()
    not_theirs = assert_problem(other.get(f"/transaction/{mine['id']}"), 404)
    nobodys = assert_problem(other.get(f"/transaction/{UNKNOWN_ID}"), 404)
    assert (not_theirs["error"], not_theirs["title"]) == (nobodys["error"],
                                                          nobodys["title"]), "the reply tells that the id exists"
    assert merchant.show(mine["id"])["id"] == mine["id"]


@pytest.mark.parametrize("identifier", [UNKNOWN_ID, "x", "1", "00000000-0000-0000-0000-000000000000", UNKNOWN_ID[:-1],
                                        UNKNOWN_ID + "0",
                                        UNKNOWN_ID.replace("-", ""), "%00", "%2e%2e", "..%2f", "'", "a" * 3000,
                                        "%F0%9F%8F%A6"])
def test_id_that_is_none_is_404(merchant, identifier):
    assert_problem(merchant.get(f"/transaction/{identifier}"), 404)


def test_id_in_upper_case_is_the_same_id_or_none(merchant):
    created = merchant.created()
    reply = merchant.get(f"/transaction/{created['id'].upper()}")
    assert reply.status == 404 or reply.json()["id"] == created["id"]


# ---- GET /transaction

@pytest.mark.quick
def test_list_of_a_new_merchant_is_empty(merchant):
    assert merchant.page() == {"items": [], "next_cursor": None}


@pytest.mark.quick
def test_list_is_newest_first_and_only_the_merchants_own(merchant, merchant_of):
    other = merchant_of(merchant.server)
    mine, theirs = [], []
    for amount in range(1, 6):
        mine.append(merchant.created(amount)["id"])
        theirs.append(other.created(amount)["id"])
    assert [item["id"] for item in merchant.walk()] == mine[::-1]
    assert [item["id"] for item in other.walk()] == theirs[::-1]
    assert {item["user_id"] for item in merchant.walk()} == {merchant.user_id}


@pytest.mark.quick
@pytest.mark.parametrize("limit", [1, 2, 7, 10, 23, 24, 100])
def test_cursors_walk_everything_exactly_once(switchyard, merchant_of, limit):
    merchant = merchant_of(switchyard)
    created = [merchant.created(number + 1, ("USD", "EUR")[number % 2])["id"] for number in range(23)]
    assert len(merchant.page(limit=limit)["items"]) <= limit
    assert [item["id"] for item in merchant.walk(limit=limit)] == created[::-1]
    assert [item["id"] for item in merchant.walk(limit=limit, currency="EUR")] == created[1::2][::-1]


def test_walk_is_steady_while_new_transactions_arrive(merchant):
    created = [merchant.created()["id"] for _ in range(10)]
    seen, cursor = [], {}
    while True:
        page = merchant.page(limit=3, **cursor)
        seen += [item["id"] for item in page["items"]]
        merchant.created()
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == created[::-1]


def test_filter_by_status(merchant):
    captured = [merchant.created(number)["id"] for number in (1, 2, 3)]
    declined = [merchant.created(amounts.INSUFFICIENT_FUNDS)["id"] for _ in range(2)]
    for identifier in captured + declined:
        merchant.wait_final(identifier)
    assert [item["id"] for item in merchant.walk(status="captured")] == captured[::-1]
    assert [item["id"] for item in merchant.walk(status="declined", limit=1)] == declined[::-1]
    assert merchant.walk(status="failed") == []
    assert merchant.walk(status="captured", currency="EUR") == []
    assert {item["status"] for item in merchant.walk(status="declined")} == {"declined"}


@pytest.mark.slow
def test_a_rare_status_among_many_is_found(switchyard, merchant_of, seed):
    """A page may be short while there is more: a filter that matches almost nothing must not cost unbounded time."""
    merchant = merchant_of(switchyard)
    rare = [merchant.created(1, "CHF")["id"]]
    with Load(switchyard, seed, limit=21_000, amount=lambda _: 7, merchants=(merchant.user_id,)) as load:
        eventually(lambda: len(load.acknowledged) >= 20_500, "enough transactions", timeout_s=120)
    rare.append(merchant.created(1, "CHF")["id"])
    pages = list(merchant.pages(currency="CHF"))
    assert [item["id"] for page in pages for item in page["items"]] == rare[::-1]
    assert len(merchant.walk(limit=100)) == len(load.acknowledged) + 2


def test_items_of_the_list_are_as_shown_alone(merchant):
    identifier = merchant.created(77, "CHF")["id"]
    shown = merchant.wait_final(identifier)
    [item] = merchant.walk()
    assert item.items() <= shown.items()
    assert {"amount", "currency", "user_id", "id", "status", "created_at"} <= set(item)


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=x", "limit=1.5",
                                   "limit=99999999999999999999", "limit=1e2",
                                   "status=paid", "status=CAPTURED", "currency=XYZ", "currency=usd", "cursor=x",
                                   "cursor=%00",
                                   "cursor=" + "A" * 3000, "cursor=-1", f"cursor={UNKNOWN_ID}x", "limit=%zz"])
def test_bad_query_is_a_client_error(merchant, query):
    reply = merchant.get("/transaction?" + query)
    assert reply.status in (400, 422), f"{reply.status}: {reply.body[:300]!r}"
    assert_problem(reply, reply.status)


@pytest.mark.quick
@pytest.mark.parametrize("query, error, said", [
    ("stauts=captured", "Unknown query parameter", 'perhaps "status" was meant'),
    ("Limit=5", "Unknown query parameter", 'perhaps "limit" was meant'),
    ("merchant=2", "Unknown query parameter",
     "known are: status, currency, limit, cursor, reference, created_from, created_to, attention"),
    ("status=", "Invalid status", "captured"), ("status", "Invalid status", "captured"),
    ("currency=", "Invalid currency code", "USD"), ("limit=", "Invalid limit", "1 to 100"),
    ("cursor=", "Invalid cursor", "next_cursor"),
    ("status=captured&status=declined", "Repeated query parameter", '"status"'),
    ("limit=5&%6cimit=5", "Repeated query parameter", '"limit"')])
def test_a_filter_that_is_none_is_422_and_named(merchant, query, error, said):
    """Ignored, it would return everything."""
    problem = assert_problem(merchant.get("/transaction?" + query), 422, error)
    assert said in problem["detail"]


@pytest.mark.parametrize("query", ["%", "limit=5%", "limit=%5", "%zz=1", "limit=5&x=%g0"])
def test_a_malformed_escape_is_400(merchant, query):
    assert_problem(merchant.get("/transaction?" + query), 400, "Malformed query")


def test_escapes_of_a_query_are_undone(merchant):
    identifier = merchant.created(5, "EUR")["id"]
    merchant.created(5, "USD")
    page = merchant.get("/transaction?c%75rrency=%45UR&limit=%31").json()
    assert [item["id"] for item in page["items"]] == [identifier]


def test_other_routes_know_no_parameters(merchant):
    identifier = merchant.created()["id"]
    assert_problem(merchant.get(f"/transaction/{identifier}?expand=operations"), 422, "Unknown query parameter")
    reply = merchant.client.post("/transaction?dry_run=1", {"amount": 1, "currency": "USD"},
                                 headers=merchant.authorization)
    assert_problem(reply, 422, "Unknown query parameter")
    assert len(merchant.walk()) == 1


def test_cursor_of_another_merchant_shows_nothing_of_theirs(merchant, merchant_of):
    other = merchant_of(merchant.server)
    for _ in range(4):
        other.created()
    cursor = other.page(limit=2)["next_cursor"]
    reply = merchant.get(f"/transaction?cursor={cursor}")
    assert reply.status in (400, 404, 422) or reply.json()["items"] == []


def test_a_page_is_bounded_without_and_with_a_limit(merchant):
    for number in range(120):
        merchant.created(number + 1)
    assert len(merchant.page()["items"]) <= 100
    reply = merchant.get("/transaction?limit=1000000")
    assert reply.status in (400, 422) or len(reply.json()["items"]) <= 1000
    assert len(merchant.walk()) == 120


# ---- X-Request-Id

@pytest.mark.quick
@pytest.mark.parametrize("value", ["abc", "req-123.456_7", "0190a000-0000-7000-8000-00000000abcd", "A" * 64])
def test_sane_request_id_is_echoed(switchyard, value):
    for endpoint in (switchyard.auth, switchyard.core):
        assert once(endpoint, "GET", "/health", headers={"X-Request-Id": value}).header("X-Request-Id") == value


@pytest.mark.quick
@pytest.mark.parametrize("value", ["", " ", "a b", "a\tb", '"', "<script>", "a;b", "é", "x" * 1000,
                                   "4111111111111111", "4111-1111-1111-1111", "a\x7f"])
def test_other_request_id_is_replaced(switchyard, value):
    for endpoint in (switchyard.auth, switchyard.core):
        with_request_id = once(endpoint, "GET", "/health", headers={"X-Request-Id": value.encode()})
        answer = with_request_id.header("X-Request-Id")
        if with_request_id.status == 400:
            continue  # refused as a header altogether, which is as good
        assert answer and answer != value and re.fullmatch(r"[A-Za-z0-9._-]{8,64}", answer)


def test_request_ids_made_here_differ(switchyard):
    made = {once(switchyard.core, "GET", "/health").header("X-Request-Id") for _ in range(50)}
    assert len(made) == 50


@pytest.mark.quick
def test_every_kind_of_reply_has_a_request_id(merchant):
    replies = [merchant.create(), merchant.create(-1), merchant.get("/nowhere"), merchant.post(body=b"{"),
               merchant.get("/transaction"),
               merchant.client.request("PUT", "/transaction"), once(merchant.server.root, "GET", "/nowhere")]
    for reply in replies:
        assert reply.header("X-Request-Id"), reply


# ---- health and back-pressure

@pytest.mark.quick
def test_health_checks_the_store_and_the_queue(switchyard):
    checks = json.dumps(once(switchyard.core, "GET", "/health").json()["checks"]).lower()
    assert "store" in checks and ("queue" in checks or "backlog" in checks)


def test_one_merchant_does_not_fill_the_backlog_alone(tmp_path, merchant_of):
    """Whoever has nothing waiting is served while another one is refused."""
    small = ThreeServices(tmp_path, MAX_BACKLOG=100).start(without_connector=True)
    try:
        greedy, modest = merchant_of(small), merchant_of(small)
        replies = [greedy.create(number + 1) for number in range(150)]
        for reply in replies:
            assert reply.status == 200 or assert_problem(reply, 503, "Backlog is full")
        accepted = [reply for reply in replies if reply.status == 200]
        assert 50 <= len(accepted) <= 95
        for number in range(3):
            assert modest.create(number + 1).status == 200
        # Measured anew it is the same: who is refused is counted in the store, not only here.
        def measured():
            families = exposition.parse(once(small.metrics, "GET", "/metrics").body.decode())
            return exposition.total(families, "switchyard_backlog_transactions")
        eventually(lambda: measured() == len(accepted) + 3, "the backlog to be measured")
        assert_problem(greedy.create(), 503, "Backlog is full")
        assert modest.create().status == 200
    finally:
        assert small.stop() == 0


# ---- one merchant and the others

def test_a_rate_of_one_merchant_is_429_and_no_other_ones(start_switchyard, merchant_of):
    server = start_switchyard(MERCHANT_RATE=5)
    fast, other = merchant_of(server), merchant_of(server)
    limited = eventually(lambda: next((r for _ in range(20) if (r := fast.create()).status != 200), None), "a refusal")
    assert_problem(limited, 429, "Too many transactions")
    assert limited.header("Retry-After") == "1"
    assert limited.header("RateLimit-Policy") == '"per-second";q=5;w=1'
    assert limited.header("RateLimit") == '"per-second";r=0;t=1'
    assert other.create().status == 200
    assert fast.get("/transaction").status == 200, "reading is not limited"
    eventually(lambda: fast.create().status == 200, "the next second")


def test_refused_for_the_rate_means_that_nothing_was_done(start_switchyard, merchant_of):
    server = start_switchyard(MERCHANT_RATE=3)
    merchant = merchant_of(server)
    statuses = [merchant.create(number + 1, key=f"k{number}").status for number in range(30)]
    assert set(statuses) == {200, 429}
    eventually(lambda: len(merchant.walk()) == statuses.count(200), "what was accepted, and no more")


def test_requests_of_one_merchant_at_once_are_bounded(start_switchyard, merchant_of):
    server = start_switchyard(MERCHANT_REQUESTS=1)
    merchant = merchant_of(server)
    def burst():
        return at_once(server.core, 50, lambda client, _: client.post(
            "/transaction", {"amount": 1, "currency": "USD"}, headers=merchant.authorization))
    def refused():
        replies = burst()
        assert {reply.status for reply in replies} <= {200, 429} and any(r.status == 200 for r in replies)
        return next((reply for reply in replies if reply.status == 429), None)
    reply = eventually(refused, "two at once")
    assert_problem(reply, 429, "Too many requests at once")
    assert reply.header("Retry-After") == "1"
    assert reply.header("RateLimit-Policy") == '"at-once";q=1;qu="concurrent-requests"'
    assert merchant.create().status == 200


def test_full_backlog_is_503_with_retry_after_and_nothing_half_done(tmp_path, merchant_of):
    """Without a connector nothing leaves the queue; core-api must refuse what it cannot hold, and recover."""
    small = ThreeServices(tmp_path, MAX_BACKLOG=20).start(without_connector=True)
    try:
        merchant = merchant_of(small)
        accepted, refused = [], []
        for number in range(200):
            reply = merchant.create(number + 1, key=f"backlog-{number}")
            (accepted if reply.status == 200 else refused).append((number, reply))
            if len(refused) == 5:
                break
        assert 1 <= len(accepted) <= 40 and len(refused) == 5
        for _, reply in refused:
            assert_problem(reply, 503)
            assert int(reply.header("Retry-After")) >= 1
        assert len(merchant.walk()) == len(accepted), "a refused transaction was stored"

        small.psp_connector.start()
        for _, reply in accepted:
            assert merchant.wait_final(reply.json()["id"])["status"] == "captured"
        number, _ = refused[0]
        reply = eventually(lambda: (r := merchant.create(number + 1, key=f"backlog-{number}")).status == 200 and r,
                           "the backlog to drain")
        assert "Idempotency-Replayed" not in reply.headers
    finally:
        assert small.stop() == 0
