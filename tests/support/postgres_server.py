"""A PostgreSQL server of our own: a new cluster in a folder of its own, on a free port of 127.0.0.1, stopped by process id.

PostgreSQL refuses to run as root; then it runs as the user `postgres`, whom Debian's package creates."""

import glob
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from support.ports import free_port
from support.processes import Process, as_account, inherited_environment
from support.waiting import eventually

USER = "switchyard"

# What is small enough for a test machine; durability is PostgreSQL's own default.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "autovacuum_naptime": "10s",
    "log_line_prefix": "%m [%p] %u@%d ",
    "timezone": "UTC",
    "lc_messages": "C",
}


def _newest_binaries():
    """Debian and Ubuntu keep each version's programs in a folder of their own and none of the server's on PATH."""
    folders = [Path(path).parent for path in glob.glob("/usr/lib/postgresql/*/bin/postgres")]
    return max(folders, key=lambda folder: float(folder.parent.name), default=None)


BINARIES = _newest_binaries()


def _account():
    return "postgres" if os.geteuid() == 0 else None


def _account_is_missing():
    try:
        return os.geteuid() == 0 and not pwd.getpwnam("postgres")
    except KeyError:
        return True


def why_not_here():
    """The reason why this machine cannot run a server, or None."""
    if BINARIES is None:
        return "no PostgreSQL server is installed (Debian 12: postgresql-15, Ubuntu 24.04: postgresql-16)"
    if _account_is_missing():
        return "PostgreSQL does not run as root, and there is no user postgres"
    return None


class PostgresServer:
    """Made by `create`. The user of its URLs is a superuser; `settings` are those of postgresql.conf."""

    def __init__(self, home, port, password, outlives_us=False, **settings):
        self.home = Path(home)
        self.port = port
        self.password = password
        words = [f"{name}={value}" for name, value in {**_SETTINGS, **settings}.items()]
        command = [BINARIES / "postgres", "-D", self.data, "-p", str(port), "-k", self.home]
        for word in words:
            command += ["-c", word]
        self._paused = []
        self.process = Process("postgres", command, self.home, account=_account(), outlives_us=outlives_us)

    data = property(lambda self: self.home / "data")

    @classmethod
    def create(cls, outlives_us=False, **settings):
        """An empty cluster, not running yet. Its folder stands directly below the folder for temporary files, which both
        the user `postgres` can reach and leaves the socket's path short enough (107 bytes)."""
        home = Path(tempfile.mkdtemp(prefix="switchyard-postgres-"))
        password = secrets.token_hex(12)
        (home / "password").write_text(password)
        if account := _account():
            for path in (home, home / "password"):
                shutil.chown(path, account, account)
        subprocess.run([BINARIES / "initdb", "--no-sync", "--no-instructions", "--auth=scram-sha-256",
                        f"--username={USER}", f"--pwfile={home / 'password'}", "--encoding=UTF8", "--locale=C",
                        "-D", home / "data"], check=True, capture_output=True, cwd=home, env=inherited_environment(),
                       **as_account(_account()))
        return cls(home, free_port(), password, outlives_us, **settings)

    def url(self, database="postgres", user=USER, password=None, **parameters):
        query = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in parameters.items())
        return (f"postgresql://{user}:{quote(self.password if password is None else password, safe='')}"
                f"@127.0.0.1:{self.port}/{database}{'?' + query if query else ''}")

    def socket_url(self, database="postgres"):
        return f"postgresql://{USER}:{self.password}@/{database}?host={quote(str(self.home), safe='')}&port={self.port}"

    def start(self, timeout_s=60.0):
        self.process.start()
        self.wait_ready(timeout_s)
        return self

    def accepts_connections(self):
        done = subprocess.run([BINARIES / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], timeout=30,
                              env=inherited_environment())
        return done.returncode == 0

    def wait_ready(self, timeout_s=60.0):
        def ready():
            if not self.process.alive():
                # A process that the killed server had just forked may outlive it by a moment.
                if "pre-existing shared memory block" in self.process.log_since_start():
                    self.process.start()
                    return False
                raise RuntimeError(f"PostgreSQL did not start:\n{self.process.log()[-4000:]}")
            return self.accepts_connections()
        eventually(ready, "PostgreSQL to accept connections", timeout_s, interval_s=0.01)

    def kill9(self):
        """As when its machine goes down: all of its processes at once, none with the time to finish anything."""
        if not self.process.alive():
            return
        self.process.send_signal(signal.SIGSTOP)  # so that it neither notices its children's death nor starts new ones
        children = _children(self.process.process.pid)
        for pid in children:
            _signal(pid, signal.SIGKILL)
        self.process.kill()
        eventually(lambda: not any(_runs(pid) for pid in children), "PostgreSQL's processes to be gone")

    def pause(self):
        """SIGSTOP for all of its processes: connections stay open and nothing answers. Undone by `resume`."""
        self.process.send_signal(signal.SIGSTOP)
        self._paused = [pid for pid in _children(self.process.process.pid) if _signal(pid, signal.SIGSTOP)]

    def resume(self):
        for pid in self._paused:
            _signal(pid, signal.SIGCONT)
        self.process.send_signal(signal.SIGCONT)

    def restart(self):
        self.kill9()
        return self.start()

    def stop(self):
        """A fast shutdown: clients are cut off, what they did stays or is rolled back as a whole."""
        self.process.send_signal(signal.SIGCONT)
        return self.process.stop(signal.SIGINT)

    def remove(self):
        shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        try:
            self.kill9()  # nothing of it is kept, so nothing need be written
        finally:
            self.remove()


def _children(pid):
    """The processes that have `pid` as their parent. PostgreSQL's have no children of their own."""
    found = []
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            fields = Path(path).read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(path.split("/")[2]))
    return found


def _runs(pid):
    """False for a zombie, too, which nobody may have waited for yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _signal(pid, number):
    try:
        os.kill(pid, number)
        return True
    except ProcessLookupError:
        return False


def postmaster_of(home):
    """The process id of the server that runs in `home`, or None. The id in its file may by now be somebody else's."""
    try:
        pid = int((Path(home) / "data" / "postmaster.pid").read_text().split("\n")[0])
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if str(Path(home) / "data").encode() in words else None


def stop_left_over(home, timeout_s=30.0):
    """Stops the server that an earlier process started in `home`, and removes the folder."""
    pid = postmaster_of(home)
    if pid is not None:
        _signal(pid, signal.SIGINT)
        deadline = time.monotonic() + timeout_s
        while _runs(pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        if _runs(pid):
            _signal(pid, signal.SIGKILL)
    if re.fullmatch(r"switchyard-postgres-\w+", Path(home).name):
        shutil.rmtree(home, ignore_errors=True)
