"""The Debian package: built from this build by CPack, and installed, upgraded, removed and purged in a Debian of its own.

Once without systemd, as in a container, where the program is started by hand as its unit would; and once with systemd as
process 1, where the unit starts it. Each test has its own copy of the system or leaves the shared one as it was."""

import json
import re
import resource
import shutil
import subprocess
from pathlib import Path

import pytest

from support import debian_machine, programs
from support.debian_machine import BootedMachine, NotHere
from support.http_client import Client, Endpoint
from support.ports import free_port
from support.processes import Process, inherited_environment
from support.programs import healthy
from support.waiting import PATIENCE, eventually

pytestmark = pytest.mark.slow

BUILD = programs.BINARIES.parent
CONFIGURATION = "/etc/switchyard/switchyard.env"
DATA = "/var/lib/switchyard"
SERVE = "switchyard.service"
PARTS = ["switchyard-auth-api.service", "switchyard-core-api.service", "switchyard-psp-connector.service",
         "switchyard-psp-events.service"]
PASSWORD = "correct horse battery"


# ------------------------------------------------------------------------------------------------------- packages

def _cpack(folder, *options):
    done = subprocess.run(["cpack", "-G", "DEB", "-B", str(folder), *options], cwd=BUILD, capture_output=True,
                          text=True, env=inherited_environment(), timeout=300 * PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    [package] = folder.glob("*.deb")
    shutil.rmtree(folder / "_CPack_Packages", ignore_errors=True)
    return package


@pytest.fixture(scope="module", autouse=True)
def packaging_is_here():
    for tool in ("cpack", "dpkg-shlibdeps"):
        if shutil.which(tool) is None:
            pytest.skip(f"there is no {tool}")
    if not (BUILD / "CPackConfig.cmake").exists():
        pytest.skip(f"{BUILD} makes no package: it leaves out a service")
    if "SWITCHYARD_SANITIZE:STRING=\n" not in (BUILD / "CMakeCache.txt").read_text():
        pytest.skip("a sanitizer build is not for a package")


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return _cpack(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def newer_package(tmp_path_factory, package):
    version = _field(package, "Version")
    return _cpack(tmp_path_factory.mktemp("newer-package"), "-D", f"CPACK_PACKAGE_VERSION={version}.1",
                  "-D", "CPACK_DEBIAN_COMPRESSION_TYPE=gzip")


def _field(package, name):
    return subprocess.run(["dpkg-deb", "--field", package, name], capture_output=True, text=True,
                          check=True).stdout.strip()


def _contents(package):
    """{path: mode} of its files."""
    text = subprocess.run(["dpkg-deb", "--contents", package], capture_output=True, text=True, check=True).stdout
    lines = [line.split() for line in text.splitlines()]
    return {words[5].removeprefix("."): words[0] for words in lines if not words[0].startswith("d")}


# ------------------------------------------------------------------------------------------------------- machines

@pytest.fixture(scope="module")
def bare_debian(tmp_path_factory):
    reason = debian_machine.why_not_here()
    if reason is not None:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("debian")
    try:
        yield debian_machine.bootstrap(folder / "bare")
    except NotHere as reason:
        pytest.skip(str(reason))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def installed_debian(bare_debian, package):
    """Not to be changed; see `debian`."""
    debian = bare_debian.copy(bare_debian.root.with_name("installed"))
    debian.install(package)
    return debian


@pytest.fixture
def debian(installed_debian):
    """A Debian without systemd that has the package, for one test."""
    debian = installed_debian.copy(installed_debian.root.with_name("copy"))
    yield debian
    debian.remove()


@pytest.fixture(scope="module")
def shared_machine(bare_debian, package):
    debian = bare_debian.copy(bare_debian.root.with_name("booted"))
    debian.run("apt-get", "install", "-y", "-q", "--no-install-recommends", "systemd-sysv", "dbus")
    # Once it has booted, it has a network of its own, without a way out.
    debian.run("apt-get", "install", "-y", "-q", "--no-install-recommends", "--download-only", debian.put(package))
    machine = BootedMachine(debian.root)
    try:
        machine.boot()
        machine.install(package)
        yield machine
    except NotHere as reason:
        pytest.skip(str(reason))
    finally:
        machine.shut_down()


@pytest.fixture
def machine(shared_machine):
    """A Debian with systemd in which the package was just installed: switchyard.service runs, its parts do not."""
    yield shared_machine
    shared_machine.run("systemctl", "stop", *PARTS)
    shared_machine.run("systemctl", "reset-failed")
    shared_machine.run("systemctl", "start", SERVE)
    _wait_until_healthy(shared_machine)


# ------------------------------------------------------------------------------------------------------- actions

def _switchyard(debian, *words, stdin_text="", **arguments):
    """The command line, as the README has it."""
    return debian.run("switchyard", "--env-file", CONFIGURATION, *words, user="switchyard", stdin_text=stdin_text,
                      **arguments)


def _add_user(debian, name):
    _switchyard(debian, "user", "add", name, stdin_text=PASSWORD + "\n")


def _secret(debian):
    [secret] = re.findall(r"^JWT_SECRET=(.*)$", debian.path(CONFIGURATION).read_text(), re.MULTILINE)
    return secret


class _ServeByHand:
    """`switchyard serve` in a Debian without systemd, started as its unit would; on a port of ours, for there the network
    is that of the machine."""

    def __init__(self, debian, folder):
        port = free_port()
        self.auth, self.core = (Endpoint("127.0.0.1", port, prefix) for prefix in ("/auth", "/transaction"))
        environment = {"HTTP_PORT": str(port), "METRICS_PORT": str(free_port())}
        command = debian.command("sh", "-c", f"cd {DATA} && umask 0077 && exec switchyard --env-file {CONFIGURATION} serve",
                                 user="switchyard")
        self.process = Process("serve", command, folder, environment)

    def __enter__(self):
        self.process.start()
        eventually(lambda: healthy(self.auth, self.process), "serve to be healthy")
        return self

    def __exit__(self, *_):
        outer = self.process.process.pid
        try:
            # Its process 1 is the program itself; unshare passes no signal on.
            [child] = Path(f"/proc/{outer}/task/{outer}/children").read_text().split()
            subprocess.run(["kill", "-TERM", child], check=True)
            assert self.process.wait_exit() == 0
        finally:
            self.process.kill()

    def token(self, name, password=PASSWORD):
        with Client(self.auth) as client:
            return client.post("/token", {"username": name, "password": password})

    def pay(self, name):
        """The id of a transaction that was captured."""
        token = self.token(name).json()["token"]
        with Client(self.core) as client:
            reply = client.post("/transaction", {"amount": 100, "currency": "USD", "token": token})
            assert reply.status == 200, reply.body
            identifier = reply.json()["id"]
            eventually(lambda: self.status(client, identifier, token) == "captured", "the capture")
        return identifier

    @staticmethod
    def status(client, identifier, token):
        return client.get(f"/transaction/{identifier}", {"Authorization": f"Bearer {token}"}).json().get("status")

    def has(self, name, identifier):
        with Client(self.core) as client:
            return self.status(client, identifier, self.token(name).json()["token"]) == "captured"


def _wait_until_healthy(machine):
    eventually(lambda: "answers on" in _switchyard(machine, "doctor", check=False).stdout, "the server to answer",
               interval_s=0.2)


def _create_by_command(machine, name, *options):
    made = _switchyard(machine, "--json", "transaction", "create", *options, "--user", name, "--amount", "100",
                       "--currency", "USD")
    return json.loads(made.stdout)["id"]


def _pay_by_command(machine, name):
    """The same with the command line, which finds the server in the machine's own network."""
    identifier = _create_by_command(machine, name)
    eventually(lambda: _has_by_command(machine, name, identifier), "the capture", interval_s=0.2)
    return identifier


def _has_by_command(machine, name, identifier):
    shown = _switchyard(machine, "--json", "transaction", "show", "--user", name, identifier, check=False)
    return shown.returncode == 0 and json.loads(shown.stdout)["status"] == "captured"


# --------------------------------------------------------------------------------------------------- the package

def test_the_package_holds_what_production_needs(package):
    assert re.fullmatch(r"switchyard_[\d.]+_\w+\.deb", package.name)
    assert _field(package, "Package") == "switchyard"
    files = _contents(package)
    programs_in_it = {path for path, mode in files.items() if "x" in mode}
    assert programs_in_it == {"/usr/bin/switchyard", "/usr/libexec/switchyard/auth-api",
                              "/usr/libexec/switchyard/core-api", "/usr/libexec/switchyard/psp-connector",
                              "/usr/libexec/switchyard/psp-events"}
    assert {Path(path).name for path in files if path.endswith(".service")} == {SERVE, *PARTS}
    assert CONFIGURATION not in files, "its secret differs on each machine"
    assert not [path for path in files if path.endswith("users.json")]
    assert {"adduser", "ca-certificates"} <= set(re.split(r"[ ,]+", _field(package, "Depends")))
    print(f"{package.name}: {package.stat().st_size} bytes")


def test_the_programs_in_it_are_stripped(package, tmp_path):
    subprocess.run(["dpkg-deb", "--extract", package, tmp_path], check=True)
    for path in [*tmp_path.glob("usr/bin/*"), *tmp_path.glob("usr/libexec/switchyard/*")]:
        sections = subprocess.run(["readelf", "--section-headers", "--wide", path], capture_output=True, text=True,
                                  check=True).stdout
        assert ".text" in sections and ".debug_" not in sections and ".symtab" not in sections, path.name


def test_lintian_finds_no_error_and_no_warning(package):
    if shutil.which("lintian") is None:
        pytest.skip("there is no lintian")
    done = subprocess.run(["lintian", "--allow-root", "--fail-on=error,warning", package], capture_output=True,
                          text=True, env={**inherited_environment(), "LC_ALL": "C.UTF-8"}, timeout=300 * PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr


# ---------------------------------------------------------------------------------------- without systemd, by hand

def test_installing_makes_user_folder_and_configuration(installed_debian):
    debian = installed_debian
    entry = debian.run("getent", "passwd", "switchyard").stdout.strip().split(":")
    assert int(entry[2]) < 1000 and entry[5:] == [DATA, "/usr/sbin/nologin"]
    assert debian.owner_and_mode(DATA) == "switchyard switchyard 700"
    assert debian.owner_and_mode(CONFIGURATION) == "root switchyard 640"
    assert debian.owner_and_mode("/etc/switchyard/auth-api.env") == "root root 644"
    assert debian.owner_and_mode("/usr/bin/switchyard") == "root root 755"
    assert re.fullmatch("[0-9a-f]{64}", _secret(debian))
    assert sorted(path.name for path in debian.path("/etc/switchyard").iterdir()) == [
        "auth-api.env", "core-api.env", "psp-connector.env", "psp-events.env", "switchyard.env"]
    assert debian.run("cat", CONFIGURATION, user="nobody", check=False).returncode != 0
    assert debian.run("switchyard", "--version").stdout.strip() != ""
    assert debian.exists("/etc/systemd/system/multi-user.target.wants/switchyard.service")
    assert not [part for part in PARTS if debian.exists(f"/etc/systemd/system/multi-user.target.wants/{part}")]


def test_a_payment_with_what_was_installed(debian, tmp_path):
    with _ServeByHand(debian, tmp_path) as server:
        assert server.token("alice", "password").status == 401, "the demo users are for development"
        _add_user(debian, "dora")
        server.pay("dora")
        assert "production" in _switchyard(debian, "doctor", check=False).stdout
    assert {debian.owner_and_mode(f"{DATA}/{path.name}") for path in debian.path(DATA).iterdir()} == {
        "switchyard switchyard 600"}
    assert _secret(debian) not in server.process.log()


def test_an_upgrade_keeps_configuration_and_data(debian, newer_package, tmp_path):
    with _ServeByHand(debian, tmp_path) as server:
        _add_user(debian, "dora")
        paid = server.pay("dora")
    for name in (CONFIGURATION, "/etc/switchyard/core-api.env"):
        with open(debian.path(name), "a") as file:
            file.write("MAX_BACKLOG=4711\n")
    before = {name: debian.path(name).read_bytes() for name in (CONFIGURATION, "/etc/switchyard/core-api.env")}
    debian.install(newer_package)
    assert debian.run("dpkg-query", "--show", "--showformat=${Version}", "switchyard").stdout == _field(newer_package,
                                                                                                 "Version")
    assert {name: debian.path(name).read_bytes() for name in before} == before
    assert debian.owner_and_mode(CONFIGURATION) == "root switchyard 640"
    with _ServeByHand(debian, tmp_path) as server:
        assert server.has("dora", paid)


def test_configuring_again_changes_nothing(debian):
    """As dpkg does after an installation that was interrupted."""
    before = debian.path(CONFIGURATION).read_bytes()
    debian.path(CONFIGURATION).chmod(0o600)
    debian.run("/var/lib/dpkg/info/switchyard.postinst", "configure", "")
    assert debian.path(CONFIGURATION).read_bytes() == before
    assert debian.owner_and_mode(CONFIGURATION) == "root switchyard 600", "the administrator's own choice"


def test_removing_keeps_configuration_and_data(debian, package, tmp_path):
    with _ServeByHand(debian, tmp_path) as server:
        _add_user(debian, "dora")
        paid = server.pay("dora")
    secret = _secret(debian)
    debian.apt("remove", "switchyard")
    assert not debian.exists("/usr/bin/switchyard") and not debian.exists("/usr/libexec/switchyard")
    assert _secret(debian) == secret
    assert debian.owner_and_mode(f"{DATA}/switchyard.db") == "switchyard switchyard 600"
    debian.install(package)
    assert _secret(debian) == secret
    with _ServeByHand(debian, tmp_path) as server:
        assert server.has("dora", paid)


def test_a_purge_takes_the_secret_and_keeps_payment_data(debian, package, tmp_path):
    with _ServeByHand(debian, tmp_path) as server:
        _add_user(debian, "dora")
        paid = server.pay("dora")
    secret = _secret(debian)
    said = debian.apt("purge", "switchyard")
    assert f"the payment data in {DATA}" in said.stdout + said.stderr
    assert not debian.exists("/etc/switchyard")
    assert debian.owner_and_mode(f"{DATA}/switchyard.db") == "switchyard switchyard 600"
    assert debian.run("grep", "-rlF", secret, "/etc", "/var", check=False).stdout == ""
    debian.install(package)
    assert _secret(debian) != secret
    with _ServeByHand(debian, tmp_path) as server:
        assert server.has("dora", paid)


def test_a_purge_without_data_leaves_nothing(debian):
    debian.apt("purge", "switchyard")
    left = debian.run("find", "/etc", "/usr", "/var/lib", "-name", "*switchyard*", "-not", "-path", "/var/lib/dpkg/*")
    assert left.stdout == ""
    assert debian.run("getent", "passwd", "switchyard", check=False).returncode != 0


# -------------------------------------------------------------------------------------------------- with systemd

def test_systemd_starts_the_server_at_installation(machine):
    assert (machine.is_enabled(SERVE), machine.is_active(SERVE)) == ("enabled", "active")
    assert {machine.is_enabled(part) for part in PARTS} == {"disabled"}
    assert {machine.is_active(part) for part in PARTS} == {"inactive"}
    _wait_until_healthy(machine)
    _add_user(machine, "dora")
    _pay_by_command(machine, "dora")
    assert _secret(machine) not in machine.journal(SERVE)


def test_the_server_is_confined(machine):
    process = machine.property(SERVE, "MainPID")
    status = dict(line.split(":", 1) for line in machine.run("cat", f"/proc/{process}/status").stdout.splitlines())
    values = {name: status[name].strip() for name in ("NoNewPrivs", "Seccomp", "CapBnd", "CapEff", "Umask")}
    assert values == {"NoNewPrivs": "1", "Seccomp": "2", "CapBnd": "0" * 16, "CapEff": "0" * 16, "Umask": "0077"}
    account = machine.run("id", "--user", "switchyard").stdout.strip()
    assert set(status["Uid"].split()) == {account} and account != "0"
    mounts = [line.split() for line in machine.run("cat", f"/proc/{process}/mountinfo").stdout.splitlines()]
    options = {words[4]: words[5].split(",") for words in mounts}
    assert "ro" in options["/"] and "rw" in options[DATA]
    assert machine.owner_and_mode(DATA) == "switchyard switchyard 700"
    limits = machine.run("cat", f"/proc/{process}/limits").stdout
    # Where even root may not raise a limit, systemd comes as close as it can.
    files = min(65536, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    assert re.search(rf"Max open files +(65536|{files}) +(65536|{files}) ", limits), limits
    assert re.search(r"Max core file size +0 +0 ", limits), limits


def test_a_server_that_is_killed_comes_back_with_its_data(machine):
    _add_user(machine, "emil")
    paid = _pay_by_command(machine, "emil")
    before = machine.property(SERVE, "MainPID")
    machine.run("systemctl", "kill", "--signal=KILL", SERVE)
    eventually(lambda: machine.property(SERVE, "MainPID") not in (before, "0"), "another process", interval_s=0.2)
    _wait_until_healthy(machine)
    assert _has_by_command(machine, "emil", paid)


def test_a_wrong_configuration_is_said_once(machine):
    good = machine.path(CONFIGURATION).read_text()
    machine.run("systemctl", "stop", SERVE)
    try:
        with open(machine.path(CONFIGURATION), "a") as file:
            file.write("MAX_BACKLOG=many\n")
        machine.run("systemctl", "start", SERVE, check=False)
        eventually(lambda: machine.is_active(SERVE) == "failed", "the failure", interval_s=0.2)
        assert machine.property(SERVE, "ExecMainStatus") == "2"
        assert machine.property(SERVE, "NRestarts") == "0"
        assert "MAX_BACKLOG is 'many'" in machine.journal(SERVE)
    finally:
        machine.path(CONFIGURATION).write_text(good)


def test_a_stop_is_quick_and_clean(machine):
    machine.run("systemctl", "stop", SERVE, timeout_s=30)
    assert (machine.property(SERVE, "Result"), machine.property(SERVE, "ExecMainStatus")) == ("success", "0")


def test_the_three_parts_do_the_same_over_one_file(machine):
    machine.run("systemctl", "stop", SERVE)
    machine.run("systemctl", "start", *PARTS)
    eventually(lambda: "Listening on default" in machine.journal(PARTS[2]), "psp-connector to listen", interval_s=0.2)
    eventually(lambda: "listens on http://127.0.0.1:5002" in machine.journal(PARTS[1]), "core-api", interval_s=0.2)
    eventually(lambda: "listens on http://127.0.0.1:5001" in machine.journal(PARTS[0]), "auth-api", interval_s=0.2)
    _add_user(machine, "finn")
    identifier = _create_by_command(machine, "finn", "--url", "http://127.0.0.1:5002")
    eventually(lambda: f"Job OK ({identifier})" in machine.journal(PARTS[2]), "the capture", interval_s=0.2)
    assert {machine.is_active(part) for part in PARTS} == {"active"}


def test_upgrade_removal_and_purge_under_systemd(machine, package, newer_package):
    _wait_until_healthy(machine)
    _add_user(machine, "gina")
    paid = _pay_by_command(machine, "gina")
    before = machine.property(SERVE, "MainPID")
    machine.install(newer_package)
    assert machine.property(SERVE, "MainPID") not in (before, "0"), "the new program runs"
    assert {machine.is_active(part) for part in PARTS} == {"inactive"}
    _wait_until_healthy(machine)
    assert _has_by_command(machine, "gina", paid)

    machine.run("systemctl", "disable", "--now", SERVE)
    machine.run("apt-get", "install", "-y", "-q", "--reinstall", machine.put(newer_package))
    assert (machine.is_enabled(SERVE), machine.is_active(SERVE)) == ("disabled", "inactive"), "the administrator's choice"

    machine.run("systemctl", "enable", "--now", SERVE)
    _wait_until_healthy(machine)
    machine.apt("remove", "switchyard")
    assert machine.is_active(SERVE) == "inactive"
    machine.apt("purge", "switchyard")
    assert not machine.exists("/etc/systemd/system/multi-user.target.wants/switchyard.service")
    assert not machine.exists(CONFIGURATION)
    machine.install(package)
    assert (machine.is_enabled(SERVE), machine.is_active(SERVE)) == ("enabled", "active")
    _wait_until_healthy(machine)
    assert _has_by_command(machine, "gina", paid)
