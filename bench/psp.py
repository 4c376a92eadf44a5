#!/usr/bin/python3
"""A PSP for bench/run.py: speaks psp-simulator's protocol, answers late or not at all, and counts what it is asked.

usage: bench/psp.py PORT DELAY_SECONDS

| request | answer |
|---|---|
| `POST /charges` | after DELAY_SECONDS the charge, approved: 201, or 200 for a key that it knows |
| `GET /charges?reference=` | the charges that it has, at once |
| `POST /silence` | from now on no charge and no list is answered; connections are accepted and kept |
| `GET /figures` | what it has counted, and a sample each 50 ms: [monotonic time, outstanding, charges answered] |

Times are those of CLOCK_MONOTONIC, which all processes of a machine share. Charges are kept in memory only: it measures the
switch, and a ledger on the same disk would be measured with it.
"""

import asyncio
import json
import re
import sys
import time
import urllib.parse

SAMPLE_SECONDS = 0.05
KEY = re.compile(rb"\r\nidempotency-key: *([^\r]+)", re.I)
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
REASONS = {200: b"200 OK", 201: b"201 Created", 404: b"404 Not Found", 422: b"422 Unprocessable Content"}


class Psp:
    def __init__(self, delay_s):
        self.delay_s = delay_s
        self.is_silent = False
        self.requests = {}  # key -> the bytes that it came with
        self.charges = {}  # key -> the charge
        self.by_reference = {}
        self.outstanding = self.outstanding_max = self.answered = 0
        self.samples = []

    def figures(self):
        return {"outstanding_max": self.outstanding_max, "answered": self.answered, "charges": len(self.charges),
                "samples": self.samples}

    async def sample(self):
        while True:
            self.samples.append((time.monotonic(), self.outstanding, self.answered))
            await asyncio.sleep(SAMPLE_SECONDS)

    def began(self):
        self.outstanding += 1
        self.outstanding_max = max(self.outstanding_max, self.outstanding)

    def ended(self, is_answered):
        self.outstanding -= 1
        self.answered += is_answered

    def charge(self, key, body):
        """What is answered, when the time has come."""
        if key in self.requests:
            return (200, self.charges[key]) if self.requests[key] == body else (422, {"title": "another request has this key"})
        asked = json.loads(body)
        charge = {"id": f"ch_{key}", "reference": asked["reference"], "idempotency_key": key, "amount": asked["amount"],
                  "currency": asked["currency"], "capture_method": asked["capture_method"], "status": "approved"}
        self.requests[key], self.charges[key] = body, charge
        self.by_reference.setdefault(asked["reference"], []).append(charge)
        return 201, charge

    def listed(self, target):
        reference = urllib.parse.parse_qs(urllib.parse.urlsplit(target).query).get("reference", [""])[0]
        return {"items": self.by_reference.get(reference, []), "more": False}


class Connection(asyncio.Protocol):
    """One request at a time, as HTTP/1.1 without pipelining has it."""

    def __init__(self, psp):
        self.psp, self.buffer, self.transport = psp, b"", None
        self.timer = None  # of the answer that is owed; True: it is owed for good

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, _):
        if self.timer is not None:
            self.psp.ended(is_answered=False)
            if self.timer is not True:
                self.timer.cancel()

    def data_received(self, data):
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = LENGTH.search(head)
        length = int(length.group(1)) if length else 0
        if len(rest) < length:
            return
        self.buffer = rest[length:]
        self.serve(head, rest[:length])

    def serve(self, head, body):
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        if target == "/figures":
            self.reply(200, self.psp.figures())
        elif (method, target) == ("POST", "/silence"):
            self.psp.is_silent = True
            self.reply(200, {})
        elif self.psp.is_silent:
            # Held without a timer: the client goes when it has waited enough.
            self.psp.began()
            self.timer = True
        elif (method, target) == ("POST", "/charges"):
            self.psp.began()
            self.timer = asyncio.get_running_loop().call_later(
                self.psp.delay_s, self.answer, KEY.search(head).group(1).decode(), body)
        elif target.startswith("/charges?"):
            self.reply(200, self.psp.listed(target))
        else:
            self.reply(404, {"title": "no such route"})

    def answer(self, key, body):
        if self.psp.is_silent:
            self.timer = True
            return
        self.timer = None
        self.psp.ended(is_answered=True)
        self.reply(*self.psp.charge(key, body))

    def reply(self, status, value):
        body = json.dumps(value).encode()
        self.transport.write(b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
            REASONS[status], len(body), body))


async def main(port, delay_s):
    psp = Psp(delay_s)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(psp), "127.0.0.1", port, backlog=4096)
    async with server:
        await psp.sample()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
