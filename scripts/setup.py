"""`./setup.sh`: sets Switchyard up on this machine, starts it and makes one payment with it."""

import contextlib
import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import containers
from build import build
from console import ROOT, bold, elapsed, end_step, fail, forget, main_of, say, step, watch
from project import (ENV_FILE, RUN, addresses, configured, drop_empty_variables, known_variables, lock_folder, name_the_host, owner, reachable,
                     read_text, require_free_port, require_writable_folder, wait_until, why_unhealthy, write_env_file)
from system import install_packages, packages, read_system, require_supported_system

BINARY = ROOT / "build/release/bin/switchyard"
SERVER_LOG = RUN / "switchyard.log"
PID_FILE = RUN / "switchyard.pid"
# What the server was started with: its address, and a digest of the program and its configuration.
STATE_FILE = RUN / "switchyard.state"
LARGEST_LOG = 64 * 1024 * 1024

USAGE = """\
usage: ./setup.sh [COMMAND]

Without a command: installs the packages that are missing (with apt-get, as root or with sudo), builds
build/release, writes .env, starts `switchyard serve` in the background and makes one payment with it.
What is there already is left alone, so it may be run again at any time.

commands:
  status         is it running, since when, is it healthy?   exit: 0 healthy, 1 not healthy, 3 not running
  stop           ends it and waits until it has finished     exit: 0 ended or was not running, 1 still running
  logs           shows its log and follows it; `logs -n 50` shows the last 50 lines and returns
  docker         the same in containers instead, each service in its own, behind a router: `docker help` says more
  help           this text

The configuration stands in .env (see .env.example); a variable of the environment wins for this start:
  HTTP_PORT=9000 METRICS_PORT=9500 ./setup.sh
"""


# ---- Configuration

def configuration_digest() -> str:
    """Changes when the program, .env or a variable of the environment that wins over it does. No value can be read from it."""
    digest = hashlib.sha256(BINARY.read_bytes() + ENV_FILE.read_bytes())
    for key in sorted(set(known_variables()) & set(os.environ)):
        digest.update(f"{key}={os.environ[key]}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def state() -> dict[str, str]:
    return dict(line.split("=", 1) for line in read_text(STATE_FILE).splitlines() if "=" in line)


def base_url(port: str) -> str:
    """Where this machine reaches the port."""
    host = reachable(configured("HTTP_HOST", "127.0.0.1"))
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def server_url() -> str:
    """Where the running server was told to listen."""
    return state().get("url") or base_url(configured("HTTP_PORT"))


def seconds_of(key: str, default: int) -> int:
    """Also where the setting is none."""
    value = configured(key)
    return int(value) if re.fullmatch("[0-9]{1,6}", value) else default


# ---- The process

def switchyard(*arguments: str) -> subprocess.Popen:
    """The program itself, with the server's settings; what it asks is on this machine, never behind a proxy."""
    return subprocess.Popen([BINARY, "--env-file", ENV_FILE, *arguments], cwd=ROOT, env={**os.environ, "no_proxy": "*"},
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")


def is_our_server(process: int) -> bool:
    """True if the process is this folder's server. After a build its file is a new one and the kernel calls the old deleted."""
    try:
        return os.readlink(f"/proc/{process}/exe").removesuffix(" (deleted)") == str(BINARY)
    except PermissionError:
        # Another user's: only its command line can be read, and a process that has ended has none.
        return read_text(Path(f"/proc/{process}/cmdline")).startswith(f"{BINARY}\0")
    except OSError:
        return False


def running_server() -> int | None:
    """Its process id."""
    text = read_text(PID_FILE).strip()
    return int(text) if re.fullmatch("[0-9]{1,9}", text) and is_our_server(int(text)) else None


def start_server() -> tuple[subprocess.Popen, int]:
    """The process, and how many bytes of its log are older."""
    os.umask(0o077)
    older = SERVER_LOG.stat().st_size if SERVER_LOG.exists() else 0
    if older > LARGEST_LOG:
        SERVER_LOG.rename(f"{SERVER_LOG}.1")
        older = 0
    STATE_FILE.write_text(f"digest={configuration_digest()}\nurl={base_url(configured('HTTP_PORT'))}\n")
    with SERVER_LOG.open("ab") as log:
        # A session of its own, so that closing the terminal or Ctrl-C does not reach it.
        server = subprocess.Popen([BINARY, "--env-file", ENV_FILE, "serve"], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log,
                                  stderr=log, start_new_session=True)
    PID_FILE.write_text(f"{server.pid}\n")
    return server, older


def await_health(process: int, began: float, server: subprocess.Popen | None = None, older: int = 0) -> None:
    """Waits until the server answers as healthy; fails as soon as it has ended. `server`, where this program started it,
    knows how; `older` bytes of the log are not its own."""
    url, deadline = server_url(), time.monotonic() + 30
    watch(f"{BINARY} --env-file {ENV_FILE} serve", SERVER_LOG, older)
    while answer := why_unhealthy(url):
        if server.poll() is not None if server else not is_our_server(process):
            fail("the server ended while it was starting" + (f", with status {server.returncode}" if server else ""),
                 "its last lines, above, say why, most often a value in .env; then run ./setup.sh again",
                 f"to see it in the foreground: cd {shlex.quote(str(ROOT))} && build/release/bin/switchyard --env-file .env serve")
        if time.monotonic() >= deadline:
            fail(f"the server did not become healthy within 30 s; its last answer: {answer}",
                 "./setup.sh logs shows more; then run ./setup.sh again")
        time.sleep(0.05)
    say(f"healthy after {elapsed(time.monotonic() - began)}: {url}/auth/health and {url}/transaction/health",
        f"process {process}, in the background")
    forget()


def stop_server(process: int) -> bool:
    """False if it still runs after its times to drain (at most three times, WebService) and to finish, and ten seconds more."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(process, signal.SIGTERM)
    seconds = 3 * seconds_of("DRAIN_SECONDS", 0) + seconds_of("SHUTDOWN_SECONDS", 10) + 10
    if not wait_until(lambda: not is_our_server(process), seconds):
        return False
    PID_FILE.unlink(missing_ok=True)
    STATE_FILE.unlink(missing_ok=True)
    return True


# ---- Steps

def check_system(name: str) -> None:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    disk = shutil.disk_usage(ROOT).free >> 20
    say(f"{name}, {len(os.sched_getaffinity(0))} core(s), {memory} MiB of memory, {disk} MiB free on the disk")
    require_writable_folder()
    if not os.access(BINARY, os.X_OK):
        if disk < 2048:
            fail(f"too little disk: packages and build take about 2 GiB and {disk} MiB are free", f"make room on the disk of {ROOT}")
        # Before the build, which takes minutes; after it, `switchyard doctor` looks.
        for port in ("HTTP_PORT", "METRICS_PORT"):
            require_free_port(port, configured(port))


def check_before_start(process: int | None = None) -> None:
    """Settings and ports, as the program itself sees them, before the process that runs is stopped."""
    doctor = switchyard("doctor", "--before-start", *(["--replacing", str(process)] if process else []))
    found = doctor.communicate()[0].strip()
    if doctor.returncode == 0:
        say(*(re.sub("^ok *", "", line) for line in found.splitlines()))
        return
    wrong = re.search(r"^WRONG *[a-z]* *(.*)", found, re.MULTILINE)
    remedies = re.findall(r"^ *-> (.*)", found, re.MULTILINE)[:1]
    fail(wrong[1] if wrong else found.removeprefix("switchyard: "), *remedies,
         f"settings are read from the environment, else from {ENV_FILE}",
         "then run ./setup.sh again" + (f"; process {process} goes on as it was" if process else ""))


def start_or_keep() -> None:
    # Transactions and logs are for their owner only.
    (ROOT / "data").mkdir(mode=0o700, exist_ok=True)
    process = running_server()
    if process and configuration_digest() == state().get("digest"):
        say(f"process {process} runs this program with this configuration and is left alone")
        await_health(process, time.monotonic())
        return
    if process:
        say(f"the program or its configuration has changed: restarting process {process}")
    check_before_start(process)
    if process and not stop_server(process):
        fail(f"process {process} did not end",
             f"look at it with ./setup.sh logs; kill -9 {process} loses nothing that was acknowledged")
    began = time.monotonic()
    server, older = start_server()
    await_health(server.pid, began, server, older)


def make_one_payment() -> None:
    with switchyard("demo", "--log", str(SERVER_LOG)) as demo:
        for line in demo.stdout:
            print(f"   {line}" if line.strip() else line, end="")
    # 3: no demo user is here, which it has said.
    if demo.returncode not in (0, 3):
        fail("the example payment was not made", "its last line, above, says why; ./setup.sh logs shows the server's side")


def show_summary() -> None:
    url = server_url()
    prefix = "".join(f"{name}={os.environ[name]} " for name in ("HTTP_PORT", "METRICS_PORT", "DATABASE_URL") if name in os.environ)
    run = f"{prefix}build/release/bin/switchyard --env-file .env"
    print(f"""\
{bold("Switchyard is running.")}

{addresses(url)}
   metrics        {base_url(configured("METRICS_PORT"))}/metrics

   log            run/switchyard.log      ./setup.sh logs
   data           {configured("DATABASE_URL")}
   configuration  .env                    then ./setup.sh, which restarts it if needed
   stop           ./setup.sh stop         state: ./setup.sh status

Next, in {ROOT}:
   {run} doctor
   {run} demo
   {run} transaction create --user alice --amount 2500 --currency EUR
   {run} transaction list --user alice
   {run} user add mary""")


def set_up() -> None:
    began = time.monotonic()
    drop_empty_variables()
    system = read_system()
    require_supported_system(system)
    step("System")
    check_system(system.name)
    lock_folder()
    step("Packages")
    install_packages("to build Switchyard", packages("build_packages"))
    step("Build")
    build("release", ("switchyard", "auth-api", "core-api", "psp-connector", "psp-events", "psp-simulator"))
    step("Configuration")
    write_env_file()
    step("Host name")
    name_the_host()
    step("Server")
    start_or_keep()
    step("One payment")
    make_one_payment()
    end_step()
    show_summary()
    print(f"\nDone in {elapsed(time.monotonic() - began)}.")


# ---- Commands

def complain(text: str) -> None:
    print(f"setup.sh: {text}", file=sys.stderr)


def may_read_state(command: str) -> bool:
    """The commands below judge by files that another user may have kept to himself."""
    for path in (RUN, PID_FILE, STATE_FILE, SERVER_LOG):
        if os.path.exists(path) and not os.access(path, os.R_OK):
            complain(f"{path} belongs to {owner(path)}: run ./setup.sh {command} as that user or with sudo")
            return False
    return True


def show_status() -> int:
    process = running_server()
    if not process:
        print("Switchyard is not running. Start it with ./setup.sh")
        return 3
    url = server_url()
    print(f"Switchyard is running: process {process}, since {time.ctime(PID_FILE.stat().st_mtime)}")
    say(f"address  {url}", "log      run/switchyard.log")
    answer = why_unhealthy(url)
    say(f"health   not healthy: {answer}" if answer else "health   pass")
    return 1 if answer else 0


def stop() -> int:
    process = running_server()
    if not process:
        PID_FILE.unlink(missing_ok=True)
        STATE_FILE.unlink(missing_ok=True)
        print("Switchyard is not running.")
        return 0
    try:
        os.kill(process, 0)
    except PermissionError:
        complain(f"process {process} belongs to {owner(Path(f'/proc/{process}'))}: run ./setup.sh stop as that user or with sudo")
        return 1
    print(f"Stopping process {process}; it finishes what it has accepted.")
    if not stop_server(process):
        complain(f"process {process} is still running; ./setup.sh logs shows its log. kill -9 {process} ends it at once and "
                 "loses nothing that was acknowledged")
        return 1
    print("Switchyard has stopped.")
    return 0


def show_logs(options: list[str]) -> int:
    if not SERVER_LOG.is_file():
        print(f"There is no log yet: {SERVER_LOG} is written when ./setup.sh starts the server.", file=sys.stderr)
        return 1
    os.execvp("tail", ["tail", *(options or ["-n", "40", "-F"]), str(SERVER_LOG)])


def main(arguments: list[str]) -> int | None:
    match arguments:
        case []:
            return set_up()
        case ["docker", *words]:
            return containers.main(words)
        case ["help" | "-h" | "--help"]:
            print(USAGE, end="")
        case ["status"]:
            return show_status() if may_read_state("status") else 1
        case ["stop"]:
            return stop() if may_read_state("stop") else 1
        case ["logs", *options]:
            return show_logs(options) if may_read_state("logs") else 1
        case _:
            print(f"setup.sh: this is not understood: {' '.join(arguments)}\n\n{USAGE}", end="", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    main_of("setup.sh", RUN / "log", main)
