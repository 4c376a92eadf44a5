"""Card numbers never enter: refused in every field, and written nowhere."""

import uuid

import pytest

from support import storage
from support.http_client import Client, once
from support.merchants import Merchant
from support.problems import assert_problem

VISA = "4111111111111111"
CARD_NUMBERS = {
    "visa": VISA, "visa of 13 digits": "4222222222222", "mastercard": "5555555555554444",
    "mastercard 2-series": "2223003122003222",
    "amex": "378282246310005", "discover": "6011111111111117", "jcb": "3530111333300000", "diners": "30569309025904",
    "unionpay": "6200000000000005",
}


def luhn_valid(digits):
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + position % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def with_check_digit(prefix):
    return next(prefix + digit for digit in "0123456789" if luhn_valid(prefix + digit))


CARD_NUMBERS["maestro of 19 digits"] = with_check_digit("630490017740292441")
GROUPED = ["4111 1111 1111 1111", "4111-1111-1111-1111", "3782 822463 10005"]


@pytest.mark.quick
@pytest.mark.parametrize("number", CARD_NUMBERS.values(), ids=CARD_NUMBERS.keys())
def test_card_numbers_of_all_schemes_are_422(merchant, number):
    assert luhn_valid(number)
    assert_problem(merchant.create(100, "USD", reference=number), 422)


def _bodies(number):
    """Every place of a body a card number could hide in."""
    plain = {"amount": 100, "currency": "USD"}
    return {
        "amount": {**plain, "amount": number},
        "currency": {**plain, "currency": number},
        "an unknown member": {**plain, "card_number": number},
        "the name of a member": {**plain, number: "x"},
        "a nested object": {**plain, "payment": {"card": {"number": number}}},
        "a nested name": {**plain, "payment": {number: 1}},
        "a list": {**plain, "notes": ["x", [number]]},
        "in the middle of a sentence": {**plain, "comment": f"please charge {number}, thanks"},
        "the token": {**plain, "token": number},
    }


@pytest.mark.quick
@pytest.mark.parametrize("place", _bodies("").keys())
def test_a_card_number_in_any_field_is_422(merchant, place):
    problem = merchant.post(_bodies(VISA)[place])
    assert problem.status in ((401, 422) if place == "the token" else (422,))
    assert VISA not in problem.body.decode(), "the reply repeats the card number"


@pytest.mark.parametrize("number", GROUPED)
@pytest.mark.parametrize("place", ["an unknown member", "a nested object", "a list", "in the middle of a sentence"])
def test_grouping_does_not_hide_a_card_number(merchant, number, place):
    assert_problem(merchant.post(_bodies(number)[place]), 422)


def test_a_card_number_as_a_json_number_is_422(merchant):
    assert_problem(merchant.create(100, "USD", reference=int(VISA)), 422)
    assert_problem(merchant.create(100, "USD", payment={"list": [int(VISA)]}), 422)


def test_escapes_do_not_hide_a_card_number(merchant):
    body = '{"amount":100,"currency":"USD","x":"' + "".join(f"\\u003{digit}" for digit in VISA) + '"}'
    assert_problem(merchant.post(body=body.encode()), 422)


@pytest.mark.quick
@pytest.mark.parametrize("key", [VISA, f'"{VISA}"', *GROUPED, f"order-{VISA}"])
def test_a_card_number_as_idempotency_key_is_422(merchant, key):
    assert_problem(merchant.create(100, "USD", key=key), 422)


@pytest.mark.parametrize("digits", ["4111111111111112", "411111111111", "0000000000000", "12345678901234", "1" * 30])
def test_other_digit_strings_are_no_card_numbers(merchant, digits):
    """Fails the check digit, is too short or too long, or starts like no card: an order number, not a card."""
    assert merchant.create(100, "USD", key=digits).status == 200


def test_uuids_as_idempotency_keys_are_not_mistaken_for_card_numbers(merchant):
    """Merchants use random UUIDs as keys; a refusal of one in a thousand would be a fault nobody could explain."""
    refused = [key for key in (str(uuid.UUID(int=(number * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128, version=4))
                               for number in range(1, 3001)) if merchant.create(100, "USD", key=key).status != 200]
    assert refused == []


@pytest.mark.quick
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_card_number_is_in_no_log_and_no_file(start_switchyard, tmp_path, log_format):
    server = start_switchyard(LOG_FORMAT=log_format, LOG_LEVEL="debug")
    merchant = Merchant(server)
    for number in (VISA, GROUPED[0], GROUPED[1]):
        for body in _bodies(number).values():
            assert merchant.post(body).status in (401, 422)
        assert merchant.create(100, "USD", key=number).status == 422
        merchant.get("/transaction", {"X-Request-Id": number, "User-Agent": number, "Referer": number})
        merchant.post(body=f'{{"broken": "{number}'.encode())
    for target in (f"/transaction/{VISA}", f"/{VISA}", f"/transaction?cursor={VISA}", f"/transaction?{VISA}={VISA}",
                   f"/transaction?status={VISA}", f"/transaction?limit=1&limit={VISA}", f"/transaction?{GROUPED[1]}=1"):
        replies = [merchant.get(target), once(server.root, "GET", target), once(server.auth, "GET", target)]
        for reply in replies:
            assert number_in(str(reply.headers)) is None and number_in(reply.body.decode()) is None, reply
    merchant.close()
    server.stop()
    assert_nowhere_on_disk(tmp_path)


def number_in(text):
    return next((number for number in (VISA, GROUPED[0], GROUPED[1]) if number in text), None)


def assert_nowhere_on_disk(folder):
    for path, content in storage.bytes_on_disk(folder).items():
        for number in (VISA, GROUPED[0], GROUPED[1]):
            assert number.encode() not in content, f"{path} holds a card number"


def test_a_card_number_typed_into_the_login_is_in_no_log_and_no_file(start_switchyard, tmp_path):
    """Failed logins are counted per user name; what was typed there is nobody's to keep."""
    server = start_switchyard(LOG_LEVEL="debug")
    with Client(server.auth) as client:
        for number in (VISA, GROUPED[0], GROUPED[1]):
            client.post("/token", {"username": number, "password": number})
            client.post("/token", {"username": "alice", "password": number})
    server.stop()
    assert_nowhere_on_disk(tmp_path)


def test_a_card_number_is_not_remembered_with_its_key(merchant):
    """The refused request stored nothing: the same key is free for a proper one."""
    assert_problem(merchant.create(100, "USD", key="card-then-none", note=VISA), 422)
    reply = merchant.create(100, "USD", key="card-then-none")
    assert reply.status == 200 and reply.header("Idempotency-Replayed") is None
    assert len(merchant.walk()) == 1
