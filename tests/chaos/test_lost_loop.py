"""An exception that nobody expects in a loop: a process that went on without it would look healthy and do nothing."""

import signal
import subprocess
from pathlib import Path

import pytest

from support.merchants import Merchant

SOURCE = Path(__file__).resolve().parents[1] / "support" / "no_memory.c"


@pytest.fixture
def shim(tmp_path):
    library = tmp_path / "no_memory.so"
    subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-fexceptions", "-o", library, SOURCE, "-ldl"], check=True)
    return library


@pytest.mark.slow  # not for its time: sanitizers have an allocator of their own
@pytest.mark.parametrize(("thread", "with_redis"), [("connector", False), ("queue", True)])
def test_a_loop_that_runs_out_of_memory_ends_the_process_with_the_reason(start_switchyard, own_redis, shim, thread, with_redis):
    server = start_switchyard(LD_PRELOAD=shim, NO_MEMORY_THREAD=thread, **({"REDIS_URL": own_redis.url()} if with_redis else {}))
    merchant = Merchant(server)
    paid = merchant.created(100)["id"]
    merchant.wait_final(paid)
    server.program.send_signal(signal.SIGUSR2)
    assert server.program.wait_exit() == 1, "not a server that serves and works nothing off"
    assert "A bug ended the process: std::bad_alloc" in server.program.log()
    merchant.close()

    server.program.settings.pop("LD_PRELOAD")
    server.start()
    again = Merchant(server, user_id=merchant.user_id)
    assert again.show(paid)["status"] == "captured"
    again.close()
