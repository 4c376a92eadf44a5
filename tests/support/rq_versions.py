"""Python's RQ in several versions: Debian's own, and others from PyPI in virtual environments that are kept between runs.

RQ_VENVS names their folder, `build/rq-venvs` by default. Where PyPI cannot be reached, tests of those versions are skipped.
RQ_VERSIONS chooses some of them, such as `debian,2`."""

import fcntl
import importlib.util
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from support.processes import inherited_environment

_REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("RQ_VENVS", _REPOSITORY / "build" / "rq-venvs")).resolve()
DEBIAN_PYTHON = "/usr/bin/python3"

# What pip installs for each; the client library is of the time of that RQ where a newer one does not fit.
_FROM_PYPI = {
    "1.10": ["rq==1.10.1", "redis<5"],
    "1.16": ["rq==1.16.2", "redis<6"],
    "2": ["rq>=2.6,<3"],
    "3": ["rq>=3,<4"],
}
DEBIAN = "debian"
_ALL = [DEBIAN, *_FROM_PYPI]
VERSIONS = os.environ["RQ_VERSIONS"].split(",") if os.environ.get("RQ_VERSIONS") else _ALL
assert set(VERSIONS) <= set(_ALL), f"RQ_VERSIONS knows {', '.join(_ALL)}"


class NotHere(Exception):
    """The reason why this version cannot be had on this machine."""


@dataclass(frozen=True)
class Rq:
    name: str
    python: str
    version: tuple  # (1, 13, 0)

    def has_results_in_a_stream(self):
        return self.version >= (1, 12)


def _version_of(python):
    text = subprocess.run([python, "-c", "import rq; print(rq.VERSION)"], env=inherited_environment(), check=True,
                          capture_output=True, text=True).stdout
    return tuple(int(number) for number in text.strip().split("."))


def _debian():
    if importlib.util.find_spec("rq") is None and not Path("/usr/bin/rq").exists():
        raise NotHere("Debian's python3-rq is not installed")
    return Rq(DEBIAN, DEBIAN_PYTHON, _version_of(DEBIAN_PYTHON))


def _run(command, timeout_s):
    try:
        done = subprocess.run(command, env=inherited_environment(), capture_output=True, text=True, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise NotHere(f"no answer in {timeout_s} s: {' '.join(map(str, command[-3:]))}") from None
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).strip().splitlines()
        raise NotHere(lines[-1] if lines else f"{command[0]} failed")


def _from_pypi(name):
    """Made once; the file `complete` in it, written last, says what was asked for."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    environment, wanted = FOLDER / name, " ".join(_FROM_PYPI[name])
    complete, python = environment / "complete", environment / "bin" / "python3"
    with open(FOLDER / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists() or complete.read_text() != wanted:
            _run([DEBIAN_PYTHON, "-m", "venv", "--clear", environment], 120)
            _run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--retries",
                  "1", "--timeout", "15", *_FROM_PYPI[name]], 180)
            complete.write_text(wanted)
    return Rq(name, str(python), _version_of(python))


def find(name):
    """The RQ of this name, made if need be; NotHere where that is not possible."""
    return _debian() if name == DEBIAN else _from_pypi(name)
