#!/usr/bin/python3
"""What a merchant feels of its neighbours: p99 of its payments, logins and lists, quiet and beside each kind of flood.

usage: bench/neighbours.py [--seconds N] [--bin DIR] [FLOOD ...]

One `switchyard serve`; the merchant that is measured asks from 127.0.0.2, at a steady pace and never faster; the floods come
from 127.0.0.1 (wrk) and 127.0.0.3, from processes of their own. Quiet and flood alternate, so that each ratio is of one run.
The floods take what cores the server leaves them; as root the measuring process goes before them (nice -10), so that what
is measured is the server's time. Needs wrk and a release build.
"""

import argparse
import asyncio
import concurrent.futures
import contextlib
import http.client
import itertools
import json
import multiprocessing
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

from processes import get, post
from run import PASSWORD, ROOT, Bench

WANTED_RATIO = 5
AHEAD = -10
# Requests a second of the merchant that is measured.
PACE = {"POST /transaction": 50, "login": 20, "list": 20}


class Neighbour:
    """Merchant 2, on one connection for each kind of request."""

    def __init__(self, port, token):
        self.port, self.token = port, token
        self.requests = {
            "POST /transaction": ("POST", "/transaction/transaction", {"amount": 100, "currency": "USD", "token": token}, {}),
            "login": ("POST", "/auth/token", {"username": "merchant2", "password": PASSWORD}, {}),
            "list": ("GET", "/transaction/transaction?limit=20", None, {"Authorization": f"Bearer {token}"}),
        }

    def measure(self, seconds):
        """{kind: (p99 in ms, requests that were not answered with 200)}."""
        with concurrent.futures.ThreadPoolExecutor(len(PACE)) as pool:
            kinds = {kind: pool.submit(self._ask, kind, seconds) for kind in PACE}
            return {kind: future.result() for kind, future in kinds.items()}

    def _ask(self, kind, seconds):
        method, path, body, headers = self.requests[kind]
        payload = None if body is None else json.dumps(body)
        if body is not None:
            headers = {**headers, "Content-Type": "application/json"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60, source_address=("127.0.0.2", 0))
        took_ms, failed = [], 0
        began = time.perf_counter()
        for number in itertools.count():
            due = began + number / PACE[kind]
            if due > began + seconds:
                break
            time.sleep(max(0.0, due - time.perf_counter()))
            started = time.perf_counter()
            try:
                connection.request(method, path, payload, headers)
                reply = connection.getresponse()
                reply.read()
                failed += reply.status != 200
            except OSError:
                failed += 1
                connection.close()
            took_ms.append((time.perf_counter() - started) * 1000)
        connection.close()
        return sorted(took_ms)[int(len(took_ms) * 0.99)], failed


# Each flood is a context manager: it floods while its block runs.

@contextlib.contextmanager
def in_a_process(run):
    """run(stop) in a process of its own, until it is to stop: this one's threads measure, and share one lock."""
    stop = multiprocessing.Event()
    process = multiprocessing.Process(target=lambda: (take_priority(0), run(stop)), daemon=True)
    process.start()
    try:
        yield
    finally:
        stop.set()
        process.join(60)


def take_priority(nice):
    """Of this thread, and of what it starts. Nothing for who is not root."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, nice)


@contextlib.contextmanager
def wrk(arguments, script=None):
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script or "")
        file.flush()
        process = subprocess.Popen(["wrk", "-t1", "-d600s", *(["-s", file.name] if script else []), *arguments],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=lambda: take_priority(0))
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def post_script(body, headers=""):
    return f"wrk.method = 'POST'\nwrk.body = [==[{body}]==]\nwrk.headers['Content-Type'] = 'application/json'\n{headers}"


def lists(bench, server, token):
    """1,000 connections, each asking for what merchant 1 has none of among its 20,000 transactions."""
    url = f"http://127.0.0.1:{server.port}/transaction/transaction?status=voided"
    return wrk(["-c1000", "--timeout", "60s", "-H", f"Authorization: Bearer {token}", url])


def one_merchant(bench, server, token):
    """Merchant 1 sends payments over 256 connections, as fast as they are taken."""
    body = json.dumps({"amount": 100, "currency": "USD", "token": token})
    return wrk(["-c256", f"http://127.0.0.1:{server.port}/transaction/transaction"], post_script(body))


def paced(work, per_second, threads=8):
    """Calls work() so often, from threads of a process of its own."""
    turns = itertools.count()
    began = time.monotonic()

    def run_one(stop):
        while not stop.is_set():
            time.sleep(max(0.0, began + next(turns) / per_second - time.monotonic()))
            with contextlib.suppress(OSError, http.client.HTTPException):
                work()

    def run(stop):
        running = [threading.Thread(target=run_one, args=(stop,), daemon=True) for _ in range(threads)]
        for thread in running:
            thread.start()
        stop.wait()

    return in_a_process(run)


def colliding_names(count):
    """Names that an object of Boost.JSON 1.81 with `count` members keeps in one bucket: FNV-1a of 64 bits, modulo the count."""
    found = []
    for number in itertools.count():
        name = f"{number:x}"
        value = 0xCBF29CE484222325
        for byte in name.encode():
            value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
        if value % count == 0:
            found.append(name)
            if len(found) == count:
                return found


def hash_flood(bench, server, token):
    """Bodies of names that collide, 2 MB a second in all."""
    body = json.dumps(dict.fromkeys(colliding_names(2000), 0)).encode()
    per_second = 2_000_000 / len(body)

    def send():
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60, source_address=("127.0.0.3", 0))
        connection.request("POST", "/transaction/transaction", body, {"Content-Type": "application/json"})
        connection.getresponse().read()
        connection.close()

    return paced(send, per_second)


def strangers(bench, server, token):
    """50 logins a second of names that nobody has."""
    numbers = itertools.count()

    def guess():
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60, source_address=("127.0.0.3", 0))
        connection.request("POST", "/auth/token", json.dumps({"username": f"stranger{next(numbers)}", "password": "a guess of theirs"}),
                           {"Content-Type": "application/json"})
        connection.getresponse().read()
        connection.close()

    return paced(guess, 50, threads=64)


@contextlib.contextmanager
def idle_connections(bench, server, token):
    """10,000 connections of one address that say nothing, opened again a second after they are closed or refused."""
    tried = multiprocessing.Semaphore(0)

    async def hold(stop):
        first = True
        while not stop.is_set():
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port, local_addr=("127.0.0.3", 0))
                if first:
                    tried.release()
                first = False
                await reader.read(4096)
                writer.close()
            await asyncio.sleep(1)

    async def hold_all(stop):
        holding = [asyncio.create_task(hold(stop)) for _ in range(10_000)]
        while not stop.is_set():
            await asyncio.sleep(0.1)
        for task in holding:
            task.cancel()

    with in_a_process(lambda stop: asyncio.run(hold_all(stop))):
        for _ in range(10_000):
            tried.acquire()
        yield


FLOODS = {"lists": lists, "hash-flood": hash_flood, "strangers": strangers, "idle": idle_connections,
          "one-merchant": one_merchant}


def fill(server, token, rows=20_000):
    """Merchant 1's transactions, all of which are worked off."""
    body = json.dumps({"amount": 100, "currency": "USD", "token": token})
    script = post_script(body) + f"""
local sent = 0
request = function() sent = sent + 1 if sent > {rows} then wrk.thread:stop() end return wrk.format() end"""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        subprocess.run(["wrk", "-t1", "-c64", "-d60s", "-s", file.name, f"http://127.0.0.1:{server.port}/transaction/transaction"],
                       check=True, stdout=subprocess.DEVNULL)


def raise_limit_of_files():
    import resource
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=10, help="of each measurement")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build" / "release" / "bin")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the server")
    parser.add_argument("floods", nargs="*", choices=[*FLOODS, []], help="all by default")
    arguments = parser.parse_args()
    raise_limit_of_files()
    missed = []
    with tempfile.TemporaryDirectory(prefix="switchyard-neighbours-") as scratch:
        bench = Bench(arguments.bin, pathlib.Path(scratch), False)
        try:
            store = bench.new_store()
            server = bench.serve(store, **dict(pair.split("=") for pair in arguments.set))
            tokens = [json.loads(post(server.port, "/auth/token", {"username": f"merchant{number}", "password": PASSWORD})[1])["token"]
                      for number in (1, 2)]
            fill(server, tokens[0])
            neighbour = Neighbour(server.port, tokens[1])
            take_priority(AHEAD)
            neighbour.measure(2)
            print("| flood | " + " | ".join(f"{kind}: quiet, beside it, ratio" for kind in PACE) + " | failed |")
            print("|---|" + "---|" * (len(PACE) + 1))
            for name in arguments.floods or FLOODS:
                quiet = neighbour.measure(arguments.seconds)
                with FLOODS[name](bench, server, tokens[0]):
                    beside = neighbour.measure(arguments.seconds)
                ratios = {kind: beside[kind][0] / quiet[kind][0] for kind in PACE}
                missed += [f"{name}, {kind}: {ratio:.1f}" for kind, ratio in ratios.items() if ratio > WANTED_RATIO]
                print(f"| {name} | " + " | ".join(
                    f"{quiet[kind][0]:.1f} ms, {beside[kind][0]:.1f} ms, {ratios[kind]:.1f}" for kind in PACE)
                    + f" | {sum(failed for _, failed in beside.values())} |", flush=True)
                if get(server.port, "/transaction/health")[0] != 200:
                    missed.append(f"{name}: the server is not healthy afterwards")
        finally:
            bench.stop_all()
    print(f"\nwanted: each ratio <= {WANTED_RATIO}: " + ("reached" if not missed else "missed by " + "; ".join(missed)))
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
