#!/usr/bin/python3
"""Measures Switchyard beside nginx's constant reply, in one run, so that the figures are ratios.

usage: bench/run.py [--quick] [--bin DIR] [--against DIR] [SCENARIO ...]

With --against, another build's programs run in turn with ours, and the report is how our figures compare.

Load comes from wrk (one thread, 64 connections) on this machine; everything listens on 127.0.0.1 and is stopped at
the end. The report goes to standard output as Markdown; bench/README.md keeps the last one and what it taught.
"""

import argparse
import concurrent.futures
import contextlib
import json
import os
import pathlib
import platform
import re
import secrets
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import uuid

import psp_scenarios
from processes import Process, await_condition, free_port, get, post

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from support import postgres_server  # noqa: E402

CONNECTIONS = 64
CONSTANT_REPLY = '{"amount":100,"currency":"USD","user_id":1,"id":"01a203dc-53c3-7565-8f83-eaa943c33b69","status":"queued"}'
PASSWORD = "correct horse battery staple"
MEMBERS = {"capture": "automatic", "reference": "order 20261126-000123", "description": "two pairs of shoes, brown",
           "metadata": {"cart": "b1946ac9", "shop": "Lisbon"}}


class Bench:
    def __init__(self, bin_dir, scratch, quick):
        self.bin = bin_dir
        self.scratch = scratch
        self.quick = quick
        self.running = []
        self.rows = []
        self.stores = 0
        self.secret = secrets.token_hex(32)

    # --- processes ---------------------------------------------------------------------------------------------

    def start(self, arguments, environment, name):
        process = Process(arguments, environment, self.scratch / f"{name}.log")
        self.running.append(process)
        return process

    def stop_all(self):
        for process in reversed(self.running):
            process.stop()
        self.running.clear()

    def stop(self, process):
        self.running.remove(process)
        process.stop()

    def start_nginx(self):
        port = free_port()
        config = self.scratch / "nginx.conf"
        config.write_text(f"""
            worker_processes {os.cpu_count()};
            daemon off;
            pid {self.scratch}/nginx.pid;
            error_log {self.scratch}/nginx-error.log;
            events {{ worker_connections 4096; }}
            http {{
              access_log off;
              keepalive_requests 1000000000;
              server {{
                listen 127.0.0.1:{port};
                location / {{ default_type application/json; return 200 '{CONSTANT_REPLY}'; }}
              }}
            }}""")
        self.start(["nginx", "-c", str(config)], dict(os.environ), "nginx")
        await_condition(lambda: get(port, "/")[0] == 200, "nginx's start")
        self.nginx_url = f"http://127.0.0.1:{port}/"

    def new_store(self):
        self.stores += 1
        return self.scratch / f"store-{self.stores}.db"

    def environment(self, store, **more):
        users = self.scratch / "users.json"
        if not users.exists():
            users.write_text(json.dumps([
                {"id": number, "username": f"merchant{number}", "password": PASSWORD, "enabled": True}
                for number in range(1, 102)]))
        environment = {
            "PATH": "/usr/bin:/bin", "JWT_SECRET": self.secret, "DATABASE_URL": store if str(store).startswith("postgresql:") else f"sqlite:{store}",
            "TOKEN_TTL_SECONDS": "86400", "MAX_BACKLOG": "100000000", "LOG_FORMAT": "text", "USERS_FILE": str(users),
            "LOGIN_FAILURES_PER_ADDRESS": "1000000",
        }
        environment.update({name: str(value) for name, value in more.items()})
        return environment

    def start_service(self, program, store, health="/health", **more):
        port, metrics_port = free_port(), free_port()
        environment = self.environment(store, HTTP_PORT=port, METRICS_PORT=metrics_port, **more)
        arguments = [str(self.bin / program)] + (["serve"] if program == "switchyard" else [])
        process = self.start(arguments, environment, program)
        await_condition(lambda: get(port, health)[0] == 200, f"{program}'s start")
        process.seconds_to_healthy = time.monotonic() - process.started
        process.port, process.metrics_port = port, metrics_port
        return process

    def serve(self, store, **more):
        return self.start_service("switchyard", store, "/transaction/health", **more)

    def token(self, store):
        output = subprocess.run([str(self.bin / "switchyard"), "token", "merchant1"], env=self.environment(store),
                                check=True, capture_output=True, text=True)
        return output.stdout.strip()

    def metrics(self, process):
        text = get(process.metrics_port, "/metrics")[1]
        return {name: float(value) for name, value in re.findall(r"^(\w+(?:\{[^}]*\})?) (\S+)$", text, re.M)}

    # --- load --------------------------------------------------------------------------------------------------

    def wrk(self, url, seconds, body=None, connections=CONNECTIONS, paths=None):
        """With `paths`, each is asked for once; what goes on when there are no more is an error."""
        script = None
        if body is not None:
            script = self.scratch / f"body-{abs(hash(body))}.lua"
            lines = f"wrk.method = 'POST'\nwrk.body = [[{body}]]\nwrk.headers['Content-Type'] = 'application/json'\n"
            if paths is not None:
                listed = self.scratch / "paths.txt"
                listed.write_text("\n".join(paths) + "\n")
                lines += f"local paths = io.open('{listed}')\nrequest = function() return wrk.format(nil, paths:read('*l') or '/none') end\n"
            script.write_text(lines)
        load = self.wrk_script(url, seconds, script, connections)
        if load["is_refused"]:
            raise SystemExit(f"bench: {url} did not serve every request:\n{load['output']}")
        return load

    def wrk_script(self, url, seconds, script, connections=CONNECTIONS):
        arguments = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *([] if script is None else ["-s", str(script)])]
        output = subprocess.run([*arguments, url], check=True, capture_output=True, text=True).stdout
        p99, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", output).groups()
        return {
            "rate": float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1)),
            "requests": int(re.search(r"(\d+) requests in", output).group(1)),
            "p99_ms": float(p99) * {"us": 0.001, "ms": 1, "s": 1000}[unit],
            "is_refused": "Non-2xx" in output or "Socket errors" in output,
            "output": output,
        }

    def beside_nginx(self, url, body):
        """Runs nginx and ours in turn, so that a machine that changes its speed changes both."""
        seconds, rounds = (2, 2) if self.quick else (6, 4)
        self.wrk(url, 1, body)
        nginx, ours = [], []
        for _ in range(rounds):
            nginx.append(self.wrk(self.nginx_url, seconds))
            ours.append(self.wrk(url, seconds, body))
        ratio = statistics.median(o["rate"] / n["rate"] for o, n in zip(ours, nginx, strict=True))
        rate = statistics.median(o["rate"] for o in ours)
        base = statistics.median(n["rate"] for n in nginx)
        return ratio, rate, base, statistics.median(o["p99_ms"] for o in ours)

    def report(self, work, wanted, measured, good, figure=None):
        """`figure` grows with what is better; for comparisons of what BURSTS does not compare."""
        self.figure = figure
        self.rows.append((work, wanted, measured, "yes" if good else "**no**"))
        print(f"{work}: {measured} (wanted {wanted})", file=sys.stderr, flush=True)

    # --- scenarios ---------------------------------------------------------------------------------------------

    def token_scenario(self):
        service = self.start_service("auth-api", self.new_store())
        body = json.dumps({"username": "merchant1", "password": PASSWORD})
        ratio, rate, base, p99 = self.beside_nginx(f"http://127.0.0.1:{service.port}/token", body)
        self.stop(service)
        self.report("`POST /token`, password verified before", ">= 0.45 of nginx",
                    f"{ratio:.2f} ({rate:,.0f}/s; nginx {base:,.0f}/s; p99 {p99:.1f} ms)", ratio >= 0.45)

    def transaction_body(self, store, **members):
        return json.dumps({"amount": "100", "currency": "USD", "token": self.token(store), **members})

    def transaction_scenario(self):
        store = self.new_store()
        self.stop(self.start_service("auth-api", store))
        service = self.start_service("core-api", store)
        ratio, rate, base, p99 = self.beside_nginx(f"http://127.0.0.1:{service.port}/transaction",
                                                   self.transaction_body(store))
        self.stop(service)
        self.report("`POST /transaction` (core-api), on disk before the reply", ">= 0.35 of nginx, p99 <= 10 ms",
                    f"{ratio:.2f} ({rate:,.0f}/s; nginx {base:,.0f}/s), p99 {p99:.1f} ms", ratio >= 0.35 and p99 <= 10)

    def members_scenario(self):
        """Each member that may be there is."""
        store = self.new_store()
        self.stop(self.start_service("auth-api", store))
        service = self.start_service("core-api", store)
        ratio, rate, base, p99 = self.beside_nginx(f"http://127.0.0.1:{service.port}/transaction",
                                                   self.transaction_body(store, **MEMBERS))
        self.stop(service)
        self.report("`POST /transaction` (core-api) with each optional member", ">= 0.35 of nginx, p99 <= 10 ms",
                    f"{ratio:.2f} ({rate:,.0f}/s; nginx {base:,.0f}/s), p99 {p99:.1f} ms", ratio >= 0.35 and p99 <= 10)

    def serve_scenario(self):
        store = self.new_store()
        service = self.serve(store)
        ratio, rate, base, p99 = self.beside_nginx(f"http://127.0.0.1:{service.port}/transaction/transaction",
                                                   self.transaction_body(store))
        self.stop(service)
        self.report("the same through `switchyard serve`, which captures as fast at the same time", "(none)",
                    f"{ratio:.2f} ({rate:,.0f}/s; nginx {base:,.0f}/s), p99 {p99:.1f} ms", True)

    def postgres_scenario(self):
        """core-api over SQLite and over PostgreSQL in turn, each commit synced before its reply."""
        seconds, rounds = (2, 2) if self.quick else (6, 4)
        with postgres_server.PostgresServer.create() as server:
            runs = []
            for store in (self.new_store(), server.url()):
                self.stop(self.start_service("auth-api", store))
                service = self.start_service("core-api", store)
                runs.append((service, f"http://127.0.0.1:{service.port}/transaction", self.transaction_body(store), []))
            for _ in range(rounds + 1):
                for _, url, body, results in runs:
                    results.append(self.wrk(url, seconds, body))
            for service, *_ in runs:
                self.stop(service)
        # The first round warms up.
        sqlite, postgres = (results[1:] for *_, results in runs)
        ratio = statistics.median(p["rate"] / s["rate"] for p, s in zip(postgres, sqlite, strict=True))
        p99 = statistics.median(p["p99_ms"] for p in postgres)
        self.report("`POST /transaction` on PostgreSQL, committed before the reply", ">= 0.5 of SQLite, p99 <= 25 ms",
                    f"{ratio:.2f} ({statistics.median(p['rate'] for p in postgres):,.0f}/s; SQLite "
                    f"{statistics.median(s['rate'] for s in sqlite):,.0f}/s), p99 {p99:.1f} ms",
                    ratio >= 0.5 and p99 <= 25)

    def flow_scenario(self):
        seconds = 10 if self.quick else 60
        store = self.new_store()
        service = self.serve(store)
        url = f"http://127.0.0.1:{service.port}/transaction/transaction"
        body = self.transaction_body(store)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            load = pool.submit(self.wrk, url, seconds + 4, body)
            time.sleep(2)
            samples = []
            captured = 'switchyard_transactions_total{status="captured"}'
            for _ in range(seconds + 1):
                metrics = self.metrics(service)
                samples.append((time.monotonic(), metrics[captured], metrics["switchyard_backlog_transactions"]))
                time.sleep(1)
            load.result()
        rate = (samples[-1][1] - samples[0][1]) / (samples[-1][0] - samples[0][0])
        half = len(samples) // 2
        first, last = (statistics.mean(s[2] for s in part) for part in (samples[:half], samples[half:]))
        backlog_max = max(s[2] for s in samples)
        self.stop(service)
        self.report(f"accepted to captured, sustained for {seconds} s", ">= 10,000 payments/s, backlog not growing",
                    f"{rate:,.0f}/s, backlog {first:,.0f} on average in the first half, {last:,.0f} in the second, "
                    f"{backlog_max:,.0f} at most", rate >= 10_000 and last <= max(2 * first, 2_000), rate)

    def refund_scenario(self):
        """Each captured payment is given back: accepted to refunded, while nothing else happens."""
        seconds = 5 if self.quick else 30
        store = self.new_store()
        service = self.serve(store)
        url = f"http://127.0.0.1:{service.port}/transaction/transaction"
        body = self.transaction_body(store)
        made = 0
        while made < seconds * 25_000:
            made += self.wrk(url, 5, body)["requests"]
        captured, refunded = (f'switchyard_transactions_total{{status="{status}"}}' for status in ("captured", "refunded"))
        await_condition(lambda: self.metrics(service)[captured] >= made, "the last capture", 60, 0.1)
        with contextlib.closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=30)) as connection:
            ids = [str(uuid.UUID(bytes=row[0])) for row in connection.execute("SELECT id FROM transactions")]
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            load = pool.submit(self.wrk, url, seconds + 4, json.dumps({"token": json.loads(body)["token"]}), paths=[
                f"/transaction/transaction/{one}/refund" for one in ids])
            await_condition(lambda: self.metrics(service).get(refunded, 0) > 0, "the first refund", 30, 0.1)
            samples = []
            for _ in range(seconds + 1):
                metrics = self.metrics(service)
                samples.append((time.monotonic(), metrics[refunded], metrics["switchyard_backlog_transactions"]))
                time.sleep(1)
            sent = load.result()
        rate = (samples[-1][1] - samples[0][1]) / (samples[-1][0] - samples[0][0])
        half = len(samples) // 2
        first, last = (statistics.mean(s[2] for s in part) for part in (samples[:half], samples[half:]))
        self.stop(service)
        self.report(f"refund accepted to refunded, sustained for {seconds} s", ">= 8,000 refunds/s, backlog not growing",
                    f"{rate:,.0f}/s, p99 of the request {sent['p99_ms']:.1f} ms, backlog {first:,.0f} on average in the first "
                    f"half, {last:,.0f} in the second", rate >= 8_000 and last <= max(2 * first, 2_000), rate)

    def logins_scenario(self):
        store = self.new_store()
        service = self.serve(store)
        body = self.transaction_body(store)
        url = f"http://127.0.0.1:{service.port}/transaction/transaction"
        # Users 2 to 101: merchant1 was never logged in either, but makes the load.
        logins = [{"username": f"merchant{number}", "password": PASSWORD} for number in range(2, 102)]
        with concurrent.futures.ThreadPoolExecutor(101) as pool:
            started = time.monotonic()
            replies = [pool.submit(post, service.port, "/auth/token", login) for login in logins]
            # As long as the logins take on this machine, so that all of the load is beside them.
            load = self.wrk(url, 1, body, connections=16)
            done = sum(reply.done() for reply in replies)
            statuses = {reply.result()[0] for reply in replies}
            took = time.monotonic() - started
        self.stop(service)
        self.report("100 first logins of 100 users at once", "p99 of other routes <= 20 ms",
                    f"p99 of `POST /transaction` {load['p99_ms']:.1f} ms at {load['rate']:,.0f}/s over the first second "
                    f"({done} logins done by then, all 100 after {took:.1f} s)",
                    load["p99_ms"] <= 20 and statuses == {200}, 1 / load["p99_ms"])

    def growth_scenario(self):
        rows_wanted = 200_000 if self.quick else 1_000_000
        store = self.new_store()
        self.stop(self.start_service("auth-api", store))
        service = self.start_service("core-api", store)
        url, body = f"http://127.0.0.1:{service.port}/transaction", self.transaction_body(store)
        rows = 0
        while rows < 10_000:
            rows += self.wrk(url, 1, body)["requests"]
        few = []
        for _ in range(3):
            few.append(self.wrk(url, 1, body))
            rows += few[-1]["requests"]
        rows_few = rows
        while rows < rows_wanted:
            rows += self.wrk(url, 2, body)["requests"]
        many = [self.wrk(url, 1, body) for _ in range(5)]
        ratio = statistics.median(m["rate"] for m in many) / statistics.median(f["rate"] for f in few)
        self.stop(service)
        self.report(f"rate of durable inserts at {rows:,} rows over that at 10,000", ">= 0.8",
                    f"{ratio:.2f} ({statistics.median(m['rate'] for m in many):,.0f}/s over "
                    f"{statistics.median(f['rate'] for f in few):,.0f}/s at {rows_few:,} rows at most)", ratio >= 0.8, ratio)

    def memory_scenario(self):
        wanted = 100_000 if self.quick else 1_000_000
        store = self.new_store()
        # The users file has a hundred users, whose passwords are hashed at the first start only.
        self.stop(self.serve(store))
        starts = []
        for _ in range(5):
            service = self.serve(store)
            starts.append(service.seconds_to_healthy)
            if len(starts) < 5:
                self.stop(service)
        idle = service.memory_mib()
        url, body = f"http://127.0.0.1:{service.port}/transaction/transaction", self.transaction_body(store)
        made = 0
        while made < wanted:
            made += self.wrk(url, 5, body)["requests"]
        captured = 'switchyard_transactions_total{status="captured"}'
        await_condition(lambda: self.metrics(service)[captured] >= made, "the last capture", 60, 0.1)
        after = service.memory_mib()
        self.stop(service)
        start = statistics.median(starts)
        self.report(f"start to healthy / memory idle / after {made:,} transactions", "<= 0.3 s / <= 32 MiB / <= 96 MiB",
                    f"{start:.2f} s / {idle:.0f} MiB / {after:.0f} MiB", start <= 0.3 and idle <= 32 and after <= 96, 1 / after)

    SCENARIOS = {
        "token": token_scenario, "transaction": transaction_scenario, "members": members_scenario,
        "serve": serve_scenario, "postgres": postgres_scenario, "flow": flow_scenario, "refund": refund_scenario,
        "logins": logins_scenario, "growth": growth_scenario, "memory": memory_scenario, **psp_scenarios.SCENARIOS,
    }


# What is compared while both builds run, burst by burst: the program, its path, and whether its store is PostgreSQL's.
BURSTS = {"token": ("auth-api", "/token", False), "transaction": ("core-api", "/transaction", False),
          "members": ("core-api", "/transaction", False),
          "serve": ("switchyard", "/transaction/transaction", False), "postgres": ("core-api", "/transaction", True)}


def ratios_of_bursts(bench, name, ours, theirs):
    program, path, on_postgres = BURSTS[name]
    seconds, rounds = (1, 2) if bench.quick else (5, 10)
    with contextlib.ExitStack() as stack:
        runs = []
        for bin_dir in (ours, theirs):
            bench.bin = bin_dir
            store = stack.enter_context(postgres_server.PostgresServer.create()).url() if on_postgres else bench.new_store()
            if program == "core-api":
                bench.stop(bench.start_service("auth-api", store))
            service = bench.serve(store) if program == "switchyard" else bench.start_service(program, store)
            stack.callback(bench.stop, service)
            body = bench.transaction_body(store) if program != "auth-api" else json.dumps(
                {"username": "merchant1", "password": PASSWORD})
            if name == "members" and post(service.port, path, with_members := {**json.loads(body), **MEMBERS})[0] == 200:
                body = json.dumps(with_members)  # a build that does not know them is asked for the same without
            # The first login takes as long as its hash, and 64 at once would wait for it.
            await_condition(lambda: post(service.port, path, json.loads(body))[0] == 200, "the first reply")
            runs.append((f"http://127.0.0.1:{service.port}{path}", body))
        rates = []
        for number in range(rounds + 1):
            order = runs if number % 2 else runs[::-1]
            of_url = {url: bench.wrk(url, seconds, body)["rate"] for url, body in order}
            rates.append([of_url[url] for url, _ in runs])
    return [mine / other for mine, other in rates[1:]]  # the first round warms up


def ratios_of_scenarios(bench, name, ours, theirs):
    figures = {ours: [], theirs: []}
    for bin_dir in (theirs, ours, ours, theirs, theirs, ours):
        bench.bin = bin_dir
        Bench.SCENARIOS[name](bench)
        figures[bin_dir].append(bench.figure)
    return [mine / other for mine, other in zip(figures[ours], figures[theirs], strict=True)]


def compare(bench, ours, theirs, scenarios):
    """The median of ours over theirs for each scenario. True if none is below 0.95."""
    print("| scenario | ours over theirs | each pair |\n|---|---|---|")
    medians = []
    for name in scenarios:
        ratios = (ratios_of_bursts if name in BURSTS else ratios_of_scenarios)(bench, name, ours, theirs)
        medians.append(statistics.median(ratios))
        print(f"| {name} | {medians[-1]:.2f} | {', '.join(f'{ratio:.2f}' for ratio in ratios)} |", flush=True)
    return min(medians) >= 0.95


def machine():
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text()).group(1)) // 1024 // 1024
    return f"{os.cpu_count()} cores ({cpu.group(1) if cpu else platform.machine()}), {memory} GiB, Linux {platform.release()}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="short runs, to see that it works; not for figures")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin")
    parser.add_argument("--against", type=pathlib.Path, help="the bin folder of another release build")
    parser.add_argument("scenarios", nargs="*", choices=[[], *Bench.SCENARIOS], help="all, if none is named")
    options = parser.parse_args()
    for tool in ("wrk", "nginx"):
        if shutil.which(tool) is None:
            raise SystemExit(f"bench: {tool} is missing; install it with: apt-get install wrk nginx-light")
    if not (options.bin / "switchyard").exists():
        raise SystemExit("bench: build the release first: ./setup.sh")

    # Beside the repository, not in /tmp, which may be memory: a sync must reach a disk.
    (ROOT / "build").mkdir(exist_ok=True)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir=ROOT / "build"))
    bench = Bench(options.bin, scratch, options.quick)
    scenarios = options.scenarios or list(Bench.SCENARIOS)
    print(f"Machine: {machine()}; load: wrk on the same machine, 1 thread, {CONNECTIONS} connections.\n")
    try:
        bench.start_nginx()
        if options.against:
            return 0 if compare(bench, options.bin, options.against, scenarios) else 1
        for name in scenarios:
            Bench.SCENARIOS[name](bench)
    finally:
        bench.stop_all()
        shutil.rmtree(scratch, ignore_errors=True)
    print("| work | wanted | measured | reached |\n|---|---|---|---|")
    for row in bench.rows:
        print("| " + " | ".join(row) + " |")
    return 0 if all(row[3] == "yes" for row in bench.rows) else 1


if __name__ == "__main__":
    sys.exit(main())
