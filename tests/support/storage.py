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
    """How many are not yet final, nor for a person."""
    [(count,)] = query(database, "SELECT count(*) FROM transactions WHERE status NOT IN "
                                 "('captured', 'declined', 'failed', 'manual_review')")
    return count


def psps_of(database, transaction_id):
    """The names of the PSPs of a transaction's attempts, the first first."""
    rows = query(database, "SELECT transaction_id, psp FROM attempts ORDER BY number")
    return [psp for identifier, psp in rows if text_id(identifier) == transaction_id]


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
