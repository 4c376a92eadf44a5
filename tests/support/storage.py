"""What Switchyard and the simulated PSP have written: the store, in a SQLite file or in PostgreSQL, and the ledger of
charges. Changes nothing in them. A `database` is a path or a PostgreSQL URL."""

import sqlite3
import uuid
from collections import namedtuple
from contextlib import closing

StoredTransaction = namedtuple("StoredTransaction", "id merchant_id amount currency status")
Charge = namedtuple("Charge", "reference amount currency outcome code")


def query(database, statement, parameters=()):
    """The rows; `?` in the statement stands for a parameter, whatever the database."""
    if not str(database).startswith("postgresql:"):
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
            return connection.execute(statement, parameters).fetchall()
    import psycopg2  # not installed where no test needs PostgreSQL
    with closing(psycopg2.connect(database, connect_timeout=30)) as connection, connection.cursor() as cursor:
        connection.set_session(readonly=True)
        cursor.execute(statement.replace("?", "%s"), parameters)
        return cursor.fetchall()


def text_id(value):
    """The usual form of an id: SQLite has its 16 bytes, PostgreSQL has a type for it."""
    return value if isinstance(value, str) else str(uuid.UUID(bytes=bytes(value)))


def transactions(database, merchant_id=None):
    """The rows of the store, as text ids."""
    statement = "SELECT id, merchant_id, amount_minor, currency, status FROM transactions"
    rows = query(database, statement) if merchant_id is None else query(
        database, statement + " WHERE merchant_id = ?", (merchant_id,))
    return [StoredTransaction(text_id(row[0]), *row[1:]) for row in rows]


def open_transactions(database):
    """How many a worker has still something to do for."""
    [(count,)] = query(database, "SELECT count(*) FROM transactions WHERE status IN "
                                 "('queued', 'processing', 'action_required', 'unknown')")
    return count


def psps_of(database, transaction_id):
    """The names of the PSPs of a transaction's operations, the first first."""
    rows = query(database, "SELECT transaction_id, psp FROM operations ORDER BY number")
    return [psp for identifier, psp in rows if text_id(identifier) == transaction_id]


def psp_reference(database, transaction_id):
    """What the PSP knows a transaction by: its id, unless it was made with an idempotency key."""
    rows = query(database, "SELECT id, derived_reference FROM transactions")
    return next(derived or transaction_id for identifier, derived in rows if text_id(identifier) == transaction_id)


def by_transaction(database, of_references):
    """A dictionary that has a PSP's references as its names, with the ids of their transactions instead."""
    rows = query(database, "SELECT id, derived_reference FROM transactions WHERE derived_reference <> ''")
    ids = {derived: text_id(identifier) for identifier, derived in rows}
    return type(of_references)({ids.get(reference, reference): value for reference, value in of_references.items()})


def charged_transactions(database, ledger, outcome=None):
    """The charges of the PSP's ledger, of this outcome or of all, with the ids of their transactions in place of references."""
    found = [charge for charge in charges(ledger) if outcome in (None, charge.outcome)]
    ids = by_transaction(database, {charge.reference: charge.reference for charge in found})
    id_of = {reference: identifier for identifier, reference in ids.items()}
    return [charge._replace(reference=id_of[charge.reference]) for charge in found]


def charges(ledger, reference=None):
    """What the PSP did, one row a charge; `reference` is that of `psp_reference`."""
    statement = "SELECT reference, amount_minor, currency, outcome, code FROM charges"
    rows = query(ledger, statement) if reference is None else query(
        ledger, statement + " WHERE reference = ?", (reference,))
    return [Charge(*row) for row in rows]


def bytes_on_disk(folder):
    """The contents of every file below `folder`: for "this string was never written anywhere"."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def is_writable(database, patience_s=1):
    """Whether a writer gets its turn: nobody holds the write lock for longer."""
    with closing(sqlite3.connect(database, timeout=patience_s, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        connection.execute("ROLLBACK")
        return True
