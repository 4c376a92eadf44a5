"""The systemd units: what systemd itself says about them, and that the programs live within their limits.

No unit is started here, so no machine needs to run systemd; see test_debian_package.py for that."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from support import programs
from support.http_client import Client
from support.processes import Process, inherited_environment
from support.programs import REPOSITORY, Switchyard, development_settings, healthy, run_to_exit
from support.waiting import PATIENCE, eventually

FOLDER = REPOSITORY / "deploy" / "systemd"
UNITS = sorted(path.name for path in FOLDER.glob("*.service"))
# systemd-analyze counts from 0 (safe) to 10; the option of its threshold is in tenths.
EXPOSURE_MAX = 3.0
_OFFLINE_SINCE = 250


def _why_not_here():
    if shutil.which("systemd-analyze") is None:
        return "there is no systemd-analyze"
    text = subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True).stdout
    version = re.search(r"^systemd (\d+)", text)
    if version is None or int(version.group(1)) < _OFFLINE_SINCE:
        return f"systemd-analyze is older than {_OFFLINE_SINCE}: {text.splitlines()[:1]}"
    return None


@pytest.fixture(scope="module", autouse=True)
def systemd_is_here():
    reason = _why_not_here()
    if reason is not None:
        pytest.skip(reason)


def _analyze(*words):
    return subprocess.run(["systemd-analyze", *map(str, words)], capture_output=True, text=True,
                          env={**inherited_environment(), "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""},
                          timeout=60 * PATIENCE)


def _settings(unit):
    """[(name, value)] of a unit's file, in its order."""
    lines = (FOLDER / unit).read_text().splitlines()
    return [tuple(line.split("=", 1)) for line in lines if "=" in line and not line.startswith("#")]


def _values(unit, name):
    return [value for key, value in _settings(unit) if key == name]


def _with_our_binaries(unit, folder):
    """The unit as it is, but for the folder of its program, which is not installed here."""
    text = (FOLDER / unit).read_text()
    ours, count = re.subn(r"^ExecStart=\S+/", f"ExecStart={programs.BINARIES}/", text, flags=re.MULTILINE)
    assert count == 1
    path = folder / unit
    path.write_text(ours)
    return path


def test_there_is_a_unit_for_each_program_of_production():
    commands = {unit: _values(unit, "ExecStart") for unit in UNITS}
    assert commands == {
        "switchyard.service": ["/usr/bin/switchyard serve"],
        "switchyard-auth-api.service": ["/usr/libexec/switchyard/auth-api"],
        "switchyard-core-api.service": ["/usr/libexec/switchyard/core-api"],
        "switchyard-psp-connector.service": ["/usr/libexec/switchyard/psp-connector"],
        "switchyard-psp-events.service": ["/usr/libexec/switchyard/psp-events"],
    }


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_has_nothing_to_say_against_the_unit(unit, tmp_path):
    done = _analyze("verify", "--man=no", "--recursive-errors=no", _with_our_binaries(unit, tmp_path))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("mistake", ["ProtectSystm=strict", "SystemCallFilter=@no-such-group", "ExecStart=/no/such/program"])
def test_systemd_would_say_so(mistake, tmp_path):
    path = _with_our_binaries("switchyard.service", tmp_path)
    path.write_text(path.read_text().replace("[Install]", f"{mistake}\n[Install]"))
    done = _analyze("verify", "--man=no", "--recursive-errors=no", path)
    assert done.returncode != 0 or done.stdout + done.stderr != "", mistake


@pytest.mark.parametrize("unit", UNITS)
def test_exposure_is_low(unit):
    done = _analyze("security", "--offline=true", f"--threshold={EXPOSURE_MAX * 10:.0f}", "--no-pager", FOLDER / unit)
    exposure = re.search(rf"exposure level for {re.escape(unit)}: ([\d.]+)", done.stdout)
    assert exposure is not None, done.stdout + done.stderr
    print(f"{unit}: {exposure.group(1)}")
    assert float(exposure.group(1)) < EXPOSURE_MAX and done.returncode == 0, done.stdout


@pytest.mark.parametrize("unit", UNITS)
def test_secrets_are_in_the_environment_file_only(unit):
    assert _values(unit, "EnvironmentFile")[0] == "/etc/switchyard/switchyard.env"
    assert _values(unit, "Environment") == []


@pytest.mark.parametrize("unit", UNITS)
def test_a_configuration_that_is_wrong_is_not_tried_again(unit, tmp_path):
    assert _values(unit, "Restart") == ["on-failure"]
    assert _values(unit, "RestartPreventExitStatus") == ["2"]
    words = _values(unit, "ExecStart")[0].split()
    settings = development_settings(tmp_path, LOG_LEVEL="no such level")
    done = run_to_exit(Path(words[0]).name, words[1:], settings, tmp_path)
    assert done.returncode == 2, done.stderr


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_waits_longer_than_a_stop_takes(unit):
    """A program has SHUTDOWN_SECONDS to finish requests, then PSP_TIMEOUT_SECONDS for calls; 10 each by default."""
    [stop_s] = _values(unit, "TimeoutStopSec")
    phases = 2 if unit == "switchyard.service" else 1
    assert int(stop_s) >= phases * 10 + 10


@pytest.mark.parametrize("unit", UNITS)
def test_the_start_limit_stops_no_restart_that_waits_its_time(unit):
    """Who has lost the database for an hour must be back when it is."""
    [interval_s], [burst], [pause_s] = (_values(unit, name) for name in
                                        ("StartLimitIntervalSec", "StartLimitBurst", "RestartSec"))
    assert int(interval_s) / int(pause_s) < int(burst)


# -------------------------------------------------------------------------------------------- the limits, observed

def _system_calls_of(names):
    """The system calls of names and groups, a group's groups included."""
    calls, groups = set(), [name for name in names if name.startswith("@")]
    calls.update(name for name in names if not name.startswith("@"))
    seen = set()
    while groups:
        group = groups.pop()
        if group in seen:
            continue
        seen.add(group)
        lines = _analyze("syscall-filter", group).stdout.splitlines()
        assert lines and lines[0] == group, f"systemd does not know {group}"
        members = [line.strip() for line in lines[1:] if line.strip() and not line.strip().startswith("#")]
        groups += [member for member in members if member.startswith("@")]
        calls.update(member for member in members if not member.startswith("@"))
    return calls


def _allowed_system_calls(unit):
    """What SystemCallFilter's lines come to: the first allows, a later one adds or, with ~, takes away."""
    allowed = set()
    for value in _values(unit, "SystemCallFilter"):
        calls = _system_calls_of(value.removeprefix("~").split())
        allowed = allowed - calls if value.startswith("~") else allowed | calls
    return allowed


def _observed(trace):
    """What strace saw: {call: an example}."""
    calls = {}
    for path in trace.parent.glob(f"{trace.name}.*"):
        for line in path.read_text(errors="replace").splitlines():
            call = re.match(r"(?:\d+\.\d+ )?(\w+)\(", line)
            if call:
                calls.setdefault(call.group(1), line)
    return calls


def _pay(server):
    """A token, a transaction, and its outcome."""
    with Client(server.auth) as auth, Client(server.core) as core:
        token = auth.post("/token", {"username": "alice", "password": "password"}).json()["token"]
        reply = core.post("/transaction", {"amount": 100, "currency": "USD", "token": token})
        assert reply.status == 200, reply.body
        path, bearer = f"/transaction/{reply.json()['id']}", {"Authorization": f"Bearer {token}"}
        eventually(lambda: core.get(path, bearer).json()["status"] == "captured", "the capture")


@pytest.mark.slow  # and so with the release build: a sanitizer makes calls of its own
def test_serve_needs_no_more_than_the_unit_allows(tmp_path):
    if shutil.which("strace") is None:
        pytest.skip("there is no strace")
    unit = "switchyard.service"
    server, trace = Switchyard(tmp_path), tmp_path / "trace"
    # One file a process, so that no line is cut by another's.
    traced = Process("switchyard", ["strace", "-ff", "-o", trace, *server.program.command], tmp_path,
                     server.program.settings)
    server.program = traced
    traced.start()
    try:
        try:
            eventually(lambda: healthy(server.auth, traced), "health under strace")
        except RuntimeError as ended:
            if "ptrace" in traced.log():
                pytest.skip(f"strace does not work here: {ended}")
            raise
        _pay(server)
    finally:
        # strace passes no signal on; its child is ours to stop.
        children = Path(f"/proc/{traced.process.pid}/task/{traced.process.pid}/children").read_text().split()
        subprocess.run(["kill", "-TERM", *children], check=True)
        assert traced.wait_exit() == 0
    observed = _observed(trace)
    assert {"execve", "socket", "pwrite64", "setpriority"} <= set(observed), "strace saw too little to judge by"
    if os.geteuid() == 0:
        observed.pop("fchown", None)  # SQLite as root gives its files to the owner of the database
    allowed = _allowed_system_calls(unit)
    refused = {call: line for call, line in observed.items() if call not in allowed}
    assert refused == {}

    text = "\n".join(path.read_text(errors="replace") for path in tmp_path.glob("trace.*"))
    families = set(re.findall(r"\bsocket\((AF_\w+)", text))
    assert families and families <= set(_values(unit, "RestrictAddressFamilies")[0].split())
    executable = re.findall(r"mmap\([^)]*PROT_WRITE\|PROT_EXEC.*|mprotect\([^)]*PROT_EXEC.*", text)
    assert executable == [], "MemoryDenyWriteExecute refuses it"
    written = {path for path in re.findall(r'openat\(AT_FDCWD, "([^"]+)", [^)]*O_(?:WRONLY|RDWR)', text)
               if not path.startswith(str(tmp_path))}
    assert written <= {"/dev/null"}, "ProtectSystem=strict refuses it"
