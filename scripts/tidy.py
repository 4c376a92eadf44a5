"""tidy.py BUILD-FOLDER PATTERN: clang-tidy over the files of a build that match the pattern; exit status 0 if it finds nothing.

A file that was found clean is not read again until the compiler sees something else of it, or clang-tidy is told something else:
reading them all takes ten minutes of processor time, preprocessing them one."""

import hashlib
import json
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from console import ROOT
from system import clang_version, cores

_EXTRA = ("-Wno-unknown-warning-option", "-Wno-unused-command-line-argument", "-include", f"{ROOT}/scripts/nodiscard_expected.hpp")


def main(folder: Path, pattern: str) -> int:
    files = [entry for entry in json.loads((folder / "compile_commands.json").read_text()) if re.search(pattern, entry["file"])]
    tidy = [f"run-clang-tidy-{clang_version()}", "-quiet", "-j", str(cores()), "-p", str(folder),
            r"-header-filter=/(libs|services)/.*\.[hc]pp$", *(f"-extra-arg={argument}" for argument in _EXTRA)]
    told = f"{tidy}\n{(ROOT / '.clang-tidy').read_text()}".encode()
    with ThreadPoolExecutor(cores()) as pool:
        keys = dict(zip((entry["file"] for entry in files), pool.map(lambda entry: key_of(entry, told), files), strict=True))
    clean = folder / "clean"
    clean.mkdir(exist_ok=True)
    unread = [file for file, key in keys.items() if key is None or not (clean / key).exists()]
    print(f"{len(files) - len(unread)} of {len(files)} files were clean and have not changed", flush=True)
    if not unread:
        return 0
    status = subprocess.run([*tidy, *(f"^{re.escape(file)}$" for file in unread)], check=False).returncode
    if status == 0:
        for old in clean.iterdir():
            old.unlink()
        for key in filter(None, keys.values()):
            (clean / key).touch()
    return status


def key_of(entry: dict[str, str], told: bytes) -> str | None:
    """Of all that clang-tidy is told and reads, comments (NOLINT) included; None if the file cannot be preprocessed."""
    words = shlex.split(entry["command"])
    where = words.index("-o")
    command = [f"clang++-{clang_version()}", *words[1:where], *words[where + 2:], *_EXTRA, "-E", "-C"]
    done = subprocess.run(command, cwd=entry["directory"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          check=False)
    return hashlib.sha256(told + done.stdout).hexdigest() if done.returncode == 0 else None


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
