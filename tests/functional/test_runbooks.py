"""What runbooks tell people to type: the statements run, and the commands are there."""

import re
import shlex

import pytest

from support import storage
from support.programs import REPOSITORY, run_to_exit

RUNBOOKS = sorted((REPOSITORY / "docs/runbooks").glob("*.md"))


def statements(text):
    """(file, SQL) of each `sqlite3 ... FILE "SQL"`."""
    return re.findall(r'sqlite3 (?:-\w+ )*(data/\S+)\s+(?:\\\s+)?"([^"]+)"', text)


def commands(text):
    """The words of each `switchyard ...` at the beginning of a line of a block of code."""
    blocks = re.findall(r"^ *```\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("switchyard ")]


def test_there_is_something_to_look_at():
    text = (REPOSITORY / "docs/runbooks/stuck-transactions.md").read_text()
    assert len(statements(text)) >= 3 and len(commands(text)) >= 3


@pytest.mark.parametrize("runbook", RUNBOOKS, ids=lambda path: path.stem)
def test_the_statements_run(runbook, merchant, switchyard):
    merchant.wait_final(merchant.created()["id"])
    files = {"data/switchyard.db": switchyard.database, "data/switchyard.db.psp-simulator": switchyard.ledger}
    for file, statement in statements(runbook.read_text()):
        storage.query(files[file], statement)


@pytest.mark.parametrize("runbook", RUNBOOKS, ids=lambda path: path.stem)
def test_the_commands_are_understood(runbook, switchyard):
    """Exit code 2 is for a command line that is wrong; 1, there is no such transaction, is what to expect here."""
    for words in commands(runbook.read_text()):
        done = run_to_exit("switchyard", words, switchyard.settings, switchyard.program.folder)
        assert done.returncode in (0, 1), f"{words}: {done.stderr}"
