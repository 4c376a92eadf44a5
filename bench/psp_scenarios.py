"""The scenarios of bench/run.py that are about PSPs, played by bench/psp.py; README.md says what each figure includes."""

import asyncio
import concurrent.futures
import contextlib
import hashlib
import hmac
import json
import os
import pathlib
import re
import secrets
import selectors
import socket
import statistics
import subprocess
import sys
import time
import uuid

from processes import await_condition, free_port, get, post
from psp import Connection, Psp

HERE = pathlib.Path(__file__).resolve().parent
CREATE = "/transaction/transaction"


def percentile(values, percent):
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


def start_psp(bench, delay_s):
    port = free_port()
    process = bench.start([sys.executable, str(HERE / "psp.py"), str(port), str(delay_s)], dict(os.environ), f"psp-{port}")
    await_condition(lambda: get(port, "/figures")[0] == 200, "the PSP's start")
    process.port = port
    return process


def figures_of(psp):
    return json.loads(get(psp.port, "/figures")[1])


def http_request(method, path, body=b"", *headers):
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


# --- the switch's own part of a call ------------------------------------------------------------------------------


class Wire:
    """A connection, and what of a message has come by it."""

    def __init__(self, connected):
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket, self.buffer = connected, b""

    def message(self):
        """The next whole one, as (head, body); None while it is not whole. What is closed raises ConnectionError."""
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("closed")
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        length = int(found and re.search(rb"content-length: *(\d+)", head, re.I).group(1))
        if not found or len(rest) < length:
            return None
        self.buffer = rest[length:]
        return head, rest[:length]


class MerchantAndPsp:
    """Both ends of the switch on one thread and one clock, so that while it works nothing else does."""

    PSP_SECONDS = 0.002
    PAUSE_SECONDS = 0.005

    def __init__(self, listener, port, body, token):
        self.selector = selectors.DefaultSelector()
        self.listener = listener
        self.selector.register(listener, selectors.EVENT_READ)
        self.merchant = Wire(socket.create_connection(("127.0.0.1", port)))
        self.selector.register(self.merchant.socket, selectors.EVENT_READ, self.merchant)
        self.create = http_request("POST", CREATE, body.encode())
        self.authorization = f"Authorization: Bearer {token}"
        self.psp = Psp(0)

    def pay(self):
        """Seconds: (accepted to sent, answered to committed, all but what the PSP took)."""
        begun = time.monotonic()
        self.merchant.socket.sendall(self.create)
        accepted = asked = None
        while accepted is None or asked is None:
            for at, wire, (head, body) in self._messages():
                if wire is self.merchant:
                    accepted, reply = at, json.loads(body)
                else:
                    sent, asked, request = at, wire, (head, body)
        time.sleep(self.PSP_SECONDS)
        answer = self._answer(*request)
        answered = time.monotonic()
        asked.socket.sendall(answer)
        committed = self._await_captured(reply["id"])
        time.sleep(self.PAUSE_SECONDS)
        # The PSP may be asked before the merchant's reply is read: then nothing was in between.
        return max(0, sent - accepted), committed - answered, sent - begun + committed - answered

    def _messages(self):
        ready = self.selector.select(30)
        at = time.monotonic()
        if not ready:
            raise SystemExit("bench: nothing came of a payment within 30 s")
        for key, _ in ready:
            if key.fileobj is self.listener:
                wire = Wire(self.listener.accept()[0])
                self.selector.register(wire.socket, selectors.EVENT_READ, wire)
            elif (message := key.data.message()) is not None:
                yield at, key.data, message

    def _answer(self, head, body):
        """The bytes of bench/psp.py."""
        written = []
        connection = Connection(self.psp)
        connection.transport = self
        self.write = written.append
        key = re.search(rb"idempotency-key: *([^\r]+)", head, re.I).group(1).decode()
        connection.reply(*self.psp.charge(key, body))
        return b"".join(written)

    def _await_captured(self, identifier):
        request = http_request("GET", f"{CREATE}/{identifier}", b"", self.authorization)
        until = time.monotonic() + 30
        while time.monotonic() < until:
            self.merchant.socket.sendall(request)
            while (message := self.merchant.message()) is None:
                pass
            at = time.monotonic()
            if json.loads(message[1])["status"] == "captured":
                return at
        raise SystemExit("bench: a payment was not captured within 30 s")


def overhead_scenario(bench):
    count = 200 if bench.quick else 1_000
    with socket.create_server(("127.0.0.1", 0)) as listener:
        store = bench.new_store()
        service = bench.serve(store, PSP_URL=f"http://127.0.0.1:{listener.getsockname()[1]}")
        both = MerchantAndPsp(listener, service.port, bench.transaction_body(store), bench.token(store))
        for _ in range(50):
            both.pay()
        paid = [[seconds * 1000 for seconds in both.pay()] for _ in range(count)]
        bench.stop(service)
    before, after, everything = zip(*paid, strict=True)
    overhead = [sum(one) for one in zip(before, after, strict=True)]
    p50, p99 = percentile(overhead, 50), percentile(overhead, 99)
    parts = "; ".join(f"{name} {percentile(part, 50):.2f} and {percentile(part, 99):.2f}" for name, part in (
        ("accepted to sent", before), ("answered to committed", after), ("with accepting it", everything)))
    bench.report(f"overhead of the switch on a PSP call, idle ({count:,} payments)", "p50 <= 2 ms, p99 <= 10 ms",
                 f"p50 {p50:.2f} ms, p99 {p99:.2f} ms ({parts})", p50 <= 2 and p99 <= 10, 1 / p50)


# --- calls that last a second ------------------------------------------------------------------------------------


def outstanding_scenario(bench):
    held_s = 4 if bench.quick else 12
    store = bench.new_store()
    psp = start_psp(bench, 1)
    bench.stop(bench.start_service("auth-api", store))
    core = bench.start_service("core-api", store)
    queued = 0
    while queued < (held_s + 4) * 2_500:
        queued += bench.wrk(f"http://127.0.0.1:{core.port}/transaction", 1, bench.transaction_body(store))["requests"]
    port = free_port()
    connector = bench.start([str(bench.bin / "psp-connector")], bench.environment(
        store, METRICS_PORT=port, PSP_URL=f"http://127.0.0.1:{psp.port}"), "psp-connector")
    await_condition(lambda: get(port, "/health")[0] == 200, "psp-connector's start")
    idle = connector.memory_mib()
    # The first second fills it: nothing is answered yet.
    time.sleep(2)
    since = time.monotonic()
    time.sleep(held_s)
    until = time.monotonic()
    peak = connector.memory_mib("VmHWM")
    figures = figures_of(psp)
    for process in (connector, core, psp):
        bench.stop(process)
    held = [outstanding for at, outstanding, _ in figures["samples"] if since <= at <= until]
    rate = rate_between(figures["samples"], since, until)
    median, most = statistics.median(held), figures["outstanding_max"]
    bench.report("2,000 calls of 1 s outstanding on one connector thread", "2,000 at once, < 100 MiB",
                 f"{most:,} at most, {median:,.0f} in the median of {held_s} s; psp-connector's peak {peak:.0f} MiB "
                 f"({idle:.0f} MiB just started); {rate:,.0f} payments/s", most >= 2_000 and peak < 100, 1 / peak)


# --- one of two PSPs stops ---------------------------------------------------------------------------------------


def rate_between(samples, since, until):
    """Answers a second, by the samples nearest to both times."""
    first, last = (min(samples, key=lambda sample: abs(sample[0] - at)) for at in (since, until))
    return (last[2] - first[2]) / (last[0] - first[0])


class Offer:
    """A constant number of payments a second over a few connections, whatever became of those before."""

    CONNECTIONS = 32

    def __init__(self, port, body, rate):
        self.port, self.request, self.rate = port, http_request("POST", CREATE, body.encode()), rate
        self.accepted = self.late = 0
        self.is_over = False

    def run(self):
        asyncio.run(self._all())

    async def _all(self):
        begun = time.monotonic()
        await asyncio.gather(*(self._one(begun, number) for number in range(self.CONNECTIONS)))

    async def _one(self, begun, number):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        while not self.is_over:
            wait = begun + number / self.rate - time.monotonic()
            number += self.CONNECTIONS
            self.late += wait < -0.1
            await asyncio.sleep(max(0, wait))
            writer.write(self.request)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(re.search(rb"content-length: *(\d+)", head, re.I).group(1)))
            self.accepted += head.startswith(b"HTTP/1.1 200")
        writer.close()


def stop_of_one(bench, offered):
    """(samples of the PSP that goes on, when the other one stopped, when its breaker opened, the most calls that it held, the Offer)."""
    before_s, during_s = (12, 20) if bench.quick else (30, 50)
    store = bench.new_store()
    good, bad = start_psp(bench, 0.02), start_psp(bench, 0.02)
    rules = bench.scratch / "two.toml"
    rules.write_text("".join(f'[psp.{name}]\nadapter = "simulator"\nbase_url = "http://127.0.0.1:{psp.port}"\n'
                             for name, psp in (("good", good), ("bad", bad))) + "[[rule]]\npsp = { good = 1, bad = 1 }\n")
    service = bench.serve(store, ROUTING_FILE=rules)
    offer = Offer(service.port, bench.transaction_body(store), offered)
    opened = None
    with concurrent.futures.ThreadPoolExecutor(1) as pool, contextlib.ExitStack() as stack:
        running = pool.submit(offer.run)
        stack.callback(setattr, offer, "is_over", True)
        time.sleep(before_s)
        post(bad.port, "/silence", {})
        stopped = time.monotonic()
        while time.monotonic() < stopped + during_s:
            time.sleep(0.5)
            if opened is None and bench.metrics(service).get('switchyard_psp_breaker_open{psp="bad"}'):
                opened = time.monotonic()
        offer.is_over = True
        running.result(30)
    samples, held = figures_of(good)["samples"], figures_of(bad)["outstanding_max"]
    for process in (service, good, bad):
        bench.stop(process)
    return samples, stopped, opened, held, offer


def worst_rate(samples, since, until, window_s=5):
    starts = [since + 0.5 * number for number in range(int(2 * (until - window_s - since)))]
    return min(rate_between(samples, at, at + window_s) for at in starts)


def stops_scenario(bench):
    before_s = 8 if bench.quick else 20
    for offered in (300, 1_000):
        samples, stopped, opened, held, offer = stop_of_one(bench, offered)
        # Not the first seconds, in which programs warm up; and none of the doubled load once the breaker is open.
        before = rate_between(samples, stopped - before_s, stopped)
        end = samples[-1][0] - 1
        closed = rate_between(samples, stopped, min(opened or end, end)) / before
        lowest, lowest_before = (worst_rate(samples, *span) / before for span in ((stopped, end), (stopped - before_s, stopped)))
        opens = f"after {opened - stopped:.0f} s" if opened else "not"
        bench.report(f"one of two PSPs stops at {offered:,} payments/s: calls that the other one answers", ">= 0.9 of before",
                     f"{lowest:.2f} in the worst 5 s ({lowest_before:.2f} when both worked), {closed:.2f} until the breaker opened, "
                     f"which was {opens} ({before:,.0f}/s before; the one that stopped held {held:,} calls at most; "
                     f"{offer.accepted:,} accepted, {offer.late:,} sent late)", lowest >= 0.9, lowest)


# --- choosing ----------------------------------------------------------------------------------------------------


METADATA = {"cart": "b1946ac9", "shop": "Lisbon"}


def rules_text(count):
    """The last one matches; of each before it all holds but the last that is looked at, the metadata."""
    rules = [f'[[rule]]\nwhen = {{ currency = ["EUR", "USD"], amount = {{ min = 1, max = 1_000_000 }}, '
             f'time = "00:00-24:00", metadata = {{ cart = "b1946ac9", shop = "Porto {number}" }} }}\npsp = "a"\n'
             for number in range(count - 1)]
    rules.append('[[rule]]\nwhen = { metadata = { cart = "b1946ac9", shop = "Lisbon" } }\npsp = { a = 70, b = 30 }\n')
    return '[psp.a]\nadapter = "simulator"\n[psp.b]\nadapter = "simulator"\n' + "".join(rules)


def cpu_of_replay(bench, store, rules):
    """(CPU seconds, attempts looked at)."""
    arguments = [str(bench.bin / "switchyard"), "--json", "route", "replay", str(rules), "--since", "1d"]
    with subprocess.Popen(arguments, env=bench.environment(store), stdout=subprocess.PIPE, text=True) as process:
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit("bench: route replay failed")
    said = json.loads(output)
    if said["moved"]["count"] != 0:
        raise SystemExit(f"bench: rules that are meant alike chose differently: {output}")
    return usage.ru_utime + usage.ru_stime, said["looked_at"]


def choose_scenario(bench):
    wanted = 50_000 if bench.quick else 400_000
    files = {}
    for count in (1, 100):
        files[count] = bench.scratch / f"rules-{count}.toml"
        files[count].write_text(rules_text(count))
    store = bench.new_store()
    service = bench.serve(store, ROUTING_FILE=files[100])
    made = 0
    while made < wanted:
        made += bench.wrk(f"http://127.0.0.1:{service.port}{CREATE}", 2, bench.transaction_body(store, metadata=METADATA))["requests"]
    captured = 'switchyard_transactions_total{status="captured"}'
    await_condition(lambda: bench.metrics(service)[captured] >= made, "the last capture", 120, 0.1)
    bench.stop(service)
    costs = []
    for _ in range(2 if bench.quick else 7):
        (one, count), (hundred, _) = (cpu_of_replay(bench, store, files[number]) for number in (1, 100))
        costs.append(((hundred - one) / count * 1e6 * 100 / 99, hundred / count * 1e6))
    cost, most = (statistics.median(values) for values in zip(*costs, strict=True))
    bench.report("choosing a PSP among 100 rules, of which the last one matches", "<= 20 us",
                 f"{cost:.2f} us of CPU ({most:.2f} us with reading the attempt from the store; {count:,} attempts)",
                 cost <= 20, 1 / cost)


# --- webhooks ----------------------------------------------------------------------------------------------------

EVENTS_PATH = "/psp/stripe/events"
EVENTS_MAX = 200_000
EVENTS_LUA = """
wrk.method = 'POST'
local events = io.open('{file}')
request = function()
  local line = events:read('*l')
  if not line then return wrk.format('GET', '/none') end
  local tab = line:find('\\t', 1, true)
  wrk.headers['Stripe-Signature'] = line:sub(1, tab - 1)
  wrk.body = line:sub(tab + 1)
  return wrk.format('POST', '{path}')
end
wrk.headers['Content-Type'] = 'application/json; charset=utf-8'
"""


def event_body(number):
    """As Stripe tells of a payment that has succeeded, each of its own id and payment."""
    name = f"{secrets.token_hex(8)}{number:08x}"
    reference = str(uuid.uuid4())
    now = int(time.time())
    intent = {"id": f"pi_{name}", "object": "payment_intent", "amount": 1250, "amount_received": 1250, "capture_method": "automatic",
              "created": now, "currency": "eur", "latest_charge": f"ch_{name}", "livemode": False, "status": "succeeded",
              "metadata": {"switchyard_reference": reference, "switchyard_key": f"1-{reference}-1"},
              "payment_method": f"pm_{name}", "payment_method_types": ["card"]}
    return json.dumps({"id": f"evt_{name}", "object": "event", "api_version": "2026-08-26.dahlia", "created": now, "livemode": False,
                       "data": {"object": intent}, "pending_webhooks": 1, "type": "payment_intent.succeeded",
                       "request": {"id": f"req_{name}", "idempotency_key": f"1-{reference}-1"}}, separators=(",", ":"))


def signed(secret, body):
    at = int(time.time())
    return f"t={at},v1={hmac.new(secret.encode(), f'{at}.{body}'.encode(), hashlib.sha256).hexdigest()}"


def one_event(port, secret):
    """The status that it is answered with."""
    body = event_body(0)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connected:
        connected.sendall(http_request("POST", EVENTS_PATH, body.encode(), f"Stripe-Signature: {signed(secret, body)}"))
        return int(connected.recv(65536).split(b" ", 2)[1])


def events_scenario(bench):
    seconds, wanted = (2, 10_000) if bench.quick else (8, 10_000)
    work = "signed events of Stripe, stored and answered"
    secret = f"whsec_{secrets.token_hex(16)}"
    rules = bench.scratch / "stripe.toml"
    # Nobody listens at its address: what it would be asked is not measured here.
    rules.write_text('[psp.stripe]\nadapter = "stripe"\nsecret_key_env = "BENCH_KEY"\nwebhook_secret_env = "BENCH_SECRET"\n'
                     f'base_url = "http://127.0.0.1:{free_port()}"\n[[rule]]\npsp = "stripe"\n')
    service = bench.serve(bench.new_store(), ROUTING_FILE=rules, BENCH_KEY="sk_test_bench", BENCH_SECRET=secret)
    status = one_event(service.port, secret)
    if status == 404:
        bench.stop(service)
        bench.report(work, f">= {wanted:,}/s", f"not measured: this build has no POST {EVENTS_PATH}", False)
        return
    if not 200 <= status < 300:
        raise SystemExit(f"bench: POST {EVENTS_PATH} answered {status}")
    events, script = bench.scratch / "events.txt", bench.scratch / "events.lua"
    script.write_text(EVENTS_LUA.format(file=events, path=EVENTS_PATH))
    # Last before the run: a signature is good for five minutes.
    with open(events, "w") as file:
        for number in range(1, EVENTS_MAX // (4 if bench.quick else 1)):
            body = event_body(number)
            file.write(f"{signed(secret, body)}\t{body}\n")
    load = bench.wrk_script(f"http://127.0.0.1:{service.port}", seconds, script)
    is_all = load["requests"] >= number
    if load["is_refused"] and not is_all:
        raise SystemExit(f"bench: not every event was taken:\n{load['output']}")
    rate = number / seconds if is_all else load["rate"]
    stored = bench.metrics(service).get('switchyard_psp_events_total{account="stripe",result="stored"}', 0)
    bench.stop(service)
    if stored < min(number, load["requests"]):
        raise SystemExit(f"bench: {load['requests']} events were answered and {stored:.0f} stored")
    bench.report(work, f">= {wanted:,}/s", f"{'at least ' if is_all else ''}{rate:,.0f}/s, p99 {load['p99_ms']:.1f} ms "
                 f"({min(number, load['requests']):,} events in {seconds} s)", rate >= wanted, rate)


SCENARIOS = {"psp-overhead": overhead_scenario, "psp-outstanding": outstanding_scenario, "psp-stops": stops_scenario,
             "psp-choose": choose_scenario, "psp-events": events_scenario}
