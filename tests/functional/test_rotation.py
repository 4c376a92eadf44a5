"""docs/operations.md, "Rotating the secret of tokens": no token is lost while old and new processes serve side by side."""

import itertools
import re

import pytest

from support.http_client import Client, Endpoint
from support.ports import free_port
from support.programs import REPOSITORY, Program, development_settings, healthy
from support.waiting import eventually

SECRETS = {"old": "the-secret-of-yesterday-0123456789-0123456789", "new": "the-secret-of-tomorrow-0123456789-0123456789",
           "empty": ""}


def documented_steps():
    """The table of the document, after what is there before: (JWT_SECRET, JWT_SECRET_PREVIOUS)."""
    text = (REPOSITORY / "docs/operations.md").read_text()
    rows = re.findall(r"^\| (\d) \| (old|new) \| (old|new|empty) \|", text, re.M)
    assert [number for number, *_ in rows] == ["1", "2", "3"]
    return [("old", "empty"), *((secret, previous) for _, secret, previous in rows)]


STEPS = documented_steps()


@pytest.fixture
def at_step(tmp_path):
    """A process of this program with the secrets of this step, over the store of all."""
    programs = {}

    def start(name, step):
        if (name, step) in programs:
            return programs[name, step][1]
        port = free_port()
        settings = development_settings(tmp_path, HTTP_PORT=port, METRICS_PORT=free_port(),
                                        JWT_SECRET=SECRETS[step[0]], JWT_SECRET_PREVIOUS=SECRETS[step[1]])
        program = Program(name, [], settings, tmp_path, label="-".join((name, *step)))
        endpoint = Endpoint("127.0.0.1", port, "")
        program.start()
        programs[name, step] = program, endpoint
        eventually(lambda: healthy(endpoint, program), f"{program.name} to be healthy")
        return endpoint

    yield start
    for program, _ in programs.values():
        assert program.stop() == 0


def status_of_a_payment(auth_api, core_api):
    with Client(auth_api) as client:
        token = client.post("/token", {"username": "alice", "password": "password"}).json()["token"]
    with Client(core_api) as client:
        return client.post("/transaction", {"amount": 100, "currency": "USD", "token": token}).status


@pytest.mark.parametrize("before, after", itertools.pairwise(STEPS), ids=["step 1", "step 2", "step 3"])
def test_in_each_step_each_core_api_takes_the_tokens_of_each_auth_api(at_step, before, after):
    for issuer, verifier in itertools.product((before, after), repeat=2):
        assert status_of_a_payment(at_step("auth-api", issuer), at_step("core-api", verifier)) == 200, \
            f"a token of JWT_SECRET={issuer[0]} where JWT_SECRET is {verifier[0]} and the previous one {verifier[1]}"


def test_without_the_first_step_tokens_are_lost(at_step):
    """Why there are three."""
    assert status_of_a_payment(at_step("auth-api", STEPS[2]), at_step("core-api", STEPS[0])) == 401
