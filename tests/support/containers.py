"""Switchyard in containers as `./setup.sh docker --offline` starts it, from a copy of the project in a folder of its own."""

import functools
import json
import os
import pathlib
import shutil
import subprocess

from support.http_client import Client, Endpoint
from support.ports import free_port
from support.waiting import eventually

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
OUR_IMAGES = ("local/auth-api", "local/core-api", "local/psp-connector", "local/psp-events", "local/psp-simulator")
SERVICES = ("auth-api", "core-api", "psp-connector", "psp-events", "psp-simulator", "postgres", "redis", "router")


def run(*words, check=True, timeout_s=60, **options):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=timeout_s, check=False,
                          **options)
    assert not check or done.returncode == 0, f"{words}: exit {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done


def docker(*words, **options):
    return run("docker", *words, **options).stdout.strip()


def why_no_engine():
    """Empty if containers can be run here."""
    if shutil.which("docker") is None:
        return "Docker is not installed"
    if run("docker", "info", check=False).returncode != 0:
        return "no Docker engine answers"
    return ""


@functools.cache
def compose_command():
    has_plugin = run("docker", "compose", "version", check=False).returncode == 0
    return ("docker", "compose") if has_plugin else ("docker-compose",)


def has_image(name):
    return bool(docker("images", "--quiet", name))


class Platform:
    """A project of its own: its name, its port, its volumes. What it started it removes again."""

    def __init__(self, folder):
        self.folder = folder / "switchyard"
        files = run("git", "-c", f"safe.directory={ROOT}", "ls-files", "--cached", "--others", "--exclude-standard", "-z",
                    cwd=ROOT).stdout.split("\0")
        for name in filter(None, files):
            if (ROOT / name).is_file():
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.folder / name, follow_symlinks=False)
        # What most tests wait for is that a container has become healthy; before that, for a compiler that optimises.
        self._change("services/Dockerfile", "HEALTHCHECK --interval=5s", "HEALTHCHECK --interval=1s")
        self._change("CMakePresets.json", '"-O2 -g1"', '"-O0"', 1)
        self.name = f"switchyard-test-{os.getpid()}"
        self.port = free_port()
        self.environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin", "HOME": os.environ.get("HOME", "/root"),
            "COMPOSE_PROJECT_NAME": self.name, "ROUTER_HTTP_PORT": str(self.port),
            **{name: os.environ[name] for name in ("GOPROXY", "GOFLAGS", "GOCACHE", "GOMODCACHE") if name in os.environ},
        }

    def _change(self, name, old, new, at_most=-1):
        text = (self.folder / name).read_text()
        assert old in text, f"{name} no longer says {old}"
        (self.folder / name).write_text(text.replace(old, new, at_most))

    def setup(self, *arguments, check=True, timeout_s=3600):
        return run("./setup.sh", "docker", *arguments, check=check, timeout_s=timeout_s, cwd=self.folder,
                   env=self.environment)

    def compose(self, *arguments, check=True, timeout_s=600, env=None):
        return run(*compose_command(), *arguments, check=check, timeout_s=timeout_s, cwd=self.folder, env=env or self.environment)

    def listed(self, *options):
        """The project's containers, also those that do not run, as Docker itself lists them: Compose takes a second for it."""
        return docker("ps", "--all", "--no-trunc", "--filter", f"label=com.docker.compose.project={self.name}",
                      "--filter", "label=com.docker.compose.oneoff=False", *options)

    def containers(self, service):
        return self.listed("--quiet", "--filter", f"label=com.docker.compose.service={service}").split()

    def state(self, container):
        return json.loads(docker("inspect", container))[0]

    def unhealthy(self):
        """What is not there, not running or not healthy; empty if all is well."""
        found = dict.fromkeys(SERVICES, "not there")
        for line in self.listed("--format", '{{.Label "com.docker.compose.service"}} {{.Status}}').splitlines():
            service, status = line.split(" ", 1)
            well = status.startswith("Up ") and "(unhealthy)" not in status and "(health: starting)" not in status
            if not well:
                found[service] = status
            elif found.get(service) == "not there":
                del found[service]
        return found

    def wait_healthy(self, timeout_s=120):
        eventually(lambda: not self.unhealthy(), "all containers to be healthy", timeout_s=timeout_s, interval_s=0.5)
        eventually(lambda: all(self.client(prefix).get("/health", headers=self.host).status == 200
                               for prefix in ("/auth", "/transaction", "/psp")),
                   "the router to reach all services", timeout_s=timeout_s, interval_s=0.2)

    host = {"Host": "platform"}

    def client(self, prefix=""):
        return Client(Endpoint("127.0.0.1", self.port, prefix), timeout_s=30)

    def token(self, username="alice"):
        reply = self.client("/auth").post("/token", json={"username": username, "password": "password"},
                                          headers=self.host)
        assert reply.status == 200, reply
        return reply.json()["token"]

    def simulator(self, path):
        """What psp-simulator, which nobody outside can ask, answers inside its container."""
        return json.loads(docker("exec", self.containers("psp-simulator")[0], "curl", "--silent", "--fail",
                                 f"http://127.0.0.1:5000{path}"))

    def charges(self):
        """How often each reference was charged, by the PSP's own book."""
        counts, after = {}, ""
        while after is not None:
            page = self.simulator(f"/charges/counts?limit=1000&after={after}")
            counts.update({item["reference"]: item["charges"] for item in page["items"]})
            after = page["next"]
        return counts
