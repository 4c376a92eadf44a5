"""The books of several PSPs beside what Switchyard has stored: who did what, and whether both say the same of it.

A `book` is the ledger of a psp-simulator, by the name of its account. Changes nothing."""

from collections import Counter, namedtuple

from support import storage

# A book that plays another PSP keeps that PSP's names, and not our keys: what was done is compared by its kind and amount.
Payment = namedtuple("Payment", "id merchant_id amount currency capture status captured refunded reason")
Operation = namedtuple("Operation", "transaction number kind amount phase psp psp_reference taken_back reason")
Charge = namedtuple("Charge", "amount currency outcome code captured refunded voided")
Done = namedtuple("Done", "kind amount currency outcome code")


def stored_payments(database):
    """{transaction id: Payment}"""
    rows = storage.query(database, "SELECT id, merchant_id, amount_minor, currency, capture_method, status, captured_minor, "
                                   "refunded_minor, reason FROM transactions")
    return {storage.text_id(row[0]): Payment(storage.text_id(row[0]), *row[1:]) for row in rows}


def stored_operations(database):
    """{transaction id: its Operations, in order}"""
    found = {}
    for row in storage.query(database, "SELECT transaction_id, number, kind, amount_minor, phase, psp, psp_reference, taken_back, "
                                       "reason FROM operations ORDER BY transaction_id, number"):
        operation = Operation(storage.text_id(row[0]), *row[1:])
        found.setdefault(operation.transaction, []).append(operation)
    return found


class Book:
    """What one PSP did, by the transaction that it was for."""

    def __init__(self, database, ledger):
        self.charges, self.done = {}, {}  # transaction id -> [Charge], [Done]
        for reference, *columns in storage.query(ledger, "SELECT reference, amount_minor, currency, outcome, code, captured_minor, "
                                                         "refunded_minor, voided_minor FROM charges"):
            self.charges.setdefault(reference, []).append(Charge(*columns))
        for reference, *columns in storage.query(ledger, "SELECT reference, kind, amount_minor, currency, outcome, code "
                                                         "FROM operations"):
            self.done.setdefault(reference, []).append(Done(*columns))
        self.charges = storage.by_transaction(database, self.charges)
        self.done = storage.by_transaction(database, self.done)

    def approved(self, transaction):
        """The charges of it that hold or took money."""
        return [charge for charge in self.charges.get(transaction, []) if charge.outcome != "declined"]

    def effects(self, transaction):
        """{(kind, amount): how often it was done}, the charge itself as an authorization."""
        charged = [("authorize", charge.amount) for charge in self.approved(transaction)]
        return Counter([*charged, *((one.kind, one.amount) for one in self.done.get(transaction, [])
                                    if one.outcome != "declined")])

    def taken_back(self, transaction):
        """{(kind, amount): how often it was done, and was undone by the PSP}"""
        return Counter((one.kind, one.amount) for one in self.done.get(transaction, []) if one.code == "taken_back")

    def totals(self, transaction):
        """captured and refunded"""
        charges = self.approved(transaction)
        return sum(charge.captured for charge in charges), sum(charge.refunded for charge in charges)


def waiting_events(ledger):
    """How many events a PSP has yet to deliver."""
    [(count,)] = storage.query(ledger, "SELECT count(*) FROM waiting_events")
    return count


def pending_in(ledger):
    """How much of what a PSP took has come to nothing yet."""
    [(count,)] = storage.query(ledger, "SELECT (SELECT count(*) FROM charges WHERE later_at_ms IS NOT NULL) + "
                                       "(SELECT count(*) FROM operations WHERE later_at_ms IS NOT NULL)")
    return count


def events_to_work_off(database):
    due_at = "due_at" if str(database).startswith("postgresql:") else "due_at_ms"
    [(count,)] = storage.query(database, f"SELECT count(*) FROM psp_events WHERE {due_at} IS NOT NULL")
    return count


def events_by_result(database):
    """{(account, result): how many}"""
    return Counter({(account, result): count for account, result, count in storage.query(
        database, "SELECT account, result, count(*) FROM psp_events GROUP BY account, result")})


def totals(transaction, operations, books):
    """What was captured and refunded by the books, with what a person has yet to take off: a capture that the PSP took back while
    a refund of it was under way."""
    captured, refunded = (sum(column) for column in zip(*(book.totals(transaction) for book in books.values()), strict=True))
    return captured + sum(one.amount for one in operations
                          if one.kind == "capture" and one.phase == "manual_review" and not one.taken_back), refunded


def disagreements(payments, operations, books):
    """What the store and the books say differently, in words; none if every operation has the effect that is stored of it."""
    return [line for payment in payments.values()
            for line in _of_payment(payment, operations.get(payment.id, []), books)]


def _of_payment(payment, operations, books):
    charged = [(name, charge) for name, book in books.items() for charge in book.approved(payment.id)]
    if len(charged) > 1:
        yield f"{payment.id} was charged {len(charged)} times: {charged}"
    for name, charge in charged:
        if (charge.amount, charge.currency) != (payment.amount, payment.currency):
            yield f"{payment.id} of {payment.amount} {payment.currency} was charged by {name} as {charge}"
    for name, book in books.items():
        ours = [operation for operation in operations if operation.psp == name]
        succeeded = Counter((one.kind, one.amount) for one in ours if one.phase == "succeeded")
        effects = book.effects(payment.id)
        if succeeded != effects:
            yield f"{payment.id} ({payment.status}): {name} did {dict(effects)}, stored is {dict(succeeded)}"
    sums = totals(payment.id, operations, books)
    if sums != (payment.captured, payment.refunded):
        yield f"{payment.id} ({payment.status}): captured and refunded {sums}, stored {payment.captured, payment.refunded}"


def strangers(payments, books):
    """The transactions in a book that the store has not got."""
    return {name: unknown for name, book in books.items() if (unknown := {*book.charges, *book.done} - {*payments})}
