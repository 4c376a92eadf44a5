"""`switchyard doctor` asks the PSP of each account of the routing file, and says what is wrong with account, key or way there."""

import json
import socket
import ssl
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest

from support import certificates
from support.doctor import examine, only_wrong
from support.ports import free_port
from support.programs import development_settings, run_to_exit
from support.waiting import PATIENCE

KEYS = {"KEY_OF_A": "sk_test_hunter2", "API_KEY": "hunter2api", "HMAC_KEY": "0123456789abcdef" * 4}
# What serves in development is no reason for a wrong answer here.
SECRETS = "hunter2"


def stripe(base_url=None, name="a"):
    at = f'base_url = "{base_url}"\n' if base_url else ""
    return f'[psp.{name}]\nadapter = "stripe"\nsecret_key_env = "KEY_OF_A"\n{at}'


def adyen(base_url, name="b"):
    return (f'[psp.{name}]\nadapter = "adyen"\napi_key_env = "API_KEY"\nhmac_key_env = "HMAC_KEY"\nmerchant_account = "AcmeECOM"\n'
            f'base_url = "{base_url}"\n')


def simulator(base_url, name="s"):
    return f'[psp.{name}]\nadapter = "simulator"\nbase_url = "{base_url}"\n'


@pytest.fixture
def examined(tmp_path):
    """Findings with these accounts, and a rule for the first one."""
    def run(*accounts, **overrides):
        routing_file = tmp_path / "routing.toml"
        first = accounts[0].split("]")[0].removeprefix("[psp.")
        routing_file.write_text("".join(accounts) + f'[[rule]]\npsp = "{first}"\n')
        findings = examine(tmp_path, **{"ROUTING_FILE": routing_file, **KEYS, **overrides})
        assert SECRETS not in json.dumps(findings)
        return findings
    return run


class Answering(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.answer(self)

    do_POST = do_GET

    def log_message(self, *_):
        pass


@contextmanager
def fake_psp(answer, tls=None):
    """An HTTP server that answers each request by `answer(handler)`: its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.certificate, tls.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    server.answer = answer
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def with_body(status, body=b"", content_type="application/json"):
    def answer(handler):
        handler.send_response(status)
        handler.send_header("Content-Type", content_type)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        with suppress(OSError):  # who asked has heard enough
            handler.wfile.write(body)
    return answer


# ---- what is complete

def test_accounts_of_the_routing_file_have_what_they_need(tmp_path, start_psp_simulator):
    routing_file = tmp_path / "routing.toml"
    routing_file.write_text(stripe(start_psp_simulator().url) + '[[rule]]\npsp = "a"\n')
    wrong = only_wrong(examine(tmp_path, ROUTING_FILE=routing_file))
    assert wrong["check"] == "psp a" and "KEY_OF_A is not set" in wrong["text"]
    env_file = tmp_path / "settings.env"
    env_file.write_text("KEY_OF_A=sk_test_hunter2\n")
    env_file.chmod(0o600)
    findings = examine(tmp_path, env_file=env_file, ROUTING_FILE=routing_file)
    assert all(finding["ok"] for finding in findings.values()), findings
    assert "a (stripe)" in findings["psp"]["text"] and "hunter2" not in str(findings)


def test_a_wrong_routing_file_is_named_by_line(tmp_path):
    routing_file = tmp_path / "routing.toml"
    routing_file.write_text(stripe() + '[[rule]]\npsp = "b"\n')
    wrong = only_wrong(examine(tmp_path, ROUTING_FILE=routing_file))
    assert wrong["check"] == "psp" and "routing.toml: line 5" in wrong["text"]


def test_a_secret_that_is_no_key_of_stripes_is_not_sent_there(examined):
    asked = []
    with fake_psp(lambda handler: asked.append(handler.path)) as url:
        wrong = only_wrong(examined(stripe(url), KEY_OF_A="whsec_hunter2"))
    assert wrong["check"] == "psp a" and "KEY_OF_A is no secret key" in wrong["text"] and not asked


def test_a_simulator_in_this_process_needs_nothing(examined):
    findings = examined('[psp.sim]\nadapter = "simulator"\n')
    assert findings["psp sim"]["ok"] and "no money moves" in findings["psp sim"]["text"]


# ---- whom the PSP knows

def test_a_psp_that_answers_and_takes_the_key(examined, start_psp_simulator):
    psp = start_psp_simulator()
    findings = examined(stripe(psp.url + "/"), adyen(psp.url + "/v71"), simulator(psp.url))
    assert findings["psp a"]["ok"] and findings["psp a"]["text"] == f"complete; {psp.url} answers and takes the key"
    assert f"{psp.url}/v71 answers and takes the key" in findings["psp b"]["text"]
    assert findings["psp s"]["ok"] and "psp-simulator answers" in findings["psp s"]["text"]
    assert psp.counts() == {}, "nothing moves"


def test_a_key_that_the_psp_does_not_take(examined, start_psp_simulator):
    psp = start_psp_simulator()
    wrong = only_wrong(examined(stripe(psp.url), KEY_OF_A="sk_live_hunter2"))
    assert wrong["check"] == "psp a" and "does not take the key in KEY_OF_A (401)" in wrong["text"]
    with fake_psp(with_body(401, b'{"status":401,"errorCode":"000"}')) as url:
        text = examined(adyen(url))["psp b"]["text"]
    assert "does not take the key in API_KEY (401)" in text


def test_a_key_that_may_not_do_what_is_needed(examined):
    with fake_psp(with_body(403, b'{"error":{"type":"invalid_request_error","message":"sk_test_hunter2 may not"}}')) as url:
        wrong = only_wrong(examined(stripe(url)))
    assert "answers and knows the key in KEY_OF_A, which may not list payments (403)" in wrong["text"]
    with fake_psp(with_body(403, b'{"status":403,"errorCode":"901","message":"Invalid Merchant Account"}')) as url:
        assert "no such merchant account" in examined(adyen(url))["psp b"]["text"]


def test_what_is_asked_changes_nothing_and_has_the_key(examined):
    asked = []

    def record(handler):
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        asked.append((handler.command, handler.path, handler.headers.get("Authorization") or handler.headers.get("X-API-Key"), body))
        with_body(200, b'{"object":"list"}')(handler)
    with fake_psp(record) as url:
        examined(stripe(url), adyen(url + "/v71"))
    assert sorted(asked) == [("GET", "/v1/payment_intents?limit=1", "Bearer sk_test_hunter2", b""),
                             ("POST", "/v71/paymentMethods", "hunter2api", b'{"merchantAccount":"AcmeECOM"}')]


# ---- who is not the PSP

@pytest.mark.parametrize("answer, said", [
    (with_body(200, b"<html><body>hunter2</body></html>", "text/html"), "answers with 200, but not as Stripe does"),
    (with_body(200, b'{"object":"balance"}'), "but not as Stripe does"),
    (with_body(200, b"[" * 100_000), "but not as Stripe does"),
    (with_body(200, b"\x00\xff" * 50_000, "application/octet-stream"), "but not as Stripe does"),
    (with_body(200, b"x" * 10_000_000, "text/html"), "more than any PSP would"),
    (with_body(200), "but not as Stripe does"),
    (with_body(302), "answers with 302, but not as"),
    (with_body(404, b"hunter2"), "answers with 404, but not as"),
    (with_body(429), "too many requests (429)"),
    (with_body(503, b"x" * 100_000), "answers with 503"),
    (lambda handler: handler.connection.close(), "has not answered"),
    (lambda handler: handler.wfile.write(b"no HTTP at all\r\n\r\n"), "has not answered"),
])
def test_an_answer_that_is_none_of_the_psps(examined, answer, said):
    with fake_psp(answer) as url:
        wrong = only_wrong(examined(stripe(url)))
    assert wrong["check"] == "psp a" and wrong["text"].startswith(f"complete; {url} ") and said in wrong["text"], wrong


@pytest.mark.parametrize("account, said", [
    (stripe("https://psp.invalid"), "https://psp.invalid is not found: DNS knows no such name"),
    (adyen("https://psp.invalid"), "https://psp.invalid is not found"),
    (simulator("http://psp.invalid"), "http://psp.invalid is not found"),
    (stripe("http://127.0.0.1:PORT"), "http://127.0.0.1:PORT is not reached: the connection is refused"),
    (simulator("http://127.0.0.1:PORT"), "http://127.0.0.1:PORT is not reached"),
])
def test_a_way_there_that_is_none(examined, account, said):
    port = str(free_port())
    wrong = only_wrong(examined(account.replace("PORT", port)))
    assert said.replace("PORT", port) in wrong["text"]


def test_a_host_that_speaks_no_tls(examined):
    with fake_psp(with_body(200, b'{"object":"list"}')) as url:
        wrong = only_wrong(examined(stripe(url.replace("http:", "https:"))))
    assert "is not trusted" in wrong["text"] and "ca-certificates" in wrong["remedy"]


def test_a_host_whose_certificate_nobody_here_trusts_gets_no_key(examined, tmp_path):
    asked = []
    with fake_psp(lambda handler: asked.append(handler.path), tls=certificates.make(tmp_path)) as url:
        wrong = only_wrong(examined(stripe(url.replace("http:", "https:"))))
    assert "is not trusted" in wrong["text"] and not asked


def test_psps_that_never_answer_are_waited_for_together(examined):
    over = Event()
    with fake_psp(lambda _: over.wait()) as url:
        begun = time.monotonic()
        findings = examined(*(stripe(url, f"a{number}") for number in range(8)))
        took = time.monotonic() - begun
        over.set()
    for number in range(8):
        assert "has not answered within 5 s" in findings[f"psp a{number}"]["text"]
    assert took < 5 + 5 * PATIENCE


def test_a_host_that_takes_no_connection_is_given_up(examined):
    """Its queue is full, and it never looks."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.create_connection(full.getsockname()):
        wrong = only_wrong(examined(stripe(f"http://127.0.0.1:{full.getsockname()[1]}")))
    assert "has not answered within 5 s" in wrong["text"]


# ---- production

def test_a_test_key_in_production_is_a_warning(examined, tmp_path, start_psp_simulator):
    url = start_psp_simulator().url
    finding = examined(stripe(url), SWITCHYARD_ENV="production")["psp a"]
    assert finding["ok"] and "test account, though SWITCHYARD_ENV is production" in finding["text"] and finding["remedy"]
    assert not examined(stripe(url))["psp a"]["remedy"]
    settings = development_settings(tmp_path, SWITCHYARD_ENV="production", ROUTING_FILE=tmp_path / "routing.toml", HTTP_PORT=free_port(), **KEYS)
    text = run_to_exit("switchyard", ["doctor"], settings, tmp_path).stdout
    assert "warn  psp a " in text and "-> take the live account's key" in text
    with fake_psp(with_body(200, b'{"object":"list"}')) as url:
        assert not examined(stripe(url), SWITCHYARD_ENV="production", KEY_OF_A="sk_live_hunter2")["psp a"]["remedy"]
