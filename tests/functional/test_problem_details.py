"""Every error, from whatever depth of the program, is application/problem+json of one shape."""

import json
import urllib.parse

import pytest

from support import raw_http, tokens
from support.http_client import Client, once
from support.problems import assert_problem
from support.programs import SECRET

JSON = {"Content-Type": "application/json"}
BEARER = {"Authorization": f"Bearer {tokens.mint(SECRET, user_id=990, lifetime_s=36000)}"}
DISABLED = {"Authorization": f"Bearer {tokens.mint(SECRET, user_id=990, enabled=False, lifetime_s=36000)}"}
ID = "0190a000-0000-7000-8000-000000000000"

# service, method, path, headers, body -> status, error (None: not fixed by the contract)
CASES = {
    "blank username": ("auth", "POST", "/token", JSON, b"{}", 422, "Username is blank"),
    "blank password": ("auth", "POST", "/token", JSON, b'{"username":"alice"}', 422, "Password is blank"),
    "wrong password": ("auth", "POST", "/token", JSON, b'{"username":"alice","password":"x"}', 401,
                       "Invalid username or password"),
    "auth: not JSON": ("auth", "POST", "/token", JSON, b"{", 400, None),
    "auth: content type": ("auth", "POST", "/token", {"Content-Type": "text/plain"}, b"{}", 415, None),
    "auth: method": ("auth", "DELETE", "/token", {}, None, 405, None),
    "auth: path": ("auth", "GET", "/nowhere", {}, None, 404, None),
    "auth: too large": ("auth", "POST", "/token", JSON, b"x" * 70_000, 413, None),
    "no token": ("core", "POST", "/transaction", JSON, b'{"amount":1,"currency":"USD"}', 401, "Token is blank"),
    "disabled": ("core", "POST", "/transaction", {**JSON, **DISABLED}, b'{"amount":1,"currency":"USD"}', 403,
                 "User not enabled for transactions"),
    "no amount": ("core", "POST", "/transaction", {**JSON, **BEARER}, b'{"currency":"USD"}', 422, None),
    "no currency": ("core", "POST", "/transaction", {**JSON, **BEARER}, b'{"amount":1}', 422, "Currency is blank"),
    "bad currency": ("core", "POST", "/transaction", {**JSON, **BEARER}, b'{"amount":1,"currency":"XYZ"}', 422,
                     "Invalid currency code"),
    "core: not JSON": ("core", "POST", "/transaction", {**JSON, **BEARER}, b"{", 400, None),
    "core: content type": ("core", "POST", "/transaction", {"Content-Type": "text/plain", **BEARER}, b"{}", 415,
                           None),
    "core: method": ("core", "DELETE", "/transaction", BEARER, None, 405, None),
    "core: path": ("core", "GET", "/nowhere", BEARER, None, 404, None),
    "core: too large": ("core", "POST", "/transaction", {**JSON, **BEARER}, b"x" * 70_000, 413, None),
    "core: unknown id": ("core", "GET", f"/transaction/{ID}", BEARER, None, 404, None),
    "core: bad query": ("core", "GET", "/transaction?limit=x", BEARER, None, None, None),
    "router: path": ("root", "GET", "/nowhere", {}, None, 404, None),
}


@pytest.mark.quick
@pytest.mark.parametrize("method, path, right", [
    ("POST", "/transaction", "/transaction/transaction"), ("POST", "/token", "/auth/token"),
    ("GET", f"/transaction/{ID}", "/transaction/transaction/{id}"),
])
def test_a_path_that_lacks_only_its_prefix_is_a_404_with_the_right_one(switchyard, method, path, right):
    problem = assert_problem(once(switchyard.root, method, path, b"{}" if method == "POST" else None, JSON), 404)
    assert f"did you mean {right}?" in problem["detail"]


@pytest.mark.quick
@pytest.mark.parametrize("name", CASES)
def test_error_is_a_problem(switchyard, name):
    service, method, path, headers, body, status, error = CASES[name]
    reply = once(getattr(switchyard, service), method, path, body, {**headers, "X-Request-Id": "problem-test"})
    problem = assert_problem(reply, status or reply.status, error)
    assert 400 <= reply.status < 500
    assert int(reply.header("Content-Length")) == len(reply.body)
    assert problem["type"] == "about:blank" or ":" in problem["type"] or problem["type"].startswith("/")
    assert "\n" not in problem["error"] and len(problem["error"]) < 200
    if reply.status != 413:
        assert reply.header("X-Request-Id") == "problem-test"


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name][1] == "GET"])
def test_head_of_an_error_has_no_body(switchyard, name):
    service, _, path, headers, _, status, _ = CASES[name]
    reply = once(getattr(switchyard, service), "HEAD", path, headers=headers)
    assert (reply.status, reply.body) == (status or reply.status, b"")


@pytest.mark.quick
@pytest.mark.parametrize("request_bytes, statuses", [
    (b"nonsense\r\n\r\n", {400}),
    (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", {400}),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 200_000 + b"\r\n\r\n", {400, 431}),
    (raw_http.post("/transaction/transaction", b"{}", length=10**9), {413}),
], ids=["request line", "content length", "header too large", "body too large"])
def test_errors_of_the_http_layer_are_problems_too(switchyard, request_bytes, statuses):
    [reply] = raw_http.exchange(switchyard.root, request_bytes)
    assert reply.status in statuses
    assert_problem(reply, reply.status)


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_request_can_write_a_line_of_its_own_into_the_log(start_switchyard, log_format):
    server = start_switchyard(LOG_FORMAT=log_format, LOG_LEVEL="debug")
    forged = "12:00:00 default: Job OK (forged)"
    quoted = urllib.parse.quote(f"\r\n{forged}\r\n")
    with Client(server.core) as client:
        for path in (f"/{quoted}", f"/transaction/{quoted}", f"/transaction?cursor={quoted}&status={quoted}"):
            client.get(path, {**BEARER, "X-Request-Id": quoted})
        client.post("/transaction", {"amount": f"\n{forged}\n", "currency": f"\n{forged}\n"}, headers=BEARER)
        client.post("/transaction", {"amount": 1, "currency": "USD", f"\n{forged}\n": f"\n{forged}\n"}, headers=BEARER)
    with Client(server.auth) as client:
        client.post("/token", {"username": f"\n{forged}\n", "password": f"\n{forged}\n"})
        client.post("/token", {"username": "alice\x1b[2J\x07", "password": "x"})
    server.stop()
    assert not [line for line in server.program.log_lines() if line.startswith(forged)]
    assert "\x1b" not in server.program.log() and "\x07" not in server.program.log()


def test_a_reply_never_repeats_what_a_script_could_run(switchyard):
    """Names and values from the request come back, if at all, JSON-encoded and typed as a problem, never as HTML."""
    with Client(switchyard.core) as client:
        reply = client.get("/<script>alert(1)</script>")
    assert reply.media_type == "application/problem+json"
    json.loads(reply.body)
