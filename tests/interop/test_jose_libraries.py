"""Tokens in both directions: python-jose and PyJWT accept ours, and core-api accepts theirs made with the same secret."""

import json
import time

import pytest

from support import tokens
from support.http_client import Client
from support.merchants import login
from support.programs import SECRET

jose_jwt = pytest.importorskip("jose.jwt", reason="python-jose (Debian: python3-jose) is not installed")
pyjwt = pytest.importorskip("jwt", reason="PyJWT (Debian: python3-jwt) is not installed")

OTHER_SECRET = "another-secret-that-is-long-enough-9876543210"


@pytest.mark.quick
def test_python_jose_verifies_our_token(switchyard):
    claims = jose_jwt.decode(login(switchyard, "alice"), SECRET, algorithms=["HS256"])
    assert (claims["user_id"], claims["username"], claims["enabled"]) == (1, "alice", True)


@pytest.mark.quick
def test_pyjwt_verifies_our_token(switchyard):
    claims = pyjwt.decode(login(switchyard, "becky"), SECRET, algorithms=["HS256"], options={"require": ["exp"]})
    assert (claims["user_id"], claims["username"], claims["enabled"]) == (2, "becky", True)


def test_they_refuse_our_token_with_another_secret(switchyard):
    token = login(switchyard)
    with pytest.raises(jose_jwt.JWTError):
        jose_jwt.decode(token, OTHER_SECRET, algorithms=["HS256"])
    with pytest.raises(pyjwt.InvalidSignatureError):
        pyjwt.decode(token, OTHER_SECRET, algorithms=["HS256"])


def test_they_verify_what_a_rotated_secret_signs(start_switchyard):
    """The new secret signs, whatever the previous one still verifies."""
    token = login(start_switchyard(JWT_SECRET=OTHER_SECRET, JWT_SECRET_PREVIOUS=SECRET))
    assert jose_jwt.decode(token, OTHER_SECRET, algorithms=["HS256"]) == pyjwt.decode(
        token, OTHER_SECRET, algorithms=["HS256"]) == json.loads(tokens.parts(token)[1])


@pytest.mark.quick
@pytest.mark.parametrize("encode", [jose_jwt.encode, pyjwt.encode], ids=["python-jose", "PyJWT"])
def test_core_api_accepts_their_tokens(switchyard, encode):
    claims = {"user_id": 71, "username": "zoë \u2028 \\\"", "enabled": True, "exp": int(time.time()) + 30}
    with Client(switchyard.core) as client:
        reply = client.post("/transaction", {"amount": 100, "currency": "USD",
                                             "token": encode(claims, SECRET, algorithm="HS256")})
    assert reply.status == 200 and reply.json()["user_id"] == 71


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
@pytest.mark.parametrize("encode", [jose_jwt.encode, pyjwt.encode], ids=["python-jose", "PyJWT"])
def test_core_api_refuses_their_tokens_of_other_algorithms(switchyard, encode, algorithm):
    claims = tokens.claims()
    with Client(switchyard.core) as client:
        reply = client.get("/transaction", {"Authorization": f"Bearer {encode(claims, SECRET, algorithm=algorithm)}"})
    assert reply.status == 401
