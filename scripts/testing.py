"""./test.sh: builds Switchyard and runs its tests."""

import contextlib
import dataclasses
import functools
import os
import platform
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

import console
import containers
from ahead import Ahead
from build import build, log_of
from console import ROOT, Failed, say, step
from system import (
    as_root,
    cores,
    install_packages,
    is_installable,
    may_be_root,
    missing_packages,
    packages,
    read_system,
    refresh_package_lists,
    require_supported_system,
)

USAGE = """\
usage: ./test.sh [all]                                    everything this machine can run (about an hour on 2 cores)
       ./test.sh quick                                    unit tests and a fast functional subset, build/debug
       ./test.sh unit [PRESET...]                         unit tests; debug unless told otherwise
       ./test.sh functional [PRESET] [-- PYTEST-OPTION...]   functional tests; debug unless told otherwise
       ./test.sh docker [-- PYTEST-OPTION...]             Switchyard in containers, behind Traefik

PRESET is debug (AddressSanitizer and UndefinedBehaviorSanitizer), tsan (ThreadSanitizer) or release.
For one test again and again: ./test.sh functional -- -k idempotency -x

Missing packages are installed with apt-get, as root or with sudo. Logs: build/test-report/. The exit status is 0 if all
that ran has passed, 1 if something failed, 2 if the command line was not understood.
"""

PRESETS = {"debug": "debug: ASan, UBSan", "tsan": "tsan: ThreadSanitizer", "release": "release"}
PROGRAMS = ("switchyard", "auth-api", "core-api", "psp-connector", "psp-events", "psp-simulator")
REPORT = ROOT / "build/test-report"

# ThreadSanitizer looks at many things at once that meet: what one request after another shows, debug has seen.
MANY_AT_ONCE = (
    "chaos", "functional/test_auth_api.py", "functional/test_idempotency.py", "functional/test_logging.py", "functional/test_operations.py",
    "functional/test_outcomes.py", "functional/test_psp_events.py", "functional/test_remote_psp.py", "functional/test_rotation.py",
    "interop/test_rq_their_worker.py", "interop/test_rq_worker_life.py")
# What some tests would compile themselves, in Go, for minutes.
AHEAD_OF_THEIR_TESTS = {
    "the API server's validation": ["env", f"--chdir={ROOT / 'tests'}", "/usr/bin/python3", "-m", "support.kubernetes"],
    "Traefik": [str(ROOT / "deploy/offline/make-images.sh"), "compile"],
}


# ---- The report at the end

@dataclasses.dataclass
class Report:
    """What went wrong, what was left out and why, and each runner's own closing lines."""

    failures: list[str] = dataclasses.field(default_factory=list)
    skips: list[str] = dataclasses.field(default_factory=list)
    closing_lines: list[str] = dataclasses.field(default_factory=list)

    def skip(self, what: str, why: str) -> None:
        if (line := f"{what}: {why}") not in self.skips:
            self.skips.append(line)

    def show(self) -> None:
        """The times, the failures and the closing lines come last, where people and programs look for them. CI has more checks of
        its own and names a file for them in TEST_CLOSING_LINES, to print it after those."""
        console.end_step()
        print("\nSkipped:" if self.skips else "\nSkipped: nothing")
        say(*self.skips)
        text = "\n".join(["Time:", *(f"   {line}" for line in console.longest_first(console.current.durations)), "",
                          *(["FAILED:", *(f"   {line}" for line in self.failures), ""] if self.failures else []),
                          *(self.closing_lines or ["no tests were run"])])
        if file := os.environ.get("TEST_CLOSING_LINES"):
            Path(file).write_text(text + "\n")
        else:
            print(f"\n{text}")


report = Report()


# ---- What this machine can

@dataclasses.dataclass(frozen=True)
class Conditions:
    """What the programs of a preset have to be started with."""

    prefix: tuple[str, ...]
    environment: dict[str, str]


def sanitized_program_runs(option: str, prefix: Iterable[str]) -> bool:
    """True if a program built with g++ and the option runs under the command before it."""
    probe = REPORT / "probe"
    source = probe.with_suffix(".cpp")
    source.write_text("#include <thread>\nint main() { std::thread([] {}).join(); }\n")
    # Where addresses are random, a sanitizer may fail now and then only.
    commands = [["g++", option, str(source), "-o", str(probe)], *[[*prefix, str(probe)]] * 5]
    with probe.with_suffix(".log").open("w") as log:
        return all(subprocess.run(command, stdout=log, stderr=log, check=False).returncode == 0 for command in commands)


@functools.cache
def conditions(preset: str) -> Conditions | None:
    """None if the preset cannot run here, which is noted. A report of a sanitizer ends the process that made it, so that none
    is overlooked. ThreadSanitizer of g++ 12 cannot live with the many random address bits of newer kernels, so they are turned
    off where that is allowed. LeakSanitizer needs ptrace, which some containers forbid."""
    environment = {**os.environ, "ASAN_OPTIONS": "", "UBSAN_OPTIONS": "", "TSAN_OPTIONS": ""}
    environment.pop("TEST_PATIENCE", None)
    prefix: tuple[str, ...] = ()
    if preset == "debug":
        leaks = sanitized_program_runs("-fsanitize=address", ["env", "ASAN_OPTIONS=detect_leaks=1"])
        if not leaks:
            report.skip("the search for memory leaks", "LeakSanitizer does not run here (a container without ptrace?)")
        environment |= {
            "ASAN_OPTIONS": f"abort_on_error=1:detect_leaks={leaks:d}:detect_stack_use_after_return=1:strict_string_checks=1",
            "UBSAN_OPTIONS": "halt_on_error=1:abort_on_error=1:print_stacktrace=1", "TEST_PATIENCE": "3"}
    elif preset == "tsan":
        fixed_addresses = ("setarch", platform.machine(), "--addr-no-randomize")
        if subprocess.run([*fixed_addresses, "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            prefix = fixed_addresses
        if not sanitized_program_runs("-fsanitize=thread", prefix):
            report.skip("all tests under ThreadSanitizer", f"it does not run here: {console.last_line(REPORT / 'probe.log')}")
            return None
        suppressions = ROOT / "tests/tsan.supp"
        environment |= {
            "TSAN_OPTIONS": "halt_on_error=1:abort_on_error=1:second_deadlock_stack=1:history_size=4"
                            + (f":suppressions={suppressions}" if suppressions.exists() else ""),
            "TEST_PATIENCE": "6"}
    return Conditions(prefix, environment)


# ---- Runners

@contextlib.contextmanager
def limit(process: subprocess.Popen, seconds: float | None, patience: float):
    """SIGINT after so many seconds, which lets pytest stop what it started and report what it had; SIGKILL after as many more
    as `patience` says: a suite that hangs must not hang for ever."""
    timers = [threading.Timer(seconds, process.send_signal, [signal.SIGINT]),
              threading.Timer(seconds + patience, process.kill)] if seconds else []
    for timer in timers:
        timer.start()
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()


def stream(command: Sequence[str], log: Path, *, cwd: Path, env: dict[str, str], hidden: bytes | None = None,
           seconds: float | None = None, patience: float = 60) -> int:
    """The command's exit status; its output goes to the log, and to the screen but for the lines that match `hidden`."""
    process = subprocess.Popen(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with log.open("wb", buffering=0) as file, process, limit(process, seconds, patience):
        def show() -> None:
            # Without anything to hide, a dot is shown when it comes and not when its line is full.
            for part in iter(process.stdout.readline if hidden else process.stdout.read1, b""):
                file.write(part)
                if hidden is None or not re.search(hidden, part):
                    sys.stdout.buffer.write(part)
                    sys.stdout.buffer.flush()

        try:
            show()
        except (KeyboardInterrupt, SystemExit) as interrupt:
            # The runner stops what it started and reports what it had. Ctrl-C has reached it already, SIGTERM only us.
            if isinstance(interrupt, SystemExit):
                process.send_signal(signal.SIGINT)
            show()
            raise
        return process.wait()


def unit_tests(preset: str, *options: str) -> None:
    step(f"Unit tests ({PRESETS[preset]})")
    here = conditions(preset)
    if not here:
        say("not possible here")
        return
    log, folder = REPORT / f"unit-{preset}.log", ROOT / "build" / preset
    # One more than there are cores: half of a unit test's time is waiting, too.
    command = [*here.prefix, "ctest", "--test-dir", str(folder), "--output-on-failure", "--no-tests=error",
               "--parallel", str(cores() + 1), *options]
    status = stream(command, log, cwd=ROOT, env=here.environment, hidden=rb"^ +Start +\d+: | +Passed +[0-9.]+ sec$")
    text = log.read_text(errors="replace")
    if status != 0:
        report.failures += [f"unit tests, {preset}: {log}", *re.findall(r"^\t *\d+ - .*", text, re.MULTILINE)]
    results = re.findall(r"^(?:\d+% tests passed|No tests were found|Total Test time).*", text, re.MULTILINE)
    report.closing_lines += [f"unit tests, {preset}:", *(results or [console.last_line(log)])]
    note_unit_skips(preset, folder / "Testing/Temporary/LastTest.log")


def note_unit_skips(preset: str, log: Path) -> None:
    """CTest's list says only that a test was skipped; GoogleTest's output in its log says why."""
    lines = iter(log.read_text(errors="replace").splitlines() if log.exists() else [])
    name = ""
    for line in lines:
        if match := re.match(r"\d+/\d+ Testing: (\S+)", line):
            name = match[1]
        elif line.endswith(": Skipped"):
            report.skip(f"unit test ({preset}) {name}", next(lines, "no reason given"))
        elif line == 'Command: ""':
            report.skip(f"unit test ({preset}) {name}", "disabled in the source")


def side_by_side(*options: str) -> list[str]:
    """The options that have pytest run so many tests at once, where its plugin for that is there."""
    xdist = subprocess.run(["/usr/bin/python3", "-c", "import xdist"], stderr=subprocess.DEVNULL, check=False).returncode == 0
    return ["--numprocesses", *options] if xdist else []


@dataclasses.dataclass
class Suite:
    """Tests that pytest runs in tests/, for so many seconds at most."""

    title: str
    kind: str
    log: Path
    seconds: int
    here: Conditions
    options: Sequence[str]

    def run(self) -> None:
        self._note(stream(self._command(), self.log, cwd=ROOT / "tests", env=self.here.environment, seconds=self.seconds))

    @contextlib.contextmanager
    def beside(self):
        """Runs it while the block does other things, which are shown; then waits for its end and shows what it said."""
        with self.log.open("wb") as output:
            process = subprocess.Popen(self._command(), cwd=ROOT / "tests", env=self.here.environment, stdin=subprocess.DEVNULL,
                                       stdout=output, stderr=subprocess.STDOUT)
        try:
            with limit(process, self.seconds, 60):
                yield
                step(f"The end of: {self.title}")
                status = process.wait()
        except BaseException as interrupt:
            # Ctrl-C has reached it already. pytest stops what it started.
            if not isinstance(interrupt, KeyboardInterrupt):
                process.send_signal(signal.SIGINT)
            process.wait()
            raise
        print(self.log.read_text(errors="replace"), end="")
        self._note(status)

    def _command(self) -> list[str]:
        return [*self.here.prefix, "/usr/bin/python3", "-m", "pytest", "-p", "no:cacheprovider", "-rsfE", "--durations=15", *self.options]

    def _note(self, status: int) -> None:
        text = self.log.read_text(errors="replace")
        if status != 0:
            report.failures += [f"{self.title}: {self.log}", *re.findall(r"^(?:FAILED|ERROR) \S+::.*", text, re.MULTILINE)]
        report.closing_lines += [f"{self.title}:", *re.findall(r"^=+ .* in [0-9.]+s.* =+$", text, re.MULTILINE)[-1:]]
        for where, why in re.findall(r"^SKIPPED \[\d+\] (.*?): (.*)$", text, re.MULTILINE):
            report.skip(f"{self.kind} {where}", why)


def functional_suite(preset: str, title: str, *options: str, **environment: str) -> Suite | None:
    """None if the preset cannot run here, which is noted."""
    here = conditions(preset)
    if not here:
        return None
    environment["SWITCHYARD_BIN"] = str(ROOT / "build" / preset / "bin")
    # The other versions differ in what they put on the wire, not in our threads: debug has seen them.
    if preset == "tsan":
        environment["RQ_VERSIONS"] = "debian"
    here = dataclasses.replace(here, environment=here.environment | environment)
    return Suite(f"functional tests, {preset} ({title})", f"functional test ({preset})", REPORT / f"functional-{preset}.log",
                 1800, here, options)


def functional_tests(preset: str, title: str, *options: str) -> None:
    step(f"Functional tests, {title} ({PRESETS[preset]})")
    if suite := functional_suite(preset, title, *options):
        suite.run()
    else:
        say("not possible here")


def container_tests(*options: str) -> None:
    """Needs no program of ours: images are built from the source."""
    step("Switchyard in containers")
    try:
        containers.prepare_docker()
    except Failed as failed:
        failed.show()
        report.skip("all tests of containers",
                    f"no Docker engine can be started here; {containers.DAEMON_LOG} and the lines above say why")
        return
    try:
        if containers.find_engine() != ["docker"]:
            report.skip("all tests of containers", "this user reaches Docker with sudo only")
            return
        # No preset, so no sanitizer's options.
        Suite("tests of containers", "container test", REPORT / "containers.log", 3600, Conditions((), dict(os.environ)),
              ["containers", *options]).run()
    finally:
        containers.stop_engine()


# ---- Steps

def install_everything() -> None:
    step("Packages")
    system = read_system()
    require_supported_system(system)
    install_packages("to build Switchyard", packages("build_packages"))
    names = packages("test_packages")
    missing = missing_packages(names)
    if missing and may_be_root():
        refresh_package_lists()
    # A test package that this release does not have costs the tests that need it and nothing else.
    unknown = [name for name in missing if not is_installable(name)]
    for name in unknown:
        report.skip(f"tests that need {name}", f"{system.name} has no such package")
    names = [name for name in names if name not in unknown]
    if "postgresql" in names:
        prepare_for_postgresql()
    install_packages("to run the tests", names)


def prepare_for_postgresql() -> None:
    """Its package creates a cluster and starts it at once and at each boot, unless this is said between its common part and
    the server. A machine that has PostgreSQL already is left as it is."""
    if missing_packages(["postgresql-common"]):
        install_packages("to prepare for PostgreSQL", ["postgresql-common"])
        setting = ["/etc/postgresql-common/createcluster.conf", "set", "create_main_cluster", "off"]
        subprocess.run(as_root(["pg_conftool", *setting]), check=True)


def builds(preset: str, *targets: str, ahead: Ahead | None = None) -> bool:
    """A build that fails costs the tests that need it, and the others still run."""
    step(f"Build ({PRESETS[preset]})")
    if ahead:
        ahead.wait(preset, log_of(preset))
    try:
        build(preset, targets)
    except Failed as failed:
        failed.show()
        report.failures.append(f"build, {preset}: {REPORT / f'build-{preset}.log'}")
        return False
    return True


def run_all() -> None:
    # Most tests wait more than they compute, those of many things at once more than the others. The slow ones take turns at what
    # their file has set up.
    parallel, waiting = side_by_side(str(cores() + 1)), side_by_side(str(2 * cores() + 1))
    by_file = side_by_side(str(cores()), "--dist", "loadfile")
    debug = builds("debug")
    later = {"tsan": (*PROGRAMS, "tests_with_threads"), "release": PROGRAMS}
    ahead = Ahead({preset: ["/usr/bin/python3", str(ROOT / "scripts/build.py"), preset, *targets] for preset, targets in later.items()}
                  | AHEAD_OF_THEIR_TESTS)
    try:
        if debug:
            unit_tests("debug")
            functional_tests("debug", "all but the slow ones", "-m", "not slow", *parallel)
        if builds("tsan", *later["tsan"], ahead=ahead):
            unit_tests("tsan", "--label-regex", "threads")
            functional_tests("tsan", "those of many things at once, but the slow ones", "-m", "not slow", *waiting, *MANY_AT_ONCE)
        slow: Suite | None = None
        if builds("release", *later["release"], ahead=ahead):
            rounds = os.environ.get("SLOW_KILL_ROUNDS")
            slow = functional_suite("release", "the slow ones: kill -9, floods, endurance", "-m", "slow", *by_file,
                                    **({"KILL_ROUNDS": rounds} if rounds else {}))
    finally:
        ahead.stop()
    # Both wait more than they compute.
    with slow.beside() if slow else contextlib.nullcontext():
        container_tests()


def run_quick() -> None:
    if builds("debug"):
        unit_tests("debug")
        functional_tests("debug", "the quick ones", "-m", "quick")
    report.skip("the other functional tests, ThreadSanitizer, release", "this was ./test.sh quick; ./test.sh runs them")


def run_unit(presets: Sequence[str]) -> None:
    for preset in presets or ["debug"]:
        if builds(preset):
            unit_tests(preset)


def run_functional(preset: str, options: Sequence[str]) -> None:
    if builds(preset, *PROGRAMS):
        functional_tests(preset, "as asked", *options)


def what_is_wrong(mode: str, presets: Sequence[str], options: Sequence[str]) -> str | None:
    """What of the command line is not understood."""
    if unknown := [preset for preset in presets if preset not in PRESETS]:
        return f"this is not understood: {unknown[0]}"
    if mode not in ("all", "quick", "unit", "functional", "docker", "help", "-h", "--help"):
        return f"this is not understood: {mode}"
    wrong = {"all": presets or options, "quick": presets or options, "unit": options, "functional": presets[1:], "docker": presets}
    complaints = {"unit": "options of pytest go with: functional", "functional": "functional takes one preset",
                  "docker": "docker takes no preset"}
    return complaints.get(mode, f"{mode} takes no further arguments") if wrong.get(mode) else None


def main(arguments: list[str]) -> int:
    split = arguments.index("--") if "--" in arguments[1:] else len(arguments)
    mode = arguments[0] if arguments and arguments[0] else "all"
    presets, options = arguments[1:split], arguments[split + 1:]
    if wrong := what_is_wrong(mode, presets, options):
        print(f"test.sh: {wrong}\n\n{USAGE}", end="", file=sys.stderr)
        return 2
    if mode in ("help", "-h", "--help"):
        print(USAGE, end="")
        return 0
    REPORT.mkdir(parents=True, exist_ok=True)
    install_everything()
    match mode:
        case "all":
            run_all()
        case "quick":
            run_quick()
        case "unit":
            run_unit(presets)
        case "functional":
            run_functional(presets[0] if presets else "debug", options)
        case "docker":
            container_tests(*options)
    report.show()
    return 1 if report.failures else 0


if __name__ == "__main__":
    console.main_of("test.sh", REPORT, main)
