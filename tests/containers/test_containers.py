"""Switchyard in containers, as `./setup.sh docker --offline` starts them: everything from outside goes through the router.

Needs a Docker engine, and root or sudo for the base images. `./test.sh docker` brings both about."""

import http.client
import json
import random
import re
import subprocess
import threading
import time
import uuid
from collections import Counter

import pytest

from support import containers
from support.containers import OUR_IMAGES, SERVICES, Platform, docker, run
from support.http_client import Client, Endpoint
from support.ports import free_port
from support.waiting import NeverHappened, eventually

FINAL = ("captured", "declined", "failed")


@pytest.fixture(scope="module", autouse=True)
def engine():
    if reason := containers.why_no_engine():
        pytest.skip(reason)


@pytest.fixture(scope="module")
def base_images(engine):
    """Makes the images that a registry would give; what cannot be had is said by its own script."""
    done = run("./deploy/offline/make-images.sh", cwd=containers.ROOT, check=False, timeout_s=3600)
    assert done.returncode in (0, 3), done.stdout[-3000:] + done.stderr[-3000:]
    return done


@pytest.fixture(scope="module")
def project(base_images, tmp_path_factory):
    """The project's folder, set up by nothing yet."""
    project = Platform(tmp_path_factory.mktemp("containers"))
    yield project
    project.setup("down", "--purge", check=False)


@pytest.fixture(scope="module")
def platform(base_images, project):
    if not containers.has_image("local/traefik:3"):
        pytest.skip(f"Traefik cannot be had: {base_images.stdout.strip().splitlines()[-1]}")
    project.first_output = project.setup("--offline").stdout
    return project


# ---- ./setup.sh docker

def test_setup_makes_a_payment_and_says_what_to_do_next(platform):
    output = platform.first_output
    assert re.search(r"/auth/token .*\n +200 \{\"token\"", output), output
    assert "the transaction is captured" in output
    assert "==> Making transaction with PSP: User ID: 1, Amount: 100, Currency: USD" in output, "docker logs"
    assert f"POST http://platform:{platform.port}/transaction/transaction" in output
    assert "./setup.sh docker down" in output


def test_setup_again_changes_nothing(platform):
    before = {service: platform.containers(service) for service in SERVICES}
    environment = (platform.folder / ".env").read_text()
    platform.setup("--offline")
    assert {service: platform.containers(service) for service in SERVICES} == before
    assert (platform.folder / ".env").read_text() == environment


def test_status(platform):
    done = platform.setup("status")
    assert all(service in done.stdout for service in SERVICES)


# ---- compose.yaml

@pytest.mark.parametrize("missing", ["JWT_SECRET", "POSTGRES_PASSWORD"])
def test_without_a_secret_compose_says_which(project, missing, tmp_path):
    settings = {"JWT_SECRET": "x" * 32, "POSTGRES_PASSWORD": "y" * 32}
    del settings[missing]
    (tmp_path / "env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    done = project.compose("--env-file", str(tmp_path / "env"), "config", check=False)
    assert done.returncode != 0
    assert f"{missing} is not set. Put {missing}=..." in done.stderr


def test_no_container_may_do_more_than_it_needs(platform):
    for service in SERVICES:
        for container in platform.containers(service):
            host = platform.state(container)["HostConfig"]
            assert host["ReadonlyRootfs"], service
            assert host["CapDrop"] == ["ALL"], service
            assert "no-new-privileges:true" in host["SecurityOpt"], service
            assert host["Memory"] > 0, service
            assert host["RestartPolicy"]["Name"] == "unless-stopped", service
            assert host["LogConfig"]["Config"]["max-size"], service
            assert not host["Privileged"], service


# ---- The images

@pytest.mark.parametrize("image", OUR_IMAGES)
def test_image_is_small_and_runs_as_nobody_special(platform, image):
    described = json.loads(docker("inspect", image))[0]
    assert described["Size"] < 150_000_000
    assert described["Config"]["User"] == "10001:10001"
    assert docker("run", "--rm", "--entrypoint", "id", image, "-u") == "10001"
    labels = described["Config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == image.removeprefix("local/")
    health = described["Config"].get("Healthcheck")
    assert health is not None, "each service has a health of its own"
    if health:
        assert "curl" in health["Test"]


@pytest.mark.parametrize("image", OUR_IMAGES)
def test_image_holds_no_secret_and_nothing_of_the_repository(platform, image):
    secrets = [line.split("=", 1)[1].encode() for line in (platform.folder / ".env").read_text().splitlines()
               if line.startswith(("JWT_SECRET=", "POSTGRES_PASSWORD="))]
    assert len(secrets) == 2 and all(len(secret) >= 32 for secret in secrets)
    with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saved:
        seen = tail = b""
        found = []
        while block := saved.stdout.read(1 << 20):
            seen = tail + block
            found += [secret for secret in secrets if secret in seen]
            tail = block[-128:]
        assert saved.wait() == 0
    assert not found
    assert "JWT_SECRET" not in docker("inspect", image) and "JWT_SECRET" not in docker("history", "--no-trunc", image)
    files = docker("run", "--rm", "--entrypoint", "find", image, "/", "-xdev", "(", "-name", ".env", "-o", "-name", ".git",
                   "-o", "-name", "*.cpp", "-o", "-name", "cc1plus", ")", check=False)
    assert files == ""


# ---- Through the router

def test_reference_exchange_with_httpie(platform):
    def http(*words):
        done = run("http", "--ignore-stdin", "--check-status", *words)
        return json.loads(done.stdout)

    base = f"http://127.0.0.1:{platform.port}"
    token = http("POST", f"{base}/auth/token", "Host:platform", "username=alice", "password=password")["token"]
    accepted = http("POST", f"{base}/transaction/transaction", "Host:platform", "amount=100", "currency=USD",
                    f"token={token}")
    assert (accepted["amount"], accepted["currency"], accepted["user_id"]) == (100, "USD", 1)
    eventually(lambda: http(f"{base}/transaction/transaction/{accepted['id']}", "Host:platform",
                            f"Authorization:Bearer {platform.token()}")["status"] == "captured", "the capture")
    logs = "".join(run("docker", "logs", container).stdout + run("docker", "logs", container).stderr
                   for container in platform.containers("psp-connector"))
    assert f"default: Job OK ({accepted['id']})" in logs


def test_charlie_is_forbidden(platform):
    reply = platform.client("/transaction").post(
        "/transaction", json={"amount": 100, "currency": "USD", "token": platform.token("charlie")},
        headers=platform.host)
    assert reply.status == 403


@pytest.mark.parametrize("path", ["/", "/auth", "/auth/nothing", "/transaction/nothing", "/token", "/health",
                                  "/api/rawdata", "/dashboard/", "/metrics"])
def test_unknown_paths(platform, path):
    assert platform.client().get(path, headers=platform.host).status == 404


def test_another_host_is_unknown(platform):
    assert platform.client().get("/auth/health", headers={"Host": "elsewhere"}).status == 404


def test_security_headers(platform):
    reply = platform.client().get("/transaction/health", headers=platform.host)
    assert reply.header("X-Content-Type-Options") == "nosniff"
    assert reply.header("X-Frame-Options") == "DENY"
    assert reply.header("Referrer-Policy") == "no-referrer"
    assert reply.header("Server") is None


def test_a_large_body_is_refused(platform):
    reply = platform.client("/transaction").post("/transaction", body=b" " * 70_000, headers=platform.host)
    assert reply.status == 413


def test_webhooks_come_to_psp_events(platform):
    """Without a routing file no account takes events, which psp-events says itself; the router takes what an event may have."""
    reply = platform.client("/psp").post("/stripe_eu/events", body=b"{}", headers=platform.host)
    assert reply.status == 404 and "ROUTING_FILE is not set" in reply.json()["detail"]
    large = platform.client("/psp").post("/stripe_eu/events", body=b" " * 200_000, headers=platform.host)
    assert large.status == 404, "not too large for an event"


def test_many_logins_are_slowed_down(platform):
    with platform.client("/auth") as client:
        statuses = [client.get("/health", headers=platform.host).status for _ in range(400)]
    assert 429 in statuses, "20 a second, 40 at once"
    eventually(lambda: platform.client("/auth").get("/health", headers=platform.host).status == 200, "the limit to pass")


def test_nothing_but_the_router_can_be_reached(platform):
    published = {service: [port for container in platform.containers(service)
                           for port, bound in platform.state(container)["NetworkSettings"]["Ports"].items() if bound]
                 for service in SERVICES}
    assert published == {**{service: [] for service in SERVICES}, "router": ["80/tcp"]}

    def address(service, network):
        networks = platform.state(platform.containers(service)[0])["NetworkSettings"]["Networks"]
        return networks[f"{platform.name}_{network}"]["IPAddress"]

    def reach(address, port, *options):
        return run("docker", "run", "--rm", *options, "--entrypoint", "curl", "local/core-api", "--silent", "--max-time", "3",
                   "--output", "/dev/null", f"http://{address}:{port}/health", check=False).returncode

    refused_or_lost = (7, 28)
    for service, port in [("auth-api", 5000), ("core-api", 5000), ("psp-events", 5000), ("psp-simulator", 5000),
                          ("core-api", 9464)]:
        inside = reach(address(service, "private"), port, "--network", f"{platform.name}_private")
        assert inside == 0, f"{service} listens, inside"
        assert reach(address(service, "private"), port) in refused_or_lost, f"{service} from another network"
    for service, port in [("postgres", 5432), ("redis", 6379)]:
        assert reach(address(service, "private"), port) in refused_or_lost, f"{service} from another network"


# ---- More than one of each

def requests_seen(container):
    metrics = docker("exec", container, "curl", "--silent", "http://127.0.0.1:9464/metrics")
    return sum(float(line.rsplit(" ", 1)[1]) for line in metrics.splitlines()
               if line.startswith("switchyard_http_requests_total{") and 'method="POST"' in line)


def test_scaled_services_share_the_work(platform):
    platform.compose("up", "--detach", "--no-build", "--scale", "core-api=3", "--scale", "psp-connector=2")
    platform.wait_healthy()
    assert [len(platform.containers(service)) for service in ("core-api", "psp-connector")] == [3, 2]
    token = platform.token()

    def post_some():
        with platform.client("/transaction") as client:
            for _ in range(30):
                reply = client.post("/transaction", json={"amount": 300, "currency": "EUR", "token": token},
                                    headers=platform.host)
                assert reply.status == 200, reply
        return all(requests_seen(container) > 0 for container in platform.containers("core-api"))

    eventually(post_some, "all three to be asked", interval_s=0.5)
    platform.compose("up", "--detach", "--no-build", "--scale", "core-api=1", "--scale", "psp-connector=1")
    platform.wait_healthy()


# ---- What goes wrong

class Load:
    """Merchants that never give up: what got no answer is sent again under its key, until told to stop."""

    def __init__(self, platform, seed, threads=4, limit=50_000):
        self.acknowledged = {}
        self.refused = Counter()
        self.last_refusal = None
        self._platform, self._stop, self._lock = platform, threading.Event(), threading.Lock()
        self._limit = limit
        self._threads = [threading.Thread(target=self._run, args=(random.Random(seed + number),))
                         for number in range(threads)]
        for thread in self._threads:
            thread.start()

    def _run(self, rng):
        client = Client(Endpoint("127.0.0.1", self._platform.port, ""), timeout_s=10)
        token, expires = None, 0
        while not self._stop.is_set() and len(self.acknowledged) < self._limit:
            amount, key = rng.randrange(1, 100_000), str(uuid.UUID(int=rng.getrandbits(128)))
            while not self._stop.is_set():
                try:
                    if time.monotonic() > expires:
                        reply = client.post("/auth/token", json={"username": "alice", "password": "password"},
                                            headers=self._platform.host)
                        if reply.status == 200:
                            token, expires = reply.json()["token"], time.monotonic() + 20
                    reply = client.post("/transaction/transaction", headers={**self._platform.host, "Idempotency-Key": key},
                                        json={"amount": amount, "currency": "USD", "token": token or ""})
                except (OSError, http.client.HTTPException, ValueError) as trouble:
                    self.refused[type(trouble).__name__] += 1
                    self._stop.wait(0.05)
                    continue
                if reply.status == 200:
                    with self._lock:
                        self.acknowledged[reply.json()["id"]] = amount
                    self._stop.wait(0.02)
                    break
                self.refused[reply.status] += 1
                self.last_refusal = reply
                self._stop.wait(0.05)

    def progress(self):
        """Waits until merchants get their answers again."""
        before = len(self.acknowledged)
        self.refused.clear()
        try:
            eventually(lambda: len(self.acknowledged) > before + 50, "the load to be under way", timeout_s=60)
        except NeverHappened as never:
            alive = sum(thread.is_alive() for thread in self._threads)
            raise AssertionError(f"{never}; {alive} merchants, refused: {dict(self.refused)}") from never

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()


def assert_each_is_captured_and_charged_once(platform, acknowledged):
    def statuses():
        """By pages: asked for one after another, tens of thousands took longer than what they test."""
        found, cursor, token, taken_at = {}, "", platform.token(), time.monotonic()
        with platform.client("/transaction") as client:
            while cursor is not None:
                if time.monotonic() - taken_at > 20:
                    token, taken_at = platform.token(), time.monotonic()
                reply = client.get(f"/transaction?limit=100{cursor}",
                                   headers={**platform.host, "Authorization": f"Bearer {token}"})
                if reply.status == 429:
                    time.sleep(0.05)
                    continue
                assert reply.status == 200, reply
                page = reply.json()
                found.update((item["id"], item["status"]) for item in page["items"])
                cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
        return found

    def all_final():
        counts = platform.compose("exec", "-T", "postgres", "psql", "--host=/tmp", "--username=switchyard", "-Atc",
                                  "select count(*) from transactions where next_action_at is not null").stdout
        return int(counts) == 0

    eventually(all_final, "all to be final", timeout_s=180, interval_s=1)
    outcome = statuses()
    assert [id for id in acknowledged if id not in outcome] == [], "none is lost"
    assert {outcome[id] for id in acknowledged} == {"captured"}
    rows = platform.compose("exec", "-T", "postgres", "psql", "--host=/tmp", "--username=switchyard", "-Atc",
                            "select derived_reference, id from transactions where derived_reference <> ''").stdout
    ids = dict(line.split("|") for line in rows.splitlines())
    charges = {ids.get(reference, reference): count for reference, count in platform.charges().items()}
    assert [id for id in acknowledged if charges.get(id) != 1] == [], "charged once, each"
    assert max(charges.values()) == 1


def test_kill_each_service_under_load(platform):
    seed = random.SystemRandom().getrandbits(32)
    print(f"seed {seed}")
    load = Load(platform, seed)
    try:
        for service in ("core-api", "psp-connector", "psp-events", "auth-api", "redis", "postgres", "psp-simulator", "router"):
            load.progress()
            print(f"killing {service}")
            docker("kill", platform.containers(service)[0])
            platform.compose("up", "--detach", "--no-build")
            platform.wait_healthy()
        load.progress()
    finally:
        load.stop()
    print(f"{len(load.acknowledged)} acknowledged")
    assert_each_is_captured_and_charged_once(platform, load.acknowledged)


def test_up_brings_a_database_back_whose_clients_are_unhealthy_by_now(platform):
    docker("kill", platform.containers("postgres")[0])
    clients = ("auth-api", "core-api", "psp-events")

    def all_unhealthy():
        found = platform.unhealthy()
        return all("(unhealthy)" in found.get(service, "") for service in clients)

    eventually(all_unhealthy, "its clients to be unhealthy", timeout_s=120, interval_s=0.5)
    platform.compose("up", "--detach", "--no-build")
    platform.wait_healthy()


def test_an_upgrade_and_the_way_back_fail_no_request(platform):
    """Two of core-api get another image, one after another, then the one before: no reply but 200, and no connection lost."""
    seed = random.SystemRandom().getrandbits(32)
    print(f"seed {seed}")
    # Another image is all that an upgrade is; the program need not be compiled for it.
    recipe = platform.folder / "services" / "Dockerfile"
    versions = [recipe.read_text() + '\nLABEL upgraded="1"\n', recipe.read_text()]
    platform.compose("up", "--detach", "--no-build", "--scale", "core-api=2")
    platform.wait_healthy()
    load = Load(platform, seed, threads=3)
    try:
        load.progress()
        for version in versions:
            before = set(platform.containers("core-api"))
            image = docker("inspect", "--format", "{{.Id}}", "local/core-api")
            recipe.write_text(version)
            platform.setup("upgrade")
            assert docker("inspect", "--format", "{{.Id}}", "local/core-api") != image, "another version"
            after = set(platform.containers("core-api"))
            assert len(after) == 2 and not after & before
        assert not load.refused, f"beside {len(load.acknowledged)}: {load.last_refusal}"
        load.progress()
    finally:
        load.stop()
        recipe.write_text(versions[-1])
    print(f"{len(load.acknowledged)} acknowledged, none refused")
    assert_each_is_captured_and_charged_once(platform, load.acknowledged)
    platform.compose("up", "--detach", "--no-build", "--scale", "core-api=1")
    platform.wait_healthy()


def test_a_process_that_dies_is_started_again(platform):
    container = platform.containers("core-api")[0]
    pid = platform.state(container)["State"]["Pid"]
    run("kill", "-9", pid)
    eventually(lambda: platform.state(container)["State"]["Pid"] not in (0, pid), "another process", timeout_s=60)
    platform.wait_healthy()


def test_the_data_outlives_the_containers(platform):
    accepted = platform.client("/transaction").post(
        "/transaction", json={"amount": 4711, "currency": "USD", "token": platform.token()}, headers=platform.host).json()
    before = platform.containers("postgres")
    platform.setup("down")
    assert platform.setup("status", check=False).returncode == 1
    platform.setup("--offline")
    assert platform.containers("postgres") != before
    reply = platform.client("/transaction").get(f"/transaction/{accepted['id']}", headers={
        **platform.host, "Authorization": f"Bearer {platform.token()}"})
    assert (reply.status, reply.json()["amount"]) == (200, 4711)


# ---- Observability

def test_prometheus_sees_every_process(platform):
    port = free_port()
    platform.environment["PROMETHEUS_PORT"] = str(port)
    platform.compose("--profile", "observability", "up", "--detach", "--no-build", "prometheus")

    def all_up():
        done = run("curl", "--silent", f"http://127.0.0.1:{port}/api/v1/targets", check=False)
        targets = json.loads(done.stdout or '{"data": {"activeTargets": []}}')["data"]["activeTargets"]
        return len(targets) == 5 and all(target["health"] == "up" for target in targets)

    eventually(all_up, "all programs to be asked", timeout_s=90, interval_s=0.5)
    platform.compose("--profile", "observability", "rm", "--stop", "--force", "prometheus")


# ---- TLS

def test_tls_with_a_certificate_of_this_machine(platform):
    port = free_port()
    platform.environment["ROUTER_HTTPS_PORT"] = str(port)
    platform.setup("--offline", "--tls")
    certificate = platform.folder / "run" / "certificates" / "platform.crt"
    reply = run("curl", "--silent", "--include", "--cacert", certificate, "--resolve", f"platform:{port}:127.0.0.1",
                f"https://platform:{port}/transaction/health").stdout
    assert reply.startswith("HTTP/2 200"), reply
    assert "strict-transport-security: max-age=31536000" in reply
    assert (certificate.with_suffix(".key").stat().st_mode & 0o077) == 0


# ---- Builds

def test_a_change_in_one_service_rebuilds_that_service_only(platform):
    def images():
        return {name: docker("inspect", "--format", "{{.Id}}", name) for name in OUR_IMAGES}

    before = images()
    # In the program itself, not in a comment: an image with the same bytes would be the same.
    source = platform.folder / "services" / "auth-api" / "main.cpp"
    source.write_text(source.read_text() + '\nextern const char changed[];\nconst char changed[] = "changed";\n')
    try:
        platform.compose("build", timeout_s=1800)
        after = images()
    finally:
        for name, image in before.items():
            docker("tag", image, name)
    assert {name for name in OUR_IMAGES if after[name] != before[name]} == {"local/auth-api"}
