"""The official SDKs of Stripe and Adyen, from PyPI, in this process; and a webhook for the simulator's events.

PSP_SDKS_VENV names their folder, `build/psp-sdks-venv` by default."""

import http.server
import json
import os
import sys
import threading
from pathlib import Path

import pytest

from support import pypi
from support.ports import free_port
from support.waiting import eventually

FOLDER = Path(os.environ.get("PSP_SDKS_VENV", Path(__file__).resolve().parents[2] / "build" / "psp-sdks-venv")).resolve()
PACKAGES = ["stripe>=16.1,<17", "Adyen>=16,<17"]


def importable():
    """Puts the packages behind those of this Python. Skips the test where they cannot be had."""
    try:
        folder = pypi.environment_with(FOLDER, PACKAGES)
    except pypi.NotHere as reason:
        pytest.skip(f"the SDKs cannot be had: {reason}")
    [packages] = folder.glob("lib/python3*/site-packages")
    if str(packages) not in sys.path:
        sys.path.append(str(packages))


class Webhook:
    """Takes what is posted to it; `answers` are the statuses of the next requests, 200 afterwards."""

    def __init__(self):
        self.requests = []  # (headers, body), of those that were taken
        self.answers = []
        webhook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = webhook.answers.pop(0) if webhook.answers else 200
                if status == 200:
                    webhook.requests.append((self.headers, body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = http.server.HTTPServer(("127.0.0.1", free_port()), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    url = property(lambda self: f"http://127.0.0.1:{self._server.server_port}/events")
    bodies = property(lambda self: [json.loads(body) for _, body in self.requests])

    def wait_for(self, count):
        eventually(lambda: len(self.requests) >= count, f"{count} events")
        return self.requests

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
