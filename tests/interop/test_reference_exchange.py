"""The reference exchange, with the real HTTPie as the client: two commands and the connector's log lines, byte for byte
where the contract fixes bytes. Once through `switchyard serve`, once through the three programs side by side."""

import json
import os
import re
import shutil
import subprocess
import time
import uuid
from urllib.parse import urljoin

import pytest

from support import tokens
from support.http_client import Client
from support.merchants import login
from support.problems import assert_problem
from support.programs import SECRET
from support.waiting import eventually

HTTPIE = shutil.which("http")

pytestmark = [
    pytest.mark.quick,
    pytest.mark.skipif(HTTPIE is None, reason="HTTPie (Debian: httpie) is not installed"),
]

CLOCK = r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d"
START_LINES = [
    rf"^{CLOCK} Worker rq:worker:(?P<worker>[0-9a-f]{{32}}): started, version \S+$",
    rf"^{CLOCK} Subscribing to channel rq:pubsub:(?P<channel>[0-9a-f]{{32}})$",
    rf"^{CLOCK} \*\*\* Listening on default\.\.\.$",
    rf"^{CLOCK} Cleaning registries for queue: default$",
]


def job_lines(job_id, amount, currency, user_id):
    return [
        rf"^{CLOCK} default: __main__\.make_transaction"
        rf"\(amount={amount}, currency='{currency}', user_id={user_id}\) \({job_id}\)$",
        rf"^==> Making transaction with PSP: User ID: {user_id}, Amount: {amount}, Currency: {currency}$",
        rf"^{CLOCK} default: Job OK \({job_id}\)$",
        rf"^{CLOCK} Result is kept for 500 seconds$",
    ]


def matches_in_order(patterns, lines):
    """The match of each pattern, each on a later line than the one before; other lines may stand between them."""
    remaining, matches = iter(lines), []
    for pattern in patterns:
        match = next((found for line in remaining if (found := re.match(pattern, line))), None)
        assert match, f"no line after the previous match is {pattern}"
        matches.append(match)
    return matches


class HttpieReply:
    def __init__(self, output):
        _, _, reply = output.partition("\r\n\r\n")
        reply = reply[reply.index("HTTP/1.1 "):]
        head, _, self.body = reply.partition("\r\n\r\n")
        status_line, *lines = head.split("\r\n")
        self.status = int(status_line.split()[1])
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def httpie_post(url, folder, *items):
    """What a user types. `-v` prints the request and the reply; the exit code is 0 only because the reply is a 2xx."""
    environment = {"PATH": os.environ["PATH"], "HTTPIE_CONFIG_DIR": str(folder / "httpie"), "LANG": "C.UTF-8"}
    done = subprocess.run([HTTPIE, "--ignore-stdin", "--check-status", "-v", "POST", url, *items],
                          env=environment, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    return HttpieReply(done.stdout.decode())


@pytest.fixture(params=["serve", "three programs"])
def platform(request):
    """Both ways to run Switchyard; neither may differ from the other."""
    if request.param == "serve":
        return request.getfixturevalue("start_switchyard")()
    return request.getfixturevalue("three_services")


def test_token_and_transaction_with_httpie(platform, tmp_path):
    before = int(time.time())
    reply = httpie_post(platform.auth.url("/token"), tmp_path, "username=alice", "password=password")
    after = int(time.time())

    assert reply.status == 200
    assert reply.headers["content-type"].split(";")[0] == "application/json"
    assert list(json.loads(reply.body)) == ["token"]
    token = json.loads(reply.body)["token"]
    header, payload, _ = tokens.parts(token)
    assert header == b'{"alg":"HS256","typ":"JWT"}'
    claims = json.loads(payload)
    assert list(claims) == ["user_id", "username", "enabled", "exp"]
    assert payload == f'{{"user_id":1,"username":"alice","enabled":true,"exp":{claims["exp"]}}}'.encode()
    assert before + 30 <= claims["exp"] <= after + 30
    assert token == tokens.sign(header, payload, SECRET)

    reply = httpie_post(platform.core.url("/transaction"), tmp_path, "amount=100", "currency=USD", f"token={token}")

    assert reply.status == 200
    assert reply.headers["content-type"].split(";")[0] == "application/json"
    transaction = json.loads(reply.body)
    assert list(transaction)[:5] == ["amount", "currency", "user_id", "id", "status"]
    assert (transaction["amount"], transaction["currency"], transaction["user_id"]) == (100, "USD", 1)
    assert type(transaction["amount"]) is int and type(transaction["user_id"]) is int
    job_id = transaction["id"]
    assert uuid.UUID(job_id).version == 7 and str(uuid.UUID(job_id)) == job_id
    assert transaction["status"] == "queued"
    location = urljoin(platform.core.url("/transaction"), reply.headers["location"])
    assert location == platform.core.url(f"/transaction/{job_id}")

    matches = eventually(lambda: matches_in_order(START_LINES + job_lines(job_id, 100, "USD", 1),
                                                  platform.connector_log().splitlines()),
                         "the connector's log lines")
    assert matches[0]["worker"] == matches[1]["channel"]


def test_every_job_is_logged_with_its_own_values(platform, tmp_path):
    token = json.loads(httpie_post(platform.auth.url("/token"), tmp_path, "username=becky",
                                   "password=password").body)["token"]
    assert tokens.parts(token)[1].startswith(b'{"user_id":2,"username":"becky","enabled":true,"exp":')
    created = [json.loads(httpie_post(platform.core.url("/transaction"), tmp_path, f"amount={amount}",
                                      f"currency={currency}",
                                      f"token={token}").body) for amount, currency in ((1, "EUR"), (999, "JPY"))]
    for transaction in created:
        expected = job_lines(transaction["id"], transaction["amount"], transaction["currency"], 2)
        eventually(lambda: matches_in_order(expected, platform.connector_log().splitlines()),
                   "the connector's log lines")


def test_the_three_programs_log_only_the_reference_lines_in_the_connector(three_services, tmp_path):
    """The connector's text log is what scripts of the original system grep: nothing else stands between these lines."""
    token = json.loads(httpie_post(three_services.auth.url("/token"), tmp_path, "username=alice",
                                   "password=password").body)["token"]
    reply = httpie_post(three_services.core.url("/transaction"), tmp_path, "amount=100", "currency=USD",
                        f"token={token}")
    job_id = json.loads(reply.body)["id"]
    eventually(lambda: "Result is kept" in three_services.connector_log(), "the job's last line")
    lines = three_services.connector_log().splitlines()
    first = next(number for number, line in enumerate(lines) if re.match(START_LINES[0], line))
    expected = START_LINES + job_lines(job_id, 100, "USD", 1)
    for pattern, line in zip(expected, lines[first:], strict=False):
        assert re.match(pattern, line), f"{line!r} is not {pattern}"


def test_charlie_gets_a_token_and_core_api_refuses_it(platform):
    token = login(platform, "charlie")
    assert json.loads(tokens.parts(token)[1])["enabled"] is False
    with Client(platform.core) as client:
        assert_problem(client.post("/transaction", {"amount": "100", "currency": "USD", "token": token}),
                       403, "User not enabled for transactions")


def test_json_log_states_the_same_facts(start_switchyard, merchant_of):
    server = start_switchyard(LOG_FORMAT="json")
    merchant = merchant_of(server)
    transaction = merchant.created(4321, "EUR")
    merchant.wait_final(transaction["id"])
    lines = eventually(lambda: [json.loads(line) for line in server.program.log_lines() if transaction["id"] in line],
                       "the job in the log")
    facts = {value for line in lines for value in (*line.values(),
                                                   *(v for x in line.values() if isinstance(x,
                                                       dict) for v in x.values()))
             if isinstance(value, (str, int))}
    assert {4321, "EUR", merchant.user_id, transaction["id"]} <= facts
    for line in server.program.log_lines():
        assert isinstance(json.loads(line), dict), "every line of a JSON log is an object"
