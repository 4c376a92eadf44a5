"""One process of any program: its command, its environment, and the file that holds all it printed."""

import os
import signal
import subprocess
from pathlib import Path

from support.waiting import PATIENCE

# What a process inherits from the developer's shell; nothing else may change a test.
_INHERITED = ("PATH", "HOME", "LANG", "TZ", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS",
              "LSAN_OPTIONS")


def inherited_environment():
    return {name: os.environ[name] for name in _INHERITED if name in os.environ}


class Process:
    """`account` is the user to run as, where that is not ourselves; `program` the file, where the command's first word is
    not. With `outlives_us` an interrupt at the terminal, which is meant for the tests, does not reach it."""

    started = []  # every process of this test run, for the report of a failing test

    def __init__(self, name, command, folder, environment=None, account=None, program=None,
                 outlives_us=False):
        self.name = name
        self.command = [str(word) for word in command]
        self.environment = environment or {}
        self.folder = Path(folder)
        self.log_path = self.folder / f"{name}.log"
        self.process = None
        self.output = None  # a file descriptor that gets what it prints, in place of the log file
        self._log_start = 0
        self._account = account
        self._program = program
        self._outlives_us = outlives_us

    def start(self):
        with open(self.log_path, "ab") as log:
            self._log_start = log.tell()
            self.process = subprocess.Popen(
                self.command, executable=self._program, env={**inherited_environment(), **self.environment},
                cwd=self.folder, stdin=subprocess.DEVNULL,
                stdout=log if self.output is None else self.output, stderr=subprocess.STDOUT,
                start_new_session=self._outlives_us, **as_account(self._account))
        Process.started.append(self)
        return self

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_since_start(self):
        """What it has printed since it was last started."""
        return self.log_path.read_bytes()[self._log_start:].decode(errors="replace")

    def log_lines(self):
        return self.log().splitlines()

    def send_signal(self, number):
        if self.alive():
            self.process.send_signal(number)

    def wait_exit(self, timeout_s=30.0):
        return self.process.wait(timeout=timeout_s * PATIENCE)

    def kill(self):
        """SIGKILL, as a power cut would."""
        self.send_signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()

    def stop(self, number=signal.SIGTERM):
        """The signal, then SIGKILL if it does not go. Returns the exit code."""
        if self.process is None:
            return 0
        self.send_signal(number)
        try:
            return self.wait_exit()
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not stop on {signal.Signals(number).name}") from None


def as_account(account):
    """The arguments of subprocess that run a program as another user with that user's groups."""
    return {} if account is None else {"user": account, "group": account, "extra_groups": []}
