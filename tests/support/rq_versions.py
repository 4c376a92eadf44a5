"""Python's RQ in several versions: Debian's own, and others from PyPI in virtual environments that are kept between runs.

RQ_VENVS names their folder, `build/rq-venvs` by default. Where PyPI cannot be reached, tests of those versions are skipped.
RQ_VERSIONS chooses some of them, such as `debian,2`."""

import importlib.util
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from support.processes import inherited_environment
from support.pypi import DEBIAN_PYTHON, NotHere, environment_with

_REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("RQ_VENVS", _REPOSITORY / "build" / "rq-venvs")).resolve()

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


def _from_pypi(name):
    python = environment_with(FOLDER / name, _FROM_PYPI[name]) / "bin" / "python3"
    return Rq(name, str(python), _version_of(python))


def find(name):
    """The RQ of this name, made if need be; NotHere where that is not possible."""
    return _debian() if name == DEBIAN else _from_pypi(name)
