"""What the benchmarks share: programs in the background, waiting for conditions, single requests."""

import http.client
import json
import pathlib
import re
import signal
import socket
import subprocess
import time


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def await_condition(condition, what, seconds=30.0, pause=0.005):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return
        time.sleep(pause)
    raise SystemExit(f"bench: {what} did not happen within {seconds:.0f} s")


def get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    except OSError:
        return 0, ""
    finally:
        connection.close()


def post(port, path, body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


class Process:
    """A program in the background, with its log in the scratch folder, stopped by its id."""

    def __init__(self, arguments, environment, log):
        self.log = open(log, "ab")
        self.started = time.monotonic()
        self.process = subprocess.Popen(arguments, env=environment, stdout=self.log, stderr=self.log)

    def memory_mib(self, which="VmRSS"):
        """Now; VmHWM is the most that it ever was."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{which}:\s+(\d+) kB", status).group(1)) / 1024

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
