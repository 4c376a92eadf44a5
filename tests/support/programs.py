"""Starts the real binaries, waits until they serve, and stops them by process id.

A `Program` is one process with its log file. `Switchyard` is the all-in-one; `ThreeServices` are auth-api, core-api and
psp-connector side by side over one SQLite file. Both offer the same endpoints: `auth`, `core` and `metrics`.
`PspSimulator` is the PSP as a program of its own, for the others' PSP_URL; `PspEvents` takes PSPs' webhooks."""

import json as json_codec
import os
import socket
import subprocess
from pathlib import Path

from support.http_client import Client, Endpoint
from support.ports import free_port
from support.processes import Process, inherited_environment
from support.waiting import PATIENCE, eventually

REPOSITORY = Path(__file__).resolve().parents[2]
BINARIES = Path(os.environ.get("SWITCHYARD_BIN", REPOSITORY / "build" / "release" / "bin")).resolve()
DEMO_USERS = REPOSITORY / "services" / "auth-api" / "users.json"
SECRET = "functional-tests-sign-with-this-secret-0123456789"

_SANITIZER_REPORTS = ("ERROR: AddressSanitizer", "WARNING: ThreadSanitizer", "ERROR: LeakSanitizer", "runtime error:")


def binary(name):
    return str(BINARIES / name)


def development_settings(folder, **overrides):
    """The environment of a development set-up with its files in `folder`. An override of None removes a variable."""
    settings = {
        "SWITCHYARD_ENV": "development",
        "HTTP_HOST": "127.0.0.1",
        "JWT_SECRET": SECRET,
        "DATABASE_URL": f"sqlite:{folder / 'switchyard.db'}",
        "PSP_SIMULATOR_LEDGER": str(folder / "ledger.db"),
        "USERS_FILE": str(DEMO_USERS),
        "LOG_FORMAT": "text",
        "LEASE_SECONDS": "2",
        "PSP_TIMEOUT_SECONDS": "1",  # below the lease
        "LOOK_UPS_MAX": "4",  # some eight seconds until a person is asked
        # Tests of throttling set their own limits; everybody else may fail as often as they like.
        "LOGIN_FAILURES_PER_USER": "1000000",
        "LOGIN_FAILURES_PER_ADDRESS": "1000000",
    }
    settings.update({name: None if value is None else str(value) for name, value in overrides.items()})
    return {name: value for name, value in settings.items() if value is not None}


class Program(Process):
    """One of our binaries; `settings` are its environment. `label` tells it from others of the same binary."""

    def __init__(self, name, arguments, settings, folder, label=None):
        super().__init__(label or name, [binary(name), *arguments], folder, settings)

    settings = property(lambda self: self.environment)

    def assert_log_is_clean(self):
        """No sanitizer report, and neither the signing secret nor a token in the log."""
        text = self.log()
        for report in _SANITIZER_REPORTS:
            assert report not in text, f"{self.name} printed a sanitizer report, see {self.log_path}"
        assert self.settings.get("JWT_SECRET", SECRET) not in text, f"{self.name} printed JWT_SECRET"
        assert "eyJ" not in text, f"{self.name} printed a token"


def assert_started(program):
    """Not an AssertionError: whoever waits for a process that has ended need not wait any longer."""
    if not program.alive():
        code = program.process.returncode
        raise RuntimeError(f"{program.name} exited with {code} before it was ready:\n{program.log()[-4000:]}")


def has_started(program):
    """Whether a stop signal ends it gracefully by now, and not at once; or it has ended."""
    if not program.alive():
        return True
    address = program.settings.get("HTTP_HOST", "127.0.0.1"), int(program.settings["METRICS_PORT"])
    try:
        socket.create_connection(address, timeout=5).close()
    except OSError:
        return False
    return True


def listens(connector):
    """Whether a psp-connector is at work."""
    assert_started(connector)
    return "Listening on default" in connector.log_since_start()


def healthy(endpoint, program):
    """Whether a program that has not ended answers 200 to a health check."""
    assert_started(program)
    try:
        with Client(endpoint, timeout_s=5) as client:
            return client.get("/health").status == 200
    except OSError:
        return False


class Switchyard:
    """`switchyard serve`: router, auth-api, core-api, psp-events and psp-connector in one process."""

    def __init__(self, folder, **overrides):
        self.port = int(overrides.get("HTTP_PORT") or free_port())
        self.metrics_port = free_port()
        settings = development_settings(folder, HTTP_PORT=self.port, METRICS_PORT=self.metrics_port)
        settings.update({name: str(value) for name, value in overrides.items() if value is not None})
        for name, value in overrides.items():
            if value is None:
                settings.pop(name, None)
        self.program = Program("switchyard", ["serve"], settings, folder)
        self.auth = Endpoint("127.0.0.1", self.port, "/auth")
        self.core = Endpoint("127.0.0.1", self.port, "/transaction")
        self.events = Endpoint("127.0.0.1", self.port, "/psp")
        self.metrics = Endpoint("127.0.0.1", self.metrics_port, "")
        self.root = Endpoint("127.0.0.1", self.port, "")

    programs = property(lambda self: [self.program])
    connector_log = property(lambda self: self.program.log)
    settings = property(lambda self: self.program.settings)
    ledger = property(lambda self: Path(self.settings["PSP_SIMULATOR_LEDGER"]))

    @property
    def database(self):
        """What `storage` reads: the file, or the URL."""
        url = self.settings["DATABASE_URL"]
        return Path(url.removeprefix("sqlite:")) if url.startswith("sqlite:") else url

    def start(self):
        self.program.start()
        return self.waithealthy()

    def waithealthy(self, timeout_s=30.0):
        for endpoint in (self.auth, self.core):
            eventually(lambda: healthy(endpoint, self.program), f"{endpoint.url('/health')} to be healthy",
                       timeout_s)
        return self

    def alive(self):
        return self.program.alive()

    def stop(self):
        return self.program.stop()

    def kill(self):
        self.program.kill()


class ThreeServices:
    """auth-api, core-api and psp-connector as programs of their own over one SQLite file."""

    def __init__(self, folder, **overrides):
        self.programs = []
        ports = {}
        for name in ("auth-api", "core-api", "psp-connector"):
            ports[name], metrics_port = free_port(), free_port()
            settings = development_settings(folder, HTTP_PORT=ports[name], METRICS_PORT=metrics_port, **overrides)
            self.programs.append(Program(name, [], settings, folder))
        self.auth_api, self.core_api, self.psp_connector = self.programs
        self.auth = Endpoint("127.0.0.1", ports["auth-api"], "")
        self.core = Endpoint("127.0.0.1", ports["core-api"], "")
        self.metrics = Endpoint("127.0.0.1", int(self.core_api.settings["METRICS_PORT"]), "")
        self.database = Path(self.core_api.settings["DATABASE_URL"].removeprefix("sqlite:"))
        self.ledger = Path(self.core_api.settings["PSP_SIMULATOR_LEDGER"])

    def connector_log(self):
        return self.psp_connector.log()

    def start(self, without_connector=False):
        """All at once: whoever comes first creates the schema, the others find it."""
        for program in self.programs[:2] if without_connector else self.programs:
            program.start()
        for endpoint, program in ((self.auth, self.auth_api), (self.core, self.core_api)):
            eventually(lambda: healthy(endpoint, program), f"{program.name} to be healthy")
        if not without_connector:
            eventually(lambda: listens(self.psp_connector), "psp-connector to listen")
        return self

    def alive(self):
        return all(program.alive() for program in self.programs)

    def stop(self):
        return max(program.stop() for program in self.programs)


class PspEvents:
    """`psp-events`, which takes PSPs' webhooks; at a HTTP_PORT of its own, unless told otherwise."""

    def __init__(self, folder, **overrides):
        metrics_port = free_port()
        settings = development_settings(folder, METRICS_PORT=metrics_port, **{"HTTP_PORT": free_port(), **overrides})
        self.program = Program("psp-events", [], settings, folder)
        self.endpoint = Endpoint("127.0.0.1", int(settings["HTTP_PORT"]), "")
        self.metrics = Endpoint("127.0.0.1", metrics_port, "")
        url = settings["DATABASE_URL"]
        self.database = Path(url.removeprefix("sqlite:")) if url.startswith("sqlite:") else url

    programs = property(lambda self: [self.program])

    def start(self):
        self.program.start()
        return self.wait_healthy()

    def wait_healthy(self, timeout_s=30.0):
        eventually(lambda: healthy(self.endpoint, self.program), "psp-events to be healthy", timeout_s)
        return self

    def kill(self):
        self.program.kill()


class PspSimulator:
    """`psp-simulator`: its charges, and the script by which it breaks."""

    def __init__(self, folder, **overrides):
        self.port = free_port()
        settings = {"HTTP_HOST": "127.0.0.1", "HTTP_PORT": str(self.port), "METRICS_PORT": str(free_port()),
                    "PSP_SIMULATOR_LEDGER": str(folder / "psp.db"), "LOG_FORMAT": "text"}
        settings.update({name: str(value) for name, value in overrides.items()})
        self.program = Program("psp-simulator", [], settings, folder)
        self.endpoint = Endpoint("127.0.0.1", self.port, "")
        self.metrics = Endpoint("127.0.0.1", int(settings["METRICS_PORT"]), "")
        self.ledger = Path(settings["PSP_SIMULATOR_LEDGER"])

    programs = property(lambda self: [self.program])
    url = property(lambda self: self.endpoint.url(""))

    def start(self):
        self.program.start()
        eventually(lambda: healthy(self.endpoint, self.program), "psp-simulator to be healthy")
        return self

    def stop(self):
        return self.program.stop()

    def kill(self):
        self.program.kill()

    def ask(self, method, path, json=None, headers=None, timeout_s=60):
        with Client(self.endpoint, timeout_s) as client:
            if json is None:
                return client.request(method, path, headers=headers)
            body = json_codec.dumps(json).encode()
            return client.request(method, path, body, {"Content-Type": "application/json", **(headers or {})})

    def charges(self, reference):
        """What it booked for a merchant's reference."""
        reply = self.ask("GET", f"/charges?reference={reference}")
        assert reply.status == 200 and reply.json()["more"] is False, reply
        return reply.json()["items"]

    def counts(self, limit=1000):
        """{reference: (charges, of which approved)} of the whole ledger, page by page."""
        counts, after = {}, ""
        while after is not None:
            page = self.ask("GET", f"/charges/counts?limit={limit}&after={after}").json()
            counts.update({item["reference"]: (item["charges"], item["approved"]) for item in page["items"]})
            after = page["next"]
        return counts

    def money(self):
        """{reference: (captured, refunded, voided)} of the whole ledger, in minor units."""
        money, after = {}, ""
        while after is not None:
            page = self.ask("GET", f"/charges/counts?after={after}").json()
            money.update({item["reference"]: (item["captured"], item["refunded"], item["voided"])
                          for item in page["items"]})
            after = page["next"]
        return money

    def operations(self, key):
        """What it booked under the key of a capture, a void or a refund."""
        reply = self.ask("GET", f"/operations?idempotency_key={key}")
        assert reply.status == 200 and reply.json()["more"] is False, reply
        return reply.json()["items"]

    def play(self, *rules, seed=0):
        """From now on it behaves by these rules."""
        reply = self.ask("PUT", "/script", {"rules": list(rules), "seed": seed})
        assert reply.status == 200, reply.body

    def behave(self):
        assert self.ask("DELETE", "/script").status == 200


def run_to_exit(name, arguments, settings, folder, stdin_text="", timeout_s=30.0):
    """Runs a program that is expected to end by itself; returns the CompletedProcess with text output."""
    return subprocess.run([binary(name), *arguments], env={**inherited_environment(), **settings}, cwd=folder,
                          input=stdin_text, capture_output=True, text=True, timeout=timeout_s * PATIENCE)
