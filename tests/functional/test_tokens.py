"""Which tokens core-api accepts, and that nothing else gets in. (Other people's libraries: test_jose_libraries.)"""

import json
import time

import pytest

from support import raw_http, tokens
from support.bad_tokens import BAD_TOKENS
from support.http_client import Client
from support.merchants import login
from support.problems import assert_problem
from support.programs import SECRET
from support.waiting import eventually

PAYMENT = {"amount": 100, "currency": "USD"}
OTHER_SECRET = "another-secret-that-is-long-enough-9876543210"


@pytest.fixture
def core(switchyard):
    with Client(switchyard.core) as client:
        yield client


def pay(client, token):
    return client.post("/transaction", {**PAYMENT, "token": token})


# ---- good ones, in every spelling

@pytest.mark.parametrize("claims", [
    pytest.param({"iat": int(time.time()), "nbf": int(time.time()) - 1, "iss": "somebody", "aud": ["x"], "jti": "1"},
                 id="more registered claims"),
    pytest.param({"custom": {"nested": [1, 2.5, None, "é"]}}, id="custom claims"),
])
def test_further_claims_do_no_harm(core, claims):
    assert pay(core, tokens.mint(SECRET, **claims)).status == 200


@pytest.mark.parametrize("header", [
    b'{"typ":"JWT","alg":"HS256"}', b'{ "alg" : "HS256" , "typ" : "JWT" }', b'{"alg":"HS256"}',
    b'{"alg":"HS256","typ":"JWT","kid":"key-1"}', b'{"alg":"\\u0048S256","typ":"JWT"}',
])
def test_spelling_of_a_good_header_does_not_matter(core, header):
    assert pay(core, tokens.sign(header, tokens.compact(tokens.claims()), SECRET)).status == 200


def test_order_of_claims_does_not_matter(core):
    claims = dict(reversed(tokens.claims(user_id=72).items()))
    assert pay(core, tokens.sign(tokens.HEADER, tokens.compact(claims), SECRET)).status == 200


# ---- where the token stands

@pytest.mark.quick
def test_token_in_the_body_or_in_the_authorization_header(core):
    token = tokens.mint(SECRET, user_id=73)
    in_body = pay(core, token)
    in_header = core.post("/transaction", PAYMENT, headers={"Authorization": f"Bearer {token}"})
    assert (in_body.status, in_header.status) == (200, 200)
    assert in_body.json()["user_id"] == in_header.json()["user_id"] == 73


def test_the_bearer_scheme_is_case_insensitive(core):
    assert core.get("/transaction", {"Authorization": f"bearer {tokens.mint(SECRET)}"}).status == 200


@pytest.mark.parametrize("headers", [{}, {"Authorization": ""}, {"Authorization": "Bearer"},
                                     {"Authorization": "Bearer "}])
@pytest.mark.parametrize("body", [PAYMENT, {**PAYMENT, "token": ""}, {**PAYMENT, "token": None}],
                         ids=["absent", "empty", "null"])
def test_no_token_is_401(core, headers, body):
    reply = core.post("/transaction", body, headers=headers)
    assert_problem(reply, 401, "Token is blank")
    assert reply.header("WWW-Authenticate").startswith("Bearer")


@pytest.mark.quick
@pytest.mark.parametrize("in_body, in_header", [("good", "good"), ("good", "other"), ("other", "good"), ("", "good"),
                                                ("good", ""), ("bad", "good"), (5, "good")])
def test_two_tokens_are_400_even_if_they_are_the_same(core, in_body, in_header):
    """Whose payment it is must not be guessed (RFC 6750, 2)."""
    known = {"good": tokens.mint(SECRET, user_id=75), "other": tokens.mint(SECRET, user_id=76)}
    token = known.get(in_header, in_header)
    reply = core.post("/transaction", {**PAYMENT, "token": known.get(in_body, in_body)},
                      headers={"Authorization": f"Bearer {token}"})
    assert_problem(reply, 400, "Two tokens")
    assert 'error="invalid_request"' in reply.header("WWW-Authenticate")
    assert core.get("/transaction", {"Authorization": f"Bearer {known['good']}"}).json()["items"] == []


@pytest.mark.parametrize("method, path", [("POST", "/transaction"), ("GET", "/transaction"),
                                          ("GET", "/transaction/0190a000-0000-7000-8000-000000000000")])
def test_two_authorization_headers_are_400(switchyard, method, path):
    token = tokens.mint(SECRET, user_id=77)
    lines = [f"Authorization: Bearer {token}"] * 2
    body = json.dumps(PAYMENT).encode()
    request = raw_http.post("/transaction" + path, body, *lines).replace(b"POST", method.encode(), 1)
    reply, *_ = raw_http.exchange(switchyard.core, request)
    assert_problem(reply, 400)


def test_a_token_in_the_query_is_none(core):
    token = tokens.mint(SECRET, user_id=78)
    assert_problem(core.get(f"/transaction?token={token}"), 401, "Token is blank")
    assert_problem(core.post(f"/transaction?token={token}", PAYMENT), 401, "Token is blank")


@pytest.mark.parametrize("authorization", ["Basic YWxpY2U6cGFzc3dvcmQ=", "Bearer a b c", "Digest username=alice"])
def test_other_authorization_is_401(core, authorization):
    reply = core.post("/transaction", PAYMENT, headers={"Authorization": authorization})
    assert_problem(reply, 401)
    assert reply.header("WWW-Authenticate").startswith("Bearer")


@pytest.mark.parametrize("path", ["/transaction", "/transaction/0190a000-0000-7000-8000-000000000000"])
def test_reading_needs_a_token_too(core, path):
    reply = core.get(path)
    assert_problem(reply, 401, "Token is blank")
    assert reply.header("WWW-Authenticate").startswith("Bearer")


# ---- refused

@pytest.mark.quick
def test_at_least_forty_kinds_of_bad_token():
    assert len(BAD_TOKENS) >= 40


@pytest.mark.parametrize("name", BAD_TOKENS)
def test_bad_token_is_401_in_the_body(core, name):
    reply = pay(core, BAD_TOKENS[name]())
    assert reply.status != 200, "ACCEPTED"
    assert_problem(reply, 401)
    assert reply.header("WWW-Authenticate").startswith("Bearer")


def _fits_a_header(token):
    return isinstance(token, str) and token.isascii() and token.isprintable() and token == token.strip() and (
        0 < len(token) < 4000)


@pytest.mark.parametrize("name", [name for name, make in BAD_TOKENS.items() if _fits_a_header(make())])
def test_bad_token_is_401_in_the_header(core, name):
    token = BAD_TOKENS[name]()
    for reply in (core.get("/transaction", {"Authorization": f"Bearer {token}"}),
                  core.post("/transaction", PAYMENT, headers={"Authorization": f"Bearer {token}"})):
        assert reply.status != 200, "ACCEPTED"
        assert_problem(reply, 401)
        assert reply.header("WWW-Authenticate").startswith("Bearer")


@pytest.mark.quick
@pytest.mark.parametrize("age_s", [0, 1, 3600])
def test_expired_is_said_and_there_is_no_leeway(core, age_s):
    """A token is good before `exp` and not at it (RFC 7519, 4.1.4)."""
    assert_problem(pay(core, tokens.mint(SECRET, lifetime_s=-age_s)), 401, "Signature has expired.")


def test_a_token_of_auth_api_expires(start_switchyard):
    server = start_switchyard(TOKEN_TTL_SECONDS=1)
    token = login(server)
    with Client(server.core) as client:
        expires = json.loads(tokens.parts(token)[1])["exp"]
        assert expires - time.time() <= 1
        eventually(lambda: time.time() >= expires, "the token to expire", 5)
        assert_problem(pay(client, token), 401, "Signature has expired.")


@pytest.mark.quick
def test_a_disabled_user_is_403(core, switchyard):
    assert_problem(pay(core, login(switchyard, "charlie")), 403, "User not enabled for transactions")
    disabled = tokens.mint(SECRET, user_id=74, enabled=False)
    assert_problem(pay(core, disabled), 403, "User not enabled for transactions")


def test_an_expired_token_of_a_disabled_user_is_401(core):
    assert_problem(pay(core, tokens.mint(SECRET, enabled=False, lifetime_s=-5)), 401, "Signature has expired.")


# ---- rotation of the secret

def test_previous_secret_still_verifies_and_the_new_one_signs(start_switchyard):
    server = start_switchyard(JWT_SECRET=OTHER_SECRET, JWT_SECRET_PREVIOUS=SECRET)
    with Client(server.core) as client:
        assert pay(client, tokens.mint(SECRET)).status == 200
        assert pay(client, tokens.mint(OTHER_SECRET)).status == 200
        assert_problem(pay(client, tokens.mint("a third secret, also long enough, 0123456789")), 401)
    header, payload, _ = tokens.parts(token := login(server))
    assert token == tokens.sign(header, payload, OTHER_SECRET)


def test_without_a_previous_secret_an_old_token_is_refused(start_switchyard):
    server = start_switchyard(JWT_SECRET=OTHER_SECRET)
    with Client(server.core) as client:
        assert_problem(pay(client, tokens.mint(SECRET)), 401)


def test_bad_tokens_stay_bad_during_a_rotation(start_switchyard):
    """The second key must not be a second chance for anything but an honest signature."""
    server = start_switchyard(JWT_SECRET=OTHER_SECRET, JWT_SECRET_PREVIOUS=SECRET)
    with Client(server.core) as client:
        statuses = {name: pay(client, make()).status for name, make in BAD_TOKENS.items()}
    assert {name: status for name, status in statuses.items() if status != 401} == {}
