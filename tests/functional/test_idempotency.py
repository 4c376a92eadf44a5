"""Idempotency-Key: however often, concurrently, and across whatever restarts a request is sent, it moves money once."""

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
                                 "~!@#$%^&*()_+"])
def test_keys_that_are_fine(merchant, key):
    assert (merchant.create(key=key).status, merchant.create(key=key).header(REPLAYED)) == (200, "true")


@pytest.mark.quick
@pytest.mark.parametrize("key", ["", " ", '""', "k" * 256, '"' + "k" * 256 + '"', "k" * 3000])
def test_keys_that_are_none(merchant, key):
    reply = merchant.create(key=key)
    assert 400 <= reply.status < 500
    assert_problem(reply, reply.status)
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
        assert len(storage.charges(server.ledger, identifier)) == 1
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
