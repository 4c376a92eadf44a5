"""One PostgreSQL server for all unit tests of a ctest run, which are a process each.

    postgres_for_unit_tests.py start FOLDER    writes FOLDER/url; a server that runs there already stays as it is
    postgres_for_unit_tests.py stop FOLDER

The URL's user is a superuser, who may create a database per test. Syncing is off: these tests do not kill the server.
`FOLDER/skipped` instead of `FOLDER/url` says why this machine cannot run one."""

import fcntl
import os
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import postgres_server
from support.postgres_server import PostgresServer


def start(folder):
    home = folder / "home"
    if home.exists() and (folder / "url").exists() and postgres_server.postmaster_of(home.read_text()) is not None:
        return
    stop(folder)
    reason = postgres_server.why_not_here()
    if reason is not None:
        (folder / "skipped").write_text(reason)
        return
    server = PostgresServer.create(outlives_us=True, fsync="off", synchronous_commit="off", full_page_writes="off")
    home.write_text(str(server.home))
    server.start()
    # Whoever finds this file finds a server that answers.
    (folder / "url.new").write_text(server.url())
    os.replace(folder / "url.new", folder / "url")


def stop(folder):
    home = folder / "home"
    if home.exists():
        postgres_server.stop_left_over(home.read_text())
    for name in ("url", "skipped", "home"):
        (folder / name).unlink(missing_ok=True)


def main(arguments):
    if len(arguments) != 2 or arguments[0] not in ("start", "stop"):
        print(__doc__, file=sys.stderr)
        return 2
    folder = Path(arguments[1])
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (start if arguments[0] == "start" else stop)(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
