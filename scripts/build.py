"""Builds of the presets, for setup.sh, test.sh and .ci/run. As a program, `build.py PRESET [TARGET...]`, it is what test.sh
does ahead of the steps that need it."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import console
from console import ROOT, fail, run_logged, say
from system import build_jobs


def log_of(preset: str) -> Path:
    return console.current.log_dir / f"build-{preset}.log"


def build(preset: str, targets: Iterable[str] = (), *, env: Mapping[str, str] | None = None) -> None:
    """Configures build/PRESET if needed and builds the targets (everything without any), with `env` added to the environment."""
    folder, program = ROOT / "build" / preset, console.current.program
    log = log_of(preset)
    cache, ninja = folder / "CMakeCache.txt", folder / "build.ninja"
    # The folder was copied from elsewhere: CMake's notes about the old place are of no use.
    moved = cache.exists() and f"CMAKE_HOME_DIRECTORY:INTERNAL={ROOT}" not in cache.read_text().splitlines()
    if moved or not ninja.exists() or ninja.stat().st_mtime <= (ROOT / "CMakePresets.json").stat().st_mtime:
        configure = ["cmake", "-S", str(ROOT), "--preset", preset, *(["--fresh"] if moved else [])]
        if not run_logged(console.current.log_dir / f"configure-{preset}.log", configure, env=env):
            fail(f"CMake could not configure build/{preset}", f"read the log; rm -rf build/{preset} and ./{program} begin anew")
    jobs = build_jobs()
    command = ["cmake", "--build", str(folder), "--parallel", str(jobs)]
    if targets := list(targets):
        command += ["--target", *targets]
    done = run_logged(log, command, env={"NINJA_STATUS": "[%f/%t] ", **(env or {})})
    text = log.read_text(errors="replace")
    if not done and "killed" in text.lower():
        fail(f"a compiler was killed: this machine has too little memory for build/{preset}",
             f"close other programs or add swap; ./{program} goes on where it stopped")
    if not done:
        fail(f"the build in build/{preset} failed", f"mend what the log shows; ./{program} goes on where it stopped")
    if "no work to do" in text:
        say(f"build/{preset} is up to date")
    else:
        say(f"built build/{preset} with {jobs} compiler(s) at once; log: {log.relative_to(ROOT)}")


if __name__ == "__main__":
    console.main_of("test.sh", ROOT / "build/test-report", lambda arguments: build(arguments[0], arguments[1:]))
