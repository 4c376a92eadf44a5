"""What a PSP says changes a transaction once, however often it says it, and whatever it says first.

Payments at Adyen, as psp-simulator plays it with its own webhook switched off: the test says what Adyen would, in thousands
of requests that are doubled and shuffled, and knows what each payment must then be.

PSP_EVENT_REQUESTS sets their number (1,000; 100,000 in the slow run), TEST_SEED repeats a run's choices."""

import hashlib
import http.client
import os
import random
import re
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from support import exposition, storage
from support.http_client import Client, once
from support.psp_webhooks import adyen_item, adyen_request
from support.waiting import PATIENCE, NeverHappened, eventually

REQUESTS = int(os.environ.get("PSP_EVENT_REQUESTS", "0"))
ACCOUNT = "adyen_eu"
HMAC_KEY = "00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF"
ROUTING = """
[psp.adyen_eu]
adapter = "adyen"
merchant_account = "SwitchyardECOM"
api_key_env = "ADYEN_KEY"
hmac_key_env = "ADYEN_HMAC"
base_url = "{}/v71"
[[rule]]
psp = "adyen_eu"
"""
AMOUNT, PART = 1250, 250
SENDERS = 8


# ---- What is paid, what Adyen says of it, and what that makes of it

@dataclass(frozen=True)
class Says:
    """An event about the operation of this number."""
    code: str
    number: int = 1
    amount: int = AMOUNT
    success: str = "true"
    # By an operation that is none of ours: under a name and a reference of its own.
    is_unasked: bool = False


@dataclass(frozen=True)
class Story:
    """`asked`: (verb, amount) of what follows the payment. `changes`: how many of the events change something."""
    events: tuple
    changes: int
    status: str
    captured: int = AMOUNT
    refunded: int = 0
    held: int = 0
    asked: tuple = ()
    capture: str = "automatic"


PAID = (Says("AUTHORISATION"), Says("CAPTURE"))
HELD = (Says("AUTHORISATION"),)
CHARGEBACK, FRAUD = Says("CHARGEBACK"), Says("NOTIFICATION_OF_FRAUD")


def taken(*events, **more):
    return Story((*PAID, *events), **more)


def given_back(*events, asked=(("refund", PART),), **more):
    return Story((*PAID, *events), asked=asked, **more)


def captured_later(*events, asked=(("capture", AMOUNT),), **more):
    return Story((*HELD, *events), asked=asked, capture="manual", **more)


STORIES = {
    "paid": taken(changes=0, status="captured"),
    "the capture fails": taken(Says("CAPTURE_FAILED"), changes=1, status="manual_review", captured=0),
    "charged back": taken(CHARGEBACK, changes=1, status="manual_review", captured=0),
    "charged back after a report of fraud": taken(FRAUD, CHARGEBACK, changes=2, status="manual_review", captured=0),
    "charged back in part": taken(Says("CHARGEBACK", amount=PART), changes=1, status="manual_review"),
    "given back by hand": taken(Says("REFUND", amount=PART, is_unasked=True), changes=1, status="manual_review"),
    "a disputed payment is won": taken(CHARGEBACK, Says("CHARGEBACK_REVERSED"), changes=2, status="manual_review", captured=0),
    "given back": given_back(Says("REFUND", 2, PART), changes=1, status="partially_refunded", refunded=PART),
    "all given back": given_back(Says("REFUND", 2), asked=(("refund", AMOUNT),), changes=1, status="refunded",
                                 refunded=AMOUNT),
    "not given back": given_back(Says("REFUND", 2, PART, "false"), changes=1, status="captured"),
    "the refund bounces": given_back(Says("REFUND", 2, PART), Says("REFUND_FAILED", 2, PART), changes=2,
                                     status="manual_review"),
    "the whole refund comes back": given_back(Says("REFUND", 2), Says("REFUNDED_REVERSED", 2), asked=(("refund", AMOUNT),),
                                              changes=2, status="manual_review"),
    "given back twice, once in vain": given_back(
        Says("REFUND", 2, PART), Says("REFUND", 3, 300, "false"), asked=(("refund", PART), ("refund", 300)),
        changes=2, status="partially_refunded", refunded=PART),
    "given back twice, and once it bounces": given_back(
        Says("REFUND", 2, PART), Says("REFUND", 3, 300), Says("REFUND_FAILED", 3, 300), asked=(("refund", PART), ("refund", 300)),
        changes=3, status="manual_review", refunded=PART),
    "given back and charged back": given_back(Says("REFUND", 2, PART), CHARGEBACK, changes=2, status="manual_review",
                                              refunded=PART),
    "another amount is given back": given_back(Says("REFUND", 2, PART + 1), changes=1, status="manual_review"),
    "held and captured": captured_later(Says("CAPTURE", 2), changes=1, status="captured"),
    "held and captured in part": captured_later(Says("CAPTURE", 2, PART), asked=(("capture", PART),), changes=1,
                                                status="captured", captured=PART),
    "held and not captured": captured_later(Says("CAPTURE", 2, success="false"), changes=1, status="authorized", captured=0,
                                            held=AMOUNT),
    "the later capture fails": captured_later(Says("CAPTURE", 2), Says("CAPTURE_FAILED", 2), changes=2,
                                              status="manual_review", captured=0),
    "captured and charged back": captured_later(Says("CAPTURE", 2), CHARGEBACK, changes=2, status="manual_review", captured=0),
    "a hold of fraud is captured": captured_later(FRAUD, Says("CAPTURE", 2), changes=2, status="manual_review"),
    "the hold ends after its capture": captured_later(Says("CAPTURE", 2), Says("EXPIRE"), changes=1, status="captured"),
    "voided": captured_later(Says("CANCELLATION", 2), asked=(("void", None),), changes=1, status="voided", captured=0),
    "not voided": captured_later(Says("CANCELLATION", 2, success="false"), asked=(("void", None),), changes=1,
                                 status="authorized", captured=0, held=AMOUNT),
}


@dataclass
class Payment:
    story: Story
    id: str
    operations: dict = field(default_factory=dict)  # number -> (idempotency key, Adyen's name)
    before: tuple = ()  # its version, and the claims of its operations


# ---- The payments

def ask_for(merchant, story, number):
    """Payments with a key of the merchant's are known to Adyen by another name than those without."""
    method = {"storedPaymentMethodId": "M5N7TQ4TG5PFWR50", "shopperReference": "shopper-1"}
    key = f"order-{number}" if number % 2 else None
    made = merchant.created(AMOUNT, "EUR", key=key, capture=story.capture, payment_method={"adyen": method})
    return Payment(story, made["id"])


def ask_for_more(merchant, payment, number):
    for verb, amount in payment.story.asked:
        body = {} if amount is None else {"amount": amount}
        merchant.asked(payment.id, verb, key=f"{verb}-{number}-{amount}" if number % 3 else None, **body)


def none_are(database, *phases):
    marks = ", ".join(f"'{phase}'" for phase in phases)
    [(count,)] = storage.query(database, f"SELECT count(*) FROM operations WHERE phase IN ({marks})")
    return count == 0


def versions(database):
    """transaction id -> (its version, the claims of its operations): a claim raises the version, too."""
    rows = storage.query(database, "SELECT t.id, t.version, SUM(o.claims) FROM transactions t JOIN operations o "
                                   "ON o.merchant_id = t.merchant_id AND o.transaction_id = t.id GROUP BY t.id, t.version")
    return {storage.text_id(identifier): (version, int(claims)) for identifier, version, claims in rows}


def pay(server, merchant_of, count):
    """Payments, with everything asked for that follows: Adyen has taken it all, and has said nothing yet."""
    stories = list(STORIES.values())
    merchants = [merchant_of(server) for _ in range(4)]

    def in_turns(work):
        with ThreadPoolExecutor(len(merchants)) as pool:
            turns = [pool.submit(lambda turn=turn: [work(merchants[turn], number) for number in range(turn, count, 4)])
                     for turn in range(4)]
            return [one for turn in turns for one in turn.result()]

    payments = in_turns(lambda merchant, number: (number, ask_for(merchant, stories[number % len(stories)], number)))
    by_number = dict(payments)
    unanswered = ("requested", "sent", "unknown")
    eventually(lambda: storage.open_transactions(server.database) == 0, "all to be paid", 120, 0.1)
    in_turns(lambda merchant, number: ask_for_more(merchant, by_number[number], number))
    eventually(lambda: none_are(server.database, *unanswered), "Adyen to take everything", 120, 0.1)
    by_id = {payment.id: payment for payment in by_number.values()}
    for identifier, number, key, name in storage.query(
            server.database, "SELECT transaction_id, number, idempotency_key, psp_reference FROM operations"):
        by_id[storage.text_id(identifier)].operations[number] = (key, name)
    for identifier, before in versions(server.database).items():
        by_id[identifier].before = before
    return list(by_id.values())


# ---- What is sent

def reference_of(key):
    """What Adyen is told an operation is called."""
    if len(key) <= 72 and re.fullmatch("[0-9A-Za-z-]+", key):
        return key.replace("-", "_")
    return hashlib.sha256(key.encode()).hexdigest()


class Adyen:
    """Makes events; `waiting` and `idle` are the names of those that nothing here is known by, and that mean nothing."""

    def __init__(self, rng):
        self._rng = rng
        self.names, self.waiting, self.idle = set(), set(), set()

    def _name(self):
        return "".join(self._rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=16))

    def _item(self, code, name, success="true", **more):
        event = f"{name}:{code}:{success}"
        self.names.add(event)
        return event, adyen_item(name, HMAC_KEY, code, success=success, **more)

    def of_payment(self, payment):
        """One event after the other. An operation's events have its name, whatever they say."""
        authorization = payment.operations[1][1]
        own_capture = self._name()
        for says in payment.story.events:
            key, name = payment.operations[says.number]
            if says.is_unasked or says.code in ("CHARGEBACK", "CHARGEBACK_REVERSED", "NOTIFICATION_OF_FRAUD", "EXPIRE"):
                name = self._name()
            elif says.number == 1 and says.code != "AUTHORISATION":
                name = own_capture
            original = "" if says.code == "AUTHORISATION" else authorization
            reference = "by hand 17" if says.is_unasked else reference_of(key)
            _, item = self._item(says.code, name, says.success, original=original, reference=reference, amount=says.amount)
            yield item

    def of_nobody(self, payment):
        """Of a payment that is not known, and what means nothing, or is not known."""
        authorization, key = payment.operations[1][1], payment.operations[1][0]
        chosen = self._rng.randrange(4)
        if chosen == 0:
            event, item = self._item("CAPTURE", self._name(), original=self._name(), reference="another_shop_17")
        elif chosen == 1:
            event, item = self._item("REFUND", self._name(), original=self._name(), reference="by hand 17")
        else:
            code = ("REPORT_AVAILABLE", "WHAT_IS_NEW_NEXT_YEAR")[chosen - 2]
            event, item = self._item(code, self._name(), original=authorization, reference=reference_of(key))
        (self.waiting if chosen < 2 else self.idle).add(event)
        return item

    def of_no_news(self, payment):
        """Of one that was captured at once, under a name that was not heard yet."""
        key, name = payment.operations[1]
        return self._item("CAPTURE", self._name(), original=name, reference=reference_of(key), amount=AMOUNT)[1]


def requests_of(adyen, payments, count, rng):
    """`count` bodies: each item twice at least, some in one request with others."""
    items = [item for payment in payments for item in adyen.of_payment(payment)]
    items += [adyen.of_nobody(payment) for payment in payments]
    doubled = items * 2
    rng.shuffle(doubled)
    bodies = []
    while doubled:
        size = rng.choice((1, 1, 1, 1, 1, 1, 1, 2, 3))
        bodies.append(adyen_request(*doubled[:size]))
        del doubled[:size]
    assert len(bodies) <= count, "there are more events than requests"
    bodies += [adyen_request(item) for item in rng.choices(items, k=count - len(bodies))]
    rng.shuffle(bodies)
    return bodies


class Sending:
    """Sends all of them from several connections that are kept; what gets no answer is sent again. Counts the answers."""

    def __init__(self, server, bodies):
        self._endpoint = server.events
        self._bodies = bodies
        self._next = iter(range(len(bodies)))
        self._lock = threading.Lock()
        self.answers = Counter()
        self.unanswered = 0
        self._began = time.monotonic()
        self._pool = ThreadPoolExecutor(SENDERS)
        self._work = [self._pool.submit(self._send_some) for _ in range(SENDERS)]

    def _send_some(self):
        with Client(self._endpoint, timeout_s=120) as client:
            while True:
                with self._lock:
                    number = next(self._next, None)
                if number is None:
                    return
                status = self._send(client, self._bodies[number])
                with self._lock:
                    self.answers[status] += 1

    def _send(self, client, body):
        deadline = time.monotonic() + 60 * PATIENCE
        while time.monotonic() < deadline:
            try:
                return client.post(f"/{ACCOUNT}/events", body=body).status
            except (OSError, http.client.HTTPException):
                with self._lock:
                    self.unanswered += 1
                time.sleep(0.05)  # until the server that was killed is there again
        raise NeverHappened("no answer")

    def end(self):
        """Requests a second."""
        for one in self._work:
            one.result()
        self._pool.shutdown()
        return len(self._bodies) / (time.monotonic() - self._began)


# ---- What became of it

def left(server, adyen):
    """The events that are yet to be worked off; those that nobody knows, for the first time."""
    rows = storage.query(server.database, "SELECT event, result FROM psp_events WHERE due_at_ms IS NOT NULL")
    return [event for event, result in rows if event not in adyen.waiting or not result]


def applied(server):
    return storage.query(server.database, "SELECT event FROM psp_events WHERE result = 'applied'")


def wait_until_worked_off(server, adyen):
    eventually(lambda: not left(server, adyen), "all events to be worked off", 300, 0.1)


def assert_events_are_stored_once_each(server, adyen):
    rows = storage.query(server.database, "SELECT account, event, result FROM psp_events")
    assert {account for account, *_ in rows} == {ACCOUNT}
    assert Counter(event for _, event, _ in rows) == Counter(adyen.names)
    results = {event: result for _, event, result in rows}
    assert {event for event, result in results.items() if result == "of no consequence"} == adyen.idle
    unknown = {"what it is about is not known yet", "no payment here is known by what it says"}
    assert {event for event, result in results.items() if result in unknown} == adyen.waiting
    return results


def assert_each_is_as_told(server, payments):
    """And its version was raised once by each event that changes something, and by nothing else but its claims."""
    rows = storage.query(server.database, "SELECT id, status, captured_minor, refunded_minor, held_minor, operation_count "
                                          "FROM transactions")
    found = {storage.text_id(row[0]): row[1:] for row in rows}
    raised = versions(server.database)
    name_of = {id(story): name for name, story in STORIES.items()}
    wrong = []
    for payment in payments:
        story = payment.story
        wanted = (story.status, story.captured, story.refunded, story.held, 1 + len(story.asked))
        claims = raised[payment.id][1] - payment.before[1]
        changes = raised[payment.id][0] - payment.before[0] - claims
        # The answer to a claim raises it, too, if an event was heard in between.
        if found[payment.id] != wanted or not story.changes <= changes <= story.changes + claims:
            wrong.append((name_of[id(story)], payment.id, found[payment.id], wanted, changes, story.changes, claims))
    assert not wrong, f"{len(wrong)} payments are not what was said of them: {wrong[:5]}"


def dump(server):
    return [storage.query(server.database, f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in ("transactions", "operations")]


def metric(server, name, **labels):
    return exposition.total(exposition.parse(once(server.metrics, "GET", "/metrics").body.decode()), name, **labels)


def report(server, requests_per_s, events, seconds):
    worked = {result: int(metric(server, "switchyard_psp_events_worked_off_total", result=result))
              for result in ("changed", "nothing_new", "too_early", "given_up")}
    print(f"{requests_per_s:.0f} requests a second, {events} events; {worked} worked off in {seconds:.1f} s: "
          f"{sum(worked.values()) / seconds:.0f} a second")
    return worked


@pytest.fixture
def server(start_switchyard, start_psp_simulator, tmp_path):
    routing_file = tmp_path / "routing.toml"
    routing_file.write_text(ROUTING.format(start_psp_simulator().url))
    return start_switchyard(ROUTING_FILE=routing_file, ADYEN_KEY="AQE-1", ADYEN_HMAC=HMAC_KEY, PSP_TIMEOUT_SECONDS=5,
                            LEASE_SECONDS=6)


def payments_for(requests):
    """Each has some four events, and each of these comes twice."""
    return max(requests // 15, len(STORIES))


@pytest.mark.parametrize("requests", [REQUESTS or 1_000, pytest.param(REQUESTS or 100_000, marks=pytest.mark.slow)],
                         ids=["a few", "many"])
def test_doubled_and_shuffled_events_change_nothing_twice(server, merchant_of, seed, requests):
    rng = random.Random(seed)
    payments = pay(server, merchant_of, payments_for(requests))
    adyen = Adyen(rng)
    bodies = requests_of(adyen, payments, requests, rng)

    began = time.monotonic()
    sending = Sending(server, bodies)
    requests_per_s = sending.end()
    wait_until_worked_off(server, adyen)
    worked = report(server, requests_per_s, len(adyen.names), time.monotonic() - began)
    assert sending.answers == {200: requests}
    results = assert_events_are_stored_once_each(server, adyen)
    assert_each_is_as_told(server, payments)
    changes = sum(payment.story.changes for payment in payments)
    assert worked["changed"] == changes == Counter(results.values())["applied"]

    before = dump(server)
    rng.shuffle(bodies)
    again = Sending(server, bodies)
    again.end()
    # What is worked off after all of them: they are, too.
    assert again.answers == {200: requests}
    assert once(server.events, "POST", f"/{ACCOUNT}/events", adyen_request(adyen.of_no_news(payments[0]))).status == 200
    wait_until_worked_off(server, adyen)
    assert dump(server) == before
    assert metric(server, "switchyard_psp_events_worked_off_total", result="changed") == changes
    results_again = assert_events_are_stored_once_each(server, adyen)
    assert {event: results_again[event] for event in results} == results


def test_a_kill_while_events_are_worked_off_changes_nothing_twice(server, merchant_of, seed):
    """Whatever a batch had done when it was killed: it is due again after its lease, half a minute."""
    requests = REQUESTS or 1_000
    rng = random.Random(seed)
    payments = pay(server, merchant_of, payments_for(requests))
    adyen = Adyen(rng)
    bodies = requests_of(adyen, payments, requests, rng)
    sending = Sending(server, bodies)
    for part in (0.1, 0.3, 0.5, 0.7):
        eventually(lambda: len(applied(server)) >= part * sum(payment.story.changes for payment in payments),
                   "some events to be worked off", interval_s=0.001)
        server.kill()
        server.start()
    sending.end()
    print(f"{sending.unanswered} requests got no answer, and were sent again")
    wait_until_worked_off(server, adyen)
    assert set(sending.answers) == {200}
    assert_events_are_stored_once_each(server, adyen)
    assert_each_is_as_told(server, payments)
