"""services/psp-simulator as a program: the PSP behind PSP_URL, with a ledger of its own."""

from pathlib import Path

from support.http_client import Endpoint
from support.ports import free_port
from support.programs import Program, healthy
from support.waiting import eventually


class PspSimulator:
    def __init__(self, folder, **settings):
        self.port = free_port()
        self.ledger = Path(folder) / "psp-ledger.db"
        self.endpoint = Endpoint("127.0.0.1", self.port, "")
        settings = {"HTTP_HOST": "127.0.0.1", "HTTP_PORT": str(self.port), "METRICS_PORT": str(free_port()),
                    "PSP_SIMULATOR_LEDGER": str(self.ledger), "LOG_FORMAT": "text", **settings}
        self.program = Program("psp-simulator", [], settings, folder)

    url = property(lambda self: f"http://127.0.0.1:{self.port}")
    programs = property(lambda self: [self.program])

    def start(self):
        self.program.start()
        eventually(lambda: healthy(self.endpoint, self.program), "psp-simulator to be healthy")
        return self
