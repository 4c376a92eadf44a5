"""The services take no arguments: --help and --version are answered, and nothing else starts one."""

import subprocess

import pytest

from support.processes import inherited_environment
from support.programs import binary

SERVICES = ["auth-api", "core-api", "psp-connector", "psp-events", "psp-simulator"]


def run(program, *arguments, folder, stdout=subprocess.PIPE):
    """Without any setting: a program that started in spite of its arguments would say what it lacks, or make a store."""
    return subprocess.run([binary(program), *arguments], env=inherited_environment(), cwd=folder, stdout=stdout,
                          stderr=subprocess.PIPE, text=True, timeout=60)


@pytest.mark.quick
@pytest.mark.parametrize("program", SERVICES)
def test_help_says_what_it_is_and_how_it_is_configured(tmp_path, program):
    done = run(program, "--help", folder=tmp_path)
    assert done.returncode == 0 and done.stderr == ""
    assert program in done.stdout and "METRICS_PORT" in done.stdout and "--version" in done.stdout
    assert list(tmp_path.iterdir()) == [], "asking for help made something"


@pytest.mark.quick
@pytest.mark.parametrize("program", [*SERVICES, "switchyard"])
def test_version_is_the_same_everywhere(tmp_path, program):
    done = run(program, "--version", folder=tmp_path)
    assert done.returncode == 0 and done.stdout == run("switchyard", "--version", folder=tmp_path).stdout


@pytest.mark.quick
@pytest.mark.parametrize("program", SERVICES)
@pytest.mark.parametrize("arguments", [["serve"], ["--halp"], ["-p80"], ["--port", "80"], [""], ["--", "x"]])
def test_an_argument_that_is_not_known_starts_nothing(tmp_path, program, arguments):
    done = run(program, *arguments, folder=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith(f"{program}: ") and "--help" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("program, arguments", [
    *[(program, [argument]) for program in [*SERVICES, "switchyard"] for argument in ("--help", "--version")],
    ("switchyard", ["store", "migrate"]),
])
def test_output_that_cannot_be_written_is_a_failure(tmp_path, program, arguments):
    """A result that never arrived is none, and a script must see that."""
    with open("/dev/full", "w") as full:
        done = run(program, *arguments, folder=tmp_path, stdout=full)
    assert done.returncode == 1 and "standard output" in done.stderr and "space" in done.stderr
