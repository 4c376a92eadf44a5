"""What `./setup.sh docker` says where it does nothing; what it does is in containers/."""

import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def run_setup(*arguments, **environment):
    return subprocess.run(["./setup.sh", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, **environment})


def test_a_mac_is_told_the_steps(tmp_path):
    (tmp_path / "uname").write_text("#!/bin/sh\necho Darwin\n")
    (tmp_path / "uname").chmod(0o755)
    done = run_setup("docker", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert done.returncode == 1
    assert "this is a Mac" in done.stderr
    for step in ("Docker Desktop", "cp .env.example .env", "JWT_SECRET=", "POSTGRES_PASSWORD=", "compose up --build"):
        assert step in done.stderr


@pytest.mark.parametrize("arguments", [("nonsense",), ("down", "--everything"), ("--online",), ("status", "now")])
def test_what_is_not_understood_is_said(arguments):
    done = run_setup("docker", *arguments)
    assert done.returncode == 2
    assert f"this is not understood: docker {' '.join(arguments)}" in done.stderr
    assert "usage: ./setup.sh docker" in done.stderr


def test_help():
    done = run_setup("docker", "help")
    assert done.returncode == 0
    assert done.stdout.startswith("usage: ./setup.sh docker")
