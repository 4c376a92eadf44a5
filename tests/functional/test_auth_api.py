"""auth-api's table of the contract, row by row."""

import json
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from support import tokens
from support.concurrency import at_once
from support.http_client import Client, once
from support.merchants import login
from support.problems import assert_problem
from support.programs import run_to_exit
from support.waiting import PATIENCE, eventually

GOOD = {"username": "alice", "password": "password"}


@pytest.fixture
def auth(switchyard):
    with Client(switchyard.auth) as client:
        yield client


# ---- 200

@pytest.mark.quick
def test_username_and_password_give_a_token(auth):
    before = int(time.time())
    reply = auth.post("/token", GOOD)
    assert reply.status == 200 and reply.media_type == "application/json"
    assert list(reply.json()) == ["token"]
    header, payload, signature = tokens.parts(reply.json()["token"])
    claims = json.loads(payload)
    assert header == tokens.HEADER
    assert list(claims) == ["user_id", "username", "enabled", "exp"]
    assert claims | {"exp": 0} == {"user_id": 1, "username": "alice", "enabled": True, "exp": 0}
    assert before + 30 <= claims["exp"] <= int(time.time()) + 30
    assert len(signature) == 32


def test_a_disabled_user_gets_a_token_that_says_so(auth):
    claims = json.loads(tokens.parts(auth.post("/token", {**GOOD, "username": "charlie"}).json()["token"])[1])
    assert (claims["user_id"], claims["enabled"]) == (3, False)


@pytest.mark.quick
@pytest.mark.parametrize("more, said", [({"remember_me": True}, "known are: username, password"),
                                        ({"Password": "x"}, 'perhaps "password" was meant'), ({"scope": None}, "scope")])
def test_members_that_are_not_known_are_422_and_named(auth, more, said):
    assert said in assert_problem(auth.post("/token", {**GOOD, **more}), 422, "Unknown member")["detail"]


def test_parameters_of_the_query_are_422(auth):
    """A password in a URL ends in somebody's log."""
    assert_problem(auth.post("/token?username=alice", GOOD), 422, "Unknown query parameter")
    assert_problem(auth.post("/token?%zz", GOOD), 400, "Malformed query")


@pytest.mark.parametrize("media_type", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_spellings_of_the_content_type(auth, media_type):
    assert auth.post("/token", GOOD, headers={"Content-Type": media_type}).status == 200


def test_tokens_are_not_cached_on_the_way(auth):
    assert "no-store" in (auth.post("/token", GOOD).header("Cache-Control") or "")


def test_lifetime_follows_the_configuration(start_switchyard):
    server = start_switchyard(TOKEN_TTL_SECONDS=300)
    now = time.time()
    assert 298 <= json.loads(tokens.parts(login(server))[1])["exp"] - now <= 302


# ---- 422

@pytest.mark.quick
@pytest.mark.parametrize("body, error", [
    ({"password": "password"}, "Username is blank"),
    ({"username": "", "password": "password"}, "Username is blank"),
    ({"username": "   ", "password": "password"}, "Username is blank"),
    ({"username": None, "password": "password"}, "Username is blank"),
    ({"username": "alice"}, "Password is blank"),
    ({"username": "alice", "password": ""}, "Password is blank"),
    ({"username": "alice", "password": None}, "Password is blank"),
    ({}, "Username is blank"),
    ({"username": "", "password": ""}, "Username is blank"),
])
def test_blank_or_missing_is_422(auth, body, error):
    assert_problem(auth.post("/token", body), 422, error)


@pytest.mark.parametrize("body", [
    {**GOOD, "username": 1}, {**GOOD, "username": ["alice"]}, {**GOOD, "username": True},
    {**GOOD, "password": 12345}, {**GOOD, "password": {"a": 1}},
])
def test_another_type_than_a_string_is_422(auth, body):
    assert_problem(auth.post("/token", body), 422)


# ---- 401

@pytest.mark.quick
def test_unknown_user_and_wrong_password_have_one_answer(auth):
    unknown = auth.post("/token", {"username": "nobody", "password": "password"})
    wrong = auth.post("/token", {**GOOD, "password": "passwore"})
    for reply in (unknown, wrong):
        assert_problem(reply, 401, "Invalid username or password")
        assert reply.header("WWW-Authenticate")
    assert unknown.json().keys() == wrong.json().keys()
    assert {k: v for k, v in unknown.json().items() if k != "instance"} == {k: v for k,
        v in wrong.json().items() if k != "instance"}
    changing = {"date", "x-request-id"}
    assert ({k.lower(): v for k, v in unknown.headers.items() if k.lower() not in changing}
            == {k.lower(): v for k, v in wrong.headers.items() if k.lower() not in changing})


def test_unknown_user_and_wrong_password_have_one_cost_in_time(auth):
    """The shortest of interleaved tries, which no load makes shorter: it only takes more of them until both have found a quiet
    moment. An early exit for unknown users would make them many times faster, and each further try only more so."""
    samples = []

    def seconds(username):
        started = time.perf_counter()
        assert auth.post("/token", {"username": username, "password": f"wrong {len(samples)}"}).status == 401
        return time.perf_counter() - started

    def cost_the_same():
        samples.append((seconds("alice"), seconds(f"nobody{len(samples)}")))
        known, unknown = (min(column) for column in zip(*samples, strict=True))
        assert len(samples) >= 15 and 0.5 < unknown / known < 2, f"known {known * 1000:.1f} ms, unknown {unknown * 1000:.1f} ms"
        return True

    eventually(cost_the_same, "both to cost the same")


@pytest.mark.parametrize("username, password", [
    ("alice", "password "), ("alice", "Password"), ("alice", "password\0"), ("alice", "password\0x"),
    ("Alice", "password"), (" alice", "password"), ("alice\0", "password"),
    ("alice' OR '1'='1", "password"), ("alice", "' OR '1'='1"), ("a" * 10_000, "password"), ("alice", "p" * 30_000),
    ("é" * 100, "ü" * 100), ("🏦", "password"), ("alice\u200b", "password"), ("alice\u202e", "password"), ("ａlice", "password"),
])
def test_nearly_right_is_wrong(auth, username, password):
    """None of these is a server error, and none is accepted: 401, or 422 where a length bound says so."""
    reply = auth.post("/token", {"username": username, "password": password})
    assert reply.status in (401, 422)
    assert_problem(reply, reply.status)


def test_a_warm_password_cache_does_not_let_a_wrong_one_in(auth):
    for _ in range(3):
        assert auth.post("/token", GOOD).status == 200
        assert_problem(auth.post("/token", {**GOOD, "password": "wrong"}), 401, "Invalid username or password")
        assert_problem(auth.post("/token", {**GOOD, "username": "charli"}), 401, "Invalid username or password")


# ---- 429

@pytest.mark.quick
def test_too_many_failures_of_one_user_are_429_with_retry_after(start_switchyard):
    server = start_switchyard(LOGIN_FAILURES_PER_USER=3)
    with Client(server.auth) as client:
        for number in range(3):
            assert_problem(client.post("/token", {**GOOD, "password": f"wrong {number}"}), 401)
        for password in ("wrong again", "password"):
            reply = client.post("/token", {**GOOD, "password": password})
            assert_problem(reply, 429)
            assert 1 <= int(reply.header("Retry-After")) <= 300
        assert client.post("/token", {**GOOD, "username": "becky"}).status == 200, "another user is not locked out"


def test_an_unknown_user_is_throttled_like_a_known_one(start_switchyard):
    """Otherwise the 429 would tell which users exist."""
    server = start_switchyard(LOGIN_FAILURES_PER_USER=3)
    with Client(server.auth) as client:
        statuses = [client.post("/token", {"username": "nobody", "password": "x"}).status for _ in range(5)]
    assert statuses == [401, 401, 401, 429, 429]


def test_default_limit_of_failures_is_ten_per_user(start_switchyard):
    server = start_switchyard(LOGIN_FAILURES_PER_USER=None, LOGIN_FAILURES_PER_ADDRESS=None)
    with Client(server.auth) as client:
        statuses = [client.post("/token", {**GOOD, "password": "x"}).status for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2


def test_too_many_failures_from_one_address_are_429(start_switchyard):
    server = start_switchyard(LOGIN_FAILURES_PER_ADDRESS=5)
    with Client(server.auth) as client:
        statuses = [client.post("/token", {"username": f"nobody{number}",
                                           "password": "x"}).status for number in range(7)]
        assert statuses == [401] * 5 + [429] * 2
        reply = client.post("/token", GOOD)
        assert_problem(reply, 429)
        assert int(reply.header("Retry-After")) >= 1


@pytest.mark.quick
def test_wrong_guesses_elsewhere_do_not_stop_the_owner(start_switchyard):
    """Not where the password was verified, across a restart either, nor at an address that is new."""
    server = start_switchyard(LOGIN_FAILURES_PER_USER=3)

    def guess(host, password="wrong"):
        with Client(server.auth, own_address=f"127.0.0.{host}") as client:
            return client.post("/token", {**GOOD, "password": password})

    assert guess(2, GOOD["password"]).status == 200
    statuses = [guess(host).status for host in range(10, 16) for _ in range(4)]
    assert set(statuses[:3]) == {401} and statuses[3] == 429, "at one address the bound is hard"
    assert statuses.count(401) <= 3 + 1 + 300 / 6, "guesses from many addresses are slowed"
    assert guess(2, GOOD["password"]).status == 200
    refused = next(reply for reply in map(guess, range(16, 200)) if reply.status == 429)
    assert 1 <= int(refused.header("Retry-After")) <= 6
    eventually(lambda: guess(3, GOOD["password"]).status == 200, "a turn of the owner at a new address", timeout_s=30)
    server.stop()
    server.start()
    assert guess(2, GOOD["password"]).status == 200


def test_wrong_guesses_beside_the_owner_do_not_stop_the_owner(start_switchyard):
    server = start_switchyard(LOGIN_FAILURES_PER_USER=3, LOGIN_FAILURES_PER_ADDRESS=5)
    with Client(server.auth) as client:
        assert client.post("/token", GOOD).status == 200
        statuses = [client.post("/token", {**GOOD, "password": "an old one"}).status for _ in range(20)]
        assert set(statuses[3:]) == {429}
        assert client.post("/token", GOOD).status == 200


def test_guesses_at_once_are_no_way_around_the_limit_of_an_address(start_switchyard):
    server = start_switchyard(LOGIN_FAILURES_PER_ADDRESS=3)
    statuses = at_once(server.auth, 100, lambda client, number: client.post(
        "/token", {"username": f"nobody{number}", "password": "x"}).status)
    assert set(statuses) <= {401, 429}
    assert statuses.count(401) <= 3, f"{statuses.count(401)} of 100 guesses were tried"


def test_behind_a_trusted_proxy_failures_count_by_the_client_it_names(start_switchyard):
    server = start_switchyard(LOGIN_FAILURES_PER_ADDRESS=3, TRUSTED_PROXIES="127.0.0.1,10.0.0.0/8")

    def guess(client, forwarded, **credentials):
        headers = {"X-Forwarded-For": forwarded} if forwarded else {}
        return client.post("/token", {"username": "nobody", "password": "x", **credentials}, headers=headers).status

    with Client(server.auth) as router, Client(server.auth, own_address="127.0.0.2") as stranger:
        spoofed = [f"203.0.113.{number}, 192.0.2.1:{1000 + number}, 10.0.0.2" for number in range(5)]
        assert [guess(router, forwarded) for forwarded in spoofed] == [401] * 3 + [429] * 2
        assert guess(router, "192.0.2.2", **GOOD) == 200
        assert [guess(router, f"2001:db8::{number}") for number in range(4)] == [401] * 3 + [429], "a /64 is one"
        assert [guess(router, junk) for junk in ("junk", "192.0.2.3, junk", None, None)] == [401] * 3 + [429]
        assert [guess(stranger, f"192.0.2.{number}") for number in range(10, 14)] == [401] * 3 + [429], \
            "who is not trusted is not believed"


def test_successes_and_blank_fields_are_not_failures(start_switchyard):
    server = start_switchyard(LOGIN_FAILURES_PER_USER=3, LOGIN_FAILURES_PER_ADDRESS=3)
    with Client(server.auth) as client:
        for _ in range(6):
            assert client.post("/token", GOOD).status == 200
            assert client.post("/token", {"username": "alice"}).status == 422
        assert client.post("/token", GOOD).status == 200


def test_failures_are_counted_across_a_restart(start_switchyard):
    """Otherwise whoever can make the process restart can guess on."""
    server = start_switchyard(LOGIN_FAILURES_PER_USER=3)
    statuses = []
    for _ in range(2):
        with Client(server.auth) as client:
            statuses += [client.post("/token", {**GOOD, "password": "x"}).status for _ in range(2)]
        server.stop()
        server.start()
    assert statuses == [401, 401, 401, 429]


def test_failures_of_a_clock_that_was_ahead_keep_nobody_out(start_switchyard):
    server = start_switchyard(LOGIN_FAILURES_PER_USER=3)
    with Client(server.auth) as client:
        statuses = [client.post("/token", {**GOOD, "password": "x"}).status for _ in range(4)]
        assert statuses == [401, 401, 401, 429]
        assert client.post("/token", GOOD).status == 429
        day_ms = 24 * 3600 * 1000
        with closing(sqlite3.connect(server.database, timeout=30)) as connection:
            moved = connection.execute("UPDATE login_failures SET window_ends_at_ms = window_ends_at_ms + ?", [day_ms])
            connection.commit()
            assert moved.rowcount > 0
        assert client.post("/token", GOOD).status == 200


def test_a_hundred_guesses_at_once_are_no_way_around_the_limit(start_switchyard):
    server = start_switchyard(LOGIN_FAILURES_PER_USER=3)
    statuses = at_once(server.auth, 100, lambda client, number: client.post(
        "/token", {**GOOD, "password": f"guess {number}"}).status)
    assert set(statuses) <= {401, 429, 503}
    assert statuses.count(401) <= 3, f"{statuses.count(401)} of 100 guesses were tried"


@pytest.mark.quick
def test_a_flood_of_logins_does_not_hold_up_payments(start_switchyard, merchant_of):
    """Argon2id costs tens of milliseconds of a core each; it has threads of its own, and only so many may wait."""
    server = start_switchyard()
    merchant = merchant_of(server)
    slowest = 0.0

    def guess(client, number):
        for again in range(3):
            reply = client.post("/token", {"username": f"nobody{number}-{again}", "password": "x"})
            assert reply.status in (401, 503)
            assert reply.status == 401 or int(reply.header("Retry-After")) >= 1

    with ThreadPoolExecutor(1) as background:
        flood = background.submit(at_once, server.auth, 60, guess)
        while not flood.done():
            started = time.monotonic()
            merchant.created()
            slowest = max(slowest, time.monotonic() - started)
        flood.result()
    assert slowest < 0.5 * PATIENCE, f"a payment waited for {slowest:.3f} s"


def test_other_routes_are_not_throttled(start_switchyard, merchant_of):
    server = start_switchyard(LOGIN_FAILURES_PER_ADDRESS=1)
    with Client(server.auth) as client:
        client.post("/token", {**GOOD, "password": "x"})
        assert client.post("/token", GOOD).status == 429
        assert client.get("/health").status == 200
    assert merchant_of(server).create().status == 200


# ---- users

def test_disabling_a_user_takes_effect_within_seconds(start_switchyard):
    """Also when the user's password is in the cache of verified passwords: the row is read again each second."""
    server = start_switchyard()

    def enabled():
        return json.loads(tokens.parts(login(server))[1])["enabled"]

    assert enabled()
    for action, expected in (("disable", False), ("enable", True)):
        done = run_to_exit("switchyard", ["user", action, "alice"], server.settings, server.program.folder)
        assert done.returncode == 0, done.stderr
        eventually(lambda: enabled() is expected, f"user {action} to take effect", timeout_s=3)


def test_a_changed_password_takes_effect_within_seconds(start_switchyard):
    """The cache of verified passwords must not know the old one for long after the store has forgotten it."""
    server = start_switchyard()
    with Client(server.auth) as client:
        assert client.post("/token", GOOD).status == 200
        done = run_to_exit("switchyard", ["user", "passwd", "alice"], server.settings, server.program.folder,
                           stdin_text="correct horse battery staple\n")
        assert done.returncode == 0, done.stderr
        eventually(lambda: client.post("/token", GOOD).status == 401, "the old password to be refused", timeout_s=3)
        assert client.post("/token", {**GOOD, "password": "correct horse battery staple"}).status == 200
        assert_problem(client.post("/token", GOOD), 401, "Invalid username or password")


def test_passwords_are_stored_as_argon2id_only(start_switchyard):
    server = start_switchyard()
    login(server)
    server.stop()
    stored = b"".join(path.read_bytes() for path in server.database.parent.glob(server.database.name + "*"))
    assert stored.count(b"$argon2id$v=19$m=19456,t=2,p=1$") >= 3


def test_users_are_imported_into_an_empty_table_only(start_switchyard, tmp_path):
    users = tmp_path / "users.json"
    users.write_text(json.dumps([{"id": 7, "username": "dora", "password": "a password of dora", "enabled": True}]))
    server = start_switchyard(USERS_FILE=users)
    assert json.loads(tokens.parts(login(server, "dora", "a password of dora"))[1])["user_id"] == 7
    server.stop()
    users.write_text(json.dumps([{"id": 7, "username": "dora", "password": "another password", "enabled": True},
                                 {"id": 8, "username": "emil", "password": "a password of emil", "enabled": True}]))
    server = start_switchyard(USERS_FILE=users)
    login(server, "dora", "a password of dora")
    with Client(server.auth) as client:
        assert client.post("/token", {"username": "emil", "password": "a password of emil"}).status == 401


# ---- health

@pytest.mark.quick
@pytest.mark.parametrize("accept, media_type", [
    (None, "application/json"), ("*/*", "application/json"), ("application/json", "application/json"),
    ("application/health+json", "application/health+json"),
    ("application/health+json, application/json;q=0.5", "application/health+json"),
])
def test_health(switchyard, accept, media_type):
    for endpoint in (switchyard.auth, switchyard.core):
        reply = once(endpoint, "GET", "/health", headers={"Accept": accept} if accept else {})
        assert reply.status == 200 and reply.media_type == media_type
        assert reply.json()["status"] == "pass" and isinstance(reply.json()["checks"],
            dict) and reply.json()["checks"]


# ---- what every route shares

@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_wrong_method_is_405_with_allow(auth, method):
    reply = auth.request(method, "/token")
    assert_problem(reply, 405)
    assert "POST" in [name.strip() for name in reply.header("Allow").split(",")]
    assert method not in [name.strip() for name in reply.header("Allow").split(",")]


@pytest.mark.parametrize("path", ["/", "/tokens", "/token/x", "/Token", "/metrics", "/transaction", "/users"])
def test_unknown_path_is_404(auth, path):
    assert_problem(auth.get(path), 404)


@pytest.mark.parametrize("body", [b"", b"{", b"username=alice&password=password", b"nonsense",
                                  b'{"username":"alice",}',
                                  b'{"username":"alice","password":"password"} x',
                                  b'{"username":"\xff","password":"x"}'])
def test_not_json_is_400(auth, body):
    assert_problem(auth.post("/token", body=body), 400)


@pytest.mark.parametrize("body", [b"[]", b'"alice"', b"1", b"null", b"true"])
def test_json_that_is_no_object_is_a_client_error(auth, body):
    reply = auth.post("/token", body=body)
    assert reply.status in (400, 422)
    assert_problem(reply, reply.status)


@pytest.mark.parametrize("media_type", ["application/x-www-form-urlencoded", "text/plain", "application/jsonp",
                                        "multipart/form-data; boundary=x"])
def test_wrong_content_type_is_415(auth, media_type):
    assert_problem(auth.post("/token", GOOD, headers={"Content-Type": media_type}), 415)


def test_too_large_is_413(auth):
    assert_problem(auth.post("/token", {**GOOD, "padding": "x" * 65536}), 413)
