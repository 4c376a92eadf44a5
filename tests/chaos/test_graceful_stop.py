"""SIGTERM: stop accepting, finish what was accepted, exit 0, and soon."""

import signal
import time

import pytest

from support import amounts, raw_http, storage
from support.http_client import Client
from support.load import Load
from support.merchants import Merchant, login
from support.ports import free_port
from support.programs import Program, Switchyard
from support.raw_http import RawConnection
from support.waiting import PATIENCE, eventually

SHUTDOWN_SECONDS = 5


def stop_and_time(program, number=signal.SIGTERM):
    started = time.monotonic()
    program.send_signal(number)
    code = program.wait_exit()
    return code, time.monotonic() - started


@pytest.mark.quick
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_idle_server_stops_at_once(start_switchyard, number):
    server = start_switchyard(SHUTDOWN_SECONDS=SHUTDOWN_SECONDS)
    code, seconds = stop_and_time(server.program, number)
    assert code == 0 and seconds < 2 * PATIENCE


@pytest.mark.quick
@pytest.mark.parametrize("round_number", range(3))
def test_under_load_nothing_acknowledged_is_lost(start_switchyard, seed, round_number):
    server = start_switchyard(SHUTDOWN_SECONDS=SHUTDOWN_SECONDS)
    with Load(server, f"{seed}/{round_number}", workers=6) as load:
        eventually(lambda: len(load.acknowledged) >= 300, "load")
        code, seconds = stop_and_time(server.program)
    assert code == 0 and seconds <= SHUTDOWN_SECONDS + 1 * PATIENCE
    assert set(load.refused) <= {503}
    assert load.acknowledged

    server.start()
    stored = {row.id: row for row in storage.transactions(server.database)}
    for identifier, sent in load.acknowledged.items():
        row = stored[identifier]
        assert (row.merchant_id, row.amount, row.currency) == (sent.merchant_id, sent.amount, sent.currency)
    eventually(lambda: {row.status for row in storage.transactions(server.database)} <= amounts.FINAL_STATUSES,
               "final states", 60)
    references = [charge.reference for charge in storage.charges(server.ledger)]
    assert len(references) == len(set(references)), "charged twice across a graceful stop"


def test_idle_and_half_sent_connections_do_not_hold_up_the_stop(start_switchyard):
    server = start_switchyard(SHUTDOWN_SECONDS=SHUTDOWN_SECONDS, REQUEST_TIMEOUT_SECONDS=60)
    idle = [RawConnection(server.core) for _ in range(20)]
    half = [RawConnection(server.core) for _ in range(20)]
    for connection in half:
        connection.send(b"POST /transaction/transaction HTTP/1.1\r\nHost: a\r\nContent-Le")
    code, seconds = stop_and_time(server.program)
    assert code == 0 and seconds <= SHUTDOWN_SECONDS + 1 * PATIENCE
    for connection in idle + half:
        connection.close()


def test_a_request_that_is_being_answered_is_answered(start_switchyard):
    """Login costs tens of milliseconds of hashing: long enough to ask for the stop in between."""
    server = start_switchyard(SHUTDOWN_SECONDS=SHUTDOWN_SECONDS)
    with RawConnection(server.auth) as connection:
        connection.send(raw_http.post("/auth/token", b'{"username":"alice","password":"password"}'))
        eventually(lambda: _received_everything(server), "the request to arrive", interval_s=0.001)
        server.program.send_signal(signal.SIGTERM)
        reply = connection.read_reply()
    assert reply is not None and reply.status in (200, 503)
    assert server.program.wait_exit() == 0


def _received_everything(server):
    """True when no byte to the server's port waits in a receive queue of the kernel."""
    port = f"{server.port:04X}"
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    queues = [row[4].split(":")[1] for row in rows if row[1].endswith(":" + port) and row[3] == "01"]
    return queues and all(int(queue, 16) == 0 for queue in queues)


def test_stop_is_bounded_while_the_psp_is_busy(start_switchyard):
    """Retries and lookups that lie in the future are left to the next start."""
    server = start_switchyard(SHUTDOWN_SECONDS=2)
    merchant = Merchant(server, user_id=1)
    created = [merchant.created(amount)["id"] for amount in (amounts.ANSWER_LOST,
        amounts.NETWORK_ERROR_BEFORE_SENDING) * 10]
    merchant.close()
    code, seconds = stop_and_time(server.program)
    assert code == 0 and seconds <= 2 + 1 * PATIENCE
    server.start()
    for identifier in created:
        merchant.wait_final(identifier)
        assert len(storage.charges(server.ledger, identifier)) <= 1
    merchant.close()


def test_a_terminal_that_closes_does_not_end_what_nohup_started(tmp_path):
    server = Switchyard(tmp_path)
    server.program.command = ["nohup", *server.program.command]
    server.start()
    server.program.send_signal(signal.SIGHUP)
    login(server)
    assert server.alive() and server.stop() == 0


def test_a_second_signal_does_not_break_the_stop(start_switchyard):
    server = start_switchyard()
    server.program.send_signal(signal.SIGTERM)
    server.program.send_signal(signal.SIGTERM)
    assert server.program.wait_exit() == 0


def test_new_connections_are_refused_while_stopping_and_the_port_is_free_afterwards(start_switchyard):
    server = start_switchyard()
    assert server.stop() == 0
    with pytest.raises(ConnectionRefusedError):
        RawConnection(server.core)


# ---- DRAIN_SECONDS: what a router sees of a server that stops

DRAINS = 600  # longer than any test: it is ended by a second signal


def _drains(server):
    """Asks the server to stop; its health once it drains."""
    server.program.send_signal(signal.SIGTERM)

    def health():
        with Client(server.core) as client:
            return client.get("/health")

    eventually(lambda: health().status == 503, "health to say that the server stops")
    return health()


@pytest.mark.quick
def test_a_draining_server_serves_but_its_health_fails(start_switchyard):
    server = start_switchyard(DRAIN_SECONDS=DRAINS)
    kept = Merchant(server, user_id=1)
    kept.created(100)
    reply = _drains(server)
    assert b"this server is about to stop" in reply.body
    assert reply.header("Connection") == "close"

    assert kept.create(100).header("Connection") == "close", "the router opens no connection in vain"
    fresh = Merchant(server, user_id=2)
    paid = fresh.created(100)["id"]
    assert fresh.wait_final(paid)["status"] == "captured", "payments go on as well"
    assert server.program.alive()

    code, seconds = stop_and_time(server.program)
    assert code == 0 and seconds < 2 * PATIENCE, "a second signal ends the drain"
    for merchant in (kept, fresh):
        merchant.close()


def test_a_drain_ends_by_itself(start_switchyard):
    server = start_switchyard(DRAIN_SECONDS=1)
    code, seconds = stop_and_time(server.program)
    assert code == 0 and seconds >= 1, "a second of it"


def test_a_drain_goes_on_while_requests_arrive(start_switchyard):
    """A router that is busy learns late, and what it still sends must not meet a closed port."""
    drain_s = 3
    server = start_switchyard(DRAIN_SECONDS=drain_s)
    late = Merchant(server)
    _drains(server)
    began = time.monotonic()
    while time.monotonic() < began + drain_s + 2:
        assert late.create(100).status == 200
    late.close()
    assert server.program.wait_exit() == 0, "it ends when nobody asks any more"
    assert "Requests still arrive" not in server.program.log()


def test_a_drain_ends_though_requests_arrive(start_switchyard, seed):
    server = start_switchyard(DRAIN_SECONDS=1)
    with Load(server, seed, workers=2) as load:
        eventually(lambda: len(load.acknowledged) >= 10, "load")
        code, seconds = stop_and_time(server.program)
    assert code == 0 and seconds >= 3, "three times DRAIN_SECONDS"
    assert "whoever sends them has not noticed that health is 503" in server.program.log()


def test_a_drain_ends_nothing_that_is_under_way(start_switchyard, seed):
    """Merchants who open another connection when they are told so lose no request."""
    server = start_switchyard(DRAIN_SECONDS=DRAINS)
    with Load(server, seed, workers=6) as load:
        eventually(lambda: len(load.acknowledged) >= 100, "load")
        _drains(server)
        before = len(load.acknowledged)
        eventually(lambda: len(load.acknowledged) >= before + 100, "load while it drains")
        assert load.refused == {}
        assert load.unanswered == []
    assert server.stop() == 0


@pytest.mark.parametrize("name", ["auth-api", "core-api", "psp-connector"])
def test_each_program_stops_by_itself(three_services, name):
    program = next(program for program in three_services.programs if program.name == name)
    code, seconds = stop_and_time(program)
    assert code == 0 and seconds < 5 * PATIENCE


def test_the_three_programs_lose_nothing_when_one_restarts(three_services, merchant_of):
    merchant = merchant_of(three_services)
    assert three_services.psp_connector.stop() == 0
    waiting = [merchant.created(number + 1)["id"] for number in range(20)]
    assert {merchant.show(identifier)["status"] for identifier in waiting} == {"queued"}
    three_services.psp_connector.start()
    for identifier in waiting:
        assert merchant.wait_final(identifier)["status"] == "captured"
        assert len(storage.charges(three_services.ledger, identifier)) == 1


def test_two_connectors_share_the_work_and_charge_once(three_services, merchant_of):
    first = three_services.psp_connector
    folder = first.folder / "second"
    folder.mkdir()
    second = Program("psp-connector", [], {**first.settings, "HTTP_PORT": str(free_port()),
                                           "METRICS_PORT": str(free_port())}, folder)
    second.start()
    eventually(lambda: "Listening on default" in second.log(), "the second connector to listen")
    merchant = merchant_of(three_services)
    created = {merchant.created(amount)["id"]: amount for amount in [100, amounts.ANSWER_LOST,
        amounts.NETWORK_ERROR_BEFORE_SENDING] * 40}
    for identifier, amount in created.items():
        assert merchant.wait_final(identifier)["status"] == amounts.expected_status(amount)
        assert len(storage.charges(three_services.ledger, identifier)) <= 1
    assert second.stop() == 0
