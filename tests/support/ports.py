"""Free TCP ports below the range the kernel hands out to outgoing connections, so that load cannot take one away."""

import itertools
import os
import socket

_LOWEST, _COUNT = 20000, 12000
if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    # A port that one worker's program leaves for a moment, to be started again, must not go to another worker's.
    _COUNT //= int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    _LOWEST += int(worker.removeprefix("gw")) * _COUNT
_candidates = itertools.cycle(range(_COUNT))
for _ in range((os.getpid() * 97) % _COUNT):
    next(_candidates)


def free_port():
    for _ in range(_COUNT):
        port = _LOWEST + next(_candidates)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port on 127.0.0.1")
