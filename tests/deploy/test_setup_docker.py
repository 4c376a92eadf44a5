"""What `./setup.sh docker` says where it does nothing, and what it makes of an engine that a test stands in for; what it does
with a real one is in containers/."""

import os
import pathlib
import subprocess

import console
import containers as setup_docker  # scripts/containers.py
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


# ---- An engine that says what a test has it say

class Engine(setup_docker.Engine):
    """`known`: each container's id and state, as `docker inspect` tells it. `asked`: what Docker was asked for."""

    def __init__(self, **known):
        super().__init__(["true"], ["true"])
        self.__dict__.update(known={name: {"Name": f"/{name}", "State": state} for name, state in known.items()}, asked=[])

    def ask(self, *words):
        self.asked.append(words)
        return ""

    def logs(self, *words):
        return "its last words\n"

    def containers(self, *services):
        return [name for name in self.known if not services or name.startswith(services)]

    def inspect(self, containers):
        return [self.known[name] for name in containers]


def health(status, *outputs):
    return {"Status": "running", "Health": {"Status": status, "Log": [{"Output": output} for output in outputs]}}


def test_a_container_without_a_health_check_is_well_while_it_runs():
    assert setup_docker.unhealthy_containers(Engine(a=health("healthy"), b={"Status": "running"})) == []
    assert setup_docker.unhealthy_containers(Engine(a=health("starting"), b={"Status": "exited", "Health": None})) == [
        "a starting", "b exited"]
    assert setup_docker.unhealthy_containers(Engine()), "nothing runs"


def test_compose_is_told_to_keep_as_many_as_there_are():
    engine = Engine(**{"core-api_1": {}, "core-api_2": {}, "core-api_3": {}, "auth-api_1": {}, "postgres_1": {}})
    assert setup_docker.keep_scale(engine) == ["--scale", "core-api=3"]


def test_the_password_of_another_env_file_is_what_is_wrong():
    refused = Engine(postgres=health("unhealthy", "psql: FATAL:  password authentication failed for user"))
    with pytest.raises(console.Failed, match="another POSTGRES_PASSWORD"):
        setup_docker.fail_to_start(refused, "not healthy")
    for other in (Engine(postgres=health("starting")), Engine(postgres={"Status": "exited"}), Engine()):
        with pytest.raises(console.Failed, match=r"^not healthy$"):
            setup_docker.fail_to_start(other, "not healthy")


@pytest.mark.parametrize("becomes, done", [("healthy", [("stop", "core-api_1"), ("rm", "core-api_1")]),
                                           ("unhealthy", [("rm", "--force", "core-api_2")])])
def test_an_old_container_leaves_only_for_one_that_is_healthy(monkeypatch, becomes, done):
    engine = Engine(**{"core-api_1": health("healthy")})

    def up(*_, **__):
        engine.known["core-api_2"] = {"Name": "/core-api_2", "State": health(becomes)}
        return True

    monkeypatch.setattr(setup_docker, "run_logged", up)
    monkeypatch.setattr(setup_docker, "ROUTER_LEARNS_S", 0)
    monkeypatch.setattr(setup_docker, "wait_until", lambda condition, *_: condition())
    if becomes == "healthy":
        setup_docker.replace_one(engine, "core-api_1", "core-api", 1)
    else:
        with pytest.raises(console.Failed, match="the new core-api is not healthy"):
            setup_docker.replace_one(engine, "core-api_1", "core-api", 1)
    assert engine.asked == done


def test_the_lines_about_one_payment():
    log = """\
12:00 default: __main__.make_transaction(amount=1) (other)
==> Making transaction with PSP: User ID: 2
12:00 Result is kept for 500 seconds
12:00 default: __main__.make_transaction(amount=100) (mine)
==> Making transaction with PSP: User ID: 1
12:00 default: Job OK (other)
12:00 default: Job OK (mine)
12:00 Result is kept for 500 seconds
12:00 Result is kept for 500 seconds
"""
    lines = log.splitlines()
    assert list(setup_docker.lines_about("mine", log)) == [lines[3], lines[4], lines[6], lines[7]]


@pytest.mark.parametrize("port", ["70000", "much", "080", "0"])
def test_a_port_of_the_router_that_is_none(monkeypatch, port):
    monkeypatch.setenv("ROUTER_HTTP_PORT", port)
    with pytest.raises(console.Failed, match=f'ROUTER_HTTP_PORT is "{port}", which is no port'):
        setup_docker.check_router_port(Engine())


@pytest.mark.parametrize("command", ["upgrade", "status", "logs", "down"])
def test_without_an_engine_nothing_of_ours_runs(monkeypatch, capsys, command):
    monkeypatch.setattr(setup_docker, "succeeds", lambda *_: False)
    with pytest.raises(SystemExit) as ended:
        setup_docker.main([command])
    assert ended.value.code == 1 and "no Docker engine answers" in capsys.readouterr().err


@pytest.mark.parametrize("programs, answers, lacks", [
    ((), False, True), (("docker",), False, True), (("docker",), True, False), (("docker", "dockerd"), False, False)])
def test_a_client_without_an_engine_is_not_enough(monkeypatch, programs, answers, lacks):
    monkeypatch.setattr(setup_docker.shutil, "which", lambda name, path=None: name if name in programs else None)
    monkeypatch.setattr(setup_docker, "find_engine", lambda: ["docker"] if answers else None)
    assert setup_docker.lacks_engine() == lacks
