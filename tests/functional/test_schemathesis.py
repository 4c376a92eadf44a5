"""The OpenAPI documents against the real server, by a property-based tester: what they allow is taken, what they do not
allow is refused, and each reply is as they say."""

import os
import subprocess
from pathlib import Path

import pytest

from support import exposition, pypi
from support.http_client import once
from support.processes import inherited_environment
from support.programs import SECRET

TESTS = Path(__file__).resolve().parents[1]
FOLDER = Path(os.environ.get("SCHEMATHESIS_VENV", TESTS.parent / "build" / "schemathesis-venv")).resolve()
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "40")


@pytest.fixture(scope="module")
def schemathesis():
    try:
        return pypi.environment_with(FOLDER, ["schemathesis>=4.32,<5"]) / "bin" / "schemathesis"
    except pypi.NotHere as reason:
        pytest.skip(f"schemathesis cannot be had: {reason}")


def holds(schemathesis, endpoint, folder, seed, *arguments):
    """Runs it; its whole report is the message of a failure."""
    command = [schemathesis, "run", endpoint.url("/openapi.json"), "--url", endpoint.url(""), "--seed",
               str(int(seed, 16) % 2**31), "--max-examples", EXAMPLES, "--phases", "examples,coverage,fuzzing",
               "--generation-database", "none", "--no-color", "--warnings", "off", *arguments]
    environment = {**inherited_environment(), "PYTHONPATH": str(TESTS), "TOKEN_SECRET": SECRET,
                   "SCHEMATHESIS_HOOKS": "support.schemathesis_hooks"}
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]


def test_core_api_is_as_its_document_says(start_switchyard, schemathesis, tmp_path, seed):
    server = start_switchyard()
    holds(schemathesis, server.core, tmp_path, seed)
    families = exposition.parse(once(server.metrics, "GET", "/metrics").body.decode())
    accepted = exposition.total(families, "switchyard_transactions_accepted_total")
    assert accepted >= 20, "it hardly made a payment: is its token refused?"


def test_auth_api_is_as_its_document_says(start_switchyard, schemathesis, tmp_path, seed):
    """Names and passwords have bounds in bytes, which no schema can say: a 422 for a long one is right."""
    server = start_switchyard(LOGIN_FAILURES_PER_ADDRESS=1_000_000, LOGIN_FAILURES_PER_USER=1_000_000)
    holds(schemathesis, server.auth, tmp_path, seed, "--exclude-checks", "positive_data_acceptance")


def test_psp_events_is_as_its_document_says(start_psp_events, schemathesis, tmp_path, seed):
    """No schema can say a signature: what it sends is refused."""
    routing = tmp_path / "routing.toml"
    routing.write_text('[psp.shop]\nadapter = "stripe"\nsecret_key_env = "K"\nwebhook_secret_env = "W"\n[[rule]]\npsp = "shop"\n')
    server = start_psp_events(ROUTING_FILE=routing, W="whsec_1")
    holds(schemathesis, server.endpoint, tmp_path, seed, "--exclude-checks", "positive_data_acceptance,negative_data_rejection")
