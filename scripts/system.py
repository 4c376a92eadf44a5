"""The system beneath setup.sh, test.sh and .ci/run: which one it is, root's rights, and the packages of Debian and Ubuntu."""

import dataclasses
import functools
import os
import platform
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path

import console
from console import ROOT, fail, forget, run_logged, say


@dataclasses.dataclass(frozen=True)
class System:
    """As os-release(5) names it; the version is empty for Debian's testing and unstable, which are newer than all others."""

    id: str
    version: str
    name: str

    @property
    def is_supported(self) -> bool:
        oldest = {"debian": 12, "ubuntu": 24}.get(self.id)
        major = self.version.partition(".")[0]
        return oldest is not None and (int(major) >= oldest if major.isdecimal() else self.id == "debian")


def read_system() -> System:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return System("", "", platform.system())
    return System(release["ID"], release.get("VERSION_ID", ""), release["PRETTY_NAME"])


def require_supported_system(system: System) -> None:
    if not system.is_supported:
        text = (ROOT / "scripts/unsupported-system.txt").read_text()
        print(f"{console.current.program}: this is {system.name}; {text}", end="", file=sys.stderr)
        sys.exit(1)
    for tool in ("apt-get", "dpkg-query"):
        if not shutil.which(tool):
            fail(f"{system.name} without {tool}",
                 "this is a reduced system: use a complete Debian 12 or Ubuntu 24.04, or a container of one")


def cores() -> int:
    return len(os.sched_getaffinity(0))


def build_jobs() -> int:
    """How many compilers run at once: one a core, and 1.5 GiB of free memory for each."""
    memory = int(re.search(r"^MemAvailable: *(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE)[1]) * 1024
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.exists() and (text := limit.read_text().strip()).isdecimal():
        memory = min(memory, int(text))
    return max(1, min(memory // (1536 * 1024 * 1024), cores()))


# ---- Root

def may_be_root() -> bool:
    """True if this user may run commands as root; asks for sudo's password where there is a terminal to ask at."""
    if os.geteuid() == 0:
        return True
    ask = sys.stdin.isatty() and sys.stdout.isatty()
    command = ["sudo", "-v"] if ask else ["sudo", "-n", "true"]
    return bool(shutil.which("sudo")) and subprocess.run(command, stderr=None if ask else subprocess.DEVNULL, check=False).returncode == 0


def as_root(command: Iterable[str], *, ask: bool = True) -> list[str]:
    """The command as root runs it. ask: sudo may ask for a password."""
    return [*([] if os.geteuid() == 0 else ["sudo"] if ask else ["sudo", "-n"]), *command]


# ---- Packages

def packages(function: str) -> list[str]:
    """What that function of scripts/packages.sh prints."""
    system = read_system()
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", 'source "$0" && "$1"', str(ROOT / "scripts/packages.sh"), function],
                          env={**os.environ, "system_id": system.id, "system_version": system.version},
                          stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.split()


def missing_packages(names: Iterable[str]) -> list[str]:
    """Those that are not installed, in order, each once."""
    names = sorted(set(names))
    done = subprocess.run(["dpkg-query", "-W", "-f=${db:Status-Status} ${Package}\n", *names],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    lines = done.stdout.splitlines()
    return [name for name in names if f"installed {name}" not in lines]


def is_installable(name: str) -> bool:
    done = subprocess.run(["apt-cache", "policy", name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return re.search(r"^  Candidate: [^(]", done.stdout, re.MULTILINE) is not None


@functools.cache
def clang_version() -> int:
    """clang 19 is what CI uses. A release without it gets the newest one it has, which may warn about other things."""
    return next((version for version in (19, 20, 18, 17, 16, 15, 14) if is_installable(f"clang-tidy-{version}")), 19)


def run_apt(log: str, *arguments: str) -> bool:
    """apt-get that never asks, and waits for another package manager to finish."""
    return run_logged(console.current.log_dir / log, as_root(
        ["env", "DEBIAN_FRONTEND=noninteractive", "NEEDRESTART_MODE=l",
         "apt-get", "-q", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3", *arguments]))


package_lists_are_fresh = False


def refresh_package_lists() -> None:
    global package_lists_are_fresh
    if not package_lists_are_fresh:
        # One repository out of reach must not matter as long as the packages are found in another.
        if not run_apt("apt-update.log", "update"):
            say("apt-get update reported problems; going on with the lists there are")
            forget()
        package_lists_are_fresh = True


def install_packages(why: str, names: Iterable[str]) -> None:
    """Installs with apt what is missing, and nothing else."""
    names = list(names)
    missing = missing_packages(names)
    if not missing:
        say(f"all {len(names)} packages {why} are installed")
        return
    program = console.current.program
    say(f"missing {why}:", *textwrap.wrap(" ".join(missing), 100, initial_indent="  ", subsequent_indent="  ",
                                          break_on_hyphens=False))
    by_hand = f"apt-get update && apt-get install --no-install-recommends {' '.join(missing)}"
    if not may_be_root():
        fail("packages are missing and this user may not install them", f"as root: {by_hand}", f"then run ./{program} again")
    say(f"installing {len(missing)} with apt-get{'' if os.geteuid() == 0 else ' and sudo'}")
    refresh_package_lists()
    if not run_apt("apt-install.log", "install", "-y", "--no-install-recommends", "--no-remove", *missing):
        fail("apt-get could not install the packages",
             'check the network and /etc/apt/sources.list (Ubuntu: the "universe" component must be enabled)',
             f"where a package excludes one that is installed, decide which to keep, then: {by_hand}",
             f"then run ./{program} again")
