"""Any number of each of the three services side by side over one database, as on several machines."""

from pathlib import Path

from support.http_client import Endpoint
from support.ports import free_port
from support.programs import Program, development_settings, healthy, listens
from support.waiting import eventually


class Fleet:
    """`auth`, `core` and `metrics` are those of the first of each; `auths` and `cores` are all of them."""

    def __init__(self, folder, auth_apis=1, core_apis=1, psp_connectors=1, **settings):
        self._settings = development_settings(folder, **settings)
        self._folder = folder
        self.auth_apis = [self._program("auth-api", number) for number in range(auth_apis)]
        self.core_apis = [self._program("core-api", number) for number in range(core_apis)]
        self.psp_connectors = [self._program("psp-connector", number) for number in range(psp_connectors)]
        self.auths = [self._endpoint(program) for program in self.auth_apis]
        self.cores = [self._endpoint(program) for program in self.core_apis]
        self.auth, self.core = next(iter(self.auths), None), next(iter(self.cores), None)
        self.metrics = [Endpoint("127.0.0.1", int(program.settings["METRICS_PORT"]), "") for program in self.programs]

    programs = property(lambda self: [*self.auth_apis, *self.core_apis, *self.psp_connectors])
    redis_url = property(lambda self: self._settings.get("REDIS_URL"))

    @property
    def database(self):
        """What `storage` reads: the file, or the URL."""
        url = self._settings["DATABASE_URL"]
        return Path(url.removeprefix("sqlite:")) if url.startswith("sqlite:") else url

    ledger = property(lambda self: Path(self._settings["PSP_SIMULATOR_LEDGER"]))

    def _program(self, name, number):
        settings = {**self._settings, "HTTP_PORT": str(free_port()), "METRICS_PORT": str(free_port())}
        return Program(name, [], settings, self._folder, label=f"{name}-{number}")

    @staticmethod
    def _endpoint(program):
        return Endpoint("127.0.0.1", int(program.settings["HTTP_PORT"]), "")

    def connector_log(self):
        return "".join(program.log() for program in self.psp_connectors)

    def begin(self):
        """Starts all at once, so that whoever comes first makes the schema; does not wait."""
        for program in self.programs:
            program.start()
        return self

    def wait_healthy(self, timeout_s=30.0):
        for program in [*self.auth_apis, *self.core_apis]:
            endpoint = self._endpoint(program)
            eventually(lambda: healthy(endpoint, program), f"{program.name} to be healthy", timeout_s)
        for program in self.psp_connectors:
            eventually(lambda: listens(program), f"{program.name} to listen", timeout_s)
        return self

    def start(self):
        return self.begin().wait_healthy()

    def alive(self):
        return all(program.alive() for program in self.programs)

    def stop(self):
        return max((program.stop() for program in self.programs), default=0)
