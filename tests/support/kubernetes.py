"""The manifests of deploy/kubernetes as kubectl renders them, and what an API server would say to them.

The second is a Go program, tests/deploy/apiserver: the API server's own code, so there is no copy of its schemas to keep.
It is built once, in `build/kubernetes-go`. NotHere says why it cannot be had on this machine."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from support.processes import inherited_environment

REPOSITORY = Path(__file__).resolve().parents[2]
MANIFESTS = REPOSITORY / "deploy" / "kubernetes"
OVERLAYS = sorted(path.name for path in (MANIFESTS / "overlays").iterdir())
_PROGRAM = REPOSITORY / "tests" / "deploy" / "apiserver"
_BUILT = REPOSITORY / "build" / "kubernetes-go"
_GO_VARIABLES = ("GOPROXY", "GONOPROXY", "GONOSUMDB", "GOSUMDB", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


class NotHere(Exception):
    """The reason why something cannot be had on this machine."""


def kustomize(folder):
    """What `kubectl kustomize` does with a folder: a finished process, whatever its exit code."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        raise NotHere("kubectl is not installed")
    return subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, timeout=60)


def copy_of_manifests(folder):
    """A copy to write secrets into, without any that a developer may have beside the examples."""
    return Path(shutil.copytree(MANIFESTS, folder / "kubernetes", ignore=shutil.ignore_patterns("secrets.env")))


class ApiServer:
    """Judges manifests as an API server would."""

    def __init__(self, program, crds):
        self._command = [program, "-crds", crds]

    def refusals(self, *paths):
        """The lines about objects that it would refuse."""
        done = subprocess.run([*self._command, *paths], capture_output=True, text=True, timeout=120)
        assert done.returncode in (0, 1), done.stderr
        lines = done.stdout.splitlines()
        counted = [line for line in lines if line.endswith(" objects")]
        assert len(counted) == len(paths), done.stdout
        return [line for line in lines if line not in counted]


def _go(work):
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        raise NotHere("Go is not installed")
    environment = inherited_environment() | {name: os.environ[name] for name in _GO_VARIABLES if name in os.environ} | {
        "GOMODCACHE": str(work / "modules"),
        "GOCACHE": str(work / "objects"),
        "GOFLAGS": "-modcacherw -mod=readonly -buildvcs=false",
        "GOTOOLCHAIN": "local",
    }

    def run(*arguments, timeout_s):
        return subprocess.run(["nice", go, *arguments], cwd=_PROGRAM, env=environment, capture_output=True, text=True,
                              timeout=timeout_s)

    return run


def _build():
    """What Go needs meanwhile is a gigabyte, so it goes when the program is there."""
    work = _BUILT / "work"
    go = _go(work)
    try:
        downloaded = go("mod", "download", timeout_s=600)
    except subprocess.TimeoutExpired:
        raise NotHere("Go's modules were not downloaded in ten minutes") from None
    if downloaded.returncode != 0:
        raise NotHere((downloaded.stderr.strip().splitlines() or ["go mod download failed"])[-1])
    built = go("build", "-o", _BUILT / "apiserver", ".", timeout_s=1500)
    assert built.returncode == 0, built.stderr
    module = go("list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api", timeout_s=60)
    assert module.returncode == 0, module.stderr
    shutil.copytree(Path(module.stdout.strip(), "config", "crd", "standard"), _BUILT / "crds", dirs_exist_ok=True)
    shutil.rmtree(work)


def api_server():
    """Built if need be, in minutes; the file `complete`, written last, says from what."""
    _BUILT.mkdir(parents=True, exist_ok=True)
    complete = _BUILT / "complete"
    with open(_BUILT / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        sources = sorted(path for path in _PROGRAM.iterdir() if path.name.startswith("go.") or path.suffix == ".go")
        wanted = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
        if not complete.exists() or complete.read_text() != wanted:
            _build()
            complete.write_text(wanted)
    return ApiServer(_BUILT / "apiserver", _BUILT / "crds")


# What ./test.sh does ahead of the tests that need it.
if __name__ == "__main__":
    try:
        api_server()
    except NotHere as reason:
        print(reason)
