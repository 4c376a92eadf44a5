""".ci/run: the tests, then format, lint and scripts."""

import os
import re
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ahead
import console
import fuzz
from console import ROOT, Failed, bold, elapsed, say
from system import clang_version, cores, install_packages

LOGS = ROOT / "build/ci"
CLOSING_LINES = LOGS / "closing-lines"
TIDY_SECONDS = 1200
RUFF = ROOT / "build/ruff-venv/bin/ruff"


def succeeds(*command: str | Path, **environment: str) -> bool:
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment})
    with console.ending(process):
        return process.wait() == 0


def project_files(*patterns: str) -> list[str]:
    """The files of the project, also those not committed yet, without what is built or ignored or gone."""
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    names = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    return [name for name in names if (ROOT / name).is_file()]


# ---- Checks: each says what it found, and is true if that is nothing

def install_tools() -> bool:
    version = clang_version()
    install_packages("to check the source", [f"clang-{version}", f"clang-tidy-{version}", f"clang-format-{version}",
                                             "shellcheck", "python3-pyflakes"])
    return True


def run_tests() -> bool:
    """With fewer kills than ./test.sh has by itself: a hundred take five minutes, each time."""
    return succeeds("./test.sh", "all", SLOW_KILL_ROUNDS="20", TEST_CLOSING_LINES=str(CLOSING_LINES))


def check_format() -> bool:
    files, tool = project_files("*.cpp", "*.hpp"), f"clang-format-{clang_version()}"
    with ThreadPoolExecutor(cores()) as pool:
        right = sum(pool.map(lambda file: succeeds(tool, "--dry-run", "-Werror", "-ferror-limit=3", file), files))
    say(f"{right} of {len(files)} files are formatted")
    if right < len(files):
        say(f"this formats the rest: git ls-files '*.cpp' '*.hpp' | xargs {tool} -i")
    return right == len(files)


class Tidy:
    """clang-tidy over the files that match the pattern, of a build where UNITY is ON or OFF. It works while other checks do."""

    def __init__(self, unity: str, pattern: str) -> None:
        self._unity, self._pattern = unity, pattern
        self._findings, self._errors = LOGS / "clang-tidy.log", LOGS / "clang-tidy.err"
        self._process: subprocess.Popen | None = None

    def begin(self) -> bool:
        folder = f"build/tidy-{self._unity}"
        configure = ["cmake", "-S", ".", "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug", f"-DCMAKE_UNITY_BUILD={self._unity}",
                     "-DCMAKE_UNITY_BUILD_BATCH_SIZE=16", "-DBUILD_TESTING=OFF"]
        if not console.run_logged(LOGS / "tidy-configure.log", configure, cwd=ROOT):
            console.fail("CMake could not configure the build that clang-tidy reads")
        tidy = ["/usr/bin/python3", str(ROOT / "scripts/tidy.py"), folder, self._pattern]
        with self._findings.open("w") as output, self._errors.open("w") as messages:
            self._process = ahead.start(tidy, output=output, errors=messages)
        return True

    def result(self) -> bool:
        if not self._process:
            say("it was not begun")
            return False
        try:
            status = self._process.wait(TIDY_SECONDS)
        except subprocess.TimeoutExpired:
            say(f"not finished {TIDY_SECONDS} s after all other checks")
            return False
        if status == 0:
            say("no findings")
        else:
            lines = self._findings.read_text(errors="replace").splitlines()
            print("\n".join(with_context(lines) or console.log_excerpt(self._errors)))
            say(f"all of it: {self._findings}")
        return status == 0

    def stop(self) -> None:
        if self._process:
            ahead.end(self._process)


def with_context(lines: list[str]) -> list[str]:
    """Each warning or error with the four lines after it; 200 lines at most."""
    shown = {number + more for number, line in enumerate(lines) if re.search("(warning|error): ", line) for more in range(5)}
    return [line for number, line in enumerate(lines) if number in shown][:200]


# Over a unity build, as the presets' are: Boost's headers, read once for each file, were most of the time.
tidy = Tidy("ON", r"/Unity/unity_[0-9]+_cxx\.cxx$")
# clang's analyzer follows paths in a file that is compiled itself, and not in one that a unity build includes.
analyzer = Tidy("OFF", rf"^{ROOT}/(libs|services)/.*\.cpp$")


def check_structure() -> bool:
    """What neither the compiler nor clang-tidy knows; first that the check itself can fail."""
    script = ("/usr/bin/python3", "scripts/check_structure.py")
    return succeeds(*script, "--self-test") and succeeds(*script)


def check_scripts() -> bool:
    files = [name for name in project_files() if name.endswith(".sh") or is_shell_script(ROOT / name)]
    passed = succeeds("shellcheck", "-x", *files)
    if passed:
        say(f"{' '.join(files)}: no findings")
    return passed


def is_shell_script(file: Path) -> bool:
    with file.open("rb") as opened:
        return re.match(rb"#!.*sh$", opened.read(64).split(b"\n")[0]) is not None


def check_python() -> bool:
    """ruff comes from PyPI. Where that is out of reach, Debian's pyflakes looks for the worst."""
    files, log = project_files("*.py"), LOGS / "ruff-install.log"
    venv = RUFF.parent.parent
    if RUFF.exists() or (console.run_logged(log, ["/usr/bin/python3", "-m", "venv", str(venv)])
                         and console.run_logged(log, [str(venv / "bin/pip"), "install", "--quiet", "ruff<1"])):
        return succeeds(RUFF, "check", *files)
    say(f"ruff could not be installed (log: {log}); pyflakes instead")
    console.forget()
    passed = succeeds("/usr/bin/python3", "-m", "pyflakes", *files)
    if passed:
        say(f"{len(files)} files: no findings")
    return passed


def break_rules() -> bool:
    """A few of the domain's rules, by chance: each must be found by its unit tests."""
    return succeeds("/usr/bin/python3", "scripts/mutants.py", "--few", "4")


# clang-tidy last: it has what the others leave of the processors.
CHECKS: dict[str, Callable[[], bool]] = {
    "tools": install_tools, "clang-tidy begins": tidy.begin, "tests": run_tests, "mutants": break_rules, "clang-format": check_format,
    "structure": check_structure, "shellcheck": check_scripts, "python": check_python, "clang-tidy": tidy.result}


# ---- The program

def passes(check: Callable[[], bool]) -> bool:
    try:
        return check()
    except Failed as failed:
        failed.show()
    except Exception:
        traceback.print_exc()
    return False


def main(arguments: list[str]) -> int:
    LOGS.mkdir(parents=True, exist_ok=True)
    match arguments:
        case ["fuzz", *rest]:
            return fuzz.main(rest)
        case ["analyze"]:
            try:
                return 0 if passes(install_tools) and passes(analyzer.begin) and passes(analyzer.result) else 1
            finally:
                analyzer.stop()
        case [_, *_]:
            print(f".ci/run: this is not understood: {' '.join(arguments)}; it takes nothing, fuzz or analyze", file=sys.stderr)
            return 2
    CLOSING_LINES.unlink(missing_ok=True)
    results = []
    try:
        for name, check in CHECKS.items():
            print(bold(f"\n### {name}"))
            console.current.number, console.current.title = len(results) + 1, name
            began = time.monotonic()
            passed = passes(check)
            results.append((time.monotonic() - began, name, passed))
    finally:
        tidy.stop()
    print(bold("\nResults"))
    for seconds, name, passed in sorted(results, reverse=True):
        say(f"{'passed' if passed else 'FAILED':8} {name:18} {elapsed(seconds)}")
    print()
    print(CLOSING_LINES.read_text() if CLOSING_LINES.exists() else "the tests did not get as far as closing lines\n", end="")
    return 0 if all(passed for *_, passed in results) else 1


if __name__ == "__main__":
    console.main_of(".ci/run", LOGS, main)
