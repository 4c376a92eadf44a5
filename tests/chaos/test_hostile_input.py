"""What no proper client would send. Whatever arrives, the process stays alive, healthy, and takes the next good payment;
no reply is a 500, and nothing malformed is accepted as a payment."""

import concurrent.futures
import json
import multiprocessing
import os
import random
import resource
import string
import threading
import time

import pytest

from support import tokens
from support.http_client import once
from support.load import Load
from support.merchants import Merchant
from support.programs import SECRET, Switchyard
from support.raw_http import RawConnection, exchange, post
from support.waiting import PATIENCE, eventually

DEADLINE_S = 1
TOKEN = tokens.mint(SECRET, user_id=5000, lifetime_s=36_000)
GOOD_BODY = json.dumps({"amount": 100, "currency": "USD", "token": TOKEN}).encode()
CREATE = "/transaction/transaction"
GOOD = post(CREATE, GOOD_BODY)
HEALTH = b"GET /transaction/health HTTP/1.1\r\nHost: platform\r\n\r\n"


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    server = Switchyard(tmp_path_factory.mktemp("hostile"), REQUEST_TIMEOUT_SECONDS=DEADLINE_S,
                        MAX_CONNECTIONS=4096).start()
    yield server
    code = server.stop()
    server.program.assert_log_is_clean()
    assert code == 0


@pytest.fixture(autouse=True)
def still_healthy_afterwards(target):
    yield
    assert target.alive(), "the process died"
    assert once(target.core, "GET", "/health").status == 200
    [reply] = exchange(target.core, GOOD)
    assert reply.status == 200


def only_client_errors(replies, at_least=1):
    """No reply is a success or a server's own fault (501 and 505 are proper answers to what HTTP/1.1 does not know)."""
    assert len(replies) >= at_least, "closed without a reply"
    for reply in replies:
        assert 400 <= reply.status < 500 or reply.status in (501, 505), f"{reply.status}: {reply.body[:200]!r}"


def count_of(merchant_id, server):
    merchant = Merchant(server, user_id=merchant_id)
    count = len(merchant.walk())
    merchant.close()
    return count


# ---- bodies

@pytest.mark.quick
@pytest.mark.parametrize("path", [CREATE, "/auth/token"])
def test_body_of_a_million_bytes_is_413(target, path):
    replies = exchange(target.core, post(path, b"x" * 10**6))
    assert [reply.status for reply in replies] == [413]


def test_announced_body_is_refused_before_it_is_sent(target):
    with RawConnection(target.core) as connection:
        connection.send(post(CREATE, b"", length=10**12))
        assert connection.read_reply().status == 413


def test_body_with_expect_continue_is_refused_or_invited(target):
    with RawConnection(target.core) as connection:
        connection.send(post(CREATE, b"", "Expect: 100-continue", length=10**7))
        assert connection.read_reply().status in (413, 417)
    with RawConnection(target.core) as connection:
        connection.send(post(CREATE, b"", "Expect: 100-continue", length=len(GOOD_BODY)))
        reply = connection.read_reply()
        assert reply.status in (100, 417)
        if reply.status == 100:
            connection.send(GOOD_BODY)
            assert connection.read_reply().status == 200


@pytest.mark.quick
@pytest.mark.parametrize("opening, closing", [(b"[", b"]"), (b'{"a":', b"}")], ids=["arrays", "objects"])
def test_depth_of_a_hundred_thousand(tmp_path_factory, opening, closing):
    """With a body limit that lets it through, so that the parser itself has to stand it."""
    server = Switchyard(tmp_path_factory.mktemp("deep"), MAX_BODY_BYTES=4_000_000).start()
    nested = opening * 100_000 + b"1" + closing * 100_000
    for body in (nested, opening * 100_000,
                 b'{"amount":100,"currency":"USD","x":' + nested + b',"token":"' + TOKEN.encode() + b'"}'):
        for path in (CREATE, "/auth/token"):
            only_client_errors(exchange(server.core, post(path, body, f"Authorization: Bearer {TOKEN}")))
    assert server.stop() == 0
    server.program.assert_log_is_clean()


@pytest.mark.quick
@pytest.mark.parametrize("body", [
    b"[" * 30_000, b"[" * 30_000 + b"]" * 30_000, b'{"amount":1e400,"currency":"USD"}',
    b'{"amount":-1e400,"currency":"USD"}', b'{"amount":' + b"9" * 60_000 + b',"currency":"USD"}',
    b'{"amount":1' + b"0" * 60_000 + b',"currency":"USD"}', b'{"amount":0.' + b"0" * 60_000 + b'1,"currency":"USD"}',
    b'{"amount":100,"currency":"\xff\xfe\xfd"}', b'{"amount":100,"currency":"\xc0\xaf"}',
    b'{"amount":100,"currency":"\xed\xa0\x80"}', b'{"amount":100,"currency":"USD","\xff":1}', b"\xff" * 1000,
    b"\0" * 1000, b'{"amount":100,"currency":"\\u0000\\u0000\\u0000"}',
    b'{"amount":100,"currency":"' + b"\\" * 1001 + b'"}', b'"' + b"a" * 60_000,
    b"{" + b'"amount":100,' * 4000 + b'"currency":"USD"}', b'\xff\xfe{\x00"\x00', b'{"amount":100,"currency":"USD"',
    b"[" + b"1," * 30_000 + b"1]",
])
def test_hostile_json_is_a_client_error(target, body):
    only_client_errors(exchange(target.core, post(CREATE, body, f"Authorization: Bearer {TOKEN}")))


# ---- lies about the length

@pytest.mark.quick
@pytest.mark.parametrize("length", [
    "-1", "+10", "0x10", "1e2", "10 10", "10, 10", "10,11", "abc", "", "99999999999999999999999999",
    "18446744073709551617", "1_0", "１０", "10\0",
])
def test_content_length_that_is_no_number_is_400(target, length):
    head = f"POST {CREATE} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    data = head.encode() + GOOD_BODY
    replies = exchange(target.core, data)
    only_client_errors(replies)
    assert replies[0].status in (400, 411, 413)


@pytest.mark.quick
@pytest.mark.parametrize("extra", [
    ["Content-Length: 10"], ["Transfer-Encoding: chunked"], ["transfer-encoding: chunked"],
    ["Transfer-Encoding: identity"], ["Transfer-Encoding: xchunked"], ["Transfer-Encoding: chunked, identity"],
    ["Transfer-Encoding : chunked"], ["Transfer-Encoding: \x0bchunked"],
])
def test_two_lengths_that_disagree_are_refused(target, extra):
    """Request smuggling: whoever stands in front may believe the other one. The connection ends with the refusal."""
    replies = exchange(target.core, post(CREATE, GOOD_BODY, *extra) + HEALTH)
    only_client_errors(replies)
    assert len(replies) == 1, "went on after an ambiguous request"


def test_content_length_too_short_makes_the_rest_a_bad_request(target):
    replies = exchange(target.core, post(CREATE, GOOD_BODY, length=len(GOOD_BODY) - 5))
    only_client_errors(replies)


def test_content_length_too_long_ends_at_the_deadline(target):
    with RawConnection(target.core) as connection:
        connection.send(post(CREATE, GOOD_BODY, length=len(GOOD_BODY) + 5))
        started = time.monotonic()
        reply = connection.read_reply()
        assert reply is None or reply.status == 408
        assert time.monotonic() - started < DEADLINE_S + 4 * PATIENCE


def test_a_body_cut_off_is_not_a_payment(target):
    before = count_of(5001, target)
    token = tokens.mint(SECRET, user_id=5001)
    body = json.dumps({"amount": 100, "currency": "USD", "token": token}).encode()
    for missing in (1, 2, 10):
        replies = exchange(target.core, post(CREATE, body[:-missing], length=len(body)))
        assert all(reply.status in (400, 408) for reply in replies)
    assert count_of(5001, target) == before


# ---- chunked

def chunked(*chunks, end=b"0\r\n\r\n"):
    body = b"".join(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n" for chunk in chunks)
    head = f"POST {CREATE} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head.encode() + body + end


@pytest.mark.quick
@pytest.mark.parametrize("cut", [1, 7, 1000])
def test_chunked_bodies_are_understood(target, cut):
    chunks = [GOOD_BODY[start:start + cut] for start in range(0, len(GOOD_BODY), cut)]
    assert [reply.status for reply in exchange(target.core, chunked(*chunks) + HEALTH)] == [200, 200]


def test_chunked_body_over_the_limit_is_413(target):
    replies = exchange(target.core, chunked(*[b"x" * 1000] * 100))
    assert [reply.status for reply in replies] == [413]


@pytest.mark.quick
@pytest.mark.parametrize("coding, statuses", [
    ("identity", {501}), ("gzip", {501}), ("xchunked", {501}), ("gzip, chunked", {501}), ("chunked, identity", {400}),
    ("chunked, chunked", {400}), ("", {400}), (",", {400}),
])
def test_a_transfer_coding_that_is_not_chunked_ends_the_connection(target, coding, statuses):
    """Its body must not be served as the next request (RFC 9112, 6.1 and 6.3)."""
    head = f"POST {CREATE} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: {coding}\r\n\r\n"
    [reply] = exchange(target.core, head.encode() + HEALTH)
    assert reply.status in statuses
    assert reply.header("Connection") == "close"


def test_chunked_is_not_for_http_1_0(target):
    data = chunked(GOOD_BODY).replace(b"HTTP/1.1", b"HTTP/1.0")
    [reply] = exchange(target.core, data + HEALTH)
    assert reply.status == 400


@pytest.mark.quick
@pytest.mark.parametrize("port", ["core", "metrics"])
def test_a_last_chunk_cut_anywhere_ends_no_process(target, port):
    """boostorg/beast#2861: 70 bytes in two segments ended the process, on every port. The reply to the request before says
    that the first part has been read."""
    endpoint = getattr(target, port)
    ping = b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n"
    head = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    for tail in (b"0\r\n\r\n", b"1\r\nx\r\n0\r\n\r\n", b"1\r\nx\r\n0;a=b\r\nA: b\r\n\r\n"):
        for cut in range(1, len(tail)):
            with RawConnection(endpoint) as connection:
                connection.send(ping + head + tail[:cut])
                assert connection.read_reply().status == 404
                connection.send(tail[cut:])
                assert connection.read_reply().status in (404, 405)
    assert target.alive()


def test_a_trailer_is_no_header(target):
    body = json.dumps({"amount": 100, "currency": "USD"}).encode()
    trailers = f"0\r\nAuthorization: Bearer {TOKEN}\r\nIdempotency-Key: trailer\r\n\r\n".encode()
    [reply] = exchange(target.core, chunked(body, end=trailers))
    assert reply.status == 401


@pytest.mark.parametrize("size", [b"g", b"-1", b"ffffffffffffffffff", b"", b" 5", b"0x5", b"5" * 1000])
def test_bad_chunk_sizes_are_refused(target, size):
    head = chunked(end=b"")
    only_client_errors(exchange(target.core, head + size + b"\r\n" + GOOD_BODY + b"\r\n0\r\n\r\n"))


@pytest.mark.quick
@pytest.mark.parametrize("flood", [
    b"1;" + b"x" * 1_000_000 + b"\r\na\r\n0\r\n\r\n", b"1;x\r\na\r\n" * 100_000, b"1" + b" " * 1_000_000, b"0;" + b"x" * 1_000_000,
    b"0\r\n" + b"".join(b"X-%d: y\r\n" % number for number in range(100_000)) + b"\r\n", b"0\r\nX: " + b"y" * 1_000_000,
    b"0\r\n" + b"x" * 1_000_000,
], ids=["extension", "extensions", "blanks", "last extension", "trailers", "trailer", "trailer's name"])
def test_a_flood_of_chunk_extensions_or_trailers_is_bounded(target, flood):
    [reply] = exchange(target.core, chunked(end=b"") + flood)
    assert reply.status == 431


def test_a_header_whose_fields_come_one_by_one_is_bounded(target):
    """Each cut behind the first byte of the next field."""
    with RawConnection(target.core) as connection:
        connection.send(b"GET /transaction/health HTTP/1.1\r\nHost: a\r\nX")
        sent = 0
        while sent < 1_000_000 and connection.send(b": y\r\nX"):
            sent += 6
        reply = connection.read_reply()
        # What is sent behind the refusal is read and dropped for a while; only a server that took it for a header would wait
        # for its end, and say 408.
        assert reply is None or reply.status == 431, "takes a header without end"


# ---- headers and request lines

@pytest.mark.quick
@pytest.mark.parametrize("headers", [
    b"X-Long: " + b"y" * 1_000_000 + b"\r\n", b"".join(b"X-%d: y\r\n" % number for number in range(50_000)),
    b"X" * 200_000 + b": y\r\n", b"Cookie: a=b\r\n" * 20_000,
], ids=["one long value", "many", "one long name", "one name many times"])
def test_header_floods_are_431(target, headers):
    replies = exchange(target.core, b"GET /transaction/health HTTP/1.1\r\nHost: a\r\n" + headers + b"\r\n")
    assert [reply.status for reply in replies] == [431]


@pytest.mark.quick
@pytest.mark.parametrize("fields, status", [(99, 200), (101, 431)])
def test_the_number_of_header_fields_is_bounded(target, fields, status):
    """Each costs far more than its bytes: 16 KB of them cost an io thread half a millisecond."""
    data = b"GET /transaction/health HTTP/1.1\r\nHost: a\r\n" + b"a:\r\n" * (fields - 1) + b"\r\n"
    assert exchange(target.core, data)[0].status == status


@pytest.mark.quick
@pytest.mark.parametrize("name", ["Authorization", "Content-Type", "Idempotency-Key"])
def test_two_of_a_header_that_stands_once_are_400(target, name):
    """Of two, one reader takes the first, another the last."""
    [reply] = exchange(target.core, post(CREATE, GOOD_BODY, f"{name}: a", f"{name}: b"))
    assert reply.status == 400


def test_endless_header_is_cut_off(target):
    with RawConnection(target.core) as connection:
        connection.send(b"GET /transaction/health HTTP/1.1\r\nX: ")
        sent = 0
        while sent < 50_000_000 and connection.send(b"y" * 65536):
            sent += 65536
        assert sent < 50_000_000, "takes a header without end"


def test_long_path_is_refused(target):
    replies = exchange(target.core, b"GET /transaction/" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    assert [reply.status for reply in replies] == [414]


@pytest.mark.quick
@pytest.mark.parametrize("line", [
    b"GET", b"GET\r\n\r\n", b"GET /\r\n", b"GET / HTTP/0.9", b"GET / HTTP/2.0", b"GET / HTTP/9.9",
    b"GET / HTTP/1.1x", b"GET / http/1.1", b"GET  / HTTP/1.1", b" GET / HTTP/1.1", b"G\0T / HTTP/1.1",
    b"GET /\0 HTTP/1.1", b"GET /a b HTTP/1.1", b"GET \xff\xfe HTTP/1.1", b"GET / HTTP/1.1 x", b"\r\r\r\r",
    b"\0" * 100, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x5a" * 200, b"PRI * HTTP/2.0\r\n\r\nSM",
    b"*1\r\n$4\r\nPING", b"SSH-2.0-OpenSSH_9.2", b"nonsense", b"GET nonsense HTTP/1.1", b"A" * 5000 + b" / HTTP/1.1",
    b"GET / HTTP/1.1\nHost: a\n",
])
def test_garbage_for_a_request_line(target, line):
    replies = exchange(target.core, line + b"\r\nHost: a\r\n\r\n")
    only_client_errors(replies, at_least=0)


@pytest.mark.quick
@pytest.mark.parametrize("uri", [
    b"http://evil?/transaction/health", b"http://evil#/transaction/health", b"ftp:///transaction/health",
    b"x://y/transaction/health", b"http:///transaction/health", b"http://evil/?/transaction/health",
])
def test_a_path_begins_where_the_authority_ends(target, uri):
    """RFC 3986, 3.2: a filter in front that reads it rightly has let another path pass."""
    [reply] = exchange(target.core, b"GET " + uri + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert reply.status == 404


@pytest.mark.quick
@pytest.mark.parametrize("host, status", [
    (b"a b", 400), (b"a,b c/@", 400), (b"user@host", 400), (b"host:8o", 400), (b"[::1", 400), (b"a/b", 400),
    (b"platform", 200), (b"platform:80", 200), (b"[::1]:80", 200), (b"", 200),
])
def test_a_host_that_is_none_is_400(target, host, status):
    data = b"GET /transaction/health HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n"
    assert [reply.status for reply in exchange(target.core, data)] == [status]


@pytest.mark.quick
def test_one_blank_line_before_a_request_is_passed_over(target):
    """RFC 9112, 2.2: some clients end a body with one that its length does not count."""
    replies = exchange(target.core, GOOD + b"\r\n" + GOOD + b"\r\n\r\n" + GOOD)
    assert [reply.status for reply in replies] == [200, 200, 400]


@pytest.mark.quick
@pytest.mark.parametrize("version", [b"HTTP/2.0", b"HTTP/1.2", b"HTTP/0.9"])
def test_another_version_is_505(target, version):
    [reply] = exchange(target.core, b"GET /transaction/health " + version + b"\r\nHost: a\r\n\r\n")
    assert reply.status == 505 and "HTTP/1.1" in reply.body.decode()


@pytest.mark.parametrize("header", [
    b"no colon", b": no name", b"Bad Name: x", b"X: a\0b", b" folded: x", b"X\0Y: z", b"X: \x01\x02",
    b"Host: a\r\nHost: b", b"Host : a", b"X: a\r\n b", b"Content-Length: 0\r\nContent-Length: 0",
])
def test_garbage_for_a_header(target, header):
    """Refused, or taken where RFC 9112 leaves a choice; never a server error."""
    for reply in exchange(target.core, b"GET /transaction/health HTTP/1.1\r\nHost: a\r\n" + header + b"\r\n\r\n"):
        assert reply.status == 200 or 400 <= reply.status < 500


@pytest.mark.parametrize("target_form, statuses", [
    (b"http://platform/transaction/health", {200, 400, 404}),
    (b"http://evil.example/transaction/health", {200, 400, 404, 421}), (b"//transaction/health", {400, 404}),
    (b"/transaction//health", {400, 404}), (b"/transaction/./health", {200, 400, 404}),
    (b"/transaction/x/../health", {200, 400, 404}), (b"/transaction/../auth/health", {200, 400, 404}),
    (b"/../../../etc/passwd", {400, 404}), (b"/transaction/%2e%2e/%2e%2e/etc/passwd", {400, 404}),
    (b"/transaction/%00", {400, 404}), (b"/transaction/%", {400, 404}), (b"/transaction/%zz", {400, 404}),
    (b"/transaction/health%20", {400, 404}), (b"/transaction/health?", {200}),
    (b"/transaction/health?a=b&&&=%&%00", {200, 400}), (b"/transaction/health#x", {200, 400, 404}),
    (b"/transaction/health;x=y", {400, 404}), (b"/transaction/health/", {200, 400, 404}),
    (b"/TRANSACTION/health", {400, 404}), (b"*", {400, 404, 405}), (b"platform:443", {400, 404}), (b"?", {400, 404}),
    (b"/%F0%9F%8F%A6", {400, 404}), (b"/\xf0\x9f\x8f\xa6", {400, 404}), (b"/transaction\\health", {400, 404}),
    (b"/transactionhealth", {404}), (b"/auth/transaction", {404}),
])
def test_weird_paths(target, target_form, statuses):
    [reply] = exchange(target.core, b"GET " + target_form + b" HTTP/1.1\r\nHost: platform\r\n\r\n")
    assert reply.status in statuses


@pytest.mark.parametrize("method", [b"OPTIONS", b"TRACE", b"CONNECT", b"PROPFIND", b"BREW", b"get", b"G" * 300])
def test_weird_methods(target, method):
    for reply in exchange(target.core, method + b" /transaction/transaction HTTP/1.1\r\nHost: platform\r\n\r\n"):
        assert 400 <= reply.status < 500 or reply.status == 501 or (method == b"OPTIONS" and reply.status < 300)


def test_old_clients(target):
    """HTTP/1.0 without a Host is served and the connection is closed."""
    [reply] = exchange(target.core, b"GET /transaction/health HTTP/1.0\r\n\r\n", finish=False)
    assert reply.status == 200


def test_http_0_9_gets_no_page(target):
    with RawConnection(target.core) as connection:
        connection.send(b"GET /transaction/health\r\n")
        connection.finish_sending()
        data = connection.read_until_closed()
        assert data == b"" or data.startswith(b"HTTP/1.1 4")


@pytest.mark.parametrize("head", [b"GET /transaction/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
                                  b"GET /transaction/health HTTP/1.0\r\n\r\n"])
def test_a_connection_that_shall_be_closed_is_closed(target, head):
    with RawConnection(target.core) as connection:
        connection.send(head + HEALTH)
        assert connection.read_reply().status == 200
        assert connection.read_until_closed() == b"", "a request after the last one was answered"


@pytest.mark.parametrize("upgrade", [
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n",
    b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n",
])
def test_upgrades_are_ignored(target, upgrade):
    [reply] = exchange(target.core, b"GET /transaction/health HTTP/1.1\r\nHost: a\r\n" + upgrade + b"\r\n")
    assert reply.status == 200


# ---- pipelining

@pytest.mark.quick
def test_pipelined_requests_are_answered_in_order(target):
    token = tokens.mint(SECRET, user_id=5002)
    bodies = [json.dumps({"amount": number, "currency": "USD", "token": token}) for number in range(1, 101)]
    replies = exchange(target.core, b"".join(post(CREATE, body.encode()) for body in bodies))
    assert [json.loads(reply.body)["amount"] for reply in replies] == list(range(1, 101))
    assert count_of(5002, target) == 100


def test_good_and_bad_requests_in_one_pipeline(target):
    replies = exchange(target.core, GOOD + post(CREATE, b"{") + GOOD + HEALTH)
    assert [reply.status for reply in replies] == [200, 400, 200, 200]


def test_a_pipeline_nobody_reads_is_bounded(target):
    """Replies that are not taken must not pile up in memory: the server stops reading, or closes."""
    before = resident_kib(target)
    with RawConnection(target.core, timeout_s=3) as connection:
        sent = 0
        try:
            while sent < 200_000_000 and connection.send(HEALTH * 1000):
                sent += len(HEALTH) * 1000
        except TimeoutError:
            pass
        assert sent < 200_000_000
    assert resident_kib(target) - before < 64 * 1024 * PATIENCE


def resident_kib(server):
    with open(f"/proc/{server.program.process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


# ---- slow clients

@pytest.mark.quick
@pytest.mark.parametrize("beginning", [b"G", b"GET /transaction/health HTTP/1.1\r\nHost: a\r\n", post(CREATE,
    b'{"amo', length=100)],
                         ids=["request line", "header", "body"])
def test_a_request_that_never_ends_is_closed_at_the_deadline(target, beginning):
    with RawConnection(target.core) as connection:
        connection.send(beginning)
        assert connection.seconds_until_closed() < DEADLINE_S + 4 * PATIENCE


@pytest.mark.quick
@pytest.mark.parametrize("beginning", [b"GET /transaction/health HTTP/1.1\r\nX: ", post(CREATE, b'{"x":"',
    length=10_000)], ids=["header", "body"])
def test_dripping_bytes_does_not_extend_the_deadline(target, beginning):
    """Slowloris: one byte now and then keeps a connection that only measures silence open for ever."""
    with RawConnection(target.core, timeout_s=0.1) as connection:
        connection.send(beginning)
        started = time.monotonic()
        while time.monotonic() - started < DEADLINE_S + 6 * PATIENCE:
            if not connection.send(b"y"):
                return
            try:
                if connection.read_until_closed() is not None:
                    return
            except TimeoutError:
                continue
    raise AssertionError("still open")


def test_many_slow_clients_do_not_hold_up_a_good_one(target):
    slow = [RawConnection(target.core) for _ in range(300)]
    for connection in slow:
        connection.send(b"POST /transaction/transaction HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n")
    started = time.monotonic()
    for _ in range(20):
        assert once(target.core, "GET", "/health").status == 200
    assert time.monotonic() - started < 5 * PATIENCE
    for connection in slow:
        connection.close()


def test_clients_that_vanish_while_they_are_answered(target):
    for number in range(300):
        connection = RawConnection(target.core)
        connection.send(GOOD[:len(GOOD) - (number % 3)])
        connection.close()


# ---- many connections

@pytest.mark.quick
def test_two_thousand_idle_connections_while_good_traffic_flows(tmp_path_factory, seed):
    needed = 2_300
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        pytest.skip(f"needs {needed} open files, the limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard,
        needed * 2) if hard != resource.RLIM_INFINITY else needed * 2), hard))
    server = Switchyard(tmp_path_factory.mktemp("idle"), REQUEST_TIMEOUT_SECONDS=60, MAX_CONNECTIONS=4096).start()
    idle = []
    try:
        for number in range(2000):
            idle.append(RawConnection(server.core))
            if number % 4 == 0:
                idle[-1].send(b"POST /transaction/transaction HTTP/1.1\r\n")
        slowest = 0.0
        merchant = Merchant(server, user_id=1)
        with Load(server, seed, workers=4) as load:
            for number in range(50):
                started = time.monotonic()
                merchant.created(number + 1)
                slowest = max(slowest, time.monotonic() - started)
            eventually(lambda: len(load.acknowledged) >= 500, "load beside the idle connections")
        assert slowest < 2 * PATIENCE
        assert not load.refused and not load.unanswered
        with RawConnection(server.core) as connection:
            connection.send(GOOD)
            assert connection.read_reply().status == 200
        merchant.close()
    finally:
        for connection in idle:
            connection.close()
        assert server.stop() == 0


def test_connections_beyond_the_bound_are_turned_away_and_room_is_made_again(tmp_path_factory):
    server = Switchyard(tmp_path_factory.mktemp("bound"), REQUEST_TIMEOUT_SECONDS=60, MAX_CONNECTIONS=50).start()
    crowd = [RawConnection(server.core, timeout_s=0.5) for _ in range(200)]
    served = 0
    for connection in crowd:
        connection.send(HEALTH)
    for connection in crowd:
        try:
            reply = connection.read_reply()
        except TimeoutError:
            continue  # left in the backlog of the kernel: also a bound
        served += reply is not None and reply.status == 200
        assert reply is None or reply.status in (200, 429, 503)
    assert 1 <= served <= 60
    for connection in crowd:
        connection.close()
    eventually(lambda: _answers(server), "room for new connections")
    assert server.stop() == 0


def test_the_connections_of_one_address_do_not_stop_another(tmp_path_factory):
    server = Switchyard(tmp_path_factory.mktemp("address"), REQUEST_TIMEOUT_SECONDS=60, MAX_CONNECTIONS=50).start()
    crowd = [RawConnection(server.core) for _ in range(60)]
    refused = crowd[-1].read_reply()
    assert refused.status == 429 and refused.header("Retry-After") == "1" and refused.header("Connection") == "close"
    with RawConnection(server.core, own_address="127.0.0.2") as neighbour:
        neighbour.send(GOOD)
        assert neighbour.read_reply().status == 200
    text = once(server.metrics, "GET", "/metrics").body.decode()
    assert 'switchyard_http_connections_refused_total{bound="address"' in text
    for connection in crowd:
        connection.close()
    eventually(lambda: _answers(server), "room for new connections")
    assert server.stop() == 0


def test_connections_leave_files_for_others(tmp_path_factory):
    """Out of files, a process accepts nobody: MAX_CONNECTIONS is held below what it may open, for each address, too."""
    server = Switchyard(tmp_path_factory.mktemp("files"), REQUEST_TIMEOUT_SECONDS=60)
    server.program.command = ["sh", "-c", 'ulimit -n 400; exec "$@"', "sh", *server.program.command]
    server.start()
    eventually(lambda: "this process may open 400 files" in server.program.log(), "the log to say it")
    crowd = [RawConnection(server.core) for _ in range(300)]
    assert crowd[-1].read_reply().status == 429
    with RawConnection(server.core, own_address="127.0.0.2") as neighbour:
        neighbour.send(GOOD)
        assert neighbour.read_reply().status == 200
    for connection in crowd:
        connection.close()
    assert server.stop() == 0


@pytest.mark.slow  # not for its time: a sanitizer holds on to what is freed
def test_half_sent_bodies_in_memory_are_bounded_in_all(tmp_path_factory):
    """400 connections with 60 KiB each of a body that never ends: refused beyond the bound, payments go on."""
    server = Switchyard(tmp_path_factory.mktemp("memory"), REQUEST_TIMEOUT_SECONDS=60, MAX_BUFFERED_BYTES=4_194_304).start()
    before = resident_kib(server)
    crowd = [RawConnection(server.core) for _ in range(400)]
    for connection in crowd:
        connection.send(post(CREATE, b" " * 60_000, length=65_000))
    assert crowd[-1].read_reply().status == 503
    for _ in range(20):
        [reply] = exchange(server.core, GOOD)
        assert reply.status == 200
    assert resident_kib(server) - before < 16 * 1024
    for connection in crowd:
        connection.close()
    eventually(lambda: exchange(server.core, post(CREATE, b" " * 40_000 + GOOD_BODY))[0].status == 200, "memory again")
    assert server.stop() == 0


@pytest.mark.slow  # not for its time: a sanitizer holds on to what is freed
def test_connections_that_idle_give_their_memory_back(tmp_path_factory):
    server = Switchyard(tmp_path_factory.mktemp("idle memory"), MAX_BODY_BYTES=1_000_000).start()
    before = resident_kib(server)
    idle = []
    for _ in range(100):
        idle.append(RawConnection(server.core))
        idle[-1].send(post(CREATE, b" " * 900_000 + GOOD_BODY))
        assert idle[-1].read_reply().status == 200
    assert resident_kib(server) - before < 32 * 1024
    for connection in idle:
        connection.close()
    assert server.stop() == 0


def test_running_out_of_file_descriptors(tmp_path_factory):
    """accept() fails, again and again: that must neither end the process nor spin it, and must pass."""
    server = Switchyard(tmp_path_factory.mktemp("descriptors"), REQUEST_TIMEOUT_SECONDS=60).start()
    process = server.program.process
    in_use = len(os.listdir(f"/proc/{process.pid}/fd"))
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (in_use + 20, in_use + 20))
    crowd = [RawConnection(server.core) for _ in range(100)]
    for connection in crowd:
        connection.send(HEALTH)
    assert crowd[0].read_reply().status == 200
    before, started = cpu_seconds(process.pid), time.monotonic()
    eventually(lambda: time.monotonic() - started > 1, "a second to pass")
    assert cpu_seconds(process.pid) - before < 0.5, "spins while it cannot accept"
    assert server.alive()
    for connection in crowd:
        connection.close()
    eventually(lambda: _answers(server), "new connections to be served")
    assert server.stop() == 0


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _answers(server):
    try:
        return once(server.core, "GET", "/health").status == 200
    except OSError:
        return False


# ---- random mutations

def mutate(rng, data):
    """One to four random edits of the bytes."""
    data = bytearray(data)
    for _ in range(rng.randrange(1, 5)):
        position = rng.randrange(len(data)) if data else 0
        kind = rng.randrange(7)
        if kind == 0 and data:
            data[position] = rng.randrange(256)
        elif kind == 1 and data:
            data[position] ^= 1 << rng.randrange(8)
        elif kind == 2:
            data[position:position] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 20)))
        elif kind == 3:
            del data[position:position + rng.randrange(1, 30)]
        elif kind == 4:
            data[position:position] = data[position:position + rng.randrange(1, 60)] * rng.randrange(1, 30)
        elif kind == 5:
            data[position:position] = rng.choice([b"\r\n", b"\r\n\r\n", b"\0", b"\xff", b'"', b"{", b"}", b"[",
                                                  b"1e400", b"-", b"%00", b":", b"Content-Length: 5\r\n", b"\r", b"\n",
                                                  b"0\r\n", b";", b"Transfer-Encoding: chunked\r\n",
                                                  b"Content-Encoding: gzip\r\n", b"Expect: 100-continue\r\n"])
        else:
            del data[position:]
    return bytes(data)


@pytest.mark.quick
def test_random_mutations_of_good_requests(target, seed):
    rng = random.Random(seed)
    login = post("/auth/token", b'{"username":"alice","password":"password"}')
    listing = (b"GET /transaction/transaction?limit=2&status=captured HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer "
               + TOKEN.encode() + b"\r\n\r\n")
    keyed = post(CREATE, GOOD_BODY, 'Idempotency-Key: "fuzz"', "X-Request-Id: fuzz")
    for number in range(1500):
        data = mutate(rng, rng.choice([GOOD, GOOD, keyed, HEALTH, listing, login if number % 10 == 0 else GOOD,
                                       chunked(GOOD_BODY)]))
        for reply in exchange(target.core, data):
            assert reply.status < 500 or reply.status in (501,
                                                          505), f"mutation {number}: {reply.status} to {data[:2000]!r}"
        if not target.alive():
            raise AssertionError(f"mutation {number} killed the process: {data[:2000]!r}")


# Each is a request of its own on a connection of its own, cut at random.
MUTATED_REQUESTS = int(os.environ.get("MUTATED_REQUESTS", "4000"))
MUTATION_WORKERS = 4
REQUESTS = [
    GOOD, post(CREATE, GOOD_BODY, 'Idempotency-Key: "mutated"', "X-Request-Id: mutated"), HEALTH, GOOD + HEALTH,
    chunked(GOOD_BODY), chunked(GOOD_BODY[:50], GOOD_BODY[50:], end=b"0;a=b\r\nTrailer: x\r\n\r\n"),
    b"OPTIONS /transaction/transaction HTTP/1.1\r\nHost: a\r\n\r\n", post(CREATE, GOOD_BODY, "Expect: 100-continue"),
    b"GET /transaction/transaction?limit=2&status=captured HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + TOKEN.encode()
    + b"\r\n\r\n", post("/auth/token", b'{"username":"","password":""}'),
    b"GET http://platform/transaction/openapi.json HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
]


def cut(rng, data):
    """In one to four segments."""
    places = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randrange(4)))
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


def send_mutations(endpoint, seed, count):
    """What went wrong; nothing if all of it was answered as it should be, or not at all."""
    rng = random.Random(seed)
    for number in range(count):
        data = mutate(rng, rng.choice(REQUESTS))
        try:
            with RawConnection(endpoint, own_address=f"127.0.0.{rng.randrange(1, 255)}") as connection:
                for segment in cut(rng, data):
                    connection.send(segment)
                connection.finish_sending()
                while (reply := connection.read_reply()) is not None:
                    if reply.status >= 500 and reply.status not in (501, 505):
                        return f"{seed}, number {number}: {reply.status} to {data[:2000]!r}"
        except Exception as error:
            return f"{seed}, number {number}: {error!r} after {data[:2000]!r}"
    return None


def test_mutated_requests_in_any_number(target, seed):
    """MUTATED_REQUESTS=1000000 over a build with AddressSanitizer, for instance."""
    with concurrent.futures.ProcessPoolExecutor(MUTATION_WORKERS, multiprocessing.get_context("spawn")) as pool:
        workers = [pool.submit(send_mutations, target.core, f"{seed}/{number}", MUTATED_REQUESTS // MUTATION_WORKERS)
                   for number in range(MUTATION_WORKERS)]
        assert [worker.result() for worker in workers] == [None] * MUTATION_WORKERS
    assert target.alive()


@pytest.mark.quick
def test_random_json_values_in_every_member(target, seed):
    rng = random.Random(seed)

    def value(depth=0):
        kind = rng.randrange(9 if depth < 3 else 7)
        if kind == 7:
            return [value(depth + 1) for _ in range(rng.randrange(4))]
        if kind == 8:
            return {"".join(rng.choices(string.printable, k=3)): value(depth + 1) for _ in range(rng.randrange(4))}
        return rng.choice([None, True, False, 0, -1, 1, 2**31, 2**63, -2**63, 2**64, 1.5, 1e308, -0.0, "", "USD",
                           "100", "\0", "é", "\U0001f3e6" * 50,
                           "x" * 5000, rng.getrandbits(80), rng.random()])

    merchant = Merchant(target, user_id=5003)
    for number in range(500):
        body = {"amount": value(), "currency": value(), "extra": value()}
        reply = merchant.post(body)
        good = (str(body["amount"]) in ("1", "100", str(2**31)) and type(body["amount"]) in (int,
            str)) and body["currency"] == "USD"
        assert reply.status in ((200, 422) if good else (400, 422)), f"value {number}: {reply.status} to {body!r}"
    merchant.close()


def test_garbage_from_many_connections_at_once(target, seed):
    """Races between connections that break off and connections that are served."""
    errors = []

    def work(number):
        rng = random.Random(f"{seed}/{number}")
        try:
            for _ in range(100):
                with RawConnection(target.core) as connection:
                    connection.send(mutate(rng, GOOD))
                    if rng.random() < 0.5:
                        connection.finish_sending()
                        connection.read_until_closed()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert errors == []
