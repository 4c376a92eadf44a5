""".ci/run fuzz [SECONDS [TARGET...]]: builds the fuzz targets with clang and runs each for so many seconds, one after
another; 60 seconds each of all targets unless told otherwise.

What libFuzzer finds worth keeping stays in build/fuzz/corpus and is where the next run goes on; what breaks a property is
kept in build/fuzz/crashes, and its file's name is printed. FUZZ_SEED repeats a run with the seed that it printed;
FUZZ_PRESET=fuzz-fast looks for broken properties only, without sanitizers, in more executions a second."""

import os
import random
import re
import subprocess
from pathlib import Path

import console
from build import build
from console import ROOT, fail, say, step
from system import clang_version, install_packages, packages

LOGS = ROOT / "build/fuzz/logs"
CRASHES = ROOT / "build/fuzz/crashes"


def build_targets(preset: str) -> None:
    version = clang_version()
    # clang's libFuzzer, with what names the lines of a report.
    install_packages("to fuzz", [*packages("build_packages"), f"clang-{version}", f"libclang-rt-{version}-dev", f"llvm-{version}"])
    build(preset, ["fuzzers"], env={"CXX": f"clang++-{version}"})


def options(seconds: str, seed: str) -> list[str]:
    """An input that takes longer, or a process that holds more, breaks a bound."""
    return [f"-max_total_time={seconds}", f"-seed={seed}", "-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1",
            "-print_funcs=0"]


def environment() -> dict[str, str]:
    """Freed memory is given back soon, or reading the same few inputs would look as if it grew."""
    return {**os.environ, "ASAN_SYMBOLIZER_PATH": f"/usr/lib/llvm-{clang_version()}/bin/llvm-symbolizer",
            "ASAN_OPTIONS": "detect_stack_use_after_return=1:quarantine_size_mb=16:malloc_context_size=8",
            "UBSAN_OPTIONS": "print_stacktrace=1"}


def holds(program: Path, seconds: str, seed: str) -> bool:
    """False if a property of the target was broken."""
    target, log = program.name, LOGS / f"{program.name}.log"
    dictionary, corpus, kept = (ROOT / folder / target for folder in ("tests/fuzz/dictionaries", "tests/fuzz/corpus", "build/fuzz/corpus"))
    command = [str(program), *options(seconds, seed), f"-artifact_prefix={CRASHES}/{target}-",
               *([f"-dict={dictionary}"] if dictionary.exists() else []), str(kept), str(corpus)]
    for folder in (kept, CRASHES, LOGS):
        folder.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        passed = subprocess.run(command, cwd=ROOT, env=environment(), stdout=output, stderr=output, check=False).returncode == 0
    text = log.read_text(errors="replace")
    if passed:
        executions = re.search(r"^stat::number_of_executed_units: *(\d+)", text, re.MULTILINE)
        say(f"{target:14} {executions[1] if executions else '?':>12} executions")
        return True
    if broken := re.search(r"^.*(invariant broken|^SUMMARY|runtime error|libFuzzer: ).*", text, re.MULTILINE):
        say(f"{target} FAILED: {broken[0]}")
    say(*[f"this input breaks it: {file}" for file in re.findall("Test unit written to (.*)", text)], f"log: {log}",
        f"once more: {program.relative_to(ROOT)} FILE; mended, the file belongs into tests/fuzz/corpus/{target}")
    return False


def main(arguments: list[str]) -> int:
    console.current.log_dir = LOGS
    seconds, *names = arguments or ["60"]
    preset = os.environ.get("FUZZ_PRESET") or "fuzz"
    seed = os.environ.get("FUZZ_SEED") or str(random.randrange(1, 2**31))
    step(f"Fuzz targets (clang, {preset})")
    build_targets(preset)
    folder = ROOT / "build" / preset / "fuzz"
    programs = [folder / name for name in names] or sorted(folder.iterdir())
    if unknown := [program.name for program in programs if not program.exists()]:
        fail(f"there is no target {unknown[0]}", f"there are {', '.join(sorted(program.name for program in folder.iterdir()))}")
    step(f"{seconds} s for each of {len(programs)} targets; the seed is {seed}")
    failed = [program for program in programs if not holds(program, seconds, seed)]
    console.end_step()
    return 1 if failed else 0
