"""The files Switchyard writes: its own store, and the simulated PSP's ledger of charges. Changes nothing in them."""

import sqlite3
import uuid
from collections import namedtuple
from contextlib import closing

StoredTransaction = namedtuple("StoredTransaction", "id merchant_id amount currency status")
Charge = namedtuple("Charge", "reference amount currency outcome code")


def query(path, statement, parameters=()):
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as connection:
        return connection.execute(statement, parameters).fetchall()


def transactions(database, merchant_id=None):
    """The rows of the store, as text ids."""
    statement = "SELECT id, merchant_id, amount_minor, currency, status FROM transactions"
    rows = query(database, statement) if merchant_id is None else query(
        database, statement + " WHERE merchant_id = ?", (merchant_id,))
    return [StoredTransaction(str(uuid.UUID(bytes=row[0])), *row[1:]) for row in rows]


def charges(ledger, reference=None):
    """What the PSP did, one row a charge; `reference` is the transaction's id."""
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
