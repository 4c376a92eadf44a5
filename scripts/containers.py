"""`./setup.sh docker`: Switchyard in containers, over PostgreSQL and Redis, behind Traefik."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

from console import ROOT, bold, elapsed, end_step, fail, forget, run_logged, say, step, watch
from project import (RUN, addresses, ask, configured, drop_empty_variables, field, lock_folder, name_the_host, reachable, read_text,
                     require_free_port, require_port, require_writable_folder, set_in_env_file, user_name, wait_until, why_unhealthy, write_env_file)
from system import as_root, install_packages, is_installable, may_be_root, refresh_package_lists

LOGS = RUN / "log"
DAEMON_LOG = LOGS / "dockerd.log"
DAEMON_PID = RUN / "dockerd.pid"
OFFLINE = ROOT / "deploy/offline"
# The router learns of a new container by Docker's events, which it gathers for 2 s, and asks its health each second.
ROUTER_LEARNS_S = 6

USAGE = """\
usage: ./setup.sh docker [COMMAND]

Without a command: installs Docker and Compose where they are missing, starts the engine where nothing else does, writes
.env, builds the images, starts everything, waits until it is healthy and makes one payment through the router.
What is there already is left alone, so it may be run again at any time.

options:
  --offline      make the base images on this machine instead of loading them from a registry: deploy/offline
  --tls          serve HTTPS, too, with a certificate made for this machine: run/certificates

commands:
  upgrade        builds the images and replaces the containers, those behind the router one after another: no request fails.
                 For a new version, and for a changed .env
  status         the containers and how they are         exit: 0 all healthy, 1 not
  logs           shows the services' logs and follows them
  down           stops and removes the containers; the data stays
  down --purge   removes the data, too: every transaction is gone
  help           this text
"""


def succeeds(*command: str) -> bool:
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@dataclasses.dataclass(frozen=True)
class Engine:
    """How this user calls Docker and Compose: with sudo where his membership of the group docker does not count yet."""

    docker: list[str]
    compose: list[str]

    def ask(self, *words: str) -> str:
        return subprocess.run([*self.docker, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()

    def logs(self, *words: str) -> str:
        return subprocess.run([*self.docker, "logs", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", check=False).stdout

    def do(self, *words: str) -> int:
        """Compose, as if it had been called by hand."""
        return subprocess.run([*self.compose, *words], cwd=ROOT, check=False).returncode

    def containers(self, *services: str) -> list[str]:
        """Their ids, also of those that do not run; of all services without a name. Docker is asked and not Compose, which takes
        a second to answer."""
        labels = [f"project={configured('COMPOSE_PROJECT_NAME', 'switchyard')}", "oneoff=False"]
        filters = [word for label in labels for word in ("--filter", f"label=com.docker.compose.{label}")]
        listed = self.ask("ps", "--all", "--no-trunc", *filters, "--format", '{{.ID}} {{.Label "com.docker.compose.service"}}')
        found = [line.split(" ", 1) for line in listed.splitlines()]
        return [container for container, service in found if not services or service in services]

    def inspect(self, containers: list[str]) -> list[dict]:
        """What Docker knows of those that still exist."""
        if not containers:
            return []
        done = subprocess.run([*self.docker, "inspect", *containers], capture_output=True, text=True, check=False)
        return json.loads(done.stdout or "[]")


# ---- Docker

def docker_packages() -> Iterator[str]:
    """Those that are missing. BuildKit, which newer engines build with, and Compose are packages of their own."""
    if lacks_engine():
        yield "docker.io"
    if not find_compose(["docker"]):
        yield "docker-compose-v2" if is_installable("docker-compose-v2") else "docker-compose"
    if not succeeds("docker", "buildx", "version") and is_installable("docker-buildx"):
        yield "docker-buildx"
    # For the engine, which loads images.
    if not Path("/etc/ssl/certs/ca-certificates.crt").exists():
        yield "ca-certificates"


def lacks_engine() -> bool:
    """A client alone, which some systems have, reaches the engine of another machine, or none."""
    is_here = shutil.which("dockerd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    return not shutil.which("docker") or not (is_here or find_engine())


def install_docker() -> None:
    if lacks_engine() and not is_installable("docker.io"):
        refresh_package_lists()
    if names := list(docker_packages()):
        install_packages("to run containers", names)


def find_engine() -> list[str] | None:
    """What reaches a Docker engine; None if nothing does. sudo asks for no password here."""
    if succeeds("docker", "info"):
        return ["docker"]
    return ["sudo", "docker"] if os.geteuid() != 0 and succeeds("sudo", "-n", "docker", "info") else None


def find_compose(docker: list[str]) -> list[str] | None:
    if succeeds(*docker, "compose", "version"):
        return [*docker, "compose"]
    return [*docker[:-1], "docker-compose"] if shutil.which("docker-compose") else None


def start_engine() -> list[str]:
    if docker := find_engine():
        return docker
    if not may_be_root():
        fail("no Docker engine answers, and this user may not start one", "as root: systemctl start docker")
    if Path("/run/systemd/system").is_dir():
        if subprocess.run(as_root(["systemctl", "start", "docker"]), check=False).returncode != 0:
            fail("systemd could not start Docker", "systemctl status docker shows why")
    else:
        say("no init system here: starting dockerd in the background")
        LOGS.mkdir(mode=0o700, parents=True, exist_ok=True)
        watch("dockerd", DAEMON_LOG)
        with DAEMON_LOG.open("ab") as log:
            subprocess.run(as_root(["setsid", "--fork", "nohup", "dockerd", "--pidfile", str(DAEMON_PID)]), stdin=subprocess.DEVNULL,
                           stdout=log, stderr=log, check=True)
    if not wait_until(find_engine, 60, 0.2):
        fail("the Docker engine does not answer after 60 s", "the log above says why, where there is one")
    forget()
    return find_engine() or ["docker"]


def stop_engine() -> None:
    """Ends the engine that this folder's scripts have started, if they have: tests leave nothing running."""
    process = read_text(DAEMON_PID).strip()
    if process.isdecimal() and read_text(Path(f"/proc/{process}/comm")).strip() == "dockerd":
        subprocess.run(as_root(["kill", "-TERM", process]), check=False)


def join_docker_group(docker: list[str]) -> None:
    if docker[0] == "sudo":
        me = user_name(os.getuid())
        if "docker" not in subprocess.run(["id", "-nG", me], stdout=subprocess.PIPE, text=True, check=True).stdout.split():
            subprocess.run(as_root(["usermod", "-aG", "docker", me]), check=True)
        say(f"{me} is in the group docker, which counts from the next login on; until then, and now: with sudo")


def prepare_docker() -> Engine:
    install_docker()
    docker = start_engine()
    join_docker_group(docker)
    compose = find_compose(docker)
    if not compose:
        fail("Docker is here, but Compose is not", "install docker-compose-v2 or docker-compose")
    engine = Engine(docker, compose)
    version = subprocess.run([*compose, "version", "--short"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    say(f"engine {engine.ask('version', '--format', '{{.Server.Version}}')}, compose {version}")
    return engine


# ---- Configuration

def write_container_settings(offline: bool, tls: bool) -> None:
    if not configured("POSTGRES_PASSWORD"):
        set_in_env_file("POSTGRES_PASSWORD", os.urandom(16).hex())
    if not configured("COMPOSE_PROJECT_NAME"):
        set_in_env_file("COMPOSE_PROJECT_NAME", "switchyard")
    if offline:
        for line in read_text(OFFLINE / "images.env").splitlines():
            if "=" in line and not line.startswith("#"):
                set_in_env_file(*line.split("=", 1))
        say(".env names the images that this machine makes itself")
    if tls:
        make_certificate()
        set_in_env_file("ROUTER_TLS", "true")
        set_in_env_file("COMPOSE_FILE", "compose.yaml:deploy/compose/tls.yaml")


def make_certificate() -> None:
    folder, host = RUN / "certificates", configured("PLATFORM_HOST", "platform")
    if (folder / "platform.crt").exists():
        return
    if not shutil.which("openssl"):
        install_packages("to make a certificate", ["openssl"])
    folder.mkdir(exist_ok=True)
    if not run_logged(LOGS / "certificate.log", [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "365",
            "-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host},DNS:localhost,IP:127.0.0.1",
            "-keyout", str(folder / "platform.key"), "-out", str(folder / "platform.crt")]):
        fail("openssl could not make a certificate", f"see {LOGS / 'certificate.log'}")
    say(f"made run/certificates/platform.crt for {host}; to trust it: curl --cacert run/certificates/platform.crt ...")


def router_url() -> str:
    host, port = configured("PLATFORM_HOST", "platform"), configured("ROUTER_HTTP_PORT", "80")
    return f"http://{host}" + ("" if port == "80" else f":{port}")


def router_address() -> str:
    """Where its name is not in /etc/hosts, too."""
    return reachable(configured("ROUTER_ADDRESS", "127.0.0.1"))


def check_router_port(engine: Engine) -> None:
    port = configured("ROUTER_HTTP_PORT", "80")
    require_port("ROUTER_HTTP_PORT", port)
    holder = engine.ask("ps", "--filter", f"publish={port}", "--filter", "label=com.docker.compose.service=router", "--format", "{{.Names}}")
    if holder:
        say(f"ROUTER_HTTP_PORT {port}: held by {holder}")
    else:
        require_free_port("ROUTER_HTTP_PORT", port)


# ---- Images

def prepare_images(engine: Engine, offline: bool) -> None:
    if offline:
        if not shutil.which("debootstrap"):
            install_packages("to make base images", ["debootstrap"])
        if not run_logged(LOGS / "offline-images.log", as_root([str(OFFLINE / "make-images.sh")])):
            fail("a base image could not be made", "the log says which, and why")
    elif not run_logged(LOGS / "pull.log", [*engine.compose, "pull", "--quiet", "router", "postgres", "redis"], cwd=ROOT):
        fail("the images of Traefik, PostgreSQL and Redis cannot be loaded",
             "where no registry can be reached: ./setup.sh docker --offline makes them here")
    build_images(engine, "the log says why; ./setup.sh docker goes on where it stopped")
    say(*sorted(engine.ask("images", "--format", "{{.Repository}}  {{.Size}}", "local/*").splitlines()))


def build_images(engine: Engine, remedy: str) -> None:
    if not run_logged(LOGS / "images.log", [*engine.compose, "build"], cwd=ROOT):
        fail("the images of the services could not be built", remedy)


# ---- Containers

def state_of(container: dict) -> str:
    """healthy or not, or running where it has no health check."""
    return (container["State"].get("Health") or container["State"])["Status"]


def describe_containers(engine: Engine) -> dict[str, str]:
    return {container["Name"].removeprefix("/"): state_of(container) for container in engine.inspect(engine.containers())}


def unhealthy_containers(engine: Engine) -> list[str]:
    """Those that are not healthy, and how they are; empty if all are."""
    states = describe_containers(engine)
    return [f"{name} {state}" for name, state in states.items() if state not in ("healthy", "running")] if states else ["no container"]


def keep_scale(engine: Engine) -> list[str]:
    """As many of each as there are: by itself, Compose goes back to one."""
    options = []
    for service in ("auth-api", "core-api", "psp-connector", "psp-events"):
        if (count := len(engine.containers(service))) > 1:
            options += ["--scale", f"{service}={count}"]
    return options


def is_password_of_another_env_file(engine: Engine) -> bool:
    """True if PostgreSQL refuses the password that its own container was given: its volume has another one."""
    checks = [check for container in engine.inspect(engine.containers("postgres"))
              for check in (container["State"].get("Health") or {}).get("Log") or []]
    return any("password authentication failed" in check["Output"] for check in checks)


def fail_to_start(engine: Engine, what: str) -> NoReturn:
    if is_password_of_another_env_file(engine):
        fail("the database was made with another POSTGRES_PASSWORD than that of .env: a new .env over an old volume",
             "put the old password into .env; or give the database that of .env, at the prompt of: docker exec -it "
             f"{engine.containers('postgres')[0][:12]} sh -c 'psql --host=/tmp --username=switchyard || psql --username=switchyard', "
             "with: \\password; or, to lose all data: ./setup.sh docker down --purge")
    fail(what, "./setup.sh docker logs shows what they say")


def start_containers(engine: Engine) -> None:
    deadline = time.monotonic() + 180
    if not run_logged(LOGS / "up.log", [*engine.compose, "up", "--detach", "--remove-orphans", *keep_scale(engine)], cwd=ROOT):
        fail_to_start(engine, "the containers could not be started")
    if waiting := still_wrong(lambda: ", ".join(unhealthy_containers(engine)), deadline):
        fail_to_start(engine, f"not healthy after three minutes: {waiting}")
    if answer := still_wrong(lambda: why_unhealthy(router_url(), router_address()), deadline):
        fail(f"the router does not answer for the services: {answer}", "./setup.sh docker logs shows what they say")
    say(*sorted(f"{name} {state}" for name, state in describe_containers(engine).items()))


def still_wrong(what: Callable[[], str], deadline: float) -> str:
    """What is wrong when the time is over; empty as soon as nothing is."""
    while (answer := what()) and time.monotonic() < deadline:
        time.sleep(0.3)
    return answer


def replace_one(engine: Engine, old: str, service: str, count: int) -> None:
    """One more container of the service, which has `count`, and when the router sends it requests the old one leaves, after
    DRAIN_SECONDS. If the new one does not become healthy, the old one stays."""
    before = set(engine.containers(service))
    done = run_logged(LOGS / "upgrade.log", [*engine.compose, "up", "--detach", "--no-build", "--no-deps", "--no-recreate",
                                             "--scale", f"{service}={count + 1}", service], cwd=ROOT)
    added = [container for container in engine.containers(service) if container not in before]
    if not done or not added:
        fail(f"there is no new container of {service}", "the old ones still serve")
    new = added[0]
    if not wait_until(lambda: [state_of(found) for found in engine.inspect([new])] == ["healthy"], 180, 0.5):
        say(*engine.logs("--tail", "5", new).splitlines())
        engine.ask("rm", "--force", new)
        fail(f"the new {service} is not healthy after three minutes: its last lines are above", "the old ones still serve")
    time.sleep(ROUTER_LEARNS_S)
    engine.ask("stop", old)
    engine.ask("rm", old)
    say(f"{service}: {new[:12]} in the place of {old[:12]}")


def upgrade_containers(engine: Engine) -> None:
    for service in ("auth-api", "core-api", "psp-events"):
        containers = engine.containers(service)
        for old in containers:
            replace_one(engine, old, service, len(containers))
    # The others are asked by nobody from outside; payments wait for them.
    start_containers(engine)


# ---- One payment

def ask_router(path: str, **options) -> tuple[int, str]:
    status, text = ask(router_url(), path, address=router_address(), **options)
    if not status:
        fail(f"the router did not answer: {text}", "./setup.sh docker status and ./setup.sh docker logs show how it is")
    return status, text


def make_container_payment(engine: Engine) -> None:
    """As `switchyard demo` makes and shows it, which none of these images has."""
    if configured("SWITCHYARD_ENV") == "production":
        say("SWITCHYARD_ENV=production has no demo users: no example payment is made")
        return
    url, login, payment = router_url(), {"username": "alice", "password": "password"}, {"amount": 100, "currency": "USD"}
    content, see_logs = "-H 'Content-Type: application/json'", "the reply is above; ./setup.sh docker logs shows the server's side"
    status, text = ask_router("/auth/token", body=login)
    token = field(text, "token")
    say(f"$ token=$(curl -sS -X POST {url}/auth/token {content} -d '{compact(login)}' | cut -d '\"' -f 4)",
        f"  {status} {text.replace(token, token[:20] + '...') if token else text}", "")
    if status == 401:
        say("the demo user alice is not in this store, or has another password: no example payment is made")
        return
    if status != 200:
        fail("alice got no token", see_logs)
    bearer, key = {"Authorization": f"Bearer {token}"}, f"demo-{uuid.uuid4()}"
    status, text = ask_router("/transaction/transaction", body=payment, headers={**bearer, "Idempotency-Key": key})
    say(f"$ curl -X POST {url}/transaction/transaction {content} -H 'Idempotency-Key: {key}' -H \"Authorization: Bearer $token\" "
        f"-d '{compact(payment)}'", f"  {status} {text}", "")
    transaction = field(text, "id")
    if status != 200 or not transaction:
        fail("the transaction was not accepted", see_logs)
    await_captured(transaction, bearer)
    say("the transaction is captured; the connector's lines about it:")
    show_connector_log(engine, transaction)


def compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def await_captured(transaction: str, bearer: dict[str, str]) -> None:
    deadline, state = time.monotonic() + 15, ""
    while state != "captured":
        if state in ("declined", "failed") or time.monotonic() >= deadline:
            fail(f"the transaction is {state or 'not to be seen'}, not captured", "./setup.sh docker logs shows what the connector did")
        time.sleep(0.1)
        status, text = ask_router(f"/transaction/transaction/{transaction}", headers=bearer)
        state = field(text, "status") if status == 200 else state


def show_connector_log(engine: Engine, transaction: str) -> None:
    lines: list[str] = []

    def is_complete() -> bool:
        lines[:] = [line for container in engine.containers("psp-connector")
                    for line in lines_about(transaction, engine.logs("--since", "2m", container))]
        return any("Result is kept" in line for line in lines)

    wait_until(is_complete, 5, 0.1)
    names = engine.ask("ps", "--filter", "label=com.docker.compose.service=psp-connector", "--format", "{{.Names}}").split()
    say(f"$ docker logs {names[0]}", "  " + "\n     ".join(lines))


def lines_about(transaction: str, log: str) -> Iterator[str]:
    """The connector's lines about one payment; that with the call of the PSP names no transaction."""
    within = False
    for line in log.splitlines():
        is_end = "Result is kept" in line
        within = within or transaction in line
        if within and (transaction in line or is_end or "==> Making transaction" in line):
            yield line
        within = within and not is_end


# ---- Commands

def show_summary(engine: Engine) -> None:
    url = router_url()
    print(f"""\
{bold("Switchyard is running in containers.")}

{addresses(url)}

   containers     ./setup.sh docker status
   logs           ./setup.sh docker logs, or: docker logs NAME
   more of one    {" ".join(engine.compose)} up --detach --scale core-api=3 --scale psp-connector=2
   new version    ./setup.sh docker upgrade, also after a change of .env
   stop           ./setup.sh docker down  and with --purge, the data goes, too""")


def set_up(offline: bool, tls: bool) -> None:
    began = time.monotonic()
    drop_empty_variables()
    require_writable_folder()
    lock_folder()
    step("Docker")
    engine = prepare_docker()
    step("Configuration")
    write_env_file()
    write_container_settings(offline, tls)
    step("Port and host name")
    check_router_port(engine)
    name_the_host()
    step("Images")
    prepare_images(engine, offline)
    step("Containers")
    start_containers(engine)
    step("One payment")
    make_container_payment(engine)
    end_step()
    show_summary(engine)
    print(f"\nDone in {elapsed(time.monotonic() - began)}.")


def upgrade(engine: Engine) -> None:
    drop_empty_variables()
    lock_folder()
    if not engine.containers():
        fail("nothing runs that could be upgraded", "./setup.sh docker starts all")
    step("Images")
    build_images(engine, "the log says why; what runs goes on")
    step("Containers")
    upgrade_containers(engine)
    end_step()


def down(engine: Engine, purge: bool) -> int:
    if status := engine.do("down", *(["--volumes", "--remove-orphans"] if purge else [])):
        return status
    if purge:
        print("The data is gone. .env is left, and the images: docker images 'local/*' lists them.")
    else:
        print("The data is still there: ./setup.sh docker goes on with it, ./setup.sh docker down --purge removes it.")
    return 0


def running_engine() -> Engine:
    docker = find_engine()
    compose = find_compose(docker) if docker else None
    if not docker or not compose:
        print("setup.sh: no Docker engine answers, so no container of Switchyard runs. ./setup.sh docker starts all", file=sys.stderr)
        sys.exit(1)
    return Engine(docker, compose)


def main(arguments: list[str]) -> int | None:
    words = list(arguments)
    options = set()
    while words and words[0] in ("--offline", "--tls"):
        options.add(words.pop(0))
    match words:
        case []:
            return set_up("--offline" in options, "--tls" in options)
        case ["upgrade"]:
            return upgrade(running_engine())
        case ["down"] | ["down", "--purge"]:
            return down(running_engine(), len(words) > 1)
        case ["status"]:
            engine = running_engine()
            return engine.do("ps") or int(bool(unhealthy_containers(engine)))
        case ["logs", *more]:
            os.chdir(ROOT)
            command = [*running_engine().compose, "logs", "--follow", "--tail", "50", *more]
            os.execvp(command[0], command)
        case ["help" | "-h" | "--help"]:
            print(USAGE, end="")
            return 0
    print(f"setup.sh: this is not understood: docker {' '.join(arguments)}\n\n{USAGE}", end="", file=sys.stderr)
    return 2
