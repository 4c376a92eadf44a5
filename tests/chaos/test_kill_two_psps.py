"""kill -9 of any process at any moment, of ours and of the PSPs', while payments live at Stripe and at Adyen, as two
psp-simulators play them, each with a book of its own. Rules spread payments over both accounts; what one declines softly, or was
provably never asked for, goes to the other. Answers are lost, requests are throttled, events come late, twice, out of order.

Then each operation has one effect in the book of its account, and none in the other one's.

Who ends with a person, `manual_review`: a refund, or at Adyen a capture, that the PSP took back after it had succeeded, and nothing
else. The book says so of exactly that operation, and the reason has the PSP's words. The totals are lowered, but for a capture of
which a refund was under way when the PSP said so: that stays counted until the person says otherwise (payment/totals.hpp). There
is no other true reason here: both PSPs can be asked for whatever was sent, keep their keys for longer than the test, are away for
moments only, and nobody else uses the accounts.

KILL_ROUNDS sets the number of kills (8; 100 in the slow run), TEST_SEED repeats a run's choices."""

import os
import random
import time
from collections import Counter

import pytest

from support import psp_books
from support.lifecycles import OPEN, Lifecycles
from support.merchants import Merchant
from support.ports import free_port
from support.psp_books import Book
from support.waiting import PATIENCE, eventually

ROUNDS = int(os.environ.get("KILL_ROUNDS", "0"))
MERCHANT = 1  # of whom Lifecycles are
HMAC_KEY = "00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF"
WEBHOOK_SECRET = "whsec_hunter2_of_stripe_eu"
PAYMENT = {"currency": "EUR", "payment_method": {
    "stripe": "pm_card_visa",
    "adyen": {"storedPaymentMethodId": "M5N7TQ4TG5PFWR50", "shopperReference": "shopper-1"}}}
ROUTING = """
[psp.stripe_eu]
adapter = "stripe"
secret_key_env = "STRIPE_KEY"
webhook_secret_env = "STRIPE_SECRET"
base_url = "{stripe}"
[psp.adyen_eu]
adapter = "adyen"
merchant_account = "SwitchyardECOM"
api_key_env = "ADYEN_KEY"
hmac_key_env = "ADYEN_HMAC"
base_url = "{adyen}/v71"
[[rule]]
when = {{ amount = {{ max = 2000 }} }}
psp = "adyen_eu"
fallback = "stripe_eu"
[[rule]]
psp = {{ stripe_eu = 60, adyen_eu = 40 }}
"""
SECRETS = {"STRIPE_KEY": "sk_test_hunter2", "STRIPE_SECRET": WEBHOOK_SECRET, "ADYEN_KEY": "AQE-hunter2", "ADYEN_HMAC": HMAC_KEY}

# Of a hundred requests some twelve meet one of the first, whatever they ask for.
FAULTS = [
    *({"behaviour": name, "probability": 0.014} for name in (
        "reset_before_charge", "reset_after_charge", "error_after_charge", "garbage_after_charge", "time_out_before_charge",
        "time_out_after_charge", "too_many_requests", "transient_error", "in_use")),
    {"behaviour": "soft_decline", "kind": "authorize", "probability": 0.06},
    *({"behaviour": "hard_decline", "kind": kind, "probability": 0.03} for kind in ("authorize", "capture", "refund")),
    {"behaviour": "pending", "kind": "refund", "probability": 0.1, "delay_ms": 400},
    {"behaviour": "pending_then_declined", "kind": "refund", "probability": 0.05, "delay_ms": 400},
    {"behaviour": "taken_back", "kind": "refund", "probability": 0.06, "delay_ms": 300},
    {"behaviour": "event_doubled", "probability": 0.1},
    {"behaviour": "event_late", "probability": 0.1, "delay_ms": 700},
    {"behaviour": "event_reordered", "probability": 0.1, "delay_ms": 400},
]
# Stripe says at once, and for good, whether a capture of a card succeeded.
FAULTS_OF = {"stripe_eu": FAULTS,
             "adyen_eu": [*FAULTS, {"behaviour": "taken_back", "kind": "capture", "probability": 0.04, "delay_ms": 200}]}


class World:
    """The switch as services of its own over one database, and its two PSPs."""

    def __init__(self, rng):
        self._rng = rng
        self.psps, self.fleet, self.events = {}, None, None

    def victims(self):
        """(kind, the way to kill it, the way to start it again), of all processes."""
        fleet = [(program.name.rpartition("-")[0], program.kill, program.start) for program in self.fleet.programs]
        psps = [(name, psp.kill, lambda name=name: self.start(name)) for name, psp in self.psps.items()]
        return [*fleet, *psps, ("psp-events", self.events.kill, self.events.program.start)]

    def start(self, name):
        """With the script, which a PSP forgets when it dies."""
        self.psps[name].start()
        self.play(name)

    def play(self, name):
        self.psps[name].play(*FAULTS_OF[name], seed=self._rng.getrandbits(31))

    def wait_healthy(self):
        self.fleet.wait_healthy(timeout_s=60)
        self.events.wait_healthy(timeout_s=60)


@pytest.fixture
def start_world(start_psp_simulator, start_psp_events, start_fleet, tmp_path, seed):
    def start(**settings):
        world, events_port = World(random.Random(f"{seed}/world")), free_port()

        def psp(name, dialect, secret):
            folder = tmp_path / name
            folder.mkdir()
            world.psps[name] = start_psp_simulator(folder, **{
                f"PSP_SIMULATOR_{dialect}_WEBHOOK_URL": f"http://127.0.0.1:{events_port}/{name}/events", **secret})
            world.play(name)

        psp("stripe_eu", "STRIPE", {"PSP_SIMULATOR_STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET})
        psp("adyen_eu", "ADYEN", {"PSP_SIMULATOR_ADYEN_HMAC_KEY": HMAC_KEY})
        routing_file = tmp_path / "routing.toml"
        routing_file.write_text(ROUTING.format(stripe=world.psps["stripe_eu"].url, adyen=world.psps["adyen_eu"].url))
        ours = {"ROUTING_FILE": routing_file, "PSP_TIMEOUT_SECONDS": 2, "LEASE_SECONDS": 3, "LOOK_UPS_MAX": 12, **SECRETS,
                **settings}
        world.fleet = start_fleet(core_apis=2, psp_connectors=2, **ours)
        world.events = start_psp_events(HTTP_PORT=events_port, **ours)
        return world
    return start


def kill_rounds(world, load, rng, rounds):
    """Returns how often each was killed."""
    victims, killed = world.victims(), Counter()
    kinds = sorted({kind for kind, *_ in victims})
    for number in range(rounds):
        before = load.acknowledged()
        eventually(lambda: load.acknowledged() >= before + 12, f"load in round {number}", timeout_s=120)
        time.sleep(rng.uniform(0.0, 0.3))  # the random moment is what is tested
        # Each kind in turn, and in one round of four two things at once.
        chosen = [rng.choice([victim for victim in victims if victim[0] == kinds[number % len(kinds)]])]
        if rng.random() < 0.25:
            chosen.append(rng.choice([victim for victim in victims if victim is not chosen[0]]))
        for kind, kill, _ in chosen:
            kill()
            killed[kind] += 1
        time.sleep(rng.uniform(0.0, 0.3))  # for how long it is away
        for kind, kill, start in chosen:
            start()
            if rng.random() < 0.1:  # once more, while it still looks for what it had begun
                time.sleep(rng.uniform(0.0, 0.4))
                kill()
                killed[kind] += 1
                start()
        world.wait_healthy()
    return killed


def still_open(world):
    """What somebody has yet to do: a worker, a PSP, or a webhook."""
    open_now = sum(payment.status in OPEN for payment in psp_books.stored_payments(world.fleet.database).values())
    of_psps = sum(psp_books.pending_in(psp.ledger) + psp_books.waiting_events(psp.ledger) for psp in world.psps.values())
    return open_now, of_psps, psp_books.events_to_work_off(world.fleet.database)


def settle(world, load):
    load.end(timeout_s=240 * PATIENCE)
    for psp in world.psps.values():
        psp.behave()
    eventually(lambda: not any(still_open(world)), "payments, PSPs and events to come to an end", timeout_s=120, interval_s=0.2)


def assert_a_person_is_told_the_truth(payments, operations, books):
    """Each that is for a person was taken back by the PSP that did it, which both books and words say; and none that was taken
    back is kept from them. What was taken back before anybody had heard of its success is a plain decline."""
    reviewed = 0
    for identifier, each in operations.items():
        for name, book in books.items():
            told = [one for one in each if one.psp == name and one.phase == "manual_review"]
            reviewed += len(told)
            undone = book.taken_back(identifier)
            assert Counter((one.kind, one.amount) for one in told) <= undone, f"{told} of {identifier}, taken back: {undone}"
            for one in told:
                assert one.reason.startswith(f"{name} ") and f": the {one.kind} failed" in one.reason, one
                is_rested_on = one.kind == "capture" and any(other.kind == "refund" for other in each)
                assert one.taken_back or is_rested_on, one
            declined = Counter((one.kind, one.amount) for one in each if one.psp == name and one.phase == "declined")
            assert undone <= Counter((one.kind, one.amount) for one in told) + declined, f"nobody was told of {undone}"
        is_reviewed = any(one.phase == "manual_review" for one in each)
        assert (payments[identifier].status == "manual_review") == is_reviewed, payments[identifier]
    return reviewed


def assert_merchants_see_the_books(world, payments, operations, books):
    merchant = Merchant(world.fleet, user_id=MERCHANT)
    shown = {item["id"]: item for item in merchant.walk(limit=100)}
    merchant.close()
    assert set(shown) == set(payments)
    for identifier, item in shown.items():
        sums = psp_books.totals(identifier, operations[identifier], books)
        assert (item["captured_amount"], item["refunded_amount"]) == sums, item
        assert item["status"] == payments[identifier].status and item["amount"] == payments[identifier].amount


def assert_books_agree(world, load):
    database = world.fleet.database
    payments, operations = psp_books.stored_payments(database), psp_books.stored_operations(database)
    books = {name: Book(database, psp.ledger) for name, psp in world.psps.items()}
    phases = Counter((one.psp, one.kind, one.phase) for each in operations.values() for one in each)
    print(f"{len(load.created)} payments and {sum(load.operations.values())} operations acknowledged, refused: "
          f"{dict(load.refused)}; {dict(Counter(payment.status for payment in payments.values()))}")
    for (psp, kind, phase), count in sorted(phases.items()):
        print(f"  {psp:10} {kind:10} {phase:14} {count}")
    print(f"events: {dict(psp_books.events_by_result(database))}")
    effects = {name: sum(sum(book.effects(identifier).values()) for identifier in payments) for name, book in books.items()}
    print(f"effects in the books: {effects}")

    assert set(load.created) == set(payments), "acknowledged payments are gone, or a key made two"
    for (identifier, kind), count in load.operations.items():
        stored = sum(one.kind == kind for one in operations[identifier])
        assert stored == count, f"{kind} of {identifier}: acknowledged {count} times, stored {stored} times"
    assert not psp_books.strangers(payments, books)
    wrong = psp_books.disagreements(payments, operations, books)
    assert not wrong, "\n".join([f"{len(wrong)} disagreements", *wrong[:5]])
    assert {payment.status for payment in payments.values()} <= {
        "captured", "authorized", "voided", "partially_refunded", "refunded", "declined", "failed", "manual_review"}
    reviewed = assert_a_person_is_told_the_truth(payments, operations, books)
    print(f"for a person: {reviewed}, each taken back by its PSP")
    assert_merchants_see_the_books(world, payments, operations, books)
    both = sum(len({one.psp for one in each}) == 2 for each in operations.values())
    print(f"{both} payments were asked for at both PSPs")
    assert all(effects.values()), "one of the PSPs had nothing to do"


@pytest.mark.parametrize("store, rounds", [
    ("sqlite", ROUNDS or 8),
    pytest.param("sqlite", ROUNDS or 100, marks=pytest.mark.slow),
    pytest.param("postgres", ROUNDS or 100, marks=pytest.mark.slow),
], ids=["a few", "many, sqlite", "many, postgres"])
def test_one_effect_in_two_books_whatever_is_killed(request, start_world, seed, store, rounds):
    world = start_world(**({"DATABASE_URL": request.getfixturevalue("postgres_url")} if store == "postgres" else {}))
    load = Lifecycles(world.fleet, seed, more=PAYMENT, one_capture=True).begin()
    began = time.monotonic()
    killed = kill_rounds(world, load, random.Random(seed), rounds)
    print(f"{sum(killed.values())} kills in {time.monotonic() - began:.0f} s: {dict(killed)}")
    settle(world, load)
    print(f"settled after {time.monotonic() - began:.0f} s")
    assert_books_agree(world, load)
