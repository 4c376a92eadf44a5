"""`./setup.sh` in a folder of its own, with a program that is built already: all steps but those that would change this
machine or take minutes, and the commands for what runs."""

import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import textwrap

import pytest

from support.ports import free_port
from support.programs import REPOSITORY, binary
from support.waiting import PATIENCE, eventually

# Runs what follows as setup.sh runs its own, with scripts/setup.py and scripts/project.py imported.
AS_SETUP = """\
import sys
sys.path.insert(0, "scripts")
import console, project, setup
def main(_):
{}
console.main_of("setup.sh", setup.RUN / "log", main)
"""


class Project:
    """A copy of what setup.sh needs. What it started is stopped by process id."""

    def __init__(self, folder):
        self.folder = folder / "a folder"  # blanks must not matter
        for name in ("setup.sh", ".env.example", "scripts", "services/auth-api/users.json"):
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy2
            copy(REPOSITORY / name, self.folder / name)
        programs = self.folder / "build/release/bin"
        programs.mkdir(parents=True)
        try:
            os.link(binary("switchyard"), programs / "switchyard")  # a debug build is large
        except OSError:
            shutil.copy2(binary("switchyard"), programs)
        self.port = free_port()
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/root"),
            "HTTP_PORT": str(self.port), "METRICS_PORT": str(free_port()),
            **{name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")},
        }

    def python(self, script, **environment):
        return subprocess.run(["/usr/bin/python3", "-B", "-c", AS_SETUP.format(textwrap.indent(script, "    "))], cwd=self.folder,
                              env={**self.environment, **environment}, capture_output=True, text=True,
                              timeout=120 * PATIENCE, check=False)

    def set_up(self, **environment):
        """All steps but packages, build, and the name in /etc/hosts."""
        return self.python("setup.install_packages = setup.build = setup.name_the_host = lambda *_: None\nsetup.set_up()",
                           **environment)

    def command(self, *words):
        return subprocess.run(["./setup.sh", *words], cwd=self.folder, env=self.environment, capture_output=True, text=True,
                              timeout=60 * PATIENCE, check=False)

    def process(self):
        try:
            return int((self.folder / "run/switchyard.pid").read_text())
        except FileNotFoundError:
            return None

    def end(self):
        if (process := self.process()) and os.path.exists(f"/proc/{process}"):
            os.kill(process, signal.SIGTERM)
            eventually(lambda: not os.path.exists(f"/proc/{process}"), "the server to end")


@pytest.fixture
def project(tmp_path):
    project = Project(tmp_path)
    yield project
    project.end()


def succeeded(done):
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


# ---- The server

def test_a_server_with_one_payment_and_what_becomes_of_it(project):
    output = succeeded(project.set_up())
    assert "the transaction is captured" in output and "==> Making transaction with PSP" in output
    assert f"POST http://127.0.0.1:{project.port}/transaction/transaction" in output
    env_file = project.folder / ".env"
    assert env_file.stat().st_mode & 0o777 == 0o600
    assert re.search(r"^JWT_SECRET=[0-9a-f]{64}$", env_file.read_text(), re.MULTILINE)
    assert (project.folder / "data/switchyard.db").stat().st_mode & 0o077 == 0
    first = project.process()
    assert f"process {first}" in succeeded(project.command("status"))

    assert "is left alone" in succeeded(project.set_up())
    assert project.process() == first

    refused = project.set_up(MAX_AMOUNT="much")
    assert refused.returncode == 1 and "MAX_AMOUNT" in refused.stderr and "goes on as it was" in refused.stderr
    assert project.process() == first and project.command("status").returncode == 0

    assert f"restarting process {first}" in succeeded(project.set_up(MAX_AMOUNT="5000"))
    assert project.process() != first

    assert "has stopped" in succeeded(project.command("stop"))
    assert project.command("status").returncode == 3
    assert "not running" in succeeded(project.command("stop"))
    assert "Listening" in succeeded(project.command("logs", "-n", "500"))


def test_a_port_that_another_program_has(project):
    with socket.create_server(("127.0.0.1", project.port)):
        done = project.set_up()
    assert done.returncode == 1
    assert f"HTTP_PORT {project.port} is in use by process {os.getpid()} (" in done.stderr
    assert re.search(r"take another port: HTTP_PORT=\d+", done.stderr)
    assert project.process() is None


def test_before_there_is_a_program_too(project):
    """It would be told after minutes only."""
    (project.folder / "build/release/bin/switchyard").unlink()
    with socket.create_server(("127.0.0.1", project.port)):
        done = project.set_up()
    assert done.returncode == 1 and f"HTTP_PORT {project.port} is in use" in done.stderr


def test_a_server_that_ends_at_its_start_is_shown_with_its_log(project):
    (project.folder / "data").mkdir()
    (project.folder / "data/switchyard.db").write_text("no store, but longer than the header of one; " * 10)
    done = project.set_up()
    assert done.returncode == 1 and "the server ended while it was starting, with status 1" in done.stderr
    assert "data/switchyard.db" in done.stderr.partition("its end:")[2]


def test_a_store_without_the_demo_user_needs_no_payment(project):
    succeeded(project.set_up())
    switchyard = [project.folder / "build/release/bin/switchyard", "--env-file", ".env", "user", "disable", "alice"]
    subprocess.run(switchyard, cwd=project.folder, env=project.environment, check=True, capture_output=True, timeout=60)
    # Another process: this one may remember for a moment that she was enabled.
    assert "nothing was paid" in succeeded(project.set_up(MAX_AMOUNT="5000"))


def test_only_one_at_a_time(project):
    (project.folder / "run").mkdir()
    with (project.folder / "run/setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = project.set_up()
    assert done.returncode == 1 and "another ./setup.sh is at work" in done.stderr
    assert not (project.folder / ".env").exists()


def test_a_server_does_not_hold_the_lock(project):
    succeeded(project.set_up())
    with (project.folder / "run/setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_another_process_with_the_number_of_a_server_that_ended_is_left_alone(project):
    (project.folder / "run").mkdir()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        (project.folder / "run/switchyard.pid").write_text(f"{stranger.pid}\n")
        status, stop = project.command("status"), project.command("stop")
        assert stranger.poll() is None
        stranger.kill()
    assert status.returncode == 3 and "not running" in succeeded(stop)
    assert project.process() is None


def test_a_mistake_of_ours_is_said_to_be_one(project):
    done = project.python("console.step('Anything'); raise KeyError('what')")
    assert done.returncode == 1
    assert "failed in step 1 (Anything): KeyError" in done.stderr and "this is a mistake in setup.sh: please report it" in done.stderr


# ---- The host's name

@pytest.mark.parametrize("hosts, after, said", [
    ("127.0.0.1 localhost\n", "127.0.0.1 localhost\n127.0.0.1 platform\n", 'added "127.0.0.1 platform"'),
    ("127.0.0.1 localhost", "127.0.0.1 localhost\n127.0.0.1 platform\n", 'added "127.0.0.1 platform"'),
    ("# 10.0.0.1 platform\n127.0.1.1 a platform # here\n", None, "has platform as 127.0.1.1"),
    ("10.0.0.1 platform\n", None, "which is left alone"),
    (None, None, "may not be changed here"),
])
def test_the_name_platform(project, tmp_path, hosts, after, said):
    """In a file of ours, which this user may change: not as root."""
    file = tmp_path / ("hosts" if hosts is not None else "no such folder/hosts")
    if hosts is not None:
        file.write_text(hosts)
    done = project.python(f"project.HOSTS = project.Path({str(file)!r}); project.as_root = lambda command, ask: command\n"
                          "project.name_the_host()")
    assert said in succeeded(done)
    assert hosts is None or file.read_text() == (after or hosts)


# ---- .env

@pytest.mark.parametrize("line, value", [
    ("HTTP_PORT=9000", "9000"), ('HTTP_PORT="9000"', "9000"), ("  HTTP_PORT =  '90 00'  ", "90 00"), ("HTTP_PORT=", "8080"), ('HTTP_PORT=""', "8080"),
    ("HTTP_PORTS=9000", "8080"), ("# HTTP_PORT=9000", "8080"), ("HTTP_PORT=a\"b'c", "a\"b'c"), ("HTTP_PORT=$(id)", "$(id)"),
    ("HTTP_PORT=1\nHTTP_PORT=2", "2"),
])
def test_a_value_is_that_of_the_env_file_or_else_the_default(project, line, value):
    (project.folder / ".env").write_text(f"X=1\n{line}\nY=2\n")
    assert succeeded(project.python("print(project.configured('HTTP_PORT'))", HTTP_PORT="")) == value + "\n"
    assert succeeded(project.python("print(project.configured('HTTP_PORT'))", HTTP_PORT="7000")) == "7000\n"


@pytest.mark.parametrize("before, after", [
    ("A=1\nKEY=old\nB=2\n", "A=1\nKEY=new & $value\nB=2\n"), ("A=1\n# KEY=\nB=2", "A=1\nKEY=new & $value\nB=2\n"),
    ("A=1\n", "A=1\nKEY=new & $value\n"), ("KEY=1\nKEY=2\n", "KEY=1\nKEY=new & $value\n"),
    ("# KEY=\nKEY=1\n", "# KEY=\nKEY=new & $value\n"), ("KEY=1\n# KEY=\n", "KEY=new & $value\n# KEY=\n"),
])
def test_a_line_is_put_into_the_env_file(project, before, after):
    (project.folder / ".env").write_text(before)
    succeeded(project.python("project.lock_folder(); project.set_in_env_file('KEY', 'new & $value')"))
    assert (project.folder / ".env").read_text() == after
    assert (project.folder / ".env").stat().st_mode & 0o777 == 0o600


# ---- Commands that do nothing here

@pytest.mark.parametrize("arguments, code, said", [
    (["help"], 0, "usage: ./setup.sh"), (["nonsense"], 2, "this is not understood: nonsense"),
    (["status", "now"], 2, "this is not understood: status now"), (["status"], 3, "is not running"),
    (["stop"], 0, "is not running"), (["logs"], 1, "There is no log yet"),
])
def test_commands_without_a_server(project, arguments, code, said):
    done = project.command(*arguments)
    assert done.returncode == code and said in done.stdout + done.stderr
