"""Fixtures that start real processes on free ports and stop them again; on failure the logs go into the report."""

import os
import random

import pytest

from support import programs
from support.fleet import Fleet
from support.merchants import Merchant
from support.programs import Program, PspEvents, PspSimulator, Switchyard, ThreeServices, has_started
from support.waiting import eventually

pytest_plugins = ["support.servers"]

_TAIL_LINES = 60
_started_before = pytest.StashKey[int]()


def pytest_report_header():
    return f"switchyard binaries: {programs.BINARIES}"


def pytest_make_parametrize_id(val):
    """Names of tests stay readable when a parameter is sixty thousand bytes long or full of control characters."""
    if isinstance(val, (str, bytes)):
        text = ascii(val)
        return text if len(text) <= 40 else f"{text[:36]}... ({len(text)})"
    return None


def pytest_runtestloop(session):
    """Without binaries nothing was tested, and that must not look like success."""
    if all("containers/" in item.nodeid for item in session.items):
        return  # images are built from the source
    if not session.config.option.collectonly and not os.access(programs.binary("switchyard"), os.X_OK):
        pytest.exit(f"no binaries in {programs.BINARIES}; build first or set SWITCHYARD_BIN",
                    returncode=pytest.ExitCode.USAGE_ERROR)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    started_here = Program.started[item.stash.get(_started_before, 0):]
    for program in started_here or [program for program in Program.started if program.alive()]:
        tail = "\n".join(program.log_lines()[-_TAIL_LINES:])
        report.sections.append((f"the last {_TAIL_LINES} lines of {program.log_path}", tail))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    item.stash[_started_before] = len(Program.started)


def _finish(servers):
    """Stops all, then judges: nobody leaves a process behind because another one failed."""
    running = [program for server in servers for program in server.programs if program.alive()]
    for program in running:
        eventually(lambda: has_started(program), f"{program.name} to have started")
    codes = {program.name: program.stop() for program in running}
    for server in servers:
        for program in server.programs:
            program.assert_log_is_clean()
    assert all(code == 0 for code in codes.values()), f"exit codes on SIGTERM: {codes}"


@pytest.fixture(scope="session")
def switchyard(tmp_path_factory):
    """One `switchyard serve` for all tests that need no settings of their own."""
    server = Switchyard(tmp_path_factory.mktemp("shared"))
    try:
        yield server.start()
    finally:
        _finish([server])


@pytest.fixture(autouse=True)
def shared_server_survives(request):
    """The test that kills the shared server fails, and only that one: the next finds it running again."""
    yield
    if "switchyard" in request.fixturenames:
        server = request.getfixturevalue("switchyard")
        if not server.alive():
            code = server.program.process.returncode
            server.start()
            pytest.fail(f"the server died with exit code {code}")


@pytest.fixture
def start_switchyard(tmp_path):
    """Starts `switchyard serve` with settings of the test's own; same folder and so same database, unless told otherwise."""
    servers = []

    def start(folder=tmp_path, **overrides):
        servers.append(Switchyard(folder, **overrides))
        return servers[-1].start()

    yield start
    _finish(servers)


@pytest.fixture
def three_services(start_three_services):
    return start_three_services()


@pytest.fixture
def start_psp_simulator(tmp_path):
    """Starts `psp-simulator`; same folder and so same ledger, unless told otherwise."""
    simulators = []

    def start(folder=tmp_path, **overrides):
        simulators.append(PspSimulator(folder, **overrides))
        return simulators[-1].start()

    yield start
    _finish(simulators)


@pytest.fixture
def start_psp_events(tmp_path):
    """Starts `psp-events` with settings of the test's own."""
    servers = []

    def start(folder=tmp_path, **overrides):
        servers.append(PspEvents(folder, **overrides))
        return servers[-1].start()

    yield start
    _finish(servers)


@pytest.fixture
def start_three_services(tmp_path):
    servers = []

    def start(**overrides):
        servers.append(ThreeServices(tmp_path, **overrides))
        return servers[-1].start()

    yield start
    _finish(servers)


@pytest.fixture
def start_fleet(tmp_path):
    """Starts any number of each service over one database; in the test's own folder, with settings of its own."""
    fleets = []

    def start(**arguments):
        fleets.append(Fleet(tmp_path, **arguments))
        return fleets[-1].start()

    yield start
    _finish(fleets)


@pytest.fixture
def merchant(switchyard):
    """A merchant of the shared server that no other test uses."""
    merchant = Merchant(switchyard)
    yield merchant
    merchant.close()


@pytest.fixture
def merchant_of():
    """Makes merchants of any server and closes their connections."""
    merchants = []

    def make(server, **arguments):
        merchants.append(Merchant(server, **arguments))
        return merchants[-1]

    yield make
    for merchant in merchants:
        merchant.close()


@pytest.fixture
def seed():
    """The seed of a random test: printed, and taken from TEST_SEED to repeat a run."""
    value = os.environ.get("TEST_SEED") or f"{random.SystemRandom().getrandbits(32):08x}"
    print(f"repeat with TEST_SEED={value}")
    return value
