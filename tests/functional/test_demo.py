"""`switchyard demo`: one payment, shown as commands that can be pasted; and what it says where there is none to be made."""

import http.server
import json
import re
import subprocess
import threading

import pytest

from support import storage
from support.http_client import Client
from support.merchants import login
from support.ports import free_port
from support.programs import run_to_exit
from support.waiting import eventually

WHOLE_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")


def demo(server, *arguments, **overrides):
    settings = {**server.settings, **{name: str(value) for name, value in overrides.items()}}
    return run_to_exit("switchyard", ["demo", *map(str, arguments)], settings, server.program.folder)


@pytest.mark.quick
def test_it_pays_and_its_commands_can_be_pasted(start_switchyard):
    """A second time they are answered with the first payment: its key makes that safe, and this is where one sees it."""
    server = start_switchyard()
    done = demo(server)
    assert done.returncode == 0 and done.stderr == "", done
    assert "\nthe transaction is captured\n" in done.stdout
    [row] = storage.transactions(server.database)
    assert (row.amount, row.currency) == (100, "USD") and row.id in done.stdout
    assert not WHOLE_TOKEN.search(done.stdout), "a token is a secret while it is valid"
    commands = re.findall(r"^\$ (.*)$", done.stdout, re.MULTILINE)
    assert len(commands) == 3
    pasted = subprocess.run(["bash", "-euc", "\n".join(commands)], capture_output=True, text=True, timeout=60, check=True)
    paid, shown = re.findall(r"\{.*?\}(?=\{|$)", pasted.stdout.replace("\n", ""))
    assert json.loads(paid)["id"] == row.id
    assert json.loads(shown)["status"] == "captured"
    assert [other.id for other in storage.transactions(server.database)] == [row.id]


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_the_connectors_lines_about_this_payment_only(start_switchyard, log_format):
    server = start_switchyard(LOG_FORMAT=log_format)
    with Client(server.core) as client:
        before = client.post("/transaction", {"amount": 4711, "currency": "EUR", "token": login(server)}).json()["id"]
    eventually(lambda: server.connector_log().count("Result is kept") == 1, "the connector to be done with another payment")
    done = demo(server, "--log", server.program.log_path)
    assert done.returncode == 0, done
    [row] = [row for row in storage.transactions(server.database) if row.id != before]
    lines = done.stdout.partition("the connector's lines about it")[2]
    assert "==> Making transaction with PSP: User ID: 1, Amount: 100, Currency: USD" in lines
    assert f"Job OK ({row.id})" in lines and "Result is kept" in lines
    assert before not in lines and "4711" not in lines


def test_a_log_without_such_lines_is_said(start_switchyard):
    server = start_switchyard(LOG_LEVEL="warning")
    done = demo(server, "--log", server.program.log_path)
    assert done.returncode == 0 and "LOG_LEVEL is warning" in done.stdout


def test_a_log_that_is_no_file_is_refused_before_anything_is_paid(start_switchyard):
    server = start_switchyard()
    done = demo(server, "--log", "/dev/null")
    assert done.returncode == 2 and "--log names /dev/null" in done.stderr
    assert storage.transactions(server.database) == []


def test_as_json_it_is_the_transaction_only(start_switchyard):
    done = demo(start_switchyard(), "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["status"] == "captured"


# ---- no payment

def test_a_server_that_is_not_there(tmp_path, start_switchyard):
    server = start_switchyard()
    port = free_port()
    done = demo(server, "--url", f"http://127.0.0.1:{port}")
    assert done.returncode == 1 and done.stdout == ""
    assert f":{port}/auth/token" in done.stderr and "switchyard doctor" in done.stderr


@pytest.mark.parametrize("arguments, stdin, said", [
    (["user", "passwd", "alice"], "another password of alice\n", "another password"),
    (["user", "disable", "alice"], "", "disabled"),
])
def test_without_the_demo_user_nothing_is_paid(start_switchyard, arguments, stdin, said):
    """Of its own exit code: a script that shows how it works need not fail over it."""
    server = start_switchyard()
    assert run_to_exit("switchyard", arguments, server.settings, server.program.folder, stdin).returncode == 0
    done = demo(server)
    assert done.returncode == 3 and said in done.stderr and "nothing was paid" in done.stderr
    assert storage.transactions(server.database) == []


def test_production_has_no_demo_user(start_switchyard):
    done = demo(start_switchyard(), SWITCHYARD_ENV="production")
    assert done.returncode == 3 and "production" in done.stderr and done.stdout == ""


def test_a_payment_that_does_not_end_in_time(start_switchyard):
    server = start_switchyard(PSP_URL=f"http://127.0.0.1:{free_port()}")
    done = demo(server, "--timeout", 1)
    [row] = storage.transactions(server.database)
    assert done.returncode == 1 and row.id in done.stderr and "after 1 s" in done.stderr


def test_a_payment_that_fails(start_switchyard):
    """The provider cannot be reached, and the tries are used up."""
    server = start_switchyard(PSP_URL=f"http://127.0.0.1:{free_port()}")
    done = demo(server, "--timeout", 60)
    assert done.returncode == 1 and "ended as failed" in done.stderr


class LosesPayments(http.server.BaseHTTPRequestHandler):
    """Gives tokens; a payment it takes, or not, and does not answer."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/auth/token":
            body = b'{"token":"a.b.c"}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *_):
        pass


def test_a_lost_answer_is_not_called_a_failure(start_switchyard):
    """Nobody knows whether it was taken; what is printed makes sure without paying twice."""
    server = http.server.HTTPServer(("127.0.0.1", 0), LosesPayments)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        done = demo(start_switchyard(), "--url", f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert done.returncode == 1
    assert "not known" in done.stderr and re.search(r"curl .*Idempotency-Key: demo-[0-9a-f-]{36}", done.stderr)
