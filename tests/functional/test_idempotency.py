"""Idempotency-Key: however often, concurrently, and across whatever restarts a request is sent, it moves money once."""

import contextlib
import hashlib
import sqlite3

import pytest

from support import raw_http, storage, tokens
from support.concurrency import at_once
from support.merchants import Merchant
from support.problems import assert_problem
from support.programs import SECRET
from support.waiting import eventually

REPLAYED = "Idempotency-Replayed"


@pytest.mark.quick
def test_same_key_and_body_replays_the_first_reply(merchant):
    first = merchant.create(100, "USD", key="order-1")
    assert first.status == 200 and first.header(REPLAYED) is None
    for _ in range(3):
        again = merchant.create(100, "USD", key="order-1")
        assert (again.status, again.body, again.header(REPLAYED)) == (200, first.body, "true")
        assert again.header("Location") == first.header("Location")
    assert len(merchant.walk()) == 1


@pytest.mark.quick
def test_the_first_reply_is_replayed_even_after_the_state_changed(merchant):
    first = merchant.create(100, "USD", key="order-2")
    merchant.wait_final(first.json()["id"])
    again = merchant.create(100, "USD", key="order-2")
    assert (again.body, again.json()["status"]) == (first.body, "queued")


@pytest.mark.quick
@pytest.mark.parametrize("other", [{"amount": 101}, {"currency": "EUR"}, {"comment": "another member"},
                                   {"amount": "x"}, {"currency": "XYZ"}])
def test_same_key_with_another_body_is_422(merchant, other):
    body = {"amount": 100, "currency": "USD"}
    assert merchant.post(body, headers={"Idempotency-Key": "order-3"}).status == 200
    assert_problem(merchant.post({**body, **other}, headers={"Idempotency-Key": "order-3"}), 422)
    replay = merchant.post(body, headers={"Idempotency-Key": "order-3"})
    assert replay.header(REPLAYED) == "true", "the first body does not replay any more"
    assert len(merchant.walk()) == 1


@pytest.mark.quick
def test_a_fresh_token_is_not_another_body(merchant):
    """A client that retries after 30 s has to send a new token; that must not make it another request."""
    body = {"amount": 100, "currency": "USD"}
    replies = [merchant.client.post("/transaction", {**body, "token": tokens.mint(SECRET, user_id=merchant.user_id,
        lifetime_s=lifetime)},
                                    headers={"Idempotency-Key": "order-4"}) for lifetime in (100, 200)]
    replies.append(merchant.post(body, headers={"Idempotency-Key": "order-4"}))
    assert [reply.status for reply in replies] == [200, 200, 200]
    assert [reply.header(REPLAYED) for reply in replies] == [None, "true", "true"]
    assert replies[0].body == replies[1].body == replies[2].body


@pytest.mark.quick
@pytest.mark.parametrize("first, second", [('"order-5"', "order-5"), ("order-5", '"order-5"')])
def test_quoted_and_bare_are_the_same_key(merchant, first, second):
    created, again = merchant.create(key=first), merchant.create(key=second)
    assert (created.status, again.status, again.header(REPLAYED)) == (200, 200, "true")
    assert created.body == again.body


@pytest.mark.quick
@pytest.mark.parametrize("key", ["k" * 255, '"' + "k" * 255 + '"', "a", "order/6?x=1&y=[2];{3}", "a b c",
                                 "~!@#$%^&*()_+", '"k";p=1;q="x\\"y";r=?1;s=:YWJj:'])
def test_keys_that_are_fine(merchant, key):
    assert (merchant.create(key=key).status, merchant.create(key=key).header(REPLAYED)) == (200, "true")


@pytest.mark.quick
@pytest.mark.parametrize("key", ["", " ", '""', "k" * 256, '"' + "k" * 256 + '"', "k" * 3000])
def test_keys_that_are_none(merchant, key):
    reply = merchant.create(key=key)
    assert 400 <= reply.status < 500
    assert_problem(reply, reply.status)
    assert merchant.walk() == []


@pytest.mark.quick
@pytest.mark.parametrize("one, other", [('"order-6";p=1', "order-6"), ('"order-6"', '"order-6"; p; q="x"'),
                                        (r'"a\"b"', 'a"b'), (r'"a\\b"', r"a\b")])
def test_parameters_and_escapes_make_no_other_key(merchant, one, other):
    """RFC 9651; what stands behind a key must not make two payments of one."""
    created, again = merchant.create(key=one), merchant.create(key=other)
    assert (created.status, again.status, again.header(REPLAYED)) == (200, 200, "true")
    assert created.body == again.body and len(merchant.walk()) == 1


@pytest.mark.quick
@pytest.mark.parametrize("key, wrong", [('"open', "closing quote"), ('"a"b"', "behind the closing quote"),
                                        (r'"a\b"', "backslash"), ('"a", "b"', "more than one"), ('"k";P=1', "parameter"),
                                        ('"k";p=', "parameter"), ('"k";p=?2', "boolean"), ('"k" x', "behind")])
def test_a_malformed_string_is_400_that_says_what_is_wrong(merchant, key, wrong):
    problem = assert_problem(merchant.create(key=key), 400, "Invalid idempotency key")
    assert wrong in problem["detail"]
    assert merchant.walk() == []


@pytest.mark.parametrize("key", ['"open', 'a"b', '"a"b"', '"a" "b"', "a\x01b", "kéy", "\x7f"])
def test_odd_keys_are_taken_whole_or_refused(merchant, key):
    """Never a server error, and never a key silently cut short, which would make two orders one."""
    reply = merchant.post({"amount": 1, "currency": "USD"}, headers={"Idempotency-Key": key.encode()})
    assert reply.status == 200 or 400 <= reply.status < 500
    if reply.status == 200:
        cut = merchant.create(2, "USD", key=key[:1].strip('"') or "open")
        assert cut.header(REPLAYED) is None and cut.status == 200


def test_two_key_headers_are_not_guessed_at(merchant):
    body = b'{"amount":100,"currency":"USD"}'
    request = raw_http.post("/transaction/transaction", body, f"Authorization: Bearer {merchant.token}",
                            "Idempotency-Key: one", "Idempotency-Key: two")
    reply, *_ = raw_http.exchange(merchant.server.core, request)
    assert 400 <= reply.status < 500


@pytest.mark.quick
def test_keys_are_per_merchant(merchant, merchant_of):
    other = merchant_of(merchant.server)
    mine, theirs = merchant.create(100, "USD", key="shared"), other.create(200, "EUR", key="shared")
    assert (mine.status, theirs.status, theirs.header(REPLAYED)) == (200, 200, None)
    assert mine.json()["id"] != theirs.json()["id"]


def test_keys_differ_by_case_and_by_every_byte(merchant):
    identifiers = {merchant.created(100, "USD", key=key)["id"] for key in ("key", "KEY", "key.", "ke", "keyy",
        "k ey")}
    assert len(identifiers) == 6


@pytest.mark.quick
def test_validation_failures_are_not_remembered(merchant):
    assert_problem(merchant.create(-100, "USD", key="order-7"), 422)
    assert_problem(merchant.create(100, "XYZ", key="order-7"), 422)
    assert_problem(merchant.post(body=b"{", headers={"Idempotency-Key": "order-7"}), 400)
    reply = merchant.create(100, "USD", key="order-7")
    assert reply.status == 200 and reply.header(REPLAYED) is None


def test_a_refused_token_does_not_use_up_the_key(merchant):
    expired = tokens.mint(SECRET, user_id=merchant.user_id, lifetime_s=-1)
    body = {"amount": 100, "currency": "USD"}
    assert merchant.client.post("/transaction", {**body, "token": expired},
                                headers={"Idempotency-Key": "order-8"}).status == 401
    assert merchant.create(100, "USD", key="order-8").header(REPLAYED) is None


def test_a_replay_needs_a_valid_token(merchant):
    assert merchant.create(100, "USD", key="order-9").status == 200
    reply = merchant.client.post("/transaction", {"amount": 100, "currency": "USD"},
                                 headers={"Idempotency-Key": "order-9"})
    assert_problem(reply, 401)


def test_without_a_key_each_request_is_its_own(merchant):
    assert len({merchant.created()["id"] for _ in range(5)}) == 5


@pytest.mark.quick
def test_the_name_of_the_header_is_case_insensitive(merchant):
    body = {"amount": 100, "currency": "USD"}
    assert merchant.post(body, headers={"idempotency-key": "order-10"}).status == 200
    assert merchant.post(body, headers={"IDEMPOTENCY-KEY": "order-10"}).header(REPLAYED) == "true"


@pytest.mark.quick
@pytest.mark.parametrize("deployment", ["switchyard", "three_services"])
def test_a_hundred_concurrent_requests_with_one_key_make_one_transaction(request, merchant_of, deployment):
    server = request.getfixturevalue(deployment)
    merchant = merchant_of(server)
    for attempt in range(3):
        headers = {**merchant.authorization, "Idempotency-Key": f"concurrent-{attempt}"}
        replies = at_once(server.core, 100, lambda client, _: client.post(
            "/transaction", {"amount": 100 + attempt, "currency": "USD"}, headers=headers))
        accepted = [reply for reply in replies if reply.status == 200]
        assert {reply.status for reply in replies} <= {200, 409} and accepted
        for reply in replies:
            if reply.status == 409:
                assert_problem(reply, 409)
        assert len({reply.body for reply in accepted}) == 1
        assert [reply.header(REPLAYED) for reply in accepted].count(None) == 1
        identifier = accepted[0].json()["id"]
        stored = [row for row in storage.transactions(server.database,
                                                      merchant.user_id) if row.amount == 100 + attempt]
        assert [row.id for row in stored] == [identifier]
        merchant.wait_final(identifier)
        assert len(storage.charges(server.ledger, storage.psp_reference(server.database, identifier))) == 1
        assert merchant.create(100 + attempt, "USD", key=f"concurrent-{attempt}").body == accepted[0].body
    assert len(storage.transactions(server.database, merchant.user_id)) == 3


def test_concurrent_requests_with_one_key_and_different_bodies(switchyard, merchant_of):
    """One body wins; nobody with another body is told that theirs was accepted."""
    merchant = merchant_of(switchyard)
    headers = {**merchant.authorization, "Idempotency-Key": "disputed"}
    replies = at_once(switchyard.core, 40, lambda client, number: client.post(
        "/transaction", {"amount": 1 + number % 4, "currency": "USD"}, headers=headers))
    assert {reply.status for reply in replies} <= {200, 409, 422}
    [row] = storage.transactions(switchyard.database, merchant.user_id)
    for number, reply in enumerate(replies):
        if reply.status == 200:
            assert (reply.json()["id"], 1 + number % 4) == (row.id, row.amount)


@pytest.mark.quick
def test_keys_survive_a_restart(start_switchyard):
    server = start_switchyard()
    merchant = Merchant(server, user_id=1)
    first = merchant.create(100, "USD", key="before the restart")
    merchant.close()
    server.stop()
    merchant = Merchant(start_switchyard(), user_id=1)
    again = merchant.create(100, "USD", key="before the restart")
    assert (again.status, again.body, again.header(REPLAYED)) == (200, first.body, "true")
    assert_problem(merchant.create(101, "USD", key="before the restart"), 422)
    assert len(merchant.walk()) == 1
    merchant.close()


def changed_meanwhile(server, statement, *values):
    """Stops the server and changes its store, as time or another version of the program would have."""
    assert server.stop() == 0
    with contextlib.closing(sqlite3.connect(server.database)) as database, database:
        assert database.execute(statement, values).rowcount == 1


def test_a_replay_does_not_mind_what_became_of_limits_and_currencies(start_switchyard, merchant_of):
    server = start_switchyard(MAX_AMOUNT=1000)
    merchant = merchant_of(server, user_id=1)
    large = merchant.create(1000, "USD", key="large")
    withdrawn = merchant.create(5, "USD", key="withdrawn")
    # The same request with a currency that this version does not know any more.
    fingerprint = hashlib.sha256(b'{"amount":"5","currency":"BGN",}').digest()
    changed_meanwhile(server, "UPDATE idempotency_keys SET request_fingerprint = ? WHERE key = 'withdrawn'",
                      fingerprint)
    merchant = merchant_of(start_switchyard(MAX_AMOUNT=10), user_id=1)
    for first, again in ((large, merchant.create(1000, "USD", key="large")),
                         (withdrawn, merchant.create(5, "BGN", key="withdrawn"))):
        assert (again.status, again.body, again.header(REPLAYED)) == (200, first.body, "true")
        assert again.header("Location") == first.header("Location")
    assert_problem(merchant.create(1000, "USD", key="new"), 422, "Amount is too large")
    assert_problem(merchant.create(1000, "USD"), 422, "Amount is too large")
    assert_problem(merchant.create(5, "BGN", key="new"), 422, "Invalid currency code")
    assert_problem(merchant.create(1001, "USD", key="large"), 422, "Idempotency key reused with a different body")
    assert len(merchant.walk()) == 2


@pytest.mark.quick
def test_a_replay_is_answered_to_a_user_who_was_disabled(merchant, merchant_of):
    first = merchant.create(100, "USD", key="before")
    disabled = merchant_of(merchant.server, user_id=merchant.user_id,
                           token=tokens.mint(SECRET, user_id=merchant.user_id, enabled=False))
    again = disabled.create(100, "USD", key="before")
    assert (again.status, again.body, again.header(REPLAYED)) == (200, first.body, "true")
    assert_problem(disabled.create(100, "USD", key="after"), 403, "User not enabled for transactions")
    assert_problem(disabled.create(100, "USD"), 403, "User not enabled for transactions")
    expired = tokens.mint(SECRET, user_id=merchant.user_id, enabled=False, lifetime_s=-1)
    disabled.token = expired
    assert_problem(disabled.create(100, "USD", key="before"), 401, "Signature has expired.")
    assert len(merchant.walk()) == 1


@pytest.mark.parametrize("stored, sent", [('"k";p=1', '"k";p=1'), (r'a\"b', r'"a\"b"')])
def test_a_key_of_before_parameters_and_escapes_were_understood_still_counts(start_switchyard, merchant_of, stored, sent):
    server = start_switchyard()
    first = merchant_of(server, user_id=1).create(100, "USD", key="old")
    changed_meanwhile(server, "UPDATE idempotency_keys SET key = ? WHERE key = 'old'", stored)
    merchant = merchant_of(start_switchyard(), user_id=1)
    again = merchant.create(100, "USD", key=sent)
    assert (again.status, again.body, again.header(REPLAYED)) == (200, first.body, "true")
    other = merchant.create(200, "USD", key=sent)
    assert (other.status, other.header(REPLAYED)) == (200, None), "another request under a key that is now another"
    assert merchant.create(200, "USD", key=sent).header(REPLAYED) == "true"


def test_keys_survive_a_kill(start_switchyard):
    server = start_switchyard()
    merchant = Merchant(server, user_id=1)
    first = merchant.create(100, "USD", key="before the kill")
    server.kill()
    server.start()
    merchant.close()
    again = eventually(lambda: merchant.create(100, "USD", key="before the kill"), "a reply")
    assert (again.status, again.body, again.header(REPLAYED)) == (200, first.body, "true")
    merchant.close()
