"""`./test.sh` and `.ci/run` in a folder of their own, between stand-ins for what takes minutes or would change this machine:
cmake, g++, ctest, clang's tools and the package manager. pytest is the real one, over a suite of four tests."""

import json
import os
import re
import shutil
import signal
import subprocess
import time

import console
import pytest
import system
from ahead import Ahead
import testing

from support.programs import REPOSITORY
from support.waiting import PATIENCE, eventually

SUITE = """
import os, time, pytest
def test_that_passes(): assert os.environ["ASAN_OPTIONS"] == "" and os.environ["SWITCHYARD_BIN"].endswith("build/release/bin")
def test_that_is_skipped(): pytest.skip("no such: machine")
def test_that_fails(): assert "FAIL" not in os.environ
def test_that_waits():
    try:
        if "WAIT" in os.environ: print("waiting", flush=True) or time.sleep(60)
    finally:
        open("cleaned-up", "w").close()
"""

CTEST = """mkdir -p "$2/Testing/Temporary"
cat >"$2/Testing/Temporary/LastTest.log" <<'LOG'
2/2 Testing: Kernel.Splice
2/2 Test: Kernel.Splice
Output:
Kernel.Splice: Skipped
this kernel has no splice
LOG
echo "options ${*:6} under $ASAN_OPTIONS"
echo "    Start 1: Money.Adds"
echo "1/2 Test #1: Money.Adds ......   Passed    0.01 sec"
echo "2/2 Test #2: Kernel.Splice ...***Skipped   0.01 sec"
echo "100% tests passed, 0 tests failed out of 2"
echo "Total Test time (real) =   0.02 sec"
"""


def write_script(path, script):
    path.write_text(f"#!/bin/bash\n{script}\n")
    path.chmod(0o755)


class Runner:
    def __init__(self, folder):
        self.folder = folder / "a folder"
        shutil.copytree(REPOSITORY / "scripts", self.folder / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy2(REPOSITORY / "CMakePresets.json", self.folder)
        (self.folder / "tests").mkdir()
        (self.folder / "tests/test_suite.py").write_text(SUITE)
        (folder / "bin").mkdir()
        self.tools = folder / "bin"
        self.stand_in("dpkg-query", 'printf "installed %s\\n" "${@:3}"')
        self.stand_in("apt-get", "exit 0")
        self.stand_in("cmake", 'echo "$*"')
        self.stand_in("g++", 'printf "#!/bin/sh\\nexit 0\\n" >"${@: -1}"; chmod +x "${@: -1}"')
        self.stand_in("ctest", CTEST)
        self.environment = {"PATH": f"{self.tools}:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}

    def stand_in(self, name, script):
        write_script(self.tools / name, script)

    def start(self, *arguments, script="testing.py", **environment):
        return subprocess.Popen(["/usr/bin/python3", "-B", f"scripts/{script}", *arguments], cwd=self.folder, text=True,
                                env=self.environment | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, *arguments, **options):
        process = self.start(*arguments, **options)
        process.output, process.errors = process.communicate(timeout=60 * PATIENCE)
        return process


@pytest.fixture
def runner(tmp_path):
    return Runner(tmp_path)


def test_the_closing_lines_come_last_and_every_skip_has_its_reason(runner):
    done = runner.run("functional", "release", "--", "-k", "passes or skipped")
    assert done.returncode == 0, done.output + done.errors
    output, _, closing = done.output.partition("functional tests, release (as asked):\n")
    assert re.fullmatch("=+ 1 passed, 1 skipped, 2 deselected in .*=+\n", closing)
    assert re.search(r"^   functional test \(release\) test_suite.py:\d+: no such: machine$", output, re.M)
    time = output.partition("Time:\n")[2]
    assert time.index("Functional tests, as asked (release)") < time.index("in all")


def test_a_test_that_fails_is_named_with_its_log(runner):
    done = runner.run("functional", "release", "--", "-k", "fails", FAIL="yes")
    assert done.returncode == 1
    log = runner.folder / "build/test-report/functional-release.log"
    assert f"FAILED:\n   functional tests, release (as asked): {log}\n   FAILED test_suite.py::test_that_fails" in done.output
    assert "AssertionError" in log.read_text() and "1 failed" in done.output.splitlines()[-1]


def test_unit_tests_show_what_is_not_routine(runner):
    done = runner.run("unit")
    assert done.returncode == 0, done.output + done.errors
    assert "Money.Adds" not in done.output
    assert "Money.Adds" in (runner.folder / "build/test-report/unit-debug.log").read_text()
    assert "   unit test (debug) Kernel.Splice: this kernel has no splice\n" in done.output
    assert "under abort_on_error=1:detect_leaks=1:" in done.output
    assert done.output.endswith("unit tests, debug:\n100% tests passed, 0 tests failed out of 2\nTotal Test time (real) =   0.02 sec\n")


def test_a_sanitizer_that_does_not_run_here_costs_its_tests_only(runner):
    runner.stand_in("g++", "echo no threads here; exit 1")
    done = runner.run("unit", "tsan", "debug")
    assert done.returncode == 0, done.output + done.errors
    assert "all tests under ThreadSanitizer: it does not run here: no threads here" in done.output
    assert done.output.count("the search for memory leaks: LeakSanitizer does not run here") == 1
    assert "detect_leaks=0" in done.output and "unit tests, debug:" in done.output and "unit tests, tsan:" not in done.output


def test_a_build_that_fails_costs_its_tests_only(runner):
    runner.stand_in("cmake", 'echo "FAILED: money.cpp"; [[ "$*" != *build/debug* ]]')
    done = runner.run("unit", "debug", "release")
    assert done.returncode == 1
    assert "| FAILED: money.cpp" in done.errors and "the build in build/debug failed" in done.errors
    assert f"build, debug: {runner.folder}/build/test-report/build-debug.log" in done.output
    assert "unit tests, release:" in done.output and "unit tests, debug:" not in done.output


def test_ci_is_given_the_closing_lines_in_a_file(runner, tmp_path):
    done = runner.run("unit", "release", TEST_CLOSING_LINES=str(tmp_path / "closing"))
    assert "unit tests, release:" not in done.output
    time, _, closing = (tmp_path / "closing").read_text().partition("\n\n")
    assert time.startswith("Time:\n") and closing.startswith("unit tests, release:\n100% tests passed")


def test_an_interrupted_run_lets_pytest_clean_up(runner):
    process = runner.start("functional", "release", "--", "-k", "waits", "-s", WAIT="yes")
    log = runner.folder / "build/test-report/functional-release.log"
    eventually(lambda: log.exists() and "waiting" in log.read_text(), "the test to wait")
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=30 * PATIENCE)
    assert process.returncode == 143 and "KeyboardInterrupt" in output and "Traceback" not in errors
    assert (runner.folder / "tests/cleaned-up").exists()


BESIDE = """
import sys; sys.path.insert(0, "scripts")
import console, os, testing, time
def main(_):
    testing.REPORT.mkdir(parents=True, exist_ok=True)
    with testing.functional_suite("release", "the slow ones", "-s", "-k", os.environ["TESTS"]).beside():
        testing.step("Other things")
        while not testing.REPORT.joinpath("functional-release.log").read_text().count(os.environ["UNTIL"]): time.sleep(0.01)
        if "BREAK" in os.environ: sys.exit(3)
    testing.report.show()
    return int(bool(testing.report.failures))
console.main_of("test.sh", testing.REPORT, main)
"""


def test_a_suite_beside_other_steps_is_shown_after_them(runner):
    (runner.folder / "beside.py").write_text(BESIDE)
    done = runner.run(script="../beside.py", TESTS="passes or skipped", UNTIL="")
    assert done.returncode == 0, done.output + done.errors
    assert done.output.index("1. Other things") < done.output.index("2. The end of: functional tests, release (the slow ones)")
    assert "   functional test (release) test_suite.py:" in done.output and "1 passed, 1 skipped" in done.output.splitlines()[-1]
    done = runner.run(script="../beside.py", TESTS="fails", UNTIL="", FAIL="yes")
    assert done.returncode == 1 and "   FAILED test_suite.py::test_that_fails" in done.output


def test_a_suite_beside_steps_that_end_the_run_cleans_up(runner):
    (runner.folder / "beside.py").write_text(BESIDE)
    done = runner.run(script="../beside.py", TESTS="waits", WAIT="yes", UNTIL="waiting", BREAK="yes")
    assert done.returncode == 3, done.output + done.errors
    assert (runner.folder / "tests/cleaned-up").exists()


@pytest.mark.parametrize("script, status", [
    ("trap 'echo stopped; exit 2' INT; while :; do sleep 0.1; done", 2), ("trap 'echo stopped' INT; while :; do sleep 0.1; done", -9)])
def test_a_suite_that_hangs_is_interrupted_and_then_killed(tmp_path, capfdbinary, script, status):
    began = time.monotonic()
    done = testing.stream(["bash", "-c", script], tmp_path / "log", cwd=tmp_path, env=dict(os.environ), seconds=0.5, patience=1)
    assert done == status and time.monotonic() - began < 20 * PATIENCE
    assert (tmp_path / "log").read_text() == "stopped\n"


@pytest.mark.parametrize("arguments, said", [
    (["nonsense"], "this is not understood: nonsense"), (["debug"], "this is not understood: debug"),
    (["all", "often"], "this is not understood: often"), (["quick", "debug"], "quick takes no further arguments"),
    (["unit", "--", "-x"], "options of pytest go with: functional"),
    (["functional", "debug", "tsan"], "functional takes one preset"), (["docker", "tsan"], "docker takes no preset"),
])
def test_what_is_not_understood(runner, arguments, said):
    done = runner.run(*arguments)
    assert done.returncode == 2 and done.errors.startswith(f"test.sh: {said}\n\nusage: ./test.sh") and done.output == ""


# ---- .ci/run

COMPILE_COMMANDS = json.dumps([{"directory": "/", "command": f"c++ -O2 -o {name}.o -c {name}", "file": f"/{name}"}
                               for name in ("Unity/unity_0_cxx.cxx", "Unity/unity_1_cxx.cxx")])


@pytest.fixture
def ci(runner):
    """Source without anything to object to, and tools that say so."""
    runner.stand_in("apt-cache", "echo '  Candidate: 19'")
    runner.stand_in("cmake", f"mkdir -p build/tidy-ON; echo '{COMPILE_COMMANDS}' >build/tidy-ON/compile_commands.json")
    for tool in ("clang-format-19", "clang++-19", "run-clang-tidy-19", "shellcheck"):
        runner.stand_in(tool, "exit 0")
    (runner.folder / ".clang-tidy").write_text("Checks: bugprone-*\n")
    ruff = runner.folder / "build/ruff-venv/bin/ruff"
    ruff.parent.mkdir(parents=True)
    ruff.symlink_to("/bin/true")
    for script in ("check_structure.py", "mutants.py"):
        (runner.folder / "scripts" / script).write_text("")
    (runner.folder / "money.cpp").write_text("int x;\n")
    write_script(runner.folder / "test.sh", 'echo "with $SLOW_KILL_ROUNDS rounds"; echo "all passed" >"$TEST_CLOSING_LINES"')
    subprocess.run(["git", "init", "--quiet"], cwd=runner.folder, check=True)
    return runner


def verdicts(output):
    rows = re.findall(r"^   (passed|FAILED) +(\S.*?)  +\d", output.partition("Results\n")[2], re.M)
    return {name: verdict for verdict, name in rows}


def test_ci_passes_if_every_check_does(ci):
    done = ci.run(script="ci.py")
    assert done.returncode == 0, done.output + done.errors
    assert set(verdicts(done.output)) == {"tools", "clang-tidy begins", "tests", "mutants", "clang-format", "clang-tidy",
                                          "structure", "shellcheck", "python"}
    assert set(verdicts(done.output).values()) == {"passed"}
    assert "with 20 rounds" in done.output and done.output.endswith("\n\nall passed\n")


@pytest.mark.parametrize("check, tool", [("clang-format", "clang-format-19"), ("clang-tidy", "run-clang-tidy-19"),
                                         ("shellcheck", "shellcheck")])
def test_a_check_that_fails_leaves_the_others_to_run(ci, check, tool):
    ci.stand_in(tool, 'echo "x.cpp:1:1: error: a finding"; exit 1')
    done = ci.run(script="ci.py")
    assert done.returncode == 1 and "a finding" in done.output
    assert {name for name, verdict in verdicts(done.output).items() if verdict == "FAILED"} == {check}
    assert done.output.endswith("\n\nall passed\n")


def test_clang_tidy_reads_again_what_has_changed_since_it_was_clean(ci):
    def read():
        """The files given to clang-tidy by a run of .ci/run."""
        (ci.folder / "read").write_text("")
        ci.run(script="ci.py")
        return sorted(set(re.findall(r"unity_[01]", (ci.folder / "read").read_text())))

    ci.stand_in("run-clang-tidy-19", 'echo "$@" >>read; exit $(cat status)')
    ci.stand_in("clang++-19", f'[[ "$*" == *unity_1* ]] && cat "{ci.folder}/money.cpp" || echo int y')
    (ci.folder / "status").write_text("0\n")
    assert read() == ["unity_0", "unity_1"]
    assert read() == []
    (ci.folder / "money.cpp").write_text("int x;  // NOLINT\n")
    (ci.folder / "status").write_text("1\n")
    assert read() == ["unity_1"]
    assert read() == ["unity_1"], "it was not clean"
    (ci.folder / "status").write_text("0\n")
    assert read() == ["unity_1"]
    (ci.folder / ".clang-tidy").write_text("Checks: performance-*\n")
    assert read() == ["unity_0", "unity_1"]
    ci.stand_in("clang++-19", "exit 1")
    assert read() == ["unity_0", "unity_1"], "what cannot be preprocessed is not known to be clean"


def test_a_check_whose_tool_is_missing_has_failed(ci):
    (ci.folder / "build/ruff-venv/bin/ruff").unlink()
    (ci.folder / "build/ruff-venv/bin/ruff").write_text("")  # not a program
    done = ci.run(script="ci.py")
    assert done.returncode == 1 and verdicts(done.output)["python"] == "FAILED" and len(verdicts(done.output)) == 9


def test_tests_that_do_not_get_to_their_end(ci):
    write_script(ci.folder / "test.sh", "exit 1")
    done = ci.run(script="ci.py")
    assert done.returncode == 1 and verdicts(done.output)["tests"] == "FAILED"
    assert done.output.endswith("the tests did not get as far as closing lines\n")


# ---- What the scripts share

@pytest.mark.parametrize("seconds, text", [(0, "0.0 s"), (0.99, "0.9 s"), (59.99, "59.9 s"), (60, "1 min 0 s"), (252.9, "4 min 12 s")])
def test_a_duration(seconds, text):
    assert console.elapsed(seconds) == text


@pytest.mark.parametrize("text, excerpt", [
    ("", ["(nothing)"]), ("one\ntwo\n", ["one", "two"]), ("".join(f"{n}\n" for n in range(30)), [str(n) for n in range(10, 30)]),
    ("[1/9] a\nFAILED: b.o\nb.cpp:1: error\n" + "more\n" * 60, ["FAILED: b.o", "b.cpp:1: error", *["more"] * 38]),
])
def test_what_a_log_says_went_wrong(tmp_path, text, excerpt):
    (tmp_path / "log").write_text("older\n" + text)
    assert console.log_excerpt(tmp_path / "log", skip=6) == excerpt


@pytest.mark.parametrize("name, version, supported", [
    ("debian", "12", True), ("debian", "11", False), ("debian", "", True), ("ubuntu", "24.04", True), ("ubuntu", "22.04", False),
    ("ubuntu", "", False), ("fedora", "40", False),
])
def test_systems(name, version, supported):
    assert system.System(name, version, "").is_supported == supported


def test_a_long_command_leaves_its_output_and_what_failed(tmp_path):
    assert console.run_logged(tmp_path / "logs/log", ["sh", "-c", 'echo "$A"'], env={"A": "out"})
    assert (tmp_path / "logs/log").read_text() == "$ sh -c 'echo \"$A\"'\nout\n"
    assert not console.run_logged(tmp_path / "log", ["sh", "-c", "echo no >&2; exit 3"])
    with pytest.raises(console.Failed) as failed:
        console.fail("it broke", "mend it")
    assert failed.value.log == tmp_path / "log" and "exit 3" in failed.value.command


def test_python_is_looked_for_before_anything_else(tmp_path):
    """The stub goes on as Python with the same arguments, from any folder."""
    done = subprocess.run([REPOSITORY / "test.sh", "a b"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
                          env={"PATH": os.environ["PATH"]})
    assert done.returncode == 2 and "this is not understood: a b" in done.stderr


def test_work_ahead_is_done_in_order_at_the_lowest_priority(tmp_path):
    order = tmp_path / "order"
    ahead = Ahead({name: ["sh", "-c", f"nice >>{order}; echo {name} >>{order}"] for name in ("first", "second")})
    ahead.wait("second", tmp_path / "log")
    assert order.read_text().split() == ["19", "first", "19", "second"]
    ahead.wait("nobody's", tmp_path / "log")
    ahead.stop()


def test_work_ahead_is_ended_with_what_it_has_started(tmp_path):
    running = tmp_path / "running"
    ahead = Ahead({"long": ["sh", "-c", f"sleep 600 & echo $! >{running}; wait"], "never": ["touch", str(tmp_path / "never")]})
    eventually(lambda: running.exists() and running.read_text().strip(), "the work to be under way")
    ahead.stop()
    eventually(lambda: not os.path.exists(f"/proc/{running.read_text().strip()}"), "its child to end, too")
    assert not (tmp_path / "never").exists()
