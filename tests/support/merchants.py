"""A merchant as a client of core-api: sends transactions, looks at them, waits for their final state."""

import itertools
import urllib.parse

from support import amounts, tokens
from support.http_client import Client
from support.programs import SECRET
from support.waiting import eventually

_next_user_id = itertools.count(1001)


class Merchant:
    """By default a merchant nobody else uses, with a token that outlives the test."""

    def __init__(self, server, user_id=None, token=None, secret=SECRET):
        self.server = server
        self.user_id = next(_next_user_id) if user_id is None else user_id
        self.token = token or tokens.mint(secret, user_id=self.user_id, username=f"merchant{self.user_id}")
        self.client = Client(server.core)

    def close(self):
        self.client.close()

    @property
    def authorization(self):
        return {"Authorization": f"Bearer {self.token}"}

    def post(self, json=None, body=None, headers=None):
        """POST /transaction with exactly this body; the token goes into the Authorization header."""
        return self.client.post("/transaction", json=json, body=body,
                                headers={**self.authorization, **(headers or {})})

    def create(self, amount=100, currency="USD", key=None, **more):
        headers = {"Idempotency-Key": key} if key is not None else {}
        return self.post({"amount": amount, "currency": currency, **more}, headers=headers)

    def created(self, amount=100, currency="USD", key=None, **more):
        """Like `create`, and the transaction must have been accepted. Returns its JSON."""
        reply = self.create(amount, currency, key, **more)
        assert reply.status == 200, f"{reply.status}: {reply.body!r}"
        return reply.json()

    def ask(self, transaction_id, verb, key=None, headers=None, **body):
        """POST /transaction/{id}/capture, /void or /refund."""
        with_key = {"Idempotency-Key": key} if key is not None else {}
        return self.client.post(f"/transaction/{transaction_id}/{verb}", body,
                                headers={**self.authorization, **with_key, **(headers or {})})

    def asked(self, transaction_id, verb, key=None, headers=None, **body):
        """Like `ask`, and it must have been accepted. Returns the transaction."""
        reply = self.ask(transaction_id, verb, key, headers, **body)
        assert reply.status == 200, f"{reply.status}: {reply.body!r}"
        return reply.json()

    def get(self, path, headers=None):
        return self.client.get(path, {**self.authorization, **(headers or {})})

    def show(self, transaction_id):
        reply = self.get(f"/transaction/{transaction_id}")
        assert reply.status == 200, f"{reply.status}: {reply.body!r}"
        return reply.json()

    def page(self, **query):
        reply = self.get("/transaction" + ("?" + urllib.parse.urlencode(query) if query else ""))
        assert reply.status == 200, f"{reply.status}: {reply.body!r}"
        return reply.json()

    def pages(self, **query):
        """The pages of the list, from the newest to the last."""
        for _ in range(10_000):
            page = self.page(**query)
            assert set(page) >= {"items", "next_cursor"}
            yield page
            if page["next_cursor"] is None:
                return
            query["cursor"] = page["next_cursor"]
        raise AssertionError("the list does not end")

    def walk(self, **query):
        """All transactions of the list."""
        return [item for page in self.pages(**query) for item in page["items"]]

    def wait_for_status(self, transaction_id, *statuses, timeout_s=30.0):
        def reached():
            transaction = self.show(transaction_id)
            return transaction if transaction["status"] in statuses else None
        return eventually(reached, f"transaction {transaction_id} to be {' or '.join(statuses)}", timeout_s)

    def wait_final(self, transaction_id, timeout_s=30.0):
        return self.wait_for_status(transaction_id, *amounts.FINAL_STATUSES, timeout_s=timeout_s)


def login(server, username="alice", password="password"):
    """A token of auth-api itself."""
    with Client(server.auth) as client:
        reply = client.post("/token", {"username": username, "password": password})
    assert reply.status == 200, f"{reply.status}: {reply.body!r}"
    return reply.json()["token"]
