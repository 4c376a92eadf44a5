"""The log is for who reads it: nobody waits for a reader, and what a reader did not get is said."""

import fcntl
import os
import re

import pytest

from support import exposition, tokens
from support.http_client import Client, once
from support.merchants import Merchant
from support.programs import SECRET, Switchyard
from support.raw_http import RawConnection
from support.waiting import eventually

PIPE_BYTES = 4096
PAYMENTS = 20


def pay(server):
    """The ids of payments that were captured."""
    merchant = Merchant(server)
    try:
        identifiers = [merchant.created(number + 1)["id"] for number in range(PAYMENTS)]
        assert {merchant.wait_final(identifier)["status"] for identifier in identifiers} == {"captured"}
        return identifiers
    finally:
        merchant.close()


class Reader:
    """The reading end of a pipe, read only when asked."""

    def __init__(self, descriptor):
        self.descriptor = descriptor
        self.text = ""
        os.set_blocking(descriptor, False)

    def read(self):
        """All that came so far."""
        try:
            while part := os.read(self.descriptor, 65536):
                self.text += part.decode()
        except BlockingIOError:
            pass
        return self.text

    def close(self):
        os.close(self.descriptor)


@pytest.fixture
def unread(tmp_path):
    """A server whose standard output and standard error are a pipe that was full before it started; and that pipe."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    os.write(writing, b"x" * (PIPE_BYTES - 1) + b"\n")
    reader = Reader(reading)
    server = Switchyard(tmp_path)
    server.program.output = writing
    try:
        yield server.start(), reader
    finally:
        os.close(writing)
        server.kill()
        reader.close()


@pytest.mark.quick
def test_a_log_that_nobody_reads_stops_no_payment_and_is_whole_when_it_is_read(unread):
    server, reader = unread
    identifiers = pay(server)
    eventually(lambda: all(f"Job OK ({identifier})" in reader.read() for identifier in identifiers),
               "each payment to be in the log")
    lines = reader.text.splitlines()
    assert lines[0] == "x" * (PIPE_BYTES - 1) and "The date is" in lines[1], "from its first line on"
    assert "were dropped" not in reader.text
    assert server.stop() == 0


def test_a_log_that_nobody_reads_does_not_keep_a_server_from_stopping(unread):
    server, _ = unread
    pay(server)
    assert server.stop() == 0


def lines_dropped(server):
    families = exposition.parse(once(server.metrics, "GET", "/metrics").body.decode())
    return exposition.total(families, "switchyard_log_lines_dropped_total")


@pytest.mark.quick
def test_lines_that_a_reader_did_not_get_are_counted_and_said_to_the_next(tmp_path):
    """The reader of a named pipe goes away, as a logging daemon that is restarted does, and another one comes."""
    pipe = tmp_path / "log"
    os.mkfifo(pipe)
    reader = Reader(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))
    writing = os.open(pipe, os.O_WRONLY)
    server = Switchyard(tmp_path)
    server.program.output = writing
    try:
        server.start()
        os.close(writing)
        eventually(lambda: "listens on" in reader.read(), "the first lines")
        assert lines_dropped(server) == 0
        reader.close()
        pay(server)
        eventually(lambda: lines_dropped(server) >= PAYMENTS, "lines to be dropped")
        reader = Reader(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))
        found = pay(server)
        eventually(lambda: all(f"Job OK ({identifier})" in reader.read() for identifier in found),
                   "the later payments in the log")
        said = re.findall(r"^\d\d:\d\d:\d\d WARNING (\d+) lines of the log were dropped", reader.text, re.MULTILINE)
        assert [int(number) for number in said] == [lines_dropped(server)]
        assert reader.text.index("were dropped") < min(reader.text.index(identifier) for identifier in found)
        assert server.stop() == 0
    finally:
        server.kill()
        reader.close()


def refusals(server, request_id):
    return [line for line in server.program.log_lines() if f"request {request_id}" in line]


@pytest.mark.quick
def test_a_refused_login_and_a_refused_token_are_each_in_the_log_once_without_the_name(start_switchyard):
    server = start_switchyard()
    name = "becky-or-a-password-in-the-wrong-field"
    with Client(server.auth) as client:
        reply = client.post("/token", {"username": name, "password": "wrong"}, headers={"X-Request-Id": "login-1"})
        assert reply.status == 401
    with Client(server.core) as client:
        reply = client.get("/transaction", {"Authorization": "Bearer no.token.atall", "X-Request-Id": "list-1"})
        assert reply.status == 401
    for request_id, reason in (("login-1", "401: Invalid username or password"), ("list-1", "401: ")):
        [line] = eventually(lambda: refusals(server, request_id), f"the line of {request_id}")
        assert "WARNING" in line and reason in line and "address 127.0.0.1" in line
    assert name not in server.program.log() and "atall" not in server.program.log()


def test_a_merchant_who_is_not_enabled_and_a_locked_out_name_are_in_the_log(start_switchyard):
    server = start_switchyard(LOGIN_FAILURES_PER_USER=1)
    with Client(server.auth) as client:
        for status in (401, 429):
            reply = client.post("/token", {"username": "alice", "password": "wrong"},
                                headers={"X-Request-Id": f"login-{status}"})
            assert reply.status == status
    with Client(server.core) as client:
        disabled = tokens.mint(SECRET, user_id=5, username="dora", enabled=False)
        reply = client.post("/transaction", {"amount": 1, "currency": "USD"},
                            headers={"Authorization": f"Bearer {disabled}", "X-Request-Id": "pay-403"})
        assert reply.status == 403
    for request_id, status in (("login-429", 429), ("pay-403", 403)):
        [line] = eventually(lambda: refusals(server, request_id), f"the line of {request_id}")
        assert f"Refused with {status}: " in line and "alice" not in line


def disabled_merchant(server):
    return Merchant(server, user_id=4711, token=tokens.mint(SECRET, user_id=4711, enabled=False))


# ---- LOG_REQUESTS

REQUEST_LINE = re.compile(r"(\S+) (\S+) (\S+): (\d+) in \d+\.\d ms; merchant (\S+), request (\S+)$", re.MULTILINE)


def requests_in(server):
    return {match[6]: match.groups()[:5] for match in REQUEST_LINE.finditer(server.program.log())}


@pytest.mark.quick
def test_requests_are_in_the_log_for_who_asks_for_it(start_switchyard):
    server = start_switchyard(LOG_REQUESTS="true")
    with Client(server.auth) as client:
        client.post("/token", {"username": "alice", "password": "password"}, headers={"X-Request-Id": "login-1"})
    merchant = Merchant(server)
    paid = {"amount": 100, "currency": "USD"}
    identifier = merchant.post(paid, headers={"X-Request-Id": "pay-1"}).json()["id"]
    merchant.get(f"/transaction/{identifier}", {"X-Request-Id": "show-1"})
    merchant.close()
    with Client(server.core) as client:
        client.get("/nowhere/with-a-secret", {"X-Request-Id": "lost-1"})
        client.post("/transaction", {"amount": 1}, headers={"X-Request-Id": "nobody-1"})
    user = str(merchant.user_id)
    expected = {
        "login-1": ("auth-api", "POST", "/token", "200", "1"),
        "pay-1": ("core-api", "POST", "/transaction", "200", user),
        "show-1": ("core-api", "GET", "/transaction/{id}", "200", user),
        "lost-1": ("none", "GET", "none", "404", "unknown"),
        "nobody-1": ("core-api", "POST", "/transaction", "401", "unknown"),
    }
    eventually(lambda: expected.keys() <= requests_in(server).keys(), "the lines of all requests")
    assert {name: requests_in(server)[name] for name in expected} == expected
    assert "with-a-secret" not in server.program.log(), "the path is the client's"


def test_what_is_no_request_is_in_that_log_too(start_switchyard):
    server = start_switchyard(LOG_REQUESTS="true")
    with RawConnection(server.core) as connection:
        connection.send(b"POST /transaction HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n")
        assert connection.read_reply().status == 501
    eventually(lambda: ("none", "-", "none", "501", "unknown") in requests_in(server).values(), "its line")


def test_requests_are_not_in_the_log_by_themselves(start_switchyard):
    server = start_switchyard()
    pay(server)
    assert server.stop() == 0
    assert requests_in(server) == {}


@pytest.mark.quick
def test_a_refusal_of_a_merchant_names_the_merchant(start_switchyard):
    server = start_switchyard()
    merchant = disabled_merchant(server)
    assert merchant.post({"amount": 100, "currency": "USD"}, headers={"X-Request-Id": "pay-1"}).status == 403
    merchant.close()
    [line] = eventually(lambda: refusals(server, "pay-1"), "its line")
    assert "merchant 4711" in line
