"""The README's client is one that can be copied: it pays once, whatever becomes of its requests."""

import re

from support import storage
from support.merchants import login
from support.programs import REPOSITORY
from support.waiting import eventually


def client_of_the_readme():
    [code] = re.findall(r"^```python\n(.*?)^```", (REPOSITORY / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    names = {}
    exec(compile(code, "README.md", "exec"), names)  # what a reader would paste
    return names


def test_it_pays(switchyard):
    identifier = client_of_the_readme()["pay"](switchyard.root.url(""), lambda: login(switchyard), 2500, "EUR")
    [row] = [row for row in storage.transactions(switchyard.database) if row.id == identifier]
    assert (row.amount, row.currency) == (2500, "EUR")


def test_it_pays_once_when_the_answer_is_lost(start_switchyard, monkeypatch):
    """Each reply is thrown away once, as a network would, and the server is away for a while."""
    server = start_switchyard()
    client = client_of_the_readme()
    requests, send = client["requests"], client["requests"].post
    lost = iter([True, True, False])

    def post(*arguments, **options):
        reply = send(*arguments, **options)
        if next(lost):
            raise requests.ConnectionError("the answer was lost")
        return reply

    monkeypatch.setattr(requests, "post", post)
    monkeypatch.setattr(client["time"], "sleep", lambda seconds: None)
    identifier = client["pay"](server.root.url(""), lambda: login(server), 700, "USD")
    [row] = storage.transactions(server.database)
    assert row.id == identifier
    eventually(lambda: [charge.reference for charge in storage.charged_transactions(server.database, server.ledger)] == [identifier], "one charge")
