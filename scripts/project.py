"""What `./setup.sh` and `./setup.sh docker` share: .env, the folder and its lock, ports, the name platform, health."""

import fcntl
import http.client
import json
import os
import pwd
import re
import secrets
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Mapping
from pathlib import Path

import console
from console import ROOT, fail, say
from system import as_root

RUN = ROOT / "run"
ENV_FILE = ROOT / ".env"
EXAMPLE = ROOT / ".env.example"
HOSTS = Path("/etc/hosts")


# ---- .env

def read_text(path: Path) -> str:
    """Empty where there is no such file, or none that this user may read."""
    try:
        return path.read_text(errors="surrogateescape")
    except OSError:
        return ""


def configured(key: str, default: str = "") -> str:
    """The value that the server will see: of the environment, else of .env, else of .env.example."""
    if value := os.environ.get(key):
        return value
    for file in (ENV_FILE, EXAMPLE):
        lines = (re.fullmatch(rf"\s*{key}\s*=\s*([\"']?)(.*?)\1\s*", line) for line in read_text(file).split("\n"))
        # Of several lines the last one counts, as it does for the server.
        if (values := [found[2] for found in lines if found]) and values[-1]:
            return values[-1]
    return default


def known_variables() -> list[str]:
    """Those of .env.example, also those it only shows."""
    return re.findall(r"^(?:# )?([A-Z][A-Z_]*)=", read_text(EXAMPLE), re.MULTILINE)


def drop_empty_variables() -> None:
    """An empty variable means the same as none."""
    for key in known_variables():
        if not os.environ.get(key):
            os.environ.pop(key, None)


def set_in_env_file(key: str, value: str, source: Path = ENV_FILE) -> None:
    """Puts the line into .env, in the place of the one with that key that counts, the last one, or of one that is commented
    out; .env is otherwise as it was, or as `source`. Complete or not there at all, and from the first moment readable for
    its owner only."""
    lines = read_text(source).split("\n")
    if not lines[-1]:
        lines.pop()
    set_here = [i for i, line in enumerate(lines) if line.startswith(f"{key}=")]
    shown_here = [i for i, line in enumerate(lines) if line.startswith(f"# {key}=")]
    place = (set_here or shown_here[:1] or [len(lines)])[-1]
    lines[place:place + 1] = [f"{key}={value}"]
    with tempfile.NamedTemporaryFile("w", dir=RUN, prefix="env.", delete=False, errors="surrogateescape") as new:
        new.write("\n".join(lines) + "\n")
    shutil.move(new.name, ENV_FILE)


def write_env_file() -> None:
    if not ENV_FILE.exists():
        set_in_env_file("JWT_SECRET", secrets.token_hex(32), EXAMPLE)
        say("wrote .env from .env.example with a fresh JWT_SECRET; mode 0600")
        return
    say(".env is there and stays as it is")
    if ENV_FILE.stat().st_mode & 0o077:
        say(f"note: others can read .env, which holds a secret: chmod 600 {shlex.quote(str(ENV_FILE))}")


# ---- The folder

def user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def owner(path: Path) -> str:
    return user_name(path.stat().st_uid)


def require_writable_folder() -> None:
    me = user_name(os.getuid())
    ours = [ROOT, *(ROOT / name for name in ("build", "build/release", "run", "data")), ENV_FILE]
    # The engine's own file is root's.
    for path in (*ours, *(path for path in RUN.glob("*") if path.name != "dockerd.pid")):
        if path.exists() and not os.access(path, os.W_OK):
            fail(f"{path} is not writable for {me}", f"it belongs to {owner(path)}: run ./{console.current.program} as that user, or: "
                 f"sudo chown -R {me} {shlex.quote(str(ROOT))}")


def lock_folder() -> None:
    """Until this process ends; what it starts does not inherit the lock."""
    for folder in (RUN, RUN / "log"):
        folder.mkdir(mode=0o700, exist_ok=True)
    lock = os.open(RUN / "setup.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fail("another ./setup.sh is at work in this folder", "wait until it has finished")


# ---- The machine

def wait_until(condition: Callable[[], object], seconds: float, interval: float = 0.05) -> bool:
    """False if it did not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(interval)
    return True


def require_port(name: str, port: str) -> None:
    if not (re.fullmatch("[1-9][0-9]{0,4}", port, re.ASCII) and int(port) < 65536):
        fail(f'{name} is "{port}", which is no port',
             f"set it to a number from 1 to 65535, for example {name}=8081, in the environment or in .env")


def require_free_port(name: str, port: str) -> None:
    """For where there is no `switchyard doctor`, which knows more."""
    require_port(name, port)
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", int(port))) != 0:
            say(f"{name} {port}: free")
            return
    listeners = subprocess.run(["ss", "-Hltnp", f"sport = :{port}"], capture_output=True, text=True, check=False).stdout \
        if shutil.which("ss") else ""
    holder = re.search(r"users:\(\((.*)\)\)", listeners)
    fail(f"{name} {port} is in use" + (f" by {holder[1]}" if holder else ""),
         f"end that program, or take another port, for example {name}=8081, in the environment or in .env")


def name_the_host() -> None:
    text = read_text(HOSTS)
    entries = [line.partition("#")[0].split() for line in text.split("\n")]
    existing = next((names[0] for names in entries if "platform" in names[1:]), "")
    line = "127.0.0.1 platform"
    if existing.startswith("127.") or existing == "::1":
        say(f"/etc/hosts has platform as {existing}")
    elif existing:
        say(f"/etc/hosts has platform as {existing}, which is left alone; use 127.0.0.1 instead of the name")
    # A file that does not end in a line feed would have its last line continued.
    elif append_as_root(HOSTS, ("" if not text or text.endswith("\n") else "\n") + line + "\n"):
        say(f'added "{line}" to /etc/hosts')
    else:
        say("/etc/hosts may not be changed here. To use the name platform as in the examples, as root:",
            f"  echo '{line}' >>/etc/hosts", "everything works without it, as 127.0.0.1")


def append_as_root(path: Path, text: str) -> bool:
    """False where that is not allowed, or sudo would ask for a password."""
    try:
        return subprocess.run(as_root(["tee", "-a", str(path)], ask=False), input=text, text=True, capture_output=True,
                              check=False).returncode == 0
    except OSError:
        return False


# ---- HTTP

def reachable(host: str) -> str:
    """Where this machine reaches what listens at `host`."""
    return "127.0.0.1" if host in ("0.0.0.0", "::") else host


def ask(url: str, path: str, *, body: object = None, headers: Mapping[str, str] | None = None, address: str = "",
        timeout_s: float = 10) -> tuple[int, str]:
    """The status and the text of the reply of `url`, at `address` if its name leads nowhere; 0 and why there is none. A POST
    where there is a body. What is asked is on this machine, never behind a proxy."""
    server = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(address or server.hostname or "", server.port or 80, timeout=timeout_s)
    content = {} if body is None else {"Content-Type": "application/json"}
    try:
        connection.request("GET" if body is None else "POST", path, None if body is None else json.dumps(body).encode(),
                           {"Host": server.netloc, **content, **(headers or {})})
        reply = connection.getresponse()
        return reply.status, reply.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, f"no answer ({error})"
    finally:
        connection.close()


def field(text: str, name: str) -> str:
    """What the JSON object says under that name; empty if it is none or says nothing."""
    try:
        return str(json.loads(text)[name])
    except (ValueError, KeyError, TypeError):
        return ""


def addresses(url: str) -> str:
    """What is served there, for the summary at the end."""
    return f"""\
   token          POST {url}/auth/token
   transactions   POST {url}/transaction/transaction
   health         {url}/auth/health  {url}/transaction/health
   API document   {url}/transaction/openapi.json"""


def why_unhealthy(url: str, address: str = "") -> str:
    """Empty if both services are healthy, else what one has answered."""
    for path in ("/auth/health", "/transaction/health"):
        _, text = ask(url, path, address=address, timeout_s=5)
        if field(text, "status") != "pass":
            return text or f"{path} is empty"
    return ""
