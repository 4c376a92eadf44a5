"""What setup.sh, test.sh and .ci/run show: numbered steps with their durations, long commands with visible progress, and
failures with what to do about them.

A program is its main function, run by main_of(); what is here belongs to the one that runs."""

import contextlib
import dataclasses
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent


@dataclasses.dataclass
class Console:
    """log_dir: where the logs of long commands go. command, log, log_skip: what fail() shows, the command at work, its log,
    and how many bytes of that are older than the command. durations: of the steps that have ended, in seconds."""

    program: str = "setup.sh"
    log_dir: Path = ROOT / "run/log"
    number: int = 0
    title: str = "starting"
    began: float | None = None
    command: str = ""
    log: Path | None = None
    log_skip: int = 0
    durations: list[tuple[str, float]] = dataclasses.field(default_factory=list)


current = Console()


class Failed(Exception):
    """Ends the program, or the part of it that can do without: show() says what, where and what to do."""

    def __init__(self, what: str, remedies: Iterable[str] = ()) -> None:
        super().__init__(what)
        self.what = what
        self.remedies = list(remedies)
        self.command, self.log, self.log_skip = current.command, current.log, current.log_skip

    def show(self) -> None:
        lines = [bold(f"{current.program} failed in step {current.number} ({current.title}): {self.what}")]
        if self.command:
            lines.append(f"   command:     {self.command}")
        if self.log:
            lines += [f"   log:         {self.log}", "   its end:"]
            lines += [f"   | {line}" for line in log_excerpt(self.log, self.log_skip)]
        labels = ["what to do:", *[""] * len(self.remedies)]
        lines += [f"   {label:12} {remedy}" for label, remedy in zip(labels, self.remedies, strict=False)]
        print("", *lines, sep="\n", file=sys.stderr)
        forget()


def fail(what: str, *remedies: str) -> NoReturn:
    raise Failed(what, remedies)


def main_of(program: str, log_dir: Path, main: Callable[[list[str]], int | None]) -> NoReturn:
    """Runs main with the command line's arguments and exits with its result. Ctrl-C and SIGTERM end what runs."""
    current.program, current.log_dir = program, log_dir
    sys.stdout.reconfigure(line_buffering=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main(sys.argv[1:]))
    except Failed as failed:
        failed.show()
        sys.exit(1)
    except KeyboardInterrupt:
        print(f"\n{program}: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(141)
    except Exception as error:
        print("\n" + "".join(traceback.format_exception(error, limit=-4)), end="", file=sys.stderr)
        Failed(f"{type(error).__name__}: {error}",
               [f"this is a mistake in {program}: please report it with the lines above"]).show()
        sys.exit(1)


# ---- Output

def bold(text: str) -> str:
    plain = not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb"
    return text if plain else f"\x1b[1m{text}\x1b[0m"


def elapsed(seconds: float) -> str:
    """As "0.3 s" or "4 min 12 s"."""
    if seconds < 60:
        return f"{int(seconds * 10) / 10} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"


def step(title: str) -> None:
    """Ends the step before, with its duration, and begins the next one."""
    end_step()
    current.number += 1
    current.title, current.began = title, time.monotonic()
    print(bold(f"{current.number}. {title}"))


def end_step() -> None:
    if current.began is not None:
        duration = time.monotonic() - current.began
        current.durations.append((current.title, duration))
        print(f"   ({elapsed(duration)})\n")
        current.began = None


def longest_first(durations: Iterable[tuple[str, float]]) -> list[str]:
    """A line for each title and its duration in seconds, and one for their sum."""
    rows = sorted(durations, key=lambda row: row[1], reverse=True)
    rows.append(("in all", sum(seconds for _, seconds in rows)))
    return [f"{elapsed(seconds):>14}  {title}" for title, seconds in rows]


def say(*lines: str) -> None:
    for line in lines:
        print(f"   {line}")


def log_excerpt(log: Path, skip: int = 0) -> list[str]:
    """What a log says went wrong: from the first failure of CMake or Ninja on, else the last lines."""
    lines = [line[:400] for line in log.read_bytes()[skip:].decode(errors="replace").splitlines()]
    for number, line in enumerate(lines):
        if line.startswith(("FAILED: ", "CMake Error")):
            return lines[number:number + 40]
    return lines[-20:] or ["(nothing)"]


# ---- Long commands

def watch(command: str, log: Path, log_skip: int = 0) -> None:
    """What fail() shows from here on."""
    current.command, current.log, current.log_skip = command, log, log_skip


def forget() -> None:
    current.command, current.log = "", None


def run_logged(log: Path, command: list[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> bool:
    """Runs the command, with `env` added to the environment, its output in `log`, and one line of progress on the screen: a
    terminal sees the line change, elsewhere one is printed now and then. True if the command succeeds."""
    text = shlex.join(map(str, command))
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(f"$ {text}\n")
    watch(text, log)
    with log.open("ab") as output:
        process = subprocess.Popen(command, cwd=cwd, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
                                   stdout=output, stderr=subprocess.STDOUT)
    with ending(process):
        show_progress(process, log)
    if process.returncode == 0:
        forget()
    return process.returncode == 0


@contextlib.contextmanager
def ending(process: subprocess.Popen):
    """Whatever interrupts the block also ends the process. Ctrl-C in a terminal has reached it already."""
    try:
        yield
    except KeyboardInterrupt:
        process.wait()
        raise
    except BaseException:
        with contextlib.suppress(PermissionError):  # sudo's child is root's
            process.terminate()
        process.wait()
        raise


def show_progress(process: subprocess.Popen, log: Path) -> None:
    terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    interval, before, after = (1, "\r\x1b[K", "") if terminal else (15, "", "\n")
    columns = max(shutil.get_terminal_size().columns - 14, 1) if terminal else 120
    began = time.monotonic()
    while True:
        try:
            process.wait(interval)
            break
        except subprocess.TimeoutExpired:
            latest = last_line(log).replace("Building CXX object ", "")[:columns]
            print(f"{before}   {time.monotonic() - began:4.0f} s  {latest}", end=after, flush=True)
    print(before, end="", flush=True)


def last_line(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(log.stat().st_size - 4096, 0))
        lines = [line for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else ""
