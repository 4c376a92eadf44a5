"""A Debian of its own in a folder, made by debootstrap, to install our package into; with systemd as its init or without.

Whatever runs in it has namespaces of its own and ends with the process that began it; mounts go with them. As root only.
DEBIAN_MIRROR names the archive that packages come from."""

import os
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from support.processes import Process, inherited_environment
from support.waiting import PATIENCE, eventually

MIRROR = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
_TOOLS = ("debootstrap", "unshare", "nsenter", "setpriv", "chroot")
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8",
                "DEBIAN_FRONTEND": "noninteractive"}

# Run by sh in new namespaces, with the folder as its argument: /dev without the machine's devices, /sys and /proc/sys
# that cannot be written, and the folder as the root of the mount namespace, as services with one of their own need it.
_BOOT = """
set -e
root=$1
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755,nosuid tmpfs "$root/run"
mount -t tmpfs -o mode=1777,nosuid tmpfs "$root/tmp"
mount -t tmpfs -o mode=755,nosuid tmpfs "$root/dev"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
cd "$root"
pivot_root . mnt
umount -l /mnt
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=switchyard-test /lib/systemd/systemd --system \\
  --unit=multi-user.target --log-target=console --log-level=warning --show-status=no
"""


class NotHere(Exception):
    """The reason why this machine cannot have such a Debian."""


def _codename():
    lines = Path("/etc/os-release").read_text().splitlines() if Path("/etc/os-release").exists() else []
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    return values.get("VERSION_CODENAME", "").strip('"') if values.get("ID") == "debian" else None


def why_not_here():
    """The reason why none can be made, or None."""
    if os.geteuid() != 0:
        return "debootstrap and chroot need root"
    for tool in _TOOLS:
        if shutil.which(tool) is None:
            return f"there is no {tool}"
    if not _codename():
        return "this is not Debian, and what is built here needs the libraries of this system"
    probe = subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True, text=True)
    if probe.returncode != 0:
        return f"no namespaces: {probe.stderr.strip()}"
    release = f"{MIRROR}/dists/{_codename()}/InRelease"
    try:
        with urllib.request.urlopen(release, timeout=15 * PATIENCE) as answer:
            answer.read(1)
    except (OSError, urllib.error.URLError) as error:
        return f"{release}: {error}"
    return None


def bootstrap(folder):
    """A minimal system of this machine's own release, with the archive's lists of packages."""
    command = ["debootstrap", "--variant=minbase", _codename(), str(folder), MIRROR]
    done = subprocess.run(command, capture_output=True, text=True, env={**inherited_environment(), "LC_ALL": "C.UTF-8"},
                          timeout=900 * PATIENCE)
    if done.returncode != 0:
        raise NotHere(f"debootstrap: {(done.stdout + done.stderr).strip().splitlines()[-1]}")
    debian = DebianMachine(folder)
    # It is copied for each test: no translations, no packages, and no sync of what is thrown away anyway.
    debian.path("/etc/dpkg/dpkg.cfg.d/short-lived").write_text("".join(f"{line}\n" for line in (
        "force-unsafe-io", "path-exclude=/usr/share/locale/*", "path-exclude=/usr/share/man/*")))
    debian.run("sh", "-c", "rm -rf /usr/share/locale/* /usr/share/man/* /usr/share/doc/* && apt-get clean")
    debian.run("apt-get", "update", "-q")
    return debian


class DebianMachine:
    """The system in a folder. Paths are as the system itself sees them, from its root."""

    def __init__(self, root):
        self.root = Path(root)

    def copy(self, folder):
        subprocess.run(["cp", "--archive", "--reflink=auto", str(self.root), str(folder)], check=True)
        return type(self)(folder)

    def remove(self):
        shutil.rmtree(self.root, ignore_errors=True)

    def path(self, name):
        return self.root / name.lstrip("/")

    def command(self, *words, user=None):
        """How to run a command in it from outside. Killing `unshare` kills all of it."""
        account = [f"--userspec={user}:{user}"] if user else []
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c",
                'mount -t proc proc "$0/proc" && cd / && exec chroot "$@"', self.root,
                *account, self.root, *words]

    def run(self, *words, user=None, stdin_text="", check=True, environment=None, timeout_s=300):
        done = subprocess.run([str(word) for word in self.command(*words, user=user)], input=stdin_text, text=True,
                              capture_output=True, env={**_ENVIRONMENT, **(environment or {})},
                              timeout=timeout_s * PATIENCE)
        assert not check or done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def put(self, package):
        """A copy of one of our packages in it; apt's name for that."""
        shutil.copy(package, self.path("/root"))
        return f"/root/{package.name}"

    def install(self, package):
        return self.run("apt-get", "install", "-y", "-q", "--no-install-recommends", self.put(package))

    def apt(self, action, *names):
        return self.run("apt-get", action, "-y", "-q", *names)

    def owner_and_mode(self, name):
        """Such as "root switchyard 640"; None if there is no such file."""
        done = self.run("stat", "--format=%U %G %a", name, check=False)
        return done.stdout.strip() if done.returncode == 0 else None

    def exists(self, name):
        return os.path.lexists(self.path(name))


def _cgroup2():
    """Where the unified hierarchy is mounted, or None."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(where)
    return None


class BootedMachine(DebianMachine):
    """With systemd as its process 1 and a network of its own, in which ports are free. It needs `systemd-sysv`."""

    def __init__(self, root):
        super().__init__(root)
        self._process = None
        self._cgroup = None

    def boot(self):
        hierarchy = _cgroup2()
        if hierarchy is None:
            raise NotHere("no cgroup2 for systemd")
        self._cgroup = hierarchy / f"switchyard-test-{os.getpid()}-{self.root.name}"
        try:
            self._cgroup.mkdir()
        except OSError as error:
            self._cgroup = None
            raise NotHere(f"no cgroup for systemd: {error}") from None
        # It ends with us, however we end.
        join = 'echo $$ >"$0/cgroup.procs" && exec setpriv --pdeathsig KILL "$@"'
        self._process = Process("systemd", [
            "sh", "-c", join, self._cgroup, "unshare", "--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup",
            "--fork", "--kill-child", "sh", "-c", _BOOT, "boot", self.root], self.root.parent).start()
        eventually(lambda: not self._process.alive() or self._state() in ("running", "degraded"), "systemd to be up",
                   60)
        if not self._process.alive():
            raise NotHere(f"systemd does not start here: {' '.join(self._process.log_lines()[-3:])}")
        return self

    def _init(self):
        """The process id of its process 1, as we see it."""
        outer = self._process.process.pid
        children = Path(f"/proc/{outer}/task/{outer}/children").read_text().split()
        return children[0] if children else None

    def _state(self):
        if self._init() is None:
            return None
        return self.run("systemctl", "is-system-running", check=False).stdout.strip()

    def command(self, *words, user=None):
        account = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"] if user else []
        return ["nsenter", "--target", self._init(), "--all", *account, *words]

    def shut_down(self):
        if self._process is not None:
            self._process.kill()
        if self._cgroup is not None:
            eventually(self._cgroups_are_gone, "the cgroups to be empty")

    def _cgroups_are_gone(self):
        for folder, _, _ in os.walk(self._cgroup, topdown=False):
            try:
                os.rmdir(folder)
            except OSError:
                return False
        return True

    def property(self, unit, name):
        return self.run("systemctl", "show", "--value", "--property", name, unit).stdout.strip()

    def is_active(self, unit):
        return self.run("systemctl", "is-active", unit, check=False).stdout.strip()

    def is_enabled(self, unit):
        return self.run("systemctl", "is-enabled", unit, check=False).stdout.strip()

    def journal(self, unit):
        return self.run("journalctl", "--no-pager", "--output=cat", f"--unit={unit}").stdout
