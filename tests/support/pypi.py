"""Packages from PyPI in virtual environments that are kept between runs."""

import fcntl
import subprocess

from support.processes import inherited_environment

DEBIAN_PYTHON = "/usr/bin/python3"


class NotHere(Exception):
    """The reason why a package cannot be had on this machine."""


def _run(command, timeout_s):
    try:
        done = subprocess.run(command, env=inherited_environment(), capture_output=True, text=True, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise NotHere(f"no answer in {timeout_s} s: {' '.join(map(str, command[-3:]))}") from None
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).strip().splitlines()
        raise NotHere(lines[-1] if lines else f"{command[0]} failed")


def environment_with(folder, packages):
    """The folder of an environment with these packages, made once; the file `complete` in it, written last, says what was
    asked for. NotHere where that is not possible."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    wanted, complete = " ".join(packages), folder / "complete"
    with open(folder.with_name(folder.name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists() or complete.read_text() != wanted:
            _run([DEBIAN_PYTHON, "-m", "venv", "--clear", folder], 120)
            _run([folder / "bin" / "python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                  "--no-input", "--retries", "1", "--timeout", "15", *packages], 180)
            complete.write_text(wanted)
    return folder
