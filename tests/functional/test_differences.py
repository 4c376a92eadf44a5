"""docs/differences.md says what clients of the original services get instead: each row is sent and compared."""

import re

import pytest

from support.http_client import once
from support.merchants import login
from support.programs import REPOSITORY

ROWS = re.findall(r"^\| `(\w+) (\S+) (.+?)` \| .+? \| (\d+) `(.+?)` \|$", (REPOSITORY / "docs" / "differences.md").read_text(),
                  re.MULTILINE)


def test_all_rows_are_read():
    table = re.findall(r"^\| `", (REPOSITORY / "docs" / "differences.md").read_text(), re.MULTILINE)
    assert len(ROWS) == len(table) > 15


@pytest.mark.quick
@pytest.mark.parametrize("method, path, body, status, error", ROWS)
def test_here_it_is_as_the_table_says(switchyard, method, path, body, status, error):
    reply = once(switchyard.root, method, path, body=body.replace('"TOKEN"', f'"{login(switchyard)}"').encode(),
                 headers={"Content-Type": "application/json"})
    assert (reply.status, reply.json()["error"]) == (int(status), error), reply
