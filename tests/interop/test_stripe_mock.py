"""Stripe's own stripe-mock, which knows each path and parameter of its API, takes every request that our adapter makes."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from support.http_client import Endpoint, once
from support.ports import free_port
from support.processes import Process, inherited_environment
from support.programs import BINARIES
from support.waiting import eventually

VERSION = "v0.203.0"
FOLDER = Path(os.environ.get("STRIPE_MOCK", Path(__file__).resolve().parents[2] / "build" / "stripe-mock")).resolve()
UNIT_TESTS = BINARIES.parent / "unit" / "psp_simulator_test"


@pytest.fixture(scope="module")
def stripe_mock():
    """Its binary, built once with Go from the module proxy."""
    binary, complete = FOLDER / "stripe-mock", FOLDER / VERSION
    if not complete.exists():
        go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
        if go is None:
            pytest.skip("stripe-mock needs Go")
        FOLDER.mkdir(parents=True, exist_ok=True)
        environment = {**inherited_environment(), "GOBIN": str(FOLDER), "GOFLAGS": "-mod=mod"}
        done = subprocess.run([go, "install", f"github.com/stripe/stripe-mock@{VERSION}"], cwd=FOLDER, env=environment,
                              capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            pytest.skip(f"stripe-mock cannot be had: {(done.stderr.strip().splitlines() or ['go install failed'])[-1]}")
        complete.write_text("")
    return binary


def test_stripe_mock_takes_every_request_of_the_adapter(stripe_mock, tmp_path):
    if not UNIT_TESTS.exists():
        pytest.skip(f"{UNIT_TESTS} is not built")
    port = free_port()
    mock = Process("stripe-mock", [str(stripe_mock), "-strict-version-check", "-http-addr", f"127.0.0.1:{port}", "-https-addr",
                                   f"127.0.0.1:{free_port()}"], tmp_path, {})
    mock.start()
    try:
        eventually(lambda: listens(port), "stripe-mock to listen")
        done = subprocess.run([UNIT_TESTS, "--gtest_filter=StripeMock.*"], capture_output=True, text=True, timeout=120,
                              env={**inherited_environment(), "STRIPE_MOCK_URL": f"http://127.0.0.1:{port}"})
        assert done.returncode == 0 and "SKIPPED" not in done.stdout, done.stdout[-10_000:] + done.stderr[-2_000:]
    finally:
        mock.kill()


def listens(port):
    try:
        return once(Endpoint("127.0.0.1", port, ""), "GET", "/").status > 0
    except OSError:
        return False
