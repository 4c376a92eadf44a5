"""Work that later steps need, done while tests, which wait as much as they compute, are under way.

It gets what nobody else wants of the processors: a nice value alone says nothing to the processes of another session, which
servers under test are, so the session as a whole has the lowest priority, too (sched(7), "The autogroup feature")."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import console

_LOWEST = ("sh", "-c", 'echo 19 2>/dev/null >/proc/self/autogroup; exec nice -n 19 "$@"', "sh")


def start(command: Sequence[str], *, output: IO | int, errors: IO | int = subprocess.STDOUT, cwd: Path = console.ROOT,
          env: Mapping[str, str] | None = None) -> subprocess.Popen:
    """The command at the lowest priority, in a session of its own: Ctrl-C does not reach it."""
    return subprocess.Popen([*_LOWEST, *command], cwd=cwd, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL, stdout=output,
                            stderr=errors, start_new_session=True)


def end(process: subprocess.Popen) -> None:
    """Ends it, with all that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    process.wait()


class Ahead:
    """Runs commands one after another. What became of them is for the step that needs them to find out."""

    def __init__(self, commands: Mapping[str, Sequence[str]]) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen | None = None
        self._stopped = False
        self._ended = {name: threading.Event() for name in commands}
        threading.Thread(target=self._run, args=(dict(commands),), daemon=True).start()

    def wait(self, name: str, log: Path) -> None:
        """Until the command of that name has ended, if there is one; the last line of `log` shows how far it is."""
        ended = self._ended.get(name)
        while ended and not ended.wait(15):
            console.say(console.last_line(log) if log.exists() else "waiting for what goes before it")

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            if self._process:
                end(self._process)

    def _run(self, commands: Mapping[str, Sequence[str]]) -> None:
        for name, command in commands.items():
            with self._lock:
                if self._stopped:
                    return
                self._process = start(command, output=subprocess.DEVNULL)
            self._process.wait()
            self._ended[name].set()
